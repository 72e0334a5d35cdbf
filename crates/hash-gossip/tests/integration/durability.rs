//! What a node keeps on its disk.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::Kind;

use crate::world::{LATENCY, SYNC, TestNode, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_node_begins_with_what_its_disk_has() {
    let mut world = World::new();
    let first = world.durable(0, &[]);
    let early = first.publish(*b"before the disk was read");
    assert!(
        !first.holds(&early) && !first.is_ready(),
        "it holds nothing yet"
    );
    world.run_for(SECOND);
    let [kept, gone] = [&b"kept"[..], b"gone"].map(|body| first.publish(body));
    assert!(first.evict(&gone));
    assert!(first.holds(&kept) && !first.is_durable(&kept) && !first.is_idle());
    world.run_for(SYNC);
    assert!(first.is_durable(&kept) && !first.is_durable(&gone) && first.is_idle());

    world.move_disk(0, 1);
    let second = world.durable(1, &[]);
    let ready = Rc::new(Cell::new(false));
    let (node, note) = (second.clone(), Rc::clone(&ready));
    world.spawn(async move {
        node.ready().await;
        note.set(true);
    });
    world.run_for(SYNC);
    assert!(ready.get());
    assert_eq!(second.hashes(), first.hashes());
    assert_eq!((first.recovered(), second.recovered()), (0, 3));
    assert_eq!(second.body(&kept).as_deref(), Some(&b"kept"[..]));
    assert!(second.has_evicted(&gone) && second.is_durable(&early));
    second.publish(*b"gone");
    assert!(second.holds(&gone), "it was published again");
}

#[test]
fn what_was_let_go_of_is_not_fetched_again_in_the_next_life() {
    let mut world = World::new();
    let first = world.durable(0, &[]);
    let gone = first.publish(*b"gone");
    world.run_for(SECOND);
    first.evict(&gone);
    world.run_for(SECOND);
    world.move_disk(0, 1);
    let other = world.durable(2, &[]);
    let offered = other.publish(*b"offered");
    other.publish(*b"gone");
    let second = world.durable(1, &[2]);
    world.run_for(10 * SECOND);
    assert_eq!(second.hashes(), [offered]);
}

#[test]
fn a_full_disk_is_written_as_soon_as_it_has_room() {
    let mut world = World::new();
    let [one, other] = [(0, &[1][..]), (1, &[])].map(|(own, dials)| world.durable(own, dials));
    world.run_for(SECOND);
    world.set_full(true);
    let hash = one.publish(*b"no room");
    world.run_for(5 * SECOND);
    assert!(other.holds(&hash), "it goes on in memory");
    for node in [&one, &other] {
        let trouble = node.disk_trouble().expect("it cannot be written");
        assert_eq!(trouble.kind(), ErrorKind::StorageFull);
        assert!(!node.is_durable(&hash) && !node.is_idle());
    }
    world.set_full(false);
    world.run_for(10 * SECOND);
    assert!(
        [one, other]
            .iter()
            .all(|node| node.is_durable(&hash) && node.disk_trouble().is_none())
    );
}

/// What a node has said: names of hashes, and introductions.
fn said(node: &TestNode) -> [u64; 2] {
    let sent = node.sent();
    [sent.content(Kind::Available) / 42, sent.frames(Kind::Id)]
}

/// Two nodes that have traded a hundred hashes each, and said so.
fn traded(world: &mut World) -> [TestNode; 2] {
    let nodes = [(0, &[1][..]), (1, &[])].map(|(own, dials)| world.durable(own, dials));
    for (number, node) in (0_u8..).zip(&nodes) {
        for body in 0..100 {
            node.publish([number, body]);
        }
    }
    world.run_for(5 * SECOND);
    assert!(nodes.iter().all(|node| node.hashes().len() == 200));
    nodes
}

#[test]
fn who_reconnects_is_offered_what_is_new_alone() {
    let mut world = World::new();
    let nodes = traded(&mut world);
    let before = nodes.each_ref().map(said);
    world.wall(0, 1);
    world.cut(0, 1);
    world.run_for(LATENCY);
    let news = nodes[0].publish(*b"while apart");
    world.open(0, 1);
    world.run_for(20 * SECOND);
    assert!(nodes[1].holds(&news));
    let after = nodes.each_ref().map(said);
    assert_eq!(
        [after[0][0] - before[0][0], after[1][0] - before[1][0]],
        [1, 0]
    );
    // A new introduction each, and one of how far it has come each.
    assert!((2..=3).contains(&(after[0][1] - before[0][1])));
}

#[test]
fn who_comes_back_with_its_disk_is_offered_what_is_new_alone() {
    let mut world = World::new();
    let [one, other] = traded(&mut world);
    let before = said(&one)[0];
    // The node at 1 stops for good; at 2 its disk goes on, and is dialled by another life of the node at 0.
    world.wall(0, 1);
    world.move_disk(1, 2);
    world.move_disk(0, 3);
    let back = [world.durable(2, &[]), world.durable(3, &[2])];
    world.run_for(5 * SECOND);
    let offered = back.each_ref().map(|node| said(node)[0]);
    assert_eq!(offered, [0, 0]);
    assert!(back.iter().all(|node| node.hashes() == other.hashes()));
    assert_eq!(said(&one)[0], before);
    let news = back[1].publish(*b"news");
    world.run_for(SECOND);
    assert!(back[0].holds(&news));
}

#[test]
fn who_comes_back_without_its_disk_is_offered_everything() {
    let mut world = World::new();
    let [one, _] = traded(&mut world);
    world.wall(0, 1);
    world.move_disk(0, 3);
    let back = [world.durable(2, &[]), world.durable(3, &[2])];
    world.run_for(5 * SECOND);
    assert_eq!(back.each_ref().map(|node| said(node)[0]), [0, 200]);
    assert_eq!(back[0].hashes(), one.hashes());
}

#[test]
fn who_was_put_back_to_an_earlier_state_is_somebody_else() {
    let mut world = World::new();
    let [one, other] = [(0, &[1][..]), (1, &[])].map(|(own, dials)| world.durable(own, dials));
    one.publish(*b"early");
    world.run_for(5 * SECOND);
    world.copy_disk(0, 3);
    let late = one.publish(*b"late");
    world.run_for(5 * SECOND);
    assert!(other.is_durable(&late));
    // Site 3 has the disk of site 0 as it was; what it publishes stands where the late one stood.
    world.wall(0, 1);
    let back = world.durable(3, &[1]);
    world.run_for(SECOND);
    let instead = back.publish(*b"instead");
    world.run_for(5 * SECOND);
    assert!(other.holds(&instead) && back.holds(&late));
    // The third life has a name of its own, so nothing is taken for seen that was not.
    world.move_disk(3, 4);
    world.wall(3, 1);
    let last = world.durable(4, &[1]);
    world.run_for(5 * SECOND);
    assert_eq!(last.hashes(), other.hashes());
    assert!(said(&last)[0] > 0, "it offers everything anew");
}

#[test]
fn what_a_crash_has_taken_is_not_taken_for_what_came_in_its_place() {
    let mut world = World::new();
    let [one, other] = [(0, &[1][..]), (1, &[])].map(|(own, dials)| world.durable(own, dials));
    world.run_for(SECOND);
    one.publish(*b"durable");
    world.run_for(SECOND / 2);
    world.set_full(true);
    let lost = one.publish(*b"lost");
    world.run_for(5 * SECOND);
    assert!(other.holds(&lost) && !one.is_durable(&lost));
    // Site 3 has what was durable at site 0, and goes on from there.
    world.wall(0, 1);
    world.cut(0, 1);
    world.set_full(false);
    world.copy_disk(0, 3);
    let back = world.durable(3, &[1]);
    let instead = [&b"this"[..], b"and that"].map(|body| back.publish(body));
    world.run_for(5 * SECOND);
    assert!(back.holds(&lost) && instead.iter().all(|hash| other.holds(hash)));
}

#[test]
fn what_was_seen_is_noted_behind_it() {
    const IDENTITY: u8 = 1;
    const BODY: u8 = 2;
    const CURSOR: u8 = 4;
    let mut world = World::new();
    world.set_window(1000);
    let [one, other] = [(0, &[1][..]), (1, &[])].map(|(own, dials)| world.durable(own, dials));
    // It comes so slowly that the node at 0 says meanwhile how far it has come.
    let slow = one.publish(vec![7; 600_000]);
    world.run_for(3 * SECOND);
    assert!(!other.holds(&slow) && one.sent().frames(Kind::Id) == 2);
    world.run_for(10 * SECOND);
    assert_eq!(world.kinds_in_log(1), [IDENTITY, BODY, CURSOR]);
}

#[test]
fn a_node_without_a_log_is_offered_everything_and_offers_it() {
    let mut world = World::new();
    let durable = world.durable(0, &[1]);
    let plain = world.plain(1);
    let kept = durable.publish(*b"kept");
    world.run_for(3 * SECOND);
    assert!(plain.holds(&kept), "it has said nothing for a while");
    let other = plain.publish(*b"other");
    world.run_for(SECOND);
    assert!(durable.is_durable(&other));
    world.cut(0, 1);
    world.run_for(5 * SECOND);
    assert_eq!(said(&plain)[0], 3, "one, and both");
}

#[test]
fn what_is_not_durable_has_not_been_seen() {
    let mut world = World::new();
    let [one, other] = [(0, &[1][..]), (1, &[])].map(|(own, dials)| world.durable(own, dials));
    world.run_for(SECOND);
    one.publish(*b"durable here");
    world.run_for(SYNC);
    world.set_full(true);
    world.run_for(5 * SECOND);
    let seen = |node: &TestNode| node.sent().frames(Kind::Seen);
    assert_eq!(other.hashes(), one.hashes());
    assert_eq!(seen(&other), 0, "it could not be written there");
    world.set_full(false);
    world.run_for(10 * SECOND);
    assert_eq!(seen(&other), 1);
}
