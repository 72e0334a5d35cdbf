//! Nodes that nothing goes wrong for.

use std::rc::Rc;
use std::time::Duration;

use hash_exchange::{Hash, Kind};

use crate::world::{LATENCY, World};

#[test]
fn two_nodes_trade_what_they_have() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    let beep = nodes[0].publish(*b"beep");
    let boop = nodes[1].publish(*b"boop");
    let empty = nodes[1].publish(*b"");
    world.run_for(Duration::from_secs(1));

    let mut all = vec![beep.clone(), boop, empty.clone()];
    all.sort();
    for node in &nodes {
        assert_eq!(node.hashes(), all);
        assert_eq!(node.body(&beep).as_deref(), Some(&b"beep"[..]));
        assert_eq!(node.body(&empty).as_deref(), Some(&b""[..]));
        assert_eq!(
            (node.in_flight(), node.duplicates(), node.rejected()),
            (0, 0, 0)
        );
    }
    assert_eq!(nodes[1].payload_bytes(), 4);
    let record = nodes[1].record(&beep).expect("it is held");
    assert_eq!((record.from, record.receipts), (Some(0), 1));
    assert_eq!(nodes[0].record(&beep).expect("it is held").from, None);
}

#[test]
fn news_come_once_and_in_order() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    let check = |since, expected: &[&Hash]| {
        let news = nodes[1].news(since);
        let hashes: Vec<_> = news.iter().map(|record| &record.hash).collect();
        assert_eq!(hashes, expected, "since {since}");
    };
    check(0, &[]);
    let own = nodes[1].publish(*b"own");
    world.run_for(Duration::from_secs(1));
    check(0, &[&own]);

    let other = nodes[0].publish(*b"other");
    // Neither is new again.
    nodes[0].publish(*b"own");
    nodes[1].publish(*b"own");
    world.run_for(Duration::from_secs(1));
    check(0, &[&own, &other]);
    check(1, &[&other]);
    check(2, &[]);
    check(usize::MAX, &[]);
    let record = nodes[1].record(&other).expect("it is held");
    assert_eq!(nodes[1].news(1), [record]);
}

#[test]
fn a_node_is_idle_once_nothing_is_under_way() {
    let mut world = World::new();
    world.set_window(1000);
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(Duration::from_secs(1));
    assert!(nodes.iter().all(|node| node.is_idle()));
    nodes[0].publish([7; 100_000]);
    world.run_for(4 * LATENCY);
    assert!(!nodes[0].is_idle(), "it has a body to send");
    assert!(!nodes[1].is_idle(), "it has asked for one");
    world.run_for(Duration::from_secs(10));
    assert!(nodes.iter().all(|node| node.is_idle()));
}

#[test]
fn what_is_published_together_is_offered_together() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1), (0, 2)]);
    world.run_for(Duration::from_secs(1));
    let bodies = [*b"beep", *b"boop", *b"beep"].map(|body| (Hash::sha1(&body), Rc::from(body)));
    nodes[0].publish_all(bodies);
    nodes[0].publish_all([]);
    world.run_for(Duration::from_secs(1));
    let count = |kind| {
        nodes
            .iter()
            .map(|node| node.sent().frames(kind))
            .sum::<u64>()
    };
    assert_eq!((count(Kind::Available), count(Kind::Request)), (2, 2));
    assert!(nodes.iter().all(|node| node.hashes().len() == 2));
}

#[test]
fn a_hop_takes_three_latencies() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1), (1, 2), (2, 3)]);
    world.run_for(Duration::from_secs(1));
    let start = world.now();
    let news = nodes[0].publish(vec![7; 5000]);
    world.run_for(Duration::from_secs(1));
    for (hops, node) in (0..).zip(&nodes) {
        let record = node.record(&news).expect("it arrived");
        assert_eq!(record.learned_at, start + 3 * LATENCY * hops);
        assert_eq!(record.from, hops.checked_sub(1));
    }
}

#[test]
fn many_hashes_go_in_batches() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    for number in 0..2500_u32 {
        nodes[0].publish(number.to_be_bytes());
    }
    world.run_for(Duration::from_secs(5));
    assert_eq!(nodes[1].hashes().len(), 2500);
    assert_eq!(nodes[0].sent().frames(Kind::Available), 3);
    assert_eq!(nodes[1].sent().frames(Kind::Available), 0);
    assert_eq!(nodes[1].sent().frames(Kind::Request), 3);
}

#[test]
fn tiny_windows_and_bulk_both_ways_do_not_lock_up() {
    let mut world = World::new();
    world.set_window(500);
    let nodes = world.nodes(&[(0, 1)]);
    for number in 0..8000_u32 {
        nodes[(number % 2) as usize].publish(number.to_be_bytes());
    }
    let large = [0_u8, 1].map(|byte| nodes[usize::from(byte)].publish(vec![byte; 50_000]));
    world.run_for(Duration::from_secs(60));
    for node in &nodes {
        assert_eq!(node.hashes().len(), 8002);
        assert!(large.iter().all(|hash| node.holds(hash)));
        assert_eq!(node.duplicates(), 0);
    }
}

#[test]
fn a_node_knows_what_was_said() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    let beep = nodes[0].publish(*b"beep");
    world.run_for(Duration::from_secs(1));
    assert!(nodes[0].was_told(&1, &beep) && !nodes[0].was_offered(&1, &beep));
    assert!(nodes[1].was_offered(&0, &beep) && !nodes[1].was_told(&0, &beep));
    assert!(!nodes[1].was_offered(&7, &beep) && !nodes[1].was_offered(&0, &Hash::sha1(b"?")));
    assert_eq!(
        nodes[0].deadline(),
        None,
        "an idle node has nothing to time"
    );
    let status = nodes[0].neighbour(&1).expect("it is a neighbour");
    assert!(status.up && status.connections == 1 && status.last_loss.is_none());
}

#[test]
fn news_that_do_not_fit_the_window_arrive_all_the_same() {
    let mut world = World::new();
    world.set_window(20);
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(Duration::from_secs(1));
    let news = nodes[0].publish(*b"news");
    world.run_for(Duration::from_secs(1));
    assert!(nodes[1].holds(&news));
}
