use std::collections::BTreeMap;
use std::time::Duration;

use crate::NodeId;

/// What a directed link does to a segment: when it arrives, and whether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// No segment is faster than this. The least floor of a network is its lookahead.
    pub floor: Duration,
    /// Added to the floor, drawn for each segment.
    pub jitter: Jitter,
    /// The chance that a transmission is lost (and sent again, see [`StreamModel`]).
    pub loss: Probability,
}

/// The varying part of a latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Always the same addition.
    Constant(Duration),
    /// Uniform over zero to this, both included.
    Uniform(Duration),
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
        }
    }

    /// A link whose latency is uniform over `floor ..= floor + jitter`, without loss.
    pub const fn uniform(floor: Duration, jitter: Duration) -> Self {
        Self {
            floor,
            jitter: Jitter::Uniform(jitter),
            loss: Probability::ZERO,
        }
    }

    /// The same link, losing each transmission with this probability.
    pub const fn with_loss(mut self, loss: Probability) -> Self {
        self.loss = loss;
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
}

/// All links of a network: one default, and exceptions by (source, destination).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Every link not named in `exceptions`.
    pub default: Link,
    /// Directed links that differ.
    pub exceptions: BTreeMap<(NodeId, NodeId), Link>,
}

impl Links {
    /// The same link between any two nodes.
    pub const fn all(link: Link) -> Self {
        Self {
            default: link,
            exceptions: BTreeMap::new(),
        }
    }

    /// The link from `source` to `dest`.
    pub fn between(&self, source: NodeId, dest: NodeId) -> &Link {
        self.exceptions
            .get(&(source, dest))
            .unwrap_or(&self.default)
    }

    /// The least latency floor: nothing that a node does reaches another node sooner.
    pub fn lookahead(&self) -> Duration {
        self.exceptions
            .values()
            .map(|link| link.floor)
            .fold(self.default.floor, Duration::min)
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
