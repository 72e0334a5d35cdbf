//! What a durable node finds in its log, and what it puts there.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hash_exchange::Hash;
use rand::Rng as _;

use super::{Errand, State};
use crate::host::Host;
use crate::log::{Entry, Identity};
use crate::strategy::Strategy;

impl<H: Host, S: Strategy> State<H, S> {
    /// Somebody who has not been before.
    pub(crate) fn draw_identity(&self) -> Identity {
        let mut identity = [0; 16];
        self.host.rng().fill_bytes(&mut identity);
        Identity(identity)
    }

    /// The log was read: the node holds what it says, and what was published meanwhile.
    pub(crate) fn recover(&mut self, identity: Identity, entries: Vec<Entry>) {
        let now = self.host.now();
        for entry in entries {
            self.recover_entry(entry, now);
        }
        let collected = self.catalogue.journal_len();
        let Some(durable) = &mut self.durable else {
            return;
        };
        durable.identity = Some(identity);
        durable.trouble = None;
        (durable.collected, durable.synced) = (collected, collected);
        durable.recovered = collected;
        let readers = std::mem::take(&mut durable.readers);
        self.errands.extend(readers.into_iter().map(Errand::Wake));
        let early = std::mem::take(&mut durable.early);
        self.publish(early);
    }

    fn recover_entry(&mut self, entry: Entry, now: Duration) {
        match entry {
            Entry::Body(hash, body) => self.hold(&hash, body, now),
            Entry::Evicted(hash) => {
                let number = self.catalogue.number(&hash);
                if let Some(number) = number.filter(|&number| self.catalogue.evict(number)) {
                    self.strategy.handle_evicted(&mut self.catalogue, number);
                }
            }
            Entry::Cursor(peer, position) => {
                if let Some(durable) = &mut self.durable {
                    durable.cursors.insert(peer, position);
                }
            }
            Entry::Identity(_) => {}
        }
    }

    /// Pending until the node holds what its log says.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_ready() {
            return Poll::Ready(());
        }
        if let Some(durable) = &mut self.durable {
            durable.readers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Whether the node holds what its log says.
    pub(crate) fn is_ready(&self) -> bool {
        let durable = self.durable.as_ref();
        durable.is_none_or(|durable| durable.identity.is_some())
    }

    /// Puts on the list of what is to be written what belongs there by now.
    #[cold]
    pub(super) fn keep_log(&mut self) {
        self.collect_unwritten();
        self.note_seen();
    }

    /// Puts bodies that have become held on the list of what is to be written.
    fn collect_unwritten(&mut self) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        if durable.identity.is_none() {
            return;
        }
        for (hash, body) in self.catalogue.held_since(durable.collected) {
            let waker = durable.push(Entry::Body(hash, Rc::clone(body)));
            self.errands.extend(waker.map(Errand::Wake));
        }
        durable.collected = self.catalogue.journal_len();
    }

    /// Puts an entry on that list.
    pub(super) fn write_later(&mut self, entry: Entry) {
        if let Some(durable) = &mut self.durable {
            let waker = durable.push(entry);
            self.errands.extend(waker.map(Errand::Wake));
        }
    }

    /// What is to be written next, for the task that writes.
    pub(crate) fn poll_unwritten(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Entry>> {
        match &mut self.durable {
            Some(durable) => durable.poll_unwritten(cx),
            None => Poll::Pending,
        }
    }

    /// The disk could not be read or written. How long to wait before it is tried again, for the so manieth time.
    pub(crate) fn note_trouble(&mut self, error: std::io::Error, attempt: u8) -> Duration {
        if let Some(durable) = &mut self.durable {
            durable.trouble = Some(Rc::new(error));
        }
        self.config.backoff.pause(attempt, &mut self.host.rng())
    }

    /// Whether a hash is held, and will be after a crash.
    pub(crate) fn is_durable(&self, hash: &Hash) -> bool {
        let place = self.catalogue.place(hash);
        let synced = self.durable.as_ref().map_or(0, |durable| durable.synced);
        place.is_some_and(|place| place < synced)
    }
}
