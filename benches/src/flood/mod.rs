//! The workload W: nodes that spread numbers over an overlay and do nothing else.
//!
//! A node that first learns a number says AVAILABLE to all its neighbours; it answers AVAILABLE of a number that it
//! neither knows nor asked for with REQUEST, and REQUEST with DATA. No hashing, no parsing, no strategy, no checks: what
//! a run of these costs is what the network costs. It has been written for other simulators, too, so their speed can be compared.
//!
//! Here it is three times: over simulated [`streams`], over simulated [`datagrams`], and over a [`bare`] loop of messages, which is the bound.

pub mod bare;
pub mod datagrams;
pub mod streams;

use std::rc::Rc;
use std::time::Duration;

use hxsim::topology::{Graph, Topology};
use simnet::{Host, Layout, Link, Network, Time, World};

/// Four rings through all nodes in random order, laid over each other: of degree 8 but where two of them share an edge.
///
/// # Panics
///
/// With less than three nodes.
pub fn overlay(nodes: u32, seed: u64) -> Graph {
    let ring = |number| {
        let ring = Topology::RandomRegular { degree: 2 };
        let ring = ring.graph(nodes, seed + number);
        ring.expect("three nodes make a ring").edges().to_vec()
    };
    let mut edges: Vec<_> = (0..4).flat_map(ring).collect();
    edges
        .iter_mut()
        .for_each(|(a, b)| (*a, *b) = ((*a).min(*b), (*a).max(*b)));
    edges.sort_unstable();
    edges.dedup();
    Graph::new(nodes, edges).expect("every edge is one between two nodes, and there once")
}

/// Messages take 10 to 100 ms, and none is lost.
fn network(nodes: u32, seed: u64) -> Network {
    let link = Link::uniform(FLOOR, JITTER);
    Network::new(nodes, seed, link)
}

const FLOOR: Duration = Duration::from_millis(10);
const JITTER: Duration = Duration::from_millis(90);

/// By then everything has spread, however large the network.
const END: Time = Time::from_secs(60);

/// Messages of a run to its end, exactly: every node says AVAILABLE of every number to each of its neighbours, and
/// REQUEST and DATA bring every number to every node but the one that held it at the start.
pub fn messages(graph: &Graph, numbers: u16) -> u64 {
    let ends = 2 * graph.edges().len() as u64;
    u64::from(numbers) * (ends + 2 * (u64::from(graph.nodes()) - 1))
}

/// What carries the messages of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// [`bare`].
    Bare,
    /// [`datagrams`].
    Datagrams,
    /// [`streams`].
    Streams,
}

impl Carrier {
    /// The bound, then the others.
    pub const ALL: [Self; 3] = [Self::Bare, Self::Datagrams, Self::Streams];

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Datagrams => "datagrams",
            Self::Streams => "streams",
        }
    }

    /// Runs a network to its end, whose first nodes have a number each; messages sent.
    ///
    /// # Panics
    ///
    /// If there are more numbers than nodes.
    pub fn run(self, graph: &Rc<Graph>, seed: u64, numbers: u16) -> u64 {
        assert!(
            u32::from(numbers) <= graph.nodes(),
            "each number has a node"
        );
        let network = network(graph.nodes(), seed);
        let own = |host: &Host| u16::try_from(host.id()).ok().filter(|id| *id < numbers);
        let layout = Layout::default();
        match self {
            Self::Bare => bare::run(graph, seed, numbers),
            Self::Datagrams => {
                let world = World::new(&network, layout, |host, _| {
                    let own = own(&host);
                    datagrams::Flooder::start(&host, graph.clone(), numbers, own.as_slice())
                });
                let mut world = world.expect(SOUND);
                world.run_until(END).expect("time passes");
                world.nodes().map(datagrams::Flooder::sent).sum()
            }
            Self::Streams => {
                let world = World::new(&network, layout, |host, _| {
                    let own = own(&host);
                    streams::Flooder::start(&host, graph, numbers, own.as_slice())
                });
                let mut world = world.expect(SOUND);
                world.run_until(END).expect("time passes");
                world.nodes().map(streams::Flooder::sent).sum()
            }
        }
    }
}

/// What a node knows of every number.
#[derive(Clone)]
struct Known(Box<[Standing]>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unknown,
    Requested,
    Held,
}

/// What a node does when a message has come.
enum Reaction {
    Nothing,
    /// It says this back.
    Answer(Kind),
    /// It tells all its neighbours.
    Announce,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Available,
    Request,
    Data,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Available, Self::Request, Self::Data];

    /// Bytes of its messages.
    const fn length(self) -> usize {
        match self {
            Self::Data => HEAD + BODY,
            _ => HEAD,
        }
    }
}

impl Known {
    /// Of so many numbers these are held.
    fn new(numbers: u16, held: &[u16]) -> Self {
        let mut known = vec![Standing::Unknown; numbers.into()];
        for number in held {
            known[usize::from(*number)] = Standing::Held;
        }
        Self(known.into())
    }

    fn held(&self) -> Vec<u16> {
        let known = (0..).zip(&self.0);
        let held = known.filter(|(_, standing)| **standing == Standing::Held);
        held.map(|(number, _)| number).collect()
    }

    fn handle(&mut self, kind: Kind, number: u16) -> Reaction {
        let standing = &mut self.0[usize::from(number)];
        match (kind, *standing) {
            (Kind::Available, Standing::Unknown) => {
                *standing = Standing::Requested;
                Reaction::Answer(Kind::Request)
            }
            (Kind::Request, Standing::Held) => Reaction::Answer(Kind::Data),
            (Kind::Data, Standing::Requested) => {
                *standing = Standing::Held;
                Reaction::Announce
            }
            _ => Reaction::Nothing,
        }
    }
}

/// A message as it goes over a network.
fn encode(kind: Kind, number: u16) -> [u8; HEAD + BODY] {
    let mut message = [0; HEAD + BODY];
    message[0] = kind as u8;
    message[HEAD - 2..HEAD].copy_from_slice(&number.to_le_bytes());
    message
}

/// The kind and the number of a message that begins so.
fn decode([kind, .., a, b]: &[u8; HEAD]) -> (Kind, u16) {
    (Kind::ALL[usize::from(*kind)], u16::from_le_bytes([*a, *b]))
}

const PORT: u16 = 1;

/// Bytes of a kind and a number.
const HEAD: usize = 8;

/// Bytes of what spreads.
const BODY: usize = 100;

const SOUND: &str = "nothing goes wrong in this network";
