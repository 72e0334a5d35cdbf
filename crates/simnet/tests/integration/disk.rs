//! What nodes write to their disks, and find there in their next life.

use std::io::ErrorKind;
use std::time::Duration;

use proptest::prelude::*;
use simnet::{Disk, DiskFailure, DiskModel, Host, Layout, Network, Schedule, Time, World};

use crate::world::{MS, Notes, layouts, network, world};

const fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

const MODEL: DiskModel = DiskModel {
    read: Duration::from_millis(1),
    write: Duration::from_millis(2),
    sync: Duration::from_millis(20),
};

async fn read(disk: &Disk, name: &str) -> Result<Vec<u8>, ErrorKind> {
    let length = disk.len(name).map_err(|error| error.kind())?;
    let mut bytes = vec![0; length as usize];
    let read = disk.read_at(name, 0, &mut bytes).await;
    assert_eq!(read.map_err(|error| error.kind())?, bytes.len());
    Ok(bytes)
}

/// What a node finds at each of its starts, before it appends "synced", and then "not" without a sync.
fn diary(faults: Schedule) -> Vec<(Time, Result<Vec<u8>, ErrorKind>)> {
    let mut network = network(1);
    network.faults = faults;
    let start = |host: Host, before: Option<Notes<_>>| {
        let notes: Notes<_> = before.unwrap_or_default();
        let (own, written) = (host.clone(), notes.clone());
        host.spawn(async move {
            let disk = own.disk();
            let found = (own.now(), read(&disk, "log").await);
            written.borrow_mut().push(found);
            for (bytes, synced) in [(&b"synced "[..], true), (b"not ", false)] {
                disk.append("log", bytes).await.expect("there is room");
                if synced {
                    disk.sync("log").await.expect("it is there");
                    disk.sync_names().await.expect("the node is up");
                }
            }
        });
        notes
    };
    let mut world = World::new(&network, Layout::default(), start).expect("a valid network");
    world.run_until(Time::from_secs(10)).expect("time passes");
    world.node(0).borrow().clone()
}

#[test]
fn a_process_that_leaves_finds_all_that_it_has_written() {
    let found = diary(Schedule::default().leave(ms(10), 0).restart(ms(20), 0));
    let all = Ok(b"synced not ".to_vec());
    assert_eq!(found, [(ms(0), Err(ErrorKind::NotFound)), (ms(20), all)]);
}

#[test]
fn a_machine_that_crashed_finds_what_was_synced_and_a_beginning_of_the_rest() {
    let crash = |at| Schedule::default().crash(ms(at), 0).restart(ms(500), 0);
    let mut torn = 0;
    for at in 10..40 {
        let found = diary(crash(at)).pop().expect("two starts").1;
        let found = found.expect("its name was synced");
        assert!(found.starts_with(b"synced ") && b"synced not ".starts_with(&found));
        torn += usize::from((8..11).contains(&found.len()));
    }
    assert!((1..25).contains(&torn), "{torn} of 30 times it was torn");
}

#[test]
fn a_machine_that_comes_back_with_another_disk_finds_nothing() {
    let faults = Schedule::default().leave(ms(10), 0);
    let found = diary(faults.lose_disk(ms(20), 0).restart(ms(20), 0));
    assert_eq!(found[1], (ms(20), Err(ErrorKind::NotFound)));
}

#[test]
fn operations_take_their_time_and_what_a_crash_interrupts_is_not_durable() {
    let mut network = network(1);
    network.disks = MODEL;
    let disk = network.disks.clone();
    network.faults = Schedule::default().crash(ms(40), 0).restart(ms(50), 0);
    let mut kept = Vec::new();
    for seed in 0..30 {
        network.seed = seed;
        let mut world = world(&network, Layout::default(), |host, notes| async move {
            let disk = host.disk();
            if host.incarnation() > 0 {
                let length = disk.len("log").map_or(0, |length| length);
                notes.borrow_mut().push((host.now(), length));
                return;
            }
            for _ in 0..2 {
                disk.append("log", b"beep").await.expect("there is room");
                notes.borrow_mut().push((host.now(), 4));
                disk.sync("log").await.expect("it is there");
                // Names are not synced: this is about their lack, too.
                notes.borrow_mut().push((host.now(), 8));
            }
        });
        world.run_until(ms(40)).expect("time passes");
        let write = ms(0) + disk.write;
        let times = [write, write + disk.sync, write + disk.sync + disk.write];
        let notes: Vec<_> = world.node(0).borrow().iter().map(|note| note.0).collect();
        assert_eq!(notes, times);
        world.run_until(ms(60)).expect("time passes");
        kept.push(world.node(0).borrow()[0].1);
    }
    assert!(
        kept.iter()
            .all(|length| *length == 0 || (4..=8).contains(length))
    );
    let nameless = kept.iter().filter(|length| **length == 0).count();
    let torn = kept.iter().filter(|it| (5..8).contains(*it)).count();
    assert!((1..30).contains(&nameless) && torn > 0, "{kept:?}");
}

#[test]
fn a_full_disk_takes_what_fits_until_there_is_room_again() {
    let mut network = network(2);
    let full = DiskFailure::Full { capacity: 10 };
    network.faults = Schedule::default().fail_disk(ms(5)..ms(50), vec![1], full);
    let mut world = world(&network, Layout::default(), |host, notes| async move {
        let disk = host.disk();
        disk.append("log", b"123456").await.expect("there is room");
        host.sleep_until(ms(10)).await;
        for at in [10, 20, 50] {
            host.sleep_until(ms(at)).await;
            let written = disk.append("log", b"abcdef").await;
            let written = written.map_err(|error| error.kind());
            notes
                .borrow_mut()
                .push((written, disk.len("log").expect("it is there")));
            disk.truncate("log", 6).await.expect("it is longer");
        }
    });
    world.run_until(ms(100)).expect("time passes");
    let (none, fits) = (Err(ErrorKind::StorageFull), (Ok(()), 12));
    assert_eq!(world.node(1).borrow()[..], [(none, 10), (none, 10), fits]);
    assert_eq!(world.node(0).borrow()[..], [fits; 3], "another node's");
}

#[test]
fn a_disk_that_cannot_be_read_is_written_all_the_same() {
    let mut network = network(1);
    network.faults = Schedule::default().fail_disk(ms(5)..ms(15), vec![0], DiskFailure::Unreadable);
    let mut world = world(&network, Layout::default(), |host, notes| async move {
        let disk = host.disk();
        for at in [0, 10, 20] {
            host.sleep_until(ms(at)).await;
            disk.append("log", b"x").await.expect("there is room");
            let found = read(&disk, "log").await;
            notes.borrow_mut().push(found);
        }
    });
    world.run_until(ms(100)).expect("time passes");
    let (one, three) = (Ok(b"x".to_vec()), Ok(b"xxx".to_vec()));
    let expected = [one, Err(ErrorKind::Other), three];
    assert_eq!(world.node(0).borrow()[..], expected);
}

#[test]
fn what_is_not_there_is_said_so_and_the_dead_have_no_disk() {
    let mut network = network(1);
    network.faults = Schedule::default().leave(ms(10), 0);
    let start = |host: Host, _: Option<Host>| {
        let own = host.clone();
        host.spawn(async move {
            let disk = own.disk();
            let absent = [
                disk.len("absent").map(drop),
                disk.sync("absent").await,
                disk.remove("absent").await,
                disk.rename("absent", "there").await,
                disk.truncate("absent", 0).await,
                disk.read_at("absent", 0, &mut [0]).await.map(drop),
            ];
            let kinds = absent.map(|absent| absent.map_err(|error| error.kind()));
            assert_eq!(kinds, [Err(ErrorKind::NotFound); 6]);
            disk.append("there", b"beep").await.expect("there is room");
            let error = disk.truncate("there", 5).await.expect_err("it is shorter");
            assert_eq!(error.to_string(), "there has 4 bytes, not 5");
            let past = disk.read_at("there", u64::MAX, &mut [0; 9]).await;
            assert_eq!(past.expect("it can be read"), 0);
            disk.rename("there", "here").await.expect("it is there");
            assert_eq!(disk.list().expect("the node is up"), ["here"]);
        });
        host
    };
    let mut world = World::new(&network, Layout::default(), start).expect("a valid network");
    world.run_until(ms(5)).expect("time passes");
    let disk = world.node(0).disk();
    assert_eq!(disk.len("here").expect("it is there"), 4);
    world.run_until(ms(20)).expect("time passes");
    let error = disk.len("here").expect_err("the node has stopped");
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

/// Every node writes, syncs and reads at random, and in each life notes what it finds.
fn scribble(network: &Network, layout: Layout) -> World<'static, Notes<Vec<u8>>> {
    World::new(network, layout, |host: Host, before: Option<Notes<_>>| {
        let notes: Notes<_> = before.unwrap_or_default();
        let (own, found) = (host.clone(), notes.clone());
        host.spawn(async move {
            let (disk, mut rng) = (own.disk(), own.rng());
            if let Ok(bytes) = read(&disk, "log").await {
                found.borrow_mut().push(bytes);
            }
            for _ in 0..1000 {
                own.sleep(MS * (rng.next_u32() % 8)).await;
                let bytes = rng.next_u64().to_le_bytes();
                // Nothing fails here but what belongs to a life that is over.
                let _ = disk.append("log", &bytes).await;
                if rng.next_u32().is_multiple_of(4) {
                    let _ = disk.sync("log").await;
                    let _ = disk.sync_names().await;
                }
            }
        });
        notes
    })
    .expect("a valid network")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_crash_leaves_is_one_history_that_others_have_no_part_in(
        seed: u64,
        crash in 1..900_u64,
        others in prop::collection::vec(1..900_u64, 3),
        layout in prop::sample::select(layouts()[1..].to_vec()),
    ) {
        let mut calm = network(4);
        calm.seed = seed;
        calm.disks = MODEL;
        calm.faults = Schedule::default().crash(ms(crash), 0).restart(ms(950), 0);
        let mut eventful = calm.clone();
        for (node, at) in (1..).zip(others) {
            let faults = eventful.faults.crash(ms(at), node);
            eventful.faults = faults.restart(ms(at + 5), node);
        }
        let run = |network: &Network, layout| {
            let mut world = scribble(network, layout);
            world.run_until(ms(1000)).expect("time passes");
            (world.node_digests(), world.nodes().map(|it| it.borrow().clone()).collect::<Vec<_>>())
        };
        let all = run(&eventful, Layout::default());
        prop_assert_eq!(&run(&eventful, layout), &all);
        let alone = run(&calm, Layout::default());
        prop_assert_eq!((alone.0[0], &alone.1[0]), (all.0[0], &all.1[0]));
    }
}
