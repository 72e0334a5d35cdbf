//! `[churn]`: who comes and goes by a rule.

use std::path::Path;
use std::time::Duration;

use simnet::{NodeId, Probability, Time};

use super::document::{Content, Value};
use super::fault::Faults;
use super::latency;
use super::quantity::{duration, nodes as node_set, probability, time, word};
use super::read::{start, within};
use super::section::{Located, Problems, Section};
use crate::churn::{Churn, Exit, Span, Varying};

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
    faults: &Faults,
    directory: &Path,
) -> Option<Churn> {
    let mut section = root.section(problems, "churn", "`[churn]`")?;
    let own_title = section.place().clone();
    let named = section.optional(problems, "nodes", node_set(nodes));
    let share = section.or(problems, "share", Probability::ONE, probability);
    let exits = [("leave", Exit::Leave), ("crash", Exit::Crash)];
    let exit = section.or(problems, "kind", Exit::default(), word("way to go", &exits));
    let session = span(
        problems,
        &mut section,
        "session",
        "session = { exponential = \"30s\" }",
        directory,
    );
    let absence = "absence = \"5s\"";
    let absence = span(problems, &mut section, "absence", absence, directory);
    let from = start(problems, &mut section, "from", horizon);
    let until = section.optional(problems, "until", time);
    if let Some(Located { value, place }) = &until
        && *value <= from
    {
        let hint = format!("later than `from`, {from}");
        problems.add(place, "this is over before it begins", hint);
    }
    let until = within(problems, until, horizon);
    section.close(problems);

    let place = named
        .as_ref()
        .map_or(own_title, |named| named.place.clone());
    let nodes = match named {
        Some(named) => named.value,
        None => (0..nodes?).collect(),
    };
    if let Some(node) = first_in_both(&nodes, faults) {
        let message = format!("node {node} comes and goes by a `[[fault]]` as well");
        problems.add(&place, message, "the life of a node is told in one place");
    }
    let session = session?;
    let churn = Churn {
        nodes,
        share,
        exit,
        session: session.value,
        absence: absence?.value,
        from,
        until,
    };
    let expected = churn.expected(horizon?);
    if expected > FAULTS_MAX {
        let message = format!("some {expected} comings and goings are too many");
        problems.add(&session.place, message, format!("at most {FAULTS_MAX}"));
    }
    Some(churn)
}

/// Each is kept and listed; a slip in a unit shall not take all memory.
const FAULTS_MAX: u64 = 1_000_000;

/// A node among these whose life is told by faults.
fn first_in_both(nodes: &[NodeId], faults: &Faults) -> Option<NodeId> {
    let named = faults.lives.nodes();
    named
        .into_iter()
        .find(|node| nodes.binary_search(node).is_ok())
}

/// A length of time that varies: `"5s"`, or a floor and a distribution.
fn span(
    problems: &mut Problems,
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    directory: &Path,
) -> Option<Located<Span>> {
    let value = section.required_value(problems, key, example)?;
    let span = match &value.content {
        Content::Table(_) => distribution(problems, value, key, directory)?,
        _ => {
            let constant = problems.accept(value, duration)?.value;
            Span {
                floor: constant,
                varying: Varying::Constant(Duration::ZERO),
            }
        }
    };
    let place = value.place.clone();
    if span.mean().is_zero() {
        let hint = format!("for example {example}");
        problems.add(&place, "this must be more than zero", hint);
        return None;
    }
    Some(Located { value: span, place })
}

fn distribution(
    problems: &mut Problems,
    value: &Value,
    key: &str,
    directory: &Path,
) -> Option<Span> {
    let mut section = Section::open(problems, value, format!("`{key}`"))?;
    let floor = section.or(problems, "floor", Duration::ZERO, duration);
    // What is named, each where it stands; `None` if it is wrong.
    let mut varying = Vec::new();
    for (name, kind) in [
        ("constant", Varying::Constant as fn(Duration) -> Varying),
        ("uniform", Varying::Uniform),
        ("exponential", Varying::Exponential),
    ] {
        if let Some(value) = section.value(name) {
            let length = problems.accept(value, duration);
            varying.push((length.map(|length| kind(length.value)), &value.place));
        }
    }
    for name in latency::TABLES {
        if let Some(value) = section.value(name) {
            let quantiles = latency::quantiles(problems, name, value, directory);
            let quantiles = quantiles.map(|it| Varying::Quantiles(it.into()));
            varying.push((quantiles, &value.place));
        }
    }
    if varying.is_empty() {
        let example = "exponential = \"30s\", or `constant`, `uniform`, `log_normal`, `pareto` or `quantiles`";
        section.lacks(problems, "exponential", example);
    }
    section.close(problems);
    if let [_, (_, place), ..] = &varying[..] {
        let hint = "choose one of them";
        problems.add(place, "a length of time has one distribution", hint);
    }
    let (varying, _) = varying.into_iter().next()?;
    let varying = varying?;
    Some(Span { floor, varying })
}
