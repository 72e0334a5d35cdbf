//! What a run answers: one value, shown to people ([`Report::human`], [`Report::svg`]) and to programs ([`Report::json`]).

pub(crate) mod faults;
pub(crate) mod human;
pub(crate) mod picture;
pub(crate) mod quantity;
pub(crate) mod svg;
mod table;
pub(crate) mod text;

use serde::{Serialize, Serializer};
use simnet::{NodeId, Time};

use crate::expect::{Expectation, Judged};
use crate::metrics::Metrics;
use crate::scenario::Scenario;

pub use faults::{FaultSpan, Reacted};
pub use table::table;

/// The answer to a scenario. Without `env` it depends on the scenario alone, and so is the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of these fields.
    pub schema: u32,
    /// The version of what turns a seed into a history.
    pub seed_schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's question.
    pub question: String,
    /// The seed of every draw.
    pub seed: u64,
    /// Equal digests, equal histories: 16 hexadecimal digits.
    pub digest: String,
    /// How the run ended.
    pub outcome: Outcome,
    /// When it ended, since its start.
    pub ended_ns: u64,
    /// Number of nodes.
    pub nodes: u32,
    /// Number of edges between them.
    pub edges: u64,
    /// Number of hashes published.
    pub items: u64,
    /// The part of the run that the figures speak of; absent: all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// The figures.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// What went wrong by plan.
    pub faults: Vec<FaultSpan>,
    /// Which of these waited for something to happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reacted>,
    /// What went wrong against all plans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How many pairs are missing, those beyond the list included.
    pub missing_total: u64,
    /// What nodes should have and do not, the first [`Report::LISTED_MAX`].
    pub missing: Vec<Missing>,
    /// What tasks wait for, if nothing will ever happen again and something is missing; the first [`Report::LISTED_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
    /// What nobody could have got: hashes that no live node held at the end, the first [`Report::LISTED_MAX`].
    pub lost: Vec<Lost>,
    /// What the scenario expects, and whether it came true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Judged>,
    /// What depends on the machine. Committed results leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Env>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every node has everything that it can have.
    Converged,
    /// Some node lacks something at the horizon.
    NotConverged,
    /// A check failed.
    InvariantBroken,
    /// The budget ended before the horizon.
    Inconclusive,
    /// Somebody stopped it.
    Interrupted,
}

/// The measuring interval: see [`Measure`](crate::scenario::Measure).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// When it began.
    pub from_ns: u64,
    /// When it ended, or the run did before.
    pub until_ns: u64,
    /// Number of hashes published within it.
    pub items: u64,
}

/// A check that failed: of several the least by (time, node, check).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The name of the check.
    pub check: String,
    /// Where; null if it concerns no single node.
    pub node: Option<NodeId>,
    /// When.
    pub at_ns: u64,
    /// What was found, in a sentence.
    pub detail: String,
}

/// A hash that a node should have and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The node.
    pub node: NodeId,
    /// The hash.
    pub hash: String,
    /// The file it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why, as far as the node knows.
    pub why: String,
}

/// A hash that no live node holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The hash.
    pub hash: String,
    /// The file it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What depends on the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Env {
    /// How long the run took on a clock.
    pub wall_ns: u64,
    /// Operating system and processor.
    pub machine: String,
}

/// The exit code of a run that converged, but not as was expected.
pub const EXPECTATION_MISSED: u8 = 12;

/// A broken rule weighs more than a goal that was not reached, that more than a run of which nothing is known, and that more than a figure that is off.
const WORST_FIRST: [u8; 4] = [11, 10, 20, EXPECTATION_MISSED];

/// The exit code of many runs: that of the worst, 0 if all went as they should.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let codes: Vec<u8> = codes.into_iter().collect();
    let worst = WORST_FIRST.into_iter().find(|code| codes.contains(code));
    worst.unwrap_or_default()
}

impl Outcome {
    /// The exit code of the command, as far as expectations do not decide it.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Converged => 0,
            Self::NotConverged => 10,
            Self::InvariantBroken => 11,
            Self::Inconclusive => 20,
            Self::Interrupted => 130,
        }
    }

    /// The exit code of the command; `missed` says whether some expectation was.
    pub const fn exit_code_if(self, missed: bool) -> u8 {
        match self.exit_code() {
            0 if missed => EXPECTATION_MISSED,
            code => code,
        }
    }

    /// In one word, as JSON has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::NotConverged => "not_converged",
            Self::InvariantBroken => "invariant_broken",
            Self::Inconclusive => "inconclusive",
            Self::Interrupted => "interrupted",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::NotConverged => "not converged",
            Self::InvariantBroken => "invariant broken",
            Self::Inconclusive => "inconclusive",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Report {
    /// The version of the fields: it changes when one of them changes its meaning or is gone.
    pub const SCHEMA: u32 = 1;
    /// The lists of what is missing and lost end after so many: a large network that failed would fill a disk with them.
    pub const LISTED_MAX: usize = 100;

    /// A report in which nothing is missing and nothing failed. `edges` and `items` are their numbers, `ended` is when the run ended.
    pub fn new(
        scenario: &Scenario,
        digest: u64,
        outcome: Outcome,
        ended: Time,
        (edges, items): (u64, u64),
        metrics: Metrics,
    ) -> Self {
        Self {
            schema: Self::SCHEMA,
            seed_schema: simnet::draw::SCHEMA,
            scenario: scenario.name.clone(),
            question: scenario.question.clone(),
            seed: scenario.seed,
            digest: format!("{digest:016x}"),
            outcome,
            ended_ns: ended.as_nanos(),
            nodes: scenario.nodes,
            edges,
            items,
            measured: None,
            metrics,
            faults: faults::spans(scenario),
            reactions: faults::reactions(scenario),
            failure: None,
            missing_total: 0,
            missing: Vec::new(),
            stuck: Vec::new(),
            lost: Vec::new(),
            expectations: Vec::new(),
            env: None,
        }
    }

    /// The same report with what is missing: `total` pairs, of which the list has the first; it ends after [`Report::LISTED_MAX`].
    pub fn with_missing(mut self, mut missing: Vec<Missing>, total: u64) -> Self {
        self.missing_total = total;
        missing.truncate(Self::LISTED_MAX);
        self.missing = missing;
        self
    }

    /// The same report with what is lost.
    pub fn with_lost(mut self, mut lost: Vec<Lost>) -> Self {
        lost.truncate(Self::LISTED_MAX);
        self.lost = lost;
        self
    }

    /// The same report with a verdict on each expectation: the last thing to be added, for it may be about anything else.
    pub fn judged(mut self, expectations: &[Expectation]) -> Self {
        let judged = expectations.iter().map(|it| Judged::new(it, &self));
        self.expectations = judged.collect();
        self
    }

    /// How many expectations were missed.
    pub fn missed(&self) -> usize {
        let missed = |judged: &&Judged| judged.met == Some(false);
        self.expectations.iter().filter(missed).count()
    }

    /// The exit code of the command: that of the outcome, or 12 if all is well but for an expectation.
    pub fn exit_code(&self) -> u8 {
        self.outcome.exit_code_if(self.missed() > 0)
    }

    /// One JSON document, indented, with a newline at its end. Field names are in snake case, durations are integers and
    /// their names end in `_ns`.
    pub fn json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self)
            .expect("a report has string keys and finite numbers alone");
        json.push('\n');
        json
    }

    /// When it was over: with the last delivery, if that made it converge and the figures speak of all deliveries.
    fn over_ns(&self) -> u64 {
        match self.metrics.convergence.t100_ns {
            Some(t100) if self.outcome == Outcome::Converged && self.measured.is_none() => t100,
            _ => self.ended_ns,
        }
    }

    /// Where the time axis of the curve ends: soon after the last delivery, but at the end of the run if that is what it waited for.
    fn shown_ns(&self) -> u64 {
        let end = match self.metrics.convergence.t100_ns {
            Some(t100) => t100.saturating_add(t100 / 20).min(self.ended_ns),
            None => self.ended_ns,
        };
        end.max(1)
    }

    /// How many pairs were delivered at an instant.
    fn delivered_at(&self, at_ns: u64) -> u64 {
        let curve = &self.metrics.curve;
        let after = curve.partition_point(|point| point.at_ns <= at_ns);
        after.checked_sub(1).map_or(0, |last| curve[last].delivered)
    }
}
