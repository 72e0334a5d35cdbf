//! What the command understands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Run a scenario and say what came of it
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Run every scenario of a directory and write what they answer
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Read scenarios and show every mistake, without running them
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
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
    /// Text for people, or one JSON document
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Run it twice more, side by side and cut in different ways, and name the first event that differs
    #[arg(long)]
    pub verify: bool,
    /// Also write NAME.json and NAME.svg into this directory
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

/// How a report is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A summary for a terminal
    #[default]
    Human,
    /// One JSON document
    Json,
}

const EXAMPLES: &str = "\
Examples:
  hxsim run sims/thousand.toml
  hxsim run sims/lossy-mesh.toml --seed 7 --set network.loss=10%
  hxsim report --check

Exit codes:
    0  everything converged
    1  an error within, or of input and output
    2  wrong usage, or a bad scenario
    4  no scenario to run
   10  not converged
   11  an invariant is broken
   13  not deterministic, or results differ from what is there
  130  interrupted";

const RUN_EXAMPLES: &str = "\
Examples:
  hxsim run sims/hello.toml
  hxsim run sims/partition-heal.toml --set fault.0.until=9s
  hxsim run sims/thousand.toml --set topology='{ kind = \"random_regular\", degree = 4 }'
  hxsim run sims/thousand.toml --format json --out /tmp/results

A value that is no TOML is taken as a string, so that 5% and 20ms need no quotes.";

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
}
