//! A protocol of any kind tried in a scenario: what came of it, for people and programs, and the first of many seeds that fails.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::thread;

use serde::Serialize;
use simnet::{InvalidNetwork, Layout, Trace, TraceEvent};

use crate::counters::Counters;
use crate::metrics::NetworkTotals;
use crate::protocol::Protocol;
use crate::reaction::{self, Undated};
use crate::report::human::{WIDTH, told_of_stuck};
use crate::report::picture::{Picture, ending};
use crate::report::quantity::{bytes, count, duration, things};
use crate::report::text::wrap;
use crate::report::{Failure, FaultSpan, Outcome, Reacted, faults};
use crate::run::{self, Difference, End, Run, Verification};
use crate::scenario::Scenario;
use crate::topology::{Graph, TopologyError};

/// What came of a run of a protocol of any kind: all that can be said without knowing what its nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
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
    /// When it ended, since its start. For a run that converged, when that was first seen.
    pub ended_ns: u64,
    /// Number of nodes.
    pub nodes: u32,
    /// Number of edges between them.
    pub edges: u64,
    /// Number of events.
    pub events: u64,
    /// How much of the goal was reached at the end.
    pub have: u64,
    /// How much there was to reach.
    pub of: u64,
    /// What was reached when, as far as checks saw it change.
    pub curve: Vec<Reached>,
    /// What the links carried.
    pub network: NetworkTotals,
    /// The most bytes that one node put on the wire.
    pub node_bytes_max: u64,
    /// What went wrong by plan.
    pub faults: Vec<FaultSpan>,
    /// Which of these waited for something to happen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reacted>,
    /// The rule that was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What the protocol says is missing, the first [`Trial::LISTED_MAX`].
    pub missing: Vec<String>,
    /// What tasks wait for, if nothing will ever happen again and that is not what was wanted; the first [`Trial::LISTED_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
}

/// How much of a goal was reached at some check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The instant of the check.
    pub at_ns: u64,
    /// What was reached.
    pub have: u64,
    /// What there was to reach.
    pub of: u64,
}

/// Why a scenario cannot be run. Of one that was read from a file only [`Unjudged`](Self::Unjudged) is left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Impossible {
    /// There is no such graph.
    Topology(TopologyError),
    /// There is no such network.
    Network(InvalidNetwork),
    /// This section of the scenario asks for figures that are those of `hash-gossip`, and a trial has none of its own.
    Unjudged(&'static str),
}

/// A seed for which a protocol does not do what it should, and how to see it again. Displays the seed before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The seed.
    pub seed: u64,
    /// How many seeds before it were fine.
    pub passed: u64,
    /// The line that runs this seed again.
    pub replay: String,
    /// What came of it.
    pub found: Result<Trial, Impossible>,
}

/// Runs a protocol in a scenario.
///
/// ```
/// use hxsim::gossip::Gossip;
/// use hxsim::{Outcome, Scenario, trial};
///
/// let mut scenario = Scenario::new(10);
/// scenario.draw_faults(simnet::Time::from_secs(5));
/// let graph = scenario.topology.graph(scenario.nodes, scenario.seed)?;
/// let protocol = Gossip::new(&scenario, &graph)?; // or one of your own
/// let trial = trial::run(&protocol, &scenario)?;
/// assert_eq!(trial.outcome, Outcome::Converged);
/// print!("{}", trial.human(false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Impossible`].
pub fn run<P: Protocol>(protocol: &P, scenario: &Scenario) -> Result<Trial, Impossible> {
    unjudged(scenario).map_or(Ok(()), |section| Err(Impossible::Unjudged(section)))?;
    let graph = graph(scenario)?;
    let scenario = &dated(protocol, scenario, &graph)?;
    let mut curve: Vec<Reached> = Vec::new();
    let run = run::run(protocol, scenario, &graph, Layout::default(), |status| {
        Reached::note(&mut curve, status.since.as_nanos(), status.progress);
        ControlFlow::Continue(())
    })?;
    let ended = match run.end {
        End::Converged(at) | End::Broken(at, _) | End::Interrupted(at) => at,
        End::Horizon => scenario.run.horizon,
    };
    Reached::note(&mut curve, ended.as_nanos(), run.progress);
    Ok(Trial::new(protocol, scenario, &graph, &run, curve))
}

/// What happened in a run as [`run`](fn@run) makes it, event by event: a line for people each, by their `Display`.
///
/// ```
/// use hxsim::gossip::Gossip;
/// use hxsim::{Scenario, trial};
/// use simnet::{Time, Trace};
///
/// let scenario = Scenario::new(3);
/// let graph = scenario.topology.graph(scenario.nodes, scenario.seed)?;
/// let protocol = Gossip::new(&scenario, &graph)?; // or one of your own
/// let kept = Trace::During(Time::ZERO, Time::from_millis(15));
/// let events = trial::trace(&protocol, &scenario, kept)?;
/// assert_eq!(events[0].to_string(), "10ms node 1: dial from node 0 to port 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Impossible`] as for [`run`](fn@run).
pub fn trace<P: Protocol>(
    protocol: &P,
    scenario: &Scenario,
    kept: Trace,
) -> Result<Vec<TraceEvent>, Impossible> {
    let graph = graph(scenario)?;
    let scenario = &dated(protocol, scenario, &graph)?;
    let layout = Layout {
        trace: kept,
        ..Layout::default()
    };
    let goes_on = |_| ControlFlow::Continue(());
    let run = run::run(protocol, scenario, &graph, layout, goes_on)?;
    Ok(run.world.trace())
}

/// Runs a protocol in two worlds that are computed in different ways, as far as [`run`](fn@run) goes, and gives the digest of both if they agree:
/// that of the [`Trial`]. Of a run that came to no end they agree if both come to none at the same node and instant.
///
/// # Errors
///
/// [`Impossible`] as for [`run`](fn@run); within, the first event that differs.
pub fn verify<P: Protocol>(
    protocol: &P,
    scenario: &Scenario,
) -> Result<Result<u64, Difference>, Impossible> {
    let graph = graph(scenario)?;
    let scenario = &dated(protocol, scenario, &graph)?;
    let verified = run::verify(protocol, scenario, &graph, |_| ControlFlow::Continue(()))?;
    Ok(match verified {
        Verification::Equal(digest) | Verification::Livelock(_, digest) => Ok(digest),
        Verification::Different(difference) => Err(difference),
        Verification::Interrupted(at) => unreachable!("nobody interrupts it, at {at} or ever"),
    })
}

/// Runs the scenario of each seed, up to the first that does not converge or breaks a rule; if a node panics, which seed and node that was is told on
/// standard error. `replay` is the command that runs one seed again,
/// but for the seed itself, such as `cargo run -- --seed`.
///
/// # Errors
///
/// The [`Counterexample`], whose text is meant for the message of a test that fails.
pub fn prove<P: Protocol>(
    protocol: &P,
    seeds: Range<u64>,
    scenario: impl Fn(u64) -> Scenario,
    replay: &str,
) -> Result<(), Box<Counterexample>> {
    for (seed, passed) in seeds.zip(0..) {
        let replay = Replay {
            seed,
            passed,
            line: format!("{replay} {seed}"),
        };
        let found = run(protocol, &scenario(seed));
        if !matches!(&found, Ok(trial) if trial.outcome == Outcome::Converged) {
            return Err(Box::new(Counterexample {
                seed,
                passed,
                replay: replay.line.clone(),
                found,
            }));
        }
    }
    Ok(())
}

/// How to see a seed again, which is told as well if a node panics.
struct Replay {
    seed: u64,
    passed: u64,
    line: String,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if thread::panicking() {
            eprint!("{}", failing(self.seed, self.passed, &self.line));
        }
    }
}

fn failing(seed: u64, passed: u64, replay: &str) -> String {
    format!("seed {seed} fails, after {passed} that did not. To see it again:\n\n    {replay}\n\n")
}

/// The section of a scenario that a trial would pass over in silence.
fn unjudged(scenario: &Scenario) -> Option<&'static str> {
    let sections = [
        ("expect", !scenario.expect.is_empty()),
        ("measure", scenario.measure.is_some()),
        ("compare", scenario.baseline.is_some()),
    ];
    let mut there = sections.into_iter().filter(|(_, is_there)| *is_there);
    there.next().map(|(section, _)| section)
}

/// The scenario with all its dates. The nodes are the same in every run.
fn dated<P: Protocol>(
    protocol: &P,
    scenario: &Scenario,
    graph: &Graph,
) -> Result<Scenario, Impossible> {
    let protocol = |_: &Scenario| Ok::<_, Infallible>(protocol);
    let dated = reaction::date::<P, _, _>(scenario, graph, protocol, |_| ControlFlow::Continue(()));
    dated.map_err(|undated| match undated {
        Undated::Network(error) => Impossible::Network(error),
        Undated::Protocol(never) => match never {},
        Undated::TooSoon { .. } => unreachable!("dates are the scenario's own"),
    })
}

fn graph(scenario: &Scenario) -> Result<Graph, Impossible> {
    Ok(scenario.topology.graph(scenario.nodes, scenario.seed)?)
}

/// How a run ended, once its bytes are accounted for.
pub(crate) fn outcome<P: Protocol>(
    run: &Run<'_, P>,
    totals: &NetworkTotals,
) -> (Outcome, Option<Failure>) {
    if let End::Broken(at, violation) = &run.end {
        let failure = Failure {
            check: violation.check.into(),
            node: Some(violation.node),
            at_ns: at.as_nanos(),
            detail: violation.what.clone(),
        };
        return (Outcome::InvariantBroken, Some(failure));
    }
    if !totals.balanced() {
        let failure = Failure {
            check: "accepted = delivered + discarded + in flight".into(),
            node: None,
            at_ns: run.world.now().as_nanos(),
            detail: format!(
                "{} bytes were accepted, but {} + {} + {} are accounted for",
                totals.accepted, totals.delivered, totals.discarded, totals.in_flight
            ),
        };
        return (Outcome::InvariantBroken, Some(failure));
    }
    let outcome = match run.end {
        End::Converged(_) => Outcome::Converged,
        End::Interrupted(_) => Outcome::Interrupted,
        End::Horizon | End::Broken(..) => Outcome::NotConverged,
    };
    (outcome, None)
}

impl Trial {
    /// The version of the fields: it changes when one of them changes its meaning or is gone.
    pub const SCHEMA: u32 = 1;
    /// The list of what is missing ends after so many lines.
    pub const LISTED_MAX: usize = 100;

    fn new<P: Protocol>(
        protocol: &P,
        scenario: &Scenario,
        graph: &Graph,
        run: &Run<'_, P>,
        curve: Vec<Reached>,
    ) -> Self {
        let total = Counters::new(protocol, &run.world);
        let (outcome, failure) = outcome(run, &total.network);
        let mut missing = Vec::new();
        if outcome != Outcome::Converged {
            missing = protocol.missing(&run::snapshots(protocol, &run.world));
            missing.truncate(Self::LISTED_MAX);
        }
        let end = curve.last();
        Self {
            schema: Self::SCHEMA,
            seed_schema: simnet::draw::SCHEMA,
            scenario: scenario.name.clone(),
            question: scenario.question.clone(),
            seed: scenario.seed,
            digest: format!("{:016x}", run.world.digest()),
            outcome,
            ended_ns: match run.end {
                End::Converged(at) => at.as_nanos(),
                _ => run.world.now().as_nanos(),
            },
            nodes: scenario.nodes,
            edges: graph.edges().len() as u64,
            events: run.world.events(),
            have: end.map_or(0, |end| end.have),
            of: end.map_or(0, |end| end.of),
            curve,
            network: total.network,
            node_bytes_max: total.node_bytes.iter().copied().max().unwrap_or(0),
            faults: faults::spans(scenario),
            reactions: faults::reactions(scenario),
            failure,
            missing,
            stuck: run::stuck(run, Self::LISTED_MAX),
        }
    }

    /// One JSON document, indented, with a newline at its end; the same on every machine.
    pub fn json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self)
            .expect("a trial has string keys and whole numbers alone");
        json.push('\n');
        json
    }

    /// The summary for a terminal. Colour only if told.
    pub fn human(&self, colour: bool) -> String {
        let mut lines = vec![format!(
            "{}  {} · seed {} · digest {}",
            ending(self.outcome, self.ended_ns, "", colour),
            self.scenario,
            self.seed,
            self.digest
        )];
        let question = wrap(&self.question, WIDTH, 2);
        lines.extend(question.iter().map(|line| format!("  {line}")));
        lines.push(String::new());
        lines.extend(self.picture().lines(colour));
        lines.push(String::new());
        for (label, text) in self.numbers() {
            lines.push(format!("  {label:<11} {text}"));
        }
        lines.extend(self.troubles());
        lines.push(String::new());
        lines.join("\n")
    }

    fn picture(&self) -> Picture<'_> {
        Picture {
            shown_ns: self.ended_ns.max(1),
            whole: WHOLE,
            faults: &self.faults,
            reached: Box::new(|at_ns| {
                let after = self.curve.partition_point(|it| it.at_ns <= at_ns);
                let last = after.checked_sub(1).map(|last| self.curve[last]);
                last.map_or(0, Reached::share)
            }),
        }
    }

    fn numbers(&self) -> Vec<(&'static str, String)> {
        let network = &self.network;
        let mut rows = vec![
            (
                "network",
                format!(
                    "{} · {}",
                    things(self.nodes.into(), "node", "nodes"),
                    things(self.edges, "edge", "edges")
                ),
            ),
            (
                "goal",
                format!("{} of {}", count(self.have), count(self.of)),
            ),
            (
                "traffic",
                format!(
                    "{} in {} · a node sent at most {}",
                    bytes(network.accepted),
                    things(network.segments, "segment", "segments"),
                    bytes(self.node_bytes_max)
                ),
            ),
        ];
        if !self.faults.is_empty() {
            rows.push(("faults", self.faults()));
        }
        if !self.reactions.is_empty() {
            rows.push(("reactions", faults::told_of_reactions(&self.reactions)));
        }
        if network.retransmitted > 0 {
            rows.push(("sent again", bytes(network.retransmitted)));
        }
        if network.discarded > 0 {
            rows.push(("discarded", bytes(network.discarded)));
        }
        rows
    }

    /// What went wrong by plan, in the order in which it began.
    fn faults(&self) -> String {
        let what = |fault: &FaultSpan| (fault.kind, fault.at_ns, fault.until_ns);
        let groups: Vec<_> = self.faults.chunk_by(|a, b| what(a) == what(b)).collect();
        let each = groups.iter().take(FAULTS_SHOWN).map(|group| {
            let FaultSpan {
                kind,
                at_ns,
                until_ns,
                node,
            } = &group[0];
            let who = match (group.len(), node) {
                (1, None) => kind.to_string(),
                (1, Some(node)) => format!("{kind} of node {node},"),
                (number, _) => format!("{number} × {kind}"),
            };
            let span = match until_ns {
                Some(until) if until == at_ns => format!("at {}", duration(*at_ns)),
                Some(until) => format!("{} to {}", duration(*at_ns), duration(*until)),
                None => format!("from {} on", duration(*at_ns)),
            };
            format!("{who} {span}")
        });
        let mut each: Vec<_> = each.collect();
        if groups.len() > FAULTS_SHOWN {
            each.push(format!("and {} more", groups.len() - FAULTS_SHOWN));
        }
        let lines: Vec<_> = each.chunks(2).map(|pair| pair.join(" · ")).collect();
        lines.join("\n              ")
    }

    /// What went wrong, by plan and against it; nothing if all is well.
    fn troubles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.outcome == Outcome::Converged {
            return lines;
        }
        if let Some(failure) = &self.failure {
            lines.push(String::new());
            lines.push(format!("  {}", failure.told()));
        }
        if !self.missing.is_empty() {
            lines.push(String::new());
            lines.push("  missing".into());
            let shown = self.missing.iter().take(SHOWN);
            lines.extend(shown.map(|line| format!("    {line}")));
            if self.missing.len() > SHOWN {
                lines.push(format!("    and {} more", self.missing.len() - SHOWN));
            }
        }
        lines.extend(told_of_stuck(&self.stuck));
        lines
    }
}

/// Of so many faults it is said when they were.
const FAULTS_SHOWN: usize = 8;
/// So many lines of what is missing are shown.
const SHOWN: usize = 10;
/// Shares are counted in millionths.
const WHOLE: u64 = 1_000_000;

impl Reached {
    /// Adds a point to the curve, unless nothing has changed or no check has looked yet.
    fn note(curve: &mut Vec<Self>, at_ns: u64, progress: crate::protocol::Progress) {
        let point = Self {
            at_ns,
            have: progress.have,
            of: progress.of,
        };
        match curve.last() {
            None if point.of == 0 => {}
            Some(last) if (last.have, last.of) == (point.have, point.of) => {}
            _ => curve.push(point),
        }
    }

    fn share(self) -> u64 {
        if self.have >= self.of {
            return if self.of == 0 { 0 } else { WHOLE };
        }
        let share = u128::from(self.have) * u128::from(WHOLE) / u128::from(self.of);
        // Less than `WHOLE`, for less is reached than there is.
        share as u64
    }
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topology(error) => error.fmt(f),
            Self::Network(error) => error.fmt(f),
            Self::Unjudged(section) => write!(
                f,
                "[{section}] is about figures of hash-gossip, which a protocol of another kind does not have: take it out, and let \
                 `Protocol::progress` and `Protocol::invariant` say what shall hold"
            ),
        }
    }
}

impl Error for Impossible {}

impl From<TopologyError> for Impossible {
    fn from(error: TopologyError) -> Self {
        Self::Topology(error)
    }
}

impl From<InvalidNetwork> for Impossible {
    fn from(error: InvalidNetwork) -> Self {
        Self::Network(error)
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&failing(self.seed, self.passed, &self.replay))?;
        match &self.found {
            Ok(trial) => f.write_str(&trial.human(false)),
            Err(impossible) => writeln!(f, "it cannot be run: {impossible}"),
        }
    }
}

impl Error for Counterexample {}
