//! A sweep as one JSON document: what each point came to, and the row of every run.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::rows::{Cells, line};
use super::{Summary, Sweep};
use crate::figure::{FIGURES, Figure};
use crate::metrics::Ratio;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    seed_schema: u32,
    scenario: &'a str,
    question: &'a str,
    planned: usize,
    done: usize,
    points: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    set: Map<String, Value>,
    runs: usize,
    outcomes: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expectations: Vec<Expected<'a>>,
    figures: Vec<Over>,
}

/// How often an expectation came true.
#[derive(Serialize)]
pub(super) struct Expected<'a> {
    pub(super) figure: String,
    pub(super) expected: &'a str,
    pub(super) met: usize,
    pub(super) of: usize,
    pub(super) missed_by_seeds: Vec<u64>,
}

/// What a figure came to over the seeds.
#[derive(Serialize)]
struct Over {
    figure: String,
    runs: usize,
    min: Value,
    p5: Value,
    median: Value,
    p95: Value,
    max: Value,
    median_low: Value,
    median_high: Value,
    mean: Value,
    mean_low: Value,
    mean_high: Value,
}

impl Sweep {
    /// The version of the fields of [`Sweep::json`].
    pub const SCHEMA: u32 = 1;

    /// One JSON document, indented, with a newline at its end. Figures are in the units that their names tell, as in reports; `median_low` to
    /// `median_high` and `mean_low` to `mean_high` are 95 % confidence intervals, see [`Summary`]. Each of `runs` is a row of [`jsonl`](super::jsonl).
    pub fn json(&self) -> String {
        let (scenario, question) = self.titles();
        let document = Document {
            schema: Self::SCHEMA,
            seed_schema: simnet::draw::SCHEMA,
            scenario,
            question,
            planned: self.plan.runs(),
            done: self.rows.len(),
            points: (0..self.plan.points.len())
                .map(|point| self.entry(point))
                .collect(),
        };
        let head = serde_json::to_string_pretty(&document)
            .expect("a sweep has string keys and finite numbers alone");
        let rows = self
            .rows
            .iter()
            .map(|row| line(&Cells::of(&self.plan, row)));
        let rows = rows.collect::<Vec<_>>().join(",\n    ");
        let head = head.trim_end_matches(['\n', '}']);
        // Rows stand one a line, however many fields they have.
        format!("{head},\n  \"runs\": [\n    {rows}\n  ]\n}}\n")
    }

    fn entry(&self, point: usize) -> Entry<'_> {
        let parameters = self
            .plan
            .parameters
            .iter()
            .zip(&self.plan.points[point].values);
        let set = parameters.map(|(it, value)| (it.key.clone(), value.as_str().into()));
        let figures = FIGURES.iter().filter_map(|figure| {
            let summary = self.summary(point, figure)?;
            Some(Over::new(figure, &summary))
        });
        let mut outcomes = BTreeMap::new();
        for row in self.of_point(point) {
            *outcomes.entry(row.outcome.word()).or_default() += 1;
        }
        Entry {
            set: set.collect(),
            runs: self.of_point(point).len(),
            outcomes,
            expectations: self.expected(point),
            figures: figures.collect(),
        }
    }

    /// How often each expectation of a point came true.
    pub(super) fn expected(&self, point: usize) -> Vec<Expected<'_>> {
        let rows = self.of_point(point);
        let expectations = self.plan.points[point].scenario.expect.iter();
        let expected = expectations.enumerate().map(|(number, expectation)| {
            let verdict = |row: &&super::Row| row.met.get(number).and_then(|(_, met)| *met);
            let missed = rows.iter().filter(|row| verdict(row) == Some(false));
            Expected {
                figure: expectation.figure.column(),
                expected: &expectation.text,
                met: rows.iter().filter(|row| verdict(row) == Some(true)).count(),
                of: rows.len(),
                missed_by_seeds: missed.map(|row| row.seed).collect(),
            }
        });
        expected.collect()
    }
}

impl Over {
    fn new(figure: &Figure, summary: &Summary) -> Self {
        let of = |value: Option<Ratio>| figure.json(value.unwrap_or(Ratio::UNDEFINED));
        let (median, mean) = (summary.median_interval, summary.mean_interval());
        Self {
            figure: figure.column(),
            runs: summary.count,
            min: of(Some(summary.min)),
            p5: of(Some(summary.p5)),
            median: of(Some(summary.median)),
            p95: of(Some(summary.p95)),
            max: of(Some(summary.max)),
            median_low: of(median.map(|it| it.0)),
            median_high: of(median.map(|it| it.1)),
            mean: of(Some(summary.mean)),
            mean_low: of(mean.map(|it| it.0)),
            mean_high: of(mean.map(|it| it.1)),
        }
    }
}
