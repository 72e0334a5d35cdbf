use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncBufRead, AsyncRead};
use hash_exchange::{
    Application, BodyError, Connection, Event, Hash, Limits, Misuse, OwnedEvent, Progress,
    ResponseId, Source, Store, Tag, Tally,
};

use super::content;
use super::pair::Script;
use super::pipe::{End, pipe};

/// Reads any bytes as what two applications do with two connections over a pipe with little room, and when they are polled. Each hash
/// asked for is settled once, contents are the right ones, tags account for every byte, and in the end both connections are closed.
pub fn connections(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let room = 1 + script.number() * script.number();
    let (a, b) = pipe(room);
    let states = script.number() as u8;
    let mut sides = [Side::new(a, states & 15), Side::new(b, states >> 4)];
    while let Some(operation) = script.byte() {
        let side = &mut sides[usize::from(operation & 1)];
        side.operate(operation >> 1, &mut script);
    }
    for side in &mut sides {
        side.connection.close();
    }
    let mut rounds = 0;
    while !sides.iter().all(|side| side.has_ended) {
        sides.iter_mut().for_each(Side::poll);
        rounds += 1;
        assert!(rounds < 100_000, "they never end");
    }
    let [a, b] = sides;
    for side in [&a, &b] {
        assert_eq!(side.party.settled, side.asked, "each hash once");
        assert!(side.party.coming.is_empty() && side.party.has_heard_close);
        assert_eq!(side.connection.serving(), 0);
    }
    if a.assembles || b.assembles {
        // `next` keeps the tags to itself.
        return;
    }
    // Each byte was written by one side and read by the other, unless it came behind the other's end.
    let moved = [&a, &b].map(|side| {
        let connection = &side.connection;
        u64::from(connection.bytes_moved()) + connection.io().unread() as u64
    });
    let told = a.party.tally.total_bytes() + b.party.tally.total_bytes();
    assert_eq!(moved[0] + moved[1], 2 * told, "tags account for every byte");
}

struct Side {
    connection: Connection<End, Content>,
    party: Party,
    /// It takes what comes by `next`, and else as it comes.
    assembles: bool,
    /// Hashes asked for.
    asked: usize,
    has_ended: bool,
}

/// The application of a side.
struct Party {
    /// Which half of the contents it holds.
    half: usize,
    /// Its sources fail once in a while, and have nothing to give every other time.
    falters: bool,
    pauses: bool,
    opened: usize,
    coming: BTreeMap<ResponseId, Vec<u8>>,
    /// Hashes asked for that came to an end, cancelled ones included.
    settled: usize,
    has_heard_close: bool,
    tally: Tally,
}

/// Low enough to be met. Each side asks for no more than the other serves.
const LIMITS: Limits = Limits {
    requested: 12,
    served: 12,
    channels: 24,
    body: 60,
    bodies: 100,
    ..Limits::DEFAULT
};

impl Side {
    fn new(io: End, state: u8) -> Self {
        let has = |bit: u8| state >> bit & 1 == 1;
        Self {
            connection: Connection::with_limits(io, LIMITS),
            party: Party {
                half: usize::from(has(0)),
                falters: has(1),
                pauses: has(2),
                opened: 0,
                coming: BTreeMap::new(),
                settled: 0,
                has_heard_close: false,
                tally: Tally::default(),
            },
            assembles: has(3),
            asked: 0,
            has_ended: false,
        }
    }

    fn operate(&mut self, operation: u8, script: &mut Script<'_>) {
        let connection = &mut self.connection;
        match operation % 8 {
            0 => {
                let said = connection.provide(&script.hashes());
                self.say(said);
            }
            1 | 2 => {
                let mut hashes = script.hashes();
                let said = connection.request(&hashes);
                hashes.sort();
                hashes.dedup();
                self.asked += if said.is_ok() { hashes.len() } else { 0 };
                self.say(said);
            }
            3 => self.cancel(script.number()),
            4 if script.number() == 0 => connection.close(),
            5 => {
                let mut cx = Context::from_waker(Waker::noop());
                let flushed = connection.poll_flush(&mut cx);
                assert!(!matches!(flushed, Poll::Ready(Err(_))), "{flushed:?}");
            }
            _ => self.poll(),
        }
    }

    fn say(&mut self, said: Result<Tag, Misuse>) {
        match said {
            Ok(tag) => self.party.tally.add(tag),
            Err(Misuse::Closed | Misuse::TooManyRequested { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    fn cancel(&mut self, number: usize) {
        let coming = &mut self.party.coming;
        let Some(number) = number.checked_rem(coming.len()) else {
            return;
        };
        let response = *coming.keys().nth(number).expect("it is one of them");
        coming.remove(&response);
        let cancelled = self.connection.cancel(response);
        self.party.tally.extend(cancelled.expect("it is open"));
        self.party.settled += 1;
    }

    fn poll(&mut self) {
        if self.has_ended {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        let Self {
            connection, party, ..
        } = self;
        if self.assembles {
            let next = pin!(connection.next(party)).poll(&mut cx);
            match next {
                Poll::Ready(Ok(Some(event))) => self.party.owned(event),
                Poll::Ready(Ok(None)) => self.has_ended = true,
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => {}
            }
        } else {
            match connection.poll(&mut cx, party) {
                Poll::Ready(Ok(progress)) => self.has_ended = progress == Progress::Ended,
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => {}
            }
        }
    }
}

impl Party {
    fn holds(&self, hash: &Hash) -> Option<usize> {
        let mut numbers = 0..super::CONTENTS.len();
        let number = numbers.find(|&n| content(n as u8).0 == *hash)?;
        (number / 2 % 2 == self.half || number % 5 == 0).then_some(number)
    }

    fn source(&mut self, hash: &Hash) -> Option<Source<Content>> {
        let number = self.holds(hash)?;
        self.opened += 1;
        Some(Source {
            body: Content {
                number: number as u8,
                position: 0,
                fails: self.falters && self.opened.is_multiple_of(7),
                falters: self.falters,
                is_ready: false,
            },
            sequence: None,
        })
    }

    fn owned(&mut self, event: OwnedEvent) {
        self.settled += match event {
            OwnedEvent::NotFound(_) | OwnedEvent::Received { .. } => 1,
            OwnedEvent::Failed { reason, .. } => {
                assert!(!matches!(reason, BodyError::Mismatch | BodyError::TooEarly));
                1
            }
            OwnedEvent::Close => {
                self.has_heard_close = true;
                0
            }
            OwnedEvent::Available(_) | OwnedEvent::Requested(_) | OwnedEvent::Cancelled(_) => 0,
            OwnedEvent::Id(_) | OwnedEvent::Since(_) | OwnedEvent::Seen(_) => 0,
        };
    }
}

impl Application for Party {
    type Body = Content;

    fn open(&mut self, hash: &Hash) -> Option<Source<Content>> {
        self.source(hash)
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::NotFound { .. } => self.settled += 1,
            Event::Response { response, .. } => drop(self.coming.insert(response, Vec::new())),
            Event::Body { response, chunk } => {
                let body = self.coming.get_mut(&response);
                body.expect("it is announced").extend_from_slice(chunk);
            }
            Event::Complete { response, hash, .. } => {
                let body = self.coming.remove(&response);
                let is_right = super::CONTENTS.contains(&(hash, body.expect("it is announced")));
                assert!(is_right, "it is another");
                self.settled += 1;
            }
            Event::Failed {
                response, reason, ..
            } => {
                self.coming.remove(&response).expect("it is announced");
                assert_eq!(reason, BodyError::Peer("it falters".into()));
                self.settled += 1;
            }
            Event::Close => self.has_heard_close = true,
            Event::Request(_) => panic!("a connection answers by itself"),
            Event::Available(_) | Event::Cancelled { .. } => {}
            Event::Id(_) | Event::Since(_) | Event::Seen(_) => {}
        }
        match self.pauses {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn sent(&mut self, tag: Tag) {
        self.tally.add(tag);
    }

    fn unsent(&mut self, tag: Tag) {
        self.tally.remove(tag);
    }
}

impl Store for Party {
    type Body = Content;

    fn contains(&self, hash: &Hash) -> bool {
        self.holds(hash).is_some()
    }

    fn open(&mut self, hash: &Hash) -> Option<Source<Content>> {
        self.source(hash)
    }

    fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
        let is_right = super::CONTENTS.contains(&(hash.clone(), body));
        assert!(is_right, "it is another");
    }
}

/// A content that is read a few bytes at a time.
struct Content {
    number: u8,
    position: usize,
    fails: bool,
    falters: bool,
    is_ready: bool,
}

impl AsyncBufRead for Content {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.is_ready = !this.is_ready;
        if this.falters && this.is_ready {
            return Poll::Pending;
        }
        let rest = &content(this.number).1[this.position..];
        if this.fails && rest.len() < 10 {
            return Poll::Ready(Err(io::Error::other("it falters")));
        }
        Poll::Ready(Ok(&rest[..rest.len().min(9)]))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().position += amount;
    }
}

impl AsyncRead for Content {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(piece) = self.as_mut().poll_fill_buf(cx)? else {
            return Poll::Pending;
        };
        let len = piece.len().min(buf.len());
        buf[..len].copy_from_slice(&piece[..len]);
        self.consume(len);
        Poll::Ready(Ok(len))
    }
}
