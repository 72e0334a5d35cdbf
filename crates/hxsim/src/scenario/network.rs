//! `[network]`: links, their exceptions, and how streams use them.

use std::path::Path;
use std::time::Duration;

use simnet::{Access, Bandwidth, Jitter, Link, Links, NodeId, Probability, StreamModel};

use super::document::{Content, Value};
use super::latency;
use super::quantity::{
    bandwidth, node, nodes as node_set, pair, positive_duration, positive_size, probability,
};
use super::region::{self, Matrix, Named};
use super::section::{Problems, Section, Wrong};
use crate::diagnostic::Place;

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    directory: &Path,
) -> Option<(Links, StreamModel)> {
    let example = "network.latency = \"10ms\"";
    let mut section = root.required_section(problems, "network", "`[network]`", example)?;
    let matrix = region::matrix(problems, &mut section);
    let default = default(problems, &mut section, matrix.as_ref(), directory);
    let access = access(problems, &mut section, Access::default());
    let mut named = region::read(problems, &mut section, nodes, matrix.as_ref(), access);
    if let Some(default) = &default {
        for link in named.regions.links.values_mut() {
            link.loss = default.loss;
            link.bandwidth = default.bandwidth;
        }
    }
    let mut exceptions = Vec::new();
    for mut one in section.sections(problems, "link", "`[[network.link]]`") {
        let ends = ends(problems, &mut one, nodes, &named);
        let said = said(problems, &mut one, directory);
        if let (Some(Ends::Nodes(_)), Some(_), false) = (&ends, &matrix, one.has("latency")) {
            let hint = "the matrix says nothing of a single link";
            problems.add(one.place(), "`[[network.link]]` lacks `latency`", hint);
        }
        one.close(problems);
        let (Some(said), Some(default)) = (said, &default) else {
            continue;
        };
        match ends {
            Some(Ends::Nodes(pairs)) => {
                exceptions.extend(pairs.into_iter().map(|pair| (pair, said.over(default))));
            }
            Some(Ends::Regions(pairs)) => {
                for pair in pairs {
                    let link = named.regions.links.get(&pair).unwrap_or(default);
                    let link = said.over(link);
                    named.regions.links.insert(pair, link);
                }
            }
            None => {}
        }
    }

    let mut access_exceptions = Vec::new();
    for mut one in section.sections(problems, "node", "`[[network.node]]`") {
        let members = one.required(problems, "nodes", "nodes = \"0..10\"", node_set(nodes));
        let access = self::access(problems, &mut one, access);
        one.close(problems);
        let members = members.map(|members| members.value).unwrap_or_default();
        access_exceptions.extend(members.into_iter().map(|node| (node, access)));
    }
    let stream = match section.section(problems, "stream", "`[network.stream]`") {
        Some(section) => stream(problems, section),
        None => StreamModel::default(),
    };
    section.close(problems);
    let links = Links {
        default: default?,
        regions: named.regions,
        exceptions: exceptions.into_iter().collect(),
        access,
        access_exceptions: access_exceptions.into_iter().collect(),
    };
    Some((links, stream))
}
/// What a section says of a link.
struct Said {
    latency: Option<(Duration, Jitter)>,
    loss: Option<Probability>,
    bandwidth: Option<Bandwidth>,
}

impl Said {
    /// What is not said is as in `base`.
    fn over(&self, base: &Link) -> Link {
        let base = base.clone();
        let (floor, jitter) = self.latency.clone().unwrap_or((base.floor, base.jitter));
        Link {
            floor,
            jitter,
            loss: self.loss.unwrap_or(base.loss),
            bandwidth: self.bandwidth.or(base.bandwidth),
        }
    }
}

/// `latency`, `loss` and `bandwidth`; `None` if the latency is wrong.
fn said(problems: &mut Problems, section: &mut Section<'_>, directory: &Path) -> Option<Said> {
    let latency = section.value("latency");
    let loss = section.optional(problems, "loss", probability);
    let bandwidth = section.optional(problems, "bandwidth", bandwidth);
    let latency = match latency {
        Some(value) => Some(latency::read(problems, value, directory)?),
        None => None,
    };
    Some(Said {
        latency,
        loss: loss.map(|loss| loss.value),
        bandwidth: bandwidth.map(|bandwidth| bandwidth.value),
    })
}

/// The link of all that nothing else is said of. If there is a matrix no pair has it, but its loss and its bandwidth are those of all.
fn default(
    problems: &mut Problems,
    section: &mut Section<'_>,
    matrix: Option<&Matrix>,
    directory: &Path,
) -> Option<Link> {
    let said = said(problems, section, directory)?;
    let (latency, has_matrix) = (section.value("latency"), section.has("matrix"));
    match (latency, has_matrix) {
        (Some(value), true) => {
            let hint = "leave out this or `matrix`";
            problems.add(&value.place, "the matrix says every latency", hint);
        }
        (None, false) => {
            let hint = "for example: latency = \"10ms\"";
            problems.add(section.place(), "`[network]` lacks `latency`", hint);
        }
        _ => {}
    }
    let base = match matrix {
        Some(matrix) => matrix.link(0, 0),
        None => {
            let (floor, _) = said.latency.as_ref()?;
            Link::constant(*floor)
        }
    };
    Some(said.over(&base))
}

/// `upload` and `download` of nodes; what is not said is as in `base`.
pub(super) fn access(problems: &mut Problems, section: &mut Section<'_>, base: Access) -> Access {
    let up = section.optional(problems, "upload", bandwidth);
    let down = section.optional(problems, "download", bandwidth);
    Access {
        up: up.map(|up| up.value).or(base.up),
        down: down.map(|down| down.value).or(base.down),
    }
}

/// The directed links that an exception is about.
enum Ends {
    Nodes(Vec<(NodeId, NodeId)>),
    /// All from one region to another, or within one.
    Regions(Vec<(usize, usize)>),
}

/// Nodes are numbers, regions are names.
fn ends(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    named: &Named,
) -> Option<Ends> {
    let keys = ["between", "from", "to"];
    let names = keys.map(|key| section.value(key).is_some_and(is_name));
    if !names.contains(&true) {
        let to = section.value("to").map(|value| value.place.clone());
        let pairs = pairs(problems, section, pair(nodes), node(nodes))?;
        if pairs[0].0 == pairs[0].1 {
            problems.add(&to?, ONE_LINK, ONE_LINK_HINT);
            return None;
        }
        return Some(Ends::Nodes(pairs));
    }
    let (pair, one) = (
        |value: &_| named.pair(value),
        |value: &_| named.region(value),
    );
    let pairs = pairs(problems, section, pair, one);
    pairs.map(Ends::Regions)
}

fn is_name(value: &Value) -> bool {
    match &value.content {
        Content::Text(_) => true,
        Content::Array(elements) => elements.iter().any(is_name),
        _ => false,
    }
}

/// Both directions of `between`, or that `from` one `to` another.
fn pairs<T: Copy>(
    problems: &mut Problems,
    section: &mut Section<'_>,
    pair: impl Fn(&Value) -> Result<(T, T), Wrong>,
    one: impl Fn(&Value) -> Result<T, Wrong>,
) -> Option<Vec<(T, T)>> {
    let named = ["between", "from", "to"].map(|key| section.has(key));
    let between = section.optional(problems, "between", pair);
    let from = section.optional(problems, "from", &one);
    let to = section.optional(problems, "to", &one);
    match named {
        [true, false, false] => {
            let (a, b) = between?.value;
            Some(vec![(a, b), (b, a)])
        }
        [false, true, true] => Some(vec![(from?.value, to?.value)]),
        _ => {
            problems.add(section.place(), ONE_LINK, ONE_LINK_HINT);
            None
        }
    }
}

const ONE_LINK: &str = "an exception is about one link";
const ONE_LINK_HINT: &str = "name it by `between = [0, 1]`, or by `from = 0` and `to = 1`";

fn stream(problems: &mut Problems, mut section: Section<'_>) -> StreamModel {
    let default = StreamModel::default();
    let window = section.optional(problems, "window", positive_size);
    let cap = section.optional(problems, "retransmit_cap", positive_duration);
    let stream = StreamModel {
        segment: section.or(problems, "segment", default.segment, positive_size),
        split: section.or(problems, "split", default.split, probability),
        window: window
            .as_ref()
            .map_or(default.window, |window| window.value),
        retransmit: section.or(
            problems,
            "retransmit",
            default.retransmit,
            positive_duration,
        ),
        retransmit_cap: cap.as_ref().map_or(default.retransmit_cap, |cap| cap.value),
        timeout: section.or(problems, "timeout", default.timeout, positive_duration),
    };
    let place = |located: Option<Place>| located.unwrap_or_else(|| section.place().clone());
    if stream.window < stream.segment {
        let hint = format!("at least one segment, {} bytes", stream.segment);
        let place = place(window.map(|window| window.place));
        problems.add(&place, "`window` is less than `segment`", hint);
    }
    if stream.retransmit_cap < stream.retransmit {
        let hint = format!("at least `retransmit`, {:?}", stream.retransmit);
        let place = place(cap.map(|cap| cap.place));
        problems.add(&place, "`retransmit_cap` is less than `retransmit`", hint);
    }
    section.close(problems);
    stream
}
