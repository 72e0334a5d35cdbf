//! A hash takes three latencies a hop: AVAILABLE, REQUEST, the body, and what the bandwidth makes of its length. No node can be faster, and ours is
//! not slower.

use std::time::Duration;

use hxsim::Scenario;
use hxsim::topology::Topology;
use hxsim::workload::{Arrivals, Body, Synthetic, Workload};
use proptest::prelude::*;
use simnet::{Bandwidth, Link, Links, Time};

use crate::drawn::{honest, prepare, runner, some_nodes, topologies, world};

/// By then every connection stands: dial and answer take less than half of it.
const PUBLISHED: Duration = Duration::from_secs(1);

fn bodies(holders: &[Vec<u32>], later_ms: &[u64], nodes: u32) -> Workload {
    let bodies = (0..).zip(holders).zip(later_ms);
    let bodies = bodies.map(|((number, holders), later_ms)| Body {
        bytes: format!("body {number}").into_bytes(),
        nodes: some_nodes(holders, nodes),
        at: Time::ZERO + PUBLISHED + Duration::from_millis(*later_ms),
    });
    Workload::Bodies(bodies.collect())
}

/// Runs the scenario, and compares when each node learned each body with the hops that it had to take.
fn check(
    scenario: &Scenario,
    latency: Duration,
    agrees: impl Fn(Duration, Duration) -> bool,
) -> Result<(), TestCaseError> {
    let (graph, gossip) = prepare(scenario);
    let mut world = world(scenario, &graph, &gossip);
    world.run_until(scenario.run.horizon).expect("time passes");
    for item in gossip.items() {
        let hops = graph.distances(&item.holders);
        for (node, hops) in (0..).zip(hops) {
            let hops = hops.expect("the graph is connected");
            let record = honest(&world, node).record(&item.hash);
            let record = record.expect("every node has every body by now");
            let least = item.at.elapsed() + 3 * latency * hops;
            prop_assert!(
                agrees(record.learned_at, least),
                "node {node} had it after {:?}; {hops} hops take until {least:?}",
                record.learned_at
            );
            prop_assert_eq!(record.from.is_none(), hops == 0);
        }
    }
    Ok(())
}

#[test]
fn the_only_hash_is_three_latencies_a_hop_away_to_the_nanosecond() {
    let drawn = (
        topologies(24),
        1..300_000_000_u64,
        any::<u64>(),
        any::<u32>(),
    );
    let outcome = runner(128).run(
        &drawn,
        |((nodes, topology), latency_ns, seed, publisher)| {
            let latency = Duration::from_micros(1) + Duration::from_nanos(latency_ns);
            let scenario = Scenario {
                seed,
                topology,
                links: Links::all(Link::constant(latency)),
                workload: Some(bodies(&[vec![publisher]], &[0], nodes)),
                ..Scenario::new(nodes)
            };
            check(&scenario, latency, |learned, least| learned == least)
        },
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_long_body_takes_its_length_over_the_bandwidth_on_every_hop() {
    let latency = Duration::from_millis(10);
    let bandwidth = Bandwidth::per_second(10 << 20).expect("it is not zero");
    let mut scenario = Scenario {
        topology: Topology::Line,
        links: Links::all(Link::constant(latency).with_bandwidth(bandwidth)),
        workload: Some(Workload::Synthetic(Synthetic {
            arrivals: Arrivals::At(Time::ZERO + PUBLISHED),
            ..Synthetic::held(1, 1, 10 << 20)
        })),
        ..Scenario::new(4)
    };
    // More than fits on the way, or the reader's credit would decide.
    scenario.stream.window = 4 << 20;
    let (graph, gossip) = prepare(&scenario);
    let mut world = world(&scenario, &graph, &gossip);
    world.run_until(scenario.run.horizon).expect("time passes");
    let hash = &gossip.items()[0].hash;
    for node in 1..4 {
        let record = honest(&world, node).record(hash);
        let took = record.expect("it came").learned_at - PUBLISHED;
        let least = (3 * latency + Duration::from_secs(1)) * node;
        // What else is said: two kilobytes at most, a hop.
        let most = least + bandwidth.time_of(2 << 10) * node;
        assert!(least <= took && took <= most, "node {node}: {took:?}");
    }
}

#[test]
fn no_hash_among_many_is_faster() {
    let some = prop::collection::vec(
        (prop::collection::vec(any::<u32>(), 1..4), 0..2_000_u64),
        1..20,
    );
    let drawn = (topologies(16), 1..300_u64, any::<u64>(), some);
    let outcome = runner(64).run(
        &drawn,
        |((nodes, topology), latency_ms, seed, published)| {
            let latency = Duration::from_millis(latency_ms);
            let (holders, later): (Vec<_>, Vec<_>) = published.into_iter().unzip();
            let scenario = Scenario {
                seed,
                topology,
                links: Links::all(Link::constant(latency)),
                workload: Some(bodies(&holders, &later, nodes)),
                ..Scenario::new(nodes)
            };
            check(&scenario, latency, |learned, least| learned >= least)
        },
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
