//! `[expect]`: what the figures of a run shall be.

use std::collections::BTreeSet;
use std::time::Duration;

use simnet::{Fault, Lives, NodeId, Probability, Schedule, Time};

use super::document::Value;
use super::quantity::{DURATIONS, scaled, text};
use super::section::{Problems, Section, Wrong};
use crate::diagnostic::nearest;
use crate::expect::{Bound, Condition, Expectation};
use crate::figure::{FIGURES, Figure, Limit, Needs, Unit};
use crate::metrics::Ratio;
use crate::topology::Topology;
use crate::workload::{Arrivals, Share, Workload};

/// What decides whether an expectation can be evaluated; `None` is what could not be read.
pub(super) struct Ground<'a> {
    pub(super) nodes: Option<u32>,
    pub(super) horizon: Option<Time>,
    pub(super) topology: Option<&'a Topology>,
    pub(super) workload: Option<Option<&'a Workload>>,
    pub(super) seed: u64,
    /// What goes wrong by `[[fault]]`.
    pub(super) schedule: &'a Schedule,
    /// Who comes and goes, but for what `[churn]` draws.
    pub(super) lives: &'a Lives,
    /// Nobody comes or goes.
    pub(super) steady: bool,
    /// Nothing goes wrong at all.
    pub(super) calm: bool,
    pub(super) measured: bool,
}

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    ground: &Ground<'_>,
) -> Vec<Expectation> {
    let Some(section) = root.section(problems, "expect", "`[expect]`") else {
        return Vec::new();
    };
    let mut expectations = Vec::new();
    for (name, place, value) in section.entries() {
        let Some(figure) = Figure::named(name) else {
            let wrong = unknown(name);
            problems.add(place, wrong.message, wrong.hint);
            continue;
        };
        if let Some(why) = ground.never_defined(figure) {
            let message = format!("`{name}` can never be evaluated here");
            problems.add(place, message, why);
        }
        let read = |value: &Value| {
            let expectation = expectation(figure, value)?;
            ground.open(&expectation)?;
            Ok(expectation)
        };
        expectations.extend(problems.accept(value, read).map(|it| it.value));
    }
    expectations
}

fn unknown(name: &str) -> Wrong {
    let known: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    // Whoever looks at rows knows the column.
    let word = name.trim_end_matches("_ns");
    let meant = Figure::named(word).map(|figure| figure.name);
    let hint = match meant.or_else(|| nearest(word, &known)) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => "`hxsim figures` lists them all".into(),
    };
    Wrong::new(format!("unknown figure `{name}` in `[expect]`"), hint)
}

fn expectation(figure: &'static Figure, value: &Value) -> Result<Expectation, Wrong> {
    let hint = format!("for example {} = {}", figure.name, figure.unit.example());
    let text = text(value).map_err(|_| Wrong::kind(value, &*hint))?;
    let bound = |text: &str, inclusive| {
        let at = amount(figure.unit, text).ok_or_else(|| {
            let message = match text.trim() {
                "" => "a value is missing here".into(),
                text => format!("`{text}` is not {}", figure.unit.noun()),
            };
            Wrong::new(message, &*hint)
        })?;
        Ok(Some(Bound { at, inclusive }))
    };
    let text = text.trim();
    let (low, high) = if let Some(at) = text.strip_prefix("<=") {
        (None, bound(at, true)?)
    } else if let Some(at) = text.strip_prefix(">=") {
        (bound(at, true)?, None)
    } else if let Some(at) = text.strip_prefix('<') {
        (None, bound(at, false)?)
    } else if let Some(at) = text.strip_prefix('>') {
        (bound(at, false)?, None)
    } else if let Some(at) = text.strip_prefix('=') {
        (bound(at, true)?, bound(at, true)?)
    } else if let Some((from, to)) = text.split_once("..") {
        (bound(from, true)?, bound(to, false)?)
    } else {
        let message = format!("`{text}` compares with nothing");
        let hint = format!("{hint}; or a range, `A..B`, which ends before B");
        return Err(Wrong::new(message, hint));
    };
    if let (Some(low), Some(high)) = (low, high)
        && (low.at.compare(&high.at).is_ge() && !high.inclusive)
    {
        let hint = "`A..B` begins with A and ends before B";
        return Err(Wrong::new(format!("nothing lies in `{text}`"), hint));
    }
    Ok(Expectation {
        figure,
        condition: Condition { low, high },
        text: text.to_owned(),
    })
}

/// A number with its unit, exactly.
fn amount(unit: Unit, text: &str) -> Option<Ratio> {
    const MILLION: u64 = 1_000_000;
    const SIZES: [(&str, u64); 5] = [
        ("", MILLION),
        ("B", MILLION),
        ("KiB", MILLION << 10),
        ("MiB", MILLION << 20),
        ("GiB", MILLION << 30),
    ];
    let (number, denominator) = match unit {
        Unit::Time => (scaled(text, &DURATIONS), 1),
        Unit::Bytes => (scaled(text, &SIZES), MILLION),
        Unit::Count => (scaled(text, &[("", MILLION)]), MILLION),
        Unit::Ratio => (
            scaled(text, &[("", MILLION), ("%", MILLION / 100)]),
            MILLION,
        ),
    };
    Some(Ratio::new(number?, denominator))
}

impl Ground<'_> {
    /// Fails if the answer is known beforehand.
    fn open(&self, expectation: &Expectation) -> Result<(), Wrong> {
        let Expectation {
            figure,
            condition,
            text,
        } = expectation;
        let (greatest, why) = match figure.limit {
            Limit::Unlimited => (None, format!("`{}` is 0 or more", figure.name)),
            Limit::Whole => (
                Some(Ratio::new(1, 1)),
                format!("`{}` is a share of 0% to 100%", figure.name),
            ),
            Limit::Horizon => match self.horizon {
                Some(horizon) => (
                    Some(Ratio::new(horizon.as_nanos(), 1)),
                    format!("no time is later than the horizon, {horizon}"),
                ),
                // What is wrong with the horizon is told where it stands.
                None => return Ok(()),
            },
            Limit::Hops => match self.nodes.filter(|_| self.calm) {
                Some(nodes) => (
                    Some(Ratio::new(u64::from(nodes) - 1, 1)),
                    format!(
                        "no way through {nodes} nodes has more than {} hops",
                        nodes - 1
                    ),
                ),
                // Whoever comes back may get once more what it has passed on.
                None => (None, format!("`{}` is 0 or more", figure.name)),
            },
        };
        match condition.foregone(greatest) {
            None => Ok(()),
            Some(true) => {
                let from_zero = condition.high.is_none();
                let why = if from_zero {
                    format!("`{}` is 0 or more", figure.name)
                } else {
                    why
                };
                Err(Wrong::new(format!("`{text}` can never be missed"), why))
            }
            Some(false) => Err(Wrong::new(format!("`{text}` can never be met"), why)),
        }
    }

    /// Why the figure will be undefined however the run goes; `None` if it may well be defined.
    fn never_defined(&self, figure: &Figure) -> Option<&'static str> {
        let workload = self.workload?;
        match figure.needs {
            Needs::Nothing => None,
            Needs::Hashes => self.nothing_published(workload),
            Needs::Absences => self.steady.then_some("nobody comes or goes"),
            Needs::IdleEdge if self.nodes == Some(1) => Some("one node has no edges"),
            Needs::IdleEdge => self.no_edge_idle(workload?),
            Needs::Delivery => self
                .nothing_published(workload)
                .or_else(|| self.nothing_to_deliver(workload?)),
            Needs::Coverage if self.is_cut_off(figure, workload?) => {
                Some("a partition that never heals keeps too many nodes from what is published")
            }
            Needs::Pairs | Needs::Coverage | Needs::Kept | Needs::Complete | Needs::Payload => self
                .nothing_published(workload)
                .or_else(|| self.nothing_to_deliver(workload?))
                .or_else(|| self.nobody_to_judge(workload?)),
        }
    }

    fn nothing_published(&self, workload: Option<&Workload>) -> Option<&'static str> {
        match workload {
            None => Some("nothing is published without a `[workload]`"),
            Some(Workload::Bodies(bodies)) if bodies.is_empty() => Some("nothing is published"),
            Some(_) => None,
        }
    }

    fn nothing_to_deliver(&self, workload: &Workload) -> Option<&'static str> {
        let nodes = self.nodes?;
        match nodes {
            1 => Some("one node has nobody to deliver to"),
            _ => {
                let all = held_by_all(workload, nodes, &[]);
                all.then_some("every node holds everything from the start")
            }
        }
    }

    /// Whether partitions that stand from the start to the end leave too few nodes within reach of those that hold something for so many pairs to be
    /// delivered as the figure's name says.
    fn is_cut_off(&self, figure: &Figure, workload: &Workload) -> bool {
        let percent: Option<u64> = figure.name.strip_prefix('t').and_then(|it| it.parse().ok());
        let (Some(percent), Some(nodes)) = (percent, self.nodes) else {
            return false;
        };
        let sides = self.schedule.faults.iter().filter_map(|fault| match fault {
            Fault::Partition {
                at: Time::ZERO,
                until: None,
                groups,
            } => Some(groups),
            _ => None,
        });
        // Which side of each of them a node is on; 0 is that of all that no group names.
        let mut side = vec![Vec::new(); nodes as usize];
        for groups in sides {
            side.iter_mut().for_each(|side| side.push(0));
            for (number, group) in (1..).zip(groups) {
                for node in group {
                    side[*node as usize].pop();
                    side[*node as usize].push(number);
                }
            }
        }
        // If files cannot be read the run says so.
        let items = match side.first() {
            Some(first) if !first.is_empty() => workload.items(nodes, self.seed),
            _ => return false,
        };
        let (mut reached, mut all) = (0, 0);
        for item in items.unwrap_or_default() {
            let sides: BTreeSet<_> = item.holders.iter().map(|it| &side[*it as usize]).collect();
            let holders = item.holders.len() as u64;
            let within = side.iter().filter(|side| sides.contains(side)).count() as u64;
            reached += within - holders;
            all += u64::from(nodes) - holders;
        }
        100 * reached < percent * all
    }

    /// Figures of pairs are those of nodes that are up at the end.
    fn nobody_to_judge(&self, workload: &Workload) -> Option<&'static str> {
        let nodes = self.nodes?;
        // What happens at the horizon is no part of the run.
        let last = self.horizon? - Duration::from_nanos(1);
        let mut gone = self.lives.nodes();
        gone.retain(|node| self.lives.down(*node, last).is_some());
        if gone.len() == nodes as usize {
            return Some("no node is up at the end");
        }
        held_by_all(workload, nodes, &gone)
            .then_some("every node that is up at the end holds everything by itself")
    }

    /// Where every edge is the only way to what lies behind it, bodies of one holder each go over all of them.
    fn no_edge_idle(&self, workload: &Workload) -> Option<&'static str> {
        let tree = matches!(
            self.topology?,
            Topology::Line | Topology::Star | Topology::Tree { .. }
        );
        let alone = match workload {
            Workload::Synthetic(synthetic) => {
                synthetic.share == Share::Each(Probability::ZERO)
                    && matches!(synthetic.arrivals, Arrivals::At(_))
            }
            _ => false,
        };
        (tree && alone && self.calm && !self.measured)
            .then_some("every edge carries a body: there is no other way to the nodes behind it")
    }
}

/// Whether each node gets every body from the workload; those that are `gone` do not count.
fn held_by_all(workload: &Workload, nodes: u32, gone: &[NodeId]) -> bool {
    let all = nodes as usize - gone.len();
    let stays = |node: &&NodeId| gone.binary_search(node).is_err();
    match workload {
        Workload::Bodies(bodies) => bodies
            .iter()
            .all(|body| body.nodes.iter().filter(stays).count() == all),
        Workload::Synthetic(synthetic) => synthetic.share == Share::Each(Probability::ONE),
        Workload::Several(workloads) => workloads.iter().all(|one| held_by_all(one, nodes, gone)),
        Workload::Directory { .. } => false,
    }
}
