//! Graphs that nothing is drawn of.

use super::{Edges, TopologyError};

pub(super) fn line(nodes: u32) -> Edges {
    (1..nodes).map(|v| (v - 1, v)).collect()
}

pub(super) fn ring(nodes: u32) -> Edges {
    let mut edges = line(nodes);
    if nodes > 2 {
        edges.push((0, nodes - 1));
    }
    edges
}

pub(super) fn star(nodes: u32) -> Edges {
    (1..nodes).map(|v| (0, v)).collect()
}

pub(super) fn complete(nodes: u32) -> Edges {
    (0..nodes)
        .flat_map(|u| (u + 1..nodes).map(move |v| (u, v)))
        .collect()
}

pub(super) fn tree(nodes: u32, arity: u32) -> Edges {
    (1..nodes).map(|v| ((v - 1) / arity, v)).collect()
}

pub(super) fn grid(nodes: u32, width: Option<u32>) -> Edges {
    let width = width.unwrap_or_else(|| ceil_sqrt(nodes));
    (0..nodes)
        .flat_map(|v| {
            let left = (!v.is_multiple_of(width)).then(|| (v - 1, v));
            let above = v.checked_sub(width).map(|above| (above, v));
            left.into_iter().chain(above)
        })
        .collect()
}

const fn ceil_sqrt(n: u32) -> u32 {
    let root = n.isqrt();
    if root * root < n { root + 1 } else { root }
}

pub(super) fn torus(nodes: u32, width: u32) -> Edges {
    (0..nodes)
        .flat_map(|v| {
            let (row, column) = (v / width, v % width);
            let right = row * width + (column + 1) % width;
            let below = (row + 1) % (nodes / width) * width + column;
            [(v, right), (v, below)]
        })
        .collect()
}

/// The width of a torus: of two sides that multiply to `nodes`, the greater one if none is asked for.
pub(super) fn torus_width(nodes: u32, width: Option<u32>) -> Result<u32, TopologyError> {
    let does = |side: u32| side >= 3 && nodes.is_multiple_of(side) && nodes / side >= 3;
    let found = match width {
        Some(width) => Some(width).filter(|&width| does(width)),
        None => {
            let shorter = (3..=nodes.isqrt()).rev().find(|&side| does(side));
            shorter.map(|side| nodes / side)
        }
    };
    found.ok_or(TopologyError::NoTorus { width, nodes })
}

pub(super) fn hypercube(nodes: u32) -> Edges {
    (0..nodes)
        .flat_map(|u| {
            let others = (0..nodes.ilog2()).map(move |bit| u ^ 1 << bit);
            others.filter(move |&v| u < v).map(move |v| (u, v))
        })
        .collect()
}
