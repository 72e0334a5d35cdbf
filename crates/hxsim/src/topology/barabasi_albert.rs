//! Scale-free networks (Barabási and Albert 1999): nodes come one by one, and each chooses neighbours with a chance that is as high as they have
//! neighbours already. Degrees k have the distribution 2 m (m + 1) / (k (k + 1) (k + 2)) of a large network (Bollobás et al. 2001), and the
//! greatest hub has about m sqrt(n).
//!
//! The paper leaves open how it begins: here with `attach + 1` nodes that all know each other. An end of an edge that is drawn uniformly is
//! a node drawn by its degree (Batagelj and Brandes 2005), so that time and memory grow with the edges. All graphs are connected.

use simnet::NodeId;
use simnet::draw::{Purpose, bounded, draw as drawn};

use super::{Edges, TopologyError, lattice};

/// The number of edges.
pub(super) fn check(nodes: u32, attach: u32) -> Result<u64, TopologyError> {
    if attach == 0 && nodes > 1 {
        return Err(TopologyError::Zero("attach"));
    }
    if attach >= nodes {
        let degree = attach;
        return Err(TopologyError::DegreeTooHigh { degree, nodes });
    }
    let (n, m) = (u64::from(nodes), u64::from(attach));
    Ok(m * (m + 1) / 2 + (n - m - 1) * m)
}

pub(super) fn draw(nodes: u32, attach: u32, seed: u64) -> Edges {
    const PURPOSE: Purpose = Purpose::new("hxsim/topology/barabasi_albert");
    let mut edges = lattice::complete(attach + 1);
    edges.reserve((nodes - attach) as usize * attach as usize);
    // Who chose each node last. Node 0 is among those that choose nobody.
    let mut chosen_by: Vec<NodeId> = vec![0; nodes as usize];
    for node in attach + 1..nodes {
        let ends = edges.len() as u64 * 2;
        let mut left = attach;
        // There are more than `attach` nodes to choose from, and each is the end of an edge.
        for counter in 0.. {
            let at = bounded(drawn(seed, PURPOSE, node.into(), counter), ends);
            let (u, v) = edges[at as usize / 2];
            let target = if at.is_multiple_of(2) { u } else { v };
            if chosen_by[target as usize] != node {
                chosen_by[target as usize] = node;
                edges.push((target, node));
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
    }
    edges
}
