//! Why a node lacks what it should have: what its neighbours know, and what stands between it and the nearest holder.

use simnet::{Fault, Network, NodeId, Time};

use super::{Gossip, Holdings, Seated};
use crate::run::network;
use crate::scenario::Scenario;
use crate::topology::Graph;

/// The end of a run, to ask why of it.
pub(super) struct Inquest<'a> {
    pub(super) gossip: &'a Gossip,
    pub(super) graph: &'a Graph,
    pub(super) network: Network,
    pub(super) nodes: Vec<&'a Seated>,
    pub(super) holdings: &'a [Holdings],
    pub(super) at: Time,
}

impl Inquest<'_> {
    /// Why `node` lacks an item.
    pub(super) fn why(&self, node: NodeId, item: u32) -> String {
        let holds = |peer: &NodeId| self.holdings[*peer as usize].held.contains(item);
        let near = self.graph.neighbours(node).iter().copied();
        let holders: Vec<NodeId> = near.filter(holds).collect();
        if !holders.is_empty() {
            let reasons: Vec<_> = holders
                .iter()
                .map(|peer| self.why_not_from(node, *peer, item))
                .collect();
            return reasons.join("; ");
        }
        let Some(path) = self.path_to_holder(node, item, true) else {
            return self.why_unreachable(node, item);
        };
        let (holder, hops) = (path[path.len() - 1], path.len() - 1);
        format!(
            "never offered: no neighbour has it yet, the nearest holder is node {holder}, {hops} hops away; more time would help"
        )
    }

    /// Why a neighbour that holds the item has not given it.
    fn why_not_from(&self, node: NodeId, peer: NodeId, item: u32) -> String {
        let hash = &self.gossip.items[item as usize].hash;
        let (own, other) = (
            &self.nodes[node as usize].node,
            &self.nodes[peer as usize].node,
        );
        let standing = |of: NodeId, with: NodeId| {
            let status = self.nodes[of as usize].node.neighbour(&with);
            status.is_some_and(|status| status.up)
        };
        let fault = self.fault_between(node, peer);
        let fault = fault.map(|fault| format!(": {fault} stands between them"));
        let fault = fault.unwrap_or_default();
        if own.was_offered(&peer, hash) {
            return format!("node {peer} offered it and has not delivered it{fault}");
        }
        if !standing(node, peer) {
            let status = own.neighbour(&peer);
            let loss = status.and_then(|status| status.last_loss);
            let loss = match loss {
                Some((at, loss)) => format!("lost since {at:?} ({loss})"),
                None => "never made".into(),
            };
            return format!(
                "never offered: node {peer} has it, but the connection was {loss}{fault}"
            );
        }
        match other.was_told(&node, hash) {
            true => format!("node {peer} offered it, and the offer has not arrived{fault}"),
            false => {
                format!("never offered: node {peer} has it and does not see the connection{fault}")
            }
        }
    }

    /// No open path leads to a holder: names the fault on the shortest closed one.
    fn why_unreachable(&self, node: NodeId, item: u32) -> String {
        let Some(path) = self.path_to_holder(node, item, false) else {
            let published = self.gossip.items[item as usize].at;
            return match published > self.at {
                true => format!("it is published at {published}, after the end"),
                false => "no node that a path leads to has it".into(),
            };
        };
        let holder = path[path.len() - 1];
        let blocked = path.windows(2).find_map(|edge| {
            let fault = self.fault_between(edge[0], edge[1])?;
            Some((fault, edge[0], edge[1]))
        });
        let Some((fault, a, b)) = blocked else {
            return format!("never offered: the nearest holder is node {holder}");
        };
        format!(
            "never offered: the nearest holder is node {holder}, and {fault} stands between nodes {a} and {b} on the way"
        )
    }

    /// The nodes from `node` to the nearest one that holds the item, over open links only or over all.
    fn path_to_holder(&self, node: NodeId, item: u32, open: bool) -> Option<Vec<NodeId>> {
        let mut before = vec![None; self.nodes.len()];
        let mut queue = vec![node];
        let mut at = 0;
        before[node as usize] = Some(node);
        while let Some(&here) = queue.get(at) {
            at += 1;
            if self.holdings[here as usize].held.contains(item) {
                let back = std::iter::successors(Some(here), |at| {
                    before[*at as usize].filter(|from| from != at)
                });
                let mut path: Vec<_> = back.collect();
                path.reverse();
                return Some(path);
            }
            for next in self.graph.neighbours(here) {
                let passes = !open || self.fault_between(here, *next).is_none();
                if passes && before[*next as usize].is_none() {
                    before[*next as usize] = Some(here);
                    queue.push(*next);
                }
            }
        }
        None
    }

    /// The fault that stands between two nodes at the end, in words.
    fn fault_between(&self, a: NodeId, b: NodeId) -> Option<String> {
        // What happens at the very end is over when it is looked at.
        let last = Time::from_nanos(self.at.as_nanos().saturating_sub(1));
        let number = self.network.blocking(a, b, last)?;
        let fault = &self.network.faults.faults[number];
        let until = match fault.healed() {
            Some(until) => format!("to {until}"),
            None => "for ever".into(),
        };
        Some(format!(
            "fault.{number}, a partition from {} {until},",
            fault.at()
        ))
    }
}

/// The nodes that can reach each other once every fault that heals has healed.
pub(super) fn lasting_components(scenario: &Scenario, graph: &Graph) -> Vec<Vec<NodeId>> {
    let mut network = network(scenario);
    network
        .faults
        .faults
        .retain(|fault| fault.healed().is_none());
    let last = network.faults.faults.iter().map(Fault::at).max();
    let last = last.unwrap_or(Time::ZERO);
    let mut seen = vec![false; graph.nodes() as usize];
    let mut components = Vec::new();
    for start in 0..graph.nodes() {
        if std::mem::replace(&mut seen[start as usize], true) {
            continue;
        }
        let mut component = vec![start];
        let mut at = 0;
        while let Some(&here) = component.get(at) {
            at += 1;
            for next in graph.neighbours(here) {
                if !seen[*next as usize] && network.blocking(here, *next, last).is_none() {
                    seen[*next as usize] = true;
                    component.push(*next);
                }
            }
        }
        components.push(component);
    }
    components
}
