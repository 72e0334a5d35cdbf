//! What the command understands.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::Resettable;
use clap::{ArgGroup, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{scenario, sweep};

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
    /// Show what happened in a run, from a file that `hxsim run --trace-file` wrote
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(Trace),
    /// Run every scenario of a directory and write what they answer
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Read scenarios and show every mistake, without running them
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Write a scenario to begin with, or a crate with a protocol of your own
    #[command(subcommand, after_help = NEW_EXAMPLES)]
    New(New),
    /// Print a JSON Schema of scenarios, with which editors complete their keys
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    /// Print what lets a shell complete this command's arguments
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Print this command's manual page
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
    /// List every figure: what expectations may name, and what columns of CSV and JSON Lines there are
    Figures,
}

/// The arguments of `hxsim run`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = ArgGroup::new("many").multiple(true).args(["seeds", "scan"]))]
pub struct Run {
    /// The scenario, a TOML file
    #[arg(value_name = "FILE")]
    pub scenario: PathBuf,
    /// The seed, in place of the scenario's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Set one value of the scenario, as in network.loss=5% or fault.0.at=2s, or take it away, as in fault.0=; may be repeated
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
    #[arg(long, value_name = "N", requires = "many")]
    pub threads: Option<NonZeroUsize>,
    /// Text for people, one JSON document, or a row for each run
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Run it twice more, side by side and cut in different ways, and name the first event that differs
    #[arg(long)]
    pub verify: bool,
    /// Also print what happened, a line an event: all, last:1000 or 10s..12s
    #[arg(long, value_name = "WHICH", conflicts_with = "many")]
    pub trace: Option<Kept>,
    /// Write that, or all if --trace says nothing, to this file instead, for `hxsim trace` to show
    #[arg(long, value_name = "FILE", conflicts_with = "many")]
    pub trace_file: Option<PathBuf>,
    /// Also write NAME.json and NAME.svg into this directory; of --seeds and -L NAME.sweep.json, .svg and .csv, and
    /// NAME.sweep.jsonl as runs end
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The arguments of `hxsim trace`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Trace {
    /// What `hxsim run --trace-file` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Of this node alone
    #[arg(long, value_name = "N")]
    pub node: Option<u32>,
}

/// Which events of a run are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept(pub simnet::Trace);

impl FromStr for Kept {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kept = match text.split_once("..") {
            _ if text == "all" => Some(simnet::Trace::All),
            Some((from, until)) => scenario::instant(from)
                .zip(scenario::instant(until))
                .filter(|(from, until)| from < until)
                .map(|(from, until)| simnet::Trace::During(from, until)),
            None => {
                let count = text.strip_prefix("last:");
                let count = count.and_then(|count| count.parse().ok());
                count.map(simnet::Trace::Last)
            }
        };
        kept.map(Self)
            .ok_or("write `all`, `last:` and a number, or two times as in `10s..12s`, the first included and the second not")
    }
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

/// What `hxsim new` writes.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum New {
    /// Write a crate: a node, a check, a scenario, a command that runs one seed, and a test of many
    Protocol(NewProtocol),
    /// Write a scenario with comments, that runs as it is
    Scenario(NewScenario),
}

/// The arguments of `hxsim new protocol`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct NewProtocol {
    /// The name of the crate, such as anti-entropy
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where to write it; NAME by default
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// The checkout of this project that the crate shall depend on; by default the one that the current directory is in
    #[arg(long, value_name = "DIR")]
    pub hxsim: Option<PathBuf>,
}

/// The arguments of `hxsim new scenario`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct NewScenario {
    /// The name of the scenario; it is written to NAME.toml
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The directory to write it into
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub path: PathBuf,
}

/// The arguments of `hxsim completions`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// The arguments of `hxsim man`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Man {
    /// The subcommand whose page it shall be, such as `run` or `new protocol`; that of the whole command by default
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write the pages of the command and of all its subcommands into this directory, which `man` knows by MANPATH or by its place
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub all: Option<PathBuf>,
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

/// The script with which a shell completes the command's arguments.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hxsim", &mut script);
    String::from_utf8(script).expect("the definitions are text")
}

/// The manual page of the command or of one of its subcommands, in roff.
///
/// # Errors
///
/// What is wrong and what would be right, if there is no such subcommand.
pub fn man(path: &[String]) -> Result<String, String> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut command = &root;
    for name in path {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known = command.get_subcommands().map(clap::Command::get_name);
            let known: Vec<_> = known.collect();
            let named = command.get_bin_name().unwrap_or(command.get_name());
            let known = known.join(", ");
            format!("error: `{named}` has no subcommand `{name}`\n  = known: {known}")
        })?;
    }
    Ok(page(command))
}

/// The manual pages of the command and of all its subcommands, with the names of their files.
pub fn man_pages() -> Vec<(String, String)> {
    fn add(command: &clap::Command, pages: &mut Vec<(String, String)>) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        pages.push((format!("{name}.1"), page(command)));
        command.get_subcommands().for_each(|it| add(it, pages));
    }
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    add(&root, &mut pages);
    pages
}

fn page(command: &clap::Command) -> String {
    let more = command.get_after_help().map(ToString::to_string);
    let bare = command.clone().after_help(Resettable::Reset);
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = clap_mangen::Man::new(bare).render(&mut page);
    let page = String::from_utf8(page).expect("the definitions are text");
    page + &more.as_deref().map(sections).unwrap_or_default()
}

/// What stands behind a command's help as sections of its page: a line such as `Examples:` is a title, and all lines stay as they are.
fn sections(text: &str) -> String {
    let mut page = String::new();
    for line in text.lines() {
        let title = line.strip_suffix(':');
        match title.filter(|title| !title.starts_with(' ') && title.len() < TITLE) {
            Some(title) => page.push_str(&format!(".fi\n.SH {}\n.nf\n", title.to_uppercase())),
            None => {
                let escaped = line.replace('\\', "\\e").replace('-', "\\-");
                // What begins with a dot or a quote would be taken for a request.
                page.push_str(&format!("\\&{escaped}\n"));
            }
        }
    }
    page + ".fi\n"
}

/// A title is shorter than this.
const TITLE: usize = 20;

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
   20  inconclusive
  130  interrupted; what was done until then is reported

Of several runs the worst decides: 11, 10, 20, 12.";

const RUN_EXAMPLES: &str = "\
Examples:
  hxsim run sims/hello.toml
  hxsim run sims/partition-heal.toml --set fault.0.until=9s
  hxsim run sims/thousand.toml --set topology='{ kind = \"random_regular\", degree = 4 }'
  hxsim run sims/thousand.toml --format json --out /tmp/results
  hxsim run sims/thousand.toml --seeds 1..31 --format csv
  hxsim run sims/thousand.toml --seeds 1..31 -L nodes=100,1000,10000 --out results
  hxsim run sims/hello.toml -L network.latency='{ floor = \"1ms\", uniform = \"9ms\" },10ms'

A value that is no TOML is taken as a string, so that 5% and 20ms need no quotes. It takes the place of all that was
there, tables too; without a value, as in fault.0= or network.loss=, what was there is taken away.

--seeds and -L say how many runs ended in which way, and of each figure the median and the 5th and 95th percentile by nearest rank (of fewer than twenty runs the least and the greatest), and the mean with its
95 % confidence interval by Student's t. JSON has the interval of the median too, which holds for any distribution.";

const TRACE_EXAMPLES: &str = "\
Examples:
  hxsim run sims/partition-heal.toml --trace 2s..2.1s
  hxsim run sims/thousand.toml --trace-file thousand.trace
  hxsim trace thousand.trace --node 17";

const REPORT_EXAMPLES: &str = "\
Examples:
  hxsim report
  hxsim report --check
  hxsim report --sims my-scenarios --out my-results";

const CHECK_EXAMPLES: &str = "\
Examples:
  hxsim check sims/*.toml";

const NEW_EXAMPLES: &str = "\
Examples:
  hxsim new protocol anti-entropy
  hxsim new protocol anti-entropy --path /tmp/anti-entropy --hxsim ~/hash-exchange
  hxsim new scenario slow-uplink --path sims";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  hxsim schema > scenario.schema.json

A scenario that begins with the line `#:schema scenario.schema.json` is completed and checked by editors that know of taplo.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  hxsim completions bash > ~/.local/share/bash-completion/completions/hxsim
  hxsim completions zsh > ~/.zfunc/_hxsim
  hxsim completions fish > ~/.config/fish/completions/hxsim.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  hxsim man | man -l -
  hxsim man new protocol | man -l -
  hxsim man --all ~/.local/share/man/man1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    /// Every subcommand with the words that lead to it.
    fn subcommands(command: &clap::Command, path: &[String]) -> Vec<Vec<String>> {
        let of = |sub: &clap::Command| {
            let path = [path, &[sub.get_name().to_owned()]].concat();
            let below = subcommands(sub, &path);
            [vec![path], below].concat()
        };
        command.get_subcommands().flat_map(of).collect()
    }

    #[test]
    fn completions_and_pages_know_every_subcommand_and_option() {
        let all = subcommands(&Cli::command(), &[]);
        assert!(all.contains(&vec!["new".into(), "protocol".into()]));
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for word in all
                .iter()
                .flatten()
                .map(String::as_str)
                .chain(["seed", "hxsim"])
            {
                assert!(script.contains(word), "{shell} has no {word}");
            }
        }
        let top = man(&[]).expect("the command has a page");
        for path in all {
            assert!(
                path.len() > 1 || top.contains(&format!("hxsim\\-{}", path[0])),
                "{path:?}: {top}"
            );
            let page = man(&path).expect("and so has each subcommand");
            let title = format!("hxsim\\-{}", path.join("\\-"));
            assert!(page.contains(&title), "{title}: {page}");
        }
        let run = man(&["run".into()]).expect("a subcommand");
        assert!(
            run.contains("\\-\\-seed") && run.contains("Set one value"),
            "{run}"
        );
        assert!(
            run.contains(".SH EXAMPLES\n") && run.contains("\n\\&  hxsim run sims/hello.toml\n"),
            "{run}"
        );
        assert!(top.contains(".SH EXIT CODES\n"), "{top}");
        let pages = man_pages();
        assert_eq!(pages.len(), subcommands(&Cli::command(), &[]).len() + 1);
        let of = |name: &str| pages.iter().find(|(file, _)| file == name);
        assert_eq!(of("hxsim-run.1").map(|(_, page)| page), Some(&run));
        assert!(of("hxsim.1").is_some() && of("hxsim-new-protocol.1").is_some());
        let nothing = man(&["foo".into()]).expect_err("no such subcommand");
        assert!(
            nothing.starts_with("error: `hxsim` has no subcommand `foo`\n"),
            "{nothing}"
        );
        let wrong = man(&["new".into(), "node".into()]).expect_err("no such subcommand");
        assert_eq!(
            wrong,
            "error: `hxsim new` has no subcommand `node`\n  = known: protocol, scenario"
        );
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
            "--seeds 1..3 --threads 0",
            "--threads 2",
        ] {
            assert!(
                parsed(&format!("hxsim run x.toml {wrong}")).is_err(),
                "{wrong}"
            );
        }
    }
}
