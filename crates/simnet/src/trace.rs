use std::fmt;

use crate::event::{FAULT, Kind};
use crate::{NodeId, Time};

/// One event of a node's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    pub(crate) time: Time,
    pub(crate) node: NodeId,
    pub(crate) source: NodeId,
    /// `None`: a timer.
    pub(crate) kind: Option<Kind>,
    pub(crate) slot: u32,
    pub(crate) sequence: u32,
    pub(crate) length: u32,
    /// The node's digest, this event included.
    pub(crate) digest: u64,
}

impl TraceEvent {
    /// When it happened.
    pub const fn time(&self) -> Time {
        self.time
    }

    /// The node to which it happened.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Whether the two are one event but for the bytes that it carries, or for what its node has been through before.
    pub fn differs_in_content(&self, other: &Self) -> bool {
        let digest = self.digest;
        let other = Self {
            digest,
            ..other.clone()
        };
        *self == other
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            None => "timer",
            Some(Kind::Cut) => "cut",
            Some(Kind::Syn) => "dial",
            Some(Kind::SynAck) => "accepted",
            Some(Kind::Refuse) => "refused",
            Some(Kind::Data) => "data",
            Some(Kind::Fin) => "end",
            Some(Kind::Credit) => "credit",
            Some(Kind::Reset) => "reset",
            Some(Kind::Start) => "started",
            Some(Kind::Leave) => "left",
            Some(Kind::Crash) => "crashed",
            Some(Kind::Datagram) => "datagram",
            Some(Kind::LoseDisk) => "lost its disk",
        };
        write!(f, "{} node {}: {what}", self.time, self.node)?;
        if self.source == FAULT {
            f.write_str(" by the fault schedule")?;
        } else if self.source != self.node {
            write!(f, " from node {}", self.source)?;
        }
        match self.kind {
            Some(Kind::Data) => write!(
                f,
                ", stream {}, segment {}, {} bytes",
                self.slot, self.sequence, self.length
            )?,
            Some(Kind::Datagram) => write!(f, ", {} bytes", self.length)?,
            None | Some(Kind::Cut | Kind::Start | Kind::Leave | Kind::Crash) => {}
            _ => write!(f, ", stream {}", self.slot)?,
        }
        write!(f, " [{:016x}]", self.digest)
    }
}
