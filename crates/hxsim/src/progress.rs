//! How a long run gets on, in one line. What the time is and how much memory is taken is told by whoever can look.

use std::fmt::Display;
use std::time::Duration;

use crate::protocol::Progress;
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

/// A line about a run: simulated time, coverage, how much longer it takes, frames a second, the queue, and memory.
pub fn run(name: &str, status: &Status, machine: Machine) -> String {
    let (now, horizon) = (status.now.as_nanos(), status.horizon.as_nanos());
    let mut line = format!("{name}: at {} of {}", duration(now), duration(horizon));
    line.push_str(&covered(status.progress));
    if let Some(left) = left(machine.elapsed, share(status), WHOLE) {
        line.push_str(&format!(" · about {left} left"));
    }
    line.push_str(&rate(status.frames, status.events, machine.elapsed));
    line.push_str(&queued(status.waiting));
    line.push_str(&memory(machine));
    line
}

/// A line about a sweep: runs that are done and underway, how much longer it takes, frames a second in all of them, their queues, and memory.
pub fn sweep(name: &str, pace: &Pace, machine: Machine) -> String {
    let mut line = format!(
        "{name}: {} of {} done",
        count(pace.done as u64),
        things(pace.of as u64, "run", "runs")
    );
    let running = &pace.running;
    if let Some(last) = running.iter().map(|status| status.now).min() {
        line.push_str(&format!(
            " · {} underway, at {} or later",
            running.len(),
            duration(last.as_nanos())
        ));
        let progress = running.iter().map(|status| status.progress);
        line.push_str(&covered(progress.fold(Progress::default(), |sum, it| {
            Progress {
                have: sum.have + it.have,
                of: sum.of + it.of,
            }
        })));
    }
    let of_running: u64 = running.iter().map(share).sum();
    let (done, of) = (pace.done as u64 * WHOLE, pace.of as u64 * WHOLE);
    if let Some(left) = left(machine.elapsed, done + of_running, of) {
        line.push_str(&format!(" · about {left} left"));
    }
    line.push_str(&rate(pace.frames, pace.events, machine.elapsed));
    line.push_str(&queued(running.iter().map(|status| status.waiting).sum()));
    line.push_str(&memory(machine));
    line
}

/// As much of a line as stands in so many columns: fields are dropped from the right, for those on the left matter most.
pub fn fitted(mut line: &str, columns: usize) -> String {
    while line.chars().count() > columns {
        match line.rsplit_once(BETWEEN) {
            Some((front, _)) => line = front,
            None => return line.chars().take(columns).collect(),
        }
    }
    line.to_owned()
}

/// What to say before a run that takes more memory than there is.
pub fn too_large(name: &impl Display, needed: u64, free: u64) -> Option<String> {
    (needed > free).then(|| {
        format!(
            "warning: {name}: this may take {}, and there are {} of memory\n  = fewer nodes, edges or bodies at one instant take less",
            bytes(needed),
            bytes(free)
        )
    })
}

const BETWEEN: &str = " · ";

/// Shares are counted in millionths.
const WHOLE: u64 = 1_000_000;

/// How much of a run is over, as far as one can tell. One that may end with its goal goes on as its coverage grows; if that has not grown for as long as it took
/// to get there, the run is likely to go on to its horizon.
fn share(status: &Status) -> u64 {
    let share = |part: u64, of: u64| {
        let share = u128::from(part) * u128::from(WHOLE) / u128::from(of.max(1));
        share.min(WHOLE.into()) as u64
    };
    if status.progress.of == 0 && status.earliest < status.horizon {
        // No check has looked yet, and what it finds may end the run.
        return 0;
    }
    let now = status.now.as_nanos();
    let of_horizon = share(now, status.horizon.as_nanos());
    if !status.progress.is_complete() && now / 2 > status.since.as_nanos() {
        return of_horizon;
    }
    let covered = share(status.progress.have, status.progress.of);
    let of_earliest = match status.earliest.as_nanos() {
        0 => WHOLE,
        earliest => share(now, earliest),
    };
    of_horizon.max(covered.min(of_earliest))
}

fn covered(progress: Progress) -> String {
    // Before the first check nobody has looked.
    if progress.of == 0 {
        return String::new();
    }
    let percent = 100 * u128::from(progress.have) / u128::from(progress.of);
    format!(" · {percent} % covered")
}

/// Frames a second, or events where no frames are counted.
fn rate(frames: u64, events: u64, elapsed: Duration) -> String {
    let (number, things) = match frames {
        0 => (events, "events"),
        _ => (frames, "frames"),
    };
    let a_second = u128::from(number) * 1_000 / elapsed.as_millis().max(1);
    let a_second = count(u64::try_from(a_second).unwrap_or(u64::MAX));
    format!(" · {a_second} {things}/s")
}

fn queued(events: u64) -> String {
    format!(" · {} queued", things(events, "event", "events"))
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

    const STATUS: Status = Status {
        now: Time::from_secs(15),
        horizon: Time::from_secs(60),
        earliest: Time::ZERO,
        progress: Progress { have: 40, of: 100 },
        since: Time::from_secs(15),
        events: 24_000_000,
        frames: 12_000_000,
        waiting: 123_456,
    };
    const MACHINE: Machine = Machine {
        elapsed: after(10_000),
        resident: Some(3 << 28),
    };

    #[test]
    fn a_run_says_where_it_stands_and_how_long_it_may_take() {
        assert_eq!(
            run("thousand", &STATUS, MACHINE),
            "thousand: at 15 s of 60 s · 40 % covered · about 15 s left · 1,200,000 frames/s · 123,456 events queued · 768 MiB"
        );
        let start = Status {
            now: Time::ZERO,
            progress: Progress::default(),
            frames: 0,
            ..STATUS
        };
        assert_eq!(
            run("thousand", &start, Machine::default()),
            "thousand: at 0 ns of 60 s · 24,000,000,000 events/s · 123,456 events queued",
            "nothing is foreseen, no frames counted, and no memory known"
        );
    }

    #[test]
    fn what_is_left_depends_on_what_may_end_the_run() {
        let told = |status| {
            let line = run("x", &status, MACHINE);
            let left = line.split(BETWEEN).find(|it| it.ends_with(" left"));
            left.map(str::to_owned)
        };
        let of = |seconds| Some(format!("about {seconds} s left"));
        assert_eq!(told(STATUS), of(15), "the goal");
        let to_horizon = Status {
            earliest: STATUS.horizon,
            ..STATUS
        };
        assert_eq!(told(to_horizon), of(30), "the horizon");
        let with_faults = Status {
            earliest: Time::from_secs(50),
            ..STATUS
        };
        assert_eq!(told(with_faults), of(24), "the last fault");
        let stuck = Status {
            progress: Progress { have: 99, of: 100 },
            since: Time::from_secs(7),
            ..STATUS
        };
        assert_eq!(told(stuck), of(30), "the horizon, as nothing moves");
    }

    #[test]
    fn a_line_is_cut_between_fields_to_what_a_terminal_has_room_for() {
        let line = run("thousand", &STATUS, MACHINE);
        assert_eq!(fitted(&line, 200), line);
        assert_eq!(
            fitted(&line, 79),
            "thousand: at 15 s of 60 s · 40 % covered · about 15 s left · 1,200,000 frames/s"
        );
        assert_eq!(
            fitted(&line, 78),
            "thousand: at 15 s of 60 s · 40 % covered · about 15 s left"
        );
        assert_eq!(fitted(&line, 5), "thous");
        assert_eq!(fitted(&line, 0), "");
    }

    #[test]
    fn what_does_not_fit_is_said_beforehand() {
        assert_eq!(too_large(&"x.toml", 1 << 30, 1 << 30), None);
        assert_eq!(
            too_large(&"x.toml", 3 << 30, 1 << 30).as_deref(),
            Some(
                "warning: x.toml: this may take 3 GiB, and there are 1 GiB of memory\n  = fewer nodes, edges or bodies at one instant take less"
            )
        );
    }

    #[test]
    fn a_sweep_counts_runs_and_tells_of_those_underway() {
        let later = Status {
            now: Time::from_secs(30),
            progress: Progress { have: 80, of: 100 },
            since: Time::from_secs(30),
            ..STATUS
        };
        let pace = Pace {
            done: 12,
            of: 90,
            events: 2_000,
            frames: 1_000,
            running: vec![later, STATUS],
        };
        let machine = Machine {
            elapsed: after(60_000),
            resident: None,
        };
        assert_eq!(
            sweep("ring", &pace, machine),
            "ring: 12 of 90 runs done · 2 underway, at 15 s or later · 60 % covered · about 6 min left · 16 frames/s · 246,912 events queued"
        );
        let first = Pace { done: 0, ..pace };
        let first = sweep("ring", &first, machine);
        assert!(first.contains(" · about 74 min left"), "{first}");
    }
}
