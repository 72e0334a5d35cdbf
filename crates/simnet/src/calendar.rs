//! What is underway, by when it happens. Memory follows the peak of it: buffers go from windows that are over to new ones.

use std::collections::BTreeMap;

use crate::event::{Event, Kind, Record};
use crate::{NodeId, Time};

/// What decides where an event stands among those of its window, and where the rest of it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) time: Time,
    pub(crate) dest: NodeId,
    pub(crate) source: NodeId,
    /// The source's own counter: orders what one node sends to another for the same instant.
    pub(crate) order: u32,
    location: u32,
}

impl Place {
    /// Node and time.
    pub(crate) const fn instant(self) -> u128 {
        (self.dest as u128) << 64 | self.time.as_nanos() as u128
    }

    /// Nothing happens but that the node is run, as one of its timers is due.
    pub(crate) const fn is_wake(self) -> bool {
        self.location == WAKE
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
const CHUNK: usize = 4 << 10;

/// Places in a chunk of them.
const PLACES: usize = 32;

/// Records begin at multiples of this many bytes.
const ALIGN: usize = 8;

/// Buffers that no window uses at present. They are as many as were used at the peak, and kept for the next one.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    chunks: Vec<Box<[u8]>>,
    places: Vec<Vec<Place>>,
}

impl Pool {
    fn chunk(&mut self) -> Box<[u8]> {
        let spare = self.chunks.pop();
        spare.unwrap_or_else(|| [0; CHUNK].into())
    }

    fn places(&mut self) -> Vec<Place> {
        let spare = self.places.pop();
        spare.unwrap_or_else(|| Vec::with_capacity(PLACES))
    }

    /// Takes the buffers of a window that is over.
    pub(crate) fn recycle(&mut self, window: Window) {
        let chunks = window.chunks.into_iter();
        self.chunks
            .extend(chunks.filter(|chunk| chunk.len() == CHUNK));
        self.recycle_places(window.places);
    }

    fn recycle_places(&mut self, mut places: Vec<Vec<Place>>) {
        places.iter_mut().for_each(Vec::clear);
        self.places.append(&mut places);
    }
}

/// All events of a span of time, and the bytes that they carry.
#[derive(Debug, Default)]
pub(crate) struct Window {
    places: Vec<Vec<Place>>,
    chunks: Vec<Box<[u8]>>,
    /// Bytes of the last chunk that are taken.
    taken: usize,
}

impl Window {
    fn push_wake(&mut self, pool: &mut Pool, time: Time, dest: NodeId) {
        let place = Place {
            time,
            dest,
            source: dest,
            order: 0,
            location: WAKE,
        };
        self.push_place(pool, place);
    }

    pub(crate) fn push(&mut self, pool: &mut Pool, event: &Event, payload: &[u8]) {
        let length = (Record::BYTES + payload.len()).next_multiple_of(ALIGN);
        let record = event.record.encode();
        if length > CHUNK {
            self.chunks.push([&record, payload].concat().into());
            self.taken = 0;
        } else {
            if self.chunks.is_empty() || self.taken + length > CHUNK {
                self.chunks.push(pool.chunk());
                self.taken = 0;
            }
            let last = self.chunks.len() - 1;
            let free = &mut self.chunks[last][self.taken..];
            let (front, behind) = free.split_at_mut(Record::BYTES);
            front.copy_from_slice(&record);
            behind[..payload.len()].copy_from_slice(payload);
        }
        let location = ((self.chunks.len() - 1) * CHUNK + self.taken) / ALIGN;
        assert!(location < WAKE as usize, "a window carries 32 GiB at most");
        self.taken += length;
        let place = Place {
            time: event.time,
            dest: event.dest,
            source: event.source,
            order: event.order,
            location: location as u32,
        };
        self.push_place(pool, place);
    }

    /// Keeps bytes that belong to none of its events.
    pub(crate) fn keep(&mut self, bytes: Box<[u8]>) -> Span {
        let end = u32::try_from(bytes.len()).expect("a segment is at most 4 GiB");
        let chunk = u32::try_from(self.chunks.len()).expect("a window carries 32 GiB at most");
        self.chunks.push(bytes);
        // The next record gets a chunk of its own.
        self.taken = CHUNK;
        Span {
            chunk,
            start: 0,
            end,
        }
    }

    fn push_place(&mut self, pool: &mut Pool, place: Place) {
        match self.places.last_mut() {
            Some(last) if last.len() < PLACES => last.push(place),
            _ => {
                let mut places = pool.places();
                places.push(place);
                self.places.push(places);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// In no particular order.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten()
    }

    /// The event that has this place, and where its payload lies; `None`: a wake.
    pub(crate) fn event(&self, place: Place) -> Option<(Event, Span)> {
        if place.is_wake() {
            return None;
        }
        let at = place.location as usize * ALIGN;
        let (chunk, start) = (at / CHUNK, at % CHUNK);
        let record = self.chunks[chunk][start..].first_chunk();
        let record = Record::decode(record.expect("a place leads to a record"));
        let start = (start + Record::BYTES) as u32;
        let payload = Span {
            chunk: chunk as u32,
            start,
            end: start + record.length,
        };
        let event = Event {
            time: place.time,
            dest: place.dest,
            source: place.source,
            order: place.order,
            record,
        };
        Some((event, payload))
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        &self.chunks[span.chunk as usize][span.start as usize..span.end as usize]
    }

    /// Takes the places before `end` out; the records stay.
    fn take_places(&mut self, pool: &mut Pool, end: Time, taken: &mut Vec<Place>) {
        let places = std::mem::take(&mut self.places);
        for place in places.iter().flatten() {
            if place.time < end {
                taken.push(*place);
            } else {
                self.push_place(pool, *place);
            }
        }
        pool.recycle_places(places);
    }

    /// Payload bytes of streams that wait here.
    pub(crate) fn data_bytes(&self) -> u64 {
        let places = self.places();
        places.map(|place| self.data_bytes_of(*place)).sum()
    }

    /// Payload bytes of one event, if it is a stream's.
    pub(crate) fn data_bytes_of(&self, place: Place) -> u64 {
        let event = self.event(place);
        event.map_or(0, |(event, _)| u64::from(event.record.data_bytes()))
    }

    /// Datagrams that wait here.
    pub(crate) fn datagrams(&self) -> u64 {
        let places = self.places();
        places.map(|place| self.datagrams_of(*place)).sum()
    }

    /// 1 for a datagram, 0 for any other event.
    pub(crate) fn datagrams_of(&self, place: Place) -> u64 {
        let event = self.event(place);
        u64::from(event.is_some_and(|(event, _)| event.record.kind == Kind::Datagram))
    }

    /// Copies one event, with what it carries, to another window.
    fn copy_to(&self, place: Place, window: &mut Self, pool: &mut Pool) {
        match self.event(place) {
            Some((event, payload)) => window.push(pool, &event, self.bytes(payload)),
            None => window.push_wake(pool, place.time, place.dest),
        }
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
    /// Events and wakes in all windows, so that nobody has to count them.
    waiting: u64,
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
            waiting: 0,
            pool: Pool::default(),
        }
    }

    /// The index of the window into which an event at `time` belongs.
    pub(crate) const fn index(&self, time: Time) -> u64 {
        time.as_nanos() / self.length
    }

    /// The window into which an event at `time` belongs, and where its buffers come from.
    fn window(&mut self, time: Time) -> (&mut Window, &mut Pool) {
        let index = self.index(time);
        debug_assert!(index >= self.base, "an event belongs to the future");
        let window = if index - self.base < RING {
            &mut self.ring[(index % RING) as usize]
        } else {
            self.overflow.entry(index).or_default()
        };
        (window, &mut self.pool)
    }

    pub(crate) fn push(&mut self, event: &Event, payload: &[u8]) {
        self.waiting += 1;
        let (window, pool) = self.window(event.time);
        window.push(pool, event, payload);
    }

    pub(crate) fn push_wake(&mut self, time: Time, dest: NodeId) {
        self.waiting += 1;
        let (window, pool) = self.window(time);
        window.push_wake(pool, time, dest);
    }

    /// Takes in what other shards' nodes sent. The window's buffers are those of the sender.
    pub(crate) fn import(&mut self, sent: &Window) {
        for place in sent.places() {
            self.waiting += 1;
            let (window, pool) = self.window(place.time);
            sent.copy_to(*place, window, pool);
        }
    }

    /// The index of the first window that holds an event.
    pub(crate) fn next(&self) -> Option<u64> {
        (self.base..self.base + RING)
            .find(|index| !self.ring[(index % RING) as usize].is_empty())
            .or_else(|| self.overflow.keys().next().copied())
    }

    /// The first instant of the window `index`, and the first behind it.
    pub(crate) fn span(&self, index: u64) -> (Time, Time) {
        let edge = |index: u64| Time::from_nanos(index.saturating_mul(self.length));
        (edge(index), edge(index + 1))
    }

    /// Takes the window `index` out, and the places of what happens in it before `end`; the calendar goes on from there. The window comes back
    /// by [`Calendar::put_back`].
    pub(crate) fn take(&mut self, index: u64, end: Time, places: &mut Vec<Place>) -> Window {
        debug_assert!(index >= self.base, "time does not go back");
        self.base = index;
        while let Some(entry) = self.overflow.first_entry() {
            if *entry.key() - self.base >= RING {
                break;
            }
            let slot = &mut self.ring[(*entry.key() % RING) as usize];
            debug_assert!(slot.is_empty(), "a window is in one place only");
            *slot = entry.remove();
        }
        let mut window = std::mem::take(&mut self.ring[(index % RING) as usize]);
        let before = places.len();
        window.take_places(&mut self.pool, end, places);
        self.waiting -= (places.len() - before) as u64;
        window
    }

    /// Gives back a window whose places that were taken are over; the others, if any, stay for later.
    pub(crate) fn put_back(&mut self, index: u64, mut window: Window) {
        if !window.is_empty() {
            let slot = &mut self.ring[(index % RING) as usize];
            for place in slot.places() {
                slot.copy_to(*place, &mut window, &mut self.pool);
            }
            std::mem::swap(slot, &mut window);
        }
        self.pool.recycle(window);
    }

    /// The places of everything underway, in no particular order.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.windows().flat_map(Window::places)
    }

    fn windows(&self) -> impl Iterator<Item = &Window> {
        self.ring.iter().chain(self.overflow.values())
    }

    /// How many events and wakes there are still to come.
    pub(crate) const fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Payload bytes of streams that are underway.
    pub(crate) fn data_bytes(&self) -> u64 {
        self.windows().map(Window::data_bytes).sum()
    }

    /// Datagrams that are underway.
    pub(crate) fn datagrams(&self) -> u64 {
        self.windows().map(Window::datagrams).sum()
    }
}

/// Windows in the ring. With windows of 10 ms it spans 2.5 s, more than nearly every latency.
const RING: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Header;

    fn push(calendar: &mut Calendar, ns: u64, dest: NodeId, length: usize) {
        let event = Event {
            time: Time::from_nanos(ns),
            dest,
            source: 7,
            order: 8,
            record: Record {
                kind: Kind::Data,
                length: length as u32,
                header: Header::default(),
            },
        };
        calendar.push(&event, &vec![dest as u8; length]);
    }

    #[test]
    fn what_is_pushed_comes_out_again_whatever_its_length() {
        let lengths = [0, 1, 100, CHUNK - Record::BYTES, CHUNK, 3 * CHUNK + 5, 9];
        let mut calendar = Calendar::new(1000);
        for (dest, length) in (0..).zip(lengths) {
            push(&mut calendar, 5, dest, length);
            calendar.push_wake(Time::from_nanos(9), dest);
        }
        let sent: usize = lengths.iter().sum();
        assert_eq!(calendar.data_bytes(), sent as u64);
        let mut places = Vec::new();
        let window = calendar.take(0, Time::MAX, &mut places);
        let (pairs, rest) = places.as_chunks();
        assert!(rest.is_empty());
        for ((dest, length), [data, wake]) in (0..).zip(lengths).zip(pairs) {
            let (event, payload) = window.event(*data).expect("it is no wake");
            assert_eq!((event.dest, event.source, event.order), (dest, 7, 8));
            assert_eq!(window.bytes(payload), vec![dest as u8; length]);
            assert_eq!((wake.dest, wake.time), (dest, Time::from_nanos(9)));
            assert!(window.event(*wake).is_none());
        }
    }

    #[test]
    fn a_window_cut_in_two_keeps_what_comes_later_and_what_was_sent_meanwhile() {
        let mut calendar = Calendar::new(1000);
        for (time, dest) in [(5, 1), (700, 2), (6, 3)] {
            push(&mut calendar, time, dest, 3);
        }
        let mut places = Vec::new();
        let window = calendar.take(0, Time::from_nanos(500), &mut places);
        assert_eq!((places.len(), calendar.waiting()), (2, 1));
        push(&mut calendar, 600, 4, 3);
        calendar.put_back(0, window);
        assert_eq!(calendar.waiting(), calendar.places().count() as u64);
        assert_eq!(calendar.waiting(), 2);
        places.clear();
        let window = calendar.take(0, Time::MAX, &mut places);
        let left = places.iter().filter_map(|place| window.event(*place));
        let left: Vec<_> = left
            .map(|(event, payload)| (event.dest, window.bytes(payload)))
            .collect();
        assert_eq!(left, [(2, &[2; 3][..]), (4, &[4; 3][..])]);
    }

    #[test]
    fn a_calendar_keeps_what_is_far_away_and_many_events_of_one_window() {
        let mut calendar = Calendar::new(1000);
        let indices = [0, RING - 1, RING, 3 * RING];
        let many = 2 * PLACES as u32 + 1;
        for index in indices {
            for dest in 0..many {
                push(&mut calendar, index * 1000 + 1, dest, 100);
            }
        }
        assert_eq!(calendar.waiting(), u64::from(4 * many));
        for index in indices {
            assert_eq!(calendar.next(), Some(index));
            let mut places = Vec::new();
            let window = calendar.take(index, Time::MAX, &mut places);
            let dests: Vec<_> = places.iter().map(|place| place.dest).collect();
            assert_eq!(dests, (0..many).collect::<Vec<_>>());
            calendar.put_back(index, window);
        }
        assert_eq!((calendar.next(), calendar.data_bytes()), (None, 0));
        assert_eq!(calendar.waiting(), 0);
    }

    #[test]
    fn buffers_go_back_to_the_shard_that_sent_them() {
        let (mut from, mut to) = (Calendar::new(1000), Calendar::new(1000));
        for index in 0..1000 {
            let mut outbox = Calendar::new(1000);
            std::mem::swap(&mut outbox.pool, &mut from.pool);
            push(&mut outbox, index * 1000, 0, 50);
            std::mem::swap(&mut outbox.pool, &mut from.pool);
            let sent = outbox.ring.swap_remove((index % RING) as usize);
            let sent = if index < RING {
                sent
            } else {
                outbox.overflow.remove(&index).expect("it is there")
            };
            to.import(&sent);
            from.pool.recycle(sent);
            let window = to.take(index, Time::MAX, &mut Vec::new());
            to.put_back(index, window);
        }
        for calendar in [from, to] {
            assert_eq!(calendar.pool.chunks.len(), 1);
            assert_eq!(calendar.pool.places.len(), 1);
        }
    }

    #[test]
    fn memory_follows_the_peak_of_what_is_underway() {
        let mut calendar = Calendar::new(1000);
        for index in 0..1000 {
            push(&mut calendar, index * 1000, 0, 50);
            let window = calendar.take(index, Time::MAX, &mut Vec::new());
            calendar.put_back(index, window);
        }
        assert_eq!(calendar.pool.chunks.len(), 1);
        assert_eq!(calendar.pool.places.len(), 1);
    }
}
