//! A sweep as a picture: a time over what was scanned, or the coverage curves of all seeds.

use std::fmt::{Result, Write as _};

use super::{Curve, Summary, Sweep};
use crate::figure::{Figure, Unit};
use crate::metrics::Ratio;
use crate::report::quantity::duration_like;
use crate::report::svg::{
    BOTTOM, LEFT, Plane, RIGHT, TOP, escape, open, tenths, tick_step, write_caption, y,
};

impl Sweep {
    /// The picture as an SVG document, without a byte that depends on the machine.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing to a string does not fail.
        let _ = match self.plan.points.len() {
            1 => self.write_curves(&mut svg),
            _ => self.write_scan(&mut svg),
        };
        svg
    }

    fn subtitle(&self) -> String {
        self.verdict(false).replace("  ", " · ")
    }

    /// The bundle of all curves, and where the median run stands.
    fn write_curves(&self, svg: &mut String) -> Result {
        open(svg, self.titles().1, &self.subtitle())?;
        let shown = self.curves.iter().map(Curve::shown_ns).max();
        let plane = Plane {
            shown_ns: shown.unwrap_or(0).max(1),
        };
        let many = self.curves.len();
        let caption = match many == self.rows.len() {
            true => format!("share of all deliveries over virtual time, {many} seeds"),
            false => format!("share of all deliveries over virtual time, the first {many} seeds"),
        };
        plane.write_axes(svg, &caption)?;
        writeln!(
            svg,
            "<style>.thread {{ stroke: #0969da; fill: none; stroke-opacity: 0.35 }}</style>"
        )?;
        for curve in &self.curves {
            let steps = plane.steps(&curve.points, curve.pairs);
            writeln!(svg, r#"<path class="thread" d="{steps}"/>"#)?;
        }
        let median = |name| {
            let summary = self.summary(0, Figure::named(name)?)?;
            Some(summary.median.numerator)
        };
        plane.write_marks(svg, median("t50"), median("t99"))?;
        writeln!(svg, "</svg>")
    }

    /// A time at every point: its median, the interval of that, and how far seeds spread.
    fn write_scan(&self, svg: &mut String) -> Result {
        open(svg, self.titles().1, &self.subtitle())?;
        let figure = self.drawn();
        let summaries: Vec<_> = (0..self.plan.points.len())
            .map(|point| self.summary(point, figure))
            .collect();
        let tall = summaries.iter().flatten().map(|it| nanos(it.p95)).max();
        // The tallest bar does not end at the edge.
        let tall = tall.map_or(1, |tall| tall.saturating_add(tall / 20).max(1));
        write_heights(svg, tall)?;
        writeln!(
            svg,
            "<style>.spread {{ stroke: #0969da; fill: none }} .sure {{ stroke: #0969da; stroke-opacity: 0.35; stroke-width: 9; fill: none }}</style>"
        )?;
        let columns = Columns(summaries.len() as u64);
        for (column, summary) in (0..).zip(&summaries) {
            self.write_label(svg, &columns, column)?;
            if let Some(summary) = summary {
                write_bar(svg, columns.x(column), summary, tall)?;
            }
        }
        let keys: Vec<&str> = self
            .plan
            .parameters
            .iter()
            .map(|it| it.key.as_str())
            .collect();
        let caption = format!(
            "{} over {}: median, its 95 % interval, and {}",
            figure.name,
            keys.join(" and "),
            self.spread([
                "the least to the greatest",
                "the 5th to the 95th percentile"
            ])
        );
        write_caption(svg, &caption)?;
        writeln!(svg, "</svg>")
    }

    /// The first time of which something is expected, for that is what the scenario is about; else the time to 99 %.
    fn drawn(&self) -> &'static Figure {
        let mut expected = self.plan.points[0].scenario.expect.iter();
        let expected = expected.find(|expectation| expectation.figure.unit == Unit::Time);
        let usual = || Figure::named("t99").expect("every run has that figure");
        expected.map_or_else(usual, |expectation| expectation.figure)
    }

    fn write_label(&self, svg: &mut String, columns: &Columns, column: usize) -> Result {
        // Labels that would run into each other are left out, but for every so many.
        let room = (RIGHT - LEFT) / columns.0 / CHARACTER;
        let values = self.plan.points.iter().map(|point| point.values.join(" "));
        let longest = values.map(|text| text.chars().count()).max().unwrap_or(0) as u64;
        let every = (longest.clamp(1, LONGEST) + 1).div_ceil(room.max(1)) as usize;
        if !column.is_multiple_of(every) {
            return Ok(());
        }
        let text = self.plan.points[column].values.join(" ");
        let text: String = text.chars().take(LONGEST as usize).collect();
        let (x, at) = (tenths(columns.x(column)), BOTTOM + 20);
        let text = escape(&text);
        writeln!(
            svg,
            r#"<text class="tick mid" x="{x}" y="{at}">{text}</text>"#
        )
    }
}

impl Curve {
    /// Where its last step is, or the end of the run if it never came to all.
    fn shown_ns(&self) -> u64 {
        match self.points.last() {
            Some(last) if last.delivered == self.pairs => {
                last.at_ns.saturating_add(last.at_ns / 20)
            }
            _ => self.ended_ns,
        }
    }
}

/// Places side by side, one a point.
struct Columns(u64);

impl Columns {
    /// The middle of a column, in tenths of a unit.
    const fn x(&self, column: usize) -> u64 {
        LEFT * 10 + (RIGHT - LEFT) * 5 * (2 * column as u64 + 1) / self.0
    }
}

fn write_heights(svg: &mut String, tall: u64) -> Result {
    let step = tick_step(tall);
    for tick in (0..=tall).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let at = tenths(y(tick, tall));
        let class = if tick == 0 { "axis" } else { "grid" };
        writeln!(svg, r#"<path class="{class}" d="M{LEFT} {at}H{RIGHT}"/>"#)?;
        let label = match tick {
            0 => "0".into(),
            _ => duration_like(tick, tall),
        };
        let x = LEFT - 8;
        writeln!(
            svg,
            r#"<text class="tick end" x="{x}" y="{at}" dy="4">{label}</text>"#
        )?;
    }
    writeln!(svg, r#"<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}"/>"#)
}

fn write_bar(svg: &mut String, x: u64, summary: &Summary, tall: u64) -> Result {
    let at = |value| tenths(y(nanos(value), tall));
    let x = tenths(x);
    let (low, high) = (at(summary.p5), at(summary.p95));
    writeln!(svg, r#"<path class="spread" d="M{x} {low}V{high}"/>"#)?;
    if let Some((from, to)) = summary.median_interval {
        let (from, to) = (at(from), at(to));
        writeln!(svg, r#"<path class="sure" d="M{x} {from}V{to}"/>"#)?;
    }
    let median = at(summary.median);
    writeln!(svg, r#"<circle class="dot" cx="{x}" cy="{median}" r="4"/>"#)
}

/// A time, which is whole.
const fn nanos(value: Ratio) -> u64 {
    value.numerator
}

/// The width of a character of a label.
const CHARACTER: u64 = 7;
/// Characters of a label that are shown.
const LONGEST: u64 = 24;
