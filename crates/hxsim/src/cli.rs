//! What the command understands.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::sweep;

/// Runs scenarios of gossiping nodes in a deterministic network: one seed is one history, on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "hxsim", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run a scenario, once or many times, and say what came of it
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Run every scenario of a directory and write what they answer
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Read scenarios and show every mistake, without running them
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// List every figure: what expectations may name, and what columns of CSV and JSON Lines there are
    Figures,
}

/// The arguments of `hxsim run`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Run {
    /// The scenario, a TOML file
    #[arg(value_name = "FILE")]
    pub scenario: PathBuf,
    /// The seed, in place of the scenario's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Set one value of the scenario, as in network.loss=5% or fault.0.at=2s; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Repeat the run with each of these seeds: 1..31 is 1 to 30, for a range ends before its second number; or a list, as in 1,5,9
    #[arg(long, value_name = "A..B", conflicts_with_all = ["seed", "verify"])]
    pub seeds: Option<Seeds>,
    /// Run it with each of these values, as in nodes=100,1000 or network.loss=0%,5%; may be repeated, for every combination. A value with a
    /// comma of its own stands in quotes or brackets
    #[arg(
        short = 'L',
        long = "scan",
        value_name = "PATH=VALUE,VALUE",
        conflicts_with = "verify"
    )]
    pub scan: Vec<String>,
    /// Make so many of the runs of --seeds and -L at a time [default: one for each core]; the results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Text for people, one JSON document, or a row for each run
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Run it twice more, side by side and cut in different ways, and name the first event that differs
    #[arg(long)]
    pub verify: bool,
    /// Also write NAME.json and NAME.svg into this directory; of --seeds and -L also NAME.csv and NAME.jsonl
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The arguments of `hxsim report`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Report {
    /// Where the scenarios are
    #[arg(long, default_value = "sims", value_name = "DIR")]
    pub sims: PathBuf,
    /// Where the results go, NAME.json and NAME.svg of each scenario
    #[arg(long, default_value = "results", value_name = "DIR")]
    pub out: PathBuf,
    /// Write nothing; fail if what is there differs
    #[arg(long)]
    pub check: bool,
}

/// The arguments of `hxsim check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Check {
    /// The scenarios, TOML files
    #[arg(required = true, value_name = "FILE")]
    pub scenarios: Vec<PathBuf>,
}

/// The seeds of several runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        sweep::seeds(text).map(Self)
    }
}

/// How a report is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for a terminal
    #[default]
    Human,
    /// One JSON document
    Json,
    /// A header, and a line of CSV for each run
    Csv,
    /// A JSON object on a line for each run
    Jsonl,
}

const EXAMPLES: &str = "\
Examples:
  hxsim run sims/thousand.toml
  hxsim run sims/lossy-mesh.toml --seed 7 --set network.loss=10%
  hxsim run sims/lossy-mesh.toml --seeds 1..31 -L network.loss=0%,5%,10%
  hxsim report --check

Exit codes:
    0  everything converged
    1  an error within, or of input and output
    2  wrong usage, or a bad scenario
    4  no scenario to run
   10  not converged
   11  an invariant is broken
   12  all converged, but an expectation was missed
   13  not deterministic, or results differ from what is there
  130  interrupted; what was done until then is reported

Of several runs the worst decides: 11, 10, 12.";

const RUN_EXAMPLES: &str = "\
Examples:
  hxsim run sims/hello.toml
  hxsim run sims/partition-heal.toml --set fault.0.until=9s
  hxsim run sims/thousand.toml --set topology='{ kind = \"random_regular\", degree = 4 }'
  hxsim run sims/thousand.toml --format json --out /tmp/results
  hxsim run sims/thousand.toml --seeds 1..31 --format csv
  hxsim run sims/thousand.toml --seeds 1..31 -L nodes=100,1000,10000 --out results
  hxsim run sims/hello.toml -L network.latency='{ floor = \"1ms\", uniform = \"9ms\" },10ms'

A value that is no TOML is taken as a string, so that 5% and 20ms need no quotes.

--seeds and -L say how many runs ended in which way, and of each figure the median and the 5th and 95th percentile by nearest rank, and the mean with its
95 % confidence interval by Student's t. JSON has the interval of the median too, which holds for any distribution.";

const REPORT_EXAMPLES: &str = "\
Examples:
  hxsim report
  hxsim report --check
  hxsim report --sims my-scenarios --out my-results";

const CHECK_EXAMPLES: &str = "\
Examples:
  hxsim check sims/*.toml";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_are_set_one_by_one() {
        let line = "hxsim run x.toml --set a=1 --set b=2 --format json";
        let cli = Cli::try_parse_from(line.split(' ')).expect("a valid command line");
        let Command::Run(run) = cli.command else {
            panic!("`run` is run");
        };
        assert_eq!(run.set, ["a=1", "b=2"]);
        assert_eq!(run.format, Format::Json);
    }

    #[test]
    fn seeds_are_repeated_or_one_of_them_is_run() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' '));
        let cli = parsed("hxsim run x.toml --seeds 1..4 -L nodes=1,2 -L network.loss=0%,5%");
        let Ok(Command::Run(run)) = cli.map(|cli| cli.command) else {
            panic!("`run` is run");
        };
        assert_eq!(run.seeds, Some(Seeds(vec![1, 2, 3])));
        assert_eq!(run.scan, ["nodes=1,2", "network.loss=0%,5%"]);
        for wrong in [
            "--seeds 4..4",
            "--seeds 1..3 --seed 1",
            "--seeds 1..3 --verify",
            "--threads 0",
        ] {
            assert!(
                parsed(&format!("hxsim run x.toml {wrong}")).is_err(),
                "{wrong}"
            );
        }
    }
}
