//! The seam between a protocol and the runner: how to start a node, and how to look at it.

use std::fmt;

use hash_exchange::Tally;
use simnet::{Host, Livelock, NodeId};

/// A protocol whose nodes a scenario runs: ours, or one of your own.
///
/// A node is futures code on a [`simnet::Host`]. Everything that is judged is a function of snapshots, taken while every node stands at the same
/// instant; so the same protocol can be run, repeated and compared without being changed.
pub trait Protocol {
    /// What is kept of a running node, to take snapshots of it.
    type Node;
    /// What checks look at. Taken of every node at every check: keep it small.
    type Snapshot;

    /// Starts the node of a seat: at the start of the run, or later if it joins late.
    fn start(&self, host: Host, seat: Seat<'_>) -> Self::Node;

    /// Starts the node of a seat anew after it left or crashed; [`Host::incarnation`] says how often that has happened. `before` is what was
    /// kept of its last life. If nobody says otherwise it is dropped, as what a process had in memory; but figures may be added up. What the node has on its
    /// [disk](Host::disk) is there again.
    fn restart(&self, host: Host, seat: Seat<'_>, before: Self::Node) -> Self::Node {
        drop(before);
        self.start(host, seat)
    }

    /// What a node shows at this instant.
    fn snapshot(&self, node: &Self::Node) -> Self::Snapshot;

    /// How much of the goal is reached by the nodes that are up: they alone are shown, here and below, in the order of their numbers. The run has
    /// converged when it is all, and no node is to come, go or come back any more.
    fn progress(&self, nodes: &[(NodeId, Self::Snapshot)]) -> Progress;

    /// What the nodes lack, a line each, for those who look for the reason of a run that failed. By default nothing is said.
    fn missing(&self, nodes: &[(NodeId, Self::Snapshot)]) -> Vec<String> {
        let _ = nodes;
        Vec::new()
    }

    /// The frames that a node has sent in all its lives, if it counts them; reports have none otherwise.
    fn sent(&self, node: &Self::Node) -> Tally {
        let _ = node;
        Tally::default()
    }

    /// What must hold at every check.
    ///
    /// # Errors
    ///
    /// The [`Violation`] of the lowest node.
    fn invariant(&self, nodes: &[(NodeId, Self::Snapshot)]) -> Result<(), Violation> {
        let _ = nodes;
        Ok(())
    }
}

/// The place of a node in its network.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// The node's number.
    pub id: NodeId,
    /// Its neighbours in ascending order; of two neighbours the lower one dials.
    pub neighbours: &'a [NodeId],
}

impl Seat<'_> {
    /// Whether this node dials that neighbour, or is dialled by it.
    pub const fn dials(&self, neighbour: NodeId) -> bool {
        self.id < neighbour
    }
}

/// How much of a goal is reached, in whatever units the protocol counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is reached.
    pub have: u64,
    /// What there is to reach.
    pub of: u64,
}

impl Progress {
    /// Whether nothing is missing.
    pub const fn is_complete(self) -> bool {
        self.have >= self.of
    }
}

/// Something that must never be, and was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The node that shows it.
    pub node: NodeId,
    /// Which rule it breaks.
    pub check: &'static str,
    /// What was seen.
    pub what: String,
}

impl From<Livelock> for Violation {
    fn from(livelock: Livelock) -> Self {
        Self {
            node: livelock.node,
            check: "time passes",
            what: format!(
                "its tasks were polled {} times at one instant, the last time {}",
                livelock.polls, livelock.task
            ),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}: {}: {}", self.node, self.check, self.what)
    }
}
