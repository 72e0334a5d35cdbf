//! Random geometric graphs: nodes lie uniformly in the unit square and know those within a radius (Gilbert 1961; Penrose 2003), as radios do.
//!
//! Places are two integers of 31 bits a node, so that squares of distances are exact. Nodes are sorted into cells of at least the radius, and looked
//! for in their own and the eight around it: time and memory grow with nodes and edges.
//!
//! Two nodes are neighbours with the chance `pi r^2` on a torus, and in a square, where part of the circle may lie outside,
//! `pi r^2 - 8/3 r^3 + 1/2 r^4` (for r up to 1). As with G(n, p) it is isolated nodes that make graphs fall apart, which those of mean degree ln n + c
//! do less and less as c grows (Penrose 1997; Gupta and Kumar 1998). A c below 1 is refused; from there on about one draw in three is connected at least,
//! in a square, along whose border nodes have half the neighbours, and more on a torus.

use simnet::NodeId;
use simnet::draw::{Purpose, draw as drawn};

use super::erdos_renyi::{connecting, least_degree, mean_degree_exists};
use super::{Edges, Reach, TopologyError};
use crate::decimal::Decimal;
use simnet::fixed;

/// The side of the square.
const SIDE: u64 = 1 << 31;
const HALF: Decimal = Decimal::from_millionths(500_000);

/// The number of edges to be expected.
pub(super) fn check(nodes: u32, reach: Reach, torus: bool) -> Result<u64, TopologyError> {
    let most = if torus { HALF } else { Decimal::ONE };
    match reach {
        Reach::Radius(radius) if radius > most => {
            return Err(TopologyError::RadiusTooLarge { most });
        }
        Reach::Radius(_) => {}
        Reach::MeanDegree(degree) => {
            mean_degree_exists(nodes, degree)?;
            let others = nodes.saturating_sub(1);
            if mean_degree(others, near(radius_max(torus), torus)) < scaled(degree) {
                return Err(TopologyError::RadiusTooLarge { most });
            }
        }
    }
    let square = Square::new(nodes, reach, torus);
    let degree = mean_degree(nodes.saturating_sub(1), near(square.radius, torus));
    if degree < connecting(nodes) << (NEAR_BITS - fixed::BITS) {
        let least = least_degree(nodes);
        return Err(TopologyError::Sparse { least, nodes });
    }
    Ok(((u128::from(nodes) * degree / 2) >> NEAR_BITS) as u64)
}

const fn radius_max(torus: bool) -> u64 {
    if torus { SIDE / 2 } else { SIDE }
}

/// Fractional bits of a chance that two nodes are near, and of a mean degree.
const NEAR_BITS: u32 = 62;

fn mean_degree(others: u32, near: u128) -> u128 {
    near * u128::from(others)
}

/// A mean degree asked for, with as many fractional bits as those that come out.
fn scaled(degree: Decimal) -> u128 {
    (u128::from(degree.millionths()) << NEAR_BITS) / u128::from(Decimal::ONE.millionths())
}

/// The chance that two nodes are within this radius of each other.
fn near(radius: u64, torus: bool) -> u128 {
    /// Pi, with 60 fractional bits.
    const PI: u128 = 0x3243_f6a8_885a_308d;
    let radius = u128::from(radius);
    let square = radius * radius;
    let circle = (square * PI) >> 60;
    if torus {
        return circle;
    }
    let cube = (square * radius) >> 31;
    let fourth = (cube * radius) >> 31;
    circle - cube * 8 / 3 + fourth / 2
}

/// Where nodes lie, and how far they see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Square {
    radius: u64,
    torus: bool,
}

#[derive(Clone, Copy)]
struct Place {
    x: u64,
    y: u64,
}

impl Square {
    pub(super) fn new(nodes: u32, reach: Reach, torus: bool) -> Self {
        let radius = match reach {
            Reach::Radius(radius) => {
                let sides = u128::from(radius.millionths()) * u128::from(SIDE);
                // At most the side, as was checked.
                (sides / u128::from(Decimal::ONE.millionths())) as u64
            }
            Reach::MeanDegree(degree) => {
                let others = nodes.saturating_sub(1);
                let suffices = |radius| mean_degree(others, near(radius, torus)) >= scaled(degree);
                least(radius_max(torus), suffices)
            }
        };
        Self { radius, torus }
    }

    /// One graph, connected or not.
    pub(super) fn draw(self, nodes: u32, seed: u64, attempt: u64) -> Edges {
        let cells = Cells::new(places(nodes, seed, attempt), self);
        let mut edges = Vec::new();
        for (node, &place) in (0..).zip(&cells.places) {
            for other in cells.around(place) {
                if other < node && self.is_near(place, cells.places[other as usize]) {
                    edges.push((other, node));
                }
            }
        }
        edges
    }

    fn is_near(self, a: Place, b: Place) -> bool {
        let apart = |a: u64, b: u64| {
            let distance = a.abs_diff(b);
            match self.torus {
                true => distance.min(SIDE - distance),
                false => distance,
            }
        };
        let (x, y) = (apart(a.x, b.x), apart(a.y, b.y));
        x * x + y * y <= self.radius * self.radius
    }
}

fn places(nodes: u32, seed: u64, attempt: u64) -> Vec<Place> {
    const PURPOSE: Purpose = Purpose::new("hxsim/topology/geometric");
    let place = |node: NodeId| {
        let raw = drawn(seed, PURPOSE, node.into(), attempt);
        let (x, y) = (raw >> 33, (raw & 0xffff_ffff) >> 1);
        Place { x, y }
    };
    (0..nodes).map(place).collect()
}

/// The least of `0 ..= most` that suffices, where all greater ones do as well; `most` is taken to.
fn least(most: u64, suffices: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low.midpoint(high);
        match suffices(middle) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    high
}

/// The nodes by where they lie.
struct Cells {
    places: Vec<Place>,
    torus: bool,
    /// Cells in a row; there are as many rows.
    columns: u64,
    /// The nodes of cell `i` are `nodes[offsets[i] .. offsets[i + 1]]`.
    offsets: Vec<u32>,
    nodes: Vec<NodeId>,
}

impl Cells {
    fn new(places: Vec<Place>, square: Square) -> Self {
        // No smaller than the radius, and no more than there are nodes. On a torus fewer than three would be beside each other twice.
        let by_radius = SIDE.checked_div(square.radius).unwrap_or(SIDE);
        let columns = by_radius.min((places.len() as u64).isqrt());
        let columns = if columns < 3 { 1 } else { columns };
        let mut cells = Self {
            torus: square.torus,
            columns,
            offsets: vec![0; (columns * columns) as usize + 1],
            nodes: vec![0; places.len()],
            places,
        };
        for place in &cells.places {
            let cell = cells.of(*place);
            cells.offsets[cell + 1] += 1;
        }
        for cell in 1..cells.offsets.len() {
            cells.offsets[cell] += cells.offsets[cell - 1];
        }
        let mut next = cells.offsets.clone();
        for (node, place) in (0..).zip(&cells.places) {
            let slot = &mut next[cells.of(*place)];
            cells.nodes[*slot as usize] = node;
            *slot += 1;
        }
        cells
    }

    fn of(&self, place: Place) -> usize {
        (self.column(place.y) * self.columns + self.column(place.x)) as usize
    }

    fn column(&self, x: u64) -> u64 {
        x * self.columns / SIDE
    }

    /// The nodes of a place's own cell and of those around it.
    fn around(&self, place: Place) -> impl Iterator<Item = NodeId> {
        let (row, column) = (self.column(place.y), self.column(place.x));
        let cells = self.beside(row).flat_map(move |row| {
            let of_row = self.beside(column);
            of_row.map(move |column| (row * self.columns + column) as usize)
        });
        cells.flat_map(|cell| {
            let (from, to) = (self.offsets[cell], self.offsets[cell + 1]);
            self.nodes[from as usize..to as usize].iter().copied()
        })
    }

    /// A row or column and those beside it.
    fn beside(&self, at: u64) -> impl Iterator<Item = u64> + use<> {
        let (columns, torus) = (self.columns, self.torus);
        let all = (columns == 1).then_some(0);
        let three = (0..3).filter_map(move |shift| {
            // Shifted by one, for there is nothing below zero.
            let shifted = at + shift;
            match shifted {
                _ if columns == 1 => None,
                _ if torus => Some((shifted + columns - 1) % columns),
                0 => None,
                _ => Some(shifted - 1).filter(|&at| at < columns),
            }
        });
        all.into_iter().chain(three)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells are how neighbours are found, and must not show.
    #[test]
    fn cells_find_what_comparing_all_pairs_finds() {
        let places = places(300, 7, 0);
        for radius in [0, 1, 20, 5, 4, 3, 2].map(|part| SIDE.checked_div(part).unwrap_or(0)) {
            for torus in [false, true] {
                let square = Square { radius, torus };
                let mut found = square.draw(300, 7, 0);
                found.sort_unstable();
                let mut expected = Vec::new();
                for (u, v) in super::super::lattice::complete(300) {
                    if square.is_near(places[u as usize], places[v as usize]) {
                        expected.push((u, v));
                    }
                }
                assert_eq!(found, expected, "radius {radius}, torus {torus}");
            }
        }
    }

    #[test]
    fn the_chance_to_be_near_is_that_of_the_formulas() {
        let chance = |radius, torus| near(radius, torus) as f64 / (1_u64 << NEAR_BITS) as f64;
        assert!((chance(SIDE / 2, true) - std::f64::consts::PI / 4.0).abs() < 1e-9);
        assert!((chance(SIDE, false) - 0.974_926).abs() < 1e-6);
        assert_eq!(least(100, |x| x >= 37), 37);
        assert_eq!(least(100, |_| false), 100);
    }
}
