use std::collections::BTreeMap;

use crate::bandwidth::Access;
use crate::draw::{Purpose, bounded, draw};
use crate::{InvalidNetwork, Link, NodeId};

/// Groups of nodes, such as the data centres of a continent, and the links between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// If there are any, every node belongs to one.
    pub regions: Vec<Region>,
    /// The links from the nodes of one region to those of another or of the same, by their places in `regions`. A pair that is not named has the
    /// default link.
    pub links: BTreeMap<(usize, usize), Link>,
}

/// One group of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Who belongs to it.
    pub members: Members,
    /// The lines of its nodes, if they differ from those of others.
    pub access: Option<Access>,
}

/// Which nodes belong to a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// These.
    Nodes(Vec<NodeId>),
    /// A part of the nodes that no region names, drawn by the seed: in the long run regions have so many nodes as their weights say. A node's region
    /// depends on the seed and its number alone.
    Weight(u32),
}

const REGION: Purpose = Purpose::new("simnet.region");

impl Regions {
    /// More regions than this are taken for a mistake: every pair of them may have a link.
    pub const MOST: usize = 1_000;

    /// The place of a node's region; `None` if there are no regions.
    pub fn of(&self, seed: u64, node: NodeId) -> Option<usize> {
        let named = |region: &Region| matches!(&region.members, Members::Nodes(nodes) if nodes.contains(&node));
        self.regions
            .iter()
            .position(named)
            .or_else(|| self.drawn(seed, node))
    }

    /// The region of each node.
    pub(crate) fn of_all(&self, seed: u64, nodes: u32) -> Vec<usize> {
        let drawn = |node| self.drawn(seed, node).unwrap_or(0);
        let mut of: Vec<_> = (0..nodes).map(drawn).collect();
        for (place, region) in self.regions.iter().enumerate() {
            if let Members::Nodes(nodes) = &region.members {
                nodes.iter().for_each(|node| of[*node as usize] = place);
            }
        }
        of
    }

    fn drawn(&self, seed: u64, node: NodeId) -> Option<usize> {
        let weights = self.regions.iter().map(|region| match region.members {
            Members::Weight(weight) => u64::from(weight),
            Members::Nodes(_) => 0,
        });
        let sum = weights.clone().sum();
        let drawn = bounded(draw(seed, REGION, node.into(), 0), sum);
        let upto = weights.scan(0, |upto, weight| {
            *upto += weight;
            Some(*upto)
        });
        upto.enumerate()
            .find(|(_, upto)| drawn < *upto)
            .map(|(place, _)| place)
    }

    pub(crate) fn check(&self, nodes: u32) -> Result<(), InvalidNetwork> {
        let count = self.regions.len();
        if count > Self::MOST {
            return Err(InvalidNetwork::ManyRegions(count));
        }
        let pairs = self.links.keys();
        if let Some(absent) = pairs
            .flat_map(|(from, to)| [*from, *to])
            .find(|it| *it >= count)
        {
            return Err(InvalidNetwork::AbsentRegion(absent));
        }
        let mut named = vec![false; nodes as usize];
        for region in &self.regions {
            let Members::Nodes(members) = &region.members else {
                continue;
            };
            for &node in members {
                match named.get_mut(node as usize) {
                    Some(named @ false) => *named = true,
                    Some(true) => return Err(InvalidNetwork::TwoRegions(node)),
                    None => return Err(InvalidNetwork::AbsentNode { node, nodes }),
                }
            }
        }
        let weighs = |region: &Region| matches!(region.members, Members::Weight(1..));
        if count > 0 && !self.regions.iter().any(weighs) {
            let left = (0..).zip(named).find(|(_, named)| !named);
            return left.map_or(Ok(()), |(node, _)| Err(InvalidNetwork::NoRegion(node)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(members: Members) -> Region {
        let access = None;
        Region { members, access }
    }

    fn regions(members: impl IntoIterator<Item = Members>) -> Regions {
        Regions {
            regions: members.into_iter().map(region).collect(),
            ..Regions::default()
        }
    }

    #[test]
    fn a_node_belongs_where_it_is_named_and_else_where_the_seed_puts_it() {
        let three = [
            Members::Weight(3),
            Members::Nodes(vec![7, 2]),
            Members::Weight(1),
        ];
        let three = regions(three);
        for seed in 0..5 {
            let of = three.of_all(seed, 8_000);
            assert_eq!((of[7], of[2]), (1, 1));
            let count = |place| of.iter().filter(|it| **it == place).count();
            // Binomial with the deviation 39: five of them.
            assert!((5_806..6_194).contains(&count(0)), "{}", count(0));
            assert_eq!(count(1), 2);
            assert!((0..100).all(|node| three.of(seed, node) == Some(of[node as usize])));
            assert_eq!(
                three.of_all(seed, 9_000)[..8_000],
                of,
                "more nodes move nobody"
            );
        }
        assert_ne!(three.of_all(1, 100), three.of_all(2, 100));
        // A golden vector: regions are part of every history.
        assert_eq!(three.of_all(1, 10), [2, 0, 1, 0, 2, 0, 0, 1, 0, 2]);
        assert_eq!(Regions::default().of(1, 0), None);
    }

    #[test]
    fn every_node_is_in_one_region() {
        let named = |nodes: &[NodeId]| Members::Nodes(nodes.to_vec());
        let check = |members: Vec<Members>| regions(members).check(3);
        assert_eq!(check(vec![]), Ok(()));
        assert_eq!(check(vec![named(&[0, 1, 2])]), Ok(()));
        assert_eq!(check(vec![named(&[0]), Members::Weight(1)]), Ok(()));
        assert_eq!(
            check(vec![named(&[0, 2]), Members::Weight(0)]),
            Err(InvalidNetwork::NoRegion(1))
        );
        assert_eq!(
            check(vec![named(&[0, 2]), named(&[1, 2])]),
            Err(InvalidNetwork::TwoRegions(2))
        );
        let absent = InvalidNetwork::AbsentNode { node: 3, nodes: 3 };
        assert_eq!(check(vec![named(&[3])]), Err(absent));
        let many = vec![Members::Weight(1); 1_001];
        assert_eq!(check(many), Err(InvalidNetwork::ManyRegions(1_001)));
        let mut one = regions([Members::Weight(1)]);
        let link = Link::constant(Link::LEAST_FLOOR);
        one.links.insert((0, 1), link);
        assert_eq!(one.check(3), Err(InvalidNetwork::AbsentRegion(1)));
    }
}
