use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hxsim::cli;
use hxsim::report::{Outcome, Report, table, worst};
use hxsim::scenario::{Baseline, Scenario};
use simnet::Trace;

use super::run::{simulate, watched};
use super::{Failure, NOT_DETERMINISTIC, NOTHING_SELECTED, print, results, write};
use crate::Console;

/// `hxsim report`.
pub(crate) fn report(args: &cli::Report, console: &Console) -> Result<u8, Failure> {
    let mut paths = Vec::new();
    let entries = fs::read_dir(&args.sims).map_err(|error| Failure::io(&args.sims, &error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| Failure::io(&args.sims, &error))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Failure {
            code: NOTHING_SELECTED,
            message: format!("error: {}: no scenario is here", args.sims.display()),
        });
    }
    let (mut codes, mut is_stale) = (Vec::new(), false);
    let mut rows = String::new();
    for (path, scenario) in paths.iter().zip(load_all(&paths)?) {
        let (report, instant) = answer(path, &scenario, console)?;
        print(&format!("{}\n", report.verdict(console.is_coloured())))?;
        if report.outcome == Outcome::Interrupted {
            return Ok(report.exit_code());
        }
        codes.push(report.exit_code());
        rows.push_str(&report.row(instant));
        for (path, text) in results(&args.out, &report) {
            is_stale |= !settle(args, &path, &text)?;
        }
        if let Some(Baseline { settings, scenario }) = &scenario.baseline {
            let (report, instant) = answer(path, scenario, console)?;
            if report.outcome == Outcome::Interrupted {
                return Ok(report.exit_code());
            }
            rows.push_str(&report.row_beneath(settings, instant));
        }
    }
    is_stale |= !settle(args, &args.out.join("README.md"), &table(&rows))?;
    // What is committed is then not what scenarios answer, whatever that is.
    Ok(if is_stale {
        NOT_DETERMINISTIC
    } else {
        worst(codes)
    })
}

/// All scenarios; if some are wrong, what is wrong with each of them.
fn load_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, Failure> {
    let (mut scenarios, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        match Scenario::load(path, &[]) {
            Ok(scenario) => scenarios.push(scenario),
            Err(bad) => wrong.push(bad.to_string()),
        }
    }
    match wrong.is_empty() {
        true => Ok(scenarios),
        false => Err(Failure::usage(wrong.join("\n"))),
    }
}

/// What comes of a scenario, and whether all of it was published at one instant.
fn answer(path: &Path, scenario: &Scenario, console: &Console) -> Result<(Report, bool), Failure> {
    let (scenario, graph, gossip) = watched(path, scenario.clone(), console)?;
    let (report, _) = simulate(path, &scenario, (&graph, &gossip), Trace::Off, console)?;
    let items = gossip.items();
    let instant = items.iter().all(|item| item.at == items[0].at);
    Ok((report, instant))
}

/// Writes a result, or compares it with what is there: false if that is another.
fn settle(args: &cli::Report, path: &Path, text: &str) -> Result<bool, Failure> {
    if !args.check {
        return write(path, text).map(|()| true);
    }
    let there = fs::read_to_string(path);
    let is_current = there.as_deref().ok() == Some(text);
    if !is_current {
        let path = path.display();
        let wrong = match there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            true => "is not there",
            false => "differs from what the scenarios answer now",
        };
        eprintln!("error: {path}: {wrong}; `hxsim report` writes it anew");
    }
    Ok(is_current)
}
