use std::error::Error;
use std::fmt;

use simnet::NodeId;

use super::Graph;
use crate::decimal::Decimal;

/// Why a graph cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyError {
    /// There are not so many others.
    DegreeTooHigh {
        /// The degree asked for, rounded up.
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
    /// A node knows as many on its one side as on the other.
    OddDegree(u32),
    /// A ring falls apart as soon as a few of its edges lead elsewhere.
    RewiredRing,
    /// Where most know each other, the world is small already.
    Dense {
        /// The degree asked for.
        degree: u32,
        /// The number of nodes.
        nodes: u32,
    },
    /// With so few edges some node mostly has none at all.
    Sparse {
        /// The mean degree from which on it mostly works.
        least: Decimal,
        /// The number of nodes.
        nodes: u32,
    },
    /// A parameter that counts something is zero.
    Zero(&'static str),
    /// A hypercube of whole dimensions has another number of nodes.
    NotPowerOfTwo {
        /// The number of nodes.
        nodes: u32,
    },
    /// Rows of this width, or of any if it is `None`, do not make a torus of three rows and columns at least.
    NoTorus {
        /// The width asked for.
        width: Option<u32>,
        /// The number of nodes.
        nodes: u32,
    },
    /// Up to this radius it is known how many neighbours a node has; beyond it nearly all know all.
    RadiusTooLarge {
        /// The greatest that is allowed.
        most: Decimal,
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

impl TopologyError {
    /// What would be right; empty if the error says it all.
    pub fn remedy(&self) -> String {
        match self {
            Self::DegreeTooHigh { nodes, .. } => format!("at most {}", nodes.saturating_sub(1)),
            Self::OddDegreeSum { .. } => {
                "one of the two must be even: every edge has two ends".into()
            }
            Self::DegreeTooLow { .. } => "2 or more connects any number".into(),
            Self::OddDegree(degree) => {
                format!(
                    "{} or {}",
                    degree.saturating_sub(1).max(2),
                    degree.saturating_add(1)
                )
            }
            Self::Dense { nodes, .. } => format!("at most {}, half of the nodes", nodes / 2),
            Self::RewiredRing => "4 or more, or no `rewire`".into(),
            Self::Sparse { least, .. } => {
                format!("mean_degree = \"{least}\" or more: ln of the number of nodes, and 1")
            }
            Self::Zero(_) => "at least 1".into(),
            Self::NotPowerOfTwo { nodes } => match nodes.checked_next_power_of_two() {
                Some(next) if *nodes > 0 => format!("{} or {next} do", next / 2),
                _ => "a power of two does".into(),
            },
            Self::NoTorus { width: None, nodes } => around(*nodes, has_torus),
            Self::NoTorus { .. } => {
                "a divisor of the number of nodes, so that there are 3 rows and columns at least"
                    .into()
            }
            Self::RadiusTooLarge { most } => {
                format!("a radius of {most} at most; in `complete` all know all")
            }
            Self::Disconnected => "more edges are connected sooner".into(),
            Self::TooManyEdges(_) => "fewer nodes, or fewer neighbours of each".into(),
            Self::NoSuchNode(_) | Self::Loop(_) => String::new(),
        }
    }
}

/// The nearest numbers on both sides that do.
fn around(nodes: u32, does: impl Fn(u32) -> bool) -> String {
    let below = (1..nodes).rev().find(|&number| does(number));
    let above = (nodes.saturating_add(1)..=u32::MAX).find(|&number| does(number));
    match (below, above) {
        (Some(below), Some(above)) => format!("{below} or {above} nodes do"),
        (Some(one), None) | (None, Some(one)) => format!("{one} nodes do"),
        (None, None) => String::new(),
    }
}

fn has_torus(nodes: u32) -> bool {
    super::lattice::torus_width(nodes, None).is_ok()
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
            Self::OddDegree(degree) => {
                write!(f, "{degree} neighbours are not half on each side")
            }
            Self::Dense { degree, nodes } => {
                write!(
                    f,
                    "{nodes} nodes of {degree} neighbours each are no small world"
                )
            }
            Self::RewiredRing => write!(f, "a ring whose edges are led elsewhere falls apart"),
            Self::Sparse { nodes, .. } => {
                write!(f, "so few edges seldom connect {nodes} nodes")
            }
            Self::Zero(parameter) => write!(f, "`{parameter}` is zero"),
            Self::NotPowerOfTwo { nodes } => write!(f, "{nodes} nodes form no hypercube"),
            Self::NoTorus { width: None, nodes } => {
                write!(
                    f,
                    "{nodes} nodes form no torus of 3 rows and columns at least"
                )
            }
            Self::NoTorus {
                width: Some(width),
                nodes,
            } => {
                write!(f, "{nodes} nodes form no torus of width {width}")
            }
            Self::RadiusTooLarge { most } => {
                write!(f, "this takes a radius of more than {most}")
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
