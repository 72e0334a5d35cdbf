//! Nodes that come and go again and again: a rule, and the dated faults that a seed makes of it.

use std::sync::Arc;
use std::time::Duration;

use simnet::draw::{Purpose, bounded, chance, draw};
use simnet::fixed::{self, exponential};
use simnet::{Fault, NodeId, Probability, Quantiles, Time};

/// Nodes stay for a session, are away for an absence, and so on.
///
/// It is a rule for [`Churn::faults`], which are plain data: what a run goes through is what that lists, and nothing is drawn on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Churn {
    /// Among whom, sorted.
    pub nodes: Vec<NodeId>,
    /// The chance of each of them to be one that comes and goes.
    pub share: Probability,
    /// How they go.
    pub exit: Exit,
    /// How long a node stays.
    pub session: Span,
    /// How long it is away then.
    pub absence: Span,
    /// When the first sessions begin.
    pub from: Time,
    /// From then on nobody goes any more, and whoever is away comes back when its absence is over; `None`: the end of the run.
    pub until: Option<Time>,
}

/// How a node goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// In good order: [`Fault::Leave`].
    #[default]
    Leave,
    /// By a loss of power: [`Fault::Crash`].
    Crash,
}

/// A length of time that varies: `floor`, and something drawn on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// It is at least this.
    pub floor: Duration,
    /// What is added.
    pub varying: Varying,
}

/// The part of a [`Span`] that is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Varying {
    /// Always the same.
    Constant(Duration),
    /// Uniform over zero to this, both included.
    Uniform(Duration),
    /// Exponential with this mean: whoever has stayed for long is as likely to go as whoever has just come.
    Exponential(Duration),
    /// Drawn from a table: log-normal, Pareto, or what somebody measured; at most [`Quantiles::LONGEST`].
    Quantiles(Arc<Quantiles>),
}

impl Churn {
    /// The comings and goings of a run of this seed that ends at `horizon`, in the order of their times. What a node does depends on itself
    /// and the seed alone, so that a node more or less changes nothing for the others.
    pub fn faults(&self, seed: u64, horizon: Time) -> Vec<Fault> {
        const SHARE: Purpose = Purpose::new("hxsim/churn/share");
        let member = |node: &NodeId| chance(draw(seed, SHARE, u64::from(*node), 0), self.share);
        let nodes = self.nodes.iter().copied().filter(member);
        let mut faults: Vec<_> = nodes
            .flat_map(|node| self.life(node, seed, horizon))
            .collect();
        faults.sort_by_key(Fault::at);
        faults
    }

    fn life(&self, node: NodeId, seed: u64, horizon: Time) -> Vec<Fault> {
        const SESSION: Purpose = Purpose::new("hxsim/churn/session");
        const ABSENCE: Purpose = Purpose::new("hxsim/churn/absence");
        let until = self.until.unwrap_or(horizon).min(horizon);
        let mut faults = Vec::new();
        let mut at = self.from;
        for number in 0.. {
            let span = |of: &Span, purpose| of.length(draw(seed, purpose, u64::from(node), number));
            at += span(&self.session, SESSION);
            if at >= until {
                break;
            }
            faults.push(match self.exit {
                Exit::Leave => Fault::Leave { at, node },
                Exit::Crash => Fault::Crash { at, node },
            });
            at += span(&self.absence, ABSENCE);
            if at >= horizon {
                break;
            }
            faults.push(Fault::Restart { at, node });
        }
        faults
    }

    /// How many faults are to be expected of a run that ends at `horizon`.
    pub fn expected(&self, horizon: Time) -> u64 {
        let lasts = self.until.unwrap_or(horizon).min(horizon).since(self.from);
        let cycle = self.session.mean() + self.absence.mean();
        let cycles = lasts.as_nanos() / cycle.as_nanos().max(1);
        let all = cycles.saturating_mul(2 * self.nodes.len() as u128);
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

impl Span {
    /// The length that 64 random bits stand for; never zero, so that time goes on.
    fn length(&self, raw: u64) -> Duration {
        let varying = match &self.varying {
            Varying::Constant(constant) => *constant,
            Varying::Uniform(most) => {
                Duration::from_nanos(bounded(raw, nanos(*most).saturating_add(1)))
            }
            Varying::Quantiles(quantiles) => quantiles.draw(raw),
            Varying::Exponential(mean) => {
                let ns = (u128::from(nanos(*mean)) * u128::from(exponential(raw))) >> fixed::BITS;
                Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
            }
        };
        self.floor
            .saturating_add(varying)
            .max(Duration::from_nanos(1))
    }

    /// The mean length; of a table near enough, without what is rarer than one of 512.
    pub fn mean(&self) -> Duration {
        let varying = match &self.varying {
            Varying::Constant(constant) => *constant,
            Varying::Uniform(most) => *most / 2,
            Varying::Exponential(mean) => *mean,
            Varying::Quantiles(quantiles) => {
                let middles = (0..256).map(|cell| quantiles.draw((2 * cell + 1) << 55));
                middles.sum::<Duration>() / 256
            }
        };
        self.floor.saturating_add(varying)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn exponential_span(mean: Duration) -> Span {
        Span {
            floor: Duration::ZERO,
            varying: Varying::Exponential(mean),
        }
    }

    fn churn(nodes: u32) -> Churn {
        Churn {
            nodes: (0..nodes).collect(),
            share: Probability::ONE,
            exit: Exit::Leave,
            session: exponential_span(s(30)),
            absence: exponential_span(s(10)),
            from: Time::from_secs(5),
            until: Some(Time::from_secs(1_000)),
        }
    }

    #[test]
    fn golden_vectors_pin_lengths() {
        let span = exponential_span(s(1_000_000));
        let lengths = [0, 1 << 32, u64::MAX / 2, u64::MAX - 1, u64::MAX];
        let lengths = lengths.map(|raw| span.length(raw).as_nanos());
        assert_eq!(
            lengths,
            [
                43_668_272_375_276_554,
                22_180_709_777_452_588,
                693_147_180_559_945,
                1,
                1
            ]
        );
    }

    #[test]
    fn lengths_have_their_mean_and_their_tail() {
        const DRAWS: u64 = 10_000;
        let raws = || (0..DRAWS).map(|n| draw(3, Purpose::new("test"), 0, n));
        let span = exponential_span(s(30));
        let total: u128 = raws().map(|raw| span.length(raw).as_nanos()).sum();
        let mean = total / u128::from(DRAWS) / 1_000_000;
        // The deviation of the mean is 0.3 s.
        assert!((28_500..31_500).contains(&mean), "{mean} ms");
        let long = raws().filter(|raw| span.length(*raw) > s(90)).count();
        // Binomial with mean 498 and deviation 22.
        assert!(
            (388..608).contains(&long),
            "{long} of more than three means"
        );
        let uniform = Span {
            floor: s(2),
            varying: Varying::Uniform(s(4)),
        };
        assert!(raws().all(|raw| (s(2)..=s(6)).contains(&uniform.length(raw))));
        assert_eq!((uniform.mean(), span.mean()), (s(4), s(30)));
        // Median 20 s, and a mean of 20 s times the root of e.
        let table = Quantiles::log_normal(s(20), 1_000_000).expect("it is possible");
        let log_normal = Span {
            floor: s(1),
            varying: Varying::Quantiles(table.into()),
        };
        let short = raws().filter(|raw| log_normal.length(*raw) < s(21)).count();
        // Binomial with mean 5000 and deviation 50.
        assert!((4_700..5_300).contains(&short), "{short} below the median");
        let mean = log_normal.mean().as_millis();
        assert!((32_000..34_000).contains(&mean), "{mean} ms, hence 33 s");
    }

    #[test]
    fn everybody_comes_back_and_lives_as_before_whoever_else_is_there() {
        let horizon = Time::from_secs(2_000);
        let faults = churn(20).faults(1, horizon);
        let schedule = simnet::Schedule {
            faults: faults.clone(),
        };
        let lives = schedule.lives();
        assert_eq!(lives.misfits(), []);
        assert!((0..20).all(|node| lives.down(node, horizon).is_none()));
        assert!(faults.is_sorted_by_key(Fault::at));
        let of_one = |faults: &[Fault]| -> Vec<Fault> {
            let own = faults.iter().filter(|fault| match fault {
                Fault::Leave { node, .. } | Fault::Restart { node, .. } => *node == 7,
                _ => false,
            });
            own.cloned().collect()
        };
        assert_eq!(of_one(&faults), of_one(&churn(8).faults(1, horizon)));
        assert_ne!(faults, churn(20).faults(2, horizon));
        // 20 nodes for 995 s at two faults in 40 s; the deviation is below 45.
        let expected = churn(20).expected(horizon);
        assert_eq!(expected, 960);
        assert!(faults.len().abs_diff(995) < 225, "{}", faults.len());
    }

    #[test]
    fn a_share_comes_and_goes_and_nobody_beyond_the_horizon() {
        let some = Churn {
            share: Probability::from_ppm(250_000),
            until: None,
            exit: Exit::Crash,
            ..churn(1_000)
        };
        let horizon = Time::from_secs(100);
        let faults = some.faults(1, horizon);
        assert!(faults.iter().all(|fault| fault.at() < horizon));
        let mut crashed: Vec<_> = faults
            .iter()
            .filter_map(|fault| match fault {
                Fault::Crash { node, .. } => Some(*node),
                _ => None,
            })
            .collect();
        crashed.sort_unstable();
        crashed.dedup();
        // A quarter of those whose first session ends before the horizon: mean 239, deviation 13.5.
        assert!((171..307).contains(&crashed.len()), "{}", crashed.len());
    }
}
