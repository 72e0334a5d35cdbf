//! From a document to a scenario.

use std::path::Path;
use std::time::Duration;

use simnet::{DiskModel, NodeId, Time};

use super::document::{Content, Value};
use super::quantity::{
    boolean, duration, integer, node_count, positive_duration, sentence, text, time, word,
};
use super::section::{Located, Problems, Section, Wrong};
use super::{
    Goal, NodeOptions, RunOptions, Scenario, Stop, Strategy, churn, expect, fault, measure,
    network, role, topology, workload,
};
use crate::topology::Topology;

/// Reads everything, so that all mistakes are found; `None` only if a diagnostic says why.
/// The scenario, and what is different where it is to be compared.
pub(super) fn scenario(
    problems: &mut Problems,
    root: &Value,
    path: &Path,
) -> Option<(Scenario, Vec<String>)> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut section = Section::open(problems, root, "the scenario")?;

    let example = "question = \"Does a split network catch up after it heals?\"";
    let question = section.required(problems, "question", example, sentence);
    let compare = section.or(problems, "compare", Vec::new(), settings);
    let nodes = section.required(problems, "nodes", "nodes = 100", node_count);
    let count = nodes.as_ref().map(|nodes| nodes.value);
    let seed = section.or(problems, "seed", 1, integer(0));

    let topology = topology::read(problems, &mut section, count, directory);
    let network = network::read(problems, &mut section, count, directory);
    let run = run(problems, &mut section);
    let horizon = run.as_ref().map(|run| run.horizon);
    let workload = workload::read(problems, &mut section, count, horizon, directory);
    let measure = measure::read(problems, &mut section, horizon, workload.as_ref());
    let node = node(problems, &mut section);
    let disk = disk(problems, &mut section);
    let faults = fault::read(problems, &mut section, count, horizon);
    let roles = role::read(problems, &mut section, count);
    let churn = churn::read(problems, &mut section, count, horizon, &faults, directory);
    // What is wrong with a workload is told where it stands.
    let published = (!section.has("workload") || workload.is_some()).then_some(workload.as_ref());
    if let (Some(workload), Some(count)) = (published, count) {
        fault::check_evictions(problems, &faults.evictions, workload, count, seed);
    }
    if let Some(network) = &network {
        let lookahead = network.links.lookahead();
        fault::check_reactions(problems, &faults.reactions, lookahead);
    }
    let ground = expect::Ground {
        nodes: count,
        horizon,
        topology: topology.as_ref(),
        workload: published,
        seed,
        schedule: &faults.schedule,
        lives: &faults.lives,
        steady: faults.lives.nodes().is_empty() && faults.reactions.is_empty() && churn.is_none(),
        calm: faults.is_empty() && churn.is_none() && roles.is_empty(),
        measured: measure.is_some(),
    };
    let expect = expect::read(problems, &mut section, &ground);
    section.close(problems);

    let mut named = faults.cuts;
    named.extend(
        network
            .iter()
            .flat_map(|network| network.named.iter().cloned()),
    );
    if let (Some(topology), Some(count)) = (&topology, count) {
        strangers(problems, &named, topology, count);
    }
    let network = network?;
    let scenario = Scenario {
        name: path.file_stem().map_or_else(
            || "unnamed".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        ),
        question: question?.value,
        baseline: None,
        nodes: count?,
        seed,
        topology: topology?,
        links: network.links,
        stream: network.stream,
        workload,
        disk,
        node,
        run: run?,
        measure,
        schedule: faults.schedule,
        fault_numbers: faults.numbers,
        reactions: faults.reactions.into_iter().map(|it| it.value).collect(),
        churn,
        roles,
        evictions: faults.evictions.into_iter().map(|it| it.value).collect(),
        expect,
    };
    Some((scenario, compare))
}

/// One setting, as `--set` takes it, or several.
fn settings(value: &Value) -> Result<Vec<String>, Wrong> {
    match &value.content {
        Content::Array(settings) => settings.iter().map(text).collect(),
        _ => Ok(vec![text(value)?]),
    }
}

/// Tells of links between nodes that are no neighbours, if all graphs of this topology are the same.
fn strangers(
    problems: &mut Problems,
    named: &[Located<(NodeId, NodeId)>],
    topology: &Topology,
    nodes: u32,
) {
    if named.is_empty() || topology.is_drawn() {
        return;
    }
    // What is wrong with the topology is told where it stands.
    let Ok(graph) = topology.graph(nodes, 0) else {
        return;
    };
    for Located {
        value: (a, b),
        place,
    } in named
    {
        if !graph.has_edge(*a, *b) {
            let message = format!("nodes {a} and {b} are no neighbours");
            let hint = match graph.neighbours(*a) {
                [] => format!("node {a} has none"),
                [first, ..] => format!("a neighbour of node {a} is node {first}"),
            };
            problems.add(place, message, hint);
        }
    }
}

fn node(problems: &mut Problems, root: &mut Section<'_>) -> NodeOptions {
    let default = NodeOptions::default();
    let Some(mut section) = root.section(problems, "node", "`[node]`") else {
        return default;
    };
    let strategy = word("strategy", &[("trade", Strategy::Trade)]);
    let backoff = section.given(problems, "backoff", default.backoff, positive_duration);
    let max = default.backoff_max;
    let max = section.given(problems, "backoff_max", max, positive_duration);
    if let (Some(backoff), Some(Located { value, place })) = (&backoff, &max)
        && *value < backoff.value
    {
        let hint = format!("at least `backoff`, {:?}", backoff.value);
        problems.add(place, "`backoff_max` is less than `backoff`", hint);
    }
    let node = NodeOptions {
        stall: section.or(problems, "stall", default.stall, positive_duration),
        backoff: backoff.map_or(default.backoff, |it| it.value),
        backoff_max: max.map_or(default.backoff_max, |it| it.value),
        batch: section.or(problems, "batch", default.batch, integer(1)),
        strategy: section.or(problems, "strategy", default.strategy, strategy),
        durable: section.or(problems, "durable", default.durable, boolean),
    };
    section.close(problems);
    node
}

fn disk(problems: &mut Problems, root: &mut Section<'_>) -> DiskModel {
    let default = DiskModel::default();
    let Some(mut section) = root.section(problems, "disk", "`[disk]`") else {
        return default;
    };
    let disk = DiskModel {
        read: section.or(problems, "read", default.read, duration),
        write: section.or(problems, "write", default.write, duration),
        sync: section.or(problems, "sync", default.sync, duration),
    };
    section.close(problems);
    disk
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

    let Located {
        value: horizon,
        place: end,
    } = horizon?;
    let every = check_every.as_ref().map(|it| it.value);
    let every = every.unwrap_or(default.min(horizon));
    let checks = horizon.as_nanos() / every.as_nanos();
    if checks > CHECKS_MAX {
        let place = check_every.as_ref().map_or(&end, |it| &it.place);
        let message = format!("{checks} checks are too many, every {every:?} up to {horizon:?}");
        let least = Duration::from_nanos(horizon.as_nanos().div_ceil(CHECKS_MAX) as u64);
        let hint = format!("with `check_every = \"{least:?}\"` there are {CHECKS_MAX}");
        problems.add(place, message, hint);
    }
    if let Some(Located { value, place }) = &check_every
        && *value > horizon
    {
        let hint = format!("at most the horizon, {horizon:?}");
        problems.add(place, "no check falls within the run", hint);
    }
    Some(RunOptions {
        horizon: Time::ZERO + horizon,
        check_every: every,
        stop,
        goal,
    })
}

/// A run that looks at its nodes more often does little else.
const CHECKS_MAX: u128 = 1_000_000;

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

/// An instant at which something can still happen.
pub(super) fn before_end(
    problems: &mut Problems,
    at: Option<Located<Time>>,
    horizon: Option<Time>,
) -> Option<Time> {
    if let (Some(Located { value, place }), Some(end)) = (&at, horizon)
        && *value == end
    {
        let hint = format!("earlier than the horizon, {end}");
        problems.add(place, "the run ends before this happens", hint);
    }
    within(problems, at, horizon)
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
