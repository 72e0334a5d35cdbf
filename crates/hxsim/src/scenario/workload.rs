//! `[workload]`: what is published, in one of three forms; or several of them, each a `[[workload]]`.

mod arrivals;
mod synthetic;

use std::path::Path;

use simnet::Time;

use super::document::Content;
use super::quantity::{nodes as node_set, text};
use super::read::start;
use super::section::{Problems, Section};
use crate::workload::{Body, Workload, files_below};

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
    directory: &Path,
) -> Option<Workload> {
    let value = root.value("workload")?;
    if !matches!(value.content, Content::Array(_)) {
        let section = Section::open(problems, value, "`[workload]`")?;
        return one(problems, section, nodes, horizon, directory);
    }
    let sections = root.sections(problems, "workload", "`[[workload]]`");
    let mut workloads = Vec::with_capacity(sections.len());
    for section in sections {
        workloads.push(one(problems, section, nodes, horizon, directory));
    }
    let workloads: Option<Vec<_>> = workloads.into_iter().collect();
    workloads.map(Workload::Several)
}

fn one(
    problems: &mut Problems,
    mut section: Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
    directory: &Path,
) -> Option<Workload> {
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
        synthetic::read(problems, &mut section, nodes, horizon).map(Workload::Synthetic)
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
    let arrivals = arrivals::read(problems, section, horizon);
    let written = section.optional(problems, "directory", text)?;
    let path = directory.join(&written.value);
    if !path.is_dir() {
        let message = format!("there is no directory `{}`", path.display());
        let hint = "paths are relative to the scenario's directory";
        problems.add(&written.place, message, hint);
        return None;
    }
    let arrivals = arrivals?;
    match files_below(&path) {
        Ok(files) => arrivals.suffice(problems, files.len() as u64),
        Err(error) => {
            let message = format!("`{}` cannot be read: {}", path.display(), error.kind());
            problems.add(&written.place, message, "");
        }
    }
    Some(Workload::Directory {
        path,
        arrivals: arrivals.value,
    })
}
