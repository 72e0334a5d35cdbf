//! `[[fault]]`: what goes wrong, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use simnet::{
    DiskFailure, Fault, GilbertElliott, Impairment, LinkSet, Lives, NodeId, Probability, Schedule,
    Time,
};

use super::document::{Content, Value};
use super::quantity::{
    bandwidth, bodies, duration, nodes as node_set, pace, pair, positive_duration, probability,
    signed_duration, size, time, word,
};
use super::read::before_end;
use super::section::{Located, Problems, Section, Wrong};
use super::{Eviction, Reaction};
use crate::diagnostic::Place;
use crate::workload::Workload;

/// All `[[fault]]`s.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) schedule: Schedule,
    /// Of each fault of the schedule, which `[[fault]]` it comes from.
    pub(super) numbers: Vec<u32>,
    pub(super) lives: Lives,
    pub(super) evictions: Vec<Located<Eviction>>,
    /// Each where its date is.
    pub(super) reactions: Vec<Located<Reaction>>,
    /// The links that are cut, each where it is named.
    pub(super) cuts: Vec<Located<(NodeId, NodeId)>>,
}

impl Faults {
    pub(super) const fn is_empty(&self) -> bool {
        self.schedule.faults.is_empty() && self.evictions.is_empty() && self.reactions.is_empty()
    }
}

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Faults {
    let mut all = Faults::default();
    let mut places = Vec::new();
    let sections = root.sections(problems, "fault", "`[[fault]]`");
    for (number, section) in (0..).zip(sections) {
        let place = section.place().clone();
        let Some((what, once)) = fault(problems, section, nodes, horizon) else {
            continue;
        };
        let faults = match what {
            What::Cut(at, between) => {
                let cut = Fault::Cut {
                    at,
                    between: between.value,
                };
                all.cuts.push(between);
                vec![cut]
            }
            What::Faults(faults) => faults,
            What::Eviction(eviction) => {
                all.evictions.push(eviction);
                continue;
            }
        };
        match once {
            Some(once) => all.reactions.push(Located {
                value: Reaction {
                    once: once.value,
                    faults,
                    number,
                    dated: None,
                },
                place: once.place,
            }),
            None => {
                places.resize(places.len() + faults.len(), place);
                all.numbers.resize(places.len(), number);
                all.schedule.faults.extend(faults);
            }
        }
    }
    all.lives = all.schedule.lives();
    misfits(problems, &all, &places);
    all
}

/// Nodes that start when they are up, or stop when they are not; of each `[[fault]]` the first.
fn misfits(problems: &mut Problems, all: &Faults, places: &[Place]) {
    let mut misfits = all.lives.misfits();
    misfits.sort_by_key(|misfit| misfit.fault);
    misfits.dedup_by_key(|misfit| all.numbers[misfit.fault]);
    for misfit in misfits {
        let hint = match misfit.verb {
            "join" => "a node joins once, and is absent before; what comes back restarts",
            "restart" => "a node restarts after it left or crashed",
            _ => "a node that stopped starts before it can stop again",
        };
        problems.add(&places[misfit.fault], misfit.to_string(), hint);
    }
}

/// Holds evictions against what is published.
pub(super) fn check_evictions(
    problems: &mut Problems,
    evictions: &[Located<Eviction>],
    workload: Option<&Workload>,
    nodes: u32,
    seed: u64,
) {
    if evictions.is_empty() {
        return;
    }
    let items = workload.map_or(Ok(Vec::new()), |workload| workload.items(nodes, seed));
    // If files cannot be read the run says so.
    let Ok(items) = items else { return };
    for Located { value, place } in evictions {
        for number in &value.bodies {
            let Some(item) = items.get(*number as usize) else {
                let hint = match items.len() {
                    0 => "nothing is published".into(),
                    count => format!("the bodies are 0..{count}"),
                };
                problems.add(place, format!("there is no body {number}"), hint);
                break;
            };
            if value.at <= item.at {
                let message = format!("body {number} is not published before {}", item.at);
                problems.add(place, message, "nobody has it at `at`: evict it later");
                break;
            }
        }
    }
}

/// What one `[[fault]]` comes to.
enum What {
    Faults(Vec<Fault>),
    Cut(Time, Located<(NodeId, NodeId)>),
    /// Its place is that of the bodies.
    Eviction(Located<Eviction>),
}

#[derive(Clone, Copy)]
enum Kind {
    Partition,
    Cut,
    Join,
    Life(fn(Time, NodeId) -> Fault),
    Impair(Effect),
    FailDisk(Failing),
    Restart,
    Evict,
    Slow,
    Jump,
    Drift,
}

/// How a disk fails for a while.
#[derive(Clone, Copy)]
enum Failing {
    Full,
    Unreadable,
}

/// How links are worse for a while.
#[derive(Clone, Copy)]
enum Effect {
    Block,
    Stall,
    Delay,
    Lose,
    LoseInBursts,
    Throttle,
    Duplicate,
    Reorder,
    Corrupt,
}

fn fault(
    problems: &mut Problems,
    mut section: Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Option<(What, Option<Located<Probability>>)> {
    const KINDS: [(&str, Kind); 21] = [
        ("partition", Kind::Partition),
        ("cut", Kind::Cut),
        ("join", Kind::Join),
        ("leave", Kind::Life(|at, node| Fault::Leave { at, node })),
        ("crash", Kind::Life(|at, node| Fault::Crash { at, node })),
        ("restart", Kind::Restart),
        ("evict", Kind::Evict),
        ("block", Kind::Impair(Effect::Block)),
        ("stall", Kind::Impair(Effect::Stall)),
        ("delay", Kind::Impair(Effect::Delay)),
        ("loss", Kind::Impair(Effect::Lose)),
        ("bursts", Kind::Impair(Effect::LoseInBursts)),
        ("throttle", Kind::Impair(Effect::Throttle)),
        ("duplicate", Kind::Impair(Effect::Duplicate)),
        ("reorder", Kind::Impair(Effect::Reorder)),
        ("corrupt", Kind::Impair(Effect::Corrupt)),
        ("slow", Kind::Slow),
        ("clock_jump", Kind::Jump),
        ("clock_drift", Kind::Drift),
        ("disk_full", Kind::FailDisk(Failing::Full)),
        ("disk_unreadable", Kind::FailDisk(Failing::Unreadable)),
    ];
    let kind = word("fault", &KINDS);
    let kind = section.required(problems, "kind", "kind = \"partition\"", kind)?;
    // What is to come from the start on is known, and so is when something is let go of.
    let may_wait = !matches!(kind.value, Kind::Evict | Kind::Join);
    let once = may_wait.then(|| section.optional(problems, "once", probability));
    let once = once.flatten();
    let is_dated = !(may_wait && section.has("once"));
    // Times since something happens may be as long as they like.
    let horizon = horizon.filter(|_| is_dated);
    let at = section.required(problems, "at", "at = \"1s\"", time);
    let at = before_end(problems, at, horizon);
    let what = match kind.value {
        Kind::Partition => {
            let partition = partition(problems, &mut section, nodes, at, horizon);
            partition.map(|partition| What::Faults(vec![partition]))
        }
        Kind::Cut => {
            let example = "between = [0, 1]";
            let between = section.required(problems, "between", example, pair(nodes));
            between.zip(at).map(|(between, at)| What::Cut(at, between))
        }
        Kind::Join => life(problems, &mut section, nodes, at, horizon, |at, node| {
            Fault::Join { at, node }
        }),
        Kind::Life(of) => life(problems, &mut section, nodes, at, horizon, of),
        Kind::Restart => restart(problems, &mut section, nodes, at, horizon),
        Kind::FailDisk(failing) => {
            let failed = fail_disk(problems, &mut section, nodes, at, horizon, failing);
            failed.map(|failed| What::Faults(vec![failed]))
        }
        Kind::Impair(effect) => {
            let impaired = impair(problems, &mut section, nodes, at, horizon, effect);
            impaired.map(|impaired| What::Faults(vec![impaired]))
        }
        Kind::Evict => eviction(problems, &mut section, nodes, at),
        Kind::Slow => slow(problems, &mut section, nodes, at, horizon),
        Kind::Jump => clock_jump(problems, &mut section, nodes, at),
        Kind::Drift => clock_drift(problems, &mut section, nodes, at, horizon),
    };
    section.close(problems);
    // What is wrong with a share is told where it stands.
    (is_dated == once.is_none()).then_some((what?, once))
}

/// Holds what waits for something to happen against the lookahead: whatever is done at one node comes to another no sooner.
pub(super) fn check_reactions(
    problems: &mut Problems,
    reactions: &[Located<Reaction>],
    lookahead: Duration,
) {
    for Located { value, place } in reactions {
        let soonest = value.faults.iter().map(|fault| fault.at().elapsed()).min();
        if soonest.is_some_and(|soonest| soonest < lookahead) {
            let message = "`at` is too soon for what waits for something to happen";
            let hint = format!("at least the least latency, {lookahead:?}, behind it");
            problems.add(place, message, hint);
        }
    }
}

/// A fault of each of some nodes, at once or one after the other.
fn life(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
    of: fn(Time, NodeId) -> Fault,
) -> Option<What> {
    let named = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
    let spread = section.optional(problems, "spread", duration);
    let (nodes, at) = (named?.value, at?);
    let last = spread.map(|Located { value, place }| Located {
        value: at + value,
        place,
    });
    let lasts = before_end(problems, last, horizon).map_or(Duration::ZERO, |last| last.since(at));
    let gaps = nodes.len().saturating_sub(1).max(1) as u128;
    let faults = (0..).zip(nodes).map(|(number, node): (u128, _)| {
        let after = lasts.as_nanos() * number / gaps;
        // No more than what it is a part of.
        of(at + Duration::from_nanos(after as u64), node)
    });
    Some(What::Faults(faults.collect()))
}

/// Restarts, each with the node's disk as it was or with another one.
fn restart(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
) -> Option<What> {
    let fates = [("kept", false), ("lost", true)];
    let is_lost = section.or(problems, "disk", false, word("fate of a disk", &fates));
    let of = |at, node| Fault::Restart { at, node };
    let Some(What::Faults(restarts)) = life(problems, section, nodes, at, horizon, of) else {
        return None;
    };
    let faults = restarts.into_iter().flat_map(|restart| {
        let lost = match restart {
            Fault::Restart { at, node } if is_lost => Some(Fault::LoseDisk { at, node }),
            _ => None,
        };
        lost.into_iter().chain([restart])
    });
    Some(What::Faults(faults.collect()))
}

fn fail_disk(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
    failing: Failing,
) -> Option<Fault> {
    let until = until(problems, section, at, horizon);
    let nodes = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
    let failure = match failing {
        Failing::Full => {
            let capacity = section.or(problems, "capacity", 0, size);
            let capacity = capacity.into();
            DiskFailure::Full { capacity }
        }
        Failing::Unreadable => DiskFailure::Unreadable,
    };
    Some(Fault::FailDisk {
        at: at?,
        until,
        nodes: nodes?.value,
        failure,
    })
}

fn eviction(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
) -> Option<What> {
    let nodes = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
    let Located { value, place } = section.required(problems, "bodies", "bodies = [0]", bodies)?;
    let value = Eviction {
        at: at?,
        nodes: nodes?.value,
        bodies: value,
    };
    Some(What::Eviction(Located { value, place }))
}

/// Nodes that see to what has come to them later than it came.
fn slow(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
) -> Option<What> {
    let until = until(problems, section, at, horizon);
    let nodes = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
    let by = section.required(problems, "by", "by = \"200ms\"", positive_duration);
    Some(What::Faults(vec![Fault::Impair {
        at: at?,
        until,
        links: LinkSet::To(nodes?.value),
        impairment: Impairment::Delay(by?.value),
    }]))
}

fn clock_jump(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
) -> Option<What> {
    let nodes = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
    let by = section.required(problems, "by", "by = \"-1h\"", signed_duration);
    let (at, by_ns) = (at?, by?.value);
    let jumps = nodes?.value.into_iter();
    let jumps = jumps.map(|node| Fault::ClockJump { at, node, by_ns });
    Some(What::Faults(jumps.collect()))
}

fn clock_drift(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
) -> Option<What> {
    let until = until(problems, section, at, horizon);
    let nodes = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
    let pace = section.required(problems, "by", "by = \"200ppm\"", pace);
    let (at, ppm) = (at?, pace?.value);
    let drifts = nodes?.value.into_iter().map(|node| Fault::ClockDrift {
        at,
        until,
        node,
        ppm,
    });
    Some(What::Faults(drifts.collect()))
}

/// Links that are worse for a while.
fn impair(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
    effect: Effect,
) -> Option<Fault> {
    let until = until(problems, section, at, horizon);
    let links = links(problems, section, nodes);
    let impairment = match effect {
        Effect::Block => Some(Impairment::Block),
        Effect::Stall => Some(Impairment::Stall),
        Effect::Delay => section
            .required(problems, "by", "by = \"200ms\"", positive_duration)
            .map(|by| Impairment::Delay(by.value)),
        Effect::Lose => section
            .required(problems, "loss", "loss = \"30%\"", probability)
            .map(|loss| Impairment::Lose(loss.value)),
        Effect::LoseInBursts => bursts(problems, section),
        Effect::Throttle => section
            .required(problems, "bandwidth", "bandwidth = \"1MiB/s\"", bandwidth)
            .map(|bandwidth| Impairment::Throttle(bandwidth.value)),
        Effect::Duplicate => chance(problems, section).map(Impairment::Duplicate),
        Effect::Reorder => {
            let chance = chance(problems, section);
            let example = "detour = \"50ms\"";
            let detour = section.required(problems, "detour", example, positive_duration);
            chance
                .zip(detour)
                .map(|(chance, detour)| Impairment::Reorder {
                    chance,
                    detour: detour.value,
                })
        }
        Effect::Corrupt => chance(problems, section).map(Impairment::Corrupt),
    };
    Some(Fault::Impair {
        at: at?,
        until,
        links: links?,
        impairment: impairment?,
    })
}

fn chance(problems: &mut Problems, section: &mut Section<'_>) -> Option<Probability> {
    let chance = section.required(problems, "chance", "chance = \"5%\"", probability);
    chance.map(|chance| chance.value)
}

/// Losses while links are bad: all, unless `loss` says less.
fn bursts(problems: &mut Problems, section: &mut Section<'_>) -> Option<Impairment> {
    let good = section.required(problems, "good", "good = \"9s\"", positive_duration);
    let bad = section.required(problems, "bad", "bad = \"1s\"", positive_duration);
    let has_loss = section.has("loss");
    let loss = section.optional(problems, "loss", probability);
    let bursts = GilbertElliott::bursts(good?.value, bad?.value);
    let loss_bad = match has_loss {
        true => loss?.value,
        false => bursts.loss_bad,
    };
    Some(Impairment::LoseInBursts(GilbertElliott {
        loss_bad,
        ..bursts
    }))
}

/// `nodes`: the links from and to these; `from` and `to`: those of one direction; none of them: all.
fn links(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
) -> Option<LinkSet> {
    let around = section.has("nodes");
    let named = section.optional(problems, "nodes", node_set(nodes));
    let (has_from, has_to) = (section.has("from"), section.has("to"));
    let from = section.optional(problems, "from", node_set(nodes));
    let to = section.optional(problems, "to", node_set(nodes));
    if around {
        if let Some(directed) = from.as_ref().or(to.as_ref()) {
            let hint = "`nodes` is for both directions: leave it out";
            let message = "links are named twice";
            problems.add(&directed.place, message, hint);
        }
        return named.map(|named| LinkSet::Around(named.value));
    }
    let (from, to) = (from.map(|it| it.value), to.map(|it| it.value));
    match (has_from, has_to) {
        (false, false) => Some(LinkSet::All),
        (true, false) => from.map(LinkSet::From),
        (false, true) => to.map(LinkSet::To),
        (true, true) => Some(LinkSet::Between(from?, to?)),
    }
}

/// When something is over that has a beginning; by default never.
fn until(
    problems: &mut Problems,
    section: &mut Section<'_>,
    at: Option<Time>,
    horizon: Option<Time>,
) -> Option<Time> {
    let Located { value, place } = section.optional(problems, "until", time)?;
    if let Some(end) = horizon
        && value >= end
    {
        let hint = "leave it out: within this run it is never over";
        problems.add(&place, format!("the run ends at {end}, before this"), hint);
    }
    if let Some(at) = at
        && value <= at
    {
        let message = "this is over before it begins";
        problems.add(&place, message, format!("later than `at`, {at}"));
    }
    Some(value)
}

fn partition(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    at: Option<Time>,
    horizon: Option<Time>,
) -> Option<Fault> {
    let until = until(problems, section, at, horizon);
    let example = "groups = [\"0..50\", \"50..100\"]";
    let groups = section.required(problems, "groups", example, |value| groups(value, nodes));
    Some(Fault::Partition {
        at: at?,
        until,
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
