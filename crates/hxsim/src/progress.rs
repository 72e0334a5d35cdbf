//! How a long run gets on, in one line. What the time is and how much memory is taken is told by whoever can look.

use std::time::Duration;

use crate::report::quantity::{bytes, count, duration, things};
use crate::run::Status;
use crate::sweep::Pace;

/// When to show a line: to a terminal soon and often, for it is drawn over; elsewhere rarely, for each one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    first: Duration,
    every: Duration,
    shown: Option<Duration>,
}

/// What the machine says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Time since the start, on a clock.
    pub elapsed: Duration,
    /// Bytes of memory that the process has; `None` where nobody can tell.
    pub resident: Option<u64>,
}

impl Rhythm {
    /// The rhythm for a terminal, or for something else.
    pub const fn new(terminal: bool) -> Self {
        let (first, every) = match terminal {
            true => (Duration::from_secs(1), Duration::from_millis(200)),
            false => (Duration::from_secs(10), Duration::from_secs(10)),
        };
        Self {
            first,
            every,
            shown: None,
        }
    }

    /// Whether a line is due so long after the start. If it is, it counts as shown.
    pub fn is_due(&mut self, elapsed: Duration) -> bool {
        let due = self.shown.map_or(self.first, |shown| shown + self.every);
        if elapsed < due {
            return false;
        }
        self.shown = Some(elapsed);
        true
    }

    /// Whether a line was shown.
    pub const fn has_shown(&self) -> bool {
        self.shown.is_some()
    }
}

/// A line about a run: simulated time, coverage, events a second, the queue, memory, and how much longer it takes if it goes on to its horizon as it has so far.
pub fn run(name: &str, status: &Status, machine: Machine) -> String {
    let covered = 100 * u128::from(status.progress.have) / u128::from(status.progress.of.max(1));
    let (now, horizon) = (status.now.as_nanos(), status.horizon.as_nanos());
    let mut line = format!(
        "{name}: {} of {} simulated · {covered} % covered · {} · {} queued{}",
        duration(now),
        duration(horizon),
        rate(status.events, machine.elapsed),
        things(status.waiting, "event", "events"),
        memory(machine),
    );
    if let Some(left) = left(machine.elapsed, now, horizon) {
        line.push_str(&format!(" · at most {left} left"));
    }
    line
}

/// A line about a sweep: runs done, events a second, memory, and how much longer it takes if the other runs are like those that are done.
pub fn sweep(name: &str, pace: &Pace, machine: Machine) -> String {
    let (done, of) = (pace.done as u64, pace.of as u64);
    let mut line = format!(
        "{name}: {} of {} done · {}{}",
        count(done),
        things(of, "run", "runs"),
        rate(pace.events, machine.elapsed),
        memory(machine),
    );
    if let Some(left) = left(machine.elapsed, done, of) {
        line.push_str(&format!(" · about {left} left"));
    }
    line
}

fn rate(events: u64, elapsed: Duration) -> String {
    let a_second = u128::from(events) * 1_000 / elapsed.as_millis().max(1);
    format!(
        "{} events/s",
        count(u64::try_from(a_second).unwrap_or(u64::MAX))
    )
}

fn memory(machine: Machine) -> String {
    machine
        .resident
        .map_or_else(String::new, |resident| format!(" · {}", bytes(resident)))
}

/// The time that the rest takes if it takes as long as what is done has taken; `None` if nothing is.
fn left(elapsed: Duration, done: u64, of: u64) -> Option<String> {
    let rest = u128::from(of.saturating_sub(done));
    let ns = elapsed
        .as_nanos()
        .saturating_mul(rest)
        .checked_div(done.into())?;
    let seconds = u64::try_from(ns.div_ceil(1_000_000_000)).unwrap_or(u64::MAX);
    Some(match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", count(seconds.div_ceil(3_600))),
    })
}

#[cfg(test)]
mod tests {
    use simnet::Time;

    use super::*;
    use crate::protocol::Progress;

    const fn after(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_terminal_is_told_soon_and_often_and_a_file_once_in_ten_seconds() {
        let moments = [
            500, 1_000, 1_100, 1_200, 9_999, 10_000, 10_100, 19_999, 20_000,
        ];
        let told = |terminal| {
            let mut rhythm = Rhythm::new(terminal);
            let told = moments.into_iter().filter(|ms| rhythm.is_due(after(*ms)));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(true), [1_000, 1_200, 9_999, 19_999]);
        assert_eq!(told(false), [10_000, 20_000]);
        assert!(!Rhythm::new(true).has_shown());
    }

    #[test]
    fn a_run_says_where_it_stands_and_how_long_it_may_take() {
        let status = Status {
            now: Time::from_secs(15),
            horizon: Time::from_secs(60),
            progress: Progress { have: 43, of: 100 },
            events: 12_000_000,
            waiting: 123_456,
        };
        let machine = Machine {
            elapsed: after(10_000),
            resident: Some(3 << 28),
        };
        assert_eq!(
            run("thousand", &status, machine),
            "thousand: 15 s of 60 s simulated · 43 % covered · 1,200,000 events/s · 123,456 events queued · 768 MiB · at most 30 s left"
        );
        let start = Status {
            now: Time::ZERO,
            progress: Progress::default(),
            ..status
        };
        let line = run("thousand", &start, Machine::default());
        assert!(
            line.ends_with(" · 123,456 events queued"),
            "nothing is foreseen, and no memory known: {line}"
        );
    }

    #[test]
    fn a_sweep_counts_runs() {
        let pace = Pace {
            done: 12,
            of: 90,
            events: 1_000,
        };
        let machine = Machine {
            elapsed: after(60_000),
            resident: None,
        };
        assert_eq!(
            sweep("ring", &pace, machine),
            "ring: 12 of 90 runs done · 16 events/s · about 7 min left"
        );
        let none = sweep("ring", &Pace { done: 0, ..pace }, machine);
        assert!(none.ends_with(" events/s"), "{none}");
    }
}
