use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use crate::{DiskFailure, Impairment, LinkSet, NodeId, Time};

/// The dated faults of a run: data, so that they can be printed, replayed and made fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// In any order; the network sorts what it needs sorted. Of two faults of one node at one instant the first named comes first.
    pub faults: Vec<Fault>,
}

/// Schedules are put together fault by fault. What lasts is given a range of times: `at..until`, or `at..` for ever.
///
/// ```
/// use simnet::{Impairment, Probability, LinkSet, Schedule, Time};
///
/// let s = Time::from_secs;
/// let rain = Impairment::Lose(Probability::from_ppm(300_000));
/// let schedule = Schedule::default()
///     .partition(s(1)..s(4), [vec![0, 1], vec![2, 3]])
///     .impair(s(2)..s(3), LinkSet::All, rain)
///     .impair(s(5).., LinkSet::Between(vec![0], vec![1]), Impairment::Block)
///     .crash(s(6), 2)
///     .restart(s(8), 2);
/// assert_eq!(schedule.faults.len(), 5);
/// ```
impl Schedule {
    /// The same and one more.
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The same and a [`Fault::Partition`].
    pub fn partition(
        self,
        during: impl RangeBounds<Time>,
        groups: impl IntoIterator<Item = Vec<NodeId>>,
    ) -> Self {
        let (at, until) = span(&during);
        let groups = groups.into_iter().collect();
        self.with(Fault::Partition { at, until, groups })
    }

    /// The same and a [`Fault::Impair`].
    pub fn impair(
        self,
        during: impl RangeBounds<Time>,
        links: LinkSet,
        impairment: Impairment,
    ) -> Self {
        let (at, until) = span(&during);
        self.with(Fault::Impair {
            at,
            until,
            links,
            impairment,
        })
    }

    /// The same and a [`Fault::Cut`].
    pub fn cut(self, at: Time, between: (NodeId, NodeId)) -> Self {
        self.with(Fault::Cut { at, between })
    }

    /// The same and a [`Fault::Join`].
    pub fn join(self, at: Time, node: NodeId) -> Self {
        self.with(Fault::Join { at, node })
    }

    /// The same and a [`Fault::Leave`].
    pub fn leave(self, at: Time, node: NodeId) -> Self {
        self.with(Fault::Leave { at, node })
    }

    /// The same and a [`Fault::Crash`].
    pub fn crash(self, at: Time, node: NodeId) -> Self {
        self.with(Fault::Crash { at, node })
    }

    /// The same and a [`Fault::Restart`].
    pub fn restart(self, at: Time, node: NodeId) -> Self {
        self.with(Fault::Restart { at, node })
    }

    /// The same and a [`Fault::ClockJump`].
    pub fn jump(self, at: Time, node: NodeId, by_ns: i64) -> Self {
        self.with(Fault::ClockJump { at, node, by_ns })
    }

    /// The same and a [`Fault::ClockDrift`].
    pub fn drift(self, during: impl RangeBounds<Time>, node: NodeId, ppm: i32) -> Self {
        let (at, until) = span(&during);
        self.with(Fault::ClockDrift {
            at,
            until,
            node,
            ppm,
        })
    }

    /// The same and a [`Fault::LoseDisk`].
    pub fn lose_disk(self, at: Time, node: NodeId) -> Self {
        self.with(Fault::LoseDisk { at, node })
    }

    /// The same and a [`Fault::FailDisk`].
    pub fn fail_disk(
        self,
        during: impl RangeBounds<Time>,
        nodes: Vec<NodeId>,
        failure: DiskFailure,
    ) -> Self {
        let (at, until) = span(&during);
        self.with(Fault::FailDisk {
            at,
            until,
            nodes,
            failure,
        })
    }
}

/// The first instant of a range of times, and the one with which it is over.
fn span(during: &impl RangeBounds<Time>) -> (Time, Option<Time>) {
    let next = |time: &Time| *time + Duration::from_nanos(1);
    let at = match during.start_bound() {
        Bound::Included(at) => *at,
        Bound::Excluded(before) => next(before),
        Bound::Unbounded => Time::ZERO,
    };
    let until = match during.end_bound() {
        Bound::Included(last) => Some(next(last)),
        Bound::Excluded(until) => Some(*until),
        Bound::Unbounded => None,
    };
    (at, until)
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
    /// All that the node's disk holds is gone: before a [`Fault::Restart`] it comes back with an empty one. A process that is running finds its files gone.
    LoseDisk {
        /// When.
        at: Time,
        /// Whose disk.
        node: NodeId,
    },
    /// From `at` (included) to `until` (excluded; `None`: for ever) the disks of some nodes fail in some way.
    FailDisk {
        /// When it begins.
        at: Time,
        /// When it is over.
        until: Option<Time>,
        /// Whose disks.
        nodes: Vec<NodeId>,
        /// In what way.
        failure: DiskFailure,
    },
    /// The node's wall clock ([`Host::wall`](crate::Host::wall)) is set, by somebody or by another machine. [`Host::now`](crate::Host::now) does not see it.
    ClockJump {
        /// When.
        at: Time,
        /// Whose clock.
        node: NodeId,
        /// By so many nanoseconds; back if it is less than zero.
        by_ns: i64,
    },
    /// From `at` (included) to `until` (excluded; `None`: for ever) the node's clocks go too fast or too slow, and with them whatever waits for a time there. Drifts that overlap add
    /// up; a clock goes at no less than a thousandth of the true pace.
    ClockDrift {
        /// When it begins.
        at: Time,
        /// When it is over. What the clock is off then it stays.
        until: Option<Time>,
        /// Whose clocks.
        node: NodeId,
        /// By so many millionths; too slow if it is less than zero. A quartz is off by some 50, that of a virtual machine which is moved by far more for a while.
        ppm: i32,
    },
    /// From `at` (included) to `until` (excluded; `None`: for ever) some links are worse than they are. What is sent meets what there is when it leaves
    /// its sender's lines.
    Impair {
        /// When it begins.
        at: Time,
        /// When it is over.
        until: Option<Time>,
        /// Which links.
        links: LinkSet,
        /// In what way.
        impairment: Impairment,
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
            | Self::Restart { at, .. }
            | Self::LoseDisk { at, .. }
            | Self::FailDisk { at, .. }
            | Self::ClockJump { at, .. }
            | Self::ClockDrift { at, .. }
            | Self::Impair { at, .. } => *at,
        }
    }

    /// The same fault, so much later.
    #[must_use]
    pub fn later(mut self, by: Duration) -> Self {
        match &mut self {
            Self::Partition { at, until, .. }
            | Self::Impair { at, until, .. }
            | Self::FailDisk { at, until, .. }
            | Self::ClockDrift { at, until, .. } => {
                *at += by;
                *until = until.map(|until| until + by);
            }
            Self::Cut { at, .. }
            | Self::Join { at, .. }
            | Self::Leave { at, .. }
            | Self::Crash { at, .. }
            | Self::Restart { at, .. }
            | Self::LoseDisk { at, .. }
            | Self::ClockJump { at, .. } => *at += by,
        }
        self
    }

    /// When the network is whole again as far as this fault is concerned; `None`: never. A node that leaves or crashes comes back by another
    /// fault, if at all.
    pub const fn healed(&self) -> Option<Time> {
        match self {
            Self::Partition { until, .. }
            | Self::Impair { until, .. }
            | Self::FailDisk { until, .. }
            | Self::ClockDrift { until, .. } => *until,
            Self::Cut { at, .. }
            | Self::Join { at, .. }
            | Self::Restart { at, .. }
            | Self::LoseDisk { at, .. }
            | Self::ClockJump { at, .. } => Some(*at),
            Self::Leave { .. } | Self::Crash { .. } => None,
        }
    }
}
