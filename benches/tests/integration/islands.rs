//! A world of islands: small networks of one degree that know nothing of each other and wake one after the other.
//!
//! The calendar of a world keeps buffers for the greatest burst of segments it ever saw. Those belong to the burst and
//! not to any connection; as only one island at a time has anything underway, they are those of one island in
//! [`ISLANDS`], and so need not be told apart from the rest.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_io::AsyncRead;
use hash_gossip::{Config, Neighbour, Node, Scratch};
use hxsim::gossip::SimHost;
use hxsim::topology::{Graph, Topology};
use simnet::{Host, Layout, Link, Network, NodeId, Stream, World};

use crate::heap::Heap;

/// So many that what one of them has underway does not count.
pub(crate) const ISLANDS: u32 = 64;

/// Nodes of an island.
pub(crate) const ISLAND: u32 = 20;

/// A world of islands, and what came of the nodes. It is made before anything is counted.
pub(crate) struct Islands<N> {
    graph: Graph,
    network: Network,
    world: Option<World<'static, ()>>,
    hosts: Rc<RefCell<Vec<Host>>>,
    pub(crate) nodes: Vec<N>,
}

impl<N> Islands<N> {
    /// Islands where every node has this many neighbours, or none.
    pub(crate) fn new(degree: u32) -> Self {
        let nodes = ISLANDS * ISLAND;
        let mut edges = Vec::new();
        if degree > 0 {
            let topology = Topology::RandomRegular { degree };
            let island = topology.graph(ISLAND, 1).expect("there is such a graph");
            for first in (0..nodes).step_by(ISLAND as usize) {
                let moved = |&(u, v): &(NodeId, NodeId)| (first + u, first + v);
                edges.extend(island.edges().iter().map(moved));
            }
        }
        let link = Link::uniform(Duration::from_millis(10), Duration::from_millis(90));
        Self {
            graph: Graph::new(nodes, edges).expect("all edges end at nodes"),
            network: Network::new(nodes, 1, link),
            world: None,
            hosts: Rc::new(RefCell::new(Vec::with_capacity(nodes as usize))),
            nodes: Vec::with_capacity(nodes as usize),
        }
    }

    /// Starts island after island. What it all leaves on the heap, once nothing is underway any more.
    pub(crate) fn start(&mut self, start: impl Fn(Host, &Graph) -> N) -> Heap {
        let (heap, ()) = Heap::of(|| {
            let hosts = self.hosts.clone();
            let keep = move |host, _| hosts.borrow_mut().push(host);
            let world = World::new(&self.network, Layout::default(), keep);
            self.world = Some(world.expect("the network is sound"));
            self.each_island(|islands, range| {
                for node in range {
                    let host = islands.hosts.borrow()[node].clone();
                    islands.nodes.push(start(host, &islands.graph));
                }
            });
        });
        assert!(self.world().is_quiet(), "nothing is underway");
        heap
    }

    /// Does something to island after island. What that leaves on the heap.
    pub(crate) fn act(&mut self, act: impl Fn(&[N])) -> Heap {
        let (heap, ()) = Heap::of(|| {
            self.each_island(|islands, range| act(&islands.nodes[range]));
        });
        assert!(self.world().is_quiet(), "nothing is underway");
        heap
    }

    /// Ends of connections, two of each.
    pub(crate) fn ends(&self) -> i64 {
        2 * self.graph.edges().len() as i64
    }

    fn each_island(&mut self, act: impl Fn(&mut Self, std::ops::Range<usize>)) {
        for first in (0..self.graph.nodes() as usize).step_by(ISLAND as usize) {
            act(self, first..first + ISLAND as usize);
            self.world().run_for(SETTLED).expect("time passes");
        }
    }

    fn world(&mut self) -> &mut World<'static, ()> {
        self.world.as_mut().expect("it is started")
    }
}

/// Long enough for an island to connect, and to trade a few hashes.
const SETTLED: Duration = Duration::from_secs(10);

const PORT: u16 = 1;

/// Real nodes, each with its neighbours.
pub(crate) fn gossip(config: &Rc<Config>) -> impl Fn(Host, &Graph) -> Node<SimHost> {
    let scratch = Rc::<Scratch>::default();
    move |host, graph| {
        let dials = |peer| host.id() < peer;
        let peers = graph.neighbours(host.id()).iter();
        let neighbours = peers.map(|&address| Neighbour {
            address,
            dial: dials(address),
        });
        let neighbours = neighbours.collect();
        Node::start(
            SimHost::new(host, scratch.clone()),
            config.clone(),
            neighbours,
        )
    }
}

/// Nodes that wait for a datagram.
pub(crate) fn sockets(host: Host, _: &Graph) {
    let socket = host.bind(PORT).expect("it is the only one");
    host.spawn(async move {
        let received = socket.recv_from(&mut [0]).await;
        panic!("nobody sends: {received:?}");
    });
}

/// Nodes that hold their streams, all in one task, and do not read.
pub(crate) fn streams(host: Host, graph: &Graph) {
    connect(host, graph, Vec::with_capacity, Vec::push, |held| async {
        pending::<()>().await;
        drop(held);
    });
}

/// Nodes that wait for what their streams bring, in a task for each.
pub(crate) fn readers(host: Host, graph: &Graph) {
    let spawner = host.clone();
    let read = move |_: &mut (), mut stream: Stream| {
        spawner.spawn(async move {
            let read = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut [0])).await;
            panic!("nobody writes or ends: {read:?}");
        });
    };
    connect(host, graph, |_| (), read, |()| pending());
}

/// Connects a node to its neighbours, and gives the streams away.
fn connect<S: 'static, F: Future<Output = ()>>(
    host: Host,
    graph: &Graph,
    new: impl FnOnce(usize) -> S + 'static,
    take: impl Fn(&mut S, Stream) + 'static,
    end: impl FnOnce(S) -> F + 'static,
) {
    let neighbours = graph.neighbours(host.id()).to_vec();
    let listener = host.listen(PORT).expect("nobody listens yet");
    host.clone().spawn(async move {
        let mut taken = new(neighbours.len());
        for peer in neighbours.iter().filter(|peer| **peer > host.id()) {
            let stream = host.connect(*peer, PORT).await;
            take(&mut taken, stream.expect("nothing goes wrong"));
        }
        for _ in neighbours.iter().filter(|peer| **peer < host.id()) {
            take(&mut taken, listener.accept().await.0);
        }
        // The node is connected for good: what it took to become so is not what is measured.
        drop((neighbours, listener));
        end(taken).await;
    });
}
