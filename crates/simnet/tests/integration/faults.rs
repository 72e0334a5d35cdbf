use std::io::ErrorKind;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use simnet::{Fault, Host, InvalidNetwork, Layout, Link, Network, Probability, Time, World};

use crate::world::{MS, PORT, accept, assert_conserved, network, read_all, world};

fn partition(at: Time, until: Option<Time>) -> Fault {
    Fault::Partition {
        at,
        until,
        groups: vec![vec![0]],
    }
}

/// Node 0 writes a byte each 100 ms; node 1 notes when it comes.
fn ticking(
    network: &Network,
) -> World<'static, crate::world::Notes<(Time, Result<u8, ErrorKind>)>> {
    world(network, Layout::default(), |host: Host, notes| async move {
        if host.id() == 0 {
            let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
            for tick in 0..100 {
                if let Err(error) = stream.write_all(&[tick]).await {
                    notes.borrow_mut().push((host.now(), Err(error.kind())));
                    return;
                }
                host.sleep(100 * MS).await;
            }
        } else {
            let (mut stream, _) = accept(&host).await;
            let mut byte = [0];
            loop {
                let read = stream.read(&mut byte).await;
                let note = match read {
                    Ok(0) => return,
                    Ok(_) => Ok(byte[0]),
                    Err(error) => Err(error.kind()),
                };
                notes.borrow_mut().push((host.now(), note));
                if note.is_err() {
                    return;
                }
            }
        }
    })
}

#[test]
fn a_partition_delays_what_is_sent_into_it_until_it_heals() {
    let mut network = network(2);
    let (at, until) = (Time::from_secs(1), Time::from_secs(3));
    network.faults.faults.push(partition(at, Some(until)));
    let mut world = ticking(&network);
    world.run_until(Time::from_secs(60)).expect("time passes");
    let notes = world.node(1).borrow();
    let bytes: Vec<_> = notes
        .iter()
        .map(|(_, note)| note.expect("no error"))
        .collect();
    assert_eq!(bytes, (0..100).collect::<Vec<_>>());
    assert!(
        notes
            .iter()
            .all(|(time, _)| *time < at + 10 * MS || *time >= until + 10 * MS)
    );
    assert!(world.carried().retransmitted > 0);
    assert_conserved(&world);
}

#[test]
fn a_long_partition_times_the_stream_out_at_the_side_that_sends() {
    let mut network = network(2);
    network.streams.timeout = Duration::from_secs(5);
    let forever = partition(Time::from_secs(1), None);
    network.faults.faults.push(forever);
    let mut world = ticking(&network);
    world.run_until(Time::from_secs(60)).expect("time passes");
    let (at, note) = world.node(0).borrow()[0];
    assert_eq!(note, Err(ErrorKind::TimedOut));
    // The first lost byte was written at 1.02 s; the writer notices at its next write after the timeout.
    assert!(
        (Time::from_millis(6_020)..Time::from_millis(6_121)).contains(&at),
        "{at}"
    );
    assert!(
        world.node(1).borrow().iter().all(|(_, note)| note.is_ok()),
        "an idle reader never learns"
    );
    assert_conserved(&world);
}

#[test]
fn a_cut_resets_both_ends_at_once_and_what_was_in_flight_is_gone() {
    let mut network = network(2);
    let at = Time::from_millis(525);
    network.faults.faults.push(Fault::Cut {
        at,
        between: (0, 1),
    });
    let mut world = ticking(&network);
    world.run_until(Time::from_secs(60)).expect("time passes");
    assert_eq!(
        *world.node(0).borrow(),
        [(Time::from_millis(620), Err(ErrorKind::ConnectionReset))]
    );
    let notes = world.node(1).borrow();
    assert_eq!(
        *notes.last().expect("it was reset"),
        (at, Err(ErrorKind::ConnectionReset))
    );
    assert_eq!(
        notes.len(),
        6,
        "bytes 0 to 4; byte 5, sent at 520 ms, was in flight"
    );
    assert_eq!(world.carried().discarded, 1);
    assert_conserved(&world);
}

#[test]
fn a_cut_leaves_other_streams_alone() {
    let mut network = network(3);
    let at = Time::from_millis(500);
    network.faults.faults.push(Fault::Cut {
        at,
        between: (0, 2),
    });
    let mut world = ticking(&network);
    world.run_until(Time::from_secs(60)).expect("time passes");
    assert_eq!(world.node(1).borrow().len(), 100);
}

#[test]
fn a_dial_into_a_partition_times_out() {
    let mut network = network(2);
    network.faults.faults.push(partition(Time::ZERO, None));
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let error = host
                    .connect(1, PORT)
                    .await
                    .expect_err("nothing gets through");
                notes.borrow_mut().push((host.now(), error.kind()));
            } else {
                let (mut stream, _) = accept(&host).await;
                let _ = read_all(&mut stream).await;
            }
        },
    );
    world.run_until(Time::from_secs(100)).expect("time passes");
    assert_eq!(
        *world.node(0).borrow(),
        [(Time::from_secs(30), ErrorKind::TimedOut)]
    );
    assert!(world.is_quiet());
}

#[test]
fn a_network_that_cannot_be_is_refused_in_words() {
    let start = |_: Host, _: Option<()>| ();
    let mut bad = network(2);
    bad.links.default = Link::constant(Duration::from_nanos(999));
    let error = World::new(&bad, Layout::default(), start).err();
    assert_eq!(
        error,
        Some(InvalidNetwork::Floor(Duration::from_nanos(999)))
    );
    let mut bad = network(2);
    bad.faults.faults.push(Fault::Cut {
        at: Time::ZERO,
        between: (0, 2),
    });
    let error = World::new(&bad, Layout::default(), start)
        .err()
        .expect("node 2 is absent");
    assert_eq!(
        error.to_string(),
        "node 2 is named, but there are only 2 nodes"
    );
    let mut bad = network(2);
    bad.faults.faults.push(Fault::Partition {
        at: Time::ZERO,
        until: None,
        groups: vec![vec![0], vec![1, 0]],
    });
    let error = World::new(&bad, Layout::default(), start).err();
    assert_eq!(error, Some(InvalidNetwork::Overlap(0)));
}

/// A cut ends a dial whose first segment is on its way: the other side takes it up, and speaks to nobody.
#[test]
fn who_speaks_to_nobody_learns_it_however_lossy_the_answer() {
    let mut learned = 0;
    for seed in 0..50 {
        let mut network = network(2);
        network.seed = seed;
        let lossy = Link::constant(10 * MS).with_loss(Probability::from_ppm(900_000));
        network.links.exceptions.insert((0, 1), lossy);
        let (at, between) = (Time::from_millis(5), (0, 1));
        network.faults.faults.push(Fault::Cut { at, between });
        let mut world = world(&network, Layout::default(), |host, notes| async move {
            if host.id() == 0 {
                let dialled = host.connect(1, PORT).await.map(drop);
                notes
                    .borrow_mut()
                    .push(dialled.map_err(|error| error.kind()));
                return;
            }
            let (mut stream, _) = accept(&host).await;
            let read = stream.read(&mut [0]).await.map(drop);
            notes.borrow_mut().push(read.map_err(|error| error.kind()));
        });
        // Dials that are lost at first are cut with nothing under way.
        world.run_until(Time::from_millis(15)).expect("time passes");
        let taken_up = world.carried().lost == 0;
        world.run_until(Time::from_secs(31)).expect("time passes");
        assert_eq!(*world.node(0).borrow(), [Err(ErrorKind::ConnectionReset)]);
        let expected = vec![Err(ErrorKind::ConnectionReset); usize::from(taken_up)];
        assert_eq!(*world.node(1).borrow(), expected, "seed {seed}");
        learned += usize::from(taken_up);
    }
    assert!(learned > 0, "one dial of ten is not lost");
}
