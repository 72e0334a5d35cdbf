//! The coverage curve as a picture that stands alone: light or dark as its reader has it, and without a byte that
//! depends on the machine.

use std::fmt::Write as _;

use super::quantity::{count, duration, duration_like, things};
use super::text::wrap;
use super::{FaultSpan, Report, faults};
use crate::metrics::Point;

impl Report {
    /// The coverage curve as an SVG document.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing to a string does not fail.
        let _ = self.write_svg(&mut svg);
        svg
    }

    fn write_svg(&self, svg: &mut String) -> std::fmt::Result {
        open(svg, &self.question, &self.subtitle())?;
        let plane = self.plane();
        self.write_faults(svg)?;
        let pairs = count(self.metrics.convergence.pairs);
        let measured = self.measured.as_ref().map(|measured| {
            let (from, until) = (duration(measured.from_ns), duration(measured.until_ns));
            format!(" of what was published from {from} to {until}")
        });
        let of = measured.unwrap_or_default();
        let caption = format!("share of {pairs} deliveries{of} over virtual time");
        plane.write_axes(svg, &caption)?;
        self.write_curve(svg)?;
        let convergence = &self.metrics.convergence;
        plane.write_marks(svg, convergence.t50_ns, convergence.t99_ns)?;
        writeln!(svg, "</svg>")
    }

    fn plane(&self) -> Plane {
        Plane {
            shown_ns: self.shown_ns(),
        }
    }

    fn subtitle(&self) -> String {
        format!(
            "{} · {} · {} · seed {} · {} at {}",
            self.scenario,
            things(self.nodes.into(), "node", "nodes"),
            things(self.items, "hash", "hashes"),
            self.seed,
            self.outcome.words(),
            duration(self.over_ns())
        )
    }

    fn write_faults(&self, svg: &mut String) -> std::fmt::Result {
        let plane = self.plane();
        let shown = plane.shown_ns;
        let mut labelled_to = 0;
        let bands = faults::bands(&self.faults);
        for fault in bands.iter().filter(|fault| fault.at_ns <= shown) {
            let FaultSpan {
                kind,
                at_ns,
                until_ns,
                ..
            } = fault;
            let from = plane.x(*at_ns);
            let to = plane.x(until_ns.unwrap_or(shown).min(shown));
            let (x, width) = (tenths(from), tenths(to - from));
            let height = BOTTOM - TOP;
            if fault.is_momentary() {
                writeln!(svg, r#"<path class="cut" d="M{x} {TOP}V{BOTTOM}"/>"#)?;
            } else {
                writeln!(
                    svg,
                    r#"<rect class="band" x="{x}" y="{TOP}" width="{width}" height="{height}"/>"#
                )?;
            }
            // Labels stand above the plot, where no curve is; one that would cover the one before is left out.
            let half = kind.len() as u64 * 35;
            let centre = (from + to) / 2;
            if centre >= labelled_to + half {
                labelled_to = centre + half;
                let (x, y) = (tenths(centre), TOP - 7);
                writeln!(svg, r#"<text class="fault" x="{x}" y="{y}">{kind}</text>"#)?;
            }
        }
        Ok(())
    }

    fn write_curve(&self, svg: &mut String) -> std::fmt::Result {
        let pairs = self.metrics.convergence.pairs;
        let line = self.plane().steps(&self.metrics.curve, pairs);
        writeln!(svg, r#"<path class="area" d="{line}V{BOTTOM}Z"/>"#)?;
        writeln!(svg, r#"<path class="line" d="{line}"/>"#)
    }
}

/// Where coverage is drawn over time.
pub(crate) struct Plane {
    /// Where the axis of time ends; more than zero.
    pub(crate) shown_ns: u64,
}

impl Plane {
    /// The way of a pen along a curve, up to the right edge.
    pub(crate) fn steps(&self, curve: &[Point], pairs: u64) -> String {
        let steps = curve.iter().map(|point| {
            let (x, y) = (self.x(point.at_ns), y(point.delivered, pairs));
            format!("H{}V{}", tenths(x), tenths(y))
        });
        format!("M{LEFT} {BOTTOM}{}H{RIGHT}", steps.collect::<String>())
    }

    /// The axes and their names.
    pub(crate) fn write_axes(&self, svg: &mut String, caption: &str) -> std::fmt::Result {
        for percent in [0, 25, 50, 75, 100] {
            let y = tenths(y(percent, 100));
            let class = if percent == 0 { "axis" } else { "grid" };
            writeln!(svg, r#"<path class="{class}" d="M{LEFT} {y}H{RIGHT}"/>"#)?;
            let x = LEFT - 8;
            writeln!(
                svg,
                r#"<text class="tick end" x="{x}" y="{y}" dy="4">{percent} %</text>"#
            )?;
        }
        let shown = self.shown_ns;
        let step = tick_step(shown);
        for at_ns in (0..=shown).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let x = tenths(self.x(at_ns));
            let label = if at_ns == 0 {
                "0".into()
            } else {
                duration_like(at_ns, shown)
            };
            writeln!(svg, r#"<path class="axis" d="M{x} {BOTTOM}v5"/>"#)?;
            let y = BOTTOM + 20;
            writeln!(
                svg,
                r#"<text class="tick mid" x="{x}" y="{y}">{label}</text>"#
            )?;
        }
        write_caption(svg, caption)
    }

    /// Half and 99 % of all deliveries. The labels stand in different rows and on different sides, so that they are apart
    /// even where their lines are not.
    pub(crate) fn write_marks(
        &self,
        svg: &mut String,
        t50_ns: Option<u64>,
        t99_ns: Option<u64>,
    ) -> std::fmt::Result {
        let marks = [("t50", t50_ns, 50, 12), ("t99", t99_ns, 99, 30)];
        for (name, at_ns, percent, above) in marks {
            let Some(at_ns) = at_ns else { continue };
            let x = self.x(at_ns);
            let y = tenths(y(percent, 100));
            let room = (RIGHT - LABEL_WIDTH) * 10;
            let (class, dx) = if x > room { ("end", -6) } else { ("start", 6) };
            let x = tenths(x);
            writeln!(svg, r#"<path class="mark" d="M{x} {y}V{BOTTOM}"/>"#)?;
            writeln!(svg, r#"<circle class="dot" cx="{x}" cy="{y}" r="3.5"/>"#)?;
            let y = BOTTOM - above;
            let label = duration(at_ns);
            writeln!(
                svg,
                r#"<text class="label {class}" x="{x}" y="{y}" dx="{dx}">{name} {label}</text>"#
            )?;
        }
        Ok(())
    }

    /// The place of an instant, in tenths of a unit.
    pub(crate) fn x(&self, at_ns: u64) -> u64 {
        let shown = self.shown_ns;
        let width = u128::from(RIGHT - LEFT) * 10;
        let offset = u128::from(at_ns.min(shown)) * width / u128::from(shown);
        LEFT * 10 + offset as u64
    }
}

/// The place of a share, in tenths of a unit.
pub(crate) fn y(part: u64, whole: u64) -> u64 {
    let height = u128::from(BOTTOM - TOP) * 10;
    let offset = u128::from(part.min(whole)) * height / u128::from(whole.max(1));
    BOTTOM * 10 - offset as u64
}

/// Opens a drawing: its paper, its title and a line below.
pub(crate) fn open(svg: &mut String, question: &str, subtitle: &str) -> std::fmt::Result {
    let title = wrap(question, TITLE_WIDTH, 2);
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title">"#
    )?;
    writeln!(svg, "<title id=\"title\">{}</title>", escape(question))?;
    writeln!(svg, "<style>{STYLE}</style>")?;
    writeln!(
        svg,
        r#"<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8"/>"#
    )?;
    for (line, y) in title.iter().zip((34..).step_by(22)) {
        writeln!(
            svg,
            r#"<text class="title" x="{LEFT}" y="{y}">{}</text>"#,
            escape(line)
        )?;
    }
    let y = 34 + 22 * title.len();
    let subtitle = escape(subtitle);
    writeln!(
        svg,
        r#"<text class="quiet" x="{LEFT}" y="{y}">{subtitle}</text>"#
    )
}

/// What the horizontal axis shows, below it.
pub(crate) fn write_caption(svg: &mut String, caption: &str) -> std::fmt::Result {
    let (x, y) = ((LEFT + RIGHT) / 2, BOTTOM + 40);
    let caption = escape(caption);
    writeln!(
        svg,
        r#"<text class="quiet mid" x="{x}" y="{y}">{caption}</text>"#
    )
}

const WIDTH: u64 = 760;
const HEIGHT: u64 = 420;
pub(crate) const LEFT: u64 = 64;
pub(crate) const RIGHT: u64 = 732;
pub(crate) const TOP: u64 = 112;
pub(crate) const BOTTOM: u64 = 364;
/// Characters of the title that fit into a line.
const TITLE_WIDTH: usize = 64;
/// The room that a mark needs for its label.
const LABEL_WIDTH: u64 = 90;

const STYLE: &str = "
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
.paper { fill: #ffffff }
.title { font-size: 16px; font-weight: 600 }
.quiet, .tick { fill: #656d76; font-size: 12px }
.mid, .fault { text-anchor: middle }
.end { text-anchor: end }
.fault { fill: #b35900; font-size: 12px }
.label { font-weight: 600; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-opacity: 0.8; stroke-width: 3px }
.axis, .grid, .mark, .cut, .line { fill: none }
.axis { stroke: #8c959f }
.grid { stroke: #d0d7de; stroke-width: 0.5 }
.mark { stroke: #1f2328; stroke-dasharray: 3 3 }
.cut { stroke: #d4760a; stroke-width: 1.5 }
.band { fill: #d4760a; fill-opacity: 0.14 }
.area { fill: #0969da; fill-opacity: 0.14 }
.line { stroke: #0969da; stroke-width: 2; stroke-linejoin: round }
.dot { fill: #0969da; stroke: #ffffff; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.paper { fill: #0d1117 }
.quiet, .tick { fill: #8d96a0 }
.fault { fill: #f0a04b }
.axis { stroke: #6e7681 }
.grid { stroke: #30363d }
.mark { stroke: #e6edf3 }
.label { stroke: #0d1117 }
.line { stroke: #58a6ff }
.area { fill: #58a6ff; fill-opacity: 0.18 }
.dot { fill: #58a6ff; stroke: #0d1117 }
}
";

/// The distance of ticks: 1, 2 or 5 times a power of ten, so that there are four to ten of them.
pub(crate) fn tick_step(shown_ns: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [1, 2, 5].map(|digit| power.saturating_mul(digit)) {
            if shown_ns / step <= 8 {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

pub(crate) fn tenths(n: u64) -> String {
    match n % 10 {
        0 => (n / 10).to_string(),
        tenth => format!("{}.{tenth}", n / 10),
    }
}

pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(tick_step(1), 1);
        assert_eq!(tick_step(430_000_000), 50_000_000);
        assert_eq!(tick_step(60_000_000_000), 10_000_000_000);
        for shown in (1..40).map(|k| 3_u64.pow(k)) {
            let ticks = shown / tick_step(shown) + 1;
            assert!((2..=9).contains(&ticks), "{ticks} ticks to {shown}");
        }
    }

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escape("a<b & \"c\"\u{1b}"), "a&lt;b &amp; &quot;c&quot; ");
    }
}
