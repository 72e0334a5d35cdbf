//! Small worlds (Watts and Strogatz 1998): a ring in which each node knows the nearest, half of them on each side, and of whose edges some are
//! led to a node that is drawn. Few such shortcuts make ways short while neighbours still know each other.
//!
//! As in their paper, edges are visited by length and then around the ring; an edge keeps its first end, and is led neither back to it nor to one
//! that this end knows already. From degree 4 on nearly every such graph is connected, for each node keeps two edges of its own
//! (Fenner and Frieze 1982).

use simnet::draw::{Purpose, bounded, chance, draw as drawn};
use simnet::{NodeId, Probability};

use super::{Edges, TopologyError};

/// The number of edges.
pub(super) fn check(nodes: u32, degree: u32, rewire: Probability) -> Result<u64, TopologyError> {
    if degree >= nodes {
        return Err(TopologyError::DegreeTooHigh { degree, nodes });
    }
    if degree % 2 == 1 {
        return Err(TopologyError::OddDegree(degree));
    }
    if degree > (nodes / 2).max(2) {
        return Err(TopologyError::Dense { degree, nodes });
    }
    if degree == 0 && nodes > 1 {
        return Err(TopologyError::DegreeTooLow { degree, nodes });
    }
    if degree == 2 && rewire > Probability::ZERO {
        return Err(TopologyError::RewiredRing);
    }
    Ok(u64::from(nodes) * u64::from(degree / 2))
}

/// One graph, connected or not.
pub(super) fn draw(nodes: u32, degree: u32, rewire: Probability, seed: u64, attempt: u64) -> Edges {
    const REWIRE: Purpose = Purpose::new("hxsim/topology/watts_strogatz/rewire");
    const TARGET: Purpose = Purpose::new("hxsim/topology/watts_strogatz/target");
    let mut ring = Ring::new(nodes, degree / 2);
    for edge in 0..degree / 2 {
        for node in 0..nodes {
            let owner = u64::from(edge) << 32 | u64::from(node);
            if !chance(drawn(seed, REWIRE, owner, attempt), rewire) {
                continue;
            }
            // Half of all nodes at least are others. A hub may know more of them, and finds nobody else: then its edge stays.
            let targets = (0..TRIES).map(|number| {
                let raw = drawn(seed, TARGET, owner, attempt << 32 | number);
                bounded(raw, nodes.into()) as NodeId
            });
            let mut free = targets.filter(|&target| target != node && !ring.knows(node, target));
            if let Some(target) = free.next() {
                *ring.end(node, edge) = target;
            }
        }
    }
    ring.edges()
}

/// How often an edge looks for another end.
const TRIES: u64 = 1_000;

/// The edges that each node is the first end of, in one flat table.
struct Ring {
    nodes: u32,
    each: u32,
    ends: Vec<NodeId>,
}

impl Ring {
    fn new(nodes: u32, each: u32) -> Self {
        let wrapped = |node: u32, length: u32| {
            let end = u64::from(node) + u64::from(length);
            // Below `nodes`, which is a u32.
            (end % u64::from(nodes)) as NodeId
        };
        let ends = (0..nodes).flat_map(|node| (1..=each).map(move |length| wrapped(node, length)));
        Self {
            nodes,
            each,
            ends: ends.collect(),
        }
    }

    fn end(&mut self, node: NodeId, edge: u32) -> &mut NodeId {
        &mut self.ends[node as usize * self.each as usize + edge as usize]
    }

    fn of(&self, node: NodeId) -> &[NodeId] {
        let each = self.each as usize;
        &self.ends[node as usize * each..][..each]
    }

    fn knows(&self, u: NodeId, v: NodeId) -> bool {
        self.of(u).contains(&v) || self.of(v).contains(&u)
    }

    fn edges(self) -> Edges {
        let firsts = (0..self.nodes).flat_map(|node| (0..self.each).map(move |_| node));
        firsts.zip(self.ends).collect()
    }
}
