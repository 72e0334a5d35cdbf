use std::fs;
use std::path::Path;

use hxsim::cli;
use hxsim::report::{Outcome, table, worst};
use hxsim::scenario::Scenario;

use super::run::simulate;
use super::{Failure, NOT_DETERMINISTIC, NOTHING_SELECTED, prepare, print, results, write};
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
    for path in &paths {
        let scenario = Scenario::load(path, &[]).map_err(Failure::usage)?;
        let (graph, gossip) = prepare(path, &scenario)?;
        let (report, _) = simulate(path, &scenario, &graph, &gossip, console)?;
        print(&format!("{}\n", report.verdict(console.is_coloured())))?;
        if report.outcome == Outcome::Interrupted {
            return Ok(report.exit_code());
        }
        codes.push(report.exit_code());
        rows.push_str(&report.row());
        for (path, text) in results(&args.out, &report) {
            is_stale |= !settle(args, &path, &text)?;
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

/// Writes a result, or compares it with what is there: false if that is another.
fn settle(args: &cli::Report, path: &Path, text: &str) -> Result<bool, Failure> {
    if !args.check {
        return write(path, text).map(|()| true);
    }
    let is_current = fs::read_to_string(path).ok().as_deref() == Some(text);
    if !is_current {
        let path = path.display();
        eprintln!(
            "error: {path}: differs from what the scenarios answer now; `hxsim report` writes it anew"
        );
    }
    Ok(is_current)
}
