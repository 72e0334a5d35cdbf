//! Going on where an earlier connection has ended: what [`talk`](crate::talk) says, put into effect.

use std::time::Duration;

use hash_exchange::{Connection, Misuse, Tag};

use super::{Errand, State, actions};
use crate::catalogue::Catalogue;
use crate::durable::Durable;
use crate::host::Host;
use crate::log::Entry;
use crate::neighbour::{Body, Loss};
use crate::strategy::{PeerIndex, Strategy};
use crate::talk::introduction;

/// Lets the strategy know of a connection, once it is known as far as which position of the log the peer has seen it; what is beyond is
/// offered now.
pub(crate) fn greet<A, S: Strategy>(
    durable: &mut Durable,
    catalogue: &mut Catalogue<A, S::Known>,
    strategy: &mut S,
    peer: PeerIndex,
    position: u64,
    now: Duration,
    mark: Duration,
) {
    // What is durable here cannot be less than what was once said to be so, unless the disk was put back to an earlier state. Then nothing is known of any peer.
    let known = usize::try_from(position).unwrap_or(usize::MAX);
    let known = if known > durable.synced { 0 } else { known };
    durable.is_put_back |= position > known as u64;
    for hash in catalogue.held_before(known) {
        strategy.handle_told(catalogue, peer, hash);
    }
    strategy.handle_connected(catalogue, peer);
    let talk = &mut durable.talks[peer.index()];
    talk.is_greeted = true;
    talk.marked = known as u64;
    durable.mark_later(now + mark);
}

impl<H: Host, S: Strategy> State<H, S> {
    /// A durable node introduces itself on a new connection, and waits for what the peer says.
    pub(super) fn introduce(&mut self, peer: PeerIndex, now: Duration) {
        let greet_by = now + self.config.greeting;
        let Some(durable) = &mut self.durable else {
            return;
        };
        let Some(identity) = durable.begin_talk(peer, greet_by) else {
            return;
        };
        let text = introduction(identity, None);
        self.tell(peer, now, |connection| connection.id(&text));
    }

    /// Says what the last poll of a peer's connection gave cause to.
    #[cold]
    pub(super) fn resume(&mut self, peer: PeerIndex, now: Duration) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let talk = &mut durable.talks[peer.index()];
        if std::mem::take(&mut talk.owes_since)
            && let Some(identity) = talk.peer
        {
            let seen = durable.cursors.get(&identity).copied();
            self.tell(peer, now, |connection| connection.since(seen));
        }
        self.rename_if_put_back();
    }

    /// A node whose disk was put back to an earlier state is not who it was: others remember more of it than there is.
    fn rename_if_put_back(&mut self) {
        let is_put_back = |durable: &mut Box<Durable>| std::mem::take(&mut durable.is_put_back);
        if self.durable.as_mut().is_some_and(is_put_back) {
            let identity = self.draw_identity();
            if let Some(durable) = &mut self.durable {
                durable.identity = Some(identity);
            }
            self.write_later(Entry::Identity(identity));
        }
    }

    /// Notes how far the logs of peers have been seen, behind all that was seen of them.
    pub(super) fn note_seen(&mut self) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let catalogue = &self.catalogue;
        let talks = durable.talks.iter_mut();
        let seen: Vec<_> = talks
            .filter_map(|talk| talk.take_seen(|hash| catalogue.lacks(hash)))
            .collect();
        for (peer, position) in seen {
            if durable.remember(peer, position) {
                let waker = durable.push(Entry::Cursor(peer, position));
                self.errands.extend(waker.map(Errand::Wake));
            }
        }
    }

    /// What was written is durable: peers whose log was seen so far are told.
    pub(crate) fn note_written(&mut self, entries: &[Entry]) {
        let now = self.host.now();
        let Some(durable) = &mut self.durable else {
            return;
        };
        durable.note_written(entries);
        durable.mark_later(now + self.config.mark);
        let told: Vec<_> = durable.seen_by(entries).collect();
        for (peer, position) in told {
            self.tell(peer, now, |connection| connection.seen(Some(position)));
        }
        self.carry_out(now);
    }

    /// Greets those who have said nothing for too long, and says how far the log was offered.
    #[cold]
    pub(super) fn handle_time_of_talks(&mut self, now: Duration) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        if durable.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        for peer in durable.silent(now) {
            let connection = &self.links[peer.index()].connection;
            if connection.is_some() && !self.links[peer.index()].closing {
                let (catalogue, strategy) = (&mut self.catalogue, &mut self.strategy);
                greet(durable, catalogue, strategy, peer, 0, now, self.config.mark);
            }
        }
        let peers = durable.take_unmarked(now);
        for peer in peers {
            self.mark(peer, now);
        }
    }

    /// Says to a peer how far it was offered the log, if it has been: not while something waits to be said.
    fn mark(&mut self, peer: PeerIndex, now: Duration) {
        let waits = self.backlogs.as_ref();
        let waits = waits.is_some_and(|backlogs| backlogs.contains_key(&peer));
        let later = now + self.config.mark;
        let Some(durable) = &mut self.durable else {
            return;
        };
        if waits {
            durable.mark_later(later);
            return;
        }
        if let Some(text) = durable.mark(peer) {
            self.tell(peer, now, |connection| connection.id(&text));
        }
    }

    /// Says something to a peer that takes messages.
    fn tell(
        &mut self,
        peer: PeerIndex,
        now: Duration,
        say: impl FnOnce(&mut Connection<H::Stream, Body>) -> Result<Tag, Misuse>,
    ) {
        let link = &mut self.links[peer.index()];
        let Some(connection) = link.connection.as_mut().filter(|_| !link.closing) else {
            return;
        };
        let blocked = connection.unwritten() > 0;
        // A connection that is closed to new messages has nobody to tell.
        if let Ok(tag) = say(connection) {
            self.counters.count(tag);
        }
        if !blocked && let Err(error) = actions::flush(connection, link.waker.as_ref()) {
            self.lose(peer, Loss::Failed(std::rc::Rc::new(error)), now);
        }
    }
}
