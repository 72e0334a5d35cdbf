//! Our own protocol as a scenario runs it: `hash-gossip` nodes on simulated hosts, what they must reach, and what came of it.
//!
//! A node that starts again after it left or crashed is as a process that is started on its directory: it holds what its workload
//! gives it, publishes that again, what it had evicted too, and knows nothing else of its last life. One that is durable holds what its disk has kept, and publishes
//! what it neither holds nor has evicted.

mod account;
mod disk;
mod footprint;
mod host;
mod item_set;
mod rogue;
mod seated;
mod why;

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use hash_exchange::{Hash, Tally};
use hash_gossip::{Backoff, Config, Neighbour, Node, Scratch};
use simnet::{Clocks, Host, NodeId, Time};

use crate::protocol::{Progress, Protocol, Seat, Violation};
use crate::scenario::{Goal, Role, Scenario, Strategy};
use crate::topology::Graph;
use crate::workload::Item;

pub use account::report;
pub use disk::SimDisk;
pub use footprint::footprint;
pub use host::SimHost;
use item_set::ItemSet;
use rogue::{OnShelf, Rogue};
pub use seated::Seated;
use seated::{Actor, Audit, Broken};

/// The nodes of a scenario: `hash-gossip` with the scenario's workload.
pub struct Gossip {
    items: Vec<Item>,
    numbers: BTreeMap<Hash, u32>,
    /// The items that each node publishes, in the order of their times.
    publications: BTreeMap<NodeId, Vec<u32>>,
    /// The items that each node is made to let go of, in the order of the times.
    evictions: BTreeMap<NodeId, Vec<(Time, u32)>>,
    config: Rc<Config>,
    scratch: Rc<Scratch>,
    strategy: Strategy,
    /// Who does not behave.
    roles: BTreeMap<NodeId, Role>,
    /// What nodes know of the time.
    clocks: Clocks,
    /// The nodes that shall end with the same hashes. Nodes that are down at the end are in none, and neither are those with roles.
    groups: Vec<Vec<NodeId>>,
    /// Every node is up all the time, all in one group, and keeps what it has.
    is_steady: bool,
}

/// What a node holds at a check.
#[derive(Clone, Debug)]
pub struct Holdings {
    held: ItemSet,
    /// What it was made to let go of in this life.
    evicted: Option<Box<ItemSet>>,
    violation: Option<Box<Broken>>,
    /// It has not read its disk yet.
    recovers: bool,
}

impl Holdings {
    /// How many items.
    pub fn count(&self) -> u32 {
        self.held.count()
    }

    fn has_evicted(&self, item: u32) -> bool {
        let evicted = self.evicted.as_ref();
        evicted.is_some_and(|evicted| evicted.contains(item))
    }
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
        let mut evictions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for eviction in &scenario.evictions {
            let bodies = eviction.bodies.iter();
            let bodies = bodies.filter(|number| (**number as usize) < items.len());
            let all: Vec<_> = bodies.map(|number| (eviction.at, *number)).collect();
            for node in &eviction.nodes {
                evictions.entry(*node).or_default().extend(&all);
            }
        }
        evictions.values_mut().for_each(|all| all.sort_unstable());
        let groups = match scenario.run.goal {
            Goal::Union => vec![why::lasting_nodes(scenario)],
            Goal::Component => why::lasting_components(scenario, graph),
        };
        let all_in_one = groups.len() == 1 && groups[0].len() == scenario.nodes as usize;
        let nobody_goes = scenario.faults().lives().nodes().is_empty();
        Ok(Self {
            is_steady: all_in_one && nobody_goes && evictions.is_empty(),
            evictions,
            numbers: (0..)
                .zip(&items)
                .map(|(number, item)| (item.hash.clone(), number))
                .collect(),
            items,
            publications,
            config: Rc::new(config(scenario)),
            scratch: Rc::default(),
            strategy: scenario.node.strategy,
            roles: scenario.roles.clone(),
            clocks: scenario.faults().clocks(),
            groups,
        })
    }

    /// What is published.
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

impl Protocol for Gossip {
    type Node = Seated;
    type Snapshot = Holdings;

    fn start(&self, host: Host, seat: Seat<'_>) -> Seated {
        self.seat(host, seat, Audit::default())
    }

    /// The process begins anew with what its workload gives it, and what its disk has if it is durable. Otherwise only figures outlive a life.
    fn restart(&self, host: Host, seat: Seat<'_>, before: Seated) -> Seated {
        self.audit(&before);
        self.seat(host, seat, before.into_audit(self))
    }

    fn snapshot(&self, seated: &Seated) -> Holdings {
        self.audit(seated);
        seated.holdings()
    }

    fn progress(&self, nodes: &[(NodeId, Holdings)]) -> Progress {
        let mut progress = Progress::default();
        for group in &self.groups {
            let wanted = self.wanted(group, nodes);
            for node in group {
                progress.of += u64::from(wanted.count());
                if let Some(holdings) = of(nodes, *node) {
                    // What it holds is yet to be seen.
                    progress.of += u64::from(holdings.recovers);
                    progress.have += u64::from(holdings.held.count());
                    let evicted = holdings.evicted.as_ref();
                    let evicted = evicted.map_or(0, |evicted| evicted.count_in(&wanted));
                    progress.of -= u64::from(evicted);
                }
            }
        }
        progress
    }

    fn sent(&self, seated: &Seated) -> Tally {
        seated.sent()
    }

    fn invariant(&self, nodes: &[(NodeId, Holdings)]) -> Result<(), Violation> {
        for (node, holdings) in nodes {
            if let Some(broken) = &holdings.violation {
                let (check, what) = &**broken;
                return Err(Violation {
                    node: *node,
                    check,
                    what: what.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Gossip {
    /// Starts a node and lets it publish: at once what is published by now, the rest in its time.
    fn seat(&self, host: Host, seat: Seat<'_>, audit: Audit) -> Seated {
        // Who comes late dials all its neighbours: those who would dial it may not know that it is there, or was away.
        let now = self.clocks.reached(seat.id, host.now());
        let late = now > Time::ZERO;
        let dials = |peer: NodeId| late || seat.dials(peer);
        if let Some(role) = self.roles.get(&seat.id) {
            let dialled = seat.neighbours.iter().copied().filter(|peer| dials(*peer));
            let rogue = Rogue::start(*role, host, dialled, self.shelf(seat.id));
            return Seated::new(seat.id, Actor::Rogue(rogue), audit);
        }
        let neighbours = seat.neighbours.iter().map(|peer| Neighbour {
            address: *peer,
            dial: dials(*peer),
        });
        let sim = SimHost::new(host.clone(), self.scratch.clone());
        let node = match self.strategy {
            Strategy::Trade => Node::start(sim, self.config.clone(), neighbours.collect()),
        };
        let (mut later, is_durable) = (Vec::new(), self.config.durable);
        for number in self.publications.get(&seat.id).into_iter().flatten() {
            let item = &self.items[*number as usize];
            if item.at <= now && !is_durable {
                node.publish_hashed(item.hash.clone(), item.body.clone());
            } else {
                later.push((item.at, item.hash.clone(), Some(item.body.clone())));
            }
        }
        if let Some(evictions) = self.evictions.get(&seat.id) {
            let due = evictions.iter().filter(|(at, _)| *at >= now);
            later.extend(due.map(|(at, number)| {
                let item = &self.items[*number as usize];
                (*at, item.hash.clone(), None)
            }));
            later.sort_by_key(|(at, ..)| *at);
        }
        if !later.is_empty() {
            let node = node.clone();
            // People publish when it is time, whatever the node's clock says.
            for (at, ..) in &mut later {
                *at = self.clocks.shown(seat.id, *at);
            }
            host.clone().spawn(async move {
                node.ready().await;
                for (at, hash, body) in later {
                    host.sleep_until(at).await;
                    match body {
                        // What was let go of in an earlier life stays so.
                        Some(_) if is_durable && node.has_evicted(&hash) => {}
                        Some(body) => node.publish_hashed(hash, body),
                        None => drop(node.evict(&hash)),
                    }
                }
            });
        }
        Seated::new(seat.id, Actor::Node(node), audit)
    }

    /// Everything that is ever published, in the order of the times on a node's clock.
    fn shelf(&self, node: NodeId) -> Rc<[OnShelf]> {
        let items = self.items.iter().map(|item| OnShelf {
            at: self.clocks.shown(node, item.at),
            hash: item.hash.clone(),
            body: item.body.clone(),
        });
        let mut shelf: Vec<_> = items.collect();
        shelf.sort_by_key(|it| it.at);
        shelf.into()
    }

    /// Looks at what the node has taken for new since it was last looked at, and at what it has let go of.
    fn audit(&self, seated: &Seated) {
        let evictions = self.evictions.get(&seated.id());
        let evictions = evictions.map_or(&[][..], Vec::as_slice);
        let evicts = |number: u32| evictions.iter().any(|(_, evicted)| *evicted == number);
        let Some(node) = seated.node() else {
            return;
        };
        let audit = &mut *seated.audit_mut();
        for record in node.news(audit.news) {
            audit.news += 1;
            let Some(number) = self.numbers.get(&record.hash) else {
                let what = format!("holds {}, which nobody published", record.hash);
                audit.note("only what was published", what);
                continue;
            };
            let item = &self.items[*number as usize];
            let gone_again = evicts(*number) && !node.holds(&record.hash);
            if !gone_again && node.body(&record.hash).is_none_or(|body| body != item.body) {
                let what = format!("holds another body for {}", record.hash);
                audit.note("bodies match their hashes", what);
            }
            if audit.has_evicted(*number) {
                let what = format!("holds {} again", record.hash);
                audit.note("what was evicted does not come back", what);
            } else if !audit.held.insert(*number) {
                let what = format!("counts {} as new for the second time", record.hash);
                audit.note("nothing is new twice", what);
            }
        }
        for (_, number) in evictions {
            let gone = || !node.holds(&self.items[*number as usize].hash);
            if audit.held.contains(*number) && gone() {
                audit.note_evicted(*number);
            }
        }
    }

    /// What every node of a group shall end with, but for what it let go of itself: what one of them publishes or holds.
    fn wanted(&self, group: &[NodeId], nodes: &[(NodeId, Holdings)]) -> ItemSet {
        let mut wanted = ItemSet::default();
        if self.is_steady {
            (0..).zip(&self.items).for_each(|(number, _)| {
                wanted.insert(number);
            });
            return wanted;
        }
        for node in group {
            let holdings = of(nodes, *node);
            if let Some(holdings) = holdings {
                wanted.unite(&holdings.held);
            }
            let keeps = |number: u32| holdings.is_none_or(|it| !it.has_evicted(number));
            let published = self.publications.get(node).into_iter().flatten();
            published
                .filter(|number| keeps(**number))
                .for_each(|number| {
                    wanted.insert(*number);
                });
        }
        wanted
    }
}

/// What a node holds, of those that are up in order; `None`: it is down.
fn of(nodes: &[(NodeId, Holdings)], id: NodeId) -> Option<&Holdings> {
    // Nearly always nobody is down.
    let at_its_place = nodes.get(id as usize).filter(|(node, _)| *node == id);
    let found = at_its_place.or_else(|| {
        let found = nodes.binary_search_by_key(&id, |(node, _)| *node);
        found.ok().map(|at| &nodes[at])
    });
    found.map(|(_, holdings)| holdings)
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
        durable: options.durable,
        ..Config::default()
    }
}
