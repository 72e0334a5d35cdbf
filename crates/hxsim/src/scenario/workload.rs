//! `[workload]`: what is published, in one of three forms.

use std::path::Path;

use simnet::{NodeId, Probability, Time};

use super::quantity::{integer, nodes as node_set, probability, size, text};
use super::read::start;
use super::section::{Problems, Section};
use crate::workload::{Body, Workload, fewest_bytes};

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
    directory: &Path,
) -> Option<Workload> {
    let mut section = root.section(problems, "workload", "`[workload]`")?;
    let forms = ["body", "directory", "size"].map(|form| section.has(form));
    if forms.iter().filter(|&&named| named).count() > 1 {
        let message = "a workload has one form";
        let hint = "choose between `body`, `directory` and `size`";
        problems.add(section.place(), message, hint);
        return None;
    }
    let workload = if section.has("body") {
        explicit(problems, &mut section, nodes, horizon)
    } else if section.has("directory") {
        self::directory(problems, &mut section, horizon, directory)
    } else {
        synthetic(problems, &mut section, nodes, horizon)
    };
    section.close(problems);
    workload
}

fn explicit(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Option<Workload> {
    let mut bodies: Vec<Body> = Vec::new();
    let mut complete = true;
    for mut one in section.sections(problems, "body", "`[[workload.body]]`") {
        let content = one.required(problems, "text", "text = \"beep\"", text);
        let holders = one.required(problems, "nodes", "nodes = [0]", node_set(nodes));
        let at = start(problems, &mut one, "at", horizon);
        one.close(problems);
        let (Some(content), Some(holders)) = (content, holders) else {
            complete = false;
            continue;
        };
        let bytes = content.value.into_bytes();
        if bodies.iter().any(|body| body.bytes == bytes) {
            let hint = "a body is known by its hash: name all its nodes in one place";
            problems.add(&content.place, "this body was given before", hint);
        }
        bodies.push(Body {
            bytes,
            nodes: holders.value,
            at,
        });
    }
    complete.then_some(Workload::Bodies(bodies))
}

fn directory(
    problems: &mut Problems,
    section: &mut Section<'_>,
    horizon: Option<Time>,
    directory: &Path,
) -> Option<Workload> {
    let at = start(problems, section, "at", horizon);
    let written = section.optional(problems, "directory", text)?;
    let path = directory.join(&written.value);
    if !path.is_dir() {
        let message = format!("there is no directory `{}`", path.display());
        let hint = "paths are relative to the scenario's directory";
        problems.add(&written.place, message, hint);
        return None;
    }
    Some(Workload::Directory { path, at })
}

fn synthetic(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Option<Workload> {
    let publishers = section.optional(problems, "publishers", integer::<NodeId>(1));
    let count = section.or(problems, "count", 1, integer(1));
    let example = "size = 100; or name a `directory`, or each `[[workload.body]]`";
    let bytes = section.required(problems, "size", example, size);
    let share = section.or(problems, "share", Probability::ZERO, probability);
    let at = start(problems, section, "at", horizon);
    if let (Some(publishers), Some(nodes)) = (&publishers, nodes)
        && publishers.value > nodes
    {
        let message = format!("{} publishers are more than all nodes", publishers.value);
        problems.add(&publishers.place, message, format!("at most {nodes}"));
    }
    let publishers = publishers.map(|publishers| publishers.value).or(nodes)?;
    let bytes = bytes?;
    let bodies = u64::from(publishers) * u64::from(count);
    let fewest = fewest_bytes(bodies);
    if bytes.value < fewest {
        let message = format!("{bodies} bodies cannot all differ at this size");
        problems.add(&bytes.place, message, format!("at least {fewest}"));
    }
    let size = bytes.value;
    if bodies.saturating_mul(u64::from(size)) > BODIES_MAX {
        let message = format!("{bodies} bodies of {size} bytes do not fit into memory");
        problems.add(&bytes.place, message, "4 GiB together at most");
    }
    Some(Workload::Synthetic {
        publishers,
        count,
        size,
        share,
        at,
    })
}

/// Bodies stand in memory once, whoever holds them; a slip in `count` shall not take all of it.
const BODIES_MAX: u64 = 4 << 30;
