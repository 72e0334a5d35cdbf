//! A world of two sessions and the bytes between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hash_exchange::{
    BodyError, Event, Hash, Kind, Limits, ProtocolError, Session, Sha1, Tag, Tally,
};

/// One side: a session, what it serves, and what it has heard.
pub(crate) struct Side {
    pub(crate) session: Session,
    /// Contents to serve, with the sequence numbers that they shall have.
    pub(crate) store: BTreeMap<Hash, (Vec<u8>, Option<u64>)>,
    pub(crate) out: Vec<u8>,
    pub(crate) tally: Tally,
    /// All bytes that have left this side.
    pub(crate) sent: u64,
    pub(crate) heard: Vec<Heard>,
    /// REQUESTs are answered only when this is set.
    pub(crate) answers: bool,
    /// As a congested npm peer it sends contents ahead of their HASHES.
    pub(crate) congested: bool,
    /// The HASHES that it has held back.
    held: Vec<u8>,
    /// It breaks off every content as soon as it is announced, and has done so this often.
    pub(crate) declines: bool,
    pub(crate) declined: usize,
    /// Of the hashes that it was asked for, in order, whether it serves them.
    pub(crate) answered: Vec<bool>,
    asked: VecDeque<Vec<Hash>>,
    /// Contents that it serves, and how far it has come with them.
    pub(crate) serving: BTreeMap<hash_exchange::ServedId, (Vec<u8>, usize)>,
    /// Contents that come, as far as they have.
    pub(crate) receiving: BTreeMap<hash_exchange::ResponseId, Vec<u8>>,
}

/// An event that owns what it says; contents are put together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heard {
    Id(String),
    Since(Option<u64>),
    Seen(Option<u64>),
    Available(Vec<Hash>),
    Asked(Vec<Hash>),
    NotFound(Hash),
    Response(Hash, u64),
    Complete(Hash, u64, Vec<u8>),
    Failed(Hash, String),
    Cancelled(Hash),
    Close,
}

pub(crate) struct Pair {
    pub(crate) a: Side,
    pub(crate) b: Side,
    /// Bytes that a side is handed at once.
    pub(crate) piece: usize,
}

impl Side {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            session: Session::new(limits, Sha1),
            store: BTreeMap::new(),
            out: Vec::new(),
            tally: Tally::default(),
            sent: 0,
            heard: Vec::new(),
            answers: true,
            congested: false,
            held: Vec::new(),
            declines: false,
            declined: 0,
            answered: Vec::new(),
            asked: VecDeque::new(),
            serving: BTreeMap::new(),
            receiving: BTreeMap::new(),
        }
    }

    pub(crate) fn holds(&mut self, body: &[u8]) -> Hash {
        let hash = Hash::sha1(body);
        self.store.insert(hash.clone(), (body.to_vec(), None));
        hash
    }

    pub(crate) fn provide(&mut self, hashes: &[Hash]) {
        let tag = self.session.provide(hashes, &mut self.out).expect("open");
        self.tally.add(tag);
    }

    pub(crate) fn request(&mut self, hashes: &[Hash]) {
        let tag = self.session.request(hashes, &mut self.out).expect("open");
        self.tally.add(tag);
    }

    pub(crate) fn count(&mut self, tag: Tag) {
        self.tally.add(tag);
    }

    /// What the session answers, serves and owes.
    pub(crate) fn drain(&mut self) {
        while self.answers && self.answer() {}
        while self.serve() {}
        self.transmit();
    }

    /// Answers the oldest REQUEST, if there is one.
    pub(crate) fn answer(&mut self) -> bool {
        let Some(hashes) = self.asked.pop_front() else {
            return false;
        };
        let mut met = BTreeSet::new();
        let asked: Vec<_> = hashes.iter().filter(|hash| met.insert(*hash)).collect();
        // Contents ahead of their HASHES are told apart by their numbers: none is used again.
        let holds = self.congested || !self.held.is_empty();
        let found = asked.iter().filter_map(|&hash| {
            let (_, sequence) = self.store.get(hash)?;
            Some((hash.clone(), sequence.filter(|_| !holds)))
        });
        let out = if holds { &mut self.held } else { &mut self.out };
        let answer = self.session.respond(found, out).expect("asked");
        self.tally.add(answer.tag);
        let mut index = 0;
        for hash in asked {
            let mut is_served = false;
            if let Some((body, _)) = self.store.get(hash) {
                let served = answer.served(index);
                index += 1;
                is_served = self.session.is_serving(served);
                if is_served {
                    self.serving.insert(served, (body.clone(), 0));
                }
            }
            self.answered.push(is_served);
        }
        true
    }

    /// Sends a frame of the content whose turn it is, if there is one.
    pub(crate) fn serve(&mut self) -> bool {
        let Some(served) = self.session.next_response() else {
            return false;
        };
        let (body, position) = self.serving.get_mut(&served).expect("it was found");
        let rest = &body[*position..];
        let tag = if rest.is_empty() {
            self.serving.remove(&served);
            self.session.finish(served, &mut self.out)
        } else {
            let chunk = &rest[..rest.len().min(7)];
            *position += chunk.len();
            self.session.body(served, chunk, &mut self.out)
        };
        self.tally.add(tag.expect("it is its turn"));
        true
    }

    /// Sends the HASHES that it has held back.
    pub(crate) fn release(&mut self) {
        self.out.append(&mut self.held);
    }

    /// Sends what the session owes, of which all HASHES come before CLOSE.
    pub(crate) fn transmit(&mut self) {
        self.release();
        while let Some(tag) = self.session.transmit(&mut self.out) {
            self.tally.add(tag);
            let is_quiet = self.asked.is_empty() && self.serving.is_empty();
            let is_last = is_quiet && self.receiving.is_empty();
            assert!(is_last || tag.kind != Kind::Close, "something is under way");
        }
    }

    pub(crate) fn receive(&mut self, mut input: &[u8]) -> Result<(), ProtocolError> {
        while self.hear(&mut input)? {}
        assert!(input.is_empty(), "none means that all is read");
        Ok(())
    }

    /// Reads up to the next event. False: there is none.
    pub(crate) fn hear(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError> {
        let Some(event) = self.session.receive(input)? else {
            return Ok(false);
        };
        let heard = match event {
            Event::Id(id) => Heard::Id(id.to_owned()),
            Event::Since(sequence) => Heard::Since(sequence),
            Event::Seen(sequence) => Heard::Seen(sequence),
            Event::Available(hashes) => Heard::Available(hashes.iter().collect()),
            Event::Request(hashes) => {
                self.asked.push_back(hashes.iter().collect());
                Heard::Asked(hashes.iter().collect())
            }
            Event::NotFound { hash } => Heard::NotFound(hash),
            Event::Response {
                response,
                hash,
                sequence,
            } => {
                if self.declines {
                    let cancelled = self.session.cancel(response, &mut self.out);
                    self.tally.extend(cancelled.expect("it is open"));
                    self.declined += 1;
                } else {
                    self.receiving.insert(response, Vec::new());
                }
                Heard::Response(hash, sequence)
            }
            Event::Body { response, chunk } => {
                let body = self.receiving.get_mut(&response).expect("announced");
                body.extend_from_slice(chunk);
                return Ok(true);
            }
            Event::Complete {
                response,
                hash,
                sequence,
            } => {
                let body = self.receiving.remove(&response).expect("announced");
                let is_checked = hash.as_sha1().is_some();
                assert!(!is_checked || hash == Hash::sha1(&body), "it is another");
                Heard::Complete(hash, sequence, body)
            }
            Event::Failed {
                response,
                hash,
                reason,
            } => {
                self.receiving.remove(&response).expect("announced");
                Heard::Failed(hash, describe(&reason))
            }
            Event::Cancelled { served, hash } => {
                self.serving.remove(&served);
                Heard::Cancelled(hash)
            }
            Event::Close => Heard::Close,
        };
        self.heard.push(heard);
        Ok(true)
    }

    /// Hands the other side as many bytes as have been said, or as many as these, in pieces.
    pub(crate) fn carry(&mut self, to: &mut Self, most: usize, piece: usize) {
        let bytes: Vec<u8> = self.out.drain(..most.min(self.out.len())).collect();
        self.sent += bytes.len() as u64;
        for piece in bytes.chunks(piece) {
            to.receive(piece).expect("both keep to the protocol");
        }
        assert_eq!(
            self.tally.total_bytes(),
            self.sent + (self.out.len() + self.held.len()) as u64,
            "tags account for every byte"
        );
    }

    /// The contents that are coming, in the order of their announcement.
    pub(crate) fn coming(&self) -> Vec<hash_exchange::ResponseId> {
        self.receiving.keys().copied().collect()
    }

    pub(crate) fn take_heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::DEFAULT)
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self {
            a: Side::new(limits),
            b: Side::new(limits),
            piece: usize::MAX,
        }
    }

    /// Carries bytes both ways until neither side has anything to say.
    pub(crate) fn drive(&mut self) {
        loop {
            self.a.drain();
            self.b.drain();
            if self.a.out.is_empty() && self.b.out.is_empty() {
                return;
            }
            self.a.carry(&mut self.b, usize::MAX, self.piece);
            self.b.carry(&mut self.a, usize::MAX, self.piece);
        }
    }
}

fn describe(reason: &BodyError) -> String {
    reason.to_string()
}
