//! The summary for a terminal: the verdict, the picture, the numbers.

use super::quantity::{bytes, count, duration, maybe_duration, things};
use super::text::wrap;
use super::{FaultSpan, Missing, Outcome, Report, faults};

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
            lines.extend(self.picture(colour));
            lines.push(String::new());
        }
        for (label, text) in self.numbers() {
            lines.push(format!("  {label:<11} {text}"));
        }
        lines.extend(self.troubles());
        lines.push(String::new());
        lines.join("\n")
    }

    /// How it ended, in one line without a newline. Colour only if told.
    pub fn verdict(&self, colour: bool) -> String {
        let (mark, paint) = match self.outcome {
            Outcome::Converged => ("✓", GREEN),
            Outcome::NotConverged | Outcome::InvariantBroken => ("✗", RED),
            Outcome::Inconclusive | Outcome::Interrupted => ("?", YELLOW),
        };
        let at = match self.metrics.convergence.t100_ns {
            Some(t100) if self.outcome == Outcome::Converged => t100,
            _ => self.ended_ns,
        };
        let words = format!("{mark} {} at {}", self.outcome.words(), duration(at));
        format!(
            "{}  {} · seed {} · digest {}",
            painted(&words, paint, colour),
            self.scenario,
            self.seed,
            self.digest
        )
    }

    fn picture(&self, colour: bool) -> Vec<String> {
        let pairs = self.metrics.convergence.pairs.max(1);
        // How many eighths of a cell each column is high, at the end of the time that it stands for.
        let height = |column: u64| {
            let delivered = self.delivered_at(self.column_ns(column + 1));
            let eighths = u128::from(delivered) * u128::from(ROWS * 8) / u128::from(pairs);
            eighths as u64
        };
        let heights: Vec<u64> = (0..COLUMNS).map(height).collect();
        let mut lines: Vec<String> = (0..ROWS)
            .rev()
            .map(|row| {
                let label = match row {
                    _ if row == ROWS - 1 => "100 %",
                    0 => "0 %",
                    _ => "",
                };
                let cells: String = heights
                    .iter()
                    .map(|&height| BLOCKS[height.saturating_sub(row * 8).min(8) as usize])
                    .collect();
                let cells = painted(cells.trim_end(), BLUE, colour);
                format!("  {label:>5} │{cells}")
            })
            .collect();
        lines.push(format!("        └{}", self.axis()));
        let end = duration(self.shown_ns());
        let gap = (COLUMNS as usize).saturating_sub(end.chars().count() + 1);
        lines.push(format!("         0{:gap$}{end}{}", "", self.legend()));
        lines
    }

    /// The time that the left edge of a column stands for.
    fn column_ns(&self, column: u64) -> u64 {
        let ns = u128::from(self.shown_ns()) * u128::from(column) / u128::from(COLUMNS);
        // At most `shown_ns`, for a column is at most `COLUMNS`.
        ns as u64
    }

    fn axis(&self) -> String {
        let bands = faults::bands(&self.faults);
        (0..COLUMNS)
            .map(|column| {
                let (from, to) = (self.column_ns(column), self.column_ns(column + 1));
                let marks = bands.iter().filter_map(|fault| fault.mark(from, to));
                // A moment would vanish in what lasts.
                marks.max_by_key(|&mark| mark == CUT).unwrap_or('─')
            })
            .collect()
    }

    fn legend(&self) -> String {
        let kinds = self.faults.iter().map(|fault| {
            // A node that goes may be back at once, and still its kind is one that lasts.
            let lasts = !matches!(fault.kind, "cut" | "join" | "evict");
            (fault.kind, if lasts { SPAN } else { CUT })
        });
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort_unstable();
        kinds.dedup();
        let shown = kinds
            .into_iter()
            .map(|(kind, mark)| format!("  {mark} {kind}"));
        shown.collect()
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

    fn troubles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(failure) = &self.failure {
            let node = failure
                .node
                .map_or(String::new(), |node| format!(", node {node}"));
            lines.push(String::new());
            lines.push(format!(
                "  check `{}` failed at {}{node}: {}",
                failure.check,
                duration(failure.at_ns),
                failure.detail
            ));
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

impl FaultSpan {
    /// How a stretch of the axis shows that the fault is there.
    fn mark(&self, from: u64, to: u64) -> Option<char> {
        let momentary = self.is_momentary();
        let over = self.until_ns.is_some_and(|until| match momentary {
            true => until < from,
            false => until <= from,
        });
        let there = self.at_ns < to && !over;
        there.then_some(if momentary { CUT } else { SPAN })
    }
}

const CUT: char = '╳';
const SPAN: char = '━';
/// Characters of a sentence that a line shows.
const WIDTH: usize = 76;
const COLUMNS: u64 = 60;
const ROWS: u64 = 6;
/// Of so many nodes a summary says what they lack, and it names so many lost hashes.
const TROUBLES: usize = 5;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const GREEN: &str = "1;32";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const BLUE: &str = "34";

fn painted(text: &str, paint: &str, colour: bool) -> String {
    if colour && !text.is_empty() {
        format!("\x1b[{paint}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
