//! `[measure]`: the part of the run that the figures speak of.

use simnet::Time;

use super::Measure;
use super::quantity::time;
use super::read::{start, within};
use super::section::{Problems, Section};
use crate::workload::Workload;

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    horizon: Option<Time>,
    workload: Option<&Workload>,
) -> Option<Measure> {
    let mut section = root.section(problems, "measure", "`[measure]`")?;
    let from = start(problems, &mut section, "from", horizon);
    let until = section.optional(problems, "until", time);
    let place = until.as_ref().map(|until| until.place.clone());
    let until = match until {
        Some(_) => within(problems, until, horizon),
        None => horizon,
    };
    let place = place.unwrap_or_else(|| section.place().clone());
    section.close(problems);
    let until = until?;
    if until <= from {
        let hint = format!("later than `from`, {from}");
        problems.add(&place, "this ends before it begins", hint);
    } else if workload.is_some_and(|workload| !workload.publishes_within(from, until)) {
        let hint = "the figures are those of bodies that are published within";
        problems.add(&place, "nothing is published in this interval", hint);
    }
    Some(Measure { from, until })
}
