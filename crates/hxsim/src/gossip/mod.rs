//! Our own protocol as a scenario runs it: `hash-gossip` nodes on simulated hosts, what they must reach, and what came of it.

mod account;
mod host;
mod why;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use hash_exchange::{Hash, Tally};
use hash_gossip::{Backoff, Config, Neighbour, Node, Scratch};
use simnet::{Host, NodeId, Time};

use crate::protocol::{Progress, Protocol, Seat, Violation};
use crate::scenario::{Goal, Scenario, Strategy};
use crate::topology::Graph;
use crate::workload::Item;

pub use account::report;
pub use host::SimHost;

/// The nodes of a scenario: `hash-gossip` with the scenario's workload.
pub struct Gossip {
    items: Vec<Item>,
    numbers: BTreeMap<Hash, u32>,
    /// The items that each node publishes, in the order of their times.
    publications: BTreeMap<NodeId, Vec<u32>>,
    config: Rc<Config>,
    scratch: Rc<Scratch>,
    strategy: Strategy,
    /// The nodes that shall end with the same hashes.
    groups: Vec<Vec<NodeId>>,
}

/// A running node, and what the run has seen of it.
pub struct Seated {
    node: Node<SimHost>,
    audit: RefCell<Audit>,
}

impl Seated {
    /// The node itself, for those who look closer than checks do.
    pub const fn node(&self) -> &Node<SimHost> {
        &self.node
    }
}

/// What has been checked of a node so far: each thing that it takes for new is looked at once.
#[derive(Default)]
struct Audit {
    news: usize,
    held: ItemSet,
    violation: Option<(&'static str, String)>,
}

/// What a node holds at a check.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    held: ItemSet,
    violation: Option<(&'static str, String)>,
}

/// A set of items, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ItemSet {
    words: Vec<u64>,
    count: u32,
}

impl Gossip {
    /// The nodes of a scenario in its graph.
    ///
    /// # Errors
    ///
    /// If files of the workload cannot be read.
    pub fn new(scenario: &Scenario, graph: &Graph) -> io::Result<Self> {
        let items = match &scenario.workload {
            Some(workload) => workload.items(scenario.nodes, scenario.seed)?,
            None => Vec::new(),
        };
        let mut publications: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, item) in (0..).zip(&items) {
            for holder in &item.holders {
                publications.entry(*holder).or_default().push(number);
            }
        }
        for numbers in publications.values_mut() {
            numbers.sort_by_key(|number| items[*number as usize].at);
        }
        let groups = match scenario.run.goal {
            Goal::Union => vec![(0..scenario.nodes).collect()],
            Goal::Component => why::lasting_components(scenario, graph),
        };
        Ok(Self {
            numbers: (0..)
                .zip(&items)
                .map(|(number, item)| (item.hash.clone(), number))
                .collect(),
            items,
            publications,
            config: Rc::new(config(scenario)),
            scratch: Rc::default(),
            strategy: scenario.node.strategy,
            groups,
        })
    }

    /// What is published.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Looks at what the node has taken for new since it was last looked at.
    fn audit(&self, seated: &Seated) {
        let audit = &mut *seated.audit.borrow_mut();
        for record in seated.node.news(audit.news) {
            audit.news += 1;
            let Some(number) = self.numbers.get(&record.hash) else {
                let what = format!("holds {}, which nobody published", record.hash);
                audit
                    .violation
                    .get_or_insert(("only what was published", what));
                continue;
            };
            let item = &self.items[*number as usize];
            let body = seated.node.body(&record.hash);
            if body.is_none_or(|body| body != item.body) {
                let what = format!("holds another body for {}", record.hash);
                audit
                    .violation
                    .get_or_insert(("bodies match their hashes", what));
            }
            if !audit.held.insert(*number) {
                let what = format!("counts {} as new for the second time", record.hash);
                audit
                    .violation
                    .get_or_insert(("nothing is new twice", what));
            }
        }
    }
}

impl Protocol for Gossip {
    type Node = Seated;
    type Snapshot = Holdings;

    fn start(&self, host: Host, seat: Seat<'_>) -> Seated {
        let neighbours = seat.neighbours.iter().map(|peer| Neighbour {
            address: *peer,
            dial: seat.dials(*peer),
        });
        let sim = SimHost::new(host.clone(), self.scratch.clone());
        let node = match self.strategy {
            Strategy::Trade => Node::start(sim, self.config.clone(), neighbours.collect()),
        };
        let mut later = Vec::new();
        for number in self.publications.get(&seat.id).into_iter().flatten() {
            let item = &self.items[*number as usize];
            match item.at {
                Time::ZERO => node.publish_hashed(item.hash.clone(), item.body.clone()),
                at => later.push((at, item.hash.clone(), item.body.clone())),
            }
        }
        if !later.is_empty() {
            let publisher = node.clone();
            host.clone().spawn(async move {
                for (at, hash, body) in later {
                    host.sleep_until(at).await;
                    publisher.publish_hashed(hash, body);
                }
            });
        }
        Seated {
            node,
            audit: RefCell::default(),
        }
    }

    fn snapshot(&self, seated: &Seated) -> Holdings {
        self.audit(seated);
        let audit = seated.audit.borrow();
        Holdings {
            held: audit.held.clone(),
            violation: audit.violation.clone(),
        }
    }

    fn progress(&self, nodes: &[Holdings]) -> Progress {
        let have = nodes.iter().map(|node| u64::from(node.held.count)).sum();
        let wanted = |group: &Vec<NodeId>| {
            let wanted = self.wanted(group, nodes);
            u64::from(wanted.count) * group.len() as u64
        };
        let of = self.groups.iter().map(wanted).sum();
        Progress { have, of }
    }

    fn sent(&self, seated: &Seated) -> Tally {
        seated.node.sent()
    }

    fn invariant(&self, nodes: &[Holdings]) -> Result<(), Violation> {
        for (node, holdings) in (0..).zip(nodes) {
            if let Some((check, what)) = &holdings.violation {
                return Err(Violation {
                    node,
                    check,
                    what: what.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Gossip {
    /// What every node of a group shall end with: what one of them publishes or holds.
    fn wanted(&self, group: &[NodeId], nodes: &[Holdings]) -> ItemSet {
        let mut wanted = ItemSet::default();
        if group.len() == nodes.len() {
            (0..).zip(&self.items).for_each(|(number, _)| {
                wanted.insert(number);
            });
            return wanted;
        }
        for node in group {
            wanted.unite(&nodes[*node as usize].held);
            let published = self.publications.get(node).into_iter().flatten();
            published.for_each(|number| {
                wanted.insert(*number);
            });
        }
        wanted
    }
}

impl ItemSet {
    fn contains(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// False if it was there.
    fn insert(&mut self, number: u32) -> bool {
        let at = number as usize / 64;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let bit = 1 << (number % 64);
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        self.count += u32::from(new);
        new
    }

    fn unite(&mut self, other: &Self) {
        self.words
            .resize(self.words.len().max(other.words.len()), 0);
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
        self.count = self.words.iter().map(|word| word.count_ones()).sum();
    }
}

fn config(scenario: &Scenario) -> Config {
    let options = &scenario.node;
    Config {
        stall: options.stall,
        backoff: Backoff {
            min: options.backoff,
            max: options.backoff_max,
        },
        batch: options.batch as usize,
        ..Config::default()
    }
}
