//! When bodies are published, one after the other.

use std::time::Duration;

use simnet::Time;
use simnet::draw::{Purpose, draw};

use simnet::fixed::{self, exponential};

/// When bodies are published. What comes at the start of the run is held from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// All at one instant.
    At(Time),
    /// One after the other. What would come at `until` or later is left out.
    Over {
        /// How they follow each other.
        process: Process,
        /// Nothing comes before this.
        from: Time,
        /// Nothing comes from here on.
        until: Time,
    },
}

/// How bodies follow each other in the network as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Independently of each other: a Poisson process, whose gaps are exponential with this mean.
    Poisson(Duration),
    /// At equal distances, the first one at the beginning.
    Every(Duration),
    /// So many at one instant, the first of them at the beginning.
    Bursts {
        /// Bodies of each.
        size: u32,
        /// From one to the next.
        every: Duration,
    },
}

impl Arrivals {
    /// The instants, in order. There is no end to them but `until`.
    pub(super) fn times(self, seed: u64) -> impl Iterator<Item = Time> {
        const GAP: Purpose = Purpose::new("hxsim/workload/gap");
        let (mut last, until) = match self {
            Self::At(at) => (at, Time::MAX),
            Self::Over { from, until, .. } => (from, until),
        };
        let times = (0..).map(move |number| match self {
            Self::At(at) => at,
            Self::Over {
                process: Process::Poisson(mean),
                ..
            } => {
                let gap = u128::from(exponential(draw(seed, GAP, number, 0))) * mean.as_nanos();
                last += nanos(gap >> fixed::BITS);
                last
            }
            Self::Over { process, from, .. } => from + process.elapsed(number),
        });
        times.take_while(move |at| *at < until)
    }

    /// More than this many come hardly ever.
    pub(crate) fn most(self) -> u64 {
        let Self::Over {
            process,
            from,
            until,
        } = self
        else {
            return u64::MAX;
        };
        let lasts = until.since(from).as_nanos();
        let most = match process {
            Process::Poisson(mean) => {
                let expected = lasts / mean.as_nanos().max(1);
                // Eight deviations.
                expected + 8 * (expected.isqrt() + 1)
            }
            Process::Every(every) => lasts.div_ceil(every.as_nanos().max(1)),
            Process::Bursts { size, every } => {
                lasts.div_ceil(every.as_nanos().max(1)) * u128::from(size)
            }
        };
        u64::try_from(most).unwrap_or(u64::MAX)
    }

    /// When the last of so many is to be expected, whatever `until` says.
    pub(crate) fn last(self, bodies: u64) -> Time {
        match self {
            Self::At(at) => at,
            Self::Over { process, from, .. } => from + process.elapsed(bodies.saturating_sub(1)),
        }
    }

    /// Whether anything can be published in `from .. until`.
    pub(super) fn meet(self, from: Time, until: Time) -> bool {
        match self {
            Self::At(at) => (from..until).contains(&at),
            Self::Over {
                from: first,
                until: end,
                ..
            } => first < until && from < end,
        }
    }
}

impl Process {
    /// From the beginning to the body of this number; of a Poisson process that is its mean.
    fn elapsed(self, number: u64) -> Duration {
        let (steps, step) = match self {
            Self::Poisson(mean) => (number.saturating_add(1), mean),
            Self::Every(every) => (number, every),
            Self::Bursts { size, every } => (number / u64::from(size.max(1)), every),
        };
        nanos(u128::from(steps).saturating_mul(step.as_nanos()))
    }
}

fn nanos(ns: u128) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(process: Process, from: u64, until: u64) -> Arrivals {
        Arrivals::Over {
            process,
            from: Time::from_millis(from),
            until: Time::from_millis(until),
        }
    }

    fn times(arrivals: Arrivals) -> Vec<u64> {
        arrivals
            .times(1)
            .take(10_000)
            .map(|at| at.as_nanos())
            .collect()
    }

    #[test]
    fn regular_arrivals_and_bursts_begin_at_the_beginning_and_end_before_the_end() {
        let ms = Duration::from_millis;
        let at = |process| -> Vec<u64> {
            let times = times(over(process, 100, 160));
            times.into_iter().map(|at| at / 1_000_000).collect()
        };
        assert_eq!(at(Process::Every(ms(20))), [100, 120, 140]);
        let bursts = Process::Bursts {
            size: 2,
            every: ms(50),
        };
        assert_eq!(at(bursts), [100, 100, 150, 150]);
        assert_eq!(over(Process::Every(ms(20)), 100, 160).most(), 3);
        assert_eq!(over(bursts, 100, 160).most(), 4);
        assert_eq!(over(bursts, 100, 160).last(5), Time::from_millis(200));
    }

    /// 100 a second for 60 s: 6,000 with a deviation of 77; gaps whose mean and deviation are equal.
    #[test]
    fn a_poisson_process_is_one() {
        let arrivals = over(Process::Poisson(Duration::from_millis(10)), 1_000, 61_000);
        let times = times(arrivals);
        assert!((5_600..6_400).contains(&times.len()), "{}", times.len());
        assert!((times.len() as u64) < arrivals.most());
        assert!(times.is_sorted() && times[0] >= 1_000_000_000);
        let gaps: Vec<f64> = times
            .windows(2)
            .map(|it| (it[1] - it[0]) as f64 / 1e7)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
        let deviation = (square / gaps.len() as f64).sqrt();
        assert!((mean - 1.0).abs() < 0.07 && (deviation - 1.0).abs() < 0.1);
    }

    #[test]
    fn one_arrival_more_leaves_the_others_as_they_were() {
        let process = Process::Poisson(Duration::from_millis(10));
        let [few, many] = [1_000, 2_000].map(|until| times(over(process, 0, until)));
        assert!(many.len() > few.len());
        assert!(many.starts_with(&few));
        assert_eq!(
            few[..3],
            [16_349_921, 19_983_512, 25_989_576],
            "the draws are pinned"
        );
    }

    #[test]
    fn intervals_meet_or_do_not() {
        let arrivals = over(Process::Every(Duration::from_millis(20)), 100, 160);
        let meet = |from, until| arrivals.meet(Time::from_millis(from), Time::from_millis(until));
        assert!(meet(0, 101) && meet(159, 500) && meet(120, 130));
        assert!(!meet(0, 100) && !meet(160, 500));
        let once = Arrivals::At(Time::ZERO);
        assert!(once.meet(Time::ZERO, Time::from_millis(1)));
        assert!(!once.meet(Time::from_nanos(1), Time::MAX));
    }
}
