//! Predictions and measurements side by side, as a table in Markdown.

use std::fmt::Display;
use std::time::Duration;

use crate::counters::Counters;
use crate::figures::{COVERED, Figures, KINDS, Spread};
use crate::measurement::Measurement;
use crate::testbed::Means;

/// What holds for all tables.
pub(crate) fn heading(means: Means, congestion: &str, runs: u64, seeds: u64) -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    let release = release.unwrap_or_default();
    format!(
        "Linux {}, congestion control {congestion}; delay and loss by {means}. Median (least to most) of {seeds} seeds of the simulated network, and of {runs} \
         runs of real nodes.\n",
        release.trim()
    )
}

/// The table of one setting: predicted as the scenario says, and as near to TCP as the model goes; measured as the kernel does it, and with windows wide
/// from the start.
pub(crate) fn comparison(
    name: &str,
    predicted: &[Vec<Figures>; 2],
    measured: &[Vec<Measurement>; 2],
) -> String {
    let mut text = format!(
        "### {name}\n\n\
         | | A: predicted | B: predicted, near | C: measured | D: measured, wide | C / A | D / B |\n\
         |---|--:|--:|--:|--:|--:|--:|\n"
    );
    let real = measured.each_ref().map(|runs| {
        runs.iter()
            .map(|run| run.figures.clone())
            .collect::<Vec<_>>()
    });
    let columns = [&predicted[0][..], &predicted[1], &real[0], &real[1]];
    for (place, percent) in COVERED.iter().enumerate() {
        let ms = |figures: &Figures| Milliseconds(figures.covered[place]);
        text += &row(&format!("t{percent}, ms"), columns, ms, |ms| {
            ms.0.as_nanos()
        });
    }
    text += &row(
        "stream bytes",
        columns,
        |figures| figures.stream_bytes,
        u128::from,
    );
    for (place, kind) in KINDS.iter().enumerate() {
        let frames = |figures: &Figures| figures.frames[place];
        text += &row(&format!("frames: {kind}"), columns, frames, u128::from);
    }
    let kernel =
        |what, of: fn(&Counters) -> u64| measured_row(what, measured, |run| of(&run.kernel));
    text += &kernel("bytes at the interfaces", |kernel| kernel.bytes);
    text += &kernel("packets", |kernel| kernel.packets);
    text += &kernel("packets sent again", |kernel| kernel.retransmitted);
    text += &kernel("waits for a timer", |kernel| kernel.timeouts);
    text += &kernel("dials sent again", |kernel| kernel.dials_repeated);
    text += &kernel("packets dropped at an interface", |kernel| kernel.dropped);
    text += &measured_row("last node began after the first, ms", measured, |run| {
        Milliseconds(run.apart)
    });
    if measured.iter().flatten().all(|run| run.lateness.is_some()) {
        for percent in [50, 99] {
            let late = |run: &Measurement| {
                let lateness = run.lateness.as_ref();
                Milliseconds(
                    lateness.map_or(Duration::ZERO, |lateness| lateness.percentile(percent)),
                )
            };
            text += &measured_row(&format!("router late by, p{percent}, ms"), measured, late);
        }
    }
    text
}

/// A row of a figure that predictions have too, with the ratios of the medians.
fn row<T: Copy + Ord + Display>(
    what: &str,
    columns: [&[Figures]; 4],
    figure: impl Fn(&Figures) -> T,
    number: impl Fn(T) -> u128,
) -> String {
    let spreads = columns.map(|runs| Spread::of(runs.iter().map(&figure)));
    let [a, b, c, d] = spreads.map(|spread| spread.map_or(0, |spread| number(spread.median)));
    let cells = spreads.map(shown).join(" | ");
    format!("| {what} | {cells} | {} | {} |\n", ratio(c, a), ratio(d, b))
}

/// A row of what only real runs have.
fn measured_row<T: Copy + Ord + Display>(
    what: &str,
    measured: &[Vec<Measurement>; 2],
    figure: impl Fn(&Measurement) -> T,
) -> String {
    let cells = measured
        .each_ref()
        .map(|runs| shown(Spread::of(runs.iter().map(&figure))));
    format!("| {what} | | | {} | | |\n", cells.join(" | "))
}

fn shown<T: Display + PartialEq>(spread: Option<Spread<T>>) -> String {
    spread.map_or_else(|| "-".into(), |spread| spread.to_string())
}

/// With three decimals.
fn ratio(numerator: u128, denominator: u128) -> String {
    match (numerator * 1000 + denominator / 2).checked_div(denominator) {
        Some(thousandths) => format!("{}.{:03}", thousandths / 1000, thousandths % 1000),
        None => "-".into(),
    }
}

/// Shown in milliseconds, with one decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Milliseconds(Duration);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0.as_micros() + 50) / 100;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_times_are_rounded() {
        assert_eq!(ratio(2, 3), "0.667");
        assert_eq!(ratio(5, 5), "1.000");
        assert_eq!(ratio(1, 0), "-");
        assert_eq!(
            Milliseconds(Duration::from_micros(297_549)).to_string(),
            "297.5"
        );
        assert_eq!(
            Milliseconds(Duration::from_micros(297_550)).to_string(),
            "297.6"
        );
    }
}
