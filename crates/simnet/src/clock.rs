//! Clocks of nodes that are not quite right.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Fault, Host, NodeId, Schedule, Time};

/// What the clocks of nodes show, as a schedule has it. A clock that it does not name is right.
///
/// A node has two of them, as machines do. One counts from the start of the run, never goes back, and may drift: [`Host::now`], and with it whatever waits for a time. The other shows
/// the date, drifts with the first, and may jump: [`Host::wall`]. The world itself, its faults and its traces know the true time alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    nodes: BTreeMap<NodeId, Clock>,
}

/// The clock of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Clock {
    /// In the order of their beginnings; before the first the clock is right.
    paces: Vec<Pace>,
    /// When the wall clock jumps, and by how much it is ahead from then on, in nanoseconds.
    jumps: Vec<(Time, i128)>,
}

/// How fast a clock goes from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    from: Time,
    /// What the clock shows then.
    shown: u64,
    /// By how many millionths it is too fast.
    ppm: i64,
}

/// A clock goes at no less than this pace, in millionths of the true one: a thousandth of it.
const SLOWEST: i64 = 1_000;

const MILLION: i64 = 1_000_000;

/// What wall clocks show at the start of a run: the beginning of the year 2000, as seconds since that of 1970.
const EPOCH: Duration = Duration::from_secs(946_684_800);

impl Schedule {
    /// What the clocks of nodes show.
    pub fn clocks(&self) -> Clocks {
        let mut drifts: BTreeMap<NodeId, Vec<(Time, i64)>> = BTreeMap::new();
        let mut jumps: BTreeMap<NodeId, Vec<(Time, i128)>> = BTreeMap::new();
        for fault in &self.faults {
            match *fault {
                Fault::ClockDrift {
                    at,
                    until,
                    node,
                    ppm,
                } => {
                    let turns = drifts.entry(node).or_default();
                    turns.push((at, ppm.into()));
                    turns.extend(until.map(|until| (until, -i64::from(ppm))));
                }
                Fault::ClockJump { at, node, by_ns } => {
                    jumps.entry(node).or_default().push((at, by_ns.into()));
                }
                _ => {}
            }
        }
        let mut nodes: BTreeMap<NodeId, Clock> = BTreeMap::new();
        for (node, turns) in drifts {
            nodes.entry(node).or_default().paces = paces(turns);
        }
        for (node, mut all) in jumps {
            all.sort_by_key(|(at, _)| *at);
            let mut ahead = 0;
            for (_, by) in &mut all {
                ahead += *by;
                *by = ahead;
            }
            nodes.entry(node).or_default().jumps = all;
        }
        Clocks { nodes }
    }
}

/// Turns are when a drift begins or ends; several at a time add up.
fn paces(mut turns: Vec<(Time, i64)>) -> Vec<Pace> {
    turns.sort_by_key(|(at, _)| *at);
    let mut paces: Vec<Pace> = Vec::new();
    let mut sum = 0;
    for turns in turns.chunk_by(|a, b| a.0 == b.0) {
        sum += turns.iter().map(|(_, ppm)| ppm).sum::<i64>();
        let from = turns[0].0;
        paces.push(Pace {
            from,
            shown: paces
                .last()
                .map_or(from.as_nanos(), |last| last.shows(from)),
            ppm: sum.max(SLOWEST - MILLION),
        });
    }
    paces
}

impl Pace {
    /// What the clock shows at a time, rounded down.
    fn shows(&self, time: Time) -> u64 {
        let passed = u128::from(time.as_nanos() - self.from.as_nanos());
        let passed = passed * self.speed() / MILLION as u128;
        u64::try_from(u128::from(self.shown) + passed).unwrap_or(u64::MAX)
    }

    /// When the clock first shows this.
    fn reaches(&self, shown: u64) -> Time {
        let left = u128::from(shown - self.shown) * MILLION as u128;
        let passed = left.div_ceil(self.speed());
        let time = u128::from(self.from.as_nanos()) + passed;
        Time::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }

    const fn speed(&self) -> u128 {
        (MILLION + self.ppm) as u128
    }
}

impl Clocks {
    /// What a node's clock shows at a time.
    pub fn shown(&self, node: NodeId, time: Time) -> Time {
        let pace = self.nodes.get(&node).and_then(|clock| {
            let after = clock.paces.partition_point(|pace| pace.from <= time);
            clock.paces[..after].last()
        });
        pace.map_or(time, |pace| Time::from_nanos(pace.shows(time)))
    }

    /// When a node's clock first shows this.
    pub fn reached(&self, node: NodeId, shown: Time) -> Time {
        let pace = self.nodes.get(&node).and_then(|clock| {
            let shown = shown.as_nanos();
            let after = clock.paces.partition_point(|pace| pace.shown <= shown);
            clock.paces[..after].last()
        });
        pace.map_or(shown, |pace| pace.reaches(shown.as_nanos()))
    }

    /// What a node's wall clock shows at a time, since the beginning of 1970.
    pub fn wall(&self, node: NodeId, time: Time) -> Duration {
        let shown = EPOCH + self.shown(node, time).elapsed();
        let ahead = self.nodes.get(&node).map_or(0, |clock| {
            let after = clock.jumps.partition_point(|(at, _)| *at <= time);
            clock.jumps[..after].last().map_or(0, |(_, ahead)| *ahead)
        });
        let shown = (shown.as_nanos() as i128 + ahead).max(0);
        Duration::from_nanos(u64::try_from(shown).unwrap_or(u64::MAX))
    }

    /// Whether every clock is right.
    pub(crate) fn are_right(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Host {
    /// The time since the start of the run, as the node's own clock shows it: it never goes back, and may go faster or slower than the true time ([`Fault::ClockDrift`]).
    pub fn now(&self) -> Time {
        let core = self.core.borrow();
        match core.plan.clocks.are_right() {
            true => core.now,
            false => core.plan.clocks.shown(self.id, core.now),
        }
    }

    /// The date as the node's wall clock shows it, since the beginning of 1970. A run begins with the year 2000. It may jump, forward and back ([`Fault::ClockJump`]).
    pub fn wall(&self) -> Duration {
        let core = self.core.borrow();
        core.plan.clocks.wall(self.id, core.now)
    }

    /// When the node's clock first shows this.
    pub(crate) fn true_time(&self, shown: Time) -> Time {
        let core = self.core.borrow();
        match core.plan.clocks.are_right() {
            true => shown,
            false => core.plan.clocks.reached(self.id, shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    #[test]
    fn drifts_add_up_and_end() {
        let schedule =
            Schedule::default()
                .drift(s(10)..s(30), 1, 100_000)
                .drift(s(20).., 1, -200_000);
        let clocks = schedule.clocks();
        let shown = |time| clocks.shown(1, s(time)).as_nanos() / 1_000_000;
        assert_eq!([0, 10, 20, 30].map(shown), [0, 10_000, 21_000, 30_000]);
        assert_eq!(shown(40), 38_000);
        assert_eq!(clocks.shown(0, s(40)), s(40), "all others are right");
    }

    #[test]
    fn jumps_add_up_and_move_the_date_alone() {
        let hour = 3600 * 1_000_000_000;
        let schedule = Schedule::default()
            .jump(s(10), 1, hour)
            .jump(s(20), 1, -2 * hour);
        let clocks = schedule.clocks();
        let ahead = |time| {
            let right = EPOCH + Duration::from_secs(time);
            clocks.wall(1, s(time)).as_secs() as i64 - right.as_secs() as i64
        };
        assert_eq!([9, 10, 19, 20].map(ahead), [0, 3600, 3600, -3600]);
        assert_eq!(clocks.shown(1, s(20)), s(20));
        let before = Schedule::default().jump(s(1), 0, i64::MIN).clocks();
        assert_eq!(
            before.wall(0, s(1)),
            Duration::ZERO,
            "there is nothing before 1970"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_clock_never_goes_back_and_shows_a_time_when_it_is_said_to(
            drifts in prop::collection::vec((0u64..100, 1u64..100, -1_200_000..2_000_000i32), 0..4),
            mut times in prop::collection::vec(0u64..300_000_000_000, 2..50),
        ) {
            let mut schedule = Schedule::default();
            for (at, lasts, ppm) in drifts {
                schedule = schedule.drift(s(at)..s(at + lasts), 0, ppm);
            }
            let clocks = schedule.clocks();
            times.sort_unstable();
            let shown: Vec<_> = times.iter().map(|time| clocks.shown(0, Time::from_nanos(*time))).collect();
            prop_assert!(shown.is_sorted());
            for (time, shown) in times.iter().map(|time| Time::from_nanos(*time)).zip(shown) {
                let reached = clocks.reached(0, shown);
                prop_assert!(reached <= time);
                prop_assert_eq!(clocks.shown(0, reached), shown);
                // Any deadline, shown or not.
                let reached = clocks.reached(0, time);
                prop_assert!(clocks.shown(0, reached) >= time);
                if reached > Time::ZERO {
                    let before = Time::from_nanos(reached.as_nanos() - 1);
                    prop_assert!(clocks.shown(0, before) < time);
                }
            }
        }
    }
}
