//! A sweep for a terminal: how the runs ended, and for each point what its figures come to.

use super::{Row, Summary, Sweep};
use crate::figure::{FIGURES, Figure};
use crate::metrics::Ratio;
use crate::report::picture::{GREEN, RED, YELLOW, painted};
use crate::report::quantity::things;
use crate::report::text::wrap;
use crate::report::{EXPECTATION_MISSED, Outcome};

impl Sweep {
    /// The summary for a terminal. Colour only if told. `replay` is the line that repeats the first run that failed, if one did.
    pub fn human(&self, colour: bool, replay: Option<&str>) -> String {
        let mut lines = vec![self.verdict(colour)];
        let question = wrap(self.titles().1, WIDTH, 2);
        lines.extend(question.iter().map(|line| format!("  {line}")));
        for point in 0..self.plan.points.len() {
            if !self.of_point(point).is_empty() {
                lines.push(String::new());
                lines.extend(self.point(point, colour));
            }
        }
        lines.push(String::new());
        let spread = self.spread(["least, greatest", "5th, 95th percentile"]);
        lines.push(format!(
            "  median [{spread}] · mean ± half of its 95 % confidence interval (Student's t)"
        ));
        if let Some(replay) = replay {
            lines.push(String::new());
            lines.push("  the first run that did not go as it should, once more:".into());
            lines.push(format!("  {replay}"));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// What to call the ends of a spread: of fewer than twenty values the percentiles by nearest rank are the least and the greatest of them.
    pub(super) const fn spread(&self, [few, many]: [&'static str; 2]) -> &'static str {
        if self.plan.seeds.len() < 20 {
            few
        } else {
            many
        }
    }

    /// The scenario's name and question.
    pub(super) fn titles(&self) -> (&str, &str) {
        let scenario = &self.plan.points[0].scenario;
        (&scenario.name, &scenario.question)
    }

    /// How the runs ended, in one line without a newline.
    pub(super) fn verdict(&self, colour: bool) -> String {
        let (mark, paint) = match self.exit_code() {
            0 => ("✓", GREEN),
            130 | 20 => ("?", YELLOW),
            _ => ("✗", RED),
        };
        let of = match self.is_complete() {
            true => String::new(),
            false => format!(" of {}", self.plan.runs()),
        };
        let runs = things(self.rows.len() as u64, "run", "runs");
        let words = format!("{mark} {runs}{of}: {}", counts(&self.rows));
        let points = match self.plan.parameters.is_empty() {
            true => String::new(),
            false => format!(
                "{} × ",
                things(self.plan.points.len() as u64, "point", "points")
            ),
        };
        format!(
            "{}  {} · {points}{}",
            painted(&words, paint, colour),
            self.titles().0,
            things(self.plan.seeds.len() as u64, "seed", "seeds")
        )
    }

    fn point(&self, point: usize, colour: bool) -> Vec<String> {
        let rows = self.of_point(point);
        let mut lines = Vec::new();
        if !self.plan.parameters.is_empty() {
            let sets: Vec<String> = self.plan.sets(point).collect();
            lines.push(format!("  {}: {}", sets.join(" "), counts(rows)));
        }
        for outcome in [
            Outcome::InvariantBroken,
            Outcome::NotConverged,
            Outcome::Inconclusive,
        ] {
            let such = rows.iter().filter(|row| row.outcome == outcome);
            let seeds: Vec<u64> = such.map(|row| row.seed).collect();
            if !seeds.is_empty() {
                let text = format!("  {}: {}", outcome.words(), named(&seeds));
                lines.push(painted(&text, RED, colour));
            }
        }
        let expectations = &self.plan.points[point].scenario.expect;
        let shown = |figure: &&Figure| {
            figure.headline || expectations.iter().any(|it| it.figure == *figure)
        };
        for figure in FIGURES.iter().filter(shown) {
            if let Some(summary) = self.summary(point, figure) {
                lines.push(line(figure, &summary, rows.len()));
            }
        }
        for expected in self.expected(point) {
            let judged = expected.met + expected.missed_by_seeds.len();
            let mark = match (expected.missed_by_seeds.is_empty(), judged) {
                (false, _) => painted("✗", RED, colour),
                (true, 0) => "?".into(),
                (true, _) => painted("✓", GREEN, colour),
            };
            let missed = match expected.missed_by_seeds.as_slice() {
                [] => String::new(),
                seeds => format!(", not by {}", named(seeds)),
            };
            let name = expected.figure.trim_end_matches("_ns");
            lines.push(format!(
                "  {mark} {name} {}: met by {} of {}{missed}",
                expected.expected, expected.met, expected.of
            ));
        }
        lines
    }
}

fn line(figure: &Figure, summary: &Summary, runs: usize) -> String {
    let shown = |value: Ratio| figure.shown(value);
    let mean = match summary.mean_margin {
        Some(margin) => format!("{} ± {}", shown(summary.mean), shown(margin)),
        None => shown(summary.mean),
    };
    let spread = format!(
        "{} [{}, {}]",
        shown(summary.median),
        shown(summary.p5),
        shown(summary.p95)
    );
    let of = match summary.count == runs {
        true => String::new(),
        false => format!("  in {} of {runs}", summary.count),
    };
    format!("  {:<27} {spread:<32} {mean}{of}", figure.name)
}

/// How many runs ended in which way.
fn counts(rows: &[Row]) -> String {
    let ways = [
        Outcome::Converged,
        Outcome::NotConverged,
        Outcome::InvariantBroken,
        Outcome::Inconclusive,
    ];
    let mut parts = Vec::new();
    for way in ways {
        let count = rows.iter().filter(|row| row.outcome == way).count();
        if count > 0 {
            parts.push(format!("{count} {}", way.words()));
        }
    }
    let missed = rows
        .iter()
        .filter(|row| row.exit_code() == EXPECTATION_MISSED);
    match missed.count() {
        0 => {}
        missed => parts.push(format!("{missed} of them not as expected")),
    }
    match parts.is_empty() {
        true => "none ended".into(),
        false => parts.join(", "),
    }
}

/// Some seeds in words; of many the first few.
fn named(seeds: &[u64]) -> String {
    const NAMED: usize = 8;
    let first: Vec<String> = seeds.iter().take(NAMED).map(u64::to_string).collect();
    let label = if seeds.len() == 1 { "seed" } else { "seeds" };
    let more = match seeds.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{label} {}{more}", first.join(", "))
}

/// Characters of a sentence that a line shows.
const WIDTH: usize = 76;
