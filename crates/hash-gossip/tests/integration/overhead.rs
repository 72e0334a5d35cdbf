//! What spreading a hash costs when nothing goes wrong: exactly what it must.

use std::time::Duration;

use hash_exchange::Kind;

use crate::world::{Address, LATENCY, World};

/// A ring of `nodes` with chords to the node `stride` further on.
fn chorded_ring(nodes: Address, stride: Address) -> Vec<(Address, Address)> {
    let edge = |from: Address, to: Address| (from.min(to % nodes), from.max(to % nodes));
    let ring = (0..nodes).map(|node| edge(node, node + 1));
    let chords = (0..nodes).map(|node| edge(node, node + stride));
    let mut edges: Vec<_> = ring.chain(chords).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

#[test]
fn every_node_receives_a_body_once_and_every_edge_carries_its_name_once_or_crossing() {
    for (count, stride) in [(4, 2), (12, 3), (25, 7), (40, 11)] {
        let mut world = World::new();
        let edges = chorded_ring(count, stride);
        let nodes = world.nodes(&edges);
        world.run_for(Duration::from_secs(1));
        let news = nodes[0].publish(*b"news");
        world.run_for(Duration::from_secs(10));

        let records: Vec<_> = nodes
            .iter()
            .map(|node| node.record(&news).expect("it came"))
            .collect();
        let receipts: u32 = records.iter().map(|record| record.receipts).sum();
        assert_eq!(receipts, count - 1);

        // Two announcements cross when neither had arrived as the other left.
        let crossings = edges
            .iter()
            .map(|&(one, other)| (&records[one as usize], &records[other as usize]))
            .filter(|(one, other)| one.learned_at.abs_diff(other.learned_at) < LATENCY)
            .count();
        // Each announcement here is of one hash, so there are as many frames as mentions.
        let frames = |kind| {
            nodes
                .iter()
                .map(|node| node.sent().frames(kind))
                .sum::<u64>()
        };
        assert_eq!(frames(Kind::Available) as usize, edges.len() + crossings);
        for kind in [Kind::Request, Kind::Hashes, Kind::Body, Kind::End] {
            assert_eq!(frames(kind), u64::from(count) - 1, "{kind}");
        }
    }
}
