use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{Access, Bandwidth, Fault, Host, Layout, Link, Network, NodeId, Probability, Time};

use crate::world::{
    MS, Notes, PORT, assert_conserved, network, pattern, read_all, world, write_and_close,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn per_second(bytes: u64) -> Bandwidth {
    Bandwidth::per_second(bytes).expect("it is not zero")
}

fn up(bytes: u64) -> Access {
    Access {
        up: Some(per_second(bytes)),
        down: None,
    }
}

fn down(bytes: u64) -> Access {
    Access {
        up: None,
        down: Some(per_second(bytes)),
    }
}

/// So many bytes from one node to another.
type Transfer = (NodeId, NodeId, usize);

/// When each transfer is through, by (source, destination). All are dialled at the start and begin after a round trip.
fn through(network: &Network, transfers: &'static [Transfer]) -> Vec<(NodeId, NodeId, Duration)> {
    let mut network = network.clone();
    // The window shall not be what limits them.
    network.streams.window = 1 << 30;
    let mut world = world(
        &network,
        Layout::default(),
        move |host: Host, notes| async move {
            let listener = host.listen(PORT).expect("nobody listens yet");
            for &(source, dest, length) in transfers {
                if source == host.id() {
                    let sender = host.clone();
                    host.spawn(async move {
                        let mut stream = sender.connect(dest, PORT).await.expect("it listens");
                        let written = write_and_close(&mut stream, &pattern(length)).await;
                        written.expect("the stream is open");
                    });
                }
            }
            loop {
                let (mut stream, source) = listener.accept().await;
                let (host, notes) = (host.clone(), Notes::clone(&notes));
                host.clone().spawn(async move {
                    let (bytes, end) = read_all(&mut stream).await;
                    end.expect("it ended in good order");
                    assert_eq!(bytes, pattern(bytes.len()));
                    notes
                        .borrow_mut()
                        .push((source, host.id(), bytes.len(), host.now()));
                });
            }
        },
    );
    for second in 1..=60 {
        world
            .run_until(Time::from_secs(second))
            .expect("time passes");
        assert_conserved(&world);
    }
    assert!(world.is_quiet());
    let mut through: Vec<_> = world
        .nodes()
        .flat_map(|notes| notes.borrow().clone())
        .collect();
    through.sort_unstable();
    let mut expected = transfers.to_vec();
    expected.sort_unstable();
    let carried = through
        .iter()
        .map(|(source, dest, length, _)| (*source, *dest, *length));
    assert_eq!(carried.collect::<Vec<_>>(), expected);
    let since_start = |(source, dest, _, at): (NodeId, NodeId, usize, Time)| {
        // A dial, its answer, and the latency of the data.
        (source, dest, at.since(Time::from_millis(30)))
    };
    through.into_iter().map(since_start).collect()
}

#[test]
fn a_body_takes_its_length_over_the_bandwidth() {
    let mut network = network(2);
    let link = network.links.default.clone();
    network.links.default = link.with_bandwidth(per_second(10 * MIB));
    let ten = through(&network, &[(0, 1, 10 << 20)]);
    assert_eq!(ten, [(0, 1, Duration::from_secs(1))]);
    let one = through(&network, &[(1, 0, 1)]);
    assert_eq!(one, [(1, 0, Duration::from_nanos(96))], "rounded up");
}

#[test]
fn a_body_takes_as_long_as_the_slowest_line_on_its_way_needs() {
    let (slow, fast) = (MIB, 3 * MIB);
    for (up, link, down) in [(slow, fast, fast), (fast, slow, fast), (fast, fast, slow)] {
        let mut network = network(2);
        let default = network.links.default.clone();
        network.links.default = default.with_bandwidth(per_second(link));
        network.links.access = Access {
            up: Some(per_second(up)),
            down: Some(per_second(down)),
        };
        let through = through(&network, &[(0, 1, 4 << 20)]);
        assert_eq!(through, [(0, 1, Duration::from_secs(4))]);
    }
}

#[test]
fn the_two_directions_of_a_link_are_as_fast_as_each_of_them_is() {
    let mut network = network(2);
    let link = network.links.default.clone();
    let slow = link.clone().with_bandwidth(per_second(MIB));
    let fast = link.with_bandwidth(per_second(4 * MIB));
    network.links.exceptions.insert((0, 1), slow);
    network.links.exceptions.insert((1, 0), fast);
    let both = through(&network, &[(0, 1, 4 << 20), (1, 0, 4 << 20)]);
    let expected = [
        (0, 1, Duration::from_secs(4)),
        (1, 0, Duration::from_secs(1)),
    ];
    assert_eq!(both, expected);
}

#[test]
fn streams_of_one_direction_share_their_link_and_no_other() {
    let mut network = network(3);
    let link = network.links.default.clone();
    network.links.default = link.with_bandwidth(per_second(MIB));
    let transfers = &[
        (0, 1, 1 << 20),
        (0, 1, 2 << 20),
        (0, 2, 1 << 20),
        (1, 0, 1 << 20),
    ];
    let took = through(&network, transfers)
        .into_iter()
        .map(|it| it.2.as_secs());
    let took: Vec<_> = took.collect();
    let either_first = [[1, 3], [3, 2]].contains(&[took[0], took[1]]);
    assert!(either_first, "one body after the other: {took:?}");
    assert_eq!(took[2..], [1, 1], "other links");
}

#[test]
fn a_nodes_upload_is_shared_by_all_to_whom_it_sends() {
    let mut network = network(4);
    network.links.access_exceptions.insert(0, up(MIB));
    let transfers = &[
        (0, 1, 1 << 20),
        (0, 2, 1 << 20),
        (0, 3, 1 << 20),
        (1, 0, 9 << 20),
    ];
    let through = through(&network, transfers);
    let mut took: Vec<_> = through[..3].iter().map(|it| it.2.as_secs()).collect();
    took.sort_unstable();
    assert_eq!(took, [1, 2, 3], "one body after the other, in some order");
    assert_eq!(
        through[3],
        (1, 0, Duration::ZERO),
        "its download is not limited"
    );
}

#[test]
fn a_nodes_download_is_shared_by_all_who_send_to_it() {
    let mut network = network(4);
    network.links.access_exceptions.insert(0, down(MIB));
    let transfers = &[
        (1, 0, 1 << 20),
        (2, 0, 1 << 20),
        (3, 0, 1 << 20),
        (0, 1, 9 << 20),
    ];
    let through = through(&network, transfers);
    assert_eq!(
        through[0],
        (0, 1, Duration::ZERO),
        "its upload is not limited"
    );
    let mut took: Vec<_> = through[1..].iter().map(|it| it.2.as_millis()).collect();
    took.sort_unstable();
    assert_eq!(took[2], 3_000, "all three have passed");
}

#[test]
fn what_is_short_waits_behind_what_is_long() {
    let mut network = network(3);
    network.links.access_exceptions.insert(0, up(MIB));
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() > 0 {
                let (mut stream, _) = crate::world::accept(&host).await;
                let (bytes, _) = read_all(&mut stream).await;
                notes.borrow_mut().push((bytes.len(), host.now()));
                return;
            }
            let mut long = host.connect(1, PORT).await.expect("it listens");
            let mut short = host.connect(2, PORT).await.expect("it listens");
            write_and_close(&mut long, &pattern(256 << 10))
                .await
                .expect("open");
            write_and_close(&mut short, b"!").await.expect("open");
        },
    );
    world.run_until(Time::from_secs(2)).expect("time passes");
    // Two round trips, a quarter of a second, a byte, one latency.
    let expected = Time::from_millis(40 + 250 + 10) + per_second(MIB).time_of(1);
    assert_eq!(*world.node(2).borrow(), [(1, expected)]);
}

#[test]
fn a_lost_segment_takes_bandwidth_again_and_is_waited_for_from_when_it_had_left() {
    let mut network = network(2);
    network.streams.segment = 64 << 10;
    network.streams.window = 1 << 30;
    let link = network
        .links
        .default
        .clone()
        .with_bandwidth(per_second(64 * KIB));
    network.links.default = link;
    // One second a segment: the last of three leaves at 3.02 s, into a partition, and with it the end.
    network.faults.faults.push(Fault::Partition {
        at: Time::from_millis(3_000),
        until: Some(Time::from_millis(3_100)),
        groups: vec![vec![0]],
    });
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let mut stream = host.connect(1, PORT).await.expect("it listens");
                write_and_close(&mut stream, &pattern(192 << 10))
                    .await
                    .expect("open");
                return;
            }
            let (mut stream, _) = crate::world::accept(&host).await;
            let mut buffer = vec![0; 64 << 10];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                notes.borrow_mut().push((n, host.now()));
            }
        },
    );
    world.run_until(Time::from_secs(60)).expect("time passes");
    let carried = world.carried();
    assert_eq!((carried.lost, carried.retransmitted), (2, 64 << 10));
    let notes = world.node(1).borrow();
    // It is sent again at 3.22 s.
    let ms = Time::from_millis;
    let expected = [ms(1_030), ms(2_030), ms(4_230)].map(|at| (64 << 10, at));
    assert_eq!(*notes, expected);
}

/// When every byte of what node 0 sends to nodes 1 and 2 gets through, one byte at a time: each of three lines passes a byte when that is there and
/// the byte before has passed. In picoseconds.
struct Reference {
    up: u64,
    links: [u64; 2],
    down: u64,
    up_free: u64,
    links_free: [u64; 2],
    down_free: [u64; 2],
}

const LATENCY_PS: u64 = 10_000_000_000;

impl Reference {
    fn last_byte(&mut self, at_ps: u64, dest: usize, bytes: usize) -> u64 {
        let time = |rate: u64| 1_000_000_000_000 / rate;
        for _ in 0..bytes {
            self.up_free = self.up_free.max(at_ps) + time(self.up);
            let link = &mut self.links_free[dest];
            *link = (*link).max(self.up_free) + time(self.links[dest]);
            let down = &mut self.down_free[dest];
            *down = (*down).max(*link + LATENCY_PS) + time(self.down);
        }
        self.down_free[dest]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_in_a_row_pass_segments_as_if_byte_by_byte(
        up in 5_000u64..2_000_000,
        links in [5_000u64..2_000_000, 5_000u64..2_000_000],
        down in 5_000u64..2_000_000,
        writes in prop::collection::vec((0u64..20_000, 0usize..2, 1usize..3_000), 1..40),
    ) {
        let mut network = network(3);
        network.streams.segment = 1_000;
        network.streams.window = 1 << 30;
        for (dest, rate) in (1..).zip(links) {
            let link = Link::constant(10 * MS).with_bandwidth(per_second(rate));
            network.links.exceptions.insert((0, dest), link);
            network.links.access_exceptions.insert(dest, self::down(down));
        }
        network.links.access_exceptions.insert(0, self::up(up));
        let plan = writes.clone();
        let mut world = world(&network, Layout::default(), move |host: Host, notes| {
            let plan = plan.clone();
            async move {
                if host.id() > 0 {
                    let (mut stream, _) = crate::world::accept(&host).await;
                    let mut buffer = [0; 1_000];
                    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                        notes.borrow_mut().push((n, host.now().as_nanos() * 1_000));
                    }
                    return;
                }
                let mut streams = Vec::new();
                for dest in 1..3 {
                    streams.push(host.connect(dest, PORT).await.expect("it listens"));
                }
                for (wait_us, dest, bytes) in plan {
                    host.sleep(Duration::from_micros(wait_us)).await;
                    streams[dest].write_all(&pattern(bytes)).await.expect("it is open");
                }
                host.sleep(Duration::from_secs(3_600)).await;
            }
        });
        world.run_until(Time::from_secs(100)).expect("time passes");
        assert_conserved(&world);

        let mut reference = Reference {
            up,
            links,
            down,
            up_free: 0,
            links_free: [0; 2],
            down_free: [0; 2],
        };
        let mut expected = [Vec::new(), Vec::new()];
        let mut at_ps = 40_000_000_000;
        for (wait_us, dest, bytes) in writes {
            at_ps += wait_us * 1_000_000;
            for start in (0..bytes).step_by(1_000) {
                let segment = (bytes - start).min(1_000);
                let last = reference.last_byte(at_ps, dest, segment);
                expected[dest].push((segment, last));
            }
        }
        // A byte waits for the byte before it on each of three lines; our whole nanoseconds and its whole picoseconds add up.
        let slowest = [up, links[0], links[1], down].into_iter().min().expect("there are four");
        let allowed = 4 * 1_000_000_000_000 / slowest + 1_000_000;
        for (dest, expected) in (1..).zip(expected) {
            let found = world.node(dest).borrow();
            prop_assert_eq!(found.len(), expected.len());
            for ((n, at), (bytes, last)) in found.iter().zip(expected) {
                prop_assert_eq!(*n, bytes);
                prop_assert!(at.abs_diff(last) <= allowed, "{} for {}, allowed {}", at, last, allowed);
            }
        }
    }

    /// Whatever is lost and however slow the lines are, no byte is lost count of and none comes out of place.
    #[test]
    fn slow_lines_lose_no_byte(
        seed: u64,
        loss in 0u32..300_000,
        segment in 1u32..3_000,
        length in 0usize..20_000,
        rates in prop::array::uniform3(prop::option::of(1_000u64..200_000)),
        cut_ms in prop::option::of(0u64..3_000),
    ) {
        let rates = rates.map(|rate| rate.and_then(Bandwidth::per_second));
        let mut network = network(2);
        network.seed = seed;
        network.links.default = Link::uniform(3 * MS, 50 * MS).with_loss(Probability::from_ppm(loss));
        network.links.default.bandwidth = rates[0];
        network.links.access = Access { up: rates[1], down: rates[2] };
        network.streams.segment = segment;
        let at = cut_ms.map(Time::from_millis);
        let cut = at.map(|at| Fault::Cut { at, between: (0, 1) });
        network.faults.faults.extend(cut);
        let mut world = world(&network, Layout::default(), move |host: Host, notes| async move {
            if host.id() == 0 {
                if let Ok(mut stream) = host.connect(1, PORT).await {
                    let _ = write_and_close(&mut stream, &pattern(length)).await;
                }
                return;
            }
            let (mut stream, _) = crate::world::accept(&host).await;
            let read = read_all(&mut stream).await;
            notes.borrow_mut().push(read);
        });
        for tenth in 1..=600 {
            world.run_until(Time::from_millis(tenth * 100)).expect("time passes");
            assert_conserved(&world);
        }
        world.run_until(Time::from_secs(86_400)).expect("time passes");
        assert_conserved(&world);
        prop_assert_eq!(world.in_flight(), 0);
        for (read, end) in &*world.node(1).borrow() {
            prop_assert_eq!(&read[..], &pattern(length)[..read.len()]);
            prop_assert!(end.is_err() || read.len() == length);
            prop_assert!(cut_ms.is_some() || end.is_ok() || loss > 100_000);
        }
    }
}
