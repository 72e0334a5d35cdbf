use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::NodeId;
use crate::bandwidth::{Access, Bandwidth};
use crate::quantile::Quantiles;
use crate::region::Regions;

/// What a directed link does to a segment or a datagram: when it arrives, and whether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// No segment is faster than this. The least floor of a network is its lookahead.
    pub floor: Duration,
    /// Added to the floor, drawn for each segment and each datagram.
    pub jitter: Jitter,
    /// The chance that a transmission is lost. That of a segment is repeated, see [`StreamModel`]; a datagram is gone.
    pub loss: Probability,
    /// How many bytes pass in a second, all streams and datagrams of this direction together; `None`: any.
    pub bandwidth: Option<Bandwidth>,
}

/// The varying part of a latency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Always the same addition.
    Constant(Duration),
    /// Uniform over zero to this, both included.
    Uniform(Duration),
    /// Drawn from a table.
    Quantiles(Arc<Quantiles>),
}

impl Jitter {
    /// The most that is ever added.
    pub fn most(&self) -> Duration {
        match self {
            Self::Constant(most) | Self::Uniform(most) => *most,
            Self::Quantiles(quantiles) => quantiles.longest(),
        }
    }
}

impl Link {
    /// The least floor that a link may have: time is cut into windows of the least floor, so that a floor of zero would allow no progress.
    pub const LEAST_FLOOR: Duration = Duration::from_micros(1);

    /// A link of constant latency without loss.
    pub const fn constant(latency: Duration) -> Self {
        Self {
            floor: latency,
            jitter: Jitter::Constant(Duration::ZERO),
            loss: Probability::ZERO,
            bandwidth: None,
        }
    }

    /// A link whose latency is uniform over `floor ..= floor + jitter`, without loss.
    pub const fn uniform(floor: Duration, jitter: Duration) -> Self {
        Self {
            floor,
            jitter: Jitter::Uniform(jitter),
            loss: Probability::ZERO,
            bandwidth: None,
        }
    }

    /// The same link, losing each transmission with this probability.
    pub const fn with_loss(mut self, loss: Probability) -> Self {
        self.loss = loss;
        self
    }

    /// The same link, passing so many bytes a second.
    pub const fn with_bandwidth(mut self, bandwidth: Bandwidth) -> Self {
        self.bandwidth = Some(bandwidth);
        self
    }
}

/// A probability in parts per million: integers decide history, never floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probability(u32);

impl Probability {
    /// Never.
    pub const ZERO: Self = Self(0);
    /// Always.
    pub const ONE: Self = Self(1_000_000);

    /// `ppm` parts per million, at most one million.
    pub const fn from_ppm(ppm: u32) -> Self {
        assert!(ppm <= 1_000_000, "a probability is at most one million ppm");
        Self(ppm)
    }

    /// Parts per million.
    pub const fn as_ppm(self) -> u32 {
        self.0
    }

    /// The chance that at least one of two independent things happens, rounded down to whole parts per million.
    pub(crate) const fn or(self, other: Self) -> Self {
        let neither = (Self::ONE.0 - self.0) as u64 * (Self::ONE.0 - other.0) as u64;
        Self(Self::ONE.0 - neither.div_ceil(Self::ONE.0 as u64) as u32)
    }
}

/// All links of a network: one default, other ones between regions, and exceptions by (source, destination); and the nodes' own lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Every link that nothing else is said of.
    pub default: Link,
    /// Groups of nodes, with the links between them.
    pub regions: Regions,
    /// Directed links that differ.
    pub exceptions: BTreeMap<(NodeId, NodeId), Link>,
    /// The line of every node that nothing else is said of.
    pub access: Access,
    /// Nodes whose lines differ.
    pub access_exceptions: BTreeMap<NodeId, Access>,
}

impl Links {
    /// The same link between any two nodes.
    pub const fn all(link: Link) -> Self {
        Self {
            default: link,
            regions: Regions {
                regions: Vec::new(),
                links: BTreeMap::new(),
            },
            exceptions: BTreeMap::new(),
            access: Access {
                up: None,
                down: None,
            },
            access_exceptions: BTreeMap::new(),
        }
    }

    /// The link from `source` to `dest` in the network of a seed, which decides about regions.
    pub fn between(&self, seed: u64, source: NodeId, dest: NodeId) -> &Link {
        let regional = || {
            let regions = &self.regions;
            let pair = (regions.of(seed, source)?, regions.of(seed, dest)?);
            regions.links.get(&pair)
        };
        let exception = self.exceptions.get(&(source, dest));
        exception.or_else(regional).unwrap_or(&self.default)
    }

    /// The least latency floor: nothing that a node does reaches another node sooner.
    pub fn lookahead(&self) -> Duration {
        let floors = self.used().map(|link| link.floor);
        floors.min().unwrap_or(self.default.floor)
    }

    /// Every link that some pair of nodes may have.
    pub(crate) fn used(&self) -> impl Iterator<Item = &Link> {
        let regions = self.regions.regions.len();
        let is_default_used = regions == 0 || self.regions.links.len() < regions * regions;
        let default = is_default_used.then_some(&self.default);
        let regional = self.regions.links.values();
        default
            .into_iter()
            .chain(regional)
            .chain(self.exceptions.values())
    }

    /// The line of a node in this region.
    pub(crate) fn access_of(&self, node: NodeId, region: Option<usize>) -> Access {
        let regional = || self.regions.regions[region?].access;
        let exception = self.access_exceptions.get(&node).copied();
        exception.or_else(regional).unwrap_or(self.access)
    }

    /// Whether some node's own line has a limit.
    pub(crate) fn limits_access(&self) -> bool {
        let regional = self.regions.regions.iter().filter_map(|it| it.access);
        let mut all = regional
            .chain(self.access_exceptions.values().copied())
            .chain([self.access]);
        all.any(|access| access != Access::default())
    }
}

/// How streams use their links: what TCP looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamModel {
    /// The largest segment, in bytes. Longer writes are cut.
    pub segment: u32,
    /// The chance that a segment is cut once more, at a place drawn uniformly.
    pub split: Probability,
    /// How many bytes a writer may be ahead of its reader, per direction. A reader gives credit back when it has read half of it.
    pub window: u32,
    /// The wait before a lost transmission is sent again; it doubles with each loss of the same segment up to `retransmit_cap`.
    pub retransmit: Duration,
    /// The longest wait between two transmissions of a segment.
    pub retransmit_cap: Duration,
    /// A stream whose segment has not got through for this long resets.
    pub timeout: Duration,
}

impl Default for StreamModel {
    fn default() -> Self {
        Self {
            segment: 64 * 1024,
            split: Probability::ZERO,
            window: 256 * 1024,
            retransmit: Duration::from_millis(200),
            retransmit_cap: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
        }
    }
}
