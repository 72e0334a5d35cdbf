use std::ops::Range;

use simnet::NodeId;

use super::TopologyError;
use crate::diagnostic::code_lines;

/// A simple undirected graph. Of each edge `(u, v)`, `u < v`, `u` is the one who dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    edges: Vec<(NodeId, NodeId)>,
    /// The neighbours of node `u` are `adjacent[offsets[u] .. offsets[u + 1]]`.
    offsets: Vec<u32>,
    adjacent: Vec<NodeId>,
}

impl Graph {
    /// More edges than this are taken for a mistake: they would need a hundred gigabytes of connections.
    pub const EDGES_MAX: u64 = 100_000_000;

    /// The graph of these edges. Direction, order and repetition do not matter.
    pub fn new(nodes: u32, mut edges: Vec<(NodeId, NodeId)>) -> Result<Self, TopologyError> {
        for edge in &mut edges {
            let (u, v) = *edge;
            if u == v {
                return Err(TopologyError::Loop(u));
            }
            *edge = (u.min(v), u.max(v));
            if edge.1 >= nodes {
                return Err(TopologyError::NoSuchNode(edge.1));
            }
        }
        edges.sort_unstable();
        edges.dedup();
        if edges.len() as u64 > Self::EDGES_MAX {
            return Err(TopologyError::TooManyEdges(edges.len() as u64));
        }

        let mut offsets = vec![0; nodes as usize + 1];
        for &(u, v) in &edges {
            offsets[u as usize + 1] += 1;
            offsets[v as usize + 1] += 1;
        }
        for node in 0..nodes as usize {
            offsets[node + 1] += offsets[node];
        }
        // Edges are sorted, so that each node first gets its lower neighbours and then its higher ones, both in order.
        let mut adjacent = vec![0; edges.len() * 2];
        let mut next = offsets.clone();
        let mut place = |node: NodeId, neighbour: NodeId| {
            let slot = &mut next[node as usize];
            adjacent[*slot as usize] = neighbour;
            *slot += 1;
        };
        for &(u, v) in &edges {
            place(v, u);
        }
        for &(u, v) in &edges {
            place(u, v);
        }
        Ok(Self {
            edges,
            offsets,
            adjacent,
        })
    }

    /// Reads an edge list: one edge `u v` a line, `#` begins a comment. All mistakes are told, each with its bytes.
    pub fn parse(nodes: u32, text: &str) -> Result<Self, Vec<(Range<usize>, String)>> {
        let mut edges = Vec::new();
        let mut errors = Vec::new();
        for (span, edge) in code_lines(text) {
            match parse_edge(nodes, edge) {
                Ok(edge) => edges.push(edge),
                Err(message) => errors.push((span, message)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Self::new(nodes, edges).map_err(|error| vec![(0..0, error.to_string())])
    }

    /// The number of nodes.
    pub fn nodes(&self) -> u32 {
        // As many as were counted by a u32 when the graph was made.
        self.offsets.len() as u32 - 1
    }

    /// The edges `(u, v)`, `u < v`, sorted. `u` dials `v`.
    pub fn edges(&self) -> &[(NodeId, NodeId)] {
        &self.edges
    }

    /// The neighbours of a node, sorted.
    pub fn neighbours(&self, node: NodeId) -> &[NodeId] {
        let node = node as usize;
        &self.adjacent[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }

    /// Whether two nodes are neighbours.
    pub fn has_edge(&self, a: NodeId, b: NodeId) -> bool {
        self.neighbours(a).binary_search(&b).is_ok()
    }

    /// For each node the number of hops to the nearest of `sources`; `None` where no path leads.
    pub fn distances(&self, sources: &[NodeId]) -> Vec<Option<u32>> {
        let mut distances = vec![None; self.nodes() as usize];
        let mut queue = Vec::with_capacity(distances.len());
        for &source in sources {
            if distances[source as usize].replace(0).is_none() {
                queue.push(source);
            }
        }
        let mut at = 0;
        while let Some(&node) = queue.get(at) {
            at += 1;
            let next = distances[node as usize].map(|hops| hops + 1);
            for &neighbour in self.neighbours(node) {
                if distances[neighbour as usize].is_none() {
                    distances[neighbour as usize] = next;
                    queue.push(neighbour);
                }
            }
        }
        distances
    }

    /// The number of hops from `sources` to the farthest node that a path leads to.
    pub fn eccentricity(&self, sources: &[NodeId]) -> u32 {
        let distances = self.distances(sources);
        distances.into_iter().flatten().max().unwrap_or(0)
    }

    /// The number of connected components; an isolated node is one.
    pub fn components(&self) -> u32 {
        let mut seen = vec![false; self.nodes() as usize];
        let mut stack = Vec::new();
        let mut components = 0;
        for start in 0..self.nodes() {
            if seen[start as usize] {
                continue;
            }
            components += 1;
            seen[start as usize] = true;
            stack.push(start);
            while let Some(node) = stack.pop() {
                for &neighbour in self.neighbours(node) {
                    if !seen[neighbour as usize] {
                        seen[neighbour as usize] = true;
                        stack.push(neighbour);
                    }
                }
            }
        }
        components
    }
}

fn parse_edge(nodes: u32, text: &str) -> Result<(NodeId, NodeId), String> {
    let mut words = text.split_whitespace();
    let (Some(u), Some(v), None) = (words.next(), words.next(), words.next()) else {
        return Err("this is no edge".into());
    };
    let node = |word: &str| {
        let node: NodeId = word.parse().map_err(|_| format!("`{word}` is no node"))?;
        if node >= nodes {
            return Err(TopologyError::NoSuchNode(node).to_string());
        }
        Ok(node)
    };
    let (u, v) = (node(u)?, node(v)?);
    if u == v {
        return Err(TopologyError::Loop(u).to_string());
    }
    Ok((u, v))
}
