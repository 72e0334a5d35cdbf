//! Without faults a node gets every body once, and an edge carries the name of a hash once, or twice if two announcements cross.
//!
//! What is said is counted in bytes on the wire. How often something had to be said follows from when nodes learned it and
//! from how long links take, which is not for the node to say.

use std::time::Duration;

use hash_exchange::{Kind, Tally};
use hxsim::Scenario;
use hxsim::gossip::{Gossip, Seated};
use hxsim::topology::Graph;
use hxsim::workload::{Body, Workload};
use proptest::prelude::*;
use simnet::draw::{Purpose, bounded, draw};
use simnet::{Link, Links, NodeId, Time, World};

use crate::drawn::{HONEST, honest, prepare, runner, some_nodes, topologies, world};

/// Connections stand by then, whatever the latencies drawn here.
const PUBLISHED: Duration = Duration::from_secs(10);

/// A SHA-1 in a message: field and length of the digest, field and length of both, and the kind of hash.
const MENTION: u64 = 42;
/// The kind of a message.
const MESSAGE: u64 = 2;

fn sent(world: &World<'_, Seated>) -> Tally {
    let mut total = Tally::default();
    world
        .nodes()
        .for_each(|seated| total.merge(&seated.node().expect(HONEST).sent()));
    total
}

/// How often hashes were announced, from the bytes of the announcements.
fn mentions(sent: &Tally) -> u64 {
    let bytes = sent.content(Kind::Available) - MESSAGE * sent.frames(Kind::Available);
    assert_eq!(
        bytes % MENTION,
        0,
        "{bytes} bytes are no whole number of hashes"
    );
    bytes / MENTION
}

/// How often hashes must have been announced at least, and may have been at most. The one of two neighbours that learned first tells the
/// other, who tells it too unless the word has arrived. Links of a constant latency leave nothing open.
fn owed(
    scenario: &Scenario,
    graph: &Graph,
    gossip: &Gossip,
    world: &World<'_, Seated>,
) -> (u64, u64) {
    let (mut least, mut most) = (0, 0);
    for item in gossip.items() {
        let learned = |node: NodeId| {
            let record = honest(world, node).record(&item.hash);
            Time::ZERO + record.expect("every node has every body").learned_at
        };
        for &(u, v) in graph.edges() {
            let first = if learned(u) <= learned(v) { u } else { v };
            let second = u + v - first;
            let link = scenario.links.between(scenario.seed, first, second);
            let earliest = learned(first) + link.floor;
            let latest = earliest + link.jitter.most();
            least += 1 + u64::from(learned(second) < earliest);
            most += 1 + u64::from(learned(second) <= latest);
        }
    }
    (least, most)
}

/// Runs the scenario and holds what was said and sent against what had to be.
fn check(scenario: &Scenario) -> Result<(), TestCaseError> {
    let (graph, gossip) = prepare(scenario);
    let mut world = world(scenario, &graph, &gossip);
    world.run_until(scenario.run.horizon).expect("time passes");
    let sent = sent(&world);

    let mut payload = 0;
    for item in gossip.items() {
        let deliveries = u64::from(scenario.nodes) - item.holders.len() as u64;
        let records = world
            .nodes()
            .map(|seated| seated.node().expect(HONEST).record(&item.hash));
        let receipts = records.map(|record| record.map_or(0, |record| u64::from(record.receipts)));
        prop_assert_eq!(
            receipts.sum::<u64>(),
            deliveries,
            "every other node gets it once"
        );
        payload += deliveries * item.body.len() as u64;
    }
    prop_assert_eq!(
        sent.content(Kind::Body),
        payload,
        "no byte of a body is sent in vain"
    );

    let mentions = mentions(&sent);
    let (least, most) = owed(scenario, &graph, &gossip, &world);
    prop_assert!(
        (least..=most).contains(&mentions),
        "{mentions} announcements, where {least} to {most} were due"
    );
    let mut told = 0;
    for item in gossip.items() {
        for &(u, v) in graph.edges() {
            let tells = |a: NodeId, b: NodeId| honest(&world, a).was_told(&b, &item.hash);
            let hears = |a: NodeId, b: NodeId| honest(&world, a).was_offered(&b, &item.hash);
            prop_assert!(
                tells(u, v) || tells(v, u),
                "somebody speaks on edge {u}-{v}"
            );
            prop_assert_eq!(tells(u, v), hears(v, u), "what {} says {} hears", u, v);
            prop_assert_eq!(tells(v, u), hears(u, v), "what {} says {} hears", v, u);
            told += u64::from(tells(u, v)) + u64::from(tells(v, u));
        }
    }
    prop_assert_eq!(mentions, told, "nobody says anything twice");
    Ok(())
}

fn published(some: Vec<(Vec<u32>, u64)>, nodes: u32) -> Workload {
    let bodies = (0..).zip(some);
    let bodies = bodies.map(|(number, (holders, later_ns))| Body {
        bytes: format!("body {number}").into_bytes(),
        nodes: some_nodes(&holders, nodes),
        at: Time::ZERO + PUBLISHED + Duration::from_nanos(later_ns),
    });
    Workload::Bodies(bodies.collect())
}

/// Publishers and times of some bodies, within five seconds.
fn publications() -> impl Strategy<Value = Vec<(Vec<u32>, u64)>> {
    let holders = prop::collection::vec(any::<u32>(), 1..3);
    prop::collection::vec((holders, 0..5_000_000_000_u64), 1..12)
}

#[test]
fn one_hash_crosses_itself_on_edges_between_equal_distances_alone() {
    let drawn = (topologies(24), 1..300_u64, any::<u64>(), any::<u32>());
    let outcome = runner(64).run(
        &drawn,
        |((nodes, topology), latency_ms, seed, publisher)| {
            let scenario = Scenario {
                seed,
                topology,
                links: Links::all(Link::constant(Duration::from_millis(latency_ms))),
                workload: Some(published(vec![(vec![publisher], 0)], nodes)),
                ..Scenario::new(nodes)
            };
            let (graph, gossip) = prepare(&scenario);
            let mut world = world(&scenario, &graph, &gossip);
            world.run_until(scenario.run.horizon).expect("time passes");
            let hops = graph.distances(&[publisher % nodes]);
            let level = |&&(u, v): &&(NodeId, NodeId)| hops[u as usize] == hops[v as usize];
            let crossed = graph.edges().iter().filter(level).count();
            let edges = graph.edges().len();
            prop_assert_eq!(mentions(&sent(&world)), (edges + crossed) as u64);
            check(&scenario)
        },
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn nothing_is_wasted_where_every_direction_has_a_latency_of_its_own() {
    const LATENCY: Purpose = Purpose::new("test.latency");
    let drawn = (topologies(16), any::<u64>(), publications());
    let outcome = runner(128).run(&drawn, |((nodes, topology), seed, some)| {
        let mut links = Links::all(Link::constant(Duration::from_millis(1)));
        for source in 0..nodes {
            for dest in 0..nodes {
                let link = (u64::from(source) << 32) | u64::from(dest);
                let latency_ns = 1_000 + bounded(draw(seed, LATENCY, link, 0), 2_000_000_000);
                let link = Link::constant(Duration::from_nanos(latency_ns));
                links.exceptions.insert((source, dest), link);
            }
        }
        let mut scenario = Scenario {
            seed,
            topology,
            links,
            workload: Some(published(some, nodes)),
            ..Scenario::new(nodes)
        };
        // The longest line takes three latencies of two seconds a hop.
        scenario.run.horizon = Time::from_secs(200);
        check(&scenario)
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn nothing_is_wasted_where_every_segment_has_a_latency_of_its_own() {
    let drawn = (
        topologies(16),
        any::<u64>(),
        1..500_u64,
        1..1_500_u64,
        publications(),
    );
    let outcome = runner(128).run(&drawn, |((nodes, topology), seed, floor, jitter, some)| {
        let (floor, jitter) = (Duration::from_millis(floor), Duration::from_millis(jitter));
        let mut scenario = Scenario {
            seed,
            topology,
            links: Links::all(Link::uniform(floor, jitter)),
            workload: Some(published(some, nodes)),
            ..Scenario::new(nodes)
        };
        scenario.run.horizon = Time::from_secs(200);
        check(&scenario)
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
