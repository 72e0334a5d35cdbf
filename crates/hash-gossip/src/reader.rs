use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::{
    Application, BodyError, Event, Hash, Hashes, Kind, ResponseId, Source, Tag, Tally,
};

use crate::catalogue::Catalogue;
use crate::download::{Downloads, Room, TooLarge};
use crate::durable::Durable;
use crate::neighbour::Body;
use crate::scratch::Scratch;
use crate::state::resuming::greet;
use crate::strategy::{Fault, Knowledge as _, PeerIndex, Strategy};

/// What the node counts.
#[derive(Default)]
pub(crate) struct Counters {
    /// The frames that were sent, if any.
    pub(crate) sent: Option<Box<Tally>>,
    /// Bytes of bodies that came, whole or not, right or wrong.
    pub(crate) payload_bytes: u64,
    /// Bodies that came whole and right when they were held before.
    pub(crate) duplicates: u64,
    /// Bodies that came whole and were not the content of their hash.
    pub(crate) rejected: u64,
}

impl Counters {
    /// Reads something of what will be counted.
    pub(crate) fn touch(&self) -> u64 {
        let sent = self.sent.as_ref();
        sent.map_or(0, |sent| {
            sent.frames(Kind::Available) ^ sent.frames(Kind::Body)
        })
    }

    pub(crate) fn count(&mut self, sent: Tag) {
        self.sent.get_or_insert_default().add(sent);
    }

    /// A frame that was counted is not written after all.
    fn take_back(&mut self, unsent: Tag) {
        self.sent.get_or_insert_default().remove(unsent);
    }
}

/// The parts of a node that take in what one peer says, lent out for one poll of its connection.
pub(crate) struct Reader<'a, A, S: Strategy> {
    pub(crate) peer: PeerIndex,
    pub(crate) address: &'a A,
    pub(crate) now: Duration,
    pub(crate) room: Room,
    pub(crate) catalogue: &'a mut Catalogue<A, S::Known>,
    pub(crate) downloads: &'a mut Downloads,
    pub(crate) scratch: &'a Scratch,
    pub(crate) strategy: &'a mut S,
    pub(crate) counters: &'a mut Counters,
    /// Responses that are to be cancelled once the poll is over.
    pub(crate) unwanted: &'a mut Vec<ResponseId>,
    pub(crate) durable: Option<&'a mut Durable>,
    /// See [`Config::mark`](crate::Config::mark).
    pub(crate) mark: Duration,
    pub(crate) heard: &'a mut bool,
    pub(crate) closing: &'a mut bool,
}

impl<A: Clone, S: Strategy> Application for Reader<'_, A, S> {
    type Body = Body;

    fn open(&mut self, hash: &Hash) -> Option<Source<Body>> {
        let body = self.catalogue.body(hash)?;
        Some(Source {
            body: Body::new(Rc::clone(body)),
            sequence: None,
        })
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        *self.heard = true;
        match event {
            Event::Available(hashes) => self.available(hashes),
            Event::NotFound { hash } => self.not_found(&hash),
            Event::Response { response, hash, .. } => self.response(response, hash),
            Event::Body { response, chunk } => self.chunk(response, chunk),
            Event::Complete { response, hash, .. } => self.complete(response, &hash),
            Event::Failed {
                response,
                hash,
                reason,
            } => self.failed(response, &hash, &reason),
            Event::Close => self.close(),
            Event::Id(text) => self.id(text),
            Event::Since(position) => self.greet(position.unwrap_or_default()),
            Event::Seen(position) => self.seen(position),
            // A connection answers requests by itself.
            Event::Request(_) | Event::Cancelled { .. } => {}
        }
        ControlFlow::Continue(())
    }

    fn sent(&mut self, tag: Tag) {
        self.counters.count(tag);
    }

    fn unsent(&mut self, tag: Tag) {
        self.counters.take_back(tag);
    }
}

impl<A: Clone, S: Strategy> Reader<'_, A, S> {
    fn available(&mut self, hashes: Hashes<'_>) {
        if *self.closing {
            return;
        }
        if self.durable.is_some() {
            // Who offers before it asks has no log.
            self.greet(0);
        }
        for hash in hashes.iter() {
            let Some(hash) = self.catalogue.intern(&hash) else {
                continue;
            };
            self.strategy
                .handle_offered(self.catalogue, self.peer, hash, self.now);
            if !self.strategy.remembers(self.catalogue.of(hash)) {
                self.catalogue.release(hash);
            }
        }
        if self.durable.is_some() {
            self.note_lacking(hashes);
        }
    }

    /// Of what the peer offers, notes what is not held: its log will have been seen so far once that is.
    #[cold]
    fn note_lacking(&mut self, hashes: Hashes<'_>) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let numbers = hashes
            .iter()
            .filter_map(|hash| self.catalogue.number(&hash));
        for hash in numbers.filter(|&hash| self.catalogue.lacks(hash)) {
            durable.talks[self.peer.index()].note_lacking(hash);
        }
    }

    /// The peer says who it is, or how far it has offered its log.
    fn id(&mut self, text: &str) {
        if let Some(durable) = &mut self.durable
            && let Some(own) = durable.identity
        {
            durable.talks[self.peer.index()].hear(own, text);
        }
    }

    /// The peer is to be offered what our log has beyond this position, and whatever comes. Positions of those who have not said who they are mean nothing here.
    #[cold]
    fn greet(&mut self, position: u64) {
        if let Some(durable) = &mut self.durable
            && !*self.closing
            && !durable.talks[self.peer.index()].is_greeted
        {
            let is_known = durable.talks[self.peer.index()].peer.is_some();
            let position = if is_known { position } else { 0 };
            let (catalogue, strategy) = (&mut *self.catalogue, &mut *self.strategy);
            greet(
                durable, catalogue, strategy, self.peer, position, self.now, self.mark,
            );
        }
    }

    /// The peer says how far it has seen our log.
    fn seen(&mut self, position: Option<u64>) {
        if let Some(durable) = &mut self.durable {
            durable.talks[self.peer.index()].note_seen(position);
            durable.mark_later(self.now + self.mark);
        }
    }

    fn not_found(&mut self, hash: &Hash) {
        self.progress(ANSWER);
        if !*self.closing
            && let Some(hash) = self.catalogue.number(hash)
        {
            if let Some(durable) = &mut self.durable {
                durable.talks[self.peer.index()].forgive(hash);
            }
            self.strategy
                .handle_refused(self.catalogue, self.peer, hash, self.now);
        }
    }

    fn response(&mut self, response: ResponseId, hash: Hash) {
        self.progress(ANSWER);
        let number = self.catalogue.number(&hash);
        match number {
            Some(number) if self.catalogue.lacks(number) => {
                self.strategy
                    .handle_begun(self.catalogue, self.peer, number, self.now);
            }
            Some(_) => self.unwanted.push(response),
            None => {}
        }
        let buffer = self.scratch.take_body();
        self.downloads.begin(self.peer, response, hash, buffer);
    }

    fn chunk(&mut self, response: ResponseId, chunk: &[u8]) {
        self.progress(chunk.len() as u64);
        self.counters.payload_bytes += chunk.len() as u64;
        let extended = self.downloads.extend(self.peer, response, chunk, self.room);
        if let Err(too_large) = extended
            && let Some(download) = self.downloads.end(self.peer, response)
        {
            self.unwanted.push(response);
            let fault = match too_large {
                // It would be no smaller the next time.
                TooLarge::Body => Fault::Wrong,
                TooLarge::ForNow => Fault::Broken,
            };
            self.fault(&download.hash, fault);
        }
    }

    /// The content was checked against its hash by the session, or this would be a failure.
    fn complete(&mut self, response: ResponseId, hash: &Hash) {
        self.progress(ANSWER);
        // A download that was broken off here may reach its end before the peer learns of it.
        let Some(download) = self.downloads.end(self.peer, response) else {
            return;
        };
        let Some(hash) = self.catalogue.intern(hash) else {
            return;
        };
        if self.catalogue.holds(hash) {
            self.catalogue.count_duplicate(hash);
            self.counters.duplicates += 1;
        } else if self.catalogue.was_evicted(hash) {
            // A late answer does not bring back what was sent away.
            self.counters.duplicates += 1;
        } else {
            let from = Some(self.address.clone());
            let body = download.body.as_slice();
            self.catalogue.hold(hash, body, from, self.now);
            self.strategy
                .handle_held(self.catalogue, hash, Some(self.peer), self.now);
        }
        self.scratch.put_body(download.body);
    }

    fn failed(&mut self, response: ResponseId, hash: &Hash, reason: &BodyError) {
        self.progress(ANSWER);
        let fault = match reason {
            BodyError::Mismatch => {
                self.counters.rejected += 1;
                Fault::Wrong
            }
            _ => Fault::Broken,
        };
        if self.downloads.end(self.peer, response).is_some() {
            self.fault(hash, fault);
        }
    }

    fn close(&mut self) {
        let durable = self.durable.as_mut();
        let known = durable.is_none_or(|durable| durable.end_talk(self.peer));
        if !std::mem::replace(self.closing, true) && known {
            self.strategy
                .handle_disconnected(self.catalogue, self.peer, self.now);
        }
    }

    fn progress(&mut self, bytes: u64) {
        if !*self.closing {
            self.strategy.handle_progress(self.peer, bytes, self.now);
        }
    }

    fn fault(&mut self, hash: &Hash, fault: Fault) {
        if !*self.closing
            && let Some(hash) = self.catalogue.number(hash)
        {
            self.strategy
                .handle_failed(self.catalogue, self.peer, hash, fault, self.now);
        }
    }
}

/// Bytes that an answer takes at the least: a mapping of HASHES, or the end of a content.
const ANSWER: u64 = 64;
