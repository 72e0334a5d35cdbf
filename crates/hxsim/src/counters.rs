//! What was counted up to an instant, and between two of them.

use hash_exchange::Tally;
use simnet::{NodeId, World};

use crate::metrics::NetworkTotals;
use crate::protocol::Protocol;

/// What nodes and links have counted at a cut, since the start of the run or since an earlier cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The frames that all nodes sent.
    pub sent: Tally,
    /// For each node the bytes it put on the wire.
    pub node_bytes: Vec<u64>,
    /// Bytes by (source, destination), in ascending order.
    pub between: Vec<(NodeId, NodeId, u64)>,
    /// What all links carried.
    pub network: NetworkTotals,
}

impl Counters {
    /// What a world has counted since its start.
    pub fn new<P: Protocol>(protocol: &P, world: &World<'_, P::Node>) -> Self {
        let mut sent = Tally::default();
        for node in world.nodes() {
            sent.merge(&protocol.sent(node));
        }
        let carried = world.carried_by_node();
        let total = world.carried();
        Self {
            sent,
            node_bytes: carried.iter().map(|carried| carried.accepted).collect(),
            between: world.accepted_between(),
            network: NetworkTotals {
                accepted: total.accepted,
                delivered: total.delivered,
                discarded: total.discarded,
                in_flight: world.in_flight(),
                retransmitted: total.retransmitted,
                segments: total.segments,
            },
        }
    }

    /// What was counted since an earlier cut of the same world. What is in flight is so at the later one.
    pub fn since(&self, earlier: &Self) -> Self {
        let (now, then) = (&self.network, &earlier.network);
        let node_bytes = self.node_bytes.iter().zip(&earlier.node_bytes);
        let mut before = earlier.between.iter().copied().peekable();
        let between = self.between.iter().map(|&(source, dest, bytes)| {
            // Whoever has sent something then has sent as much now, so both lists are in the same order.
            let same = before.next_if(|&(a, b, _)| (a, b) == (source, dest));
            (source, dest, bytes - same.map_or(0, |(_, _, bytes)| bytes))
        });
        Self {
            sent: self.sent.since(&earlier.sent),
            node_bytes: node_bytes.map(|(now, then)| now - then).collect(),
            between: between.collect(),
            network: NetworkTotals {
                accepted: now.accepted - then.accepted,
                delivered: now.delivered - then.delivered,
                discarded: now.discarded - then.discarded,
                in_flight: now.in_flight,
                retransmitted: now.retransmitted - then.retransmitted,
                segments: now.segments - then.segments,
            },
        }
    }
}
