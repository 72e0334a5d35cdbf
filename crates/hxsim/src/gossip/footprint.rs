use std::collections::BTreeMap;

use super::Gossip;
use crate::topology::Graph;

/// Bytes of memory that a run takes about when most is underway: its connections, and the offers of the bodies that are published at one instant when they
/// spread from node to node in step, as they do if latencies differ little. Where they differ much it takes less.
pub fn footprint(gossip: &Gossip, graph: &Graph) -> u64 {
    let mut at_once: BTreeMap<_, u64> = BTreeMap::new();
    for item in &gossip.items {
        *at_once.entry(item.at).or_default() += 1;
    }
    let bodies = at_once.into_values().max().unwrap_or_default();
    let ends = 2 * graph.edges().len() as u64;
    let offers = widest(graph).saturating_mul(bodies);
    (ends * BYTES_AN_END).saturating_add(offers.saturating_mul(BYTES_AN_OFFER))
}

/// The most ends of connections that nodes have together that are equally far from the first one.
fn widest(graph: &Graph) -> u64 {
    if graph.nodes() == 0 {
        return 0;
    }
    let mut by_distance: BTreeMap<u32, u64> = BTreeMap::new();
    for (node, distance) in (0..).zip(graph.distances(&[0])) {
        if let Some(distance) = distance {
            *by_distance.entry(distance).or_default() += graph.neighbours(node).len() as u64;
        }
    }
    by_distance.into_values().max().unwrap_or_default()
}

/// What a connected end takes, its node's share included.
const BYTES_AN_END: u64 = 400;

/// What an offer takes from when it is sent until the body it asks for has come, as measured in complete graphs: the events of the frames, and what both sides note.
const BYTES_AN_OFFER: u64 = 110;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::topology::Topology;
    use crate::workload::{Synthetic, Workload};

    fn of(topology: Topology, nodes: u32, bodies: u32) -> u64 {
        let scenario = Scenario {
            workload: Some(Workload::Synthetic(Synthetic::held(1, bodies, 100))),
            topology,
            ..Scenario::new(nodes)
        };
        let graph = scenario.topology.graph(nodes, 1).expect("it is possible");
        let gossip = Gossip::new(&scenario, &graph).expect("nothing is read");
        footprint(&gossip, &graph)
    }

    #[test]
    fn it_grows_with_edges_and_bodies_where_all_hear_at_once() {
        let [few, many] = [1, 100].map(|bodies| of(Topology::Complete, 100, bodies));
        let (ends, in_step) = (100 * 99, 99 * 99);
        assert_eq!(few, ends * BYTES_AN_END + in_step * BYTES_AN_OFFER);
        assert_eq!(many - few, 99 * in_step * BYTES_AN_OFFER);
        let ring = of(Topology::Ring, 100, 100);
        assert_eq!(
            ring,
            200 * BYTES_AN_END + 4 * 100 * BYTES_AN_OFFER,
            "two nodes at a time"
        );
        assert_eq!(of(Topology::Ring, 1, 0), 0);
    }
}
