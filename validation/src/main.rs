//! What the simulator predicts of a scenario, beside what the same nodes do on real TCP: processes in network namespaces, between which packets are
//! delayed and lost. `validation/run` builds what it needs and runs it.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured here is real time, and decides no history"
)]

mod counters;
mod figures;
mod measurement;
mod router;
mod setting;
mod table;
mod testbed;
mod tun;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::measurement::Laboratory;
use crate::setting::{Model, Setting};
use crate::testbed::{Means, Tcp};

/// Runs scenarios in the simulator and on real TCP, and prints a table of both.
///
/// It must be run in a network namespace of its own, as `validation/run` does.
#[derive(Debug, Parser)]
struct Arguments {
    /// The scenarios, TOML files
    #[arg(required = true, value_name = "FILE")]
    scenarios: Vec<PathBuf>,
    /// Run each with each of these values of one key, as in network.loss=0%,1%
    #[arg(short = 'L', value_name = "PATH=VALUE,VALUE")]
    each: Option<String>,
    /// How often real nodes run
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// How many seeds of the network are simulated
    #[arg(long, default_value_t = 101, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Use the router in user space even if the kernel has netem
    #[arg(long)]
    router: bool,
    /// The congestion control of real TCP
    #[arg(long, default_value = "cubic", value_name = "NAME", value_parser = congestion)]
    congestion: String,
    /// The example `node` of hash-gossip-tokio
    #[arg(long, value_name = "PROGRAM")]
    node: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = testbed::check_own_namespace() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let means = match Means::find(arguments.router) {
        Ok(means) => means,
        Err(missing) => {
            println!("skipped: {missing}");
            return ExitCode::SUCCESS;
        }
    };
    match compare(&arguments, means) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments, means: Means) -> Result<(), String> {
    let scratch = tempfile::tempdir()
        .map_err(|error| format!("error: no directory for the nodes: {error}"))?;
    let laboratory = Laboratory {
        program: &arguments.node,
        means,
        scratch: scratch.path(),
    };
    let tcps = [false, true].map(|wide| Tcp {
        congestion: arguments.congestion.clone(),
        wide,
    });
    let (runs, seeds) = (arguments.runs, arguments.seeds);
    println!(
        "{}",
        table::heading(means, &arguments.congestion, runs, seeds)
    );
    for path in &arguments.scenarios {
        for set in sets(arguments.each.as_deref())? {
            let setting = Setting::load(path, &set)?;
            let parts = [std::slice::from_ref(&setting.scenario.name), &set];
            let name = parts.concat().join(", ");
            let predicted = [
                setting.predict(Model::AsIs, seeds)?,
                setting.predict(Model::Near, seeds)?,
            ];
            let mut measured = [Vec::new(), Vec::new()];
            for run in 0..runs {
                progress(&format!("{name}: run {} of {runs}", run + 1));
                // In turns, so that a slow minute of the machine falls on both.
                for (measured, tcp) in measured.iter_mut().zip(&tcps) {
                    measured.push(laboratory.run(&setting, tcp, setting.scenario.seed + run)?);
                }
            }
            progress("");
            println!("{}", table::comparison(&name, &predicted, &measured));
        }
    }
    Ok(())
}

/// What is being done, on a line that is drawn over; to a terminal only.
fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

/// The name of a congestion control, which becomes a word of a command.
fn congestion(name: &str) -> Result<String, String> {
    let word = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match word && !name.is_empty() {
        true => Ok(name.to_owned()),
        false => Err("not a name such as cubic or bbr".into()),
    }
}

/// The sets of values with which each scenario runs: one with none, or one for each value.
fn sets(each: Option<&str>) -> Result<Vec<Vec<String>>, String> {
    let Some(each) = each else {
        return Ok(vec![Vec::new()]);
    };
    let (path, values) = each.split_once('=').ok_or_else(|| {
        format!("error: -L {each}: not PATH=VALUE,VALUE, such as network.loss=0%,1%")
    })?;
    Ok(values
        .split(',')
        .map(|value| vec![format!("{path}={value}")])
        .collect())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_congestion_control_is_a_word() {
        assert_eq!(congestion("dctcp"), Ok("dctcp".into()));
        assert!(congestion("").is_err() && congestion("cubic;reboot").is_err());
    }

    #[test]
    fn each_value_is_a_set_of_its_own() {
        assert_eq!(sets(None).unwrap(), [Vec::<String>::new()]);
        assert_eq!(
            sets(Some("network.loss=0%,1%")).unwrap(),
            [["network.loss=0%"], ["network.loss=1%"]]
        );
        assert!(
            sets(Some("network.loss"))
                .unwrap_err()
                .contains("such as network.loss=0%,1%")
        );
    }
}
