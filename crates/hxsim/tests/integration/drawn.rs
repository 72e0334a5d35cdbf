//! What properties are drawn from: graphs, and the network that runs a scenario.

use hash_gossip::Node;
use hxsim::Scenario;
use hxsim::gossip::{Gossip, Seated, SimHost};
use hxsim::run;
use hxsim::topology::{Graph, Topology};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use simnet::{Layout, NodeId, World};

/// Connected graphs of every shape, of two to `most` nodes.
pub(crate) fn topologies(most: u32) -> impl Strategy<Value = (u32, Topology)> {
    let shape = prop_oneof![
        Just(Topology::Line),
        Just(Topology::Ring),
        Just(Topology::Star),
        Just(Topology::Complete),
    ];
    prop_oneof![
        (2..=most, shape),
        (6..=most, 1..3_u32)
            .prop_map(|(nodes, half)| { (nodes, Topology::RandomRegular { degree: 2 * half }) }),
        (3..=most).prop_map(|nodes| (nodes, Topology::BarabasiAlbert { attach: 2 })),
        (2..=most).prop_map(|nodes| (nodes, Topology::Tree { arity: 2 })),
        edges(most),
    ]
}

/// A tree whose nodes hang on any earlier one, and some more edges.
fn edges(most: u32) -> impl Strategy<Value = (u32, Topology)> {
    (2..=most)
        .prop_flat_map(|nodes| {
            let edge = (1..nodes).prop_flat_map(|v| (0..v, Just(v)));
            let tree: Vec<_> = (1..nodes).map(|v| (0..v, Just(v))).collect();
            let more = prop::collection::vec(edge, 0..nodes as usize);
            (Just(nodes), tree, more)
        })
        .prop_map(|(nodes, mut edges, more)| {
            edges.extend(more);
            (nodes, Topology::Edges(edges))
        })
}

/// The same cases in every run, unless `PROPTEST_RNG_SEED` asks for others; `PROPTEST_CASES` asks for more.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let mut config = Config {
        failure_persistence: None,
        // In milliseconds: who waits for a failure wants it small, but soon.
        max_shrink_time: 20_000,
        ..Config::default()
    };
    // What the environment does not say has its default.
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    if config.cases == 256 {
        config.cases = cases;
    }
    TestRunner::new(config)
}

/// The graph and the nodes of a scenario.
pub(crate) fn prepare(scenario: &Scenario) -> (Graph, Gossip) {
    let graph = scenario.topology.graph(scenario.nodes, scenario.seed);
    let graph = graph.expect("a possible graph");
    let gossip = Gossip::new(scenario, &graph).expect("the workload can be read");
    (graph, gossip)
}

/// A scenario's world, to be looked at more closely than a report does.
pub(crate) fn world<'a>(
    scenario: &Scenario,
    graph: &'a Graph,
    gossip: &'a Gossip,
) -> World<'a, Seated> {
    run::start(gossip, scenario, graph, Layout::default()).expect("a valid network")
}

/// The node on a seat.
pub(crate) fn honest<'a>(world: &'a World<'_, Seated>, node: NodeId) -> &'a Node<SimHost> {
    world.node(node).node().expect(HONEST)
}

/// Why a seat has a node.
pub(crate) const HONEST: &str = "it plays no role";

/// Some nodes of a network, by numbers that may be any.
pub(crate) fn some_nodes(numbers: &[u32], nodes: u32) -> Vec<NodeId> {
    let mut some: Vec<_> = numbers.iter().map(|number| number % nodes).collect();
    some.sort_unstable();
    some.dedup();
    some
}
