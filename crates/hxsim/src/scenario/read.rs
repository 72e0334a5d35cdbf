//! From a document to a scenario.

use std::fs;
use std::path::Path;

use simnet::{Links, Time};

use super::document::Value;
use super::quantity::{integer, node_count, positive_duration, sentence, text, time, word};
use super::section::{Located, Problems, Section};
use super::{
    Goal, NodeOptions, RunOptions, Scenario, Stop, Strategy, churn, fault, network, workload,
};
use crate::diagnostic::Place;
use crate::topology::{Graph, Topology, TopologyError};

/// Reads everything, so that all mistakes are found; `None` only if a diagnostic says why.
pub(super) fn scenario(problems: &mut Problems, root: &Value, path: &Path) -> Option<Scenario> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut section = Section::open(problems, root, "the scenario")?;

    let example = "question = \"Does a split network catch up after it heals?\"";
    let question = section.required(problems, "question", example, sentence);
    let nodes = section.required(problems, "nodes", "nodes = 100", node_count);
    let count = nodes.as_ref().map(|nodes| nodes.value);
    let seed = section.or(problems, "seed", 1, integer(0));

    let topology = topology(problems, &mut section, count, directory);
    let network = network::read(problems, &mut section, count);
    let run = run(problems, &mut section);
    let horizon = run.as_ref().map(|run| run.horizon);
    let workload = workload::read(problems, &mut section, count, horizon, directory);
    let node = node(problems, &mut section);
    let faults = fault::read(problems, &mut section, count, horizon);
    let churn = churn::read(problems, &mut section, count, horizon, &faults);
    section.close(problems);
    if let (Some(workload), Some(count), false) = (&workload, count, faults.evictions.is_empty())
        // If files cannot be read the run says so.
        && let Ok(items) = workload.items(count, seed)
    {
        fault::check_evictions(problems, &faults.evictions, &items);
    }

    let (links, stream): (Links, _) = network?;
    Some(Scenario {
        name: path.file_stem().map_or_else(
            || "unnamed".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        ),
        question: question?.value,
        nodes: count?,
        seed,
        topology: topology?,
        links,
        stream,
        workload,
        node,
        run: run?,
        schedule: faults.schedule,
        fault_numbers: faults.numbers,
        churn,
        evictions: faults.evictions.into_iter().map(|it| it.value).collect(),
    })
}

#[derive(Clone, Copy)]
enum Shape {
    Line,
    Ring,
    Star,
    Complete,
    RandomRegular,
    Edges,
}

fn topology(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    directory: &Path,
) -> Option<Topology> {
    const SHAPES: [(&str, Shape); 6] = [
        ("line", Shape::Line),
        ("ring", Shape::Ring),
        ("star", Shape::Star),
        ("complete", Shape::Complete),
        ("random_regular", Shape::RandomRegular),
        ("edges", Shape::Edges),
    ];
    let example = "topology = { kind = \"random_regular\", degree = 8 }";
    let mut section = root.required_section(problems, "topology", "`[topology]`", example)?;
    let kind = word("topology", &SHAPES);
    let shape = section.required(problems, "kind", "kind = \"ring\"", kind)?;
    let (topology, place) = match shape.value {
        Shape::Line => (Topology::Line, shape.place),
        Shape::Ring => (Topology::Ring, shape.place),
        Shape::Star => (Topology::Star, shape.place),
        Shape::Complete => (Topology::Complete, shape.place),
        Shape::RandomRegular => {
            let degree = section.required(problems, "degree", "degree = 8", integer(0));
            section.close(problems);
            let Located { value, place } = degree?;
            let topology = Topology::RandomRegular { degree: value };
            return possible(problems, topology, nodes, &place);
        }
        Shape::Edges => {
            let file = section.required(problems, "file", "file = \"mesh.edges\"", text);
            section.close(problems);
            return edges(problems, &file?, nodes?, directory);
        }
    };
    section.close(problems);
    possible(problems, topology, nodes, &place)
}

fn possible(
    problems: &mut Problems,
    topology: Topology,
    nodes: Option<u32>,
    place: &Place,
) -> Option<Topology> {
    match nodes.map(|nodes| topology.check(nodes)) {
        Some(Err(error)) => {
            let hint = match error {
                TopologyError::DegreeTooHigh { nodes, .. } => format!("at most {}", nodes - 1),
                TopologyError::OddDegreeSum { .. } => {
                    "one of the two must be even: every edge has two ends".into()
                }
                TopologyError::DegreeTooLow { .. } => "2 or more connects any number".into(),
                _ => String::new(),
            };
            problems.add(place, error.to_string(), hint);
            None
        }
        _ => Some(topology),
    }
}

/// Reads an edge list; what is wrong with it is shown in that file.
fn edges(
    problems: &mut Problems,
    file: &Located<String>,
    nodes: u32,
    directory: &Path,
) -> Option<Topology> {
    let path = directory.join(&file.value);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("`{}` cannot be read: {}", path.display(), error.kind());
            let hint = "paths are relative to the scenario's directory";
            problems.add(&file.place, message, hint);
            return None;
        }
    };
    match Graph::parse(nodes, &text) {
        Ok(graph) => Some(Topology::Edges(graph.edges().to_vec())),
        Err(errors) => {
            let source = problems.add_source(path.display().to_string(), text);
            for (span, message) in errors {
                let place = Place::bytes(source, span);
                problems.add(
                    &place,
                    message,
                    format!("two nodes of 0..{nodes}, as in `0 1`"),
                );
            }
            None
        }
    }
}

fn node(problems: &mut Problems, root: &mut Section<'_>) -> NodeOptions {
    let default = NodeOptions::default();
    let Some(mut section) = root.section(problems, "node", "`[node]`") else {
        return default;
    };
    let strategy = word("strategy", &[("trade", Strategy::Trade)]);
    let backoff_max = section.optional(problems, "backoff_max", positive_duration);
    let node = NodeOptions {
        stall: section.or(problems, "stall", default.stall, positive_duration),
        backoff: section.or(problems, "backoff", default.backoff, positive_duration),
        backoff_max: backoff_max
            .as_ref()
            .map_or(default.backoff_max, |max| max.value),
        batch: section.or(problems, "batch", default.batch, integer(1)),
        strategy: section.or(problems, "strategy", default.strategy, strategy),
    };
    if node.backoff_max < node.backoff {
        let place = backoff_max.map_or_else(|| section.place().clone(), |max| max.place);
        let hint = format!("at least `backoff`, {:?}", node.backoff);
        problems.add(&place, "`backoff_max` is less than `backoff`", hint);
    }
    section.close(problems);
    node
}

fn run(problems: &mut Problems, root: &mut Section<'_>) -> Option<RunOptions> {
    let example = "run.horizon = \"60s\"";
    let mut section = root.required_section(problems, "run", "`[run]`", example)?;
    let horizon = section.required(problems, "horizon", "horizon = \"60s\"", positive_duration);
    let default = RunOptions::default().check_every;
    let check_every = section.optional(problems, "check_every", positive_duration);
    let stops = [("converged", Stop::Converged), ("horizon", Stop::Horizon)];
    let stop = section.or(problems, "stop", Stop::default(), word("stop", &stops));
    let goals = [("component", Goal::Component), ("union", Goal::Union)];
    let goal = section.or(problems, "goal", Goal::default(), word("goal", &goals));
    section.close(problems);

    let horizon = horizon?.value;
    if let Some(Located { value, place }) = &check_every
        && *value > horizon
    {
        let hint = format!("at most the horizon, {horizon:?}");
        problems.add(place, "no check falls within the run", hint);
    }
    Some(RunOptions {
        horizon: Time::ZERO + horizon,
        check_every: check_every.map_or(default.min(horizon), |every| every.value),
        stop,
        goal,
    })
}

/// An instant within the run.
pub(super) fn within(
    problems: &mut Problems,
    at: Option<Located<Time>>,
    horizon: Option<Time>,
) -> Option<Time> {
    let Located { value, place } = at?;
    if horizon.is_some_and(|horizon| value > horizon) {
        let end = horizon.unwrap_or_default();
        problems.add(
            &place,
            "this is after the end of the run",
            format!("the horizon is {end}"),
        );
    }
    Some(value)
}

/// `key`, or zero.
pub(super) fn start(
    problems: &mut Problems,
    section: &mut Section<'_>,
    key: &'static str,
    horizon: Option<Time>,
) -> Time {
    let at = section.optional(problems, key, time);
    within(problems, at, horizon).unwrap_or_default()
}
