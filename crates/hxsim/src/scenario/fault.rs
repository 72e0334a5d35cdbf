//! `[[fault]]`: what goes wrong, and when.

use std::collections::BTreeSet;

use simnet::{Fault, NodeId, Time};

use super::document::{Content, Value};
use super::quantity::{nodes as node_set, pair, time, word};
use super::read::within;
use super::section::{Located, Problems, Section, Wrong};

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Vec<Fault> {
    root.sections(problems, "fault", "`[[fault]]`")
        .into_iter()
        .filter_map(|section| fault(problems, section, nodes, horizon))
        .collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Partition,
    Cut,
}

fn fault(
    problems: &mut Problems,
    mut section: Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Option<Fault> {
    let kind = word(
        "fault",
        &[("partition", Kind::Partition), ("cut", Kind::Cut)],
    );
    let kind = section.required(problems, "kind", "kind = \"partition\"", kind)?;
    let at = section.required(problems, "at", "at = \"1s\"", time);
    let at = within(problems, at, horizon);
    let fault = match kind.value {
        Kind::Partition => partition(problems, &mut section, nodes, at),
        Kind::Cut => {
            let example = "between = [0, 1]";
            let between = section.required(problems, "between", example, pair(nodes));
            between.zip(at).map(|(between, at)| Fault::Cut {
                at,
                between: between.value,
            })
        }
    };
    section.close(problems);
    fault
}

fn partition(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
) -> Option<Fault> {
    let until = section.optional(problems, "until", time);
    if let (Some(Located { value, place }), Some(at)) = (&until, at)
        && *value <= at
    {
        problems.add(
            place,
            "this heals before it begins",
            format!("later than `at`, {at}"),
        );
    }
    let example = "groups = [\"0..50\", \"50..100\"]";
    let groups = section.required(problems, "groups", example, |value| groups(value, nodes));
    Some(Fault::Partition {
        at: at?,
        until: until.map(|until| until.value),
        groups: groups?.value,
    })
}

fn groups(value: &Value, nodes: Option<u32>) -> Result<Vec<Vec<NodeId>>, Wrong> {
    let Content::Array(elements) = &value.content else {
        return Err(Wrong::kind(value, "expected a list of groups of nodes"));
    };
    let mut groups: Vec<Vec<NodeId>> = Vec::new();
    let mut named = BTreeSet::new();
    for element in elements {
        let located = |wrong: Wrong| Wrong {
            place: Some(wrong.place.unwrap_or_else(|| element.place.clone())),
            ..wrong
        };
        let group = node_set(nodes)(element).map_err(located)?;
        if let Some(node) = group.iter().find(|&&node| !named.insert(node)) {
            let hint = "a node is on one side of a partition";
            let wrong = Wrong::new(format!("node {node} is in two groups"), hint);
            return Err(located(wrong));
        }
        groups.push(group);
    }
    let rest = nodes.is_none_or(|nodes| named.len() < nodes as usize);
    if groups.len() + usize::from(rest) < 2 {
        let hint = "nodes that no group names form one more group";
        return Err(Wrong::new("this splits nothing", hint));
    }
    Ok(groups)
}
