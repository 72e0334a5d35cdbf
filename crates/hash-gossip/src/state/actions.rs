//! Carrying out what the strategy wants.

use std::hint::black_box;
use std::rc::Rc;
use std::slice;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use hash_exchange::{Buffer, Connection, Error, Misuse};

use super::State;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::host::Host;
use crate::neighbour::{Body, Loss};
use crate::reader::Counters;
use crate::scratch::Scratch;
use crate::strategy::{Action, Knowledge as _, PeerIndex, Strategy};

/// What there is to say to a peer that has not read what was said before, or that has too much to answer. It is
/// bounded by what is known: no hash is advertised twice, or asked for again before that was answered.
#[derive(Default)]
pub(super) struct Backlog {
    adverts: Vec<Action>,
    requests: Vec<Action>,
}

impl<H: Host, S: Strategy> State<H, S> {
    /// Carries out all actions of the strategy, with those that follow from them.
    pub(super) fn carry_out(&mut self, now: Duration) {
        let mut actions = self.scratch.take_actions();
        self.strategy.poll_actions(&mut actions);
        while !actions.is_empty() {
            self.carry_out_polled(&mut actions, now);
            self.strategy.poll_actions(&mut actions);
        }
        self.catalogue.prune();
        if self.durable.is_some() {
            self.keep_log();
        }
        self.scratch.put_actions(actions);
        self.arm_timer();
    }

    /// Most polls end without any action, so this stays out of their way.
    #[inline(never)]
    fn carry_out_polled(&mut self, actions: &mut Vec<Action>, now: Duration) {
        // None of the connections is in the cache: all are looked for at once, not one after the other.
        for peer in actions.iter().filter_map(Action::peer) {
            black_box(self.links[peer.index()].touch());
        }
        actions.sort_unstable_by_key(Action::order);
        let mut frames = self.scratch.take_frames();
        for group in actions.chunk_by(|a, b| a.peer() == b.peer()) {
            match group[0].peer() {
                Some(peer) => self.carry_out_at(peer, group, &mut frames, now),
                None => self.forget(group),
            }
        }
        self.scratch.put_frames(frames);
        actions.clear();
    }

    /// Carries out what concerns one peer. What it is told is encoded in `frames`.
    fn carry_out_at(
        &mut self,
        peer: PeerIndex,
        actions: &[Action],
        frames: &mut Buffer,
        now: Duration,
    ) {
        if matches!(actions, [Action::Disconnect { .. }, ..]) {
            self.lose(peer, Loss::Flooded, now);
            return;
        }
        let link = &mut self.links[peer.index()];
        let Some(connection) = &mut link.connection else {
            return;
        };
        let blocked = connection.unwritten() > 0;
        connection.lend(frames);
        match actions {
            // This is what nearly all actions are, and what nothing stands in the way of.
            [Action::Advertise { hash, .. }]
                if !blocked && !link.closing && self.backlogs.is_none() =>
            {
                let hash = self.catalogue.hash(*hash);
                // A connection that is closed to new messages has nobody to tell.
                if let Ok(tag) = connection.provide(slice::from_ref(&hash)) {
                    self.counters.count(tag);
                }
            }
            _ => self.encode(peer, actions),
        }
        let link = &mut self.links[peer.index()];
        let Some(connection) = &mut link.connection else {
            return;
        };
        let flushed = if blocked {
            Ok(())
        } else {
            flush(connection, link.waker.as_ref())
        };
        connection.reclaim(frames);
        if let Err(error) = flushed {
            self.lose(peer, Loss::Failed(Rc::new(error)), now);
        }
    }

    /// Encodes what concerns one peer, with one message of a kind as long as that is no more than a batch.
    fn encode(&mut self, peer: PeerIndex, actions: &[Action]) {
        let (cancels, rest) = split(actions, |action| matches!(action, Action::Cancel { .. }));
        let (adverts, requests) = split(rest, |action| matches!(action, Action::Advertise { .. }));
        let link = &mut self.links[peer.index()];
        let Some(connection) = &mut link.connection else {
            return;
        };
        for cancel in cancels {
            let hash = self.catalogue.hash(cancel.hash());
            if let Some(response) = self.downloads.find(peer, &hash) {
                self.downloads.end(peer, response);
                // What has ended by now needs no cancelling.
                if let Ok(Some(tag)) = connection.cancel(response) {
                    self.counters.count(tag);
                }
            }
        }
        if !link.closing {
            self.say(peer, adverts, requests);
        }
    }

    /// Says this to a peer, now or as soon as it can be said.
    fn say(&mut self, peer: PeerIndex, adverts: &[Action], requests: &[Action]) {
        if let Some(backlogs) = &mut self.backlogs
            && let Some(backlog) = backlogs.get_mut(&peer)
        {
            backlog.adverts.extend_from_slice(adverts);
            backlog.requests.extend_from_slice(requests);
            self.say_backlog(peer);
            return;
        }
        let Some(mut voice) = self.voice(peer) else {
            return;
        };
        let (adverts, requests) = voice.say(adverts, requests);
        if !(adverts.is_empty() && requests.is_empty()) {
            let backlog = Backlog {
                adverts: adverts.to_vec(),
                requests: requests.to_vec(),
            };
            self.backlogs.get_or_insert_default().insert(peer, backlog);
        }
    }

    /// Says what had to wait, as far as it need not wait longer.
    pub(super) fn say_backlog(&mut self, peer: PeerIndex) {
        let Some(mut backlog) = self.take_backlog(peer) else {
            return;
        };
        let Some(mut voice) = self.voice(peer) else {
            return;
        };
        let (adverts, requests) = voice.say(&backlog.adverts, &backlog.requests);
        let (adverts, requests) = (adverts.len(), requests.len());
        backlog.adverts.truncate(adverts);
        backlog.requests.truncate(requests);
        if !(backlog.adverts.is_empty() && backlog.requests.is_empty()) {
            self.backlogs.get_or_insert_default().insert(peer, backlog);
        }
    }

    pub(super) fn take_backlog(&mut self, peer: PeerIndex) -> Option<Backlog> {
        let backlogs = self.backlogs.as_mut()?;
        let backlog = backlogs.remove(&peer);
        if backlogs.is_empty() {
            self.backlogs = None;
        }
        backlog
    }

    fn voice(&mut self, peer: PeerIndex) -> Option<Voice<'_, H, S::Known>> {
        Some(Voice {
            connection: self.links[peer.index()].connection.as_mut()?,
            catalogue: &self.catalogue,
            counters: &mut self.counters,
            config: &self.config,
            scratch: &self.scratch,
        })
    }

    fn forget(&mut self, actions: &[Action]) {
        for hash in actions.iter().map(Action::hash) {
            if !self.strategy.remembers(self.catalogue.of(hash)) {
                self.catalogue.release(hash);
            }
        }
    }
}

/// Writes what was just encoded, when nothing stood in front of it: if something did, the task of the connection waits for
/// the stream already, and so it does if the stream takes only a part of this, as it is in that task's name that it is
/// written here.
pub(super) fn flush<Io: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<Io, Body>,
    task: Option<&Waker>,
) -> Result<(), Error> {
    let waker = task.unwrap_or(Waker::noop());
    match connection.poll_flush(&mut Context::from_waker(waker)) {
        Poll::Ready(flushed) => flushed,
        Poll::Pending => Ok(()),
    }
}

/// The actions before the first that is not so, and the others.
fn split(actions: &[Action], is_so: impl Fn(&Action) -> bool) -> (&[Action], &[Action]) {
    let count = actions.iter().take_while(|action| is_so(action)).count();
    actions.split_at(count)
}

/// Speaks to one peer. What it is given it says from the back to the front, and returns what is left there.
struct Voice<'a, H: Host, K> {
    connection: &'a mut Connection<H::Stream, Body>,
    catalogue: &'a Catalogue<H::Address, K>,
    counters: &'a mut Counters,
    config: &'a Config,
    scratch: &'a Scratch,
}

impl<H: Host, K: Default> Voice<'_, H, K> {
    /// Says the adverts, then the requests.
    fn say<'s>(
        &mut self,
        adverts: &'s [Action],
        requests: &'s [Action],
    ) -> (&'s [Action], &'s [Action]) {
        let adverts = match adverts {
            [] => adverts,
            _ => self.advertise(adverts),
        };
        let requests = match requests {
            [] => requests,
            _ => self.request(requests),
        };
        (adverts, requests)
    }

    fn advertise<'s>(&mut self, mut adverts: &'s [Action]) -> &'s [Action] {
        while !adverts.is_empty() && self.has_room() {
            let (left, batch) = adverts.split_at(adverts.len().saturating_sub(self.batch()));
            if self.provide(batch).is_err() {
                // The connection is closed to new messages: there is nobody to tell.
                return &[];
            }
            adverts = left;
        }
        adverts
    }

    fn request<'s>(&mut self, mut requests: &'s [Action]) -> &'s [Action] {
        let mut most = usize::MAX;
        while !requests.is_empty() && self.has_room() {
            let size = self.batch().min(most);
            let (left, batch) = requests.split_at(requests.len().saturating_sub(size));
            match self.ask(batch) {
                Ok(()) => requests = left,
                Err(Misuse::TooManyRequested { .. }) if size > 1 => most = size / 2,
                Err(Misuse::TooManyRequested { .. }) => break,
                // The connection is closed to new messages: there is nobody to ask.
                Err(_) => return &[],
            }
        }
        requests
    }

    /// Says a batch in one AVAILABLE, except for what was evicted while it waited to be said.
    fn provide(&mut self, batch: &[Action]) -> Result<(), Misuse> {
        let held = batch
            .iter()
            .map(Action::hash)
            .filter(|&hash| self.catalogue.holds(hash));
        let mut hashes = self.scratch.take_hashes();
        hashes.extend(held.map(|hash| self.catalogue.hash(hash)));
        let provided = match hashes.as_slice() {
            [] => None,
            hashes => Some(self.connection.provide(hashes)),
        };
        self.scratch.put_hashes(hashes);
        if let Some(tag) = provided.transpose()? {
            self.counters.count(tag);
        }
        Ok(())
    }

    /// Asks for a batch in one REQUEST, except for what came while it waited to be made.
    fn ask(&mut self, batch: &[Action]) -> Result<(), Misuse> {
        let wanted = batch
            .iter()
            .map(Action::hash)
            .filter(|&hash| self.catalogue.lacks(hash));
        let mut hashes = self.scratch.take_hashes();
        hashes.extend(wanted.map(|hash| self.catalogue.hash(hash)));
        let asked = match hashes.as_slice() {
            [] => None,
            hashes => Some(self.connection.request(hashes)),
        };
        self.scratch.put_hashes(hashes);
        if let Some(tag) = asked.transpose()? {
            self.counters.count(tag);
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.connection.unwritten() < UNWRITTEN_ENOUGH
    }

    fn batch(&self) -> usize {
        let fits = self.config.limits.message as usize / BYTES_PER_HASH;
        self.config.batch.min(fits).max(1)
    }
}

/// A peer that leaves more than this unread is told the rest later. It is above what a connection itself writes ahead
/// of a body it serves, so that bodies do not keep news waiting.
const UNWRITTEN_ENOUGH: usize = 256 << 10;

/// A SHA-1 takes 42 bytes in a message. A batch is never longer than a message may be.
const BYTES_PER_HASH: usize = 64;
