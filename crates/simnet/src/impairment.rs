//! Links that are worse than they are, for a while.

use std::time::Duration;

use crate::bandwidth::Bandwidth;
use crate::gilbert_elliott::GilbertElliott;
use crate::{Fault, NodeId, Probability, Schedule, Time};

/// What [`Fault::Impair`] does to whatever is sent over its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impairment {
    /// Nothing passes. Over links of one direction only it is what a misconfigured firewall does: answers arrive, and questions do not.
    Block,
    /// What is sent waits within the network, and passes once this is over: a route that is computed anew, a router that hangs. What would wait
    /// for as long as a stream's timeout, or for ever, is lost instead.
    Stall,
    /// What is sent takes so much longer: a detour, or a queue that does not drain. Of all links from one node it is a node that is slow to answer.
    Delay(Duration),
    /// What is sent is lost with this chance, and independently with that of its link.
    Lose(Probability),
    /// The same by turns: losses come in bursts, which stop a stream for longer than as many losses here and there.
    LoseInBursts(GilbertElliott),
    /// Each link passes no more than this.
    Throttle(Bandwidth),
    /// With this chance a datagram arrives twice. The second one has delays and damage of its own.
    Duplicate(Probability),
    /// With this chance a datagram takes a detour, so that later ones overtake it.
    Reorder {
        /// The chance.
        chance: Probability,
        /// The longest detour; each is uniform over zero to this, both included. It comes on top of the link's latency, whose jitter alone already lets
        /// datagrams overtake each other.
        detour: Duration,
    },
    /// With this chance one bit of a datagram is flipped. UDP has a checksum and drops most of these: this is what gets past it.
    Corrupt(Probability),
}

/// The directed links that an [`Impairment`] is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSet {
    /// All links.
    All,
    /// Those that begin or end at one of these nodes.
    Around(Vec<NodeId>),
    /// Those that begin at one of these nodes.
    From(Vec<NodeId>),
    /// Those that end at one of these nodes.
    To(Vec<NodeId>),
    /// Those from one of the first nodes to one of the second.
    Between(Vec<NodeId>, Vec<NodeId>),
}

impl LinkSet {
    /// The nodes that are named.
    pub fn named(&self) -> impl Iterator<Item = NodeId> {
        let (first, second): (&[NodeId], &[NodeId]) = match self {
            Self::All => (&[], &[]),
            Self::Around(nodes) | Self::From(nodes) | Self::To(nodes) => (nodes, &[]),
            Self::Between(from, to) => (from, to),
        };
        first.iter().chain(second).copied()
    }

    /// Whether the link from `source` to `dest` is among them.
    pub fn has(&self, source: NodeId, dest: NodeId) -> bool {
        match self {
            Self::All => true,
            Self::Around(nodes) => nodes.contains(&source) || nodes.contains(&dest),
            Self::From(nodes) => nodes.contains(&source),
            Self::To(nodes) => nodes.contains(&dest),
            Self::Between(from, to) => from.contains(&source) && to.contains(&dest),
        }
    }
}

/// The impairments of a schedule, as senders look them up.
#[derive(Debug)]
pub(crate) struct Impairments {
    seed: u64,
    all: Vec<Impaired>,
}

#[derive(Debug)]
struct Impaired {
    at: Time,
    until: Time,
    /// Of each node whether links that begin or end at it are in the set. `None`: of all.
    from: Option<Box<[bool]>>,
    to: Option<Box<[bool]>>,
    /// Whether one end is enough.
    around: bool,
    what: Impairment,
}

/// How something passes that leaves its sender at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// When the network lets it go on.
    pub(crate) left: Time,
    /// What its way takes beyond the latency of the link.
    pub(crate) delay: Duration,
    /// The chance to be lost beside that of the link.
    pub(crate) loss: Probability,
}

/// What a link does to a datagram beside delaying and losing it. Streams never see any of it: they put segments in order, drop what comes twice, and
/// repeat what a checksum finds damaged, which is a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mangling {
    pub(crate) duplicate: Probability,
    pub(crate) corrupt: Probability,
    pub(crate) reorder: Probability,
    /// The longest, of several that reorder.
    pub(crate) detour: Duration,
}

impl Impairments {
    pub(crate) fn new(schedule: &Schedule, nodes: u32, seed: u64) -> Self {
        let mask = |named: &[NodeId]| {
            let mut mask = vec![false; nodes as usize];
            named.iter().for_each(|node| mask[*node as usize] = true);
            Some(mask.into_boxed_slice())
        };
        let all = schedule.faults.iter().filter_map(|fault| {
            let Fault::Impair {
                at,
                until,
                links,
                impairment,
            } = fault
            else {
                return None;
            };
            let (from, to) = match links {
                LinkSet::All => (None, None),
                LinkSet::Around(nodes) => (mask(nodes), mask(nodes)),
                LinkSet::From(nodes) => (mask(nodes), None),
                LinkSet::To(nodes) => (None, mask(nodes)),
                LinkSet::Between(from, to) => (mask(from), mask(to)),
            };
            Some(Impaired {
                at: *at,
                until: until.unwrap_or(Time::MAX),
                from,
                to,
                around: matches!(links, LinkSet::Around(_)),
                what: *impairment,
            })
        });
        Self {
            seed,
            all: all.collect(),
        }
    }

    /// What is on the link from `source` to `dest` at `time`.
    fn on(&self, source: NodeId, dest: NodeId, time: Time) -> impl Iterator<Item = &Impaired> {
        let on = move |it: &&Impaired| it.is_on(source, dest, time);
        self.all.iter().filter(on)
    }

    /// The least of the bandwidths to which the link is held.
    #[inline]
    pub(crate) fn throttle(&self, source: NodeId, dest: NodeId, time: Time) -> Option<Bandwidth> {
        if self.all.is_empty() {
            return None;
        }
        let held = self.on(source, dest, time).filter_map(|it| match it.what {
            Impairment::Throttle(bandwidth) => Some(bandwidth),
            _ => None,
        });
        held.min()
    }

    /// How what leaves its sender at `time` passes the link; `None`: not at all, or not within `patience`.
    #[inline]
    pub(crate) fn passage(
        &self,
        source: NodeId,
        dest: NodeId,
        time: Time,
        patience: Duration,
    ) -> Option<Passage> {
        let mut passage = Passage {
            left: time,
            delay: Duration::ZERO,
            loss: Probability::ZERO,
        };
        if self.all.is_empty() {
            return Some(passage);
        }
        // One stall may end within the next.
        while let Some(until) = self.stalled(source, dest, passage.left) {
            if until >= time + patience {
                return None;
            }
            passage.left = until;
        }
        for it in self.on(source, dest, passage.left) {
            match it.what {
                Impairment::Block => return None,
                Impairment::Delay(delay) => passage.delay += delay,
                Impairment::Lose(loss) => passage.loss = passage.loss.or(loss),
                Impairment::LoseInBursts(bursts) => {
                    let loss = bursts.loss_at(self.seed, source, dest, passage.left);
                    passage.loss = passage.loss.or(loss);
                }
                _ => {}
            }
        }
        Some(passage)
    }

    /// What happens to a datagram that leaves its sender at `time` and passes.
    #[inline]
    pub(crate) fn mangling(&self, source: NodeId, dest: NodeId, time: Time) -> Mangling {
        let mut mangling = Mangling::default();
        for it in self.on(source, dest, time) {
            match it.what {
                Impairment::Duplicate(chance) => {
                    mangling.duplicate = mangling.duplicate.or(chance);
                }
                Impairment::Corrupt(chance) => mangling.corrupt = mangling.corrupt.or(chance),
                Impairment::Reorder { chance, detour } => {
                    mangling.reorder = mangling.reorder.or(chance);
                    mangling.detour = mangling.detour.max(detour);
                }
                _ => {}
            }
        }
        mangling
    }

    fn stalled(&self, source: NodeId, dest: NodeId, time: Time) -> Option<Time> {
        let stalls = self.on(source, dest, time);
        let stalls = stalls.filter(|it| it.what == Impairment::Stall);
        stalls.map(|it| it.until).max()
    }
}

impl Impaired {
    fn is_on(&self, source: NodeId, dest: NodeId, time: Time) -> bool {
        let has = |mask: &Option<Box<[bool]>>, node: NodeId| {
            mask.as_ref().is_none_or(|mask| mask[node as usize])
        };
        let (from, to) = (has(&self.from, source), has(&self.to, dest));
        let is_link = if self.around { from || to } else { from && to };
        self.at <= time && time < self.until && is_link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn impairments(faults: &[(u64, u64, LinkSet, Impairment)]) -> Impairments {
        let mut schedule = Schedule::default();
        for (at, until, links, impairment) in faults {
            let [at, until] = [*at, *until].map(Time::from_secs);
            schedule = schedule.impair(at..until, links.clone(), *impairment);
        }
        Impairments::new(&schedule, 4, 1)
    }

    #[test]
    fn a_set_names_directed_links() {
        let named = |set: LinkSet| {
            let impaired = impairments(&[(0, 1, set.clone(), Impairment::Block)]);
            let mut links = Vec::new();
            for source in 0..4 {
                for dest in (0..4).filter(|dest| *dest != source) {
                    let passage = impaired.passage(source, dest, Time::ZERO, S);
                    assert_eq!(passage.is_none(), set.has(source, dest));
                    links.extend(passage.is_none().then_some((source, dest)));
                }
            }
            links
        };
        assert_eq!(named(LinkSet::All).len(), 12);
        assert_eq!(named(LinkSet::From(vec![2])), [(2, 0), (2, 1), (2, 3)]);
        assert_eq!(named(LinkSet::To(vec![2])), [(0, 2), (1, 2), (3, 2)]);
        assert_eq!(named(LinkSet::Around(vec![2])).len(), 6);
        let between = LinkSet::Between(vec![0, 1], vec![3]);
        assert_eq!(named(between), [(0, 3), (1, 3)]);
    }

    #[test]
    fn what_waits_goes_on_when_the_last_stall_that_it_meets_is_over() {
        let impaired = impairments(&[
            (1, 3, LinkSet::All, Impairment::Stall),
            (2, 5, LinkSet::From(vec![0]), Impairment::Stall),
            (5, 6, LinkSet::From(vec![0]), Impairment::Delay(S)),
        ]);
        let passes = |source, at, patience| {
            let passage = impaired.passage(source, 3, Time::from_secs(at), S * patience);
            passage.map(|it| (it.left, it.delay))
        };
        let at = Time::from_secs;
        assert_eq!(passes(0, 0, 9), Some((at(0), Duration::ZERO)));
        assert_eq!(passes(1, 1, 9), Some((at(3), Duration::ZERO)));
        assert_eq!(passes(0, 1, 9), Some((at(5), S)), "and meets the delay");
        assert_eq!(passes(0, 1, 4), None, "it is given up before");
    }

    #[test]
    fn chances_add_up_as_those_of_independent_losses_do() {
        let half = Impairment::Lose(Probability::from_ppm(500_000));
        let all = || LinkSet::All;
        let impaired = impairments(&[(0, 2, all(), half), (1, 3, all(), half)]);
        let loss = |at| {
            let passage = impaired.passage(0, 1, Time::from_secs(at), S);
            passage.expect("nothing is blocked").loss.as_ppm()
        };
        assert_eq!([0, 1, 2, 3].map(loss), [500_000, 750_000, 500_000, 0]);
    }

    #[test]
    fn the_tightest_throttle_holds() {
        let throttle = |bytes| Bandwidth::per_second(bytes).map(Impairment::Throttle);
        let throttle = |bytes| throttle(bytes).expect("it is not zero");
        let impaired = impairments(&[
            (0, 2, LinkSet::All, throttle(9)),
            (1, 3, LinkSet::To(vec![1]), throttle(5)),
        ]);
        let held = |dest, at| {
            let held = impaired.throttle(0, dest, Time::from_secs(at));
            held.map(Bandwidth::as_bytes_per_second)
        };
        assert_eq!(
            [held(1, 0), held(1, 1), held(2, 1)],
            [Some(9), Some(5), Some(9)]
        );
        assert_eq!([held(1, 2), held(2, 2)], [Some(5), None]);
    }
}
