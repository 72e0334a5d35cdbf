use std::collections::{BTreeMap, VecDeque};

use crate::draw::{Purpose, draw, mix};
use crate::event::Kind;
use crate::{NodeId, StreamModel, Time};

/// One end of a stream. There are many of them, and every event touches one: it fills a line of the cache, and what only slow readers and
/// lossy links need lies aside.
#[repr(align(64))]
pub(crate) struct End {
    pub(crate) peer: NodeId,
    /// The other end's slot and its generation, once known. A free slot has the next free one here.
    pub(crate) peer_slot: u32,
    pub(crate) peer_generation: u32,
    pub(crate) generation: u32,
    /// The next place in the order of segments that this end sends, and of those it expects.
    pub(crate) send_sequence: u32,
    pub(crate) receive_sequence: u32,
    /// How many bytes this end may send, and how many it has read without saying so.
    pub(crate) credit: u32,
    pub(crate) unreturned: u32,
    pub(crate) reader: Waiter,
    pub(crate) writer: Waiter,
    pub(crate) state: State,
    /// The other end has said that nothing more comes.
    pub(crate) ended: bool,
    pub(crate) writer_is: WriterIs,
    /// Its node may keep something [`Aside`](crate::node::Aside) for it.
    pub(crate) has_aside: bool,
    /// Stable identity of this direction: the owner of its draws.
    pub(crate) owner: u64,
    /// Bytes that its writer has handed over; what does not fit is counted with the streams of the past.
    pub(crate) accepted: u32,
    /// Nothing sent later arrives earlier.
    pub(crate) last_arrival: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The slot serves no stream.
    Free,
    Connecting,
    Open,
    Refused,
    Reset,
    TimedOut,
}

/// What this end's writer may do yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriterIs {
    Writing,
    /// It has said that nothing more comes.
    Finished,
    /// The application has let go of the end, which lives on until what it sent has got through.
    Gone,
    /// The same, by the end of its process; but what that kept of the end is still there, and until it is dropped the slot is not free.
    Orphaned,
}

/// Who waits for one direction: a task of the node, a foreign waker kept aside, or nobody. An integer, for a waker takes 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter(u32);

impl Waiter {
    pub(crate) const NOBODY: Self = Self(u32::MAX);
    pub(crate) const FOREIGN: Self = Self(u32::MAX - 1);

    pub(crate) const fn task(slot: u32) -> Self {
        assert!(
            slot < Self::FOREIGN.0,
            "a node has less than 2^32 - 2 tasks"
        );
        Self(slot)
    }

    pub(crate) const fn slot(self) -> u32 {
        self.0
    }
}

/// Bytes that wait for their reader.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    pub(crate) bytes: Vec<u8>,
    pub(crate) read: usize,
}

/// What a stream keeps when segments get lost or overtake each other.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// Segments that were lost and will be sent again, the earliest first.
    pub(crate) lost: VecDeque<Segment>,
    /// When the first of them had first left.
    pub(crate) since: Time,
    /// When its last transmission had left.
    pub(crate) left: Time,
    /// Transmissions of the first one.
    pub(crate) attempts: u32,
    /// Whether a retransmission is due at some time.
    pub(crate) armed: bool,
    /// Segments that have arrived before an earlier one.
    pub(crate) early: BTreeMap<u32, (Kind, Vec<u8>)>,
}

/// A segment kept for another transmission.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) kind: Kind,
    pub(crate) sequence: u32,
    pub(crate) word: u32,
    pub(crate) payload: Box<[u8]>,
    /// Transmissions so far.
    pub(crate) attempt: u32,
}

const STREAM: Purpose = Purpose::new("simnet.stream");

/// The draw owner of one direction of a stream. `dial` tells it from other streams of the pair that the same node dialled.
pub(crate) const fn owner(
    seed: u64,
    source: NodeId,
    dest: NodeId,
    dialler: NodeId,
    dial: u64,
) -> u64 {
    let link = ((source as u64) << 32) | dest as u64;
    draw(seed, STREAM, link, mix(dial ^ dialler as u64))
}

impl End {
    pub(crate) fn new(
        peer: NodeId,
        generation: u32,
        state: State,
        model: &StreamModel,
        owner: u64,
    ) -> Self {
        Self {
            peer,
            peer_slot: 0,
            peer_generation: 0,
            generation,
            send_sequence: 0,
            receive_sequence: 0,
            credit: model.window,
            unreturned: 0,
            reader: Waiter::NOBODY,
            writer: Waiter::NOBODY,
            state,
            ended: false,
            writer_is: WriterIs::Writing,
            has_aside: false,
            owner,
            accepted: 0,
            last_arrival: Time::ZERO,
        }
    }

    /// Whether nobody reads what arrives here, and nobody writes.
    pub(crate) const fn is_let_go(&self) -> bool {
        matches!(self.writer_is, WriterIs::Gone | WriterIs::Orphaned)
    }
}

impl Trouble {
    /// Data bytes that are kept: lost ones to be sent again, and ones that arrived too early.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let lost = self.lost.iter();
        let lost = lost.filter(|segment| segment.kind == Kind::Data);
        let lost: usize = lost.map(|segment| segment.payload.len()).sum();
        let early: usize = self.early.values().map(|(_, bytes)| bytes.len()).sum();
        (lost + early) as u64
    }

    /// Whether there is none left.
    pub(crate) fn is_over(&self) -> bool {
        self.lost.is_empty() && self.early.is_empty() && !self.armed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_small() {
        // A million nodes have eight million of them.
        assert_eq!(size_of::<End>(), 64);
        assert_eq!(size_of::<crate::executor::TaskSlot>(), 32);
        assert!(
            size_of::<crate::node::Node>() <= 256,
            "{}",
            size_of::<crate::node::Node>()
        );
    }
}
