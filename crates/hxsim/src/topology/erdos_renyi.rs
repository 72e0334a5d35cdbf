//! G(n, p): any two nodes know each other with the same chance (Gilbert 1959; Erdős and Rényi 1959 drew a number of edges instead).
//!
//! From one neighbour of a node to the next it is a geometric number of nodes, so that what is drawn is the gaps (Batagelj and Brandes 2005):
//! time and memory grow with the edges, not with the pairs. Each node draws which of the lower ones it knows, wherefore a network that grows
//! keeps its graph.
//!
//! Large ones of mean degree ln n + c are connected with the chance exp(-exp(-c)), for what is not connected is isolated nodes, exp(-c) of them
//! on average (Erdős and Rényi 1959). A c below 1 is refused; from there on more than two draws in three are connected.

use simnet::draw::{Purpose, draw};

use super::{Density, Edges, TopologyError, lattice};
use crate::decimal::Decimal;
use simnet::fixed::{self, decay, exponential};

/// The number of edges to be expected.
pub(super) fn check(nodes: u32, density: Density) -> Result<u64, TopologyError> {
    if let Density::MeanDegree(degree) = density {
        mean_degree_exists(nodes, degree)?;
    }
    let chance = Chance::new(nodes, density);
    let others = u64::from(nodes.saturating_sub(1));
    // A node is isolated with the chance (1 - p)^(n - 1), which is e to the power of minus this.
    let exponent = chance
        .decay()
        .map(|decay| u128::from(decay) * u128::from(others));
    if exponent.is_some_and(|exponent| exponent < connecting(nodes)) {
        let least = least_degree(nodes);
        return Err(TopologyError::Sparse { least, nodes });
    }
    let pairs = u128::from(nodes) * u128::from(others) / 2;
    let edges = match chance {
        Chance::Always => pairs,
        // Fewer than 2^47 pairs, so that their product with 64 bits fits.
        Chance::Of(threshold) => (pairs * u128::from(threshold)) >> 64,
    };
    Ok(edges as u64)
}

/// A mean degree can be at most that of the complete graph.
pub(super) fn mean_degree_exists(nodes: u32, degree: Decimal) -> Result<(), TopologyError> {
    let rounded = degree.millionths().div_ceil(Decimal::ONE.millionths());
    let degree = u32::try_from(rounded).unwrap_or(u32::MAX);
    if degree >= nodes {
        return Err(TopologyError::DegreeTooHigh { degree, nodes });
    }
    Ok(())
}

/// ln n + 1 in fixed point, for more nodes than one: from this mean degree on graphs are mostly connected.
pub(super) fn connecting(nodes: u32) -> u128 {
    match nodes {
        0 | 1 => 0,
        _ => u128::from(fixed::ln(nodes.into())) + (1 << fixed::BITS),
    }
}

/// The same, rounded up to hundredths; but all know all is enough.
pub(super) fn least_degree(nodes: u32) -> Decimal {
    let hundredths = (connecting(nodes) * 100) >> fixed::BITS;
    let least = Decimal::from_millionths((hundredths as u64 + 1) * 10_000);
    least.min(Decimal::whole(nodes.saturating_sub(1)))
}

/// The chance of an edge.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chance {
    /// In 2^64ths.
    Of(u64),
    Always,
}

impl Chance {
    pub(super) fn new(nodes: u32, density: Density) -> Self {
        let million = Decimal::ONE.millionths();
        let (part, whole) = match density {
            Density::Probability(probability) => (probability.as_ppm().into(), million.into()),
            Density::MeanDegree(degree) => {
                let others = nodes.saturating_sub(1);
                (
                    degree.millionths(),
                    u128::from(million) * u128::from(others),
                )
            }
        };
        let threshold = (u128::from(part) << 64).checked_div(whole);
        match threshold.map(u64::try_from) {
            Some(Ok(threshold)) => Self::Of(threshold),
            _ => Self::Always,
        }
    }

    fn decay(self) -> Option<u64> {
        match self {
            Self::Of(threshold) => Some(decay(threshold)),
            Self::Always => None,
        }
    }

    /// One graph, connected or not.
    pub(super) fn draw(self, nodes: u32, seed: u64, attempt: u64) -> Edges {
        const PURPOSE: Purpose = Purpose::new("hxsim/topology/erdos_renyi");
        let Some(decay) = self.decay() else {
            return lattice::complete(nodes);
        };
        let mut edges = Vec::new();
        for node in 1..nodes {
            let gaps = (attempt << 32..).map(|counter| {
                let raw = draw(seed, PURPOSE, node.into(), counter);
                // Nothing falls where there is no chance.
                exponential(raw).checked_div(decay).unwrap_or(u64::MAX)
            });
            let mut next = 0_u64;
            for gap in gaps {
                next = next.saturating_add(gap);
                if next >= node.into() {
                    break;
                }
                // Below `node`, which is a u32.
                edges.push((next as u32, node));
                next += 1;
            }
        }
        edges
    }
}
