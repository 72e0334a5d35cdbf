//! A world of two sessions and the bytes between them.

use std::collections::BTreeMap;

use hash_exchange::{BodyError, Event, Hash, Limits, ProtocolError, Session, Sha1, Tag, Tally};

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
    asked: Vec<Vec<Hash>>,
    serving: BTreeMap<hash_exchange::ServedId, (Vec<u8>, usize)>,
    receiving: BTreeMap<hash_exchange::ResponseId, Vec<u8>>,
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
            asked: Vec::new(),
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
        if self.answers {
            for hashes in std::mem::take(&mut self.asked) {
                self.answer(&hashes);
            }
        }
        while let Some(served) = self.session.next_response() {
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
        }
        while let Some(tag) = self.session.transmit(&mut self.out) {
            self.tally.add(tag);
        }
    }

    fn answer(&mut self, hashes: &[Hash]) {
        let mut found: Vec<_> = hashes
            .iter()
            .filter_map(|hash| Some((hash, self.store.get(hash)?)))
            .collect();
        let mut met = std::collections::BTreeSet::new();
        found.retain(|(hash, _)| met.insert(*hash));
        let mappings = found
            .iter()
            .map(|(hash, (_, sequence))| ((*hash).clone(), *sequence));
        let answer = self
            .session
            .respond(mappings, &mut self.out)
            .expect("asked");
        self.tally.add(answer.tag);
        for (index, (_, (body, _))) in (0..).zip(found) {
            if self.session.is_serving(answer.served(index)) {
                self.serving.insert(answer.served(index), (body.clone(), 0));
            }
        }
    }

    pub(crate) fn receive(&mut self, mut input: &[u8]) -> Result<(), ProtocolError> {
        while let Some(event) = self.session.receive(&mut input)? {
            let heard = match event {
                Event::Id(id) => Heard::Id(id.to_owned()),
                Event::Since(sequence) => Heard::Since(sequence),
                Event::Seen(sequence) => Heard::Seen(sequence),
                Event::Available(hashes) => Heard::Available(hashes.iter().collect()),
                Event::Request(hashes) => {
                    self.asked.push(hashes.iter().collect());
                    Heard::Asked(hashes.iter().collect())
                }
                Event::NotFound { hash } => Heard::NotFound(hash),
                Event::Response {
                    response,
                    hash,
                    sequence,
                } => {
                    self.receiving.insert(response, Vec::new());
                    Heard::Response(hash, sequence)
                }
                Event::Body { response, chunk } => {
                    let body = self.receiving.get_mut(&response).expect("announced");
                    body.extend_from_slice(chunk);
                    continue;
                }
                Event::Complete {
                    response,
                    hash,
                    sequence,
                } => {
                    let body = self.receiving.remove(&response).expect("announced");
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
        }
        assert!(input.is_empty(), "none means that all is read");
        Ok(())
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
            carry(&mut self.a, &mut self.b, self.piece);
            carry(&mut self.b, &mut self.a, self.piece);
        }
    }
}

fn carry(from: &mut Side, to: &mut Side, piece: usize) {
    let bytes = std::mem::take(&mut from.out);
    from.sent += bytes.len() as u64;
    for piece in bytes.chunks(piece.min(bytes.len()).max(1)) {
        to.receive(piece).expect("both keep to the protocol");
    }
    assert_eq!(
        from.tally.total_bytes(),
        from.sent,
        "tags account for every byte"
    );
}

fn describe(reason: &BodyError) -> String {
    reason.to_string()
}
