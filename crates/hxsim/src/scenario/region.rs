//! `[[network.region]]`: groups of nodes, and a matrix of the latencies between them, which comes with the command or in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use simnet::{Access, Jitter, Link, Members, NodeId, Quantiles, Region, Regions};

use super::document::{Content, Value};
use super::network;
use super::quantity::{integer, milliseconds, nodes as node_set, sentence, text, two};
use super::section::{Located, Problems, Section, Wrong};
use crate::diagnostic::{Place, code_lines};
use crate::report::quantity::things;

/// Regions as the scenario names them.
#[derive(Default)]
pub(super) struct Named {
    pub(super) names: Vec<String>,
    pub(super) regions: Regions,
}

/// Round trips between places.
pub(super) struct Matrix {
    names: Vec<String>,
    /// From each place to each.
    round_trips: Vec<Duration>,
}

/// The matrix that the section names, if it does: that which comes with the command, or a file.
pub(super) fn matrix(
    problems: &mut Problems,
    section: &mut Section<'_>,
    directory: &Path,
) -> Option<Matrix> {
    let named = section.optional(problems, "matrix", |value| {
        let name = text(value)?;
        match name.contains(['.', '/']) || name == WAN {
            true => Ok(name),
            false => {
                let wrong = Wrong::unknown("matrix", &name, &[WAN]);
                let hint = format!("or a file such as \"round-trips.txt\"; {}", wrong.hint);
                Err(Wrong { hint, ..wrong })
            }
        }
    })?;
    let (name, content) = match named.value == WAN {
        true => (WAN.into(), include_str!("wan.txt").into()),
        false => problems.read_file(&named, directory)?,
    };
    let source = problems.add_source(name, content);
    Matrix::read(problems, source)
}

/// The matrix that comes with the command.
const WAN: &str = "wan";

impl Matrix {
    /// Reads a table of round trips in milliseconds: a line a place, its name and then how far it is to each place, in the order of the lines. All that is wrong is
    /// shown in it.
    fn read(problems: &mut Problems, source: usize) -> Option<Self> {
        let content = problems.text(source).to_owned();
        let count = code_lines(&content).count();
        let mut matrix = Self {
            names: Vec::new(),
            round_trips: Vec::new(),
        };
        let mut is_right = true;
        let mut wrong = |place: &Place, message: String, hint: String| {
            is_right = false;
            problems.add(place, message, hint);
        };
        for (span, line) in code_lines(&content) {
            let start = span.start;
            let place = Place::bytes(source, span);
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            if matrix.names.contains(&name) {
                let hint = "each has one line".into();
                wrong(&place, format!("there is a place `{name}` already"), hint);
            }
            matrix.names.push(name);
            let words: Vec<_> = words.collect();
            if words.len() != count {
                let have = things(words.len() as u64, "round trip", "round trips");
                let message = format!("this line has {have}");
                let hint = format!("there are {count} places: one to each of them");
                wrong(&place, message, hint);
            }
            for word in words {
                match milliseconds(word) {
                    Some(round_trip) if ROUND_TRIPS.contains(&round_trip) => {
                        matrix.round_trips.push(round_trip);
                    }
                    _ => {
                        let message = format!("`{word}` is no round trip");
                        let hint = "write milliseconds, from 0.01 to 60000".into();
                        // Words are parts of the line.
                        let at = start + (word.as_ptr().addr() - line.as_ptr().addr());
                        wrong(&Place::bytes(source, at..at + word.len()), message, hint);
                    }
                }
            }
        }
        if count == 0 {
            let hint = "write a line a place: its name, and the round trip to each place";
            wrong(
                &Place::bytes(source, 0..0),
                "there is no place here".into(),
                hint.into(),
            );
        }
        is_right.then_some(matrix)
    }

    /// The links between these places, by where they stand.
    fn links(&self, names: &[String]) -> BTreeMap<(usize, usize), Link> {
        let places = names
            .iter()
            .filter_map(|name| self.names.iter().position(|it| it == name));
        let places: Vec<_> = places.collect();
        let from_all = (0..).zip(&places);
        let pairs = from_all.flat_map(|(from, &at)| {
            let to_all = (0..).zip(&places);
            to_all.map(move |(to, &there)| ((from, to), self.link(at, there)))
        });
        pairs.collect()
    }

    /// The link from one place to another, without loss: nearly half the round trip, and to that a draw whose median is the rest.
    pub(super) fn link(&self, from: usize, to: usize) -> Link {
        let one_way = self.round_trips[from * self.names.len() + to] / 2;
        let median = one_way / 50;
        let quantiles = Quantiles::log_normal(median, 700_000);
        let quantiles = quantiles.expect("no round trip is as long as what cannot be drawn");
        Link {
            jitter: Jitter::Quantiles(quantiles.into()),
            ..Link::constant(one_way - median)
        }
    }
}

/// Links take time, and nobody waits for longer.
const ROUND_TRIPS: RangeInclusive<Duration> = Duration::from_micros(10)..=Duration::from_secs(60);

impl Named {
    /// A region by its name.
    pub(super) fn region(&self, value: &Value) -> Result<usize, Wrong> {
        let Content::Text(name) = &value.content else {
            return Err(Wrong::kind(value, "expected the name of a region"));
        };
        let place = self.names.iter().position(|known| known == name);
        place.ok_or_else(|| {
            if self.names.is_empty() {
                let hint = "name regions by `[[network.region]]`, or nodes by their numbers";
                return Wrong::new("there are no regions", hint);
            }
            let names: Vec<_> = self.names.iter().map(String::as_str).collect();
            Wrong::unknown("region", name, &names)
        })
    }

    /// Two regions, or one twice.
    pub(super) fn pair(&self, value: &Value) -> Result<(usize, usize), Wrong> {
        two(value, ["regions", "[\"a\", \"b\"]"], |end| self.region(end))
    }
}

/// Reads all regions; if there are none but a matrix, they are the places of that. `access` is what a node has that nothing else is said of.
pub(super) fn read(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    matrix: Option<&Matrix>,
    access: Access,
) -> Named {
    let mut named = Named::default();
    let mut taken = BTreeSet::new();
    let is_matrix_alone = !section.has("region");
    for mut one in section.sections(problems, "region", "`[[network.region]]`") {
        let name = name(problems, &mut one, matrix, &named.names);
        let members = members(problems, &mut one, nodes, &mut taken);
        let has_lines = one.has("upload") || one.has("download");
        let access = network::access(problems, &mut one, access);
        one.close(problems);
        if let Some(name) = name {
            named.names.push(name);
            named.regions.regions.push(Region {
                members,
                access: has_lines.then_some(access),
            });
        }
    }
    if let Some(matrix) = matrix {
        if is_matrix_alone {
            named.names.clone_from(&matrix.names);
            let everywhere = Region {
                members: Members::Weight(1),
                access: None,
            };
            named.regions.regions = vec![everywhere; named.names.len()];
        }
        named.regions.links = matrix.links(&named.names);
    }
    check(problems, section.place(), &named.regions, nodes, &taken);
    named
}

fn name(
    problems: &mut Problems,
    section: &mut Section<'_>,
    matrix: Option<&Matrix>,
    before: &[String],
) -> Option<String> {
    let name = section.required(problems, "name", "name = \"europe\"", |value| {
        let name = sentence(value).map_err(|wrong| Wrong {
            hint: "a region has a name".into(),
            ..wrong
        })?;
        if before.contains(&name) {
            let message = format!("there is a region `{name}` already");
            return Err(Wrong::new(message, "each has a name of its own"));
        }
        match matrix {
            Some(matrix) if !matrix.names.contains(&name) => {
                let known: Vec<&str> = matrix.names.iter().map(String::as_str).collect();
                Err(Wrong::unknown("place of the matrix", &name, &known))
            }
            _ => Ok(name),
        }
    });
    name.map(|name| name.value)
}

fn members(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    taken: &mut BTreeSet<NodeId>,
) -> Members {
    let weight = section.optional(problems, "weight", integer(1));
    let named = section.optional(problems, "nodes", |value| {
        let named = node_set(nodes)(value)?;
        // All are taken, so that none of them is told to be in no region as well.
        let twice: Vec<_> = named.iter().filter(|&&node| !taken.insert(node)).collect();
        match twice.first() {
            Some(node) => Err(Wrong::new(
                format!("node {node} is in another region"),
                "a node belongs to one",
            )),
            None => Ok(named),
        }
    });
    match (named, weight) {
        (Some(_), Some(Located { place, .. })) => {
            let hint = "choose between `nodes` and `weight`";
            problems.add(&place, "the members of this region are named", hint);
            Members::Weight(1)
        }
        (Some(named), None) => Members::Nodes(named.value),
        (None, weight) => Members::Weight(weight.map_or(1, |weight| weight.value)),
    }
}

fn check(
    problems: &mut Problems,
    place: &Place,
    regions: &Regions,
    nodes: Option<u32>,
    taken: &BTreeSet<NodeId>,
) {
    let count = regions.regions.len();
    if count > Regions::MOST {
        let hint = format!("at most {}", Regions::MOST);
        problems.add(place, format!("{count} regions are too many"), hint);
    }
    let is_named = |region: &Region| matches!(region.members, Members::Nodes(_));
    if count > 0 && regions.regions.iter().all(is_named) {
        let mut all = 0..nodes.unwrap_or_default();
        if let Some(node) = all.find(|node| !taken.contains(node)) {
            let hint = "name every node, or give some region a `weight` in place of `nodes`";
            problems.add(place, format!("node {node} is in no region"), hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    fn wan() -> Matrix {
        let source = Source {
            name: WAN.into(),
            text: include_str!("wan.txt").into(),
        };
        let mut problems = Problems::new(vec![source], Vec::new());
        Matrix::read(&mut problems, 0).expect("the shipped matrix is right")
    }

    #[test]
    fn the_shipped_matrix_is_square_nearly_symmetric_and_faster_than_no_light() {
        let matrix = wan();
        let count = matrix.names.len();
        assert_eq!(count, 10);
        for from in 0..count {
            for to in 0..count {
                let there = matrix.round_trips[from * count + to];
                let back = matrix.round_trips[to * count + from];
                assert!(there.abs_diff(back) <= Duration::from_millis(5));
                let local = there < Duration::from_millis(3);
                assert_eq!(
                    local,
                    from == to,
                    "{} {}",
                    matrix.names[from],
                    matrix.names[to]
                );
            }
        }
    }

    #[test]
    fn the_median_of_a_link_is_half_the_round_trip() {
        let matrix = wan();
        let place = |name| matrix.names.iter().position(|it| it == name);
        let (london, sydney) = (
            place("london").expect("it is there"),
            place("sydney").expect("so is it"),
        );
        let link = matrix.link(london, sydney);
        assert_eq!(link.floor, Duration::from_micros(136_000 / 50 * 49));
        let Jitter::Quantiles(quantiles) = &link.jitter else {
            panic!("it is drawn from a table");
        };
        let median = link.floor + quantiles.draw(u64::MAX / 2);
        assert!(median.abs_diff(Duration::from_millis(136)) < Duration::from_nanos(10));
        let slow = link.floor + quantiles.draw(u64::MAX / 100);
        assert!(
            (146..149).contains(&slow.as_millis()),
            "one in a hundred: {slow:?}"
        );
    }
}
