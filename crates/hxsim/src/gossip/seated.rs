use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;

use hash_exchange::Tally;
use hash_gossip::Node;
use simnet::{NodeId, Time};

use super::{Gossip, Holdings, ItemSet, Rogue, SimHost};
use crate::metrics::Record;

/// A running node, or one that has stopped, and what the run has seen of it.
pub struct Seated {
    id: NodeId,
    actor: Actor,
    audit: RefCell<Audit>,
}

/// Who sits there.
pub(super) enum Actor {
    Node(Node<SimHost>),
    Rogue(Rogue),
}

/// What has been checked of a node so far: each thing that it takes for new is looked at once.
#[derive(Default)]
pub(super) struct Audit {
    pub(super) news: usize,
    pub(super) held: ItemSet,
    rare: Option<Box<Rare>>,
}

/// What hardly any node has.
#[derive(Default)]
struct Rare {
    /// What it was made to let go of in this life.
    evicted: ItemSet,
    violation: Option<Broken>,
    /// What its earlier lives have sent, and what came to them.
    sent: Tally,
    records: Vec<Record>,
    /// What its earlier lives found on the disk, and when.
    recovered: Vec<(u32, Time)>,
}

/// A rule that is broken, and what was seen.
pub(super) type Broken = (&'static str, String);

impl Audit {
    /// Notes a rule that is broken; of several the first counts.
    pub(super) fn note(&mut self, check: &'static str, what: String) {
        let rare = self.rare.get_or_insert_default();
        rare.violation.get_or_insert((check, what));
    }

    /// Notes that the node has let go of an item.
    pub(super) fn note_evicted(&mut self, item: u32) {
        self.held.remove(item);
        self.rare.get_or_insert_default().evicted.insert(item);
    }

    pub(super) fn has_evicted(&self, item: u32) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.evicted.contains(item))
    }
}

impl Seated {
    pub(super) fn new(id: NodeId, actor: Actor, audit: Audit) -> Self {
        Self {
            id,
            actor,
            audit: RefCell::new(audit),
        }
    }

    pub(super) const fn id(&self) -> NodeId {
        self.id
    }

    /// The node itself, for those who look closer than checks do; `None` if it has a [`Role`](crate::scenario::Role) instead.
    pub const fn node(&self) -> Option<&Node<SimHost>> {
        match &self.actor {
            Actor::Node(node) => Some(node),
            Actor::Rogue(_) => None,
        }
    }

    pub(super) fn audit_mut(&self) -> RefMut<'_, Audit> {
        self.audit.borrow_mut()
    }

    pub(super) fn holdings(&self) -> Holdings {
        let audit = self.audit.borrow();
        let rare = audit.rare.as_ref();
        let evicted = rare.map(|rare| &rare.evicted).filter(|it| it.count() > 0);
        let violation = rare.and_then(|rare| rare.violation.clone());
        Holdings {
            held: audit.held.clone(),
            evicted: evicted.cloned().map(Box::new),
            violation: violation.map(Box::new),
            recovers: self.node().is_some_and(|node| !node.is_ready()),
        }
    }

    /// The frames that the node has sent in all its lives.
    pub(super) fn sent(&self) -> Tally {
        let mut sent = self.sent_now();
        if let Some(rare) = &self.audit.borrow().rare {
            sent.merge(&rare.sent);
        }
        sent
    }

    fn sent_now(&self) -> Tally {
        match &self.actor {
            Actor::Node(node) => node.sent(),
            Actor::Rogue(rogue) => rogue.sent(),
        }
    }

    /// How what the node holds came to be held. What it found on its disk came to an earlier life.
    pub(super) fn records(&self, gossip: &Gossip) -> Vec<Record> {
        let Some(node) = self.node() else {
            return Vec::new();
        };
        let continued = self.continued(gossip);
        let audit = self.audit.borrow();
        let past = audit.rare.as_ref().map_or(&[][..], |rare| &rare.records);
        let own = records(node.records(), self.id, gossip);
        own.map(|own| continued.get(&own.item).map_or(own, |place| past[*place]))
            .collect()
    }

    /// Of the items that this life found on the disk, and holds, the places of their records among those of earlier lives.
    fn continued(&self, gossip: &Gossip) -> BTreeMap<u32, usize> {
        let audit = self.audit.borrow();
        let Some(rare) = &audit.rare else {
            return BTreeMap::new();
        };
        let mut continued = BTreeMap::new();
        for (item, _) in self.recovered(gossip) {
            let place = rare.records.iter().rposition(|it| it.item == item);
            if let Some(place) = place.filter(|_| audit.held.contains(item)) {
                continued.insert(item, place);
            }
        }
        continued
    }

    /// What this life found on the disk, and when.
    fn recovered(&self, gossip: &Gossip) -> Vec<(u32, Time)> {
        let found = self.node().map_or_else(Vec::new, |node| {
            let mut found = node.news(0);
            found.truncate(node.recovered());
            found
        });
        records(found, self.id, gossip)
            .map(|it| (it.item, it.at))
            .collect()
    }

    /// What has come to this life beside that.
    fn came(&self) -> Vec<hash_gossip::Record<NodeId>> {
        let node = self.node();
        node.map_or_else(Vec::new, |node| node.news(node.recovered()))
    }

    /// What each life of the node found on the disk, and when.
    pub(super) fn all_recovered(&self, gossip: &Gossip) -> Vec<(u32, Time)> {
        let audit = self.audit.borrow();
        let rare = audit.rare.as_ref();
        let mut all = rare.map_or_else(Vec::new, |rare| rare.recovered.clone());
        all.extend(self.recovered(gossip));
        all
    }

    /// How everything else came that the node has ever held: in an earlier life, in this one until it let go of it, and if this one is over all.
    pub(super) fn past_records(&self, gossip: &Gossip, is_over: bool) -> Vec<Record> {
        let continued = match is_over {
            true => BTreeMap::new(),
            false => self.continued(gossip),
        };
        let audit = self.audit.borrow();
        let rare = audit.rare.as_ref();
        let mut gone = rare.map_or_else(Vec::new, |rare| rare.records.clone());
        if !continued.is_empty() {
            let mut places = 0..;
            gone.retain(|it| continued.get(&it.item).copied() != places.next());
        }
        if is_over || rare.is_some() {
            let own = records(self.came(), self.id, gossip);
            gone.extend(own.filter(|record| is_over || audit.has_evicted(record.item)));
        }
        gone
    }

    /// What this life has let go of.
    pub(super) fn evicted(&self) -> Vec<u32> {
        let audit = self.audit.borrow();
        let rare = audit.rare.iter();
        rare.flat_map(|rare| rare.evicted.iter()).collect()
    }

    /// What the audit of the next life begins with.
    pub(super) fn into_audit(self, gossip: &Gossip) -> Audit {
        let (recovered, sent, came) = (self.recovered(gossip), self.sent_now(), self.came());
        let mut rare = self.audit.into_inner().rare.unwrap_or_default();
        rare.evicted = ItemSet::default();
        rare.sent.merge(&sent);
        rare.records.extend(records(came, self.id, gossip));
        rare.recovered.extend(recovered);
        Audit {
            rare: Some(rare),
            ..Audit::default()
        }
    }
}

/// What a node has written down, in the numbers of the workload and in true time.
fn records(
    of: Vec<hash_gossip::Record<NodeId>>,
    node: NodeId,
    gossip: &Gossip,
) -> impl Iterator<Item = Record> {
    of.into_iter().filter_map(move |record| {
        let shown = Time::ZERO + record.learned_at;
        Some(Record {
            item: *gossip.numbers.get(&record.hash)?,
            at: gossip.clocks.reached(node, shown),
            from: record.from,
            receipts: record.receipts,
        })
    })
}
