//! Faults that wait for something to happen, turned into dated ones.
//!
//! Whatever reacts looks at the nodes at each check, and answers with faults that begin at least the lookahead later, since nothing that one node does comes to another
//! sooner. They become part of the schedule, and the run begins anew: so the history that counts is that of a scenario whose faults all have a date, and whoever has that needs
//! neither the reaction nor this module to see it again. It costs another run up to the date for each reaction.
//!
//! ```
//! use hxsim::gossip::Gossip;
//! use hxsim::reaction::{self, Sight};
//! use hxsim::{Outcome, Scenario, trial};
//! use simnet::{Fault, Time};
//! use std::time::Duration;
//!
//! let mut scenario = Scenario::new(10);
//! let graph = scenario.topology.graph(scenario.nodes, scenario.seed)?;
//! # scenario.workload = Some(hxsim::workload::Workload::Synthetic(hxsim::workload::Synthetic::held(1, 1, 100)));
//! // Whoever is the first to have all crashes, and is back after a second.
//! let crash = |sight: &Sight<'_, hxsim::gossip::Holdings>| {
//!     let first = sight.nodes.iter().find(|(_, holdings)| holdings.count() > 0);
//!     let Some(&(node, _)) = first else { return Vec::new() };
//!     let at = sight.now + Duration::from_millis(100);
//!     let back = at + Duration::from_secs(1);
//!     vec![Fault::Crash { at, node }, Fault::Restart { at: back, node }]
//! };
//! let dated = reaction::react::<Gossip, _, _>(&scenario, &graph, |scenario| Gossip::new(scenario, &graph), &[&crash])?;
//! assert_eq!(dated.schedule.faults.len(), 2);
//! let protocol = Gossip::new(&dated, &graph)?;
//! assert_eq!(trial::run(&protocol, &dated)?.outcome, Outcome::Converged);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Borrow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;

use simnet::{Fault, InvalidNetwork, Layout, NodeId, Probability, Time};

use crate::protocol::{Progress, Protocol};
use crate::run::{self, Status};
use crate::scenario::Scenario;
use crate::topology::Graph;

/// What there is to react to: the nodes that are up, at a check.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a, S> {
    /// The instant of the check: all before it has happened.
    pub now: Time,
    /// The nodes that are up, in order.
    pub nodes: &'a [(NodeId, S)],
    /// How much of the goal is reached.
    pub progress: Progress,
}

/// What reacts: a function of what is seen, and of nothing else. An empty answer is none, and after one that is not it is asked no more.
pub type Reacts<'r, S> = &'r dyn Fn(&Sight<'_, S>) -> Vec<Fault>;

/// Why reactions cannot be dated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undated<E = Infallible> {
    /// The nodes cannot be made.
    Protocol(E),
    /// With a fault that was answered there is no such network, as when a node crashes that is down.
    Network(InvalidNetwork),
    /// A fault begins too soon.
    TooSoon {
        /// The fault.
        fault: Fault,
        /// When it may begin at the earliest.
        earliest: Time,
    },
}

/// The scenario with the faults that come of reactions in its schedule. `protocol` makes the nodes of a scenario: anew for each run, as they may know its faults.
///
/// # Errors
///
/// [`Undated`].
pub fn react<P, B, E>(
    scenario: &Scenario,
    graph: &Graph,
    mut protocol: impl FnMut(&Scenario) -> Result<B, E>,
    reactions: &[Reacts<'_, P::Snapshot>],
) -> Result<Scenario, Undated<E>>
where
    P: Protocol,
    B: Borrow<P>,
{
    let mut scenario = scenario.clone();
    let mut waiting = reactions.to_vec();
    while !waiting.is_empty() {
        let made = protocol(&scenario).map_err(Undated::Protocol)?;
        let mut answers = Vec::new();
        let goes_on = |_| ControlFlow::Continue(());
        let now = observed(made.borrow(), &scenario, graph, goes_on, |sight| {
            answers = waiting.iter().map(|reacts| reacts(sight)).collect();
            answers.iter().any(|faults| !faults.is_empty())
        })?;
        let Some(now) = now else {
            break;
        };
        let mut silent = answers.iter().map(Vec::is_empty);
        waiting.retain(|_| silent.next() == Some(true));
        let earliest = now + scenario.links.lookahead();
        for fault in answers.into_iter().flatten() {
            if fault.at() < earliest {
                return Err(Undated::TooSoon { fault, earliest });
            }
            scenario.schedule.faults.push(fault);
        }
        run::network(&scenario)
            .validate()
            .map_err(Undated::Network)?;
    }
    Ok(scenario)
}

/// The scenario with the dates of its own [reactions](Scenario::reactions). `protocol` is as for [`react`]; `watch` as for [`run`](crate::run::run): if it stops a run, what has a date by then has one.
///
/// # Errors
///
/// [`Undated`].
pub fn date<P, B, E>(
    scenario: &Scenario,
    graph: &Graph,
    mut protocol: impl FnMut(&Scenario) -> Result<B, E>,
    mut watch: impl FnMut(Status) -> ControlFlow<()>,
) -> Result<Scenario, Undated<E>>
where
    P: Protocol,
    B: Borrow<P>,
{
    let mut scenario = scenario.clone();
    while scenario.reactions.iter().any(|it| it.dated.is_none()) {
        let made = protocol(&scenario).map_err(Undated::Protocol)?;
        let mut reached = Progress::default();
        let waiting = scenario.reactions.iter().filter(|it| it.dated.is_none());
        let least = waiting.map(|it| it.once).min();
        let now = observed(made.borrow(), &scenario, graph, &mut watch, |sight| {
            reached = sight.progress;
            least.is_some_and(|once| is_reached(once, reached))
        })?;
        let Some(now) = now else {
            break;
        };
        let waiting = scenario.reactions.iter_mut();
        for reaction in waiting.filter(|it| it.dated.is_none() && is_reached(it.once, reached)) {
            reaction.dated = Some(now);
        }
        run::network(&scenario)
            .validate()
            .map_err(Undated::Network)?;
    }
    Ok(scenario)
}

/// Whether so much of a goal is reached. Of nothing, nothing is.
fn is_reached(share: Probability, progress: Progress) -> bool {
    let Progress { have, of } = progress;
    of > 0 && u128::from(have) * 1_000_000 >= u128::from(of) * u128::from(share.as_ppm())
}

/// Runs until somebody has seen enough, and says when that was; `None`: never.
fn observed<P: Protocol, E>(
    protocol: &P,
    scenario: &Scenario,
    graph: &Graph,
    watch: impl FnMut(Status) -> ControlFlow<()>,
    mut is_enough: impl FnMut(&Sight<'_, P::Snapshot>) -> bool,
) -> Result<Option<Time>, Undated<E>> {
    let (layout, mut seen) = (Layout::default(), None);
    let run = run::observed(protocol, scenario, graph, layout, watch, |sight| {
        if is_enough(sight) {
            seen = Some(sight.now);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    run.map_err(Undated::Network)?;
    Ok(seen)
}

impl<E: fmt::Display> fmt::Display for Undated<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Network(error) => error.fmt(f),
            Self::TooSoon { fault, earliest } => write!(
                f,
                "a reaction begins at {}, too soon: it may at {earliest}, which is the lookahead behind what it reacts to",
                fault.at()
            ),
        }
    }
}

impl<E: Error> Error for Undated<E> {}
