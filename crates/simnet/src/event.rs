use crate::{NodeId, Time};

/// Something that happens to one node. 32 plain bytes: what it carries lies in the arena of its window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) time: Time,
    pub(crate) dest: NodeId,
    pub(crate) source: NodeId,
    /// The source's own counter: orders what one node sends to another for the same instant.
    pub(crate) order: u32,
    pub(crate) kind: Kind,
    /// Where the segment begins in the arena, in units of 8 bytes.
    offset: u32,
    /// Bytes of payload behind the segment's header.
    pub(crate) length: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Nothing happens but that the node is run: one of its timers is due.
    Wake,
    /// A scheduled fault resets every stream to the node in the header's word.
    Cut,
    Syn,
    SynAck,
    Refuse,
    Data,
    Fin,
    Credit,
    Reset,
}

/// The source of scheduled faults, which come before everything else at their instant.
pub(crate) const FAULT: NodeId = NodeId::MAX;

/// Which stream a segment belongs to and which place it has in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Header {
    /// The receiver's slot and its generation, for a slot is used again.
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    /// The place among the segments of its direction.
    pub(crate) sequence: u32,
    /// By kind: the port (Syn), credit in bytes (Credit), the node behind the link (Cut).
    pub(crate) word: u32,
    /// The sender's slot and its generation, so that answers find it.
    pub(crate) from_slot: u32,
    pub(crate) from_generation: u32,
}

const HEADER_BYTES: usize = 24;

/// All events of a span of time, and the bytes that they carry.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) events: Vec<Event>,
    arena: Vec<u8>,
}

impl Window {
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one event, in order"
    )]
    pub(crate) fn push(
        &mut self,
        time: Time,
        dest: NodeId,
        source: NodeId,
        order: u32,
        kind: Kind,
        header: Header,
        payload: &[u8],
    ) {
        let start = self.arena.len();
        let offset = u32::try_from(start / 8).expect("a window carries less than 32 GiB");
        if kind != Kind::Wake {
            let mut bytes = [0; HEADER_BYTES];
            bytes[0..4].copy_from_slice(&header.slot.to_le_bytes());
            bytes[4..8].copy_from_slice(&header.generation.to_le_bytes());
            bytes[8..12].copy_from_slice(&header.sequence.to_le_bytes());
            bytes[12..16].copy_from_slice(&header.word.to_le_bytes());
            bytes[16..20].copy_from_slice(&header.from_slot.to_le_bytes());
            bytes[20..24].copy_from_slice(&header.from_generation.to_le_bytes());
            self.arena.extend_from_slice(&bytes);
            self.arena.extend_from_slice(payload);
            // The next segment begins at a multiple of 8.
            let padded = self.arena.len().next_multiple_of(8);
            self.arena.resize(padded, 0);
        }
        self.events.push(Event {
            time,
            dest,
            source,
            order,
            kind,
            offset,
            length: u32::try_from(payload.len()).expect("a segment is at most 4 GiB"),
        });
    }

    pub(crate) fn header(&self, event: &Event) -> Header {
        let start = event.offset as usize * 8;
        let word = |at: usize| {
            let bytes = &self.arena[start + at..start + at + 4];
            u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        Header {
            slot: word(0),
            generation: word(4),
            sequence: word(8),
            word: word(12),
            from_slot: word(16),
            from_generation: word(20),
        }
    }

    pub(crate) fn payload(&self, event: &Event) -> &[u8] {
        &self.arena[self.payload_range(event)]
    }

    pub(crate) fn payload_range(&self, event: &Event) -> std::ops::Range<usize> {
        let start = event.offset as usize * 8 + HEADER_BYTES;
        start..start + event.length as usize
    }

    /// Bytes of the arena, for a reader that was told their range.
    pub(crate) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.arena[range]
    }

    /// Moves the events from `time` on behind the others; how many come before.
    pub(crate) fn move_later_to_the_end(&mut self, time: Time) -> usize {
        let mut early = 0;
        for at in 0..self.events.len() {
            if self.events[at].time < time {
                self.events.swap(early, at);
                early += 1;
            }
        }
        early
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.arena.clear();
    }

    /// Payload bytes of streams that wait here.
    pub(crate) fn data_bytes(&self) -> u64 {
        data_bytes(self.events.iter())
    }

    /// Moves one event, with what it carries, to another window.
    pub(crate) fn copy_to(&self, event: &Event, window: &mut Self) {
        let (header, payload) = match event.kind {
            Kind::Wake => (Header::default(), &[][..]),
            _ => (self.header(event), self.payload(event)),
        };
        window.push(
            event.time,
            event.dest,
            event.source,
            event.order,
            event.kind,
            header,
            payload,
        );
    }
}

/// The calendar of a shard: windows of one length, the next few in a ring, what lies beyond in an ordered overflow.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// The length of a window, in nanoseconds.
    length: u64,
    /// The index of the first window that the ring holds; every earlier one is over.
    base: u64,
    ring: Vec<Window>,
    overflow: std::collections::BTreeMap<u64, Window>,
    /// Emptied windows whose buffers serve again, so that memory follows the peak of what is pending.
    spare: Vec<Window>,
}

impl Calendar {
    pub(crate) fn new(length: u64) -> Self {
        assert!(length > 0, "a window has a length");
        Self {
            length,
            base: 0,
            ring: (0..RING).map(|_| Window::default()).collect(),
            overflow: std::collections::BTreeMap::new(),
            spare: Vec::new(),
        }
    }

    /// The window into which an event at `time` belongs.
    pub(crate) fn window(&mut self, time: Time) -> &mut Window {
        let index = time.as_nanos() / self.length;
        debug_assert!(index >= self.base, "an event belongs to the future");
        let window = if index - self.base < RING {
            &mut self.ring[(index % RING) as usize]
        } else {
            self.overflow.entry(index).or_default()
        };
        if window.events.capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            *window = spare;
        }
        window
    }

    /// The index of the first window that holds an event.
    pub(crate) fn next(&self) -> Option<u64> {
        (self.base..self.base + RING)
            .find(|index| !self.ring[(index % RING) as usize].events.is_empty())
            .or_else(|| self.overflow.keys().next().copied())
    }

    /// The first instant of the window `index`, and the first behind it.
    pub(crate) fn span(&self, index: u64) -> (Time, Time) {
        let edge = |index: u64| Time::from_nanos(index.saturating_mul(self.length));
        (edge(index), edge(index + 1))
    }

    /// Takes the window `index` out; the calendar goes on from there. It comes back by [`Calendar::put_back`].
    pub(crate) fn take(&mut self, index: u64) -> Window {
        debug_assert!(index >= self.base, "time does not go back");
        self.base = index;
        while let Some(entry) = self.overflow.first_entry() {
            if *entry.key() - self.base >= RING {
                break;
            }
            let at = (*entry.key() % RING) as usize;
            let window = entry.remove();
            let slot = &mut self.ring[at];
            debug_assert!(slot.events.is_empty(), "a window is in one place only");
            let emptied = std::mem::replace(slot, window);
            if emptied.events.capacity() > 0 {
                self.spare.push(emptied);
            }
        }
        std::mem::take(&mut self.ring[(index % RING) as usize])
    }

    /// Gives back a window whose first `handled` events are over; the others, if any, stay for later.
    pub(crate) fn put_back(&mut self, index: u64, mut window: Window, handled: usize) {
        if handled < window.events.len() {
            window.events.drain(..handled);
            let slot = &mut self.ring[(index % RING) as usize];
            for event in &slot.events {
                slot.copy_to(event, &mut window);
            }
            *slot = window;
        } else {
            window.clear();
            self.spare.push(window);
        }
    }

    /// Everything underway, in no particular order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        let windows = self.ring.iter().chain(self.overflow.values());
        windows.flat_map(|window| &window.events)
    }

    /// Payload bytes of streams that are underway.
    pub(crate) fn data_bytes(&self) -> u64 {
        data_bytes(self.events())
    }
}

fn data_bytes<'a>(events: impl Iterator<Item = &'a Event>) -> u64 {
    let data = events.filter(|event| event.kind == Kind::Data);
    data.map(|event| u64::from(event.length)).sum()
}

/// Windows in the ring. With windows of 10 ms it spans 2.5 s, more than nearly every latency.
const RING: u64 = 256;
