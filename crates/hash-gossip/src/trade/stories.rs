//! What the strategy does when peers behave as peers do, told one event at a time.

use std::time::Duration;

use crate::strategy::{Action, Fault, HashIndex, PeerIndex, Strategy};

use super::{Known, Trade};

const STALL: Duration = Duration::from_secs(5);
/// Bytes a second.
const SLOWEST: u32 = 1000;
/// Bytes that make a peer's answers go on, however long they stood still.
const ALL: u64 = 5 * SLOWEST as u64;

const ADA: usize = 0;
const BOB: usize = 1;
const CAT: usize = 2;

/// A strategy with three peers, and a clock.
struct World {
    trade: Trade,
    hashes: Vec<Known>,
    now: Duration,
}

impl World {
    /// Everybody is connected.
    fn new() -> Self {
        let mut world = Self {
            trade: Trade::new(STALL, SLOWEST, 100),
            hashes: vec![Known::default(); 102],
            now: Duration::from_secs(60),
        };
        for peer in [ADA, BOB, CAT] {
            assert_eq!(world.connect(peer), []);
        }
        world
    }

    fn connect(&mut self, peer: usize) -> Vec<Action> {
        self.trade
            .handle_connected(&mut self.hashes, PeerIndex::new(peer));
        self.drain()
    }

    fn disconnect(&mut self, peer: usize) -> Vec<Action> {
        self.trade
            .handle_disconnected(&mut self.hashes, PeerIndex::new(peer), self.now);
        self.drain()
    }

    fn offer(&mut self, peer: usize, hash: usize) -> Vec<Action> {
        self.trade.handle_offered(
            &mut self.hashes,
            PeerIndex::new(peer),
            HashIndex::new(hash),
            self.now,
        );
        self.drain()
    }

    fn publish(&mut self, hash: usize) -> Vec<Action> {
        self.trade
            .handle_held(&mut self.hashes, HashIndex::new(hash), None, self.now);
        self.drain()
    }

    fn receive(&mut self, peer: usize, hash: usize) -> Vec<Action> {
        let peer = PeerIndex::new(peer);
        self.trade.handle_progress(peer, ALL, self.now);
        self.trade
            .handle_held(&mut self.hashes, HashIndex::new(hash), Some(peer), self.now);
        self.drain()
    }

    fn evict(&mut self, hash: usize) -> Vec<Action> {
        self.trade
            .handle_evicted(&mut self.hashes, HashIndex::new(hash));
        self.drain()
    }

    fn progress(&mut self, peer: usize) {
        self.trade
            .handle_progress(PeerIndex::new(peer), ALL, self.now);
        assert_eq!(self.drain(), []);
    }

    fn refuse(&mut self, peer: usize, hash: usize) -> Vec<Action> {
        let peer = PeerIndex::new(peer);
        self.trade.handle_progress(peer, ALL, self.now);
        self.trade
            .handle_refused(&mut self.hashes, peer, HashIndex::new(hash), self.now);
        self.drain()
    }

    fn fail(&mut self, peer: usize, hash: usize, fault: Fault) -> Vec<Action> {
        let peer = PeerIndex::new(peer);
        self.trade.handle_failed(
            &mut self.hashes,
            peer,
            HashIndex::new(hash),
            fault,
            self.now,
        );
        self.drain()
    }

    /// Lets time pass, up to when the strategy wants to be called and then beyond.
    fn wait(&mut self, duration: Duration) -> Vec<Action> {
        let end = self.now + duration;
        let mut actions = Vec::new();
        while let Some(deadline) = self.trade.deadline()
            && deadline <= end
        {
            assert!(self.now <= deadline, "a deadline is not in the past");
            self.now = deadline;
            self.trade.handle_time(&mut self.hashes, self.now);
            assert!(
                self.trade.deadline().is_none_or(|next| next > self.now),
                "what is due is done"
            );
            actions.extend(self.drain());
        }
        self.now = end;
        actions
    }

    fn remembers(&self, hash: usize) -> bool {
        self.trade.remembers(&self.hashes[hash])
    }

    fn drain(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.trade.poll_actions(&mut actions);
        actions.sort_by_key(Action::order);
        actions
    }
}

fn ask(peer: usize, hash: usize) -> Action {
    Action::Request {
        peer: PeerIndex::new(peer),
        hash: HashIndex::new(hash),
    }
}

fn tell(peer: usize, hash: usize) -> Action {
    Action::Advertise {
        peer: PeerIndex::new(peer),
        hash: HashIndex::new(hash),
    }
}

fn cancel(peer: usize, hash: usize) -> Action {
    Action::Cancel {
        peer: PeerIndex::new(peer),
        hash: HashIndex::new(hash),
    }
}

fn forget(hash: usize) -> Action {
    Action::Forget {
        hash: HashIndex::new(hash),
    }
}

#[test]
fn what_is_offered_is_fetched_once_and_told_to_those_who_do_not_know() {
    let mut world = World::new();
    assert_eq!(world.offer(ADA, 0), [ask(ADA, 0)]);
    assert_eq!(world.offer(BOB, 0), []);
    assert_eq!(world.receive(ADA, 0), [tell(CAT, 0)]);
    assert_eq!(world.offer(CAT, 0), [], "the two announcements crossed");
    assert_eq!(world.trade.in_flight(), 0);
}

#[test]
fn a_new_connection_is_told_everything_and_asked_again() {
    let mut world = World::new();
    world.publish(0);
    assert_eq!(world.offer(ADA, 1), [ask(ADA, 1)]);
    assert_eq!(world.disconnect(ADA), [forget(1)]);
    assert_eq!(world.connect(ADA), [tell(ADA, 0)]);
    assert_eq!(world.offer(ADA, 1), [ask(ADA, 1)]);
}

#[test]
fn what_a_reconnect_brought_is_announced_onward() {
    let mut world = World::new();
    world.disconnect(ADA);
    world.connect(ADA);
    assert_eq!(world.offer(ADA, 0), [ask(ADA, 0)]);
    assert_eq!(world.receive(ADA, 0), [tell(BOB, 0), tell(CAT, 0)]);
}

#[test]
fn a_want_outlives_the_connection_on_which_it_was_asked() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    world.progress(ADA);
    assert_eq!(world.disconnect(ADA), [ask(BOB, 0)]);
}

#[test]
fn an_offer_does_not_outlive_its_connection() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    world.disconnect(BOB);
    world.connect(BOB);
    assert_eq!(
        world.disconnect(ADA),
        [forget(0)],
        "the new connection to Bob has offered nothing"
    );
    assert_eq!(world.offer(BOB, 0), [ask(BOB, 0)]);
}

#[test]
fn a_refusal_holds_until_the_next_offer() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    assert_eq!(world.refuse(ADA, 0), [ask(BOB, 0)]);
    assert_eq!(world.offer(ADA, 0), [], "Bob is being asked");
    assert_eq!(world.refuse(BOB, 0), [ask(ADA, 0)]);
}

#[test]
fn who_refused_is_told_once_the_hash_is_here() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    world.refuse(ADA, 0);
    assert_eq!(world.receive(BOB, 0), [tell(ADA, 0), tell(CAT, 0)]);
}

#[test]
fn who_refuses_late_is_told_late() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    assert_eq!(world.wait(STALL), [ask(BOB, 0)]);
    assert_eq!(world.receive(BOB, 0), [cancel(ADA, 0), tell(CAT, 0)]);
    assert_eq!(world.refuse(ADA, 0), [tell(ADA, 0)]);
}

#[test]
fn a_stalled_request_moves_on_and_keeps_its_chance() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    assert_eq!(world.wait(STALL - Duration::from_nanos(1)), []);
    assert_eq!(world.wait(Duration::from_nanos(1)), [ask(BOB, 0)]);
    assert_eq!(world.wait(10 * STALL), [], "nobody is asked twice");
    assert_eq!(world.offer(CAT, 0), [ask(CAT, 0)], "nobody else moves");
    assert_eq!(
        world.receive(ADA, 0),
        [cancel(BOB, 0), cancel(CAT, 0)],
        "the first answer counts, late as it is"
    );
}

#[test]
fn a_peer_with_any_progress_is_not_stalled() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(ADA, 1);
    world.offer(BOB, 0);
    for _ in 0..4 {
        assert_eq!(world.wait(STALL / 2), []);
        world.progress(ADA);
    }
    assert_eq!(world.wait(STALL), [ask(BOB, 0)]);
}

#[test]
fn a_peer_that_trickles_is_stalled() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    let second = Duration::from_secs(1);
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.push(world.wait(second));
        let (ada, some) = (PeerIndex::new(ADA), u64::from(SLOWEST) / 10);
        world.trade.handle_progress(ada, some, world.now);
    }
    // What came each second was worth a tenth of one.
    let first = asked.iter().position(|actions| !actions.is_empty());
    assert_eq!((first, &asked[4][..]), (Some(4), &[ask(BOB, 0)][..]));
    assert_eq!(
        world.receive(ADA, 0),
        [cancel(BOB, 0), tell(CAT, 0)],
        "what comes in the end counts"
    );
}

/// Its HASHES tells that a content is under way, and of no other.
#[test]
fn an_answer_that_has_begun_has_as_long_again() {
    let mut world = World::new();
    for hash in [0, 1] {
        world.offer(ADA, hash);
        world.offer(BOB, hash);
    }
    assert_eq!(world.wait(STALL / 2), []);
    let (ada, hash) = (PeerIndex::new(ADA), HashIndex::new(0));
    world
        .trade
        .handle_begun(&mut world.hashes, ada, hash, world.now);
    assert_eq!(world.wait(STALL / 2), [ask(BOB, 1)]);
    assert_eq!(world.wait(STALL / 2), [ask(BOB, 0)]);
}

#[test]
fn each_request_has_its_own_deadline() {
    let mut world = World::new();
    world.offer(BOB, 0);
    world.offer(ADA, 0);
    world.wait(STALL / 2);
    world.offer(BOB, 1);
    world.offer(ADA, 1);
    assert_eq!(world.wait(STALL / 2), [ask(ADA, 0)]);
    assert_eq!(world.wait(STALL / 2), [ask(ADA, 1)]);
}

#[test]
fn a_stalled_peer_that_moves_again_is_waited_for() {
    let mut world = World::new();
    world.offer(ADA, 0);
    assert_eq!(world.wait(2 * STALL), []);
    world.progress(ADA);
    assert_eq!(world.offer(BOB, 0), [], "Ada is sending");
    assert_eq!(world.wait(STALL), [ask(BOB, 0)]);
}

#[test]
fn retries_go_round_all_holders() {
    let mut world = World::new();
    for peer in [BOB, ADA, CAT] {
        world.offer(peer, 0);
    }
    assert_eq!(world.wait(STALL), [ask(CAT, 0)]);
    assert_eq!(world.wait(STALL), [ask(ADA, 0)]);
    assert_eq!(world.wait(STALL), []);
}

#[test]
fn an_answer_that_broke_off_is_asked_for_elsewhere_and_then_again_after_a_pause() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    assert_eq!(world.fail(ADA, 0, Fault::Broken), [ask(BOB, 0)]);
    assert_eq!(world.fail(BOB, 0, Fault::Broken), []);
    assert_eq!(world.wait(STALL), [ask(ADA, 0)]);
    assert_eq!(world.fail(ADA, 0, Fault::Broken), [ask(BOB, 0)]);
}

#[test]
fn who_failed_is_asked_again_although_another_is_silent() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    assert_eq!(world.wait(STALL), [ask(BOB, 0)]);
    assert_eq!(world.fail(BOB, 0, Fault::Broken), []);
    assert_eq!(world.wait(STALL), [ask(BOB, 0)]);
}

#[test]
fn a_liar_is_not_asked_again_on_this_connection() {
    let mut world = World::new();
    world.offer(ADA, 0);
    assert_eq!(world.fail(ADA, 0, Fault::Wrong), []);
    assert_eq!(world.offer(ADA, 0), []);
    assert_eq!(world.wait(10 * STALL), []);
    assert_eq!(world.offer(BOB, 0), [ask(BOB, 0)]);
    assert_eq!(world.disconnect(BOB), []);
    assert_eq!(world.disconnect(ADA), [forget(0)]);
    world.connect(ADA);
    assert_eq!(world.offer(ADA, 0), [ask(ADA, 0)]);
}

#[test]
fn a_hash_that_nobody_offers_any_more_is_forgotten() {
    let mut world = World::new();
    world.offer(ADA, 0);
    world.offer(BOB, 0);
    assert_eq!(world.refuse(ADA, 0), [ask(BOB, 0)]);
    assert_eq!(world.disconnect(BOB), [forget(0)]);
    assert!(!world.remembers(0));
    assert_eq!(world.wait(10 * STALL), []);
}

#[test]
fn what_is_published_here_is_not_fetched_any_more() {
    let mut world = World::new();
    world.offer(ADA, 0);
    assert_eq!(
        world.publish(0),
        [cancel(ADA, 0), tell(BOB, 0), tell(CAT, 0)]
    );
    assert_eq!(world.wait(10 * STALL), []);
}

#[test]
fn what_was_evicted_is_asked_for_by_nobody_and_told_anew_once_it_is_published() {
    let mut world = World::new();
    world.offer(ADA, 0);
    assert_eq!(world.receive(ADA, 0), [tell(BOB, 0), tell(CAT, 0)]);
    assert_eq!(world.evict(0), []);
    assert_eq!(world.offer(BOB, 0), []);
    assert_eq!(world.refuse(CAT, 0), []);
    assert_eq!(world.disconnect(ADA), []);
    assert_eq!(world.connect(ADA), [], "there is nothing to offer her");
    assert!(world.remembers(0));
    assert_eq!(world.wait(10 * STALL), []);
    assert_eq!(
        world.publish(0),
        [tell(ADA, 0), tell(CAT, 0)],
        "Bob holds it"
    );
}

#[test]
fn offers_of_what_was_evicted_count_for_nothing() {
    let mut world = World::new();
    world.publish(100);
    world.evict(100);
    for hash in 0..100 {
        world.offer(ADA, hash);
    }
    let flood = Action::Disconnect {
        peer: PeerIndex::new(ADA),
    };
    assert_eq!(world.offer(ADA, 101), [flood]);
    assert_eq!(world.offer(ADA, 100), []);
    world.publish(100);
    assert_eq!(
        world.offer(ADA, 101),
        [flood],
        "there is no room more than before"
    );
    world.evict(100);
    world.refuse(ADA, 100);
    assert_eq!(world.offer(ADA, 101), [flood]);
}

#[test]
fn a_peer_may_not_offer_without_end() {
    let mut world = World::new();
    for hash in 0..100 {
        assert_eq!(world.offer(ADA, hash), [ask(ADA, hash)]);
    }
    let flood = Action::Disconnect {
        peer: PeerIndex::new(ADA),
    };
    assert_eq!(world.offer(ADA, 100), [flood]);
    assert!(!world.remembers(100));
    assert_eq!(world.offer(BOB, 100), [ask(BOB, 100)], "Bob has room");
    world.receive(ADA, 0);
    assert_eq!(
        world.offer(ADA, 101),
        [ask(ADA, 101)],
        "what came counts no more"
    );
}

#[test]
fn what_is_refused_or_was_offered_on_another_connection_counts_no_more() {
    let mut world = World::new();
    for hash in 0..100 {
        world.offer(ADA, hash);
    }
    let flood = Action::Disconnect {
        peer: PeerIndex::new(ADA),
    };
    assert_eq!(world.offer(ADA, 100), [flood]);
    assert_eq!(world.refuse(ADA, 0), [forget(0)]);
    assert_eq!(world.offer(ADA, 100), [ask(ADA, 100)]);
    assert_eq!(world.offer(ADA, 101), [flood]);

    assert_eq!(world.offer(BOB, 1), []);
    world.disconnect(ADA);
    world.connect(ADA);
    for hash in 0..100 {
        assert!(!world.offer(ADA, hash).contains(&flood));
    }
    assert_eq!(world.offer(ADA, 100), [flood]);
}
