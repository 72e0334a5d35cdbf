//! Faults that a seed draws. They become part of the schedule, as dated as any other, so that they can be printed, made fewer and replayed.

use simnet::draw::{Purpose, bounded, draw};
use simnet::{Fault, NodeId, Time};

use super::Scenario;

const FAULTS: Purpose = Purpose::new("hxsim.drawn_faults");

impl Scenario {
    /// Adds one to four faults that the seed draws, all of them over by `until`. Each is one of three:
    /// a partition into two halves, the cut of a connection, or an outage of one node, which is cut off for a while and
    /// loses all its connections meanwhile.
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
                    let at = Time::from_millis(at_ms + draws.below(healed_ms - at_ms));
                    let cut = |peer: &NodeId| Fault::Cut {
                        at,
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
    use super::*;

    fn drawn(seed: u64) -> Vec<Fault> {
        let mut scenario = Scenario::new(10);
        scenario.seed = seed;
        scenario.draw_faults(Time::from_secs(10));
        scenario.schedule.faults
    }

    #[test]
    fn faults_are_those_of_the_seed_and_are_over_in_time() {
        let mut kinds = [0; 2];
        for seed in 0..100 {
            let faults = drawn(seed);
            assert!(!faults.is_empty());
            assert_eq!(faults, drawn(seed));
            for fault in faults {
                assert!(fault.healed().is_some_and(|at| at <= Time::from_secs(10)));
                match fault {
                    Fault::Partition { groups, .. } => {
                        kinds[0] += 1;
                        assert!((1..10).contains(&groups[0].len()), "both sides have nodes");
                        assert!(!groups[0].contains(&0) || groups[0] == [0]);
                    }
                    Fault::Cut { .. } => kinds[1] += 1,
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
