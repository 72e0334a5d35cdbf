//! Bodies that are made up: who publishes them, how large they are, and who holds them besides.
//!
//! All draws belong to the body or the publisher, so that one more leaves all others as they were.

use hash_exchange::Hash;
use simnet::draw::{Purpose, chance, draw};
use simnet::{NodeId, Probability, Time};

use super::zipf::{self, Ranks};
use super::{Arrivals, Item, Size, unique};
use crate::decimal::Decimal;

/// Bodies of seeded pseudo-random bytes, no two alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synthetic {
    /// Who publishes.
    pub publishers: Publishers,
    /// Bodies of each publisher: so many times the publishers is how many there are, unless [`Arrivals::Over`] ends sooner.
    pub count: u32,
    /// Bytes of each body.
    pub size: Size,
    /// Who else holds a body, and from the same time on.
    pub share: Share,
    /// When they are published.
    pub arrivals: Arrivals,
    /// Which publisher publishes what comes next; of no meaning if all comes at one instant.
    pub turns: Turns,
}

/// Which nodes publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publishers {
    /// The nodes from 0 to before this one.
    First(u32),
    /// These.
    Nodes(Vec<NodeId>),
    /// So many, drawn by the seed. A node more in the network leaves them what they were, unless it is drawn itself.
    Drawn(u32),
}

/// Who holds a body besides its publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Each other node, with this chance.
    Each(Probability),
    /// Each other node, with a chance of `most / rank^exponent`: bodies are ranked in the order in which publishers take their turns.
    Zipf {
        /// How fast popularity falls.
        exponent: Decimal,
        /// The chance of the most popular body.
        most: Probability,
    },
}

/// Which publisher publishes what comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turns {
    /// One after the other, and again.
    #[default]
    RoundRobin,
    /// Any with the same chance. One publisher more takes over some bodies, and the others stay with theirs.
    Drawn,
    /// The publisher of rank k with a chance that is as high as `1 / k^exponent`, in the order of [`Publishers`].
    Zipf(Decimal),
}

/// That somebody publishes something.
struct Publication {
    /// The number of the body, to which all its draws belong.
    serial: u64,
    rank: u64,
    publisher: NodeId,
    at: Time,
}

impl Synthetic {
    /// So many bodies of each of the first nodes, of the same size and held from the start by their publishers alone.
    pub const fn held(publishers: u32, count: u32, size: u32) -> Self {
        Self {
            publishers: Publishers::First(publishers),
            count,
            size: Size::Fixed(size),
            share: Share::Each(Probability::ZERO),
            arrivals: Arrivals::At(Time::ZERO),
            turns: Turns::RoundRobin,
        }
    }

    pub(super) fn items(&self, nodes: u32, seed: u64) -> Vec<Item> {
        let publications = self.publications(nodes, seed);
        unique(publications.into_iter().map(|publication| {
            let Publication {
                serial,
                publisher,
                at,
                ..
            } = publication;
            let body = random_body(seed, serial, self.size.draw(seed, serial));
            let mut holders = vec![publisher];
            if self.share != Share::Each(Probability::ZERO) {
                let others = (0..nodes).filter(|&node| node != publisher);
                holders.extend(others.filter(|&node| self.shares(seed, &publication, node)));
                holders.sort_unstable();
            }
            Item {
                hash: Hash::sha1(&body),
                body: body.into(),
                name: None,
                holders,
                at,
            }
        }))
    }

    fn publications(&self, nodes: u32, seed: u64) -> Vec<Publication> {
        let publishers = self.publishers.nodes(nodes, seed);
        let (each, count) = (publishers.len() as u64, u64::from(self.count));
        if let Arrivals::At(at) = self.arrivals {
            let of = |(index, publisher): (u64, NodeId)| {
                (0..count).map(move |k| Publication {
                    serial: index * count + k,
                    rank: k * each + index + 1,
                    publisher,
                    at,
                })
            };
            return (0..).zip(publishers).flat_map(of).collect();
        }
        let turn = self.turns.among(&publishers, seed);
        let bodies = each.saturating_mul(count);
        let numbers = 0..bodies;
        let times = numbers.zip(self.arrivals.times(seed));
        times
            .map(|(serial, at)| Publication {
                serial,
                rank: serial + 1,
                publisher: turn(serial),
                at,
            })
            .collect()
    }

    /// Whether a node holds a body that another one publishes.
    fn shares(&self, seed: u64, publication: &Publication, node: NodeId) -> bool {
        const SHARE: Purpose = Purpose::new("hxsim/workload/share");
        let raw = draw(seed, SHARE, node.into(), publication.serial);
        match self.share {
            Share::Each(share) => chance(raw, share),
            Share::Zipf { exponent, most } => {
                let whole = u128::from(Probability::ONE.as_ppm());
                let most = (u128::from(most.as_ppm()) << 64) / whole;
                let most = u64::try_from(most).unwrap_or(u64::MAX);
                raw < zipf::weight(most, publication.rank, exponent)
            }
        }
    }
}

impl Publishers {
    /// How many publish.
    pub fn count(&self) -> u32 {
        match self {
            &Self::First(count) | &Self::Drawn(count) => count,
            // As many as nodes at most, which a u32 counts.
            Self::Nodes(nodes) => nodes.len() as u32,
        }
    }

    /// Those of a network of so many nodes.
    fn nodes(&self, nodes: u32, seed: u64) -> Vec<NodeId> {
        const PUBLISHER: Purpose = Purpose::new("hxsim/workload/publisher");
        match self {
            &Self::First(count) => (0..count.min(nodes)).collect(),
            Self::Nodes(chosen) => chosen.clone(),
            &Self::Drawn(count) => {
                let mut all: Vec<_> = (0..nodes)
                    .map(|node| (draw(seed, PUBLISHER, node.into(), 0), node))
                    .collect();
                all.sort_unstable();
                all.truncate(count as usize);
                all.into_iter().map(|(_, node)| node).collect()
            }
        }
    }
}

impl Turns {
    /// Who publishes the body of a number.
    fn among<'p>(self, publishers: &'p [NodeId], seed: u64) -> Box<dyn Fn(u64) -> NodeId + 'p> {
        const TURN: Purpose = Purpose::new("hxsim/workload/turn");
        let count = publishers.len() as u64;
        match self {
            Self::RoundRobin => Box::new(move |serial| publishers[(serial % count) as usize]),
            Self::Drawn => Box::new(move |serial| {
                let raw = |step| draw(seed, TURN, serial, step);
                publishers[consistent(raw, count) as usize]
            }),
            Self::Zipf(exponent) => {
                // As many as nodes, which a u32 counts.
                let ranks = Ranks::new(count as u32, exponent);
                Box::new(move |serial| publishers[ranks.place(draw(seed, TURN, serial, 0))])
            }
        }
    }
}

/// One of `0 .. count`, each with the same chance, such that with one more either that one is chosen or the same as before
/// (jump consistent hashing; Lamping and Veach 2014).
fn consistent(draw: impl Fn(u64) -> u64, count: u64) -> u64 {
    let (mut chosen, mut next, mut step) = (0, 0, 0);
    while next < count {
        chosen = next;
        // The first of those above that is chosen in place of this: it is above x with the chance (chosen + 1) / (x + 1).
        let uniform = (draw(step) >> 32) + 1;
        next = ((chosen + 1) << 32) / uniform;
        step += 1;
    }
    chosen
}

/// The body begins with its number, masked by the seed: that alone makes bodies differ, however short they are.
fn random_body(seed: u64, serial: u64, size: u32) -> Vec<u8> {
    const MASK: Purpose = Purpose::new("hxsim/workload/mask");
    const BODY: Purpose = Purpose::new("hxsim/workload/body");
    let size = size as usize;
    let mut body = Vec::with_capacity(size + 8);
    body.extend_from_slice(&(serial ^ draw(seed, MASK, 0, 0)).to_le_bytes());
    for word in 1..size.div_ceil(8) as u64 {
        body.extend_from_slice(&draw(seed, BODY, serial, word).to_le_bytes());
    }
    body.truncate(size);
    body
}

/// The least size at which so many synthetic bodies all differ.
pub(crate) const fn fewest_bytes(bodies: u64) -> u32 {
    let bits = u64::BITS - bodies.saturating_sub(1).leading_zeros();
    bits.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::workload::Process;

    /// A body each 10 ms for a second.
    fn stream(publishers: Publishers, turns: Turns) -> Synthetic {
        Synthetic {
            publishers,
            count: u32::MAX,
            arrivals: Arrivals::Over {
                process: Process::Every(Duration::from_millis(10)),
                from: Time::from_millis(500),
                until: Time::from_millis(1_500),
            },
            turns,
            ..Synthetic::held(0, 0, 100)
        }
    }

    fn publishers(items: &[Item]) -> Vec<NodeId> {
        items.iter().map(|item| item.holders[0]).collect()
    }

    #[test]
    fn publishers_take_turns() {
        let items = stream(Publishers::Nodes(vec![3, 5, 9]), Turns::RoundRobin).items(10, 1);
        assert_eq!(items.len(), 100);
        assert_eq!(publishers(&items)[..5], [3, 5, 9, 3, 5]);
        assert_eq!(items[2].at, Time::from_millis(520));
        let counted = Synthetic {
            count: 2,
            ..stream(Publishers::First(3), Turns::RoundRobin)
        };
        assert_eq!(
            publishers(&counted.items(10, 1)),
            [0, 1, 2, 0, 1, 2],
            "two of each"
        );
    }

    #[test]
    fn one_publisher_more_takes_over_some_bodies_and_leaves_the_others() {
        let drawn = |count| stream(Publishers::First(count), Turns::Drawn).items(10, 1);
        let (four, five) = (drawn(4), drawn(5));
        let mut taken = 0;
        for (before, after) in four.iter().zip(&five) {
            assert_eq!((&before.hash, before.at), (&after.hash, after.at));
            if after.holders == [4] {
                taken += 1;
            } else {
                assert_eq!(before.holders, after.holders);
            }
        }
        // Binomial with mean 20 and deviation 4.
        assert!((8..=36).contains(&taken), "{taken}");
    }

    #[test]
    fn drawn_publishers_stay_when_one_more_is_drawn_or_there_is_one_node_more() {
        let chosen = |count, nodes| Publishers::Drawn(count).nodes(nodes, 7);
        assert_eq!(chosen(5, 100).len(), 5);
        assert!(chosen(6, 100).starts_with(&chosen(5, 100)));
        let grown = chosen(5, 101);
        let kept = chosen(5, 100)
            .into_iter()
            .filter(|node| grown.contains(node));
        assert!(kept.count() >= 4);
        assert_eq!(chosen(200, 100).len(), 100, "no more than there are");
    }

    #[test]
    fn the_first_publisher_publishes_most_by_zipf() {
        let turns = Turns::Zipf(Decimal::ONE);
        let items = stream(Publishers::First(10), turns).items(10, 3);
        let of = |node| {
            publishers(&items)
                .iter()
                .filter(|&&other| other == node)
                .count()
        };
        // Means of 34 and 3.
        assert!(
            (20..50).contains(&of(0)) && of(9) < 12,
            "{} {}",
            of(0),
            of(9)
        );
    }

    #[test]
    fn popularity_falls_with_the_rank() {
        let share = Share::Zipf {
            exponent: Decimal::ONE,
            most: Probability::from_ppm(500_000),
        };
        let held = |workload: &Synthetic| -> Vec<usize> {
            let items = workload.items(2_001, 1);
            items.iter().map(|item| item.holders.len() - 1).collect()
        };
        let synthetic = Synthetic {
            share,
            ..Synthetic::held(2, 5, 100)
        };
        // Items are listed by publisher and ranked in turns: node 0 has ranks 1, 3, 5 ...
        for (rank, holders) in [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]
            .into_iter()
            .zip(held(&synthetic))
        {
            let expected = 1_000.0 / f64::from(rank);
            let apart = (holders as f64 - expected).abs();
            assert!(apart < 5.0 * expected.sqrt(), "rank {rank}: {holders}");
        }
        let level = Share::Zipf {
            exponent: Decimal::ZERO,
            most: Probability::ONE,
        };
        let all = held(&Synthetic {
            share: level,
            ..Synthetic::held(2, 5, 100)
        });
        assert!(all.iter().all(|&holders| holders == 2_000));
    }

    #[test]
    fn one_body_more_leaves_the_others_as_they_were() {
        let sizes = Size::Uniform {
            least: 10,
            most: 1_000,
        };
        let with = |count| Synthetic {
            count,
            size: sizes,
            share: Share::Each(Probability::from_ppm(300_000)),
            ..stream(Publishers::First(2), Turns::Drawn)
        };
        let (few, many) = (with(10).items(20, 5), with(11).items(20, 5));
        assert_eq!(many.len(), 22);
        assert_eq!(few, many[..20]);
    }

    #[test]
    fn every_turn_comes_equally_often() {
        let mut seen = [0_u32; 7];
        for serial in 0..7_000 {
            let raw = |step| draw(1, Purpose::new("turns"), serial, step);
            seen[consistent(raw, 7) as usize] += 1;
        }
        assert!(
            seen.iter().all(|times| (850..1_150).contains(times)),
            "{seen:?}"
        );
        assert_eq!(
            consistent(|_| u64::MAX, u64::from(u32::MAX)),
            u64::from(u32::MAX) - 1
        );
        assert_eq!(consistent(|_| 0, 7), 0);
    }
}
