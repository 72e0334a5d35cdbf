use std::path::Path;

use hxsim::cli::{self, Format};
use hxsim::gossip::{self, Gossip};
use hxsim::progress;
use hxsim::report::{Env, Outcome, Report};
use hxsim::run::{self, Run, Verification};
use hxsim::scenario::Scenario;
use hxsim::sweep::{self, Row};
use hxsim::topology::Graph;
use simnet::Layout;
use simnet::trace::{self, Trace};

use super::trace::text_among;
use super::watch::Watcher;
use super::{Failure, NOT_DETERMINISTIC, dated, print, results, warn, write};
use crate::Console;

/// `hxsim run` of one seed.
pub(crate) fn run(args: &cli::Run, console: &Console) -> Result<u8, Failure> {
    let mut scenario = Scenario::load(&args.scenario, &args.set).map_err(Failure::usage)?;
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    let (scenario, graph, gossip) = watched(&args.scenario, scenario, console)?;
    warn(&args.scenario, &scenario, (&graph, &gossip), 1, console);
    let began = console.elapsed();
    let unless_told = match args.trace_file {
        Some(_) => Trace::All,
        None => Trace::Off,
    };
    let kept = args.trace.map_or(unless_told, |kept| kept.0);
    if kept != Trace::Off && args.trace_file.is_none() && args.format != Format::Human {
        let message = "error: --trace prints lines for people, which would stand among those of --format: write them to a --trace-file";
        return Err(Failure::usage(message));
    }
    let (mut report, run) = simulate(&args.scenario, &scenario, (&graph, &gossip), kept, console)?;
    let wall = console.elapsed() - began;
    if kept != Trace::Off {
        let events = run.world.trace();
        if events.is_empty() {
            let ended = run.world.now();
            eprintln!("note: nothing happened then that a trace shows; the run ended at {ended}");
        }
        match &args.trace_file {
            Some(path) => write(path, trace::encode(&events))?,
            None => print(&text_among(&events, &report.faults))?,
        }
    }
    if let Some(directory) = &args.out {
        for (path, text) in results(directory, &report) {
            write(&path, &text)?;
        }
    }
    let rows = || [Row::new(0, &report)];
    let text = match args.format {
        Format::Human => report.human(console.is_coloured()),
        Format::Csv => sweep::csv(None, &rows()),
        Format::Jsonl => sweep::jsonl(None, &rows()),
        Format::Json => {
            report.env = Some(Env {
                wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
                machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            });
            report.json()
        }
    };
    print(&text)?;
    if args.verify && report.outcome != Outcome::Interrupted {
        drop(run);
        verify(&args.scenario, &scenario, &graph, &gossip, &report, console)?;
    } else {
        // The process ends here, and the system takes a million nodes back faster than they could be dropped one by one.
        std::mem::forget(run);
    }
    Ok(report.exit_code())
}

/// A scenario with all its dates, and its nodes, made while somebody may watch.
pub(super) fn watched(
    path: &Path,
    scenario: Scenario,
    console: &Console,
) -> Result<(Scenario, Graph, Gossip), Failure> {
    let mut watcher = Watcher::new(console);
    let name = format!("dating {}", scenario.name);
    let made = dated(path, scenario, |status| {
        watcher.look(|machine| progress::run(&name, &status, machine))
    });
    watcher.clear();
    made
}

/// Runs a scenario while somebody may watch.
pub(super) fn simulate<'a>(
    path: &Path,
    scenario: &Scenario,
    (graph, gossip): (&'a Graph, &'a Gossip),
    trace: Trace,
    console: &Console,
) -> Result<(Report, Run<'a, Gossip>), Failure> {
    let mut watcher = Watcher::new(console);
    let layout = Layout {
        trace,
        ..Layout::default()
    };
    let run = run::run(gossip, scenario, graph, layout, |status| {
        watcher.look(|machine| progress::run(&scenario.name, &status, machine))
    });
    watcher.clear();
    let run = run.map_err(|error| Failure::scenario(path, &error))?;
    Ok((gossip::report(gossip, scenario, graph, &run), run))
}

/// Runs the scenario in two worlds, and says whether they agree.
fn verify(
    path: &Path,
    scenario: &Scenario,
    graph: &Graph,
    gossip: &Gossip,
    report: &Report,
    console: &Console,
) -> Result<(), Failure> {
    let mut watcher = Watcher::new(console);
    let name = format!("verifying {}", scenario.name);
    let verified = run::verify(gossip, scenario, graph, |status| {
        watcher.look(|machine| progress::run(&name, &status, machine))
    });
    watcher.clear();
    let (code, message) = match verified.map_err(|error| Failure::scenario(path, &error))? {
        Verification::Equal(digest) if format!("{digest:016x}") == report.digest => {
            eprintln!(
                "verified: run again in one piece and in three shards, backwards, the digest is {digest:016x} in both"
            );
            return Ok(());
        }
        Verification::Equal(digest) => (
            NOT_DETERMINISTIC,
            format!(
                "error: not deterministic: the run above has digest {}, and two runs since have {digest:016x}",
                report.digest
            ),
        ),
        Verification::Different(difference) => (
            NOT_DETERMINISTIC,
            format!("error: not deterministic: {difference}"),
        ),
        Verification::Livelock(livelock, _) => (
            Outcome::InvariantBroken.exit_code(),
            format!("error: not verified to the end: {livelock}"),
        ),
        Verification::Interrupted(at) => (
            Outcome::Interrupted.exit_code(),
            format!("interrupted: not verified; up to {at} there was no difference"),
        ),
    };
    Err(Failure { code, message })
}
