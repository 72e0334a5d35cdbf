//! When bodies are published: `at`, or `rate`, `every` or `burst` with `from` and `until`.

use std::time::Duration;

use simnet::Time;

use super::super::document::Value;
use super::super::quantity::{integer, positive_duration, rate, time};
use super::super::read::{start, within};
use super::super::section::{Problems, Section};
use crate::diagnostic::Place;
use crate::workload::{Arrivals, Process};

/// What was read of it.
pub(super) struct Read {
    pub(super) value: Arrivals,
    /// Where the process stands; the section if all is published at one instant.
    pub(super) place: Place,
    /// Whether `until` says when it ends, and not the run.
    pub(super) ends: bool,
}

const FORMS: [&str; 4] = ["at", "rate", "every", "burst"];

pub(super) fn read(
    problems: &mut Problems,
    section: &mut Section<'_>,
    horizon: Option<Time>,
) -> Option<Read> {
    let at = start(problems, section, "at", horizon);
    let rate = section.optional(problems, "rate", rate);
    let every = section.optional(problems, "every", positive_duration);
    let burst = section.value("burst");
    if FORMS.iter().filter(|form| section.has(form)).count() > 1 {
        let message = "this says twice when bodies are published";
        let hint = "choose between `at`, `rate`, `every` and `burst`";
        problems.add(section.place(), message, hint);
    }
    let is_process = FORMS[1..].iter().any(|form| section.has(form));
    if !is_process {
        for key in ["from", "until"] {
            if let Some(value) = section.value(key) {
                let message = format!("`{key}` is about bodies that come one after the other");
                problems.add(
                    &value.place,
                    message,
                    "say `at`, or add `rate`, `every` or `burst`",
                );
            }
        }
        return Some(Read {
            value: Arrivals::At(at),
            place: section.place().clone(),
            ends: true,
        });
    }
    let from = start(problems, section, "from", horizon);
    let until = section.optional(problems, "until", time);
    let ends = until.is_some();
    if let Some(until) = &until
        && until.value <= from
    {
        let hint = format!("later than `from`, {from}");
        problems.add(&until.place, "this ends before it begins", hint);
    }
    let until = match until {
        Some(_) => within(problems, until, horizon),
        None => horizon,
    };
    let (process, place) = match (rate, every, burst) {
        (Some(rate), ..) => (Process::Poisson(rate.value), rate.place),
        (None, Some(every), _) => (Process::Every(every.value), every.place),
        (None, None, burst) => (self::burst(problems, burst?)?, burst?.place.clone()),
    };
    Some(Read {
        value: Arrivals::Over {
            process,
            from,
            until: until?,
        },
        place,
        ends,
    })
}

fn burst(problems: &mut Problems, value: &Value) -> Option<Process> {
    let mut section = Section::open(problems, value, "`burst`")?;
    let size = section.required(problems, "size", "size = 10", integer(1));
    let every = section.required(problems, "every", "every = \"5s\"", positive_duration);
    section.close(problems);
    let (size, every): (_, Duration) = (size?.value, every?.value);
    Some(Process::Bursts { size, every })
}

impl Read {
    /// Whether so many bodies are to be expected before the run ends.
    pub(super) fn suffice(&self, problems: &mut Problems, bodies: u64) {
        let Arrivals::Over { until, .. } = self.value else {
            return;
        };
        let last = self.value.last(bodies);
        if bodies > 0 && last >= until && !self.ends {
            let message = format!("the last of {bodies} bodies would come at {last}");
            let hint = format!("before the horizon, {until}; or say `until`, and leave some out");
            problems.add(&self.place, message, hint);
        }
    }
}
