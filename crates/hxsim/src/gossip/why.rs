//! Why a node lacks what it should have: what its neighbours know, and what stands between it and the nearest holder.

use hash_gossip::Node;
use simnet::{Fault, Lives, Network, NodeId, Time};

use super::{Gossip, Holdings, Seated, SimHost};
use crate::run::network;
use crate::scenario::Scenario;
use crate::topology::Graph;

/// The end of a run, to ask why of it.
pub(super) struct Inquest<'a> {
    pub(super) gossip: &'a Gossip,
    pub(super) graph: &'a Graph,
    pub(super) scenario: &'a Scenario,
    pub(super) network: Network,
    pub(super) lives: Lives,
    /// What was kept of each node; none of one that has not joined.
    pub(super) nodes: Vec<Option<&'a Seated>>,
    /// Of the nodes that are up, in order.
    pub(super) holdings: &'a [(NodeId, Holdings)],
    pub(super) at: Time,
}

impl Inquest<'_> {
    /// Whether an item was published, and no node that is up holds it any more or will publish it when it is back.
    pub(super) fn is_lost(&self, item: u32) -> bool {
        let published = &self.gossip.items[item as usize];
        let comes_back = |node: &NodeId| {
            let publishes = !self.scenario.roles.contains_key(node);
            publishes
                && self.holdings(*node).is_none()
                && self.lives.starts_after(*node, self.last()).is_some()
        };
        published.at < self.at
            && !self
                .holdings
                .iter()
                .any(|(_, node)| node.held.contains(item))
            && !published.holders.iter().any(comes_back)
    }

    /// What a node holds; `None`: it is down.
    pub(super) fn holdings(&self, node: NodeId) -> Option<&Holdings> {
        super::of(self.holdings, node)
    }

    fn holds(&self, node: NodeId, item: u32) -> bool {
        self.holdings(node).is_some_and(|it| it.held.contains(item))
    }

    /// Why `node` lacks an item.
    pub(super) fn why(&self, node: NodeId, item: u32) -> String {
        if let Some(why) = self.absence(node, self.last()) {
            return format!("the node is down: {why}");
        }
        if self
            .holdings(node)
            .is_some_and(|holdings| holdings.recovers)
        {
            let trouble = self.node(node).and_then(Node::disk_trouble);
            let trouble = trouble.map_or_else(String::new, |trouble| format!(": {trouble}"));
            return format!("the node is still about to read its disk{trouble}");
        }
        let holds = |peer: &NodeId| self.holds(*peer, item);
        let near = self.graph.neighbours(node).iter().copied();
        let holders: Vec<NodeId> = near.filter(holds).collect();
        if !holders.is_empty() {
            return self.why_not_from(node, &holders, item);
        }
        let Some(path) = self.path_to_holder(node, item, true) else {
            return self.why_unreachable(node, item);
        };
        let (holder, hops) = (path[path.len() - 1], path.len() - 1);
        let let_go = |node: &&NodeId| {
            let holdings = self.holdings(**node);
            holdings.is_some_and(|it| it.has_evicted(item))
        };
        if let Some(relay) = path.iter().find(let_go) {
            return format!(
                "never offered: node {relay} let go of it, on the way to the nearest holder, node {holder}, {hops} hops away"
            );
        }
        format!(
            "never offered: no neighbour has it yet, the nearest holder is node {holder}, {hops} hops away; more time may help"
        )
    }

    /// Why none of the neighbours that hold the item has given it: each reason once, with those to whom it applies.
    fn why_not_from(&self, node: NodeId, holders: &[NodeId], item: u32) -> String {
        let mut reasons: Vec<(Reason, Vec<NodeId>)> = Vec::new();
        for peer in holders {
            let reason = self.reason(node, *peer, item);
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, peers)) => peers.push(*peer),
                None => reasons.push((reason, vec![*peer])),
            }
        }
        let texts = reasons.iter().map(|(reason, peers)| {
            let Reason { done, left } = reason;
            format!("{done} by {}{left}", names(peers))
        });
        texts.collect::<Vec<_>>().join("; ")
    }

    /// Why a neighbour that holds the item has not given it.
    fn reason(&self, node: NodeId, peer: NodeId, item: u32) -> Reason {
        let hash = &self.gossip.items[item as usize].hash;
        let (Some(own), Some(other)) = (self.node(node), self.node(peer)) else {
            return Reason::held(", but not there yet".into());
        };
        let fault = self.fault_between(node, peer, self.last());
        let fault = fault.map(|fault| format!(", and {fault}, stands between them"));
        let fault = fault.unwrap_or_default();
        if let Some(end) = self.lost_connection(node, peer) {
            return Reason::held(format!(", but {end}{fault}"));
        }
        if own.was_offered(&peer, hash) {
            return Reason::offered(format!(", but not delivered yet{fault}"));
        }
        if let Some(end) = self.lost_connection(peer, node) {
            return Reason::held(format!(", where {end}{fault}"));
        }
        if !other.was_told(&node, hash) {
            return Reason::held(format!(", but not announced{fault}"));
        }
        let offered = other.record(hash).map(|record| record.learned_at);
        let offered = Time::ZERO + offered.unwrap_or_default();
        Reason::offered(match self.fault_between(peer, node, offered) {
            Some(taker) => format!(", but lost to {taker}, and not received since"),
            None => format!(", but not received yet{fault}"),
        })
    }

    /// What became of the connection as the first node sees it; `None` if to it the connection stands.
    fn lost_connection(&self, node: NodeId, peer: NodeId) -> Option<String> {
        let status = self.node(node)?.neighbour(&peer)?;
        if status.up {
            return None;
        }
        let Some((at, loss)) = status.last_loss else {
            let since = self.lives.up_since(node, self.last());
            return Some(match since {
                Time::ZERO => "there was never a connection".into(),
                _ => format!("there was no connection since node {node} started at {since}"),
            });
        };
        let mut faults = (0..).zip(&self.network.faults.faults);
        let cut = faults.find_map(|(place, fault): (usize, _)| match *fault {
            Fault::Cut { at: cut, between } => {
                let here = [(node, peer), (peer, node)].contains(&between);
                (here && cut.elapsed() == at).then_some(place)
            }
            _ => None,
        });
        let away = || {
            let away = self.absence(peer, Time::ZERO + at)?;
            Some(format!(", while node {peer} was down: {away}"))
        };
        Some(match cut {
            Some(place) => {
                let name = self.scenario.fault_name(place);
                format!("the connection was cut by {name} at {at:?}")
            }
            None => {
                let away = away().unwrap_or_default();
                format!("the connection ended at {at:?} ({loss}){away}")
            }
        })
    }

    fn node(&self, id: NodeId) -> Option<&Node<SimHost>> {
        self.nodes[id as usize].and_then(Seated::node)
    }

    /// Why a node is not up at this time, and until when; `None`: it is.
    fn absence(&self, node: NodeId, at: Time) -> Option<String> {
        let place = self.lives.down(node, at)?;
        let name = self.scenario.fault_name(place);
        let fault = &self.network.faults.faults[place];
        let done = match fault {
            Fault::Crash { at, .. } => format!("it crashed at {at} ({name})"),
            Fault::Leave { at, .. } => format!("it left at {at} ({name})"),
            _ => return Some(format!("it joins at {} ({name})", fault.at())),
        };
        Some(match self.lives.starts_after(node, at) {
            Some(back) => format!("{done} and restarts at {back}"),
            None => format!("{done} for good"),
        })
    }

    /// No open path leads to a holder: names the fault on the shortest closed one.
    fn why_unreachable(&self, node: NodeId, item: u32) -> String {
        let Some(path) = self.path_to_holder(node, item, false) else {
            let published = self.gossip.items[item as usize].at;
            return match published >= self.at {
                true => format!("not published: the run ended before {published}"),
                false => "never offered: no path leads to a node that has it".into(),
            };
        };
        let holder = path[path.len() - 1];
        let blocked = path.windows(2).find_map(|edge| {
            let (a, b) = (edge[0], edge[1]);
            if let Some(role) = self.scenario.roles.get(&b) {
                return Some(format!(", and node {b} on the way is {}", role.name()));
            }
            if let Some(away) = self.absence(b, self.last()) {
                return Some(format!(", and node {b} on the way is down: {away}"));
            }
            let fault = self.fault_between(a, b, self.last())?;
            Some(format!(
                ", and {fault}, stands between nodes {a} and {b} on the way"
            ))
        });
        let blocked = blocked.unwrap_or_default();
        format!("never offered: the nearest holder is node {holder}{blocked}")
    }

    /// The nodes from `node` to the nearest one that holds the item, over open links only or over all.
    fn path_to_holder(&self, node: NodeId, item: u32, open: bool) -> Option<Vec<NodeId>> {
        let mut before = vec![None; self.nodes.len()];
        let mut queue = vec![node];
        let mut at = 0;
        before[node as usize] = Some(node);
        while let Some(&here) = queue.get(at) {
            at += 1;
            if self.holds(here, item) {
                let back = std::iter::successors(Some(here), |at| {
                    before[*at as usize].filter(|from| from != at)
                });
                let mut path: Vec<_> = back.collect();
                path.reverse();
                return Some(path);
            }
            for next in self.graph.neighbours(here) {
                let stands = |fault: Option<_>| fault.is_some();
                let closed = || {
                    stands(standing(&self.network, here, *next, self.last()))
                        || stands(self.lives.down(*next, self.last()))
                };
                let passes = !open || !closed() && !self.scenario.roles.contains_key(next);
                if passes && before[*next as usize].is_none() {
                    before[*next as usize] = Some(here);
                    queue.push(*next);
                }
            }
        }
        None
    }

    /// The last instant of the run: what would happen at its very end is not handled any more.
    fn last(&self) -> Time {
        Time::from_nanos(self.at.as_nanos().saturating_sub(1))
    }

    /// The fault that stands between two nodes at this time, in words.
    fn fault_between(&self, a: NodeId, b: NodeId, at: Time) -> Option<String> {
        let place = standing(&self.network, a, b, at)?;
        let name = self.scenario.fault_name(place);
        let fault = &self.network.faults.faults[place];
        let until = match fault.healed() {
            Some(until) => format!("to {until}"),
            None => "for ever".into(),
        };
        let from = match fault.at() {
            Time::ZERO => "the start".into(),
            at => at.to_string(),
        };
        let what = match fault {
            Fault::Impair { .. } => "a block",
            _ => "a partition",
        };
        Some(format!("{name}, {what} from {from} {until}"))
    }
}

/// What a neighbour has done for the node that lacks an item, and what was left undone.
#[derive(PartialEq, Eq)]
struct Reason {
    done: &'static str,
    left: String,
}

impl Reason {
    const fn held(left: String) -> Self {
        let done = "never offered: held";
        Self { done, left }
    }

    const fn offered(left: String) -> Self {
        let done = "offered";
        Self { done, left }
    }
}

/// Some nodes in words; of many the first three.
fn names(nodes: &[NodeId]) -> String {
    match nodes {
        [] => "nobody".into(),
        [node] => format!("node {node}"),
        [a, b] => format!("nodes {a} and {b}"),
        [a, b, c] => format!("nodes {a}, {b} and {c}"),
        [a, b, c, more @ ..] => format!("nodes {a}, {b}, {c} and {} more", more.len()),
    }
}

/// The fault that stands between two neighbours, by its place. A stream needs both of its directions.
fn standing(network: &Network, a: NodeId, b: NodeId, at: Time) -> Option<usize> {
    let there = network.blocking(a, b, at);
    there.or_else(|| network.blocking(b, a, at))
}

/// The nodes that are up once all have come and gone, without those that have a role.
pub(super) fn lasting_nodes(scenario: &Scenario) -> Vec<NodeId> {
    let lives = scenario.faults().lives();
    let all = 0..scenario.nodes;
    let lasts = |node: &NodeId| lives.down(*node, Time::MAX).is_none();
    all.filter(|node| lasts(node) && !scenario.roles.contains_key(node))
        .collect()
}

/// The nodes that can reach each other once every fault that heals has healed, and all have come and gone.
pub(super) fn lasting_components(scenario: &Scenario, graph: &Graph) -> Vec<Vec<NodeId>> {
    let mut network = network(scenario);
    network.faults.faults.retain(|fault| {
        let may_block = matches!(fault, Fault::Partition { .. } | Fault::Impair { .. });
        may_block && fault.healed().is_none()
    });
    let last = network.faults.faults.iter().map(Fault::at).max();
    let last = last.unwrap_or(Time::ZERO);
    let lasting = lasting_nodes(scenario);
    let mut seen = vec![true; graph.nodes() as usize];
    lasting.iter().for_each(|node| seen[*node as usize] = false);
    let mut components = Vec::new();
    for start in lasting {
        if std::mem::replace(&mut seen[start as usize], true) {
            continue;
        }
        let mut component = vec![start];
        let mut at = 0;
        while let Some(&here) = component.get(at) {
            at += 1;
            for next in graph.neighbours(here) {
                if !seen[*next as usize] && standing(&network, here, *next, last).is_none() {
                    seen[*next as usize] = true;
                    component.push(*next);
                }
            }
        }
        components.push(component);
    }
    components
}
