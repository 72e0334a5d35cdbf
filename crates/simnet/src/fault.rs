use crate::{NodeId, Time};

/// The dated faults of a run: data, so that they can be printed, replayed and made fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// In any order; the network sorts what it needs sorted.
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
}

impl Fault {
    /// When the fault begins.
    pub const fn at(&self) -> Time {
        match self {
            Self::Partition { at, .. } | Self::Cut { at, .. } => *at,
        }
    }

    /// When the network is whole again as far as this fault is concerned; `None`: never.
    pub const fn healed(&self) -> Option<Time> {
        match self {
            Self::Partition { until, .. } => *until,
            Self::Cut { at, .. } => Some(*at),
        }
    }
}
