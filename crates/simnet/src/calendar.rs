//! What is underway, by when it happens. Memory follows the peak of it: buffers go from windows that are over to new ones.

use std::collections::BTreeMap;

use crate::event::{Event, Header, Kind, Record};
use crate::{NodeId, Time};

/// Where an event stands among those of its window, and where its record lies: 32 bits of node, 64 of time, 32 of location. One
/// integer, for a window's events are sorted by node and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u128);

impl Place {
    const fn new(time: Time, dest: NodeId, location: u32) -> Self {
        Self((dest as u128) << 96 | (time.as_nanos() as u128) << 32 | location as u128)
    }

    pub(crate) const fn dest(self) -> NodeId {
        (self.0 >> 96) as NodeId
    }

    pub(crate) const fn time(self) -> Time {
        Time::from_nanos((self.0 >> 32) as u64)
    }

    /// Node and time.
    pub(crate) const fn instant(self) -> u128 {
        self.0 >> 32
    }

    const fn location(self) -> u32 {
        self.0 as u32
    }

    /// A wake says no more than its place does.
    pub(crate) const fn is_wake(self) -> bool {
        self.location() == WAKE
    }
}

/// The location of an event without a record.
const WAKE: u32 = u32::MAX;

/// Bytes of an arena.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    chunk: u32,
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) const fn len(self) -> u32 {
        self.end - self.start
    }

    /// Takes up to `length` bytes off the front.
    pub(crate) fn take(&mut self, length: usize) -> Self {
        let mut front = *self;
        let rest = self.len() as usize;
        front.end = self.start + length.min(rest) as u32;
        self.start = front.end;
        front
    }
}

/// A chunk of an arena; a record lies in one chunk, and one that is longer has a chunk of its own.
const CHUNK: usize = 16 << 10;

/// Records begin at multiples of this many bytes.
const ALIGN: usize = 8;

/// Buffers that no window uses at present.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    chunks: Vec<Vec<u8>>,
    places: Vec<Vec<Place>>,
}

impl Pool {
    fn chunk(&mut self, length: usize) -> Vec<u8> {
        let spare = if length > CHUNK {
            None
        } else {
            self.chunks.pop()
        };
        spare.unwrap_or_else(|| Vec::with_capacity(length.max(CHUNK)))
    }

    /// Takes the buffers of a window that is over.
    pub(crate) fn recycle(&mut self, window: Window) {
        let Window {
            mut places,
            mut chunks,
        } = window;
        if places.capacity() > 0 {
            places.clear();
            self.places.push(places);
        }
        chunks.retain(|chunk| chunk.len() <= CHUNK);
        chunks.iter_mut().for_each(Vec::clear);
        self.chunks.append(&mut chunks);
    }
}

/// All events of a span of time, and the bytes that they carry.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) places: Vec<Place>,
    chunks: Vec<Vec<u8>>,
}

impl Window {
    pub(crate) fn push_wake(&mut self, pool: &mut Pool, time: Time, dest: NodeId) {
        self.push_place(pool, Place::new(time, dest, WAKE));
    }

    pub(crate) fn push(
        &mut self,
        pool: &mut Pool,
        time: Time,
        dest: NodeId,
        record: &Record,
        payload: &[u8],
    ) {
        let length = (Record::BYTES + payload.len()).next_multiple_of(ALIGN);
        let has_room = |chunk: &Vec<u8>| chunk.len() + length <= CHUNK;
        if !self.chunks.last().is_some_and(has_room) {
            self.chunks.push(pool.chunk(length));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let start = chunk.len();
        chunk.extend_from_slice(&record.encode());
        chunk.extend_from_slice(payload);
        chunk.resize(start + length, 0);
        let location = (number * CHUNK + start) / ALIGN;
        assert!(location < WAKE as usize, "a window carries 32 GiB at most");
        self.push_place(pool, Place::new(time, dest, location as u32));
    }

    fn push_place(&mut self, pool: &mut Pool, place: Place) {
        if self.places.capacity() == 0
            && let Some(spare) = pool.places.pop()
        {
            self.places = spare;
        }
        self.places.push(place);
    }

    pub(crate) fn event(&self, place: Place) -> Event {
        let (time, dest) = (place.time(), place.dest());
        if place.is_wake() {
            return Event {
                time,
                dest,
                source: dest,
                order: 0,
                kind: Kind::Wake,
                header: Header::default(),
                payload: Span::default(),
            };
        }
        let at = place.location() as usize * ALIGN;
        let (chunk, start) = (at / CHUNK, at % CHUNK);
        let record = self.chunks[chunk][start..].first_chunk();
        let record = Record::decode(record.expect("a place leads to a record"));
        let start = (start + Record::BYTES) as u32;
        Event {
            time,
            dest,
            source: record.source,
            order: record.order,
            kind: record.kind,
            header: record.header,
            payload: Span {
                chunk: chunk as u32,
                start,
                end: start + record.length,
            },
        }
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        &self.chunks[span.chunk as usize][span.start as usize..span.end as usize]
    }

    pub(crate) fn payload(&self, event: &Event) -> &[u8] {
        match event.payload.len() {
            0 => &[],
            _ => self.bytes(event.payload),
        }
    }

    /// In no particular order.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        self.places.iter().map(|place| self.event(*place))
    }

    /// Moves the events from `time` on behind the others; how many come before.
    pub(crate) fn move_later_to_the_end(&mut self, time: Time) -> usize {
        let mut early = 0;
        for at in 0..self.places.len() {
            if self.places[at].time() < time {
                self.places.swap(early, at);
                early += 1;
            }
        }
        early
    }

    /// Payload bytes of streams that wait here.
    pub(crate) fn data_bytes(&self) -> u64 {
        let data = self.events().filter(|event| event.kind == Kind::Data);
        data.map(|event| u64::from(event.payload.len())).sum()
    }

    /// Copies one event, with what it carries, to another window.
    fn copy_to(&self, place: Place, window: &mut Self, pool: &mut Pool) {
        let event = self.event(place);
        if event.kind == Kind::Wake {
            window.push_wake(pool, event.time, event.dest);
            return;
        }
        let record = Record {
            source: event.source,
            order: event.order,
            kind: event.kind,
            length: event.payload.len(),
            header: event.header,
        };
        window.push(pool, event.time, event.dest, &record, self.payload(&event));
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
    overflow: BTreeMap<u64, Window>,
    pub(crate) pool: Pool,
}

impl Calendar {
    pub(crate) fn new(length: u64) -> Self {
        assert!(length > 0, "a window has a length");
        Self {
            length,
            base: 0,
            ring: (0..RING).map(|_| Window::default()).collect(),
            overflow: BTreeMap::new(),
            pool: Pool::default(),
        }
    }

    /// The window into which an event at `time` belongs, and where its buffers come from.
    fn window(&mut self, time: Time) -> (&mut Window, &mut Pool) {
        let index = time.as_nanos() / self.length;
        debug_assert!(index >= self.base, "an event belongs to the future");
        let window = if index - self.base < RING {
            &mut self.ring[(index % RING) as usize]
        } else {
            self.overflow.entry(index).or_default()
        };
        (window, &mut self.pool)
    }

    pub(crate) fn push(&mut self, time: Time, dest: NodeId, record: &Record, payload: &[u8]) {
        let (window, pool) = self.window(time);
        window.push(pool, time, dest, record, payload);
    }

    pub(crate) fn push_wake(&mut self, time: Time, dest: NodeId) {
        let (window, pool) = self.window(time);
        window.push_wake(pool, time, dest);
    }

    /// Takes in what other shards' nodes sent.
    pub(crate) fn import(&mut self, sent: Window) {
        for place in &sent.places {
            let (window, pool) = self.window(place.time());
            sent.copy_to(*place, window, pool);
        }
        self.pool.recycle(sent);
    }

    /// The index of the first window that holds an event.
    pub(crate) fn next(&self) -> Option<u64> {
        (self.base..self.base + RING)
            .find(|index| !self.ring[(index % RING) as usize].places.is_empty())
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
            let slot = &mut self.ring[(*entry.key() % RING) as usize];
            debug_assert!(slot.places.is_empty(), "a window is in one place only");
            *slot = entry.remove();
        }
        std::mem::take(&mut self.ring[(index % RING) as usize])
    }

    /// Gives back a window whose first `handled` events are over; the others, if any, stay for later.
    pub(crate) fn put_back(&mut self, index: u64, mut window: Window, handled: usize) {
        if handled < window.places.len() {
            window.places.drain(..handled);
            let slot = &mut self.ring[(index % RING) as usize];
            for place in &slot.places {
                slot.copy_to(*place, &mut window, &mut self.pool);
            }
            let copied = std::mem::replace(slot, window);
            self.pool.recycle(copied);
        } else {
            self.pool.recycle(window);
        }
    }

    /// Everything underway, in no particular order.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        let windows = self.ring.iter().chain(self.overflow.values());
        windows.flat_map(Window::events)
    }

    /// Payload bytes of streams that are underway.
    pub(crate) fn data_bytes(&self) -> u64 {
        let windows = self.ring.iter().chain(self.overflow.values());
        windows.map(Window::data_bytes).sum()
    }
}

/// Windows in the ring. With windows of 10 ms it spans 2.5 s, more than nearly every latency.
const RING: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(length: usize) -> Record {
        Record {
            source: 7,
            order: 8,
            kind: Kind::Data,
            length: length as u32,
            header: Header::default(),
        }
    }

    #[test]
    fn what_is_pushed_comes_out_again_whatever_its_length() {
        let lengths = [0, 1, 100, CHUNK - Record::BYTES, CHUNK, 3 * CHUNK + 5, 9];
        let mut calendar = Calendar::new(1000);
        for (dest, length) in (0..).zip(lengths) {
            let payload = vec![dest as u8; length];
            calendar.push(Time::from_nanos(5), dest, &record(length), &payload);
            calendar.push_wake(Time::from_nanos(9), dest);
        }
        let sent: usize = lengths.iter().sum();
        assert_eq!(calendar.data_bytes(), sent as u64);
        let window = calendar.take(0);
        let events: Vec<_> = window.events().collect();
        assert_eq!(events.len(), 2 * lengths.len());
        for (dest, length) in (0..).zip(lengths) {
            let (data, wake) = (&events[2 * dest as usize], &events[2 * dest as usize + 1]);
            assert_eq!((data.dest, data.source, data.order), (dest, 7, 8));
            assert_eq!(window.payload(data), vec![dest as u8; length]);
            assert_eq!((wake.kind, wake.time), (Kind::Wake, Time::from_nanos(9)));
        }
    }

    #[test]
    fn a_window_cut_in_two_keeps_what_comes_later_and_what_was_sent_meanwhile() {
        let mut calendar = Calendar::new(1000);
        for (time, dest) in [(5, 1), (700, 2), (6, 3)] {
            calendar.push(Time::from_nanos(time), dest, &record(3), &[dest as u8; 3]);
        }
        let mut window = calendar.take(0);
        let handled = window.move_later_to_the_end(Time::from_nanos(500));
        assert_eq!(handled, 2);
        calendar.push(Time::from_nanos(600), 4, &record(3), &[4; 3]);
        calendar.put_back(0, window, handled);
        let window = calendar.take(0);
        let left: Vec<_> = window.events().collect();
        let left: Vec<_> = left
            .iter()
            .map(|event| (event.dest, window.payload(event)))
            .collect();
        assert_eq!(left, [(2, &[2; 3][..]), (4, &[4; 3][..])]);
    }

    #[test]
    fn memory_follows_the_peak_of_what_is_underway() {
        let mut calendar = Calendar::new(1000);
        for index in 0..1000 {
            calendar.push(Time::from_nanos(index * 1000), 0, &record(50), &[0; 50]);
            let window = calendar.take(index);
            let handled = window.places.len();
            calendar.put_back(index, window, handled);
        }
        assert_eq!(calendar.pool.chunks.len(), 1);
        assert_eq!(calendar.pool.places.len(), 1);
    }
}
