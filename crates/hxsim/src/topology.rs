//! Who is whose neighbour: graphs, where they come from, and how far apart their nodes are.
//!
//! Families that the seed decides nothing of are in `lattice`; each model of random graphs has a file of its own, which says whose it is.
//! Every draw belongs to a node: with the same parameters, a network that grows by a node keeps the graph it had wherever the model allows
//! (`erdos_renyi` with a probability, `barabasi_albert`, `geometric` with a radius).
//!
//! All graphs are connected. Models that may give one that is not are drawn again until one is, which leaves what is drawn uniform among
//! the connected ones; where that would seldom happen, [`Topology::check`] says so, and what would be needed.

mod barabasi_albert;
mod erdos_renyi;
mod error;
mod geometric;
mod graph;
mod lattice;
mod regular;
mod watts_strogatz;

use simnet::{NodeId, Probability};

use crate::decimal::Decimal;

pub use error::TopologyError;
pub use graph::Graph;

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
    /// Node 0 is the root; every node has `arity` children, numbered level by level, but the last level may not be full.
    Tree {
        /// Children of each node.
        arity: u32,
    },
    /// Rows of so many nodes, each of which knows those left, right, above and below. The last row may not be full.
    Grid {
        /// Nodes in a row; `None`: the least width that makes no more rows than columns.
        width: Option<u32>,
    },
    /// A grid whose borders know each other: every node has four neighbours. All rows are full, and there are three rows and columns at least.
    Torus {
        /// Nodes in a row; `None`: that which makes it the most square.
        width: Option<u32>,
    },
    /// Nodes know each other whose numbers differ in one bit. Their number is a power of two.
    Hypercube,
    /// Every node has `degree` neighbours, otherwise drawn by the seed. Connected.
    RandomRegular {
        /// Neighbours of each node.
        degree: u32,
    },
    /// Any two nodes know each other with the same chance, independently of all others (Gilbert 1959, Erdős and Rényi 1959).
    ErdosRenyi(Density),
    /// A ring in which each node knows the nearest `degree`, and then each edge is, with a chance, led to another node (Watts and Strogatz 1998).
    WattsStrogatz {
        /// Neighbours of each node before any is changed: even, and 4 at least if any is.
        degree: u32,
        /// The chance of each edge to be led elsewhere.
        rewire: Probability,
    },
    /// Nodes come one by one and get to know `attach` others, each with a chance that is as high as it has neighbours (Barabási and Albert 1999).
    BarabasiAlbert {
        /// Neighbours that each node chooses when it comes. The first `attach + 1` nodes all know each other.
        attach: u32,
    },
    /// Nodes lie in the unit square and know those that are near (Gilbert 1961, Penrose 2003).
    Geometric {
        /// How far is near.
        reach: Reach,
        /// Opposite sides of the square touch, so that it has no border.
        torus: bool,
    },
    /// These edges, in any order.
    Edges(Vec<(NodeId, NodeId)>),
}

/// How many of all possible edges there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Density {
    /// The chance of each.
    Probability(Probability),
    /// So many neighbours on average.
    MeanDegree(Decimal),
}

/// How far neighbours may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This far, in sides of the square: 1 at most, or half of that on a torus.
    Radius(Decimal),
    /// As far as gives so many neighbours on average; those that lack at the border are accounted for.
    MeanDegree(Decimal),
}

impl Topology {
    /// Whether so many nodes can be arranged like this, without doing it.
    pub fn check(&self, nodes: u32) -> Result<(), TopologyError> {
        let n = u64::from(nodes);
        let edges = match self {
            Self::Line | Self::Ring | Self::Star => n,
            Self::Complete => n * n.saturating_sub(1) / 2,
            Self::Edges(edges) => edges.len() as u64,
            Self::Tree { arity: 0 } => return Err(TopologyError::Zero("arity")),
            Self::Tree { .. } => n,
            Self::Grid { width: Some(0) } => return Err(TopologyError::Zero("width")),
            Self::Grid { .. } => 2 * n,
            &Self::Torus { width } => {
                lattice::torus_width(nodes, width)?;
                2 * n
            }
            Self::Hypercube if nodes.is_power_of_two() => n / 2 * u64::from(nodes.ilog2()),
            Self::Hypercube => return Err(TopologyError::NotPowerOfTwo { nodes }),
            &Self::RandomRegular { degree } => regular::check(nodes, degree)?,
            &Self::ErdosRenyi(density) => erdos_renyi::check(nodes, density)?,
            &Self::WattsStrogatz { degree, rewire } => {
                watts_strogatz::check(nodes, degree, rewire)?
            }
            &Self::BarabasiAlbert { attach } => barabasi_albert::check(nodes, attach)?,
            &Self::Geometric { reach, torus } => geometric::check(nodes, reach, torus)?,
        };
        if edges > Graph::EDGES_MAX {
            return Err(TopologyError::TooManyEdges(edges));
        }
        Ok(())
    }

    /// Whether the seed decides who is whose neighbour.
    pub const fn is_drawn(&self) -> bool {
        match self {
            Self::Line
            | Self::Ring
            | Self::Star
            | Self::Complete
            | Self::Tree { .. }
            | Self::Grid { .. }
            | Self::Torus { .. }
            | Self::Hypercube
            | Self::Edges(_) => false,
            Self::RandomRegular { .. }
            | Self::ErdosRenyi(_)
            | Self::WattsStrogatz { .. }
            | Self::BarabasiAlbert { .. }
            | Self::Geometric { .. } => true,
        }
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
        let edges = match self {
            Self::Line => lattice::line(nodes),
            Self::Ring => lattice::ring(nodes),
            Self::Star => lattice::star(nodes),
            Self::Complete => lattice::complete(nodes),
            &Self::Tree { arity } => lattice::tree(nodes, arity),
            &Self::Grid { width } => lattice::grid(nodes, width),
            &Self::Torus { width } => lattice::torus(nodes, lattice::torus_width(nodes, width)?),
            Self::Hypercube => lattice::hypercube(nodes),
            &Self::RandomRegular { degree } => regular::random(nodes, degree, seed)?,
            &Self::ErdosRenyi(density) => {
                let chance = erdos_renyi::Chance::new(nodes, density);
                return connected(nodes, |attempt| chance.draw(nodes, seed, attempt));
            }
            &Self::WattsStrogatz { degree, rewire } => {
                let draw = |attempt| watts_strogatz::draw(nodes, degree, rewire, seed, attempt);
                return connected(nodes, draw);
            }
            &Self::BarabasiAlbert { attach } => barabasi_albert::draw(nodes, attach, seed),
            &Self::Geometric { reach, torus } => {
                let square = geometric::Square::new(nodes, reach, torus);
                return connected(nodes, |attempt| square.draw(nodes, seed, attempt));
            }
            Self::Edges(edges) => edges.clone(),
        };
        Graph::new(nodes, edges)
    }
}

type Edges = Vec<(NodeId, NodeId)>;

/// The first of many graphs that is connected.
fn connected(nodes: u32, draw: impl Fn(u64) -> Edges) -> Result<Graph, TopologyError> {
    for attempt in 0..ATTEMPTS {
        let graph = Graph::new(nodes, draw(attempt))?;
        if graph.components() <= 1 {
            return Ok(graph);
        }
    }
    Err(TopologyError::Disconnected)
}

/// What [`Topology::check`] allows is connected in one attempt of three or so.
const ATTEMPTS: u64 = 1_000;
