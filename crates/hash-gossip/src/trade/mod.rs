//! The strategy `trade`: say what one has, ask one peer at a time for what one lacks.

mod known;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;

use std::time::Duration;

use crate::nanos::Nanos;
use crate::peer_set::PeerSet;
use crate::strategy::{Action, Fault, HashIndex, Knowledge, PeerIndex, Strategy};

pub use known::Known;
use known::Standing;

/// Advertises what the node holds and fetches what others advertise, each hash from one peer at a time.
///
/// - What is held is advertised to every peer that is not known to hold it, once on each connection.
/// - A hash that is offered is requested at once, from one peer. The next holder is asked when that peer refuses,
///   fails, is lost, or *stalls*: for a while neither this answer nor any other of that peer went on, but for a trickle. A stalled
///   request is not taken back; whichever answer comes first counts, and the others are cancelled.
/// - Holders are asked in turn, none twice on one connection, with two exceptions: a peer that refused is asked again
///   once it offers the hash again, and one whose answer broke off after a pause when no other is left. A peer whose
///   content was wrong is not.
/// - What was evicted is not asked for, whoever offers it.
/// - All that is known of a peer is forgotten with its connection.
///
/// The invariant which everything here keeps: *a wanted hash is asked for whenever there is someone to ask*.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Trade {
    // What every event looks at stands first.
    actions: Vec<Action>,
    deadline: Option<Duration>,
    /// When an answer of each peer last went on; earlier, if it did so slowly.
    progress: Vec<Nanos>,
    /// The time within which a byte has to come.
    worth_ns: u64,
    wants: Vec<Want>,
    up: PeerSet,
    stall: Duration,
    max_offers: u32,
    /// How many hashes that are not held each peer offers. Nobody can offer too many of them, so nobody counts, until
    /// there are so many.
    offers: Option<Box<[u32]>>,
}

/// A hash which peers offer and the node does not hold. The three sets, two of them among the faults, are parts of those
/// who offer it, and disjoint.
#[derive(Clone, Debug)]
struct Want {
    hash: HashIndex,
    /// Whose answer is waited for: one of `asked` that has not stalled.
    live: Option<PeerIndex>,
    /// Who was asked last: the search for the next one begins behind it.
    last: PeerIndex,
    /// When the live request was made, or its answer has begun.
    since: Nanos,
    /// Who was asked and has not answered.
    asked: PeerSet,
    /// What went wrong, if anything did.
    faults: Option<Box<Faults>>,
}

#[derive(Clone, Debug, Default)]
struct Faults {
    /// Whose answer broke off.
    failed: PeerSet,
    /// When one last did so.
    failed_at: Nanos,
    /// Whose answer was not the content of the hash.
    lied: PeerSet,
}

impl Trade {
    /// A strategy that calls a request stalled after `stall`, and slow answers too, that bring less than `slowest` bytes a second. It
    /// lets one peer offer at most `max_offers` hashes that are not held here: one that offers names without end would otherwise be given memory without end.
    pub fn new(stall: Duration, slowest: u32, max_offers: u32) -> Self {
        Self {
            stall,
            worth_ns: 1_000_000_000 / u64::from(slowest.max(1)),
            max_offers,
            wants: Vec::new(),
            progress: Vec::new(),
            offers: None,
            up: PeerSet::default(),
            actions: Vec::new(),
            deadline: None,
        }
    }

    fn add_want(&mut self, hash: HashIndex, now: Duration) -> Standing {
        self.wants.push(Want::new(hash, now));
        Standing::wanted(self.wants.len() - 1)
    }

    /// Takes a want out, and gives the place of the last one to the one that moves into the gap.
    fn remove_want(&mut self, hashes: &mut impl Knowledge<Known>, want: usize) -> Want {
        let removed = self.wants.swap_remove(want);
        if self.wants.is_empty() {
            self.deadline = None;
            // Nothing is kept: the room for four is as much as a connection takes.
            self.wants = Vec::new();
            self.offers = None;
        }
        if let Some(moved) = self.wants.get(want) {
            hashes.of_mut(moved.hash).standing = Standing::wanted(want);
        }
        removed
    }

    /// Sees to it that somebody is being waited for, if anybody can be. `known` is what is known of the hash.
    fn ask(&mut self, known: &Known, want: usize, now: Duration) {
        let want = &mut self.wants[want];
        if want.live.is_some() {
            return;
        }
        let moving = want
            .asked
            .iter()
            .map(|peer| {
                (
                    peer,
                    Duration::from(self.progress[peer.index()]) + self.stall,
                )
            })
            .find(|&(_, due)| now < due);
        if let Some((peer, due)) = moving {
            want.live = Some(peer);
            self.wake_at(due);
            return;
        }
        let offered = known.offered();
        let next = match &want.faults {
            None => offered.next_after(want.last, &[&want.asked]),
            Some(faults) => {
                let except = [&want.asked, &faults.failed, &faults.lied];
                offered.next_after(want.last, &except)
            }
        };
        if let Some(peer) = next {
            want.live = Some(peer);
            want.last = peer;
            want.since = now.into();
            want.asked.insert(peer);
            let hash = want.hash;
            self.actions.push(Action::Request { peer, hash });
            self.wake_at(now + self.stall);
        } else if let Some(faults) = &want.faults
            && !faults.failed.is_empty()
        {
            let due = Duration::from(faults.failed_at) + self.stall;
            self.wake_at(due);
        }
    }

    /// A later time than the one already set needs no change: what is really due is seen then.
    fn wake_at(&mut self, due: Duration) {
        self.deadline = Some(self.deadline.map_or(due, |deadline| deadline.min(due)));
    }

    /// Brings a want up to date with the time, and says when to look at it again.
    fn review(&mut self, hashes: &impl Knowledge<Known>, index: usize, now: Duration) {
        let want = &mut self.wants[index];
        if let Some(peer) = want.live {
            let since = Duration::from(want.since);
            let due = since.max(self.progress[peer.index()].into()) + self.stall;
            if now < due {
                self.wake_at(due);
                return;
            }
            want.live = None;
        }
        if let Some(faults) = &mut want.faults
            && Duration::from(faults.failed_at) + self.stall <= now
        {
            faults.failed.clear();
        }
        let known = hashes.of(want.hash);
        self.ask(known, index, now);
    }

    /// Whether a peer may offer nothing more. Every hash that is offered and not held is wanted.
    fn offers_enough(&mut self, hashes: &impl Knowledge<Known>, peer: PeerIndex) -> bool {
        if self.wants.len() < self.max_offers as usize {
            return false;
        }
        let offers = self.offers.get_or_insert_with(|| {
            let mut offers = vec![0; self.progress.len()];
            for want in &self.wants {
                for peer in hashes.of(want.hash).offered().iter() {
                    offers[peer.index()] += 1;
                }
            }
            offers.into()
        });
        offers[peer.index()] >= self.max_offers
    }

    fn advertise(&mut self, known: &mut Known, peer: PeerIndex, hash: HashIndex) {
        if known.note_told(peer) {
            self.actions.push(Action::Advertise { peer, hash });
        }
    }

    /// Lets go of a hash that is not held once nobody offers it.
    fn forget_unoffered(&mut self, hashes: &mut impl Knowledge<Known>, hash: HashIndex) {
        let known = hashes.of_mut(hash);
        if !known.offered().is_empty() || known.standing.is_settled() {
            return;
        }
        if let Standing::Wanted(want) = std::mem::take(known).standing {
            self.remove_want(hashes, want as usize);
        }
        self.actions.push(Action::Forget { hash });
    }
}

impl Want {
    fn new(hash: HashIndex, now: Duration) -> Self {
        Self {
            hash,
            live: None,
            last: PeerIndex::default(),
            since: now.into(),
            asked: PeerSet::default(),
            faults: None,
        }
    }

    /// A request at this peer is settled, or lost with its connection.
    fn settle(&mut self, peer: PeerIndex) {
        self.asked.remove(peer);
        if self.live == Some(peer) {
            self.live = None;
        }
    }

    /// This peer may be asked again although its answer broke off.
    fn forgive_failure(&mut self, peer: PeerIndex) {
        if let Some(faults) = &mut self.faults {
            faults.failed.remove(peer);
        }
    }

    /// The connection of this peer is lost.
    fn forgive(&mut self, peer: PeerIndex) {
        self.forgive_failure(peer);
        if let Some(faults) = &mut self.faults {
            faults.lied.remove(peer);
        }
    }
}

impl Strategy for Trade {
    type Known = Known;

    fn handle_connected(&mut self, hashes: &mut impl Knowledge<Known>, peer: PeerIndex) {
        if self.progress.len() <= peer.index() {
            self.progress.resize(peer.index() + 1, Nanos::default());
            // There is no room for the peer. It is made when they are counted again.
            self.offers = None;
        }
        self.progress[peer.index()] = Nanos::default();
        self.up.insert(peer);
        for hash in (0..hashes.numbers()).map(HashIndex::new) {
            let known = hashes.of_mut(hash);
            if known.standing == Standing::Held {
                self.advertise(known, peer, hash);
            }
        }
    }

    fn handle_told(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        peer: PeerIndex,
        hash: HashIndex,
    ) {
        hashes.of_mut(hash).note_told(peer);
    }

    fn handle_disconnected(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        peer: PeerIndex,
        now: Duration,
    ) {
        if !self.up.remove(peer) {
            return;
        }
        self.progress[peer.index()] = Nanos::default();
        if let Some(offers) = &mut self.offers {
            offers[peer.index()] = 0;
        }
        for hash in (0..hashes.numbers()).map(HashIndex::new) {
            let known = hashes.of_mut(hash);
            known.forget_told(peer);
            if !known.take_offer_back(peer) {
                continue;
            }
            if let Standing::Wanted(want) = known.standing {
                let want = want as usize;
                self.wants[want].settle(peer);
                self.wants[want].forgive(peer);
                self.ask(known, want, now);
            }
            self.forget_unoffered(hashes, hash);
        }
    }

    fn handle_offered(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        peer: PeerIndex,
        hash: HashIndex,
        now: Duration,
    ) {
        let known = hashes.of_mut(hash);
        if known.standing.is_settled() {
            known.note_offer(peer);
            return;
        }
        if !known.was_offered(peer) {
            if self.offers_enough(hashes, peer) {
                let disconnect = Action::Disconnect { peer };
                if self.actions.last() != Some(&disconnect) {
                    self.actions.push(disconnect);
                }
                return;
            }
            if let Some(offers) = &mut self.offers {
                offers[peer.index()] += 1;
            }
            hashes.of_mut(hash).note_offer(peer);
        }
        let known = hashes.of_mut(hash);
        if known.standing == Standing::Unknown {
            known.standing = self.add_want(hash, now);
        }
        if let Standing::Wanted(want) = known.standing {
            self.wants[want as usize].forgive_failure(peer);
            self.ask(known, want as usize, now);
        }
    }

    fn handle_held(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        hash: HashIndex,
        from: Option<PeerIndex>,
        _now: Duration,
    ) {
        if let Standing::Wanted(want) = hashes.of(hash).standing {
            let want = self.remove_want(hashes, want as usize);
            for peer in want.asked.iter().filter(|&peer| Some(peer) != from) {
                self.actions.push(Action::Cancel { peer, hash });
            }
        }
        let known = hashes.of_mut(hash);
        let was_counted = known.standing != Standing::Evicted;
        known.standing = Standing::Held;
        let offered = known.offered();
        if was_counted && let Some(offers) = &mut self.offers {
            for peer in offered.iter() {
                offers[peer.index()] -= 1;
            }
        }
        let ignorant = self.up.except(&offered);
        for peer in ignorant.iter() {
            known.note_told(peer);
            self.actions.push(Action::Advertise { peer, hash });
        }
    }

    fn handle_evicted(&mut self, hashes: &mut impl Knowledge<Known>, hash: HashIndex) {
        let known = hashes.of_mut(hash);
        known.standing = Standing::Evicted;
        known.forget_all_told();
    }

    /// A content may come later than its HASHES does, by as much again as that took.
    fn handle_begun(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        peer: PeerIndex,
        hash: HashIndex,
        now: Duration,
    ) {
        if let Standing::Wanted(want) = hashes.of(hash).standing {
            let want = &mut self.wants[want as usize];
            if want.live == Some(peer) {
                want.since = now.into();
            }
        }
    }

    /// Each byte is worth some patience. A peer that has been quiet for long has none left from before.
    fn handle_progress(&mut self, peer: PeerIndex, bytes: u64, now: Duration) {
        let last = &mut self.progress[peer.index()];
        let earned = Duration::from_nanos(self.worth_ns.saturating_mul(bytes));
        let since = now.saturating_sub(self.stall).max((*last).into());
        *last = now.min(since + earned).into();
    }

    fn handle_refused(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        peer: PeerIndex,
        hash: HashIndex,
        now: Duration,
    ) {
        let known = hashes.of_mut(hash);
        let taken_back = known.take_offer_back(peer);
        if known.standing == Standing::Held {
            // It was passed over when the others were told, as it had seemed to know.
            self.advertise(known, peer, hash);
            return;
        }
        if known.standing == Standing::Evicted {
            return;
        }
        if taken_back && let Some(offers) = &mut self.offers {
            offers[peer.index()] -= 1;
        }
        if let Standing::Wanted(want) = known.standing {
            self.wants[want as usize].settle(peer);
            self.ask(known, want as usize, now);
            self.forget_unoffered(hashes, hash);
        }
    }

    fn handle_failed(
        &mut self,
        hashes: &mut impl Knowledge<Known>,
        peer: PeerIndex,
        hash: HashIndex,
        fault: Fault,
        now: Duration,
    ) {
        let known = hashes.of(hash);
        let Standing::Wanted(index) = known.standing else {
            return;
        };
        let want = &mut self.wants[index as usize];
        want.settle(peer);
        let faults = want.faults.get_or_insert_default();
        match fault {
            Fault::Broken => {
                faults.failed.insert(peer);
                faults.failed_at = now.into();
            }
            Fault::Wrong => {
                faults.lied.insert(peer);
            }
        }
        self.ask(known, index as usize, now);
    }

    fn handle_time(&mut self, hashes: &mut impl Knowledge<Known>, now: Duration) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        for want in 0..self.wants.len() {
            self.review(hashes, want, now);
        }
    }

    fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn poll_actions(&mut self, actions: &mut Vec<Action>) {
        if self.actions.is_empty() {
            return;
        }
        actions.append(&mut self.actions);
        if self.actions.capacity() > KEPT_ACTIONS {
            self.actions = Vec::new();
        }
    }

    fn remembers(&self, known: &Known) -> bool {
        known.standing != Standing::Unknown
    }

    fn was_offered(&self, peer: PeerIndex, known: &Known) -> bool {
        known.was_offered(peer)
    }

    fn was_told(&self, peer: PeerIndex, known: &Known) -> bool {
        known.was_told(peer)
    }

    fn in_flight(&self) -> usize {
        self.wants
            .iter()
            .filter(|want| !want.asked.is_empty())
            .count()
    }
}

/// Room for so many actions is kept between inputs; more was a burst, and a node may be one of a million.
const KEPT_ACTIONS: usize = 8;
