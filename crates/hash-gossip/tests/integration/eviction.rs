//! What a node has let go of.

use std::time::Duration;

use hash_exchange::{Hash, Kind};

use crate::world::{LATENCY, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_was_evicted_does_not_come_back_by_itself() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1)]);
    let beep = nodes[0].publish(*b"beep");
    world.run_for(SECOND);
    assert!(nodes[1].evict(&beep) && !nodes[1].evict(&beep));
    assert!(!nodes[1].evict(&Hash::sha1(b"never heard of")));
    assert!(!nodes[1].holds(&beep) && nodes[1].hashes().is_empty());
    assert_eq!((nodes[1].body(&beep), nodes[1].record(&beep)), (None, None));
    // On a new connection it is offered once more.
    world.cut(0, 1);
    world.run_for(SECOND);
    assert!(nodes[1].was_offered(&0, &beep) && !nodes[1].holds(&beep));
    assert_eq!(nodes[1].sent().frames(Kind::Request), 1);
    assert!(nodes[1].is_idle());
}

#[test]
fn who_asks_for_what_was_evicted_turns_to_another_holder() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 2), (1, 2)]);
    world.run_for(SECOND);
    let beep = nodes[0].publish(*b"beep");
    nodes[1].publish(*b"beep");
    // The offers are there, the request is not.
    world.run_for(LATENCY + LATENCY / 2);
    assert!(nodes[0].evict(&beep));
    world.run_for(4 * LATENCY);
    assert_eq!(nodes[2].record(&beep).expect("it came").from, Some(1));
    assert!(!nodes[2].was_offered(&0, &beep), "node 0 has refused");
    assert!(
        nodes[2].was_told(&0, &beep),
        "and may need it for all that node 2 knows"
    );
    world.run_for(SECOND);
    assert!(!nodes[0].holds(&beep));
}

#[test]
fn what_is_published_again_is_held_anew_and_all_are_told() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1), (0, 2)]);
    world.run_for(SECOND);
    let beep = nodes[0].publish(*b"beep");
    world.run_for(LATENCY / 2);
    nodes[0].evict(&beep);
    assert!(!nodes[0].was_told(&1, &beep));
    world.run_for(SECOND);
    assert!(!nodes[1].holds(&beep) && !nodes[1].was_offered(&0, &beep));
    nodes[0].publish(*b"beep");
    world.run_for(SECOND);
    assert!(nodes.iter().all(|node| node.holds(&beep)));
    let news: Vec<_> = nodes[0]
        .news(0)
        .iter()
        .map(|record| record.learned_at)
        .collect();
    assert_eq!(news, [SECOND, 2 * SECOND + LATENCY / 2]);
    assert_eq!(nodes[0].hashes(), [beep]);
}

#[test]
fn a_late_answer_does_not_bring_back_what_was_evicted() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 2), (1, 2)]);
    world.run_for(SECOND);
    let beep = nodes[0].publish(*b"beep");
    nodes[1].publish(*b"beep");
    world.run_for(LATENCY);
    world.stall(0, 2);
    world.run_for(10 * SECOND);
    assert_eq!(nodes[2].record(&beep).expect("it came").from, Some(1));
    assert!(nodes[2].evict(&beep));
    world.resume(0, 2);
    world.run_for(SECOND);
    assert!(!nodes[2].holds(&beep));
    assert!(nodes[0].is_idle() && nodes[2].is_idle());
}

#[test]
fn what_waits_to_be_said_of_an_evicted_hash_is_not_said() {
    let mut world = World::new();
    world.set_window(500);
    let nodes = world.nodes(&[(0, 1)]);
    world.run_for(SECOND);
    world.stall(0, 1);
    // More than the stream takes and the node keeps ready, so the last advert has to wait.
    for number in 0..8000_u32 {
        nodes[0].publish(number.to_be_bytes());
    }
    let last = Hash::sha1(&7999_u32.to_be_bytes());
    assert!(nodes[0].evict(&last));
    world.resume(0, 1);
    world.run_for(60 * SECOND);
    assert_eq!(nodes[1].hashes().len(), 7999);
    assert!(!nodes[1].was_offered(&0, &last));
}
