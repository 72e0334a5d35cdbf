//! What a node keeps on its disk.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use crate::world::{SYNC, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_node_begins_with_what_its_disk_has() {
    let mut world = World::new();
    let first = world.durable(0, &[]);
    let early = first.publish(*b"before the disk was read");
    assert!(!first.holds(&early), "it holds nothing yet");
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
    world.run_for(Duration::ZERO);
    assert!(ready.get());
    assert_eq!(second.hashes(), first.hashes());
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
