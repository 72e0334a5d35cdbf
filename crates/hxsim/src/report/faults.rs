//! What went wrong by plan, as reports list and draw it.

use std::collections::BTreeMap;

use serde::Serialize;
use simnet::{DiskFailure, Fault, Impairment, NodeId, Time};

use super::quantity::{duration, things};
use crate::metrics::Ratio;
use crate::scenario::Scenario;

/// A fault, as reports list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultSpan {
    /// Its kind in scenarios.
    pub kind: &'static str,
    /// When it begins.
    pub at_ns: u64,
    /// When it heals; null: never. That of a momentary fault is when it begins, and that of a node that goes is when it restarts.
    pub until_ns: Option<u64>,
    /// The node that comes or goes, lets go of something, or plays a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
}

/// A fault that waited until some part of the goal was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reacted {
    /// Which.
    pub fault: String,
    /// How much of the goal it waited for, in millionths.
    pub once_ppm: u32,
    /// The check that saw it; null: none did. The times of the fault count from there.
    pub dated_ns: Option<u64>,
}

impl FaultSpan {
    pub(super) fn is_momentary(&self) -> bool {
        self.until_ns == Some(self.at_ns)
    }
}

/// Everything that goes wrong in a scenario, in the order of the times. A restart is the end of what made it necessary.
pub(crate) fn spans(scenario: &Scenario) -> Vec<FaultSpan> {
    let schedule = scenario.faults();
    let lives = schedule.lives();
    let mut spans: Vec<_> = schedule
        .faults
        .iter()
        .filter_map(|fault| {
            let (kind, node) = match *fault {
                Fault::Partition { .. } => ("partition", None),
                Fault::Cut { .. } => ("cut", None),
                Fault::Join { node, .. } => ("join", Some(node)),
                Fault::Leave { node, .. } => ("leave", Some(node)),
                Fault::Crash { node, .. } => ("crash", Some(node)),
                Fault::Restart { .. } => return None,
                Fault::Impair { impairment, .. } => (impairment_name(impairment), None),
                Fault::ClockJump { node, .. } => ("clock_jump", Some(node)),
                Fault::ClockDrift { node, .. } => ("clock_drift", Some(node)),
                Fault::LoseDisk { node, .. } => ("disk_lost", Some(node)),
                Fault::FailDisk { failure, .. } => (failure_name(failure), None),
            };
            let back = |node| lives.starts_after(node, fault.at());
            let until = match *fault {
                Fault::Leave { node, .. } | Fault::Crash { node, .. } => back(node),
                _ => fault.healed(),
            };
            Some(FaultSpan {
                kind,
                at_ns: fault.at().as_nanos(),
                until_ns: until.map(Time::as_nanos),
                node,
            })
        })
        .collect();
    for eviction in &scenario.evictions {
        let at_ns = eviction.at.as_nanos();
        spans.extend(eviction.nodes.iter().map(|node| FaultSpan {
            kind: "evict",
            at_ns,
            until_ns: Some(at_ns),
            node: Some(*node),
        }));
    }
    spans.extend(scenario.roles.iter().map(|(node, role)| FaultSpan {
        kind: role.name(),
        at_ns: 0,
        until_ns: None,
        node: Some(*node),
    }));
    spans.sort_by_key(|fault| fault.at_ns);
    spans
}

/// What waited for something to happen in a scenario whose reactions are dated.
pub(crate) fn reactions(scenario: &Scenario) -> Vec<Reacted> {
    let reactions = scenario.reactions.iter().map(|reaction| Reacted {
        fault: format!("fault.{}", reaction.number),
        once_ppm: reaction.once.as_ppm(),
        dated_ns: reaction.dated.map(Time::as_nanos),
    });
    reactions.collect()
}

/// When what waited did so, in words.
pub(crate) fn told_of_reactions(reactions: &[Reacted]) -> String {
    let each = reactions.iter().map(|reacted| {
        let share = Ratio::new(reacted.once_ppm.into(), 10_000).to_string();
        let share = share.trim_end_matches('0').trim_end_matches('.');
        match reacted.dated_ns {
            Some(at) => format!(
                "{} from {} on, as {share}% was reached",
                reacted.fault,
                duration(at)
            ),
            None => format!("{} never, as {share}% was not reached", reacted.fault),
        }
    });
    each.collect::<Vec<_>>().join(" · ")
}

/// What it is called in scenarios.
const fn impairment_name(impairment: Impairment) -> &'static str {
    match impairment {
        Impairment::Block => "block",
        Impairment::Stall => "stall",
        Impairment::Delay(_) => "delay",
        Impairment::Lose(_) => "loss",
        Impairment::LoseInBursts(_) => "bursts",
        Impairment::Throttle(_) => "throttle",
        Impairment::Duplicate(_) => "duplicate",
        Impairment::Reorder { .. } => "reorder",
        Impairment::Corrupt(_) => "corrupt",
    }
}

/// What it is called in scenarios.
const fn failure_name(failure: DiskFailure) -> &'static str {
    match failure {
        DiskFailure::Full { .. } => "disk_full",
        DiskFailure::Unreadable => "disk_unreadable",
    }
}

/// The same as pictures have it: of those of one kind and of single nodes that overlap, one.
pub(super) fn bands(spans: &[FaultSpan]) -> Vec<FaultSpan> {
    let mut bands: Vec<FaultSpan> = Vec::new();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for span in spans {
        let until = |span: &FaultSpan| span.until_ns.unwrap_or(u64::MAX);
        let open = last.get(span.kind).map(|at| &mut bands[*at]);
        match open.filter(|open| span.node.is_some() && until(open) >= span.at_ns) {
            Some(open) if until(open) >= until(span) => {}
            Some(open) => open.until_ns = span.until_ns,
            None => {
                last.insert(span.kind, bands.len());
                bands.push(FaultSpan {
                    node: None,
                    ..span.clone()
                });
            }
        }
    }
    bands
}

/// Whether some node started after the others, before the run ended.
pub(super) fn start_nodes(spans: &[FaultSpan], ended_ns: u64) -> bool {
    spans.iter().any(|span| match span.kind {
        "join" => span.at_ns < ended_ns,
        "leave" | "crash" => span.until_ns.is_some_and(|until| until < ended_ns),
        _ => false,
    })
}

/// What the run ended before, in words; `None` if there is nothing.
pub(super) fn never(spans: &[FaultSpan], ended_ns: u64) -> Option<String> {
    let mut never = spans.iter().filter(|span| span.at_ns >= ended_ns);
    let first = never.next()?;
    let at = duration(first.at_ns);
    let others = never.count() as u64;
    Some(match others {
        0 => format!("the {} at {at}: the run was over", first.kind),
        _ => format!(
            "the {} at {at} and {} later: the run was over",
            first.kind,
            things(others, "fault", "faults")
        ),
    })
}

/// Who came and went until the run ended, in words; `None` if nobody did.
pub(super) fn comings(spans: &[FaultSpan], ended_ns: u64) -> Option<String> {
    let happened = |kind: &'static str| {
        spans
            .iter()
            .filter(move |span| span.kind == kind && span.at_ns < ended_ns)
    };
    let over = |span: &&FaultSpan| span.until_ns.is_some_and(|until| until < ended_ns);
    let gone = || happened("leave").chain(happened("crash"));
    let back = gone().filter(over).count();
    let parts = [
        (happened("join").count(), "joined"),
        (happened("leave").count(), "left"),
        (happened("crash").count(), "crashed"),
        (back, "restarted"),
        (happened("evict").count(), "evicted"),
        (gone().count() - back, "down at the end"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(kind: &'static str, at_ns: u64, until_ns: Option<u64>, node: u32) -> FaultSpan {
        FaultSpan {
            kind,
            at_ns,
            until_ns,
            node: Some(node),
        }
    }

    #[test]
    fn a_picture_shows_when_anybody_was_away() {
        let spans = [
            span("crash", 1, Some(5), 0),
            span("leave", 2, Some(3), 1),
            span("crash", 4, Some(8), 2),
            span("crash", 6, Some(7), 3),
            span("join", 9, Some(9), 4),
            span("join", 9, Some(9), 5),
            span("crash", 9, None, 6),
            span("crash", 11, Some(12), 0),
        ];
        let shown = bands(&spans);
        let shown: Vec<_> = shown
            .iter()
            .map(|it| (it.kind, it.at_ns, it.until_ns))
            .collect();
        assert_eq!(
            shown,
            [
                ("crash", 1, Some(8)),
                ("leave", 2, Some(3)),
                ("join", 9, Some(9)),
                ("crash", 9, None),
            ]
        );
        let words = comings(&spans, 12).expect("somebody came");
        assert_eq!(
            words,
            "2 joined · 1 left · 5 crashed · 4 restarted · 2 down at the end"
        );
        assert_eq!(comings(&spans, 1), None);
    }
}
