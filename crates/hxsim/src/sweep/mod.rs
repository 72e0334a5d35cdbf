//! Many runs of one scenario: every combination of some parameters' values with every one of some seeds.
//!
//! Each run is a world of its own on one of several threads. Results stand in the order of (parameters, seed) whatever ends first, and of each run only a
//! row is kept, so that neither the output nor the memory depends on the number of threads.

mod arguments;
mod board;
mod human;
mod json;
mod picture;
mod rows;
mod stats;

use std::fs;
use std::path::Path;

use crate::diagnostic::{BadScenario, Diagnostic, Place};
use crate::expect::Expectation;
use crate::figure::{FIGURES, Figure};
use crate::metrics::{Point as CurvePoint, Ratio};
use crate::report::{Outcome, Report, worst};
use crate::scenario::Scenario;

pub use arguments::{Parameter, RUNS_MAX, parameters, seeds};
pub use board::{Failed, Pace, run};
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

impl Plan {
    /// Reads the scenario once for each point, `scans` being what `-L` takes and `sets` what `--set` takes; `seeds` stand in for the scenario's
    /// own if there are any.
    ///
    /// # Errors
    ///
    /// The mistakes of all points, each of them once.
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
        let mut wrong = None;
        for choice in choices(&parameters) {
            let scanned = parameters.iter().zip(&choice);
            let mut all = sets.to_vec();
            all.extend(scanned.map(|(parameter, value)| parameter.set(*value)));
            match load(&all) {
                Ok(scenario) => {
                    let values = parameters.iter().zip(&choice);
                    points.push(Point {
                        values: values
                            .map(|(it, value)| it.values[*value].clone())
                            .collect(),
                        scenario,
                    });
                }
                Err(mut bad) => {
                    let scanned = bad.sources.iter_mut().skip(1 + sets.len());
                    for (source, known) in scanned.zip(arguments::sources(scans)) {
                        source.name = known.name;
                    }
                    // Every value is read, so that all that is wrong is told at once.
                    wrong.get_or_insert_with(BadScenario::default).merge(bad);
                }
            }
        }
        if let Some(bad) = wrong {
            return Err(bad);
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

    /// A row of each point, in the first of whose runs nothing has happened yet.
    fn blank_rows(&self) -> Vec<Row> {
        let blank = |(point, Point { scenario, .. }): (usize, &Point)| Row {
            point,
            scenario: scenario.name.clone(),
            seed: self.seeds[0],
            size: (scenario.nodes, 0, 0),
            outcome: Outcome::Interrupted,
            digest: String::new(),
            values: vec![Ratio::UNDEFINED; FIGURES.len()],
            met: scenario
                .expect
                .iter()
                .map(|it| (it.clone(), None))
                .collect(),
        };
        self.points.iter().enumerate().map(blank).collect()
    }

    /// The point and the seed of a run.
    fn place(&self, run: usize) -> (usize, u64) {
        (run / self.seeds.len(), self.seeds[run % self.seeds.len()])
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
        worst(self.rows.iter().map(Row::exit_code))
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

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,%+@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
