use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::time::Duration;

use crate::event::{Event, Kind};
use crate::{NodeId, Time};

/// How many bytes pass in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(NonZeroU64);

impl Bandwidth {
    /// So many bytes a second; `None` for zero.
    pub const fn per_second(bytes: u64) -> Option<Self> {
        match NonZeroU64::new(bytes) {
            Some(bytes) => Some(Self(bytes)),
            None => None,
        }
    }

    /// Bytes a second.
    pub const fn as_bytes_per_second(self) -> u64 {
        self.0.get()
    }

    /// How long so many bytes take, rounded up to whole nanoseconds.
    pub const fn time_of(self, bytes: u32) -> Duration {
        Duration::from_nanos((bytes as u64 * 1_000_000_000).div_ceil(self.0.get()))
    }
}

/// What a node's own line to the network carries in each direction, shared by all of its streams. `None`: anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// From the node to the others.
    pub up: Option<Bandwidth>,
    /// From the others to the node.
    pub down: Option<Bandwidth>,
}

/// A line that passes segments in the order in which they come, at a bandwidth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    /// When it has passed all that has come so far.
    free: Time,
}

impl Line {
    /// Passes a segment whose first byte comes at `first` and the last at `last`; when they leave. Bytes leave as they come if nothing is before
    /// them, so a segment alone takes as long as the slowest of several lines in a row takes.
    pub(crate) fn pass(
        &mut self,
        (first, last): (Time, Time),
        bytes: u32,
        bandwidth: Bandwidth,
    ) -> (Time, Time) {
        let first = first.max(self.free);
        self.free = (first + bandwidth.time_of(bytes)).max(last);
        (first, self.free)
    }
}

/// What a node keeps if some bandwidth is limited.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) up: Line,
    pub(crate) down: Line,
    /// The links to other nodes.
    pub(crate) links: BTreeMap<NodeId, Line>,
    /// Segments that the node's downlink has begun to pass, in order, each at the time when it is through.
    pub(crate) arriving: VecDeque<(Event, Box<[u8]>)>,
}

impl Lines {
    /// Data bytes that the downlink has not passed yet.
    pub(crate) fn data_bytes(&self) -> u64 {
        let arriving = self.arriving.iter();
        let bytes = arriving.map(|(event, _)| u64::from(event.record.data_bytes()));
        bytes.sum()
    }

    /// Datagrams that the downlink has not passed yet.
    pub(crate) fn datagrams(&self) -> u64 {
        let arriving = self.arriving.iter();
        let kinds = arriving.map(|(event, _)| event.record.kind);
        kinds.filter(|kind| *kind == Kind::Datagram).count() as u64
    }
}
