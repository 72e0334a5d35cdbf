use std::collections::BTreeSet;

use hxsim::topology::{Graph, Topology, TopologyError};
use proptest::prelude::*;

fn graph(topology: &Topology, nodes: u32) -> Graph {
    topology.graph(nodes, 1).expect("a possible graph")
}

#[test]
fn small_shapes_are_what_their_names_say() {
    assert_eq!(graph(&Topology::Line, 4).edges(), [(0, 1), (1, 2), (2, 3)]);
    assert_eq!(
        graph(&Topology::Ring, 4).edges(),
        [(0, 1), (0, 3), (1, 2), (2, 3)]
    );
    assert_eq!(graph(&Topology::Star, 4).edges(), [(0, 1), (0, 2), (0, 3)]);
    assert_eq!(graph(&Topology::Complete, 4).edges().len(), 6);
    for topology in [
        Topology::Line,
        Topology::Ring,
        Topology::Star,
        Topology::Complete,
    ] {
        assert_eq!(graph(&topology, 1).edges(), []);
        assert_eq!(graph(&topology, 2).edges(), [(0, 1)], "{topology:?}");
    }
}

#[test]
fn edges_are_simple_and_sorted_whatever_they_were() {
    let graph = Graph::new(4, vec![(2, 1), (0, 3), (1, 2), (3, 0)]).expect("two edges, each twice");
    assert_eq!(graph.edges(), [(0, 3), (1, 2)]);
    assert_eq!(graph.components(), 2);
    assert_eq!(graph.distances(&[0]), [Some(0), None, None, Some(1)]);
    assert_eq!(Graph::new(4, vec![(1, 1)]), Err(TopologyError::Loop(1)));
    assert_eq!(
        Graph::new(4, vec![(4, 1)]),
        Err(TopologyError::NoSuchNode(4))
    );
}

#[test]
fn distance_is_to_the_nearest_source() {
    let line = graph(&Topology::Line, 10);
    assert_eq!(line.eccentricity(&[0]), 9);
    assert_eq!(line.eccentricity(&[0, 9]), 4);
    assert_eq!(line.eccentricity(&[0, 0]), 9);
    assert_eq!(
        line.distances(&[3])[..5],
        [Some(3), Some(2), Some(1), Some(0), Some(1)]
    );
}

proptest! {
    #[test]
    fn random_regular_graphs_are_regular_simple_connected_and_the_seed_s_own(
        nodes in 3..80_u32,
        degree in 2..79_u32,
        seed: u64,
    ) {
        let topology = Topology::RandomRegular { degree };
        prop_assume!(topology.check(nodes).is_ok());
        let graph = topology.graph(nodes, seed).expect("checked to be possible");
        prop_assert_eq!(graph.edges().len() as u32, nodes * degree / 2);
        prop_assert_eq!(graph.components(), 1);
        for node in 0..nodes {
            let neighbours = graph.neighbours(node);
            prop_assert_eq!(neighbours.len() as u32, degree);
            prop_assert!(neighbours.is_sorted_by(|a, b| a < b), "no neighbour twice");
            prop_assert!(!neighbours.contains(&node));
            prop_assert!(neighbours.iter().all(|&other| graph.neighbours(other).contains(&node)));
        }
        prop_assert_eq!(topology.graph(nodes, seed), Ok(graph));
    }
}

#[test]
fn impossible_degrees_are_told() {
    let check = |degree, nodes| Topology::RandomRegular { degree }.check(nodes);
    assert_eq!(
        check(5, 5),
        Err(TopologyError::DegreeTooHigh {
            degree: 5,
            nodes: 5
        })
    );
    assert_eq!(
        check(3, 5),
        Err(TopologyError::OddDegreeSum {
            degree: 3,
            nodes: 5
        })
    );
    assert_eq!(
        check(1, 4),
        Err(TopologyError::DegreeTooLow {
            degree: 1,
            nodes: 4
        })
    );
    assert_eq!(check(1, 2), Ok(()));
    assert_eq!(check(0, 1), Ok(()));
    assert!(check(0, 0).is_err());
    assert!(Topology::Complete.check(1_000_000).is_err());
}

/// There are 70 cubic graphs on six labelled nodes: 10 times K(3,3) and 60 prisms. Each has a mean of 100 and a deviation of 10
/// here; four deviations leave room for the largest of 70.
#[test]
fn no_graph_is_favoured() {
    let mut seen = std::collections::BTreeMap::new();
    let topology = Topology::RandomRegular { degree: 3 };
    for seed in 0..7_000 {
        let graph = topology.graph(6, seed).expect("a possible graph");
        *seen.entry(graph.edges().to_vec()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 70);
    assert!(
        seen.values().all(|&times| (60..140).contains(&times)),
        "{:?}",
        seen.values()
    );
}

#[test]
fn large_graphs_have_small_diameters() {
    let graph = graph(&Topology::RandomRegular { degree: 8 }, 20_000);
    assert_eq!(graph.components(), 1);
    // A tree of degree 8 holds 20,000 nodes within 6 hops of its root; a random graph needs few more.
    assert!((6..=8).contains(&graph.eccentricity(&[0])));
    let degrees: BTreeSet<usize> = (0..20_000)
        .map(|node| graph.neighbours(node).len())
        .collect();
    assert_eq!(degrees, BTreeSet::from([8]));
}

/// The history of every scenario begins with its graph: if this changes, all results do.
#[test]
fn the_draw_is_pinned() {
    let graph = graph(&Topology::RandomRegular { degree: 3 }, 8);
    let expected = [
        [(0, 3), (0, 5), (0, 7), (1, 2), (1, 3), (1, 4)],
        [(2, 4), (2, 7), (3, 5), (4, 6), (5, 6), (6, 7)],
    ];
    assert_eq!(graph.edges(), expected.as_flattened());
}
