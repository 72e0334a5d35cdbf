//! Many runs of one scenario: every combination of some parameters' values with every one of some seeds.
//!
//! Each run is a world of its own on one of several threads. Results stand in the order of (parameters, seed) whatever ends first, and of each run only a
//! row is kept, so that neither the output nor the memory depends on the number of threads.

mod arguments;
mod human;
mod json;
mod picture;
mod rows;
mod stats;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::diagnostic::{BadScenario, Diagnostic, Place};
use crate::expect::Expectation;
use crate::figure::{FIGURES, Figure};
use crate::metrics::{Point as CurvePoint, Ratio};
use crate::report::{EXPECTATION_MISSED, Outcome, Report};
use crate::run::Status;
use crate::scenario::Scenario;

pub use arguments::{Parameter, RUNS_MAX, parameters, seeds};
pub use rows::{csv, jsonl};
pub use stats::Summary;

/// What shall be run: every point with every seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is scanned.
    pub parameters: Vec<Parameter>,
    /// Every combination of their values, the last parameter varying fastest; of no parameters the one that is the scenario as it stands.
    pub points: Vec<Point>,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
}

/// A combination of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The value of each parameter.
    pub values: Vec<String>,
    /// The scenario with these values.
    pub scenario: Scenario,
}

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The index of its point in the plan.
    pub point: usize,
    /// The scenario's name.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// Number of nodes, edges between them, and hashes published.
    pub size: (u32, u64, u64),
    /// How it ended.
    pub outcome: Outcome,
    /// Equal digests, equal histories.
    pub digest: String,
    /// The value of each of [`FIGURES`].
    pub values: Vec<Ratio>,
    /// Each expectation, and whether it came true.
    pub met: Vec<(Expectation, Option<bool>)>,
}

/// How a sweep gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Runs that are over.
    pub done: usize,
    /// Runs there are to do.
    pub of: usize,
    /// Events handled in all of them.
    pub events: u64,
}

/// A sweep that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// What was to be run.
    pub plan: Plan,
    /// What was, in the order of points and seeds. Fewer than planned if somebody stopped it.
    pub rows: Vec<Row>,
    /// Coverage over time in the runs of a plan of one point, for its picture; of the first [`CURVES_MAX`] runs.
    curves: Vec<Curve>,
}

/// A run's share of pairs delivered over time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Curve {
    run: usize,
    pairs: u64,
    ended_ns: u64,
    points: Vec<CurvePoint>,
}

/// A picture with more curves is but a blot.
const CURVES_MAX: usize = 100;

/// A run that could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed<E> {
    /// What its point sets.
    pub sets: Vec<String>,
    /// Its seed.
    pub seed: u64,
    /// Why.
    pub error: E,
}

impl Plan {
    /// Reads the scenario once for each point, `scans` being what `-L` takes and `sets` what `--set` takes; `seeds` stand in for the scenario's
    /// own if there are any.
    ///
    /// # Errors
    ///
    /// The mistakes of the first point that has some.
    pub fn load(
        path: &Path,
        sets: &[String],
        scans: &[String],
        seeds: &[u64],
    ) -> Result<Self, BadScenario> {
        let parameters = parameters(scans)?;
        few_enough(&parameters, scans, seeds.len().max(1))?;
        // Read once: what comes through a pipe is gone then.
        let text = fs::read_to_string(path).ok();
        let load = |sets: &[String]| match &text {
            Some(text) => Scenario::parse(&path.display().to_string(), text.clone(), sets),
            None => Scenario::load(path, sets),
        };
        let mut points = Vec::new();
        for choice in choices(&parameters) {
            let scanned = parameters.iter().zip(&choice);
            let mut all = sets.to_vec();
            all.extend(scanned.map(|(parameter, value)| parameter.set(*value)));
            let scenario = load(&all).map_err(|mut bad| {
                let scanned = bad.sources.iter_mut().skip(1 + sets.len());
                for (source, known) in scanned.zip(arguments::sources(scans)) {
                    source.name = known.name;
                }
                bad
            })?;
            let values = parameters.iter().zip(&choice);
            points.push(Point {
                values: values
                    .map(|(it, value)| it.values[*value].clone())
                    .collect(),
                scenario,
            });
        }
        let own = points.first().map_or(1, |point| point.scenario.seed);
        Ok(Self {
            parameters,
            points,
            seeds: if seeds.is_empty() {
                vec![own]
            } else {
                seeds.to_vec()
            },
        })
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.points[0].scenario.name
    }

    /// How many runs there are to do.
    pub const fn runs(&self) -> usize {
        self.points.len() * self.seeds.len()
    }

    /// What a point sets, as `--set` takes it.
    pub fn sets(&self, point: usize) -> impl Iterator<Item = String> {
        let values = self.points[point].values.iter();
        let pairs = self.parameters.iter().zip(values);
        pairs.map(|(parameter, value)| format!("{}={value}", parameter.key))
    }
}

fn few_enough(parameters: &[Parameter], scans: &[String], seeds: usize) -> Result<(), BadScenario> {
    let values = parameters.iter().map(|parameter| parameter.values.len());
    let runs = values.fold(seeds, usize::saturating_mul);
    if runs <= RUNS_MAX {
        return Ok(());
    }
    let too_many = Diagnostic {
        place: Place::whole(scans.len().saturating_sub(1)),
        message: format!("all combinations with {seeds} seeds are {runs} runs"),
        hint: format!("a sweep has {RUNS_MAX} at most"),
    };
    Err(BadScenario::new(
        arguments::sources(scans).collect(),
        vec![too_many],
    ))
}

/// The indices of every combination of values, the last varying fastest.
fn choices(parameters: &[Parameter]) -> Vec<Vec<usize>> {
    let mut choices = vec![Vec::new()];
    for parameter in parameters {
        let longer = |choice: &Vec<usize>, value| [choice.as_slice(), &[value]].concat();
        choices = choices
            .iter()
            .flat_map(|choice| (0..parameter.values.len()).map(move |value| longer(choice, value)))
            .collect();
    }
    choices
}

impl Row {
    /// What is kept of a report.
    pub fn new(point: usize, report: &Report) -> Self {
        let judged = report.expectations.iter();
        Self {
            point,
            scenario: report.scenario.clone(),
            seed: report.seed,
            size: (report.nodes, report.edges, report.items),
            outcome: report.outcome,
            digest: report.digest.clone(),
            values: FIGURES.iter().map(|figure| figure.of(report)).collect(),
            met: judged.map(|it| (it.expectation.clone(), it.met)).collect(),
        }
    }

    /// The exit code of the run.
    pub fn exit_code(&self) -> u8 {
        let missed = self.met.iter().any(|(_, met)| *met == Some(false));
        self.outcome.exit_code_if(missed)
    }

    /// Whether it was run to its end, so that its figures can be laid beside those of others.
    const fn is_whole(&self) -> bool {
        matches!(self.outcome, Outcome::Converged | Outcome::NotConverged)
    }
}

impl Sweep {
    /// The rows of one point.
    pub fn of_point(&self, point: usize) -> &[Row] {
        let from = self.rows.partition_point(|row| row.point < point);
        let to = self.rows.partition_point(|row| row.point <= point);
        &self.rows[from..to]
    }

    /// What a figure of one point comes to over all seeds: in the runs that ended at their goal or their horizon and in which it is defined. A run in which
    /// a rule was broken ended early, and is left out.
    pub fn summary(&self, point: usize, figure: &Figure) -> Option<Summary> {
        let index = FIGURES.iter().position(|known| known == figure)?;
        let whole = self.of_point(point).iter().filter(|row| row.is_whole());
        Summary::new(whole.map(|row| row.values[index]))
    }

    /// Whether every run was made that was planned.
    pub fn is_complete(&self) -> bool {
        self.rows.len() == self.plan.runs()
    }

    /// The exit code of the command: that of an interruption, or of the worst run.
    pub fn exit_code(&self) -> u8 {
        if !self.is_complete() {
            return Outcome::Interrupted.exit_code();
        }
        let codes: Vec<u8> = self.rows.iter().map(Row::exit_code).collect();
        let worst = WORST_FIRST.into_iter().find(|code| codes.contains(code));
        worst.unwrap_or_default()
    }

    /// The first run that did not go as it should.
    pub fn first_failed(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.exit_code() != 0)
    }

    /// The line for a shell that repeats one run, `file` and `sets` being what the sweep was called with.
    pub fn replay(&self, row: &Row, file: &str, sets: &[String]) -> String {
        let mut line = format!("hxsim run {} --seed {}", quoted(file), row.seed);
        for set in sets.iter().cloned().chain(self.plan.sets(row.point)) {
            line.push_str(" --set ");
            line.push_str(&quoted(&set));
        }
        line
    }
}

/// A broken rule weighs more than a goal that was not reached, that more than a run of which nothing is known, and that more than a figure that is off.
const WORST_FIRST: [u8; 4] = [11, 10, 20, EXPECTATION_MISSED];

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,%+@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What the workers of a sweep share.
struct Board<E> {
    next: AtomicUsize,
    stopped: AtomicBool,
    done: AtomicUsize,
    events: AtomicU64,
    results: Mutex<Results<E>>,
}

struct Results<E> {
    rows: Vec<(usize, Row)>,
    curves: Vec<Curve>,
    failed: Vec<(usize, E)>,
}

/// Makes every run of a plan on so many threads. `simulate` makes one of them; `watch` is called from any thread, at every check of every run and after each
/// of them, and may stop the sweep. What was done until then is kept, and what was underway is not.
///
/// # Errors
///
/// The first run, in the order of points and seeds, that could not be made; then there is no point in others.
pub fn run<E: Send>(
    plan: Plan,
    threads: usize,
    simulate: impl Fn(&Scenario, &mut dyn FnMut(Status) -> ControlFlow<()>) -> Result<Report, E> + Sync,
    watch: impl Fn(Pace) -> ControlFlow<()> + Sync,
) -> Result<Sweep, Failed<E>> {
    let board = Board {
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        done: AtomicUsize::new(0),
        events: AtomicU64::new(0),
        results: Mutex::new(Results {
            rows: Vec::new(),
            curves: Vec::new(),
            failed: Vec::new(),
        }),
    };
    let threads = threads.clamp(1, plan.runs().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&plan, &board, &simulate, &watch));
        }
    });
    let results = board
        .results
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let Results {
        mut rows,
        mut curves,
        failed,
    } = results;
    if let Some((run, error)) = failed.into_iter().min_by_key(|(run, _)| *run) {
        let (point, seed) = place(&plan, run);
        let sets = plan.sets(point).collect();
        return Err(Failed { sets, seed, error });
    }
    rows.sort_by_key(|(run, _)| *run);
    curves.sort_by_key(|curve| curve.run);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(Sweep { plan, rows, curves })
}

/// The point and the seed of a run.
fn place(plan: &Plan, run: usize) -> (usize, u64) {
    (run / plan.seeds.len(), plan.seeds[run % plan.seeds.len()])
}

/// Makes one run after the other until there is none left.
fn work<E: Send>(
    plan: &Plan,
    board: &Board<E>,
    simulate: &(
         impl Fn(&Scenario, &mut dyn FnMut(Status) -> ControlFlow<()>) -> Result<Report, E> + Sync
     ),
    watch: &(impl Fn(Pace) -> ControlFlow<()> + Sync),
) {
    let ask = || {
        let pace = Pace {
            done: board.done.load(Ordering::Relaxed),
            of: plan.runs(),
            events: board.events.load(Ordering::Relaxed),
        };
        if watch(pace).is_break() {
            board.stopped.store(true, Ordering::Relaxed);
        }
        match board.stopped.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    while ask().is_continue() {
        let run = board.next.fetch_add(1, Ordering::Relaxed);
        if run >= plan.runs() {
            return;
        }
        let (point, seed) = place(plan, run);
        let scenario = Scenario {
            seed,
            ..plan.points[point].scenario.clone()
        };
        let mut counted = 0;
        let result = simulate(&scenario, &mut |status| {
            let more = status.events - counted;
            counted = status.events;
            board.events.fetch_add(more, Ordering::Relaxed);
            ask()
        });
        let mut results = board.results.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            // Each run before this one has begun, so that the first of all that fail is among those that end.
            Err(error) => {
                results.failed.push((run, error));
                board.next.fetch_max(plan.runs(), Ordering::Relaxed);
            }
            Ok(report) if report.outcome == Outcome::Interrupted => {}
            Ok(report) => {
                if plan.points.len() == 1 && run < CURVES_MAX {
                    results.curves.push(Curve {
                        run,
                        pairs: report.metrics.convergence.pairs,
                        ended_ns: report.ended_ns,
                        points: report.metrics.curve.clone(),
                    });
                }
                results.rows.push((run, Row::new(point, &report)));
                board.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
