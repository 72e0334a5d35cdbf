use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{CURVES_MAX, Curve, Plan, Row, Sweep};
use crate::report::{Outcome, Report};
use crate::run::Status;
use crate::scenario::Scenario;

/// How a sweep gets on.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Runs that are over.
    pub done: usize,
    /// Runs there are to do.
    pub of: usize,
    /// Events handled in all of them.
    pub events: u64,
    /// Frames sent in all of them.
    pub frames: u64,
    /// How those stand that are underway.
    pub running: Vec<Status>,
}

/// A run that could not be made, or not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed<E> {
    /// What its point sets.
    pub sets: Vec<String>,
    /// Its seed.
    pub seed: u64,
    /// Why.
    pub error: E,
    /// The runs that were made all the same.
    pub sweep: Box<Sweep>,
}

/// Makes every run of a plan on so many threads. `simulate` makes one of them, and `keep` is given each row as soon as there is one, from any thread. `watch` is
/// called from any thread too, as often as `simulate` calls what it is given and after each run, and may stop the sweep. What was done until then is
/// kept, and what was underway is not.
///
/// # Errors
///
/// The first run, in the order of points and seeds, that could not be made or kept; then there is no point in others.
pub fn run<E: Send>(
    plan: Plan,
    threads: usize,
    simulate: impl Fn(&Scenario, &mut dyn FnMut(Status) -> ControlFlow<()>) -> Result<Report, E> + Sync,
    keep: impl Fn(&Plan, &Row) -> Result<(), E> + Sync,
    watch: impl Fn(Pace) -> ControlFlow<()> + Sync,
) -> Result<Sweep, Failed<E>> {
    let board = Board {
        plan: &plan,
        simulate: &simulate,
        keep: &keep,
        watch: &watch,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        standing: Mutex::default(),
        results: Mutex::new(Results {
            rows: Vec::new(),
            curves: Vec::new(),
            failed: Vec::new(),
        }),
    };
    let threads = threads.clamp(1, plan.runs().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| board.work());
        }
    });
    let Results {
        mut rows,
        mut curves,
        failed,
    } = board
        .results
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(run, _)| *run);
    curves.sort_by_key(|curve| curve.run);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    let sweep = Sweep { plan, rows, curves };
    let Some((run, error)) = failed.into_iter().min_by_key(|(run, _)| *run) else {
        return Ok(sweep);
    };
    let (point, seed) = sweep.plan.place(run);
    Err(Failed {
        sets: sweep.plan.sets(point).collect(),
        seed,
        error,
        sweep: Box::new(sweep),
    })
}

/// What makes one run.
type Simulate<'a, E> =
    dyn Fn(&Scenario, &mut dyn FnMut(Status) -> ControlFlow<()>) -> Result<Report, E> + Sync + 'a;

/// What the workers of a sweep share.
struct Board<'a, E> {
    plan: &'a Plan,
    simulate: &'a Simulate<'a, E>,
    keep: &'a (dyn Fn(&Plan, &Row) -> Result<(), E> + Sync),
    watch: &'a (dyn Fn(Pace) -> ControlFlow<()> + Sync),
    next: AtomicUsize,
    stopped: AtomicBool,
    standing: Mutex<Standing>,
    results: Mutex<Results<E>>,
}

/// How the runs stand: those that are over together, the others by their numbers.
#[derive(Default)]
struct Standing {
    done: usize,
    events: u64,
    frames: u64,
    running: BTreeMap<usize, Status>,
}

struct Results<E> {
    rows: Vec<(usize, Row)>,
    curves: Vec<Curve>,
    failed: Vec<(usize, E)>,
}

impl<E: Send> Board<'_, E> {
    /// Makes one run after the other until there is none left.
    fn work(&self) {
        while self.ask(|_| {}).is_continue() {
            let run = self.next.fetch_add(1, Ordering::Relaxed);
            if run >= self.plan.runs() {
                return;
            }
            let (point, seed) = self.plan.place(run);
            let scenario = Scenario {
                seed,
                ..self.plan.points[point].scenario.clone()
            };
            let result = (self.simulate)(&scenario, &mut |status| {
                self.ask(|standing| {
                    standing.running.insert(run, status);
                })
            });
            self.end(run, point, result);
        }
    }

    /// Notes how a run stands, and asks whether to go on.
    fn ask(&self, note: impl FnOnce(&mut Standing)) -> ControlFlow<()> {
        let mut standing = self.standing();
        note(&mut standing);
        let running: Vec<_> = standing.running.values().copied().collect();
        let sum = |of: fn(&Status) -> u64| running.iter().map(of).sum::<u64>();
        let pace = Pace {
            done: standing.done,
            of: self.plan.runs(),
            events: standing.events + sum(|status| status.events),
            frames: standing.frames + sum(|status| status.frames),
            running,
        };
        drop(standing);
        if (self.watch)(pace).is_break() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        match self.stopped.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what came of a run.
    fn end(&self, run: usize, point: usize, result: Result<Report, E>) {
        let made = result.and_then(|report| {
            if report.outcome == Outcome::Interrupted {
                return Ok(None);
            }
            let row = Row::new(point, &report);
            (self.keep)(self.plan, &row).map(|()| Some((row, report)))
        });
        let mut standing = self.standing();
        if let Some(last) = standing.running.remove(&run) {
            standing.events += last.events;
            standing.frames += last.frames;
        }
        standing.done += usize::from(matches!(made, Ok(Some(_))));
        drop(standing);
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            // Each run before this one has begun, so that the first of all that fail is among those that end.
            Err(error) => {
                results.failed.push((run, error));
                self.next.fetch_max(self.plan.runs(), Ordering::Relaxed);
            }
            Ok(None) => {}
            Ok(Some((row, report))) => {
                if self.plan.points.len() == 1 && run < CURVES_MAX {
                    results.curves.push(Curve {
                        run,
                        pairs: report.metrics.convergence.pairs,
                        ended_ns: report.ended_ns,
                        points: report.metrics.curve,
                    });
                }
                results.rows.push((run, row));
            }
        }
    }
}
