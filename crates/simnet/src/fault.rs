use crate::{NodeId, Time};

/// The dated faults of a run: data, so that they can be printed, replayed and made fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// In any order; the network sorts what it needs sorted. Of two faults of one node at one instant the first named comes first.
    pub faults: Vec<Fault>,
}

/// Something that goes wrong at a given time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// From `at` (included) to `until` (excluded; `None`: for ever) no transmission passes between two groups.
    /// Nodes that no group names form one more group together.
    Partition {
        /// When it begins.
        at: Time,
        /// When it heals.
        until: Option<Time>,
        /// Disjoint sets of nodes.
        groups: Vec<Vec<NodeId>>,
    },
    /// At `at`, every stream between the two nodes is reset at both ends, and what was in flight is gone.
    Cut {
        /// When it happens.
        at: Time,
        /// The two ends, in any order.
        between: (NodeId, NodeId),
    },
    /// The node starts for the first time. Before that there is no such machine: what is sent to it is lost without a word.
    Join {
        /// When it starts.
        at: Time,
        /// Who.
        node: NodeId,
    },
    /// The node's process exits, and its machine stays: what the node has written still arrives, its streams end as if they were dropped, and
    /// whoever dials it or speaks to it is refused.
    Leave {
        /// When it exits.
        at: Time,
        /// Who.
        node: NodeId,
    },
    /// The node's machine loses its power: everything in it is gone at once, what waits for a bandwidth of its own or of its links too, and
    /// nobody is told. What has left it is on its way; what is sent to it is lost without a word until it restarts. Then a segment of a stream that it
    /// knows nothing of is answered by a reset.
    Crash {
        /// When the power goes.
        at: Time,
        /// Who.
        node: NodeId,
    },
    /// The node starts anew after it left or crashed.
    Restart {
        /// When it starts.
        at: Time,
        /// Who.
        node: NodeId,
    },
}

impl Fault {
    /// When the fault begins.
    pub const fn at(&self) -> Time {
        match self {
            Self::Partition { at, .. }
            | Self::Cut { at, .. }
            | Self::Join { at, .. }
            | Self::Leave { at, .. }
            | Self::Crash { at, .. }
            | Self::Restart { at, .. } => *at,
        }
    }

    /// When the network is whole again as far as this fault is concerned; `None`: never. A node that leaves or crashes comes back by another
    /// fault, if at all.
    pub const fn healed(&self) -> Option<Time> {
        match self {
            Self::Partition { until, .. } => *until,
            Self::Cut { at, .. } | Self::Join { at, .. } | Self::Restart { at, .. } => Some(*at),
            Self::Leave { .. } | Self::Crash { .. } => None,
        }
    }
}
