//! Contents that `next` assembles in memory, from a peer that sends all of them side by side as the npm package does, within limits.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hash_exchange::{
    BodyError, Connection, Event, Hash, Limits, MemoryBody, OwnedEvent, ServedId, Session, Source,
    Store,
};

use crate::pipe::{End, pipe};
use crate::quirks::{ERROR, data, ending, hashes};

const LIMITS: Limits = Limits {
    body: 400_000,
    bodies: 1_000_000,
    ..Limits::DEFAULT
};

/// Keeps nothing: what is on the heap is what is assembled.
pub(crate) struct Nowhere;

impl Store for Nowhere {
    type Body = MemoryBody;

    fn contains(&self, _: &Hash) -> bool {
        false
    }

    fn open(&mut self, _: &Hash) -> Option<Source<MemoryBody>> {
        None
    }

    fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
        assert_eq!(Hash::sha1(&body), *hash);
    }
}

/// A peer that serves all that it is asked for at the same time.
struct Giver {
    io: End,
    session: Session,
    contents: BTreeMap<Hash, Vec<u8>>,
    /// Contents that it sends, and how far it has come with them.
    serving: BTreeMap<ServedId, (Hash, usize)>,
    /// It closes once it was asked for something.
    closes: bool,
    /// Hashes that it was asked for.
    asked: usize,
    /// Bytes of contents that it has sent.
    sent: usize,
}

impl Giver {
    fn new(io: End, bodies: &[Vec<u8>]) -> Self {
        let contents = bodies.iter().map(|body| (Hash::sha1(body), body.clone()));
        Self {
            io,
            session: Session::default(),
            contents: contents.collect(),
            serving: BTreeMap::new(),
            closes: false,
            asked: 0,
            sent: 0,
        }
    }

    /// Does as it was told, and sends a piece of everything.
    fn turn(&mut self) {
        let mut out = Vec::new();
        let input = self.io.take();
        let mut input = &input[..];
        while let Some(event) = self.session.receive(&mut input).unwrap() {
            match event {
                Event::Request(hashes) => {
                    let hashes: Vec<_> = hashes.iter().collect();
                    self.asked += hashes.len();
                    let found = hashes.iter().map(|hash| (hash.clone(), None));
                    let answer = self.session.respond(found, &mut out).unwrap();
                    let served = (0..).map(|place| answer.served(place));
                    let hashes = hashes.into_iter().map(|hash| (hash, 0));
                    self.serving.extend(served.zip(hashes));
                    if self.closes {
                        self.session.close();
                    }
                }
                Event::Cancelled { served, .. } => drop(self.serving.remove(&served)),
                Event::Close => self.session.close(),
                other => panic!("{other:?}"),
            }
        }
        let Self {
            session,
            serving,
            contents,
            sent,
            ..
        } = self;
        // So many have channels at the same time.
        for (&served, (hash, position)) in serving.iter_mut().take(64) {
            let rest = &contents[hash][*position..];
            let piece = &rest[..rest.len().min(PIECE)];
            session.body(served, piece, &mut out).unwrap();
            *position += piece.len();
            *sent += piece.len();
            if piece.len() == rest.len() {
                session.finish(served, &mut out).unwrap();
            }
        }
        serving.retain(|&served, _| session.is_serving(served));
        while session.transmit(&mut out).is_some() {}
        self.io.put(&out);
    }
}

const PIECE: usize = 1000;

/// What came of it.
struct Assembled {
    outcomes: BTreeMap<&'static str, usize>,
    /// The most that was on the heap at a time.
    heap: i64,
    /// Hashes that were asked for, the first time and again.
    asked: usize,
    /// Bytes of contents that were sent.
    sent: usize,
}

/// What `next` makes of these contents, which are asked for so many times, one time after the other.
fn assemble(limits: Limits, bodies: &[Vec<u8>], rounds: usize, closes: bool) -> Assembled {
    let (ours, theirs) = pipe(usize::MAX);
    let mut giver = Giver::new(theirs, bodies);
    giver.closes = closes;
    let mut connection: Connection<End, MemoryBody> = Connection::with_limits(ours, limits);
    let mut cx = Context::from_waker(Waker::noop());
    let (mut events, mut held, mut heap) = (Vec::new(), 0, 0);
    for round in 1..=rounds {
        connection.request(giver.contents.keys()).unwrap();
        if round == rounds {
            // What has to be asked for again is none the less.
            connection.close();
        }
        while events.len() < round * bodies.len() {
            let counted = allocation_counter::measure(|| {
                loop {
                    match pin!(connection.next(&mut Nowhere)).poll(&mut cx) {
                        Poll::Ready(Ok(Some(OwnedEvent::Close))) => {}
                        Poll::Ready(Ok(Some(event))) => events.push(event),
                        Poll::Ready(Ok(None)) => break,
                        Poll::Ready(Err(error)) => panic!("{error}"),
                        // Once in a while it lets others have their turn.
                        Poll::Pending if giver.io.unread() > 0 => {}
                        Poll::Pending => break,
                    }
                }
            });
            heap = heap.max(held + counted.bytes_max.cast_signed());
            held += counted.bytes_current;
            giver.turn();
        }
    }
    Assembled {
        outcomes: outcomes(&events),
        heap,
        asked: giver.asked,
        sent: giver.sent,
    }
}

/// How often each outcome occurs.
fn outcomes(events: &[OwnedEvent]) -> BTreeMap<&'static str, usize> {
    let mut outcomes = BTreeMap::new();
    for event in events {
        let outcome = match event {
            OwnedEvent::Received { .. } => "received",
            OwnedEvent::Failed { reason, .. } => match reason {
                BodyError::TooLong => "too long",
                BodyError::NoRoom => "no room",
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

fn body(byte: u8, len: usize) -> Vec<u8> {
    vec![byte; len]
}

fn all(count: usize) -> BTreeMap<&'static str, usize> {
    BTreeMap::from([("received", count)])
}

#[test]
fn body_bounds_a_content() {
    let within = assemble(LIMITS, &[body(7, 400_000)], 1, false);
    assert_eq!(within.outcomes, all(1));
    // A vector that grows is there twice for a moment.
    assert!(within.heap < 900_000, "{}", within.heap);
    let beyond = assemble(LIMITS, &[body(7, 400_001)], 1, false);
    assert_eq!(beyond.outcomes, BTreeMap::from([("too long", 1)]));
    assert_eq!(beyond.asked, 1, "it would be too long again");
    assert!(beyond.heap < 900_000, "{}", beyond.heap);
    // What is longer than all of them together may be is too long as well: it would never have room.
    let limits = Limits {
        bodies: 300_000,
        ..LIMITS
    };
    let beyond = assemble(limits, &[body(7, 300_001), body(8, 300_000)], 1, false);
    let one_of_each = BTreeMap::from([("too long", 1), ("received", 1)]);
    assert_eq!(beyond.outcomes, one_of_each);
}

#[test]
fn a_content_that_is_too_long_is_broken_off() {
    let limits = Limits {
        body: 1000,
        ..LIMITS
    };
    let (io, mut peer) = pipe(1 << 20);
    let mut connection: Connection<End, MemoryBody> = Connection::with_limits(io, limits);
    connection.request([&Hash::new("x")]).unwrap();
    let begun = [hashes(&[("x", 1)]), data(2, Some("2"), &[7; 1001])];
    peer.put(&begun.concat());
    let mut cx = Context::from_waker(Waker::noop());
    let next = pin!(connection.next(&mut Nowhere)).poll(&mut cx);
    let too_long = OwnedEvent::Failed {
        hash: "x".into(),
        reason: BodyError::TooLong,
    };
    assert!(matches!(next, Poll::Ready(Ok(Some(event))) if event == too_long));
    let next = pin!(connection.next(&mut Nowhere)).poll(&mut cx);
    assert!(next.is_pending());
    let said = peer.take();
    assert!(said.ends_with(&ending(-2, Some("2"), ERROR)), "{said:?}");
}

#[test]
fn what_has_room_side_by_side_is_asked_for_once() {
    let within = [body(1, 400_000), body(2, 300_000), body(3, 300_000)];
    let within = assemble(LIMITS, &within, 3, false);
    assert_eq!((within.outcomes, within.asked), (all(9), 9));
    assert!(within.heap < 2_500_000, "{}", within.heap);
}

#[test]
fn what_has_no_room_beside_others_is_asked_for_again_when_one_has_come() {
    let four: Vec<_> = (0..4).map(|n| body(n, 400_000)).collect();
    let some = assemble(LIMITS, &four, 1, false);
    // Two of them have room beside each other.
    assert_eq!((some.outcomes, some.asked), (all(4), 6));
    assert!(some.heap < 2_500_000, "{}", some.heap);

    // However many there are, each comes, what they take is bounded, and little is sent in vain.
    let hundred: Vec<_> = (0..100).map(|n| body(n, 300_000)).collect();
    let many = assemble(LIMITS, &hundred, 2, false);
    assert_eq!(many.outcomes, all(200));
    assert!(many.heap < 2_500_000, "{}", many.heap);
    assert!(many.sent < 2 * 200 * 300_000, "{}", many.sent);
}

/// A place that a cancelled content has left is free, though its channel is remembered.
#[test]
fn what_is_asked_for_again_has_room_within_the_limit_of_hashes() {
    let four: Vec<_> = (0..4).map(|n| body(n, 400_000)).collect();
    let limits = Limits {
        requested: 4,
        ..LIMITS
    };
    let some = assemble(limits, &four, 5, false);
    assert_eq!((some.outcomes, some.asked), (all(20), 30));

    // One that is too long leaves its place to another.
    let mut long = four;
    long[0].push(0);
    let some = assemble(limits, &long, 1, false);
    let outcomes = BTreeMap::from([("received", 3), ("too long", 1)]);
    assert_eq!((some.outcomes, some.asked), (outcomes, 6));
}

#[test]
fn what_has_no_room_and_is_not_to_be_had_again_is_said_to_have_failed() {
    let four: Vec<_> = (0..4).map(|n| body(n, 400_000)).collect();
    let some = assemble(LIMITS, &four, 1, true);
    // The peer closes as soon as it has sent the two that have room.
    let outcomes = BTreeMap::from([("received", 2), ("no room", 2)]);
    assert_eq!((some.outcomes, some.asked), (outcomes, 4));
}
