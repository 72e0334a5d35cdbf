//! Who is whose neighbour: graphs, where they come from, and how far apart their nodes are.

mod regular;

use std::error::Error;
use std::fmt;
use std::ops::Range;

use simnet::NodeId;

use crate::diagnostic::code_lines;

/// The shape of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Each node knows the next.
    Line,
    /// A line whose ends know each other.
    Ring,
    /// Node 0 knows all others.
    Star,
    /// All know all.
    Complete,
    /// Every node has `degree` neighbours, otherwise drawn by the seed. Connected.
    RandomRegular {
        /// Neighbours of each node.
        degree: u32,
    },
    /// These edges, in any order.
    Edges(Vec<(NodeId, NodeId)>),
}

/// Why a graph cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyError {
    /// There are not so many others.
    DegreeTooHigh {
        /// The degree asked for.
        degree: u32,
        /// The number of nodes.
        nodes: u32,
    },
    /// Every edge has two ends, so that degrees add up to an even number.
    OddDegreeSum {
        /// The degree asked for.
        degree: u32,
        /// The number of nodes.
        nodes: u32,
    },
    /// So few edges connect at most two nodes.
    DegreeTooLow {
        /// The degree asked for.
        degree: u32,
        /// The number of nodes.
        nodes: u32,
    },
    /// More edges than [`Graph::EDGES_MAX`].
    TooManyEdges(u64),
    /// No connected graph was found in many attempts.
    Disconnected,
    /// An edge ends at a node that there is not.
    NoSuchNode(NodeId),
    /// An edge from a node to itself.
    Loop(NodeId),
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DegreeTooHigh { degree, nodes } => {
                write!(f, "{nodes} nodes cannot have {degree} neighbours each")
            }
            Self::OddDegreeSum { degree, nodes } => {
                write!(f, "degree {degree} times {nodes} nodes is odd")
            }
            Self::DegreeTooLow { degree, nodes } => {
                write!(f, "degree {degree} cannot connect {nodes} nodes")
            }
            Self::TooManyEdges(edges) => {
                write!(
                    f,
                    "{edges} edges are too many, at most {}",
                    Graph::EDGES_MAX
                )
            }
            Self::Disconnected => write!(f, "no connected graph was found"),
            Self::NoSuchNode(node) => write!(f, "there is no node {node}"),
            Self::Loop(node) => write!(f, "node {node} is no neighbour of itself"),
        }
    }
}

impl Error for TopologyError {}

impl Topology {
    /// Whether so many nodes can be arranged like this, without doing it.
    pub fn check(&self, nodes: u32) -> Result<(), TopologyError> {
        let n = u64::from(nodes);
        let edges = match self {
            Self::Line | Self::Ring | Self::Star => n,
            Self::Complete => n * n.saturating_sub(1) / 2,
            Self::Edges(edges) => edges.len() as u64,
            &Self::RandomRegular { degree } => {
                let ends = n * u64::from(degree);
                if degree >= nodes {
                    return Err(TopologyError::DegreeTooHigh { degree, nodes });
                }
                if ends % 2 == 1 {
                    return Err(TopologyError::OddDegreeSum { degree, nodes });
                }
                if degree < 2 && nodes > degree + 1 {
                    return Err(TopologyError::DegreeTooLow { degree, nodes });
                }
                ends / 2
            }
        };
        if edges > Graph::EDGES_MAX {
            return Err(TopologyError::TooManyEdges(edges));
        }
        Ok(())
    }

    /// The graph of this shape. The seed decides what is drawn.
    ///
    /// ```
    /// use hxsim::topology::Topology;
    ///
    /// let graph = Topology::RandomRegular { degree: 4 }.graph(100, 1)?;
    /// assert_eq!(graph.edges().len(), 200);
    /// assert!((0..100).all(|node| graph.neighbours(node).len() == 4));
    /// assert_eq!(graph.components(), 1);
    /// # Ok::<(), hxsim::topology::TopologyError>(())
    /// ```
    pub fn graph(&self, nodes: u32, seed: u64) -> Result<Graph, TopologyError> {
        self.check(nodes)?;
        let chain = (1..nodes).map(|v| (v - 1, v));
        let edges = match self {
            Self::Line => chain.collect(),
            Self::Ring if nodes > 2 => chain.chain([(0, nodes - 1)]).collect(),
            Self::Ring => chain.collect(),
            Self::Star => (1..nodes).map(|v| (0, v)).collect(),
            Self::Complete => complete(nodes),
            Self::RandomRegular { degree } => regular::random(nodes, *degree, seed)?,
            Self::Edges(edges) => edges.clone(),
        };
        Graph::new(nodes, edges)
    }
}

fn complete(nodes: u32) -> Vec<(NodeId, NodeId)> {
    (0..nodes)
        .flat_map(|u| (u + 1..nodes).map(move |v| (u, v)))
        .collect()
}

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
