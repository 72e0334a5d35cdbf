//! Two peers that never stop asking each other, each new REQUEST written as soon as an old one is answered: every content
//! comes to its end nevertheless, and none begins before its reader could know of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::task::{Context, Poll, Waker};

use hash_exchange::{
    Application, Connection, Event, Hash, Limits, MemoryBody, ResponseId, Session, Sha1, Source,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::pipe::{End, pipe};

/// The `n`th content that a side asks for; some are empty, some take many frames.
fn content(n: u32) -> (Hash, Vec<u8>) {
    let body = n.to_le_bytes().repeat((n as usize * 7) % 40);
    (Hash::new(&format!("content {n}")), body)
}

fn number(hash: &Hash) -> u32 {
    let text = hash.to_string();
    let number = text.strip_prefix("content ").expect("it is one of ours");
    number.parse().expect("it is one of ours")
}

/// Of what a side is asked for, each third content is not there.
fn exists(n: u32) -> bool {
    !n.is_multiple_of(3)
}

/// A side of a connection, which never has fewer REQUESTs open than it was told.
struct Asker {
    connection: Connection<End, MemoryBody>,
    says: Says,
    outstanding: usize,
}

#[derive(Default)]
struct Says {
    asked: u32,
    answered: u32,
    coming: BTreeMap<ResponseId, Vec<u8>>,
    /// Contents asked for that have come whole, or are not there.
    settled: Vec<u32>,
}

impl Application for Says {
    type Body = MemoryBody;

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        let n = number(hash);
        exists(n).then(|| Source {
            body: MemoryBody::new(content(n).1.into()),
            sequence: None,
        })
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            // Behind an answer there is a pause, to ask for the next.
            Event::NotFound { hash } => {
                self.answered += 1;
                self.settled.push(number(&hash));
                return ControlFlow::Break(());
            }
            Event::Response { response, .. } => {
                self.answered += 1;
                self.coming.insert(response, Vec::new());
                return ControlFlow::Break(());
            }
            Event::Body { response, chunk } => {
                let body = self.coming.get_mut(&response).expect("it is announced");
                body.extend_from_slice(chunk);
            }
            Event::Complete { response, hash, .. } => {
                let n = number(&hash);
                assert_eq!(self.coming.remove(&response), Some(content(n).1));
                self.settled.push(n);
            }
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    }
}

impl Asker {
    fn new(io: End, outstanding: usize) -> Self {
        Self {
            connection: Connection::new(io),
            says: Says::default(),
            outstanding,
        }
    }

    /// Asks and polls until there is nothing more to read or to write.
    fn poll(&mut self) {
        loop {
            while ((self.says.asked - self.says.answered) as usize) < self.outstanding {
                let next = content(self.says.asked).0;
                self.connection.request([&next]).expect("it is open");
                self.says.asked += 1;
            }
            let mut cx = Context::from_waker(Waker::noop());
            match self.connection.poll(&mut cx, &mut self.says) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => return,
            }
        }
    }

    fn has_settled(&self, asked: u32) -> bool {
        (0..asked).all(|n| self.says.settled.contains(&n))
    }
}

/// A side of two sessions, which answers when it is told to: as an npm peer does that opens contents asynchronously.
struct Slow {
    session: Session,
    out: Vec<u8>,
    asked: u32,
    answered: u32,
    /// REQUESTs of the peer that have been read, and how many of them are answered.
    read: u32,
    requests: std::collections::VecDeque<Hash>,
    serving: BTreeMap<hash_exchange::ServedId, u32>,
    /// Contents that come, with the REQUESTs of the peer that had been read before their HASHES.
    coming: BTreeMap<ResponseId, u32>,
    settled: Vec<u32>,
}

impl Slow {
    fn new() -> Self {
        Self {
            session: Session::new(Limits::DEFAULT, Sha1),
            out: Vec::new(),
            asked: 0,
            answered: 0,
            read: 0,
            requests: std::collections::VecDeque::new(),
            serving: BTreeMap::new(),
            coming: BTreeMap::new(),
            settled: Vec::new(),
        }
    }

    fn ask(&mut self, outstanding: u32) {
        while self.asked - self.answered < outstanding {
            let next = content(self.asked).0;
            let asked = self.session.request([&next], &mut self.out);
            asked.expect("it is open");
            self.asked += 1;
        }
    }

    /// Answers the oldest REQUEST.
    fn answer(&mut self) {
        let Some(hash) = self.requests.pop_front() else {
            return;
        };
        let n = number(&hash);
        let found = exists(n).then_some((hash, None));
        let answer = self.session.respond(found, &mut self.out).expect("asked");
        if exists(n) {
            self.serving.insert(answer.served(0), n);
        }
    }

    /// Writes the next frame of a content.
    fn serve(&mut self) {
        let Some(served) = self.session.next_response() else {
            return;
        };
        let n = self.serving.remove(&served).expect("it is announced");
        let body = content(n).1;
        let written = self.session.body(served, &body, &mut self.out);
        written.expect("it is its turn");
        let ended = self.session.finish(served, &mut self.out);
        ended.expect("it is its turn");
    }

    /// Reads at most so many bytes of what the other has written.
    fn receive(&mut self, from: &mut Vec<u8>, most: usize) {
        let bytes: Vec<u8> = from.drain(..from.len().min(most)).collect();
        let mut input = &bytes[..];
        while let Some(event) = self.session.receive(&mut input).expect("it is legal") {
            match event {
                Event::Request(hashes) => {
                    self.requests.extend(hashes.iter());
                    self.read += 1;
                }
                Event::NotFound { hash } => {
                    self.answered += 1;
                    self.settled.push(number(&hash));
                }
                Event::Response { response, .. } => {
                    self.answered += 1;
                    self.coming.insert(response, self.read);
                }
                Event::Body { response, .. } => {
                    let answered = self.read - self.requests.len() as u32;
                    assert!(
                        self.coming[&response] <= answered,
                        "an npm peer would not have read its HASHES yet"
                    );
                }
                Event::Complete { response, hash, .. } => {
                    self.coming.remove(&response);
                    self.settled.push(number(&hash));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    /// `respWhileBusy`, over connections: any order of polls, any room in the pipe.
    #[test]
    fn resp_while_busy_two_connections_that_never_stop_asking_complete_everything(
        outstanding in (1_usize..5, 1_usize..5),
        room in prop_oneof![1_usize..30, 30_usize..3000],
        polls in vec(any::<bool>(), 0..200),
    ) {
        let (io_a, io_b) = pipe(room);
        let mut a = Asker::new(io_a, outstanding.0);
        let mut b = Asker::new(io_b, outstanding.1);
        for poll_a in polls {
            if poll_a { a.poll() } else { b.poll() }
        }
        // Everything asked for so far comes while both go on asking: within as many rounds as a full pipe takes at least.
        let asked = (a.says.asked.max(1), b.says.asked.max(1));
        let bytes = 300 * (asked.0 + asked.1 + 20) as usize;
        for _ in 0..bytes / room + 20 {
            a.poll();
            b.poll();
        }
        prop_assert!(a.has_settled(asked.0), "{} of {:?}", asked.0, a.says.settled);
        prop_assert!(b.has_settled(asked.1), "{} of {:?}", asked.1, b.says.settled);
        prop_assert!(a.says.asked > asked.0 && b.says.asked > asked.1, "both went on");
    }

    /// `respWhileBusy`, over sessions that answer late: no content begins before its reader has answered all that was asked before
    /// its HASHES, and all come.
    #[test]
    fn resp_while_busy_two_slow_sessions_complete_everything_and_nothing_begins_too_early(
        outstanding in (1_u32..5, 1_u32..5),
        steps in vec((any::<bool>(), 0_u8..4, 1_usize..80), 0..300),
    ) {
        let (mut a, mut b) = (Slow::new(), Slow::new());
        let step = |side: &mut Slow, other: &mut Slow, outstanding, action, most| match action {
            0 => side.ask(outstanding),
            1 => side.answer(),
            2 => side.serve(),
            _ => side.receive(&mut other.out, most),
        };
        for (for_a, action, most) in steps {
            if for_a {
                step(&mut a, &mut b, outstanding.0, action, most);
            } else {
                step(&mut b, &mut a, outstanding.1, action, most);
            }
        }
        let asked = (a.asked, b.asked);
        // A round answers one REQUEST, serves one content and reads all: as many rounds as there are REQUESTs, and then some for
        // the last ones to be announced, begun and read.
        for _ in 0..asked.0 + asked.1 + 10 {
            for action in 0..4 {
                step(&mut a, &mut b, outstanding.0, action, usize::MAX);
                step(&mut b, &mut a, outstanding.1, action, usize::MAX);
            }
        }
        prop_assert!((0..asked.0).all(|n| a.settled.contains(&n)), "{:?}", a.settled);
        prop_assert!((0..asked.1).all(|n| b.settled.contains(&n)), "{:?}", b.settled);
        prop_assert!(a.asked > asked.0 && b.asked > asked.1, "both went on");
    }
}
