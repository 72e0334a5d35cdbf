use std::io::ErrorKind;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{Host, Layout, Link, Probability, Stream, Time};

use crate::world::{
    MS, PORT, accept, assert_conserved, network, pattern, read_all, world, write_and_close,
};

#[test]
fn whoever_serves_answers_each_connection_by_a_task_of_its_own() {
    let network = network(4);
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let clock = host.clone();
                let answer = move |mut stream: Stream, peer: u32| {
                    let clock = clock.clone();
                    async move {
                        // The slowest is dialled first, and holds up nobody.
                        clock.sleep(100 * MS * (4 - peer)).await;
                        let written = write_and_close(&mut stream, &peer.to_be_bytes()).await;
                        written.expect("the stream is open");
                    }
                };
                host.serve(PORT, answer.clone()).expect("the port is free");
                let again = host.serve(PORT, answer).map_err(|error| error.kind());
                assert_eq!(again, Err(ErrorKind::AddrInUse));
                return;
            }
            let mut stream = host.connect(0, PORT).await.expect("node 0 serves");
            let (answer, end) = read_all(&mut stream).await;
            end.expect("it ended in good order");
            notes.borrow_mut().push((answer, host.now()));
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    for (id, ms) in [(1u32, 320), (2, 220), (3, 120)] {
        let heard = world.node(id).borrow().clone();
        assert_eq!(heard, [(id.to_be_bytes().to_vec(), Time::from_millis(ms))]);
    }
}

#[test]
fn a_connection_takes_a_round_trip_and_a_segment_one_latency() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
                notes.borrow_mut().push(host.now());
                write_and_close(&mut stream, b"hello")
                    .await
                    .expect("the stream stands");
            } else {
                let (mut stream, dialler) = accept(&host).await;
                assert_eq!(dialler, 0);
                notes.borrow_mut().push(host.now());
                let (read, end) = read_all(&mut stream).await;
                assert_eq!(read, b"hello");
                end.expect("it ended in good order");
                notes.borrow_mut().push(host.now());
            }
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), [Time::from_millis(20)]);
    assert_eq!(
        *world.node(1).borrow(),
        [Time::from_millis(10), Time::from_millis(30)]
    );
    assert!(world.is_quiet());
}

#[test]
fn a_port_without_listener_refuses_and_an_absent_node_has_no_address() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                for (node, port) in [(1, PORT), (2, PORT)] {
                    let error = host.connect(node, port).await.expect_err("nobody is there");
                    notes.borrow_mut().push((host.now(), error.kind()));
                }
            }
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    let at = Time::from_millis(20);
    let expected = [
        (at, ErrorKind::ConnectionRefused),
        (at, ErrorKind::AddrNotAvailable),
    ];
    assert_eq!(*world.node(0).borrow(), expected);
}

#[test]
fn one_direction_may_end_while_the_other_goes_on() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
                write_and_close(&mut stream, b"question")
                    .await
                    .expect("open");
                let error = stream
                    .write(b"more")
                    .await
                    .expect_err("this side has ended");
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                let (answer, _) = read_all(&mut stream).await;
                notes.borrow_mut().push(answer);
            } else {
                let (mut stream, _) = accept(&host).await;
                let (question, _) = read_all(&mut stream).await;
                notes.borrow_mut().push(question);
                write_and_close(&mut stream, b"answer")
                    .await
                    .expect("still open");
            }
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), [b"answer"]);
    assert_eq!(*world.node(1).borrow(), [b"question"]);
}

#[test]
fn a_reader_that_stops_stalls_its_writer_and_frees_it_again() {
    let mut network = network(2);
    network.streams.window = 1000;
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
                for _ in 0..4 {
                    stream.write_all(&pattern(500)).await.expect("open");
                    notes.borrow_mut().push(host.now());
                }
            } else {
                let (mut stream, _) = accept(&host).await;
                host.sleep(Duration::from_secs(1)).await;
                let mut buffer = [0; 500];
                stream
                    .read_exact(&mut buffer)
                    .await
                    .expect("500 bytes wait");
                host.sleep(Duration::from_secs(5)).await;
                assert_eq!(read_all(&mut stream).await.0.len(), 1500);
            }
        },
    );
    world.run_until(Time::from_secs(10)).expect("time passes");
    let times = [20, 20, 1020, 6020].map(Time::from_millis);
    assert_eq!(
        *world.node(0).borrow(),
        times,
        "a window of two writes, then credit by halves"
    );
    assert_conserved(&world);
}

#[test]
fn two_sides_that_write_before_they_read_do_not_lock_each_other_for_ever() {
    let mut network = network(2);
    network.streams.window = 64;
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            let stream = match host.id() {
                0 => host.connect(1, PORT).await.expect("node 1 listens"),
                _ => accept(&host).await.0,
            };
            let (mut reader, mut writer) = stream.split();
            let bytes = pattern(10_000);
            let write = async {
                writer.write_all(&bytes).await?;
                writer.close().await
            };
            let mut read = Vec::new();
            let (written, end) = futures::join!(write, reader.read_to_end(&mut read));
            written.expect("all was taken");
            end.expect("all came");
            notes.borrow_mut().push(read == pattern(10_000));
        },
    );
    world.run_until(Time::from_secs(60)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), [true]);
    assert_eq!(*world.node(1).borrow(), [true]);
    assert_conserved(&world);
}

#[test]
fn data_for_a_stream_that_is_gone_resets_its_sender() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
                let error = loop {
                    if let Err(error) = stream.write(b"are you there?").await {
                        break error;
                    }
                    host.sleep(7 * MS).await;
                };
                notes.borrow_mut().push((host.now(), error.kind()));
            } else {
                drop(accept(&host).await);
            }
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    let (at, kind) = world.node(0).borrow()[0];
    assert_eq!(kind, ErrorKind::ConnectionReset);
    assert!(
        at <= Time::from_millis(20 + 20 + 7),
        "a round trip after the first write: {at}"
    );
    assert_conserved(&world);
}

#[test]
fn lost_segments_come_late_and_cost_bytes() {
    let mut network = network(2);
    network.links.default.loss = Probability::from_ppm(300_000);
    network.streams.segment = 100;
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
                write_and_close(&mut stream, &pattern(20_000))
                    .await
                    .expect("open");
            } else {
                let (mut stream, _) = accept(&host).await;
                let (read, end) = read_all(&mut stream).await;
                end.expect("it ended in good order");
                notes
                    .borrow_mut()
                    .push((read == pattern(20_000), host.now()));
            }
        },
    );
    world.run_until(Time::from_secs(60)).expect("time passes");
    let (whole, at) = world.node(1).borrow()[0];
    assert!(whole);
    assert!(
        at > Time::from_millis(200),
        "at least one retransmission was waited for"
    );
    let carried = world.carried();
    assert_eq!(carried.delivered, 20_000);
    assert!(
        (4_000..14_000).contains(&carried.retransmitted),
        "0.3 / 0.7 of it, give or take: {carried:?}"
    );
    assert_conserved(&world);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the link does, what is read is what was written: a prefix of it, and whole unless the stream ended in an error.
    #[test]
    fn what_is_read_is_a_prefix_of_what_was_written(
        seed: u64,
        loss in 0u32..400_000,
        split in 0u32..1_000_000,
        segment in 1u32..3000,
        window in 2u32..5000,
        jitter_ms in 0u64..200,
        length in 0usize..20_000,
        cut_ms in 0u64..6_000,
        partition_ms in 0u64..6_000,
        partition_length_ms in 0u64..20_000,
    ) {
        let link = Link::uniform(3 * MS, Duration::from_millis(jitter_ms));
        let mut network = network(2);
        network.seed = seed;
        network.links.default = link.with_loss(Probability::from_ppm(loss));
        network.streams.split = Probability::from_ppm(split);
        network.streams.segment = segment;
        network.streams.window = window;
        network.streams.timeout = Duration::from_secs(10);
        if cut_ms < 3_000 {
            let at = Time::from_millis(cut_ms);
            network.faults.faults.push(simnet::Fault::Cut { at, between: (1, 0) });
        }
        if partition_ms < 3_000 {
            network.faults.faults.push(simnet::Fault::Partition {
                at: Time::from_millis(partition_ms),
                until: Some(Time::from_millis(partition_ms + partition_length_ms)),
                groups: vec![vec![0]],
            });
        }
        let mut world = world(&network, Layout::default(), move |host: Host, notes| async move {
            let stream = match host.id() {
                0 => host.connect(1, PORT).await,
                _ => Ok(accept(&host).await.0),
            };
            let Ok(stream) = stream else { return };
            let (mut reader, mut writer) = stream.split();
            let bytes = pattern(length);
            let write = async {
                writer.write_all(&bytes).await?;
                writer.close().await
            };
            let read = async {
                let (mut read, mut buffer) = (Vec::new(), [0; 997]);
                loop {
                    match reader.read(&mut buffer).await {
                        Ok(0) => break (read, true),
                        Ok(n) => read.extend_from_slice(&buffer[..n]),
                        Err(_) => break (read, false),
                    }
                }
            };
            let (_, (read, whole)) = futures::join!(write, read);
            notes.borrow_mut().push((read, whole));
        });
        for second in 1..=200 {
            world.run_until(Time::from_secs(second)).expect("time passes");
            assert_conserved(&world);
        }
        // A window of two bytes moves them a round trip at a time, and time that is virtual is free: all comes to its end within a day.
        world.run_until(Time::from_secs(86_400)).expect("time passes");
        assert_conserved(&world);
        prop_assert!(world.is_quiet(), "something goes on for ever");
        for node in world.nodes() {
            for (read, whole) in &*node.borrow() {
                prop_assert!(read.len() <= length);
                prop_assert_eq!(&read[..], &pattern(length)[..read.len()]);
                prop_assert!(!whole || read.len() == length);
            }
        }
        if network.faults.faults.is_empty() && loss < 100_000 {
            prop_assert!(world.nodes().all(|node| node.borrow()[0].1), "nothing went wrong");
        }
    }
}
