//! The summary for a terminal: the verdict, the picture, the numbers.

use super::picture::{Picture, ending};
use super::quantity::{bytes, count, duration, maybe_duration, things};
use super::text::wrap;
use super::{Failure, Missing, Outcome, Report, faults};

impl Report {
    /// The summary for a terminal, at most some 40 lines of 80 columns. Colour only if told.
    pub fn human(&self, colour: bool) -> String {
        let mut lines = vec![self.verdict(colour)];
        lines.extend(
            wrap(&self.question, WIDTH, 2)
                .iter()
                .map(|line| format!("  {line}")),
        );
        lines.push(String::new());
        if self.metrics.convergence.pairs > 0 {
            lines.extend(self.picture().lines(colour));
            lines.push(String::new());
        }
        let expected = self.expected().into_iter().enumerate();
        let expected = expected.map(|(number, text)| (["expected", ""][number.min(1)], text));
        for (label, text) in self.numbers().into_iter().chain(expected) {
            lines.push(format!("  {label:<11} {text}"));
        }
        lines.extend(self.troubles());
        lines.push(String::new());
        lines.join("\n")
    }

    /// How it ended, in one line without a newline. Colour only if told.
    pub fn verdict(&self, colour: bool) -> String {
        let missed = match self.missed() {
            0 => String::new(),
            missed => format!(
                ", {} {missed} of {} missed",
                if self.outcome == Outcome::Converged {
                    "but"
                } else {
                    "and"
                },
                things(
                    self.expectations.len() as u64,
                    "expectation",
                    "expectations"
                )
            ),
        };
        format!(
            "{}  {} · seed {} · digest {}",
            ending(self.outcome, self.over_ns(), &missed, colour),
            self.scenario,
            self.seed,
            self.digest
        )
    }

    pub(super) fn picture(&self) -> Picture<'_> {
        Picture {
            shown_ns: self.shown_ns(),
            whole: self.metrics.convergence.pairs,
            faults: &self.faults,
            reached: Box::new(|at_ns| self.delivered_at(at_ns)),
        }
    }

    fn numbers(&self) -> Vec<(&'static str, String)> {
        let convergence = &self.metrics.convergence;
        let overhead = &self.metrics.overhead;
        let network = &self.metrics.network;
        let mut rows = vec![
            (
                "network",
                format!(
                    "{} · {} · {}",
                    things(self.nodes.into(), "node", "nodes"),
                    things(self.edges, "edge", "edges"),
                    things(self.items, "hash", "hashes")
                ),
            ),
            (
                "deliveries",
                format!(
                    "{} of {} (beside {} held by their publishers)",
                    count(convergence.delivered),
                    count(convergence.pairs),
                    count(convergence.published)
                ),
            ),
            (
                "coverage",
                format!(
                    "t50 {} · t90 {} · t99 {} · t100 {}",
                    maybe_duration(convergence.t50_ns),
                    maybe_duration(convergence.t90_ns),
                    maybe_duration(convergence.t99_ns),
                    maybe_duration(convergence.t100_ns)
                ),
            ),
            (
                "hops",
                format!(
                    "LDH mean {:.1}, max {} · stretch mean {:.2}, max {:.2}",
                    overhead.ldh_mean,
                    overhead.ldh_max,
                    overhead.stretch_mean,
                    overhead.stretch_max
                ),
            ),
            (
                "redundancy",
                format!(
                    "RMR mean {}, max {} · {} bodies a delivery",
                    overhead.rmr_mean, overhead.rmr_max, overhead.duplicate_factor
                ),
            ),
            (
                "traffic",
                format!(
                    "{} = {:.2} × ideal · {:.1} control bytes a delivery",
                    bytes(network.accepted),
                    overhead.traffic_over_ideal,
                    overhead.control_bytes_per_delivery
                ),
            ),
            (
                "a node sent",
                format!(
                    "p50 {} · p99 {} · max {}",
                    bytes(overhead.node_bytes_p50),
                    bytes(overhead.node_bytes_p99),
                    bytes(overhead.node_bytes_max)
                ),
            ),
        ];
        // Those of bodies that were there from the start are the coverage.
        if convergence.delay_max_ns != convergence.t100_ns {
            let since = match faults::start_nodes(&self.faults, self.ended_ns) {
                true => "since publication or start",
                false => "since the publication",
            };
            let text = format!(
                "p50 {} · p99 {} · max {} {since}",
                maybe_duration(convergence.delay_p50_ns),
                maybe_duration(convergence.delay_p99_ns),
                maybe_duration(convergence.delay_max_ns)
            );
            rows.insert(3, ("delay", text));
        }
        if let Some(measured) = &self.measured {
            let hashes = things(measured.items, "hash", "hashes");
            let (from, until) = (duration(measured.from_ns), duration(measured.until_ns));
            let text = format!("{hashes} of {from} to {until}, and what was sent meanwhile");
            rows.insert(1, ("measured", text));
        }
        let undelivered = convergence.pairs - convergence.delivered;
        if self.outcome == Outcome::Converged && undelivered > 0 {
            let why = match self.lost.is_empty() {
                true => "no path leads there any more",
                false => "the hash is lost, or no path leads there any more",
            };
            let text = format!("{} of them: {why}", count(undelivered));
            rows.push(("out of reach", text));
        }
        if let Some(comings) = faults::comings(&self.faults, self.ended_ns) {
            rows.push(("nodes", comings));
            if let Some(availability) = convergence.availability {
                let text = format!(
                    "{availability:.4} of the time in which nodes could have a hash, they had it"
                );
                rows.push(("available", text));
            }
        }
        if !self.reactions.is_empty() {
            rows.push(("reactions", faults::told_of_reactions(&self.reactions)));
        }
        if let Some(never) = faults::never(&self.faults, self.ended_ns) {
            rows.push(("not reached", never));
        }
        let idle = overhead.idle_bytes_per_edge;
        if idle.denominator > 0 {
            let edges = things(idle.denominator, "edge", "edges");
            rows.push((
                "no body",
                format!("on {edges}, which cost {idle:.0} bytes each"),
            ));
        }
        let frames = self.frames();
        if !frames.is_empty() {
            rows.push(("frames", frames));
        }
        if network.retransmitted > 0 {
            rows.push(("sent again", bytes(network.retransmitted)));
        }
        if let Some(env) = &self.env {
            let text = format!("{} on {}", duration(env.wall_ns), env.machine);
            rows.push(("took", text));
        }
        rows
    }

    /// Messages and bytes by kind, two to a line.
    fn frames(&self) -> String {
        let frames = self.metrics.frames.iter();
        let each: Vec<String> = frames
            .filter(|frame| frame.frames > 0)
            .map(|frame| {
                let size = bytes(frame.content + frame.framing);
                format!("{:<9} {:>10} = {size}", frame.kind, count(frame.frames))
            })
            .collect();
        let lines = each.chunks(2).map(|pair| match pair {
            [one, other] => format!("{one:<34}{other}"),
            rest => rest.concat(),
        });
        lines.collect::<Vec<_>>().join("\n              ")
    }

    /// Each expectation with what was found.
    pub(super) fn expected(&self) -> Vec<String> {
        let judged = self.expectations.iter().map(|judged| {
            let mark = match judged.met {
                Some(true) => '✓',
                Some(false) => '✗',
                None => '?',
            };
            let (expectation, finding) = (&judged.expectation, judged.finding());
            format!("{mark} {expectation} · {finding}")
        });
        judged.collect()
    }

    fn troubles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(failure) = &self.failure {
            lines.push(String::new());
            lines.push(format!("  {}", failure.told()));
        }
        if self.missing_total > 0 {
            lines.push(String::new());
            lines.push(format!("  missing: {}", count(self.missing_total)));
            let same = |a: &Missing, b: &Missing| a.node == b.node && a.why == b.why;
            let mut shown = 0;
            for group in self.missing.chunk_by(same).take(TROUBLES) {
                shown += group.len() as u64;
                lines.extend(group_of_missing(group));
            }
            let more = self.missing_total.saturating_sub(shown);
            if more > 0 {
                lines.push(format!("    and {} more", count(more)));
            }
        }
        lines.extend(told_of_stuck(&self.stuck));
        for lost in self.lost.iter().take(TROUBLES) {
            let name = lost
                .name
                .as_ref()
                .map_or(String::new(), |name| format!(" ({name})"));
            lines.push(format!(
                "  lost: {}{name}, which no live node holds",
                lost.hash
            ));
        }
        lines
    }
}

impl Failure {
    /// The check, when and where it failed, and what was found, in one line.
    pub(crate) fn told(&self) -> String {
        let node = self.node.map_or(String::new(), |it| format!(", node {it}"));
        format!(
            "check `{}` failed at {}{node}: {}",
            self.check,
            duration(self.at_ns),
            self.detail
        )
    }
}

/// What tasks wait for that wait for ever.
pub(crate) fn told_of_stuck(stuck: &[String]) -> Vec<String> {
    if stuck.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        "  stuck: nothing will ever happen again".to_owned(),
    ];
    lines.extend(
        stuck
            .iter()
            .take(TROUBLES)
            .map(|task| format!("    {task}")),
    );
    if stuck.len() > TROUBLES {
        lines.push(format!("    and {} more", stuck.len() - TROUBLES));
    }
    lines
}

/// What one node lacks for one reason.
fn group_of_missing(group: &[Missing]) -> Vec<String> {
    let Some((first, others)) = group.split_first() else {
        return Vec::new();
    };
    let hash: String = first.hash.chars().take(12).collect();
    let name = first.name.as_ref();
    let name = name.map_or(String::new(), |name| format!(" ({name})"));
    let others = match others.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut lines = vec![format!("    node {} · {hash}{name}{others}", first.node)];
    let why = wrap(&first.why, WIDTH - 4, 4);
    lines.extend(why.iter().map(|line| format!("      {line}")));
    lines
}

/// Characters of a sentence that a line shows.
pub(crate) const WIDTH: usize = 76;
/// Of so many nodes a summary says what they lack, and it names so many lost hashes.
const TROUBLES: usize = 5;
