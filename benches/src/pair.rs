//! Two sessions in one thread, and the bytes between them.

use hash_exchange::{Event, Hash, ServedId, Session, Tag, Tally, Verifier};

/// One side offers bodies, the other takes all of them.
pub struct Pair<V: Verifier> {
    giver: Session<V>,
    taker: Session<V>,
    /// Bytes from the giver to the taker, until they are read.
    there: Vec<u8>,
    back: Vec<u8>,
    tally: Tally,
}

impl<V: Verifier + Clone> Pair<V> {
    /// Two sessions at their beginning.
    pub fn new(verifier: V) -> Self {
        Self {
            giver: Session::with_verifier(verifier.clone()),
            taker: Session::with_verifier(verifier),
            there: Vec::new(),
            back: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Brings a body across: AVAILABLE, REQUEST, HASHES, the body in frames of at most [`FRAME`] bytes, END. Every frame
    /// is read as soon as it is written.
    ///
    /// # Panics
    ///
    /// If the body is not that of the hash, as the verifier sees it.
    pub fn trade(&mut self, hash: &Hash, body: &[u8]) {
        let offer = self.giver.provide([hash], &mut self.there).expect(IN_ORDER);
        self.tally.add(offer);
        let offered = match self.taker.receive(&mut &self.there[..]) {
            Ok(Some(Event::Available(hashes))) => hashes.iter().next().expect("one is offered"),
            other => panic!("not the offer: {other:?}"),
        };
        self.there.clear();
        let request = self.taker.request([&offered], &mut self.back);
        self.tally.add(request.expect(IN_ORDER));
        let wanted = match self.giver.receive(&mut &self.back[..]) {
            Ok(Some(Event::Request(hashes))) => hashes.iter().next().expect("one is requested"),
            other => panic!("not the request: {other:?}"),
        };
        self.back.clear();
        let answer = self.giver.respond([(wanted, None)], &mut self.there);
        let answer = answer.expect(IN_ORDER);
        self.deliver(answer.tag);
        let served = answer.served(0);
        for chunk in body.chunks(FRAME) {
            let tag = self.giver.body(served, chunk, &mut self.there);
            self.deliver(tag.expect(IN_ORDER));
        }
        assert!(self.finish(served), "the body is whole and right");
    }

    /// All frames that went over, both ways.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether what was served is complete.
    fn finish(&mut self, served: ServedId) -> bool {
        let tag = self.giver.finish(served, &mut self.there);
        self.deliver(tag.expect(IN_ORDER))
    }

    /// Lets the taker read what was written. Whether a body came to its end by that.
    fn deliver(&mut self, tag: Tag) -> bool {
        self.tally.add(tag);
        let mut input = &self.there[..];
        let mut complete = false;
        while let Some(event) = self.taker.receive(&mut input).expect(IN_ORDER) {
            complete |= matches!(event, Event::Complete { .. });
        }
        self.there.clear();
        complete
    }
}

/// Bytes of a body in one frame, as a `hash_exchange::Connection` writes it.
pub const FRAME: usize = 64 << 10;

const IN_ORDER: &str = "both sides keep to the protocol";
