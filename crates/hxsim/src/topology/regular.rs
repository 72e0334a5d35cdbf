//! Random regular graphs, by the pairing model: every node has `degree` stubs, all stubs are paired at random, and pairs that
//! would be a loop or a repeated edge are switched with other pairs until none is left.
//!
//! Switching keeps degrees as they are and is as near to uniform as a measurement can tell when the degree is small against
//! the number of nodes (McKay and Wormald 1990). In small graphs its bias would show, so pairings are drawn anew there
//! until one is simple, which is exactly uniform. Dense graphs are drawn as the complement of sparse ones.

use simnet::NodeId;
use simnet::draw::{Purpose, bounded, draw};

use super::lattice::complete;
use super::{Edges, Graph, TopologyError};

/// The number of edges.
pub(super) fn check(nodes: u32, degree: u32) -> Result<u64, TopologyError> {
    let ends = u64::from(nodes) * u64::from(degree);
    if degree >= nodes {
        return Err(TopologyError::DegreeTooHigh { degree, nodes });
    }
    if ends % 2 == 1 {
        return Err(TopologyError::OddDegreeSum { degree, nodes });
    }
    if degree < 2 && nodes > degree + 1 {
        return Err(TopologyError::DegreeTooLow { degree, nodes });
    }
    Ok(ends / 2)
}

/// A connected random graph. The caller has checked that there is one.
pub(super) fn random(nodes: u32, degree: u32, seed: u64) -> Result<Edges, TopologyError> {
    let others = nodes - 1;
    if degree == others {
        return Ok(complete(nodes));
    }
    for attempt in 0..ATTEMPTS {
        let mut draws = Draws {
            seed,
            attempt,
            counter: 0,
        };
        if degree == 2 {
            // Pairing would leave several rings almost always.
            return Ok(ring(nodes, &mut draws));
        }
        let sparse = degree.min(others - degree);
        let small = nodes <= EXACT_NODES && sparse <= EXACT_DEGREE;
        let exact = small && attempt < EXACT_ATTEMPTS;
        let Some(edges) = pairing(nodes, sparse, exact, &mut draws) else {
            continue;
        };
        if sparse < degree {
            // At more than half of all neighbours, any two nodes are or share neighbours.
            return Ok(complement(nodes, edges));
        }
        if Graph::new(nodes, edges.clone())?.components() == 1 {
            return Ok(edges);
        }
    }
    Err(TopologyError::Disconnected)
}

/// From degree 3 on almost every graph is connected; only those of a few nodes need more than one attempt.
const ATTEMPTS: u64 = 1_000;
/// Up to so many nodes and so high a degree, so many pairings must fail before bad pairs are switched. About one in
/// `exp((degree^2 - 1) / 4)` does not fail: one in 7 at degree 3, one in 43 at degree 4, and far too few above.
const EXACT_NODES: u32 = 100;
const EXACT_DEGREE: u32 = 4;
const EXACT_ATTEMPTS: u64 = 200;
/// How often a bad pair looks for another to switch with, before the attempt is given up.
const SWITCHES: u32 = 1_000;

struct Draws {
    seed: u64,
    attempt: u64,
    counter: u64,
}

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        const PURPOSE: Purpose = Purpose::new("hxsim/topology/regular");
        self.counter += 1;
        let raw = draw(self.seed, PURPOSE, self.attempt, self.counter);
        bounded(raw, n as u64) as usize
    }

    fn shuffle(&mut self, list: &mut [NodeId]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}

fn ring(nodes: u32, draws: &mut Draws) -> Edges {
    let mut order: Vec<NodeId> = (0..nodes).collect();
    draws.shuffle(&mut order);
    let next = order.iter().cycle().skip(1);
    order.iter().zip(next).map(|(&u, &v)| (u, v)).collect()
}

fn complement(nodes: u32, mut absent: Edges) -> Edges {
    for edge in &mut absent {
        *edge = (edge.0.min(edge.1), edge.0.max(edge.1));
    }
    absent.sort_unstable();
    let mut absent = absent.into_iter().peekable();
    let mut edges = complete(nodes);
    edges.retain(|edge| absent.next_if_eq(edge).is_none());
    edges
}

fn pairing(nodes: u32, degree: u32, exact: bool, draws: &mut Draws) -> Option<Edges> {
    let mut stubs: Vec<NodeId> = (0..nodes)
        .flat_map(|node| (0..degree).map(move |_| node))
        .collect();
    draws.shuffle(&mut stubs);

    let mut drawn = Drawn::new(nodes, degree);
    let mut edges: Edges = Vec::with_capacity(stubs.len() / 2);
    let mut bad: Edges = Vec::new();
    for pair in stubs.as_chunks::<2>().0 {
        let [u, v] = *pair;
        if drawn.allows(u, v) {
            drawn.insert(u, v);
            edges.push((u, v));
        } else if exact {
            return None;
        } else {
            bad.push((u, v));
        }
    }
    for (u, v) in bad {
        switch(u, v, &mut edges, &mut drawn, draws)?;
    }
    Some(edges)
}

/// Puts `u - x` and `v - y` in the place of the bad pair `u - v` and of a good edge `x - y`.
fn switch(
    u: NodeId,
    v: NodeId,
    edges: &mut Edges,
    drawn: &mut Drawn,
    draws: &mut Draws,
) -> Option<()> {
    if edges.is_empty() {
        return None;
    }
    for _ in 0..SWITCHES {
        let at = draws.below(edges.len());
        let (x, y) = match (edges[at], draws.below(2)) {
            ((x, y), 0) => (x, y),
            ((x, y), _) => (y, x),
        };
        let distinct = (u, x) != (v, y) && (u, x) != (y, v);
        if distinct && drawn.allows(u, x) && drawn.allows(v, y) {
            drawn.remove(x, y);
            drawn.insert(u, x);
            drawn.insert(v, y);
            edges[at] = (u, x);
            edges.push((v, y));
            return Some(());
        }
    }
    None
}

/// The edges so far by node, in one flat table: a million nodes shall not mean a million lists.
struct Drawn {
    degree: usize,
    filled: Vec<u32>,
    neighbours: Vec<NodeId>,
}

impl Drawn {
    fn new(nodes: u32, degree: u32) -> Self {
        let (nodes, degree) = (nodes as usize, degree as usize);
        Self {
            degree,
            filled: vec![0; nodes],
            neighbours: vec![0; nodes * degree],
        }
    }

    fn of(&self, node: NodeId) -> &[NodeId] {
        let start = node as usize * self.degree;
        &self.neighbours[start..start + self.filled[node as usize] as usize]
    }

    fn allows(&self, u: NodeId, v: NodeId) -> bool {
        u != v && !self.of(u).contains(&v)
    }

    fn insert(&mut self, u: NodeId, v: NodeId) {
        for (node, neighbour) in [(u, v), (v, u)] {
            let filled = &mut self.filled[node as usize];
            self.neighbours[node as usize * self.degree + *filled as usize] = neighbour;
            *filled += 1;
        }
    }

    fn remove(&mut self, u: NodeId, v: NodeId) {
        for (node, neighbour) in [(u, v), (v, u)] {
            let start = node as usize * self.degree;
            let last = start + self.filled[node as usize] as usize - 1;
            let at = self.neighbours[start..last]
                .iter()
                .position(|&other| other == neighbour)
                .map_or(last, |offset| start + offset);
            self.neighbours.swap(at, last);
            self.filled[node as usize] -= 1;
        }
    }
}
