use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hxsim::cli::{self, Format};
use hxsim::gossip;
use hxsim::progress;
use hxsim::run;
use hxsim::scenario::Scenario;
use hxsim::sweep::{self, Plan, Sweep};
use simnet::Layout;

use super::watch::Watcher;
use super::{Failure, prepare, print, write};
use crate::Console;

/// Whether `hxsim run` is meant to make several runs.
pub(crate) fn is_meant(args: &cli::Run) -> bool {
    args.seeds.is_some() || !args.scan.is_empty()
}

/// `hxsim run` of many seeds, many values of parameters, or both.
pub(crate) fn run(args: &cli::Run, console: &Console) -> Result<u8, Failure> {
    let own: Vec<u64> = args.seed.into_iter().collect();
    let seeds = args.seeds.as_ref().map_or(own, |seeds| seeds.0.clone());
    let plan = Plan::load(&args.scenario, &args.set, &args.scan, &seeds);
    let sweep = simulate(args, plan.map_err(Failure::usage)?, console)?;
    if let Some(directory) = &args.out {
        for (path, text) in results(directory, &sweep) {
            write(&path, &text)?;
        }
    }
    let failed = sweep.first_failed();
    let replay = failed.map(|row| {
        let file = args.scenario.to_string_lossy();
        sweep.replay(row, &file, &args.set)
    });
    let text = match args.format {
        Format::Human => sweep.human(console.is_coloured(), replay.as_deref()),
        Format::Json => sweep.json(),
        Format::Csv => sweep::csv(Some(&sweep.plan), &sweep.rows),
        Format::Jsonl => sweep::jsonl(Some(&sweep.plan), &sweep.rows),
    };
    print(&text)?;
    if let Some(replay) = replay.filter(|_| args.format != Format::Human) {
        eprintln!("the first run that did not go as it should, once more: {replay}");
    }
    Ok(sweep.exit_code())
}

fn simulate(args: &cli::Run, plan: Plan, console: &Console) -> Result<Sweep, Failure> {
    let path: &Path = &args.scenario;
    let name = plan.name().to_owned();
    let threads = args.threads.unwrap_or_else(|| console.cores());
    let watcher = Mutex::new(Watcher::new(console));
    let sweep = sweep::run(
        plan,
        threads.get(),
        |scenario: &Scenario, watch| {
            let (graph, gossip) = prepare(path, scenario)?;
            let run = run::run(&gossip, scenario, &graph, Layout::default(), watch);
            let run = run.map_err(|error| Failure::scenario(path, &error))?;
            Ok(gossip::report(&gossip, scenario, &graph, &run))
        },
        |pace| match watcher.try_lock() {
            Ok(mut watcher) => watcher.look(|machine| progress::sweep(&name, &pace, machine)),
            // Another worker looks at this moment, and will pass it on if the sweep shall stop.
            Err(_) => ControlFlow::Continue(()),
        },
    );
    watcher
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    sweep.map_err(|failed| {
        let sets = failed.sets.iter().map(|set| format!(" and {set}"));
        let Failure { code, message } = failed.error;
        let message = format!(
            "{message}, with seed {}{}",
            failed.seed,
            sets.collect::<String>()
        );
        Failure { code, message }
    })
}

/// The files of a sweep, with what belongs into them.
fn results(directory: &Path, sweep: &Sweep) -> [(PathBuf, String); 4] {
    let path = |extension| directory.join(format!("{}.{extension}", sweep.plan.name()));
    let plan = Some(&sweep.plan);
    [
        (path("json"), sweep.json()),
        (path("csv"), sweep::csv(plan, &sweep.rows)),
        (path("jsonl"), sweep::jsonl(plan, &sweep.rows)),
        (path("svg"), sweep.svg()),
    ]
}
