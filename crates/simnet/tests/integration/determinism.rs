use std::ops::ControlFlow;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{
    Access, Bandwidth, Fault, Host, Jitter, Layout, Link, Members, Network, Probability, Quantiles,
    Region, Time, World,
};

use crate::world::{MS, Notes, PORT, assert_conserved, layouts, network, world};

/// Every node dials some others again and again and talks in chunks of drawn sizes: many streams, draws, timers and ties.
fn chatter(
    network: &Network,
    layout: Layout,
    talkers: u32,
) -> World<'static, Notes<(Time, usize)>> {
    world(network, layout, move |host: Host, notes| async move {
        if host.id() >= talkers {
            return;
        }
        let listener = host.listen(PORT).expect("nobody listens yet");
        let (server, heard) = (host.clone(), notes.clone());
        host.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await;
                let (host, notes) = (server.clone(), heard.clone());
                server.spawn(async move {
                    let mut buffer = [0; 100];
                    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                        notes.borrow_mut().push((host.now(), n));
                        if stream.write_all(&buffer[..n / 2]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        for round in 1..4 {
            let peer = (host.id() + round) % talkers;
            let (host, notes) = (host.clone(), notes.clone());
            host.clone().spawn(async move {
                while let Ok(mut stream) = host.connect(peer, PORT).await {
                    for size in 1..6 {
                        if stream
                            .write_all(&vec![size as u8; size * 40])
                            .await
                            .is_err()
                        {
                            break;
                        }
                        host.sleep(u32::try_from(size).expect("small") * 5 * MS)
                            .await;
                    }
                    notes.borrow_mut().push((host.now(), 0));
                }
            });
        }
    })
}

fn noisy(nodes: u32, seed: u64) -> Network {
    let mut network = network(nodes);
    network.seed = seed;
    let link = Link::uniform(5 * MS, 20 * MS);
    network.links.default = link.with_loss(Probability::from_ppm(20_000));
    network
        .links
        .exceptions
        .insert((0, 1), Link::constant(7 * MS));
    network.streams.split = Probability::from_ppm(300_000);
    network.streams.window = 300;
    network.faults.faults = vec![
        Fault::Cut {
            at: Time::from_millis(300),
            between: (0, 1),
        },
        Fault::Cut {
            at: Time::from_millis(300),
            between: (2, 1),
        },
        Fault::Partition {
            at: Time::from_millis(400),
            until: Some(Time::from_millis(600)),
            groups: vec![vec![0, 2]],
        },
    ];
    network
}

/// The same with slow lines of every kind, regions, and latencies from tables.
fn slow(nodes: u32, seed: u64, bytes_per_second: u64) -> Network {
    let mut network = noisy(nodes, seed);
    let links = &mut network.links;
    let quantiles = Quantiles::log_normal(10 * MS, 700_000).expect("it can be");
    let tailed = Link {
        jitter: Jitter::Quantiles(quantiles.into()),
        ..Link::constant(4 * MS)
    };
    let bandwidth = Bandwidth::per_second(bytes_per_second);
    let access = Access {
        up: bandwidth,
        down: Bandwidth::per_second(bytes_per_second * 2),
    };
    links.default.bandwidth = Bandwidth::per_second(bytes_per_second / 2);
    links.access = access;
    let nobody = Access::default();
    links.access_exceptions.insert(2, nobody);
    let weight = |weight, access| Region {
        members: Members::Weight(weight),
        access,
    };
    links.regions.regions = vec![weight(2, None), weight(1, Some(access))];
    links.regions.links.insert((0, 1), tailed.clone());
    links.regions.links.insert((1, 1), tailed);
    network
}

fn history(world: &mut World<'_, Notes<(Time, usize)>>) -> (u64, Vec<Vec<(Time, usize)>>) {
    for cut in [101, 333, 334, 1000] {
        world
            .run_until(Time::from_millis(cut))
            .expect("time passes");
    }
    let notes = world.nodes().map(|notes| notes.borrow().clone());
    let notes = notes.collect();
    (world.digest(), notes)
}

#[test]
fn no_layout_changes_the_history() {
    for network in [noisy(7, 3), slow(7, 3, 20_000)] {
        let expected = history(&mut chatter(&network, Layout::default(), 7));
        assert!(
            expected.1.iter().all(|notes| notes.len() > 20),
            "there is a history"
        );
        for layout in layouts() {
            let found = history(&mut chatter(&network, layout, 7));
            assert_eq!(found, expected, "{layout:?}");
        }
    }
}

#[test]
fn cuts_do_not_change_the_history() {
    let network = noisy(5, 8);
    let mut one = chatter(&network, Layout::default(), 5);
    one.run_until(Time::from_millis(700)).expect("time passes");
    let mut many = chatter(&network, Layout::default(), 5);
    for step in 1..=1000 {
        many.run_until(Time::from_nanos(step * 700_000))
            .expect("time passes");
    }
    assert_eq!(one.digest(), many.digest());
    assert_eq!(one.events(), many.events());
}

#[test]
fn another_seed_is_another_history() {
    let mut a = chatter(&noisy(5, 1), Layout::default(), 5);
    let mut b = chatter(&noisy(5, 2), Layout::default(), 5);
    assert_ne!(history(&mut a), history(&mut b));
}

#[test]
fn an_isolated_node_more_changes_nobodys_history() {
    for [few, more] in [
        [noisy(5, 4), noisy(6, 4)],
        [slow(5, 4, 20_000), slow(6, 4, 20_000)],
    ] {
        let mut few = chatter(&few, Layout::default(), 5);
        let mut more = chatter(&more, Layout::default(), 5);
        assert_eq!(history(&mut few).1, history(&mut more).1[..5]);
        assert_eq!(few.node_digests(), more.node_digests()[..5]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_layout_changes_any_history(
        seed: u64,
        nodes in 2u32..9,
        floor_us in 1u64..20_000,
        jitter_us in 0u64..50_000,
        loss in 0u32..100_000,
        shards in 1u32..5,
        windows in 1u32..4,
        reverse: bool,
        bytes_per_second in prop::option::of(1_000u64..1_000_000),
    ) {
        let nodes = nodes.max(3);
        let mut network = match bytes_per_second {
            Some(bytes_per_second) => slow(nodes, seed, bytes_per_second),
            None => noisy(nodes, seed),
        };
        let bandwidth = network.links.default.bandwidth;
        let link = Link::uniform(Duration::from_micros(floor_us), Duration::from_micros(jitter_us));
        network.links.default = link.with_loss(Probability::from_ppm(loss));
        network.links.default.bandwidth = bandwidth;
        let talkers = network.nodes;
        let mut base = chatter(&network, Layout::default(), talkers);
        let mut other = chatter(&network, Layout { shards, windows, reverse, ..Layout::default() }, talkers);
        for ms in [20, 50, 90] {
            base.run_until(Time::from_millis(ms)).expect("time passes");
            other.run_until(Time::from_millis(ms)).expect("time passes");
            prop_assert_eq!(base.node_digests(), other.node_digests());
        }
    }
}

/// So many nodes that thousands of events share a window.
#[test]
fn a_world_stopped_within_a_window_loses_nothing_and_goes_on_to_the_same_history() {
    let nodes = 5_000;
    let network = noisy(nodes, 3);
    let until = Time::from_millis(60);
    for layout in layouts() {
        let mut whole = chatter(&network, layout, nodes);
        whole.run_until(until).expect("time passes");
        let mut world = chatter(&network, layout, nodes);
        let mut stops = 0;
        while world
            .run_until_or(until, |_| ControlFlow::Break(()))
            .expect("time passes")
            .is_break()
        {
            stops += 1;
            assert!(world.now() < until && !world.is_quiet());
            assert_conserved(&world);
        }
        assert!(stops >= 3, "{stops} looks at {} events", world.events());
        assert_eq!(world.now(), until);
        assert_eq!(world.digest(), whole.digest(), "{layout:?}");
        assert_eq!(world.waiting(), whole.waiting());
    }
}
