//! The models of networks are what their papers say they are.

use std::collections::BTreeMap;

use hxsim::decimal::Decimal;
use hxsim::topology::{Density, Graph, Reach, Topology, TopologyError};
use proptest::prelude::*;
use simnet::Probability;

fn graph(topology: &Topology, nodes: u32, seed: u64) -> Graph {
    topology.graph(nodes, seed).expect("a possible graph")
}

fn percent(percent: u32) -> Probability {
    Probability::from_ppm(percent * 10_000)
}

fn degrees(graph: &Graph) -> impl Iterator<Item = usize> {
    (0..graph.nodes()).map(|node| graph.neighbours(node).len())
}

fn mean_degree(graph: &Graph) -> f64 {
    2.0 * graph.edges().len() as f64 / f64::from(graph.nodes())
}

/// Of all pairs of neighbours of a node, how many know each other: mean over nodes (Watts and Strogatz 1998).
fn clustering(graph: &Graph) -> f64 {
    let of_node = |node| {
        let near = graph.neighbours(node);
        let know = |u: u32| {
            graph
                .neighbours(u)
                .iter()
                .filter(|v| near.contains(v))
                .count()
        };
        let ends: usize = near.iter().map(|&u| know(u)).sum();
        ends as f64 / (near.len() * (near.len() - 1)) as f64
    };
    (0..graph.nodes()).map(of_node).sum::<f64>() / f64::from(graph.nodes())
}

/// The mean number of hops from some nodes to all others.
fn path_length(graph: &Graph) -> f64 {
    let sources: Vec<u32> = (0..graph.nodes()).step_by(50).collect();
    let hops = |&source: &u32| -> u32 { graph.distances(&[source]).into_iter().flatten().sum() };
    let sum: u32 = sources.iter().map(hops).sum();
    f64::from(sum) / (sources.len() as f64 * f64::from(graph.nodes() - 1))
}

fn diameter(graph: &Graph) -> Option<u32> {
    (0..graph.nodes())
        .map(|node| graph.eccentricity(&[node]))
        .max()
}

fn random_families() -> [Topology; 5] {
    let mean_degree = Decimal::from_millionths(5_500_000);
    [
        Topology::ErdosRenyi(Density::MeanDegree(mean_degree)),
        Topology::WattsStrogatz {
            degree: 4,
            rewire: percent(30),
        },
        Topology::BarabasiAlbert { attach: 2 },
        Topology::Geometric {
            reach: Reach::MeanDegree(mean_degree),
            torus: false,
        },
        Topology::Geometric {
            reach: Reach::MeanDegree(mean_degree),
            torus: true,
        },
    ]
}

#[test]
fn a_tree_has_a_parent_for_each_node_but_one() {
    let tree = graph(&Topology::Tree { arity: 3 }, 9, 1);
    let expected = [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 4),
        (1, 5),
        (1, 6),
        (2, 7),
        (2, 8),
    ];
    assert_eq!(tree.edges(), expected);
    for (nodes, arity) in [(1, 2), (2, 5), (1_000, 1), (1_000, 7)] {
        let tree = graph(&Topology::Tree { arity }, nodes, 1);
        assert_eq!(
            (tree.edges().len() as u32, tree.components()),
            (nodes - 1, 1)
        );
    }
    assert_eq!(
        graph(&Topology::Tree { arity: 2 }, 1_023, 1).eccentricity(&[0]),
        9
    );
}

#[test]
fn a_grid_may_end_in_a_row_that_is_not_full() {
    let grid = graph(&Topology::Grid { width: Some(3) }, 8, 1);
    let across = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7)];
    let down = [(0, 3), (1, 4), (2, 5), (3, 6), (4, 7)];
    let mut expected = [across, down].concat();
    expected.sort_unstable();
    assert_eq!(grid.edges(), expected);
    assert_eq!(
        grid,
        graph(&Topology::Grid { width: None }, 8, 1),
        "3 is the width of 7, 8 and 9"
    );
    // The way from one corner to the other.
    assert_eq!(
        graph(&Topology::Grid { width: None }, 400, 1).eccentricity(&[0]),
        38
    );
    assert_eq!(
        graph(&Topology::Grid { width: Some(9) }, 5, 1),
        graph(&Topology::Line, 5, 1)
    );
}

#[test]
fn a_torus_has_four_neighbours_everywhere_and_no_corner() {
    for (nodes, width) in [(9, None), (12, Some(3)), (400, None), (1_001, Some(7))] {
        let torus = graph(&Topology::Torus { width }, nodes, 1);
        assert!(degrees(&torus).all(|degree| degree == 4));
        let side = width.unwrap_or(nodes.isqrt());
        assert_eq!(diameter(&torus), Some(side / 2 + nodes / side / 2));
    }
    let square = Topology::Torus { width: None };
    assert_eq!(
        graph(&square, 24, 1),
        graph(&Topology::Torus { width: Some(6) }, 24, 1)
    );
}

#[test]
fn a_hypercube_is_as_far_across_as_it_has_dimensions() {
    for dimensions in 0..=10 {
        let cube = graph(&Topology::Hypercube, 1 << dimensions, 1);
        assert!(degrees(&cube).all(|degree| degree == dimensions));
        assert_eq!(diameter(&cube), Some(dimensions as u32));
    }
}

/// Degrees are binomial: mean (n - 1) p and variance (n - 1) p (1 - p), each within five of its standard errors.
#[test]
fn degrees_of_erdos_renyi_are_binomial() {
    let (n, p) = (20_000.0_f64, 0.001_f64);
    let sparse = Topology::ErdosRenyi(Density::Probability(Probability::from_ppm(1_000)));
    let graph = graph(&sparse, 20_000, 3);
    let (mean, variance) = ((n - 1.0) * p, (n - 1.0) * p * (1.0 - p));
    // Each edge counts for two nodes.
    let tolerance = 5.0 * (2.0 * variance / n).sqrt();
    assert!((mean_degree(&graph) - mean).abs() < tolerance);
    let squares = degrees(&graph).map(|degree| (degree as f64 - mean).powi(2));
    let observed = squares.sum::<f64>() / n;
    assert!(
        (observed - variance).abs() < 5.0 * variance * (2.0 / n).sqrt(),
        "{observed}"
    );
    // The same chance for all pairs: nodes that came early have as many neighbours as late ones.
    let early = degrees(&graph).take(10_000).sum::<usize>() as f64 / 10_000.0;
    assert!((early - mean).abs() < 5.0 * (2.0 * variance / 10_000.0).sqrt());
}

#[test]
fn a_mean_degree_is_what_comes_out() {
    for degree in [9, 20, 300] {
        let asked = Decimal::whole(degree);
        let topologies = [
            Topology::ErdosRenyi(Density::MeanDegree(asked)),
            Topology::Geometric {
                reach: Reach::MeanDegree(asked),
                torus: false,
            },
            Topology::Geometric {
                reach: Reach::MeanDegree(asked),
                torus: true,
            },
        ];
        for topology in topologies {
            let means = (0..20).map(|seed| mean_degree(&graph(&topology, 1_000, seed)));
            let mean = means.sum::<f64>() / 20.0;
            let apart = (mean / f64::from(degree) - 1.0).abs();
            assert!(apart < 0.03, "{topology:?}: {mean}");
        }
    }
}

/// Clustering is 3 (k - 2) / (4 (k - 1)) in the ring, falls with (1 - rewire)^3 (Barrat and Weigt 2000), and is about k / n when all edges are led
/// elsewhere. Ways fall much sooner, from n / 2k to nearly ln n / ln k.
#[test]
fn a_few_shortcuts_make_a_small_world() {
    let world = |rewire| {
        graph(
            &Topology::WattsStrogatz {
                degree: 10,
                rewire: percent(rewire),
            },
            2_000,
            5,
        )
    };
    let ring = world(0);
    assert!(degrees(&ring).all(|degree| degree == 10));
    assert!((clustering(&ring) - 2.0 / 3.0).abs() < 1e-9);
    assert!((path_length(&ring) - 100.5).abs() < 0.1);

    let small = world(10);
    let kept = clustering(&small) / clustering(&ring);
    assert!((kept - 0.9_f64.powi(3)).abs() < 0.03, "{kept}");
    assert!(path_length(&small) < 6.0);

    let random = world(100);
    assert!(clustering(&random) < 0.015);
    let expected = 2_000_f64.ln() / 10_f64.ln();
    assert!((path_length(&random) / expected - 1.0).abs() < 0.15);
    assert!(
        [&ring, &small, &random]
            .iter()
            .all(|world| world.edges().len() == 10_000)
    );
    // Each node keeps the edges that it is the first end of.
    assert!(degrees(&random).all(|degree| degree >= 5));
}

/// Degree k has the share 2 m (m + 1) / (k (k + 1) (k + 2)), so that m (m + 1) / (k (k + 1)) of all nodes have k or more neighbours.
#[test]
fn barabasi_albert_is_scale_free() {
    let (nodes, m) = (50_000_u32, 4_usize);
    let graph = graph(&Topology::BarabasiAlbert { attach: 4 }, nodes, 2);
    assert_eq!(
        graph.edges().len(),
        10 + (nodes as usize - 5) * 4,
        "no edge is drawn twice"
    );
    assert!(degrees(&graph).all(|degree| degree >= m));
    for k in [5, 8, 16, 32, 64] {
        let share = degrees(&graph).filter(|&degree| degree >= k).count() as f64 / f64::from(nodes);
        let expected = (m * (m + 1)) as f64 / (k * (k + 1)) as f64;
        // Relative, and with room for five deviations of a small count.
        let tolerance = 0.02 + 5.0 / (expected * f64::from(nodes)).sqrt();
        assert!(
            (share / expected - 1.0).abs() < tolerance,
            "{k}: {share}, {expected}"
        );
    }
    // The hub is one of the first, and has some m sqrt(n) neighbours: 894.
    let hub = (0..nodes).max_by_key(|&node| graph.neighbours(node).len());
    assert!(hub.is_some_and(|hub| hub < 50));
    let largest = degrees(&graph).max().unwrap_or(0);
    assert!((400..2_000).contains(&largest), "{largest}");
}

#[test]
fn geometric_neighbours_are_near_and_know_each_other() {
    let of = |torus| {
        let reach = Reach::Radius(Decimal::from_millionths(60_000));
        graph(&Topology::Geometric { reach, torus }, 2_000, 1)
    };
    let (square, torus) = (of(false), of(true));
    // The border of the one is missing: every edge of the square is one of the torus.
    assert!(square.edges().len() < torus.edges().len());
    assert!(
        square
            .edges()
            .iter()
            .all(|edge| torus.edges().binary_search(edge).is_ok())
    );
    let expected = 1_999.0 * std::f64::consts::PI * 0.06 * 0.06;
    assert!((mean_degree(&torus) / expected - 1.0).abs() < 0.03);
    // 1 - 3 sqrt(3) / (4 pi), in a plane without border (Dall and Christensen 2002).
    assert!((clustering(&torus) - 0.5865).abs() < 0.01);
}

#[test]
fn a_network_that_grows_keeps_its_graph() {
    let radius = Reach::Radius(Decimal::from_millionths(200_000));
    let topologies = [
        Topology::Tree { arity: 3 },
        Topology::Grid { width: Some(10) },
        Topology::ErdosRenyi(Density::Probability(percent(10))),
        Topology::BarabasiAlbert { attach: 3 },
        Topology::Geometric {
            reach: radius,
            torus: true,
        },
    ];
    for topology in topologies {
        let [small, large] = [200, 201].map(|nodes| graph(&topology, nodes, 4));
        let kept: Vec<_> = large
            .edges()
            .iter()
            .filter(|&&(_, v)| v < 200)
            .copied()
            .collect();
        assert_eq!(small.edges(), kept, "{topology:?}");
    }
}

#[test]
fn what_seldom_connects_is_refused_before_it_is_drawn() {
    let degree = Decimal::from_millionths(7_800_000);
    let topologies = [
        Topology::ErdosRenyi(Density::MeanDegree(degree)),
        Topology::Geometric {
            reach: Reach::MeanDegree(degree),
            torus: false,
        },
        Topology::Geometric {
            reach: Reach::Radius(Decimal::from_millionths(45_000)),
            torus: true,
        },
    ];
    let least = Decimal::from_millionths(7_910_000);
    for topology in topologies {
        let refused = topology.check(1_000);
        assert_eq!(
            refused,
            Err(TopologyError::Sparse {
                least,
                nodes: 1_000
            })
        );
    }
    // At that degree it does work, and the seeds of twenty networks find one.
    for seed in 0..20 {
        graph(
            &Topology::ErdosRenyi(Density::MeanDegree(least)),
            1_000,
            seed,
        );
        for torus in [false, true] {
            graph(
                &Topology::Geometric {
                    reach: Reach::MeanDegree(least),
                    torus,
                },
                1_000,
                seed,
            );
        }
    }
    let ring = Topology::WattsStrogatz {
        degree: 2,
        rewire: percent(1),
    };
    assert_eq!(ring.check(10), Err(TopologyError::RewiredRing));
}

/// There are 38 connected graphs on four labelled nodes: 16 of three edges, 15 of four, 6 of five and 1 of six. Drawing again leaves each as
/// likely as its edges make it.
#[test]
fn drawing_again_favours_no_connected_graph() {
    const SEEDS: u32 = 10_000;
    let topology = Topology::ErdosRenyi(Density::Probability(percent(60)));
    let mut seen = BTreeMap::new();
    for seed in 0..u64::from(SEEDS) {
        *seen
            .entry(graph(&topology, 4, seed).edges().to_vec())
            .or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 38);
    let weight = |edges: usize| 0.6_f64.powi(edges as i32) * 0.4_f64.powi(6 - edges as i32);
    let all: f64 = seen.keys().map(|edges| weight(edges.len())).sum();
    for (edges, times) in seen {
        let expected = f64::from(SEEDS) * weight(edges.len()) / all;
        let apart = (f64::from(times) - expected).abs();
        assert!(
            apart < 4.5 * expected.sqrt(),
            "{edges:?}: {times} of {expected}"
        );
    }
}

/// The history of every scenario begins with its graph: if one of these changes, all its results do.
#[test]
fn the_draws_are_pinned() {
    let edges = random_families().map(|topology| graph(&topology, 10, 1).edges().to_vec());
    let digest = |edges: &Vec<(u32, u32)>| {
        let bytes: Vec<u8> = edges
            .iter()
            .flat_map(|&(u, v)| [u as u8, v as u8])
            .collect();
        hash_exchange::Hash::sha1(&bytes).to_string()[..8].to_owned()
    };
    assert_eq!(
        edges.each_ref().map(digest),
        ["a550ea7b", "bee6e275", "50d7165e", "83f949f5", "24e4fe40"],
        "{edges:?}"
    );
}

proptest! {
    #[test]
    fn every_family_gives_simple_connected_graphs_that_are_the_seed_s_own(
        nodes in 1..60_u32,
        family in 0..5_usize,
        seed: u64,
    ) {
        let topology = &random_families()[family];
        prop_assume!(topology.check(nodes).is_ok());
        let graph = topology.graph(nodes, seed);
        let graph = graph.expect("checked to be possible");
        prop_assert_eq!(graph.components(), 1);
        prop_assert!(graph.edges().iter().all(|&(u, v)| u < v && v < nodes));
        prop_assert_eq!(topology.graph(nodes, seed), Ok(graph));
    }

    /// Whatever is asked for is a graph or an error that says why, never a panic.
    #[test]
    fn no_parameter_breaks_a_family(nodes in 0..40_u32, one in 0..50_u32, other in 0..60_000_000_u64, torus: bool) {
        let rewire = Probability::from_ppm(other as u32 % 1_000_001);
        let decimal = Decimal::from_millionths(other);
        let topologies = [
            Topology::Tree { arity: one },
            Topology::Grid { width: Some(one) },
            Topology::Torus { width: torus.then_some(one) },
            Topology::Hypercube,
            Topology::RandomRegular { degree: one },
            Topology::WattsStrogatz { degree: one, rewire },
            Topology::BarabasiAlbert { attach: one },
            Topology::ErdosRenyi(Density::Probability(rewire)),
            Topology::ErdosRenyi(Density::MeanDegree(decimal)),
            Topology::Geometric { reach: Reach::Radius(decimal), torus },
            Topology::Geometric { reach: Reach::MeanDegree(decimal), torus },
        ];
        for topology in topologies {
            match topology.graph(nodes, other) {
                Ok(graph) => prop_assert!(graph.components() <= 1, "{:?}", topology),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
