use std::rc::Rc;

use hash_exchange::{Connection, MemoryBody, Session};
use hash_gossip::{Config, Node};
use hxsim::gossip::SimHost;
use simnet::Stream;

use crate::heap::Heap;
use crate::islands::{ISLAND, ISLANDS, Islands, gossip, readers, streams};

/// A million nodes of degree eight have eight million ends: 512 bytes each are 4 GiB.
const BUDGET: i64 = 512;

/// Once it has traded, a node also keeps the tally of the frames that it sent and room for a few actions.
const BUDGET_AFTER: i64 = 512;

const DEGREE: u32 = 8;

/// Everything counts: the end of the stream, its task and waker, the connection, and the end's share of its node.
#[test]
fn an_idle_end_costs_at_most_512_bytes() {
    let config = Rc::new(Config::default());
    let mut islands = Islands::new(DEGREE);
    let heap = islands.start(gossip(&config));
    assert_connected(&islands.nodes);
    let each = heap.bytes_each(islands.ends());
    assert!(each <= BUDGET, "{each} bytes an end\n{}", breakdown());
}

/// What a node keeps because it once traded counts too; what it keeps because it holds hashes does not. The latter is
/// what the same hashes cost a node that never had a neighbour.
#[test]
fn an_end_that_is_idle_again_costs_little_more() {
    let config = Rc::new(Config::default());
    let mut islands = Islands::new(DEGREE);
    let connected = islands.start(gossip(&config));
    let traded = islands.act(|nodes| {
        for (node, body) in nodes.iter().zip(bodies()) {
            node.publish(body);
        }
    });
    assert_connected(&islands.nodes);
    assert_held(&islands.nodes);

    let mut alone = Islands::new(0);
    alone.start(gossip(&config));
    let hashes = alone.act(|nodes| {
        for node in nodes {
            for body in bodies() {
                node.publish(body);
            }
        }
    });
    assert_held(&alone.nodes);

    let idle = connected + traded - hashes;
    let each = idle.bytes_each(islands.ends());
    let ends = islands.ends();
    let told = format!(
        "{each} bytes an end: {} connected, {} more after a trade, less {} for the hashes\n{}",
        connected.bytes_each(ends),
        traded.bytes_each(ends),
        hashes.bytes_each(ends),
        breakdown()
    );
    println!("{told}");
    assert!(each <= BUDGET_AFTER, "{told}");
}

/// A few bodies, each of its own allocation as a real store has it.
fn bodies() -> impl Iterator<Item = Rc<[u8]>> {
    (0..4_u8).map(|body| Rc::from([body; 100]))
}

fn assert_connected(nodes: &[Node<SimHost>]) {
    for node in nodes {
        let neighbours = node.neighbours();
        assert_eq!(neighbours.len(), DEGREE as usize);
        assert!(neighbours.iter().all(|neighbour| neighbour.up));
    }
}

fn assert_held(nodes: &[Node<SimHost>]) {
    let all = bodies().count();
    assert!(nodes.iter().all(|node| node.hashes().len() == all));
}

/// Where the bytes go, by differences: between worlds whose nodes do more and more, and between degrees.
fn breakdown() -> String {
    let config = Rc::new(Config::default());
    let of_degree = |degree| {
        let started = |start: fn(simnet::Host, &_)| Islands::new(degree).start(start);
        let hosts = started(|_, _| ());
        let streams = started(streams);
        let readers = started(readers);
        let nodes = Islands::new(degree).start(gossip(&config));
        [hosts, streams, readers, nodes]
    };
    let [none, some, more] = [0, DEGREE, 2 * DEGREE].map(of_degree);
    let nodes = i64::from(ISLANDS * ISLAND);
    let ends = nodes * i64::from(DEGREE);
    let names = [
        "hosts without code",
        "streams, held by one task a node",
        "streams, read by a task each",
        "gossip nodes",
    ];
    let mut told = format!(
        "{:36}{:>10}{:>10}{:>14}{:>14}\n",
        "", "bytes/end", "blocks", "one end more", "alone/node"
    );
    for (name, ((none, some), more)) in names.iter().zip(none.iter().zip(some).zip(more)) {
        let added: Heap = more - some;
        let blocks = some.blocks as f64 / ends as f64;
        told += &format!(
            "{name:36}{:>10}{blocks:>10.2}{:>14}{:>14}\n",
            some.bytes_each(ends),
            added.bytes_each(ends),
            none.bytes_each(nodes),
        );
    }
    told + &format!(
        "of one end: Connection {}, in it Session {} and Stream {}",
        size_of::<Connection<Stream, MemoryBody<Rc<[u8]>>>>(),
        size_of::<Session>(),
        size_of::<Stream>(),
    )
}
