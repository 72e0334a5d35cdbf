use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;

use hash_exchange::{Hash, Tally};
use hash_gossip::Node;
use simnet::{NodeId, Time};

use super::{Holdings, ItemSet, SimHost};
use crate::metrics::Record;

/// A running node, or one that has stopped, and what the run has seen of it.
pub struct Seated {
    id: NodeId,
    node: Node<SimHost>,
    audit: RefCell<Audit>,
    past: Past,
}

/// What has been checked of a node so far: each thing that it takes for new is looked at once.
#[derive(Default)]
pub(super) struct Audit {
    pub(super) news: usize,
    pub(super) held: ItemSet,
    pub(super) evicted: ItemSet,
    violation: Option<(&'static str, String)>,
}

/// What the earlier lives of a node came to; hardly any node has one.
#[derive(Default)]
pub(super) struct Past(Option<Box<Lives>>);

#[derive(Default)]
struct Lives {
    sent: Tally,
    records: Vec<Record>,
    violation: Option<(&'static str, String)>,
}

impl Audit {
    /// Notes a rule that is broken; of several the first counts.
    pub(super) fn note(&mut self, check: &'static str, what: String) {
        self.violation.get_or_insert((check, what));
    }
}

impl Seated {
    pub(super) fn new(id: NodeId, node: Node<SimHost>, mut past: Past) -> Self {
        let lives = past.0.as_mut();
        let audit = Audit {
            violation: lives.and_then(|lives| lives.violation.take()),
            ..Audit::default()
        };
        Self {
            id,
            node,
            audit: RefCell::new(audit),
            past,
        }
    }

    pub(super) const fn id(&self) -> NodeId {
        self.id
    }

    /// The node itself, for those who look closer than checks do.
    pub const fn node(&self) -> &Node<SimHost> {
        &self.node
    }

    pub(super) fn audit_mut(&self) -> RefMut<'_, Audit> {
        self.audit.borrow_mut()
    }

    pub(super) fn holdings(&self) -> Holdings {
        let audit = self.audit.borrow();
        Holdings {
            node: self.id,
            held: audit.held.clone(),
            evicted: audit.evicted.clone(),
            violation: audit.violation.clone(),
        }
    }

    /// The frames that the node has sent in all its lives.
    pub(super) fn sent(&self) -> Tally {
        let mut sent = self.node.sent();
        if let Some(lives) = &self.past.0 {
            sent.merge(&lives.sent);
        }
        sent
    }

    /// How what the node holds came to be held.
    pub(super) fn records(&self, numbers: &BTreeMap<Hash, u32>) -> Vec<Record> {
        records(self.node.records(), numbers).collect()
    }

    /// How everything else came that the node has ever held, in this life or an earlier one.
    pub(super) fn past_records(&self, numbers: &BTreeMap<Hash, u32>, is_over: bool) -> Vec<Record> {
        let lives = self.past.0.as_ref();
        let mut past = lives.map_or_else(Vec::new, |lives| lives.records.clone());
        let audit = self.audit.borrow();
        if is_over || audit.evicted.count() > 0 {
            let own = records(self.node.news(0), numbers);
            let gone = own.filter(|it| is_over || audit.evicted.contains(it.item));
            past.extend(gone);
        }
        past
    }

    /// What this life has let go of.
    pub(super) fn evicted(&self) -> Vec<u32> {
        self.audit.borrow().evicted.iter().collect()
    }

    /// What is left when the node starts anew.
    pub(super) fn into_past(self, numbers: &BTreeMap<Hash, u32>) -> Past {
        let mut lives = self.past.0.unwrap_or_default();
        lives.sent.merge(&self.node.sent());
        lives.records.extend(records(self.node.news(0), numbers));
        lives.violation = self.audit.into_inner().violation;
        Past(Some(lives))
    }
}

fn records(
    of: Vec<hash_gossip::Record<NodeId>>,
    numbers: &BTreeMap<Hash, u32>,
) -> impl Iterator<Item = Record> {
    of.into_iter().filter_map(|record| {
        Some(Record {
            item: *numbers.get(&record.hash)?,
            at: Time::ZERO + record.learned_at,
            from: record.from,
            receipts: record.receipts,
        })
    })
}
