//! Connections that break.

use std::time::Duration;

use hash_exchange::{Hash, Kind};
use hash_gossip::{Config, Loss, Neighbour, Node};

use crate::world::{LATENCY, TestNode, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_connection_that_broke_is_dialled_again() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(SECOND);
    world.cut(0, 1);
    world.run_for(LATENCY);
    let published = world.now();
    let news = nodes[1].publish(*b"while apart");
    world.run_for(SECOND);
    let learned = nodes[0].record(&news).expect("it came").learned_at;
    assert!(
        learned - published < Duration::from_millis(100) + 4 * LATENCY,
        "the first pause is at most 100 ms"
    );
    let status = nodes[0].neighbour(&1).expect("it is a neighbour");
    assert!(status.up && status.connections == 2);
    assert!(matches!(status.last_loss, Some((at, Loss::Failed(_))) if at == SECOND));
}

#[test]
fn a_body_that_was_cut_short_is_fetched_again() {
    let mut world = World::new();
    world.set_window(1000);
    let nodes = world.nodes(&[(0, 1)]);
    let large = nodes[0].publish(vec![1; 100_000]);
    // The window lets a thousand bytes through in each round trip.
    world.run_for(SECOND);
    assert!((1..100_000).contains(&nodes[1].payload_bytes()));
    world.cut(0, 1);
    world.run_for(10 * SECOND);
    assert!(nodes[1].holds(&large));
    assert_eq!(nodes[1].record(&large).expect("it is held").receipts, 1);
}

#[test]
fn news_pass_a_relay_after_it_comes_back() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1), (1, 2)]);
    world.run_for(SECOND);
    world.wall(0, 1);
    let before = nodes[0].publish(*b"behind the wall");
    world.run_for(20 * SECOND);
    assert!(!nodes[2].holds(&before));
    world.open(0, 1);
    world.run_for(20 * SECOND);
    assert!(nodes[2].holds(&before));
}

#[test]
fn the_dialled_side_dials_when_the_other_one_is_unaware() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(SECOND);
    world.cut_unnoticed_by(0, 1);
    let news = nodes[0].publish(*b"into the void");
    world.run_for(SECOND);
    assert!(!nodes[1].holds(&news), "node 1 waits for node 0 to dial");
    world.run_for(2 * SECOND);
    assert!(nodes[1].holds(&news));
    let status = nodes[0].neighbour(&1).expect("it is a neighbour");
    assert!(matches!(status.last_loss, Some((_, Loss::Replaced))));
}

#[test]
fn a_new_connection_replaces_one_that_only_we_believe_in() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(SECOND);
    world.cut_unnoticed_by(1, 0);
    let news = nodes[1].publish(*b"into the void");
    world.run_for(SECOND);
    assert!(
        nodes[0].holds(&news),
        "node 0 dials again after its first pause"
    );
    let status = nodes[1].neighbour(&0).expect("it is a neighbour");
    assert!(matches!(status.last_loss, Some((_, Loss::Replaced))));
}

#[test]
fn simultaneous_dials_leave_one_connection() {
    let mut world = World::new();
    let nodes: Vec<_> = [(0, 1), (1, 0)]
        .map(|(own, address)| {
            let neighbours = vec![Neighbour {
                address,
                dial: true,
            }];
            Node::start(world.site(own), Config::default(), neighbours)
        })
        .into();
    let news = nodes[0].publish(*b"hello");
    world.run_for(10 * SECOND);
    assert!(nodes[1].holds(&news));
    for (node, other) in [(&nodes[0], 1), (&nodes[1], 0)] {
        let status = node.neighbour(&other).expect("it is a neighbour");
        assert!(status.up && status.connections <= 3, "{status:?}");
    }
}

#[test]
fn a_neighbour_that_is_not_there_is_dialled_ever_more_rarely() {
    let mut world = World::new();
    world.wall(0, 1);
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(60 * SECOND);
    let attempts = nodes[0].neighbour(&1).expect("it is a neighbour").attempts;
    // Each dial takes a second; the pauses are 0.1, 0.2, ... 6.4, 10, 10, ... seconds at most and half that at least.
    assert!((9..=16).contains(&attempts), "{attempts} attempts");
    world.open(0, 1);
    world.run_for(12 * SECOND);
    assert!(nodes[0].neighbour(&1).expect("it is a neighbour").up);
}

#[test]
fn pauses_start_over_after_a_connection_that_did_some_good() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    for round in 0..8_u8 {
        nodes[1].publish([round]);
        world.run_for(SECOND);
        world.cut(0, 1);
        world.run_for(SECOND / 5);
        let status = nodes[0].neighbour(&1).expect("it is a neighbour");
        assert!(status.up, "round {round}: {status:?}");
    }
}

#[test]
fn a_redial_does_not_wait_for_a_stall() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1), (0, 2)]);
    world.run_for(SECOND);
    nodes[1].publish(*b"unanswered");
    world.run_for(LATENCY + LATENCY / 2);
    assert_eq!(nodes[0].in_flight(), 1);
    world.stall(0, 1);
    world.cut(0, 2);
    world.run_for(SECOND / 5);
    assert!(nodes[0].neighbour(&2).expect("it is a neighbour").up);
}

#[test]
fn what_waited_to_be_said_is_not_said_to_the_next_connection_as_well() {
    let mut world = World::new();
    world.set_window(1000);
    let nodes = world.nodes(&[(0, 1)]);
    for number in 0..10_000_u32 {
        nodes[0].publish(number.to_be_bytes());
    }
    let adverts = || nodes[0].sent().frames(Kind::Available);
    world.run_for(3 * LATENCY);
    assert!(
        (1..10).contains(&adverts()),
        "the rest waits until this is read"
    );
    world.cut(0, 1);
    world.set_window(64 << 10);
    let before = adverts();
    world.run_for(20 * SECOND);
    assert_eq!(nodes[1].hashes().len(), 10_000);
    assert_eq!(adverts() - before, 10);
}

/// Node 2 asks node 0, hears nothing for a stall, and gets the body from node 1. Then node 0 is heard again.
fn late_answer(body: &[u8]) -> (World, Vec<TestNode>, Hash) {
    let mut world = World::new();
    world.set_window(1000);
    let nodes = world.nodes(&[(0, 2), (1, 2)]);
    let hash = nodes[0].publish(body);
    nodes[1].publish(body);
    world.run_for(3 * LATENCY + LATENCY / 2);
    assert_eq!((nodes[2].in_flight(), nodes[2].payload_bytes()), (1, 0));
    world.stall(0, 2);
    world.run_for(20 * SECOND);
    let record = nodes[2].record(&hash).expect("it came");
    assert_eq!((record.from, record.receipts), (Some(1), 1));
    world.resume(0, 2);
    world.run_for(20 * SECOND);
    (world, nodes, hash)
}

#[test]
fn a_late_answer_is_a_duplicate_and_no_news() {
    let (_world, nodes, hash) = late_answer(b"small enough for one segment");
    let record = nodes[2].record(&hash).expect("it is held");
    assert_eq!((record.from, record.receipts), (Some(1), 2));
    assert_eq!(nodes[2].duplicates(), 1);
    assert_eq!(
        nodes[2].sent().frames(Kind::Available),
        0,
        "both neighbours knew"
    );
    assert_eq!(nodes[2].deadline(), None);
}

#[test]
fn a_late_answer_that_is_large_is_cancelled() {
    let (_world, nodes, hash) = late_answer(&[3; 200_000]);
    assert_eq!(nodes[2].record(&hash).expect("it is held").receipts, 1);
    assert_eq!(nodes[2].sent().frames(Kind::Error), 1);
    // What node 0 wrote before it heard of the end came in vain.
    assert!(nodes[2].payload_bytes() < 400_000);
    assert_eq!(nodes[2].duplicates(), 0);
}

#[test]
fn what_is_coming_in_twice_is_cancelled_once_it_is_here() {
    let mut world = World::new();
    world.set_window(1000);
    let nodes = world.nodes(&[(0, 2), (1, 2)]);
    let hash = nodes[0].publish([4; 100_000]);
    nodes[1].publish([4; 100_000]);
    world.run_for(SECOND / 2);
    let part = nodes[2].payload_bytes();
    assert!((1..100_000).contains(&part));
    world.stall(0, 2);
    world.run_for(8 * SECOND);
    assert_eq!(nodes[2].record(&hash).expect("it came").from, Some(1));
    assert_eq!(nodes[2].payload_bytes(), part + 100_000);
    assert_eq!(nodes[2].sent().frames(Kind::Error), 1);
    assert_eq!(nodes[2].in_flight(), 0);
}
