//! A share that grows over time, drawn with characters, and the words above it.

use super::quantity::duration;
use super::{FaultSpan, Outcome, faults};

/// How a run ended and when, with its mark; `but` says what was not as it should be all the same. Colour only if told.
pub(crate) fn ending(outcome: Outcome, at_ns: u64, but: &str, colour: bool) -> String {
    let (mark, paint) = match outcome {
        Outcome::Converged if but.is_empty() => ("✓", GREEN),
        Outcome::Converged | Outcome::NotConverged | Outcome::InvariantBroken => ("✗", RED),
        Outcome::Inconclusive | Outcome::Interrupted => ("?", YELLOW),
    };
    let words = format!("{mark} {} at {}{but}", outcome.words(), duration(at_ns));
    painted(&words, paint, colour)
}

/// A share over time, with the faults below it.
pub(crate) struct Picture<'a> {
    /// Where the time axis ends; at least 1.
    pub(crate) shown_ns: u64,
    /// What there is to reach.
    pub(crate) whole: u64,
    /// What went wrong meanwhile.
    pub(crate) faults: &'a [FaultSpan],
    /// What is reached at an instant.
    pub(crate) reached: Box<dyn Fn(u64) -> u64 + 'a>,
}

impl Picture<'_> {
    /// The lines of the picture. Colour only if told.
    pub(crate) fn lines(&self, colour: bool) -> Vec<String> {
        let heights: Vec<u64> = (1..=COLUMNS)
            .map(|end| self.height(self.column_ns(end), ROWS))
            .collect();
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
        let end = duration(self.shown_ns);
        let gap = (COLUMNS as usize).saturating_sub(end.chars().count() + 1);
        lines.push(format!("         0{:gap$}{end}{}", "", self.legend()));
        lines
    }

    /// The same in one line, for a cell of a table.
    pub(crate) fn sparkline(&self) -> String {
        (1..=SPARKS)
            .map(|end| {
                let at_ns = u128::from(self.shown_ns) * u128::from(end) / u128::from(SPARKS);
                BLOCKS[self.height(at_ns as u64, 1) as usize]
            })
            .collect()
    }

    /// What is reached at an instant, in eighths of a cell, of which so many are the whole.
    fn height(&self, at_ns: u64, cells: u64) -> u64 {
        let reached = (self.reached)(at_ns);
        let eighths = u128::from(reached) * u128::from(cells * 8) / u128::from(self.whole.max(1));
        eighths as u64
    }

    /// The time that the left edge of a column stands for.
    fn column_ns(&self, column: u64) -> u64 {
        let ns = u128::from(self.shown_ns) * u128::from(column) / u128::from(COLUMNS);
        // At most `shown_ns`, for a column is at most `COLUMNS`.
        ns as u64
    }

    fn axis(&self) -> String {
        let bands = faults::bands(self.faults);
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
        let shown = self.faults.iter();
        let shown = shown.filter(|fault| fault.at_ns <= self.shown_ns);
        let kinds = shown.map(|fault| {
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
const COLUMNS: u64 = 60;
const ROWS: u64 = 6;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Characters of a curve in one line.
const SPARKS: u64 = 16;

pub(crate) const GREEN: &str = "1;32";
pub(crate) const RED: &str = "1;31";
pub(crate) const YELLOW: &str = "1;33";
const BLUE: &str = "34";

pub(crate) fn painted(text: &str, paint: &str, colour: bool) -> String {
    if colour && !text.is_empty() {
        format!("\x1b[{paint}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
