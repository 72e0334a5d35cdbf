//! `[network]`: links, their exceptions, and how streams use them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use simnet::{Access, Bandwidth, Jitter, Link, Links, NodeId, Probability, StreamModel};

use super::document::{Content, Value};
use super::latency;
use super::quantity::{
    bandwidth, node, nodes as node_set, pair, positive_duration, positive_size, probability,
};
use super::region::{self, Matrix, Named};
use super::section::{Located, Problems, Section, Wrong};
use crate::diagnostic::Place;

/// Links, how streams use them, and where those between two nodes are named.
pub(super) struct Network {
    pub(super) links: Links,
    pub(super) stream: StreamModel,
    pub(super) named: Vec<Located<(NodeId, NodeId)>>,
}

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    directory: &Path,
) -> Option<Network> {
    let example = "network.latency = \"10ms\"";
    let mut section = root.required_section(problems, "network", "`[network]`", example)?;
    let matrix = region::matrix(problems, &mut section, directory);
    let default = default(problems, &mut section, matrix.as_ref(), directory);
    let access = access(problems, &mut section, Access::default());
    let mut named = region::read(problems, &mut section, nodes, matrix.as_ref(), access);
    // Without a default the scenario is wrong, but its other mistakes are still to be found.
    let base = default.clone().unwrap_or(Link::constant(Link::LEAST_FLOOR));
    for link in named.regions.links.values_mut() {
        link.loss = base.loss;
        link.bandwidth = base.bandwidth;
    }
    let (exceptions, between) =
        exceptions(problems, &mut section, nodes, directory, &base, &mut named);
    let access_exceptions = access_exceptions(problems, &mut section, nodes, access);
    let stream = match section.section(problems, "stream", "`[network.stream]`") {
        Some(section) => stream(problems, section),
        None => StreamModel::default(),
    };
    section.close(problems);
    let links = Links {
        default: default?,
        regions: named.regions,
        exceptions,
        access,
        access_exceptions,
    };
    Some(Network {
        links,
        stream,
        named: between,
    })
}

/// `[[network.link]]`: links that are others. Those between regions go to the regions.
fn exceptions(
    problems: &mut Problems,
    network: &mut Section<'_>,
    nodes: Option<u32>,
    directory: &Path,
    base: &Link,
    named: &mut Named,
) -> Exceptions {
    let has_matrix = network.has("matrix");
    let mut exceptions = BTreeMap::new();
    let mut between = Vec::new();
    let mut said_before = BTreeMap::new();
    for mut section in network.sections(problems, "link", "`[[network.link]]`") {
        let ends = ends(problems, &mut section, nodes, named);
        let said = said(problems, &mut section, directory);
        if has_matrix && matches!(ends, Some(Ends::Nodes(_))) && !section.has("latency") {
            let hint = "the matrix says nothing of a single link";
            problems.add(section.place(), "`[[network.link]]` lacks `latency`", hint);
        }
        let place = section.place().clone();
        section.close(problems);
        if let Some(ends) = &ends {
            twice(problems, &mut said_before, ends, &place);
        }
        match (ends, said) {
            (Some(Ends::Nodes(pairs)), Some(said)) => {
                let value = pairs[0];
                between.push(Located { value, place });
                exceptions.extend(pairs.into_iter().map(|pair| (pair, said.over(base))));
            }
            (Some(Ends::Regions(pairs)), Some(said)) => {
                for pair in pairs {
                    let link = said.over(named.regions.links.get(&pair).unwrap_or(base));
                    named.regions.links.insert(pair, link);
                }
            }
            _ => {}
        }
    }
    (exceptions, between)
}

/// The links that are said to be others, by their ends, and where each is named.
type Exceptions = (
    BTreeMap<(NodeId, NodeId), Link>,
    Vec<Located<(NodeId, NodeId)>>,
);

/// Tells of a direction that an earlier section has spoken of: it would not be seen which of the two holds.
fn twice(
    problems: &mut Problems,
    before: &mut BTreeMap<(bool, u64, u64), Place>,
    ends: &Ends,
    place: &Place,
) {
    let directions: Vec<_> = match ends {
        Ends::Nodes(pairs) => pairs
            .iter()
            .map(|&(a, b)| (false, a.into(), b.into()))
            .collect(),
        Ends::Regions(pairs) => pairs
            .iter()
            .map(|&(a, b)| (true, a as u64, b as u64))
            .collect(),
    };
    let first = directions.iter().find_map(|it| before.get(it)).cloned();
    if let Some(first) = first {
        let message = "a link of this direction is there already";
        let hint = format!(
            "it begins at {}; say all in one, or leave out the other",
            problems.position(&first)
        );
        problems.add(place, message, hint);
    }
    for direction in directions {
        before.entry(direction).or_insert_with(|| place.clone());
    }
}

/// `[[network.node]]`: nodes whose lines are others.
fn access_exceptions(
    problems: &mut Problems,
    network: &mut Section<'_>,
    nodes: Option<u32>,
    base: Access,
) -> BTreeMap<NodeId, Access> {
    let mut exceptions = BTreeMap::new();
    for mut section in network.sections(problems, "node", "`[[network.node]]`") {
        let members = section.required(problems, "nodes", "nodes = \"0..10\"", node_set(nodes));
        let access = access(problems, &mut section, base);
        section.close(problems);
        let members = members.map(|members| members.value).unwrap_or_default();
        exceptions.extend(members.into_iter().map(|node| (node, access)));
    }
    exceptions
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
            section.lacks(problems, "latency", "latency = \"10ms\"");
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
    let segment = section.given(problems, "segment", default.segment, positive_size);
    let split = section.or(problems, "split", default.split, probability);
    let window = section.given(problems, "window", default.window, positive_size);
    let first = default.retransmit;
    let retransmit = section.given(problems, "retransmit", first, positive_duration);
    let cap = default.retransmit_cap;
    let cap = section.given(problems, "retransmit_cap", cap, positive_duration);
    let timeout = section.or(problems, "timeout", default.timeout, positive_duration);
    if let (Some(segment), Some(Located { value, place })) = (&segment, &window)
        && *value < segment.value
    {
        let hint = format!("at least one segment, {} bytes", segment.value);
        problems.add(place, "`window` is less than `segment`", hint);
    }
    if let (Some(retransmit), Some(Located { value, place })) = (&retransmit, &cap)
        && *value < retransmit.value
    {
        let hint = format!("at least `retransmit`, {:?}", retransmit.value);
        problems.add(place, "`retransmit_cap` is less than `retransmit`", hint);
    }
    section.close(problems);
    // What is wrong was told, and the scenario will not be run.
    StreamModel {
        segment: segment.map_or(default.segment, |it| it.value),
        split,
        window: window.map_or(default.window, |it| it.value),
        retransmit: retransmit.map_or(default.retransmit, |it| it.value),
        retransmit_cap: cap.map_or(default.retransmit_cap, |it| it.value),
        timeout,
    }
}
