use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::{Mutex, PoisonError};

use hxsim::cli::{self, Format};
use hxsim::gossip;
use hxsim::progress;
use hxsim::run;
use hxsim::scenario::Scenario;
use hxsim::sweep::{self, Failed, Plan, Sweep};
use simnet::Layout;

use super::watch::Watcher;
use super::{Failure, dated, print, warn, write};
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
    let (sweep, failure) = match simulate(args, plan.map_err(Failure::usage)?, console) {
        Ok(sweep) => (sweep, None),
        Err(failed) => {
            let sets = failed.sets.iter().map(|set| format!(" and {set}"));
            let Failure { code, message } = failed.error;
            let sets: String = sets.collect();
            let message = format!("{message}, with seed {}{sets}", failed.seed);
            (*failed.sweep, Some(Failure { code, message }))
        }
    };
    show(args, &sweep, console)?;
    failure.map_or_else(|| Ok(sweep.exit_code()), Err)
}

/// Writes and prints what was done.
fn show(args: &cli::Run, sweep: &Sweep, console: &Console) -> Result<(), Failure> {
    if let Some(directory) = &args.out {
        for (path, text) in results(directory, sweep) {
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
    if !sweep.is_complete() && args.format != Format::Human {
        let (done, planned) = (sweep.rows.len(), sweep.plan.runs());
        eprintln!("interrupted: {done} of {planned} runs were done");
    }
    if let Some(replay) = replay.filter(|_| args.format != Format::Human) {
        eprintln!("the first run that did not go as it should, once more: {replay}");
    }
    Ok(())
}

fn simulate(args: &cli::Run, plan: Plan, console: &Console) -> Result<Sweep, Failed<Failure>> {
    let path: &Path = &args.scenario;
    let name = plan.name().to_owned();
    let threads = args.threads.unwrap_or_else(|| console.cores());
    let watcher = Mutex::new(Watcher::new(console));
    let rows = args
        .out
        .as_ref()
        .map(|out| RowsFile::new(rows_path(out, &name)));
    let at_once = threads.get().min(plan.runs()) as u64;
    let warned = Mutex::new(false);
    let sweep = sweep::run(
        plan,
        threads.get(),
        |scenario: &Scenario, mut watch| {
            let (scenario, graph, gossip) = dated(path, scenario.clone(), &mut watch)?;
            let scenario = &scenario;
            // The first run of which there is something to warn speaks for all that are like it.
            if let Ok(mut warned) = warned.lock()
                && !*warned
            {
                *warned = warn(path, scenario, (&graph, &gossip), at_once, console);
            }
            let run = run::run(&gossip, scenario, &graph, Layout::default(), watch);
            let run = run.map_err(|error| Failure::scenario(path, &error))?;
            Ok(gossip::report(&gossip, scenario, &graph, &run))
        },
        |plan, row| match &rows {
            Some(rows) => rows.append(&sweep::jsonl(Some(plan), slice::from_ref(row))),
            None => Ok(()),
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
    sweep
}

/// The rows of a sweep while it goes on, as its runs end: whatever becomes of the command, they are there. At its end they are put in order.
struct RowsFile {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl RowsFile {
    const fn new(path: PathBuf) -> Self {
        let file = Mutex::new(None);
        Self { path, file }
    }

    /// Appends a row; the first one takes the place of whatever was there.
    fn append(&self, row: &str) -> Result<(), Failure> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match &mut *file {
            Some(file) => file.write_all(row.as_bytes()),
            None => create(&self.path)
                .and_then(|created| file.insert(created).write_all(row.as_bytes())),
        };
        written.map_err(|error| Failure::io(&self.path, &error))
    }
}

fn create(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    File::create(path)
}

/// A file of a sweep. It stands beside the result of a single run, which has the same name but for one word.
fn file(directory: &Path, name: &str, extension: &str) -> PathBuf {
    directory.join(format!("{name}.sweep.{extension}"))
}

/// Where the rows of a sweep go as JSON Lines.
fn rows_path(directory: &Path, name: &str) -> PathBuf {
    file(directory, name, "jsonl")
}

/// The files of a sweep, with what belongs into them.
fn results(directory: &Path, sweep: &Sweep) -> [(PathBuf, String); 4] {
    let path = |extension| file(directory, sweep.plan.name(), extension);
    let plan = Some(&sweep.plan);
    [
        (path("json"), sweep.json()),
        (path("csv"), sweep::csv(plan, &sweep.rows)),
        (
            rows_path(directory, sweep.plan.name()),
            sweep::jsonl(plan, &sweep.rows),
        ),
        (path("svg"), sweep.svg()),
    ]
}
