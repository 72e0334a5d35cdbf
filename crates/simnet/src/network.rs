use std::fmt;
use std::time::Duration;

use crate::disk::Failing;
use crate::impairment::{Impairments, Mangling, Passage};
use crate::route::{Route, Routes};
use crate::trace::Trace;
use crate::{
    Clocks, DatagramModel, DiskFailure, DiskModel, Fault, Impairment, Link, Links, Lives, Misfit,
    NodeId, Regions, Schedule, StreamModel, Time,
};

/// A network of nodes and all that will happen to it. With the nodes' own code it determines the history, bit for bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// How many nodes there are, numbered from 0.
    pub nodes: u32,
    /// Every draw derives from it.
    pub seed: u64,
    /// What links do to segments and datagrams.
    pub links: Links,
    /// How streams use the links.
    pub streams: StreamModel,
    /// How datagrams use the links.
    pub datagrams: DatagramModel,
    /// How long disks take.
    pub disks: DiskModel,
    /// What goes wrong, and when.
    pub faults: Schedule,
    /// How often the tasks of one node may be polled at one instant, or sleep for no time, before that is a [`Livelock`](crate::Livelock). A single poll
    /// that never returns is out of reach.
    pub most_polls: u32,
}

impl Network {
    /// `nodes` nodes, the same link between any two of them, no faults.
    pub fn new(nodes: u32, seed: u64, link: Link) -> Self {
        Self {
            nodes,
            seed,
            links: Links::all(link),
            streams: StreamModel::default(),
            datagrams: DatagramModel::default(),
            disks: DiskModel::default(),
            faults: Schedule::default(),
            most_polls: 100_000,
        }
    }

    /// The fault that keeps transmissions from `source` from reaching `dest` at `time`, by its place in the schedule.
    pub fn blocking(&self, source: NodeId, dest: NodeId, time: Time) -> Option<usize> {
        self.faults.faults.iter().position(|fault| match fault {
            Fault::Partition { at, until, groups } => {
                let group = |node| groups.iter().position(|group| group.contains(&node));
                *at <= time
                    && until.is_none_or(|until| time < until)
                    && group(source) != group(dest)
            }
            Fault::Impair {
                at,
                until,
                links,
                impairment,
            } => {
                let blocks = match impairment {
                    Impairment::Block => true,
                    Impairment::Stall => until.is_none(),
                    _ => false,
                };
                blocks
                    && *at <= time
                    && until.is_none_or(|until| time < until)
                    && links.has(source, dest)
            }
            _ => false,
        })
    }

    /// Whether there is such a network, as every [`World`](crate::World) asks.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`].
    pub fn validate(&self) -> Result<(), InvalidNetwork> {
        for link in self.links.used() {
            if link.floor < Link::LEAST_FLOOR {
                return Err(InvalidNetwork::Floor(link.floor));
            }
        }
        let model = &self.streams;
        if model.segment == 0 || model.window < 2 {
            return Err(InvalidNetwork::Streams);
        }
        if model.retransmit.is_zero() || model.retransmit_cap < model.retransmit {
            return Err(InvalidNetwork::Retransmit(model.retransmit));
        }
        if self.datagrams.queue == 0 {
            return Err(InvalidNetwork::Queue);
        }
        let known = |node: NodeId| match node < self.nodes {
            true => Ok(()),
            false => Err(InvalidNetwork::AbsentNode {
                node,
                nodes: self.nodes,
            }),
        };
        for (source, dest) in self.links.exceptions.keys() {
            known(*source)?;
            known(*dest)?;
        }
        let mut nodes = self.links.access_exceptions.keys();
        nodes.try_for_each(|node| known(*node))?;
        self.links.regions.check(self.nodes)?;
        for fault in &self.faults.faults {
            match fault {
                Fault::Partition { groups, .. } => {
                    groups.iter().flatten().try_for_each(|node| known(*node))?;
                    let mut all: Vec<_> = groups.iter().flatten().collect();
                    all.sort_unstable();
                    if let Some(pair) = all.windows(2).find(|pair| pair[0] == pair[1]) {
                        return Err(InvalidNetwork::Overlap(*pair[0]));
                    }
                }
                Fault::Cut { between, .. } => {
                    known(between.0)?;
                    known(between.1)?;
                }
                Fault::Join { node, .. }
                | Fault::Leave { node, .. }
                | Fault::Crash { node, .. }
                | Fault::Restart { node, .. }
                | Fault::LoseDisk { node, .. }
                | Fault::ClockJump { node, .. }
                | Fault::ClockDrift { node, .. } => known(*node)?,
                Fault::FailDisk { nodes, .. } => nodes.iter().try_for_each(|node| known(*node))?,
                Fault::Impair { links, .. } => links.named().try_for_each(known)?,
            }
        }
        if let Some(misfit) = self.faults.lives().misfits().first() {
            return Err(InvalidNetwork::Life(*misfit));
        }
        Ok(())
    }
}

/// How a history is computed. None of it changes the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Into how many shards the nodes are cut; at least 1.
    pub shards: u32,
    /// Runs the nodes of a window from the highest to the lowest.
    pub reverse: bool,
    /// Cuts each window of the lookahead into this many; at least 1.
    pub windows: u32,
    /// What is kept of what happens.
    pub trace: Trace,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            shards: 1,
            reverse: false,
            windows: 1,
            trace: Trace::Off,
        }
    }
}

/// Why a network cannot be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidNetwork {
    /// A link's latency floor is below [`Link::LEAST_FLOOR`].
    Floor(Duration),
    /// Segments of no bytes, or a window below two bytes.
    Streams,
    /// Sockets without room for a datagram.
    Queue,
    /// A lost segment would be sent again without a wait, or the cap is below the first wait.
    Retransmit(Duration),
    /// A fault or a link names a node that is not there.
    AbsentNode {
        /// The node named.
        node: NodeId,
        /// How many nodes there are.
        nodes: u32,
    },
    /// A partition names a node twice.
    Overlap(NodeId),
    /// A fault starts a node that is up, or stops one that is not.
    Life(Misfit),
    /// More regions than [`Regions::MOST`].
    ManyRegions(usize),
    /// A link is that of a region that is not there.
    AbsentRegion(usize),
    /// A node is named by two regions, or twice by one.
    TwoRegions(NodeId),
    /// A node is in no region: none names it, and none has a weight.
    NoRegion(NodeId),
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor(floor) => write!(
                f,
                "a latency floor of {floor:?} is below the least of {:?}",
                Link::LEAST_FLOOR
            ),
            Self::Streams => f.write_str("a segment takes at least 1 byte, a window at least 2"),
            Self::Queue => f.write_str("a socket has room for at least 1 datagram"),
            Self::Retransmit(wait) => write!(
                f,
                "the wait of {wait:?} before a retransmission must be above zero and at most its cap"
            ),
            Self::AbsentNode { node, nodes } => {
                write!(f, "node {node} is named, but there are only {nodes} nodes")
            }
            Self::Overlap(node) => write!(f, "node {node} is in two groups of one partition"),
            Self::Life(misfit) => misfit.fmt(f),
            Self::ManyRegions(count) => {
                write!(f, "{count} regions are too many, at most {}", Regions::MOST)
            }
            Self::AbsentRegion(place) => write!(f, "there is no region number {place}"),
            Self::TwoRegions(node) => write!(f, "node {node} is in two regions"),
            Self::NoRegion(node) => write!(f, "node {node} is in no region"),
        }
    }
}

impl std::error::Error for InvalidNetwork {}

/// A network as shards read it: checked, with what they ask often made cheap.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: u32,
    pub(crate) shards: u32,
    pub(crate) streams: StreamModel,
    pub(crate) datagrams: DatagramModel,
    pub(crate) routes: Routes,
    partitions: Vec<Partition>,
    impairments: Impairments,
    pub(crate) lives: Lives,
    pub(crate) clocks: Clocks,
    pub(crate) most_polls: u32,
    pub(crate) trace: Trace,
    pub(crate) disks: DiskModel,
    failing_disks: Vec<Failing>,
}

#[derive(Debug)]
struct Partition {
    at: Time,
    until: Time,
    /// Each node's group; 0 for those that no group names.
    group: Vec<u32>,
}

impl Plan {
    pub(crate) fn new(network: &Network, layout: Layout) -> Result<Self, InvalidNetwork> {
        network.validate()?;
        let partitions = network.faults.faults.iter().filter_map(|fault| {
            let Fault::Partition { at, until, groups } = fault else {
                return None;
            };
            let mut group = vec![0; network.nodes as usize];
            for (number, nodes) in (1..).zip(groups) {
                for node in nodes {
                    group[*node as usize] = number;
                }
            }
            Some(Partition {
                at: *at,
                until: until.unwrap_or(Time::MAX),
                group,
            })
        });
        Ok(Self {
            seed: network.seed,
            nodes: network.nodes,
            shards: layout.shards.max(1),
            streams: network.streams.clone(),
            datagrams: network.datagrams.clone(),
            routes: Routes::new(&network.links, network.seed, network.nodes),
            partitions: partitions.collect(),
            impairments: Impairments::new(&network.faults, network.nodes, network.seed),
            lives: network.faults.lives(),
            clocks: network.faults.clocks(),
            most_polls: network.most_polls,
            trace: layout.trace,
            disks: network.disks.clone(),
            failing_disks: failing_disks(&network.faults),
        })
    }

    /// The link from `source` to `dest`, as it takes what is sent at `time`.
    pub(crate) fn route(&self, source: NodeId, dest: NodeId, time: Time) -> Route {
        let mut route = self.routes.between(source, dest);
        if let Some(throttle) = self.impairments.throttle(source, dest, time) {
            let bandwidth = route.bandwidth.map_or(throttle, |it| it.min(throttle));
            route.bandwidth = Some(bandwidth);
        }
        route
    }

    /// How what leaves `source` for `dest` at `time` passes the network; `None`: not at all.
    pub(crate) fn passage(&self, source: NodeId, dest: NodeId, time: Time) -> Option<Passage> {
        let partitioned = self.partitions.iter().any(|partition| {
            partition.at <= time
                && time < partition.until
                && partition.group[source as usize] != partition.group[dest as usize]
        });
        if partitioned {
            return None;
        }
        let patience = self.streams.timeout;
        self.impairments.passage(source, dest, time, patience)
    }

    /// What the network does to a datagram that leaves `source` for `dest` at `time`, if it passes.
    pub(crate) fn mangling(&self, source: NodeId, dest: NodeId, time: Time) -> Mangling {
        self.impairments.mangling(source, dest, time)
    }

    /// What is wrong with the node's disk.
    pub(crate) fn disk_failures(
        &self,
        node: NodeId,
        time: Time,
    ) -> impl IntoIterator<Item = DiskFailure> {
        let failing = self.failing_disks.iter();
        let failing = failing.filter(move |it| it.at <= time && time < it.until);
        let of_node = failing.filter(move |it| it.nodes.binary_search(&node).is_ok());
        of_node.map(|it| it.failure)
    }

    /// The nodes of a shard.
    pub(crate) fn range(&self, shard: u32) -> std::ops::Range<NodeId> {
        let per_shard = self.nodes.div_ceil(self.shards).max(1);
        let first = (shard * per_shard).min(self.nodes);
        first..(first + per_shard).min(self.nodes)
    }

    pub(crate) fn shard_of(&self, node: NodeId) -> u32 {
        node / self.nodes.div_ceil(self.shards).max(1)
    }
}

fn failing_disks(faults: &Schedule) -> Vec<Failing> {
    let failing = faults.faults.iter().filter_map(|fault| match fault {
        Fault::FailDisk {
            at,
            until,
            nodes,
            failure,
        } => {
            let mut nodes = nodes.clone();
            nodes.sort_unstable();
            Some(Failing {
                at: *at,
                until: until.unwrap_or(Time::MAX),
                nodes,
                failure: *failure,
            })
        }
        _ => None,
    });
    failing.collect()
}
