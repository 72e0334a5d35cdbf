//! `[network]`: links, their exceptions, and how streams use them.

use std::time::Duration;

use simnet::{Jitter, Link, Links, NodeId, Probability, StreamModel};

use super::document::{Content, Value};
use super::quantity::{duration, node, pair, positive_duration, positive_size, probability};
use super::section::{Located, Problems, Section};
use crate::diagnostic::Place;

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
) -> Option<(Links, StreamModel)> {
    let example = "network.latency = \"10ms\"";
    let mut section = root.required_section(problems, "network", "`[network]`", example)?;
    let default = link(problems, &mut section, None);
    let mut exceptions = Vec::new();
    for mut one in section.sections(problems, "link", "`[[network.link]]`") {
        let ends = ends(problems, &mut one, nodes);
        let link = link(problems, &mut one, default.as_ref());
        one.close(problems);
        exceptions.push((ends, link));
    }
    let stream = match section.section(problems, "stream", "`[network.stream]`") {
        Some(section) => stream(problems, section),
        None => StreamModel::default(),
    };
    section.close(problems);

    let mut links = Links::all(default?);
    for (ends, link) in exceptions {
        let link = link?;
        for pair in ends? {
            links.exceptions.insert(pair, link.clone());
        }
    }
    Some((links, stream))
}

/// The directed links an exception is about: both directions of `between`, or `from` one node `to` another.
fn ends(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
) -> Option<Vec<(NodeId, NodeId)>> {
    let named = ["between", "from", "to"].map(|key| section.has(key));
    let between = section.optional(problems, "between", pair(nodes));
    let from = section.optional(problems, "from", node(nodes));
    let to = section.optional(problems, "to", node(nodes));
    let place = match named {
        [true, false, false] => {
            let (a, b) = between?.value;
            return Some(vec![(a, b), (b, a)]);
        }
        [false, true, true] => {
            let (from, to) = (from?.value, to?);
            if from != to.value {
                return Some(vec![(from, to.value)]);
            }
            to.place
        }
        _ => section.place().clone(),
    };
    let message = "an exception is about one link";
    let hint = "name it by `between = [0, 1]`, or by `from = 0` and `to = 1`";
    problems.add(&place, message, hint);
    None
}

/// `latency` and `loss`; what is absent is as in `default`.
fn link(
    problems: &mut Problems,
    section: &mut Section<'_>,
    default: Option<&Link>,
) -> Option<Link> {
    let latency = section.value("latency");
    let fallback = default.map_or(Probability::ZERO, |link| link.loss);
    let loss = section.or(problems, "loss", fallback, probability);
    let value = match (latency, default) {
        (Some(value), _) => value,
        (None, Some(default)) => return Some(default.clone().with_loss(loss)),
        (None, None) => {
            let hint = "for example: latency = \"10ms\"";
            problems.add(section.place(), "`[network]` lacks `latency`", hint);
            return None;
        }
    };
    let (floor, jitter) = self::latency(problems, value)?;
    Some(Link {
        floor,
        jitter,
        loss,
        bandwidth: None,
    })
}

fn latency(problems: &mut Problems, value: &Value) -> Option<(Duration, Jitter)> {
    let none = Jitter::Constant(Duration::ZERO);
    if !matches!(value.content, Content::Table(_)) {
        let latency = problems.accept(value, duration)?;
        return Some((floor(problems, latency)?, none));
    }
    let mut section = Section::open(problems, value, "`latency`")?;
    let least = section.required(problems, "floor", "floor = \"10ms\"", duration);
    let uniform = section.optional(problems, "uniform", duration);
    let constant = section.optional(problems, "constant", duration);
    let jitter = match (uniform, constant) {
        (Some(_), Some(Located { place, .. })) => {
            let hint = "choose between `uniform` and `constant`";
            problems.add(&place, "a latency has one distribution", hint);
            none
        }
        (Some(uniform), None) => Jitter::Uniform(uniform.value),
        (None, Some(constant)) => Jitter::Constant(constant.value),
        (None, None) => none,
    };
    section.close(problems);
    Some((floor(problems, least?)?, jitter))
}

fn floor(problems: &mut Problems, latency: Located<Duration>) -> Option<Duration> {
    let Located { value, place } = latency;
    if value < Link::LEAST_FLOOR {
        let hint = format!(
            "at least {:?}: time is cut into windows of it",
            Link::LEAST_FLOOR
        );
        problems.add(&place, "no link is as fast as this", hint);
        return None;
    }
    Some(value)
}

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
