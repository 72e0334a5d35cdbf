//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, Strategy as _, prop, prop_oneof, proptest};

use crate::strategy::{Action, Fault, HashIndex, PeerIndex, Strategy};

use super::{Known, Trade};

/// Some of them stand behind the first 32, of which sets are kept in another way.
const PEERS: Range<usize> = 29..35;
const HASHES: usize = 4;
const STALL: Duration = Duration::from_secs(5);
/// Bytes a second.
const SLOWEST: u32 = 1000;
/// Bytes that make a peer's answers go on, however long they stood still.
const ALL: u64 = 5 * SLOWEST as u64;

/// Something that may happen. What makes no sense at the moment, such as an answer to nothing, is skipped.
#[derive(Clone, Copy, Debug)]
enum Event {
    Connect(usize),
    Disconnect(usize),
    Offer(usize, usize),
    Publish(usize),
    Evict(usize),
    Answer(usize, usize),
    Refuse(usize, usize),
    Fail(usize, usize, Fault),
    Progress(usize),
    Wait(u64),
}

fn event() -> impl proptest::strategy::Strategy<Value = Event> {
    let (peer, hash) = (PEERS, 0..HASHES);
    let fault = prop_oneof![Just(Fault::Broken), Just(Fault::Wrong)];
    prop_oneof![
        2 => peer.clone().prop_map(Event::Connect),
        1 => peer.clone().prop_map(Event::Disconnect),
        6 => (peer.clone(), hash.clone()).prop_map(|(p, h)| Event::Offer(p, h)),
        1 => hash.clone().prop_map(Event::Publish),
        1 => hash.clone().prop_map(Event::Evict),
        1 => (peer.clone(), hash.clone()).prop_map(|(p, h)| Event::Answer(p, h)),
        2 => (peer.clone(), hash.clone()).prop_map(|(p, h)| Event::Refuse(p, h)),
        2 => (peer.clone(), hash, fault).prop_map(|(p, h, f)| Event::Fail(p, h, f)),
        1 => peer.prop_map(Event::Progress),
        2 => (0..8000_u64).prop_map(Event::Wait),
    ]
}

/// What really is the case, kept beside the strategy in the plainest way.
#[derive(Default)]
struct Model {
    now: Duration,
    up: BTreeSet<usize>,
    held: BTreeSet<usize>,
    evicted: BTreeSet<usize>,
    /// What a peer has said or was told on its connection.
    offered: BTreeSet<(usize, usize)>,
    told: BTreeSet<(usize, usize)>,
    /// Requests that wait for an answer, and since when.
    asked: BTreeMap<(usize, usize), Duration>,
    /// Who sent something else, or broke off, and when that was.
    lied: BTreeSet<(usize, usize)>,
    failed: BTreeMap<(usize, usize), Duration>,
    progress: BTreeMap<usize, Duration>,
}

impl Model {
    /// Does what the event says, to the strategy and to the model alike.
    fn apply(&mut self, event: Event, trade: &mut Trade, hashes: &mut Vec<Known>) {
        let now = self.now;
        let index = |peer, hash| (PeerIndex::new(peer), HashIndex::new(hash));
        match event {
            Event::Connect(peer) if self.up.insert(peer) => {
                trade.handle_connected(hashes, PeerIndex::new(peer));
            }
            Event::Disconnect(peer) if self.up.remove(&peer) => {
                self.offered.retain(|key| key.0 != peer);
                self.told.retain(|key| key.0 != peer);
                self.lied.retain(|key| key.0 != peer);
                self.asked.retain(|key, _| key.0 != peer);
                self.failed.retain(|key, _| key.0 != peer);
                self.progress.remove(&peer);
                trade.handle_disconnected(hashes, PeerIndex::new(peer), now);
            }
            Event::Offer(peer, hash) if self.up.contains(&peer) => {
                self.offered.insert((peer, hash));
                self.failed.remove(&(peer, hash));
                let (peer, hash) = index(peer, hash);
                trade.handle_offered(hashes, peer, hash, now);
            }
            Event::Publish(hash) if self.held.insert(hash) => {
                self.evicted.remove(&hash);
                trade.handle_held(hashes, HashIndex::new(hash), None, now);
            }
            Event::Evict(hash) if self.held.remove(&hash) => {
                self.evicted.insert(hash);
                self.told.retain(|key| key.1 != hash);
                trade.handle_evicted(hashes, HashIndex::new(hash));
            }
            Event::Answer(peer, hash) if self.settle(peer, hash) => {
                self.progress.insert(peer, now);
                let new = !self.evicted.contains(&hash) && self.held.insert(hash);
                let (peer, hash) = index(peer, hash);
                trade.handle_progress(peer, ALL, now);
                if new {
                    trade.handle_held(hashes, hash, Some(peer), now);
                }
            }
            Event::Refuse(peer, hash) if self.settle(peer, hash) => {
                self.progress.insert(peer, now);
                self.offered.remove(&(peer, hash));
                let (peer, hash) = index(peer, hash);
                trade.handle_progress(peer, ALL, now);
                trade.handle_refused(hashes, peer, hash, now);
            }
            Event::Fail(peer, hash, fault) if self.settle(peer, hash) => {
                self.progress.insert(peer, now);
                match fault {
                    Fault::Broken => drop(self.failed.insert((peer, hash), now)),
                    Fault::Wrong => drop(self.lied.insert((peer, hash))),
                }
                let (peer, hash) = index(peer, hash);
                trade.handle_progress(peer, ALL, now);
                trade.handle_failed(hashes, peer, hash, fault, now);
            }
            Event::Progress(peer) if self.up.contains(&peer) => {
                self.progress.insert(peer, now);
                trade.handle_progress(PeerIndex::new(peer), ALL, now);
            }
            Event::Wait(ms) => {
                let end = now + Duration::from_millis(ms);
                while let Some(deadline) = trade.deadline()
                    && deadline <= end
                {
                    self.now = deadline;
                    trade.handle_time(hashes, deadline);
                    self.obey(trade);
                }
                self.now = end;
            }
            _ => {}
        }
    }

    /// An answer comes, if there was a question.
    fn settle(&mut self, peer: usize, hash: usize) -> bool {
        self.asked.remove(&(peer, hash)).is_some()
    }

    /// Carries out the actions, each of which must be justified.
    fn obey(&mut self, trade: &mut Trade) {
        let mut actions = Vec::new();
        trade.poll_actions(&mut actions);
        for action in actions {
            match action {
                Action::Advertise { peer, hash } => {
                    let key = (peer.index(), hash.index());
                    assert!(
                        self.up.contains(&key.0),
                        "nobody is there to hear {action:?}"
                    );
                    assert!(self.held.contains(&key.1), "not held: {action:?}");
                    assert!(!self.offered.contains(&key), "known by itself: {action:?}");
                    assert!(self.told.insert(key), "told before: {action:?}");
                }
                Action::Request { peer, hash } => {
                    let key = (peer.index(), hash.index());
                    assert!(self.offered.contains(&key), "never offered: {action:?}");
                    assert!(!self.held.contains(&key.1), "held: {action:?}");
                    assert!(!self.evicted.contains(&key.1), "evicted: {action:?}");
                    assert!(!self.lied.contains(&key), "a liar: {action:?}");
                    assert!(!self.is_live(key.1), "asked for already: {action:?}");
                    if let Some(at) = self.failed.remove(&key) {
                        assert!(at + STALL <= self.now, "no pause before {action:?}");
                    }
                    let before = self.asked.insert(key, self.now);
                    assert_eq!(before, None, "asked twice: {action:?}");
                }
                Action::Cancel { peer, hash } => {
                    let key = (peer.index(), hash.index());
                    assert!(self.held.contains(&key.1), "still wanted: {action:?}");
                    assert!(self.asked.contains_key(&key), "not asked: {action:?}");
                }
                Action::Disconnect { .. } => panic!("nobody offered too much"),
                Action::Forget { hash } => {
                    let hash = hash.index();
                    let known = self.offered.iter().any(|key| key.1 == hash);
                    let kept = self.held.contains(&hash) || self.evicted.contains(&hash);
                    assert!(!known && !kept, "{action:?}");
                }
            }
        }
    }

    /// Whether somebody is asked for this hash who has not stalled.
    fn is_live(&self, hash: usize) -> bool {
        self.asked
            .iter()
            .filter(|(key, _)| key.1 == hash)
            .any(|(key, &since)| {
                let progress = self.progress.get(&key.0).copied().unwrap_or_default();
                self.now < since.max(progress) + STALL
            })
    }

    /// What must be the case whenever all actions are carried out.
    fn check(&self, trade: &Trade, hashes: &[Known]) {
        for (hash, knowledge) in hashes.iter().enumerate() {
            for &peer in &self.up {
                let key = (peer, hash);
                if self.held.contains(&hash) {
                    let knows = self.told.contains(&key) || self.offered.contains(&key);
                    assert!(knows, "{peer} does not know of {hash}");
                } else if self.evicted.contains(&hash) {
                    assert!(!self.told.contains(&key), "{peer} was told of {hash}");
                } else if !self.is_live(hash) && self.offered.contains(&key) {
                    let tried = self.asked.contains_key(&key)
                        || self.lied.contains(&key)
                        || self.failed.contains_key(&key);
                    assert!(tried, "{hash} waits although {peer} offers it");
                }
                let peer = PeerIndex::new(peer);
                assert_eq!(
                    trade.was_offered(peer, knowledge),
                    self.offered.contains(&key)
                );
                assert_eq!(trade.was_told(peer, knowledge), self.told.contains(&key));
            }
            let offered = self.offered.iter().any(|key| key.1 == hash);
            let known = offered || self.held.contains(&hash) || self.evicted.contains(&hash);
            assert_eq!(trade.remembers(knowledge), known);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_action_is_justified_and_every_duty_done(events in prop::collection::vec(event(), 0..120)) {
        // The clock starts late enough for no peer to look as if it had just been heard.
        let mut model = Model { now: Duration::from_secs(60), ..Model::default() };
        let mut trade = Trade::new(STALL, SLOWEST, 100);
        let mut hashes = vec![Known::default(); HASHES];
        for event in events {
            model.apply(event, &mut trade, &mut hashes);
            model.obey(&mut trade);
            model.check(&trade, &hashes);
        }
    }
}
