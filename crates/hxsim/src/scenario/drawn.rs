//! Faults that a seed draws. They become part of the schedule, as dated as any other, so that they can be printed, made fewer and replayed.

use simnet::draw::{Purpose, bounded, draw};
use simnet::{Fault, NodeId, Time};

use super::Scenario;

const FAULTS: Purpose = Purpose::new("hxsim.drawn_faults");

impl Scenario {
    /// Adds one to four faults that the seed draws, all of them over by `until`. Each is one of four:
    /// a partition into two halves; the cut of a connection; an outage of one node, which is cut off for a while and
    /// loses all its connections meanwhile; or a crash of one node, which restarts after a while and has forgotten everything.
    ///
    /// What a protocol promises for every schedule of faults is best asked of many seeds, see [`trial::prove`](crate::trial::prove).
    pub fn draw_faults(&mut self, until: Time) {
        let graph = self.topology.graph(self.nodes, self.seed);
        let until_ms = until.as_nanos() / 1_000_000;
        // A graph that cannot be is told by whoever runs the scenario.
        let Some(graph) = graph.ok().filter(|it| !it.edges().is_empty()) else {
            return;
        };
        let number = Draws::new(self.seed, 0).below(4) + 1;
        for number in 1..=number {
            let mut draws = Draws::new(self.seed, number);
            let kind = draws.below(3);
            // Whole milliseconds: they are shorter to read.
            let at_ms = draws.below(until_ms);
            let healed_ms = at_ms + 1 + draws.below(until_ms.saturating_sub(at_ms + 1));
            let (at, healed) = (Time::from_millis(at_ms), Time::from_millis(healed_ms));
            let partition = |group: Vec<NodeId>| Fault::Partition {
                at,
                until: Some(healed),
                groups: vec![group],
            };
            match kind {
                0 => {
                    let half = 1..self.nodes;
                    let half = half.filter(|_| draws.below(2) == 1).collect::<Vec<_>>();
                    // Node 0 is always on the other side, so that there is one.
                    let half = if half.is_empty() { vec![1] } else { half };
                    self.schedule.faults.push(partition(half));
                }
                1 => {
                    let edge = draws.below(graph.edges().len() as u64) as usize;
                    let between = graph.edges()[edge];
                    self.schedule.faults.push(Fault::Cut { at, between });
                }
                _ => {
                    // Below the number of nodes, which are counted in 32 bits.
                    let node = draws.below(self.nodes.into()) as NodeId;
                    let cut_at = Time::from_millis(at_ms + draws.below(healed_ms - at_ms));
                    // The life of a node is told once.
                    let comes_and_goes = self.faults().lives().nodes().contains(&node);
                    if draws.below(2) == 1 && !comes_and_goes {
                        let restart = Fault::Restart { at: healed, node };
                        let crash = Fault::Crash { at, node };
                        self.schedule.faults.extend([crash, restart]);
                        continue;
                    }
                    let cut = |peer: &NodeId| Fault::Cut {
                        at: cut_at,
                        between: (node, *peer),
                    };
                    self.schedule.faults.push(partition(vec![node]));
                    let cuts = graph.neighbours(node).iter().map(cut);
                    self.schedule.faults.extend(cuts);
                }
            }
        }
    }
}

/// The draws of one fault: those of another do not move when this one needs more.
struct Draws {
    seed: u64,
    fault: u64,
    drawn: u64,
}

impl Draws {
    const fn new(seed: u64, fault: u64) -> Self {
        Self {
            seed,
            fault,
            drawn: 0,
        }
    }

    /// Something of `0 .. n`; 0 if `n` is 0.
    const fn below(&mut self, n: u64) -> u64 {
        self.drawn += 1;
        bounded(draw(self.seed, FAULTS, self.fault, self.drawn), n)
    }
}

#[cfg(test)]
mod tests {
    use simnet::Schedule;

    use super::*;

    fn drawn(seed: u64) -> Vec<Fault> {
        let mut scenario = Scenario::new(10);
        scenario.seed = seed;
        scenario.draw_faults(Time::from_secs(10));
        scenario.schedule.faults
    }

    #[test]
    fn faults_are_those_of_the_seed_and_are_over_in_time() {
        let end = Time::from_secs(10);
        let mut kinds = [0; 3];
        for seed in 0..200 {
            let faults = drawn(seed);
            assert!(!faults.is_empty());
            assert_eq!(faults, drawn(seed));
            let lives = Schedule {
                faults: faults.clone(),
            }
            .lives();
            assert_eq!(lives.misfits(), []);
            for fault in faults {
                match fault {
                    Fault::Partition { ref groups, .. } => {
                        kinds[0] += 1;
                        assert!(fault.healed().is_some_and(|at| at <= end));
                        assert!((1..10).contains(&groups[0].len()), "both sides have nodes");
                        assert!(!groups[0].contains(&0) || groups[0] == [0]);
                    }
                    Fault::Cut { at, .. } => {
                        kinds[1] += 1;
                        assert!(at <= end);
                    }
                    Fault::Crash { at, node } => {
                        kinds[2] += 1;
                        assert!(lives.starts_after(node, at).is_some_and(|at| at <= end));
                    }
                    Fault::Restart { .. } => {}
                    Fault::Join { .. }
                    | Fault::Leave { .. }
                    | Fault::Impair { .. }
                    | Fault::LoseDisk { .. }
                    | Fault::FailDisk { .. }
                    | Fault::ClockJump { .. }
                    | Fault::ClockDrift { .. } => {
                        panic!("{fault:?}")
                    }
                }
            }
        }
        assert!(kinds.iter().all(|&number| number > 50), "{kinds:?}");
    }

    #[test]
    fn golden_faults_pin_what_a_seed_draws() {
        let ms = Time::from_millis;
        let partition = |at, until, group: &[NodeId]| Fault::Partition {
            at: ms(at),
            until: Some(ms(until)),
            groups: vec![group.to_vec()],
        };
        let cut = Fault::Cut {
            at: ms(8016),
            between: (5, 6),
        };
        let expected = [
            cut,
            partition(6456, 7530, &[2, 3, 5, 6, 7, 8]),
            partition(4283, 8118, &[1, 2, 3, 7, 8]),
        ];
        assert_eq!(drawn(3), expected);
        let node = 4;
        let expected = [
            Fault::Crash { at: ms(6619), node },
            Fault::Restart { at: ms(9316), node },
            Fault::Cut {
                at: ms(8254),
                between: (3, 4),
            },
        ];
        assert_eq!(drawn(1), expected);
    }

    #[test]
    fn one_node_alone_has_nothing_to_lose() {
        let mut scenario = Scenario::new(1);
        scenario.draw_faults(Time::from_secs(1));
        assert_eq!(scenario.schedule.faults, []);
        let mut scenario = Scenario::new(2);
        scenario.draw_faults(Time::ZERO);
        assert!(
            scenario
                .schedule
                .faults
                .iter()
                .all(|it| it.at() <= Time::from_millis(1))
        );
    }
}
