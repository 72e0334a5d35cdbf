//! One gossip node: which peer to ask for which hash, over [`hash_exchange`] connections.
//!
//! A node holds bodies and a connection to each of its neighbours. It tells them which hashes it holds, asks for
//! those it lacks, checks what it gets, and tells the others. Its guarantee: among nodes that stay connected,
//! directly or through others, every hash that one holds comes to all of them, whatever broke in between.
//!
//! ```
//! use hash_gossip::{Config, Host, Neighbour, Node};
//!
//! fn greet<H: Host<Address = u32>>(host: H) -> Node<H> {
//!     let neighbours = vec![
//!         Neighbour { address: 1, dial: true },
//!         Neighbour { address: 2, dial: false },
//!     ];
//!     let node = Node::start(host, Config::default(), neighbours);
//!     let hash = node.publish(*b"hey yo");
//!     assert!(node.holds(&hash));
//!     node
//! }
//! ```
//!
//! # The world is an argument
//!
//! All that a node needs (connections, a clock, randomness, a place to run) comes from its [`Host`]. The same node
//! runs on real sockets and in a simulator, where a run repeats bit for bit. It lives on one thread and is not
//! [`Send`]: many nodes on many threads are many hosts.
//!
//! # The way of a hash
//!
//! ```text
//!             AVAILABLE           REQUEST             HASHES, body, END
//! a neighbour ---------> Strategy --------> neighbour ----------------> checked, held,
//!                                                                       AVAILABLE to all who do not know
//! ```
//!
//! Each step is taken in the same poll as the one before: what is published at one node is held at another after
//! three latencies a hop. When nothing goes wrong every node receives every body once, and every edge carries its
//! name once, or twice if two announcements cross.
//!
//! # What is durable
//!
//! With [`Config::durable`] a node keeps a log on the [`Disk`] of its host: every body that becomes held, and the name of every one that it lets go of. It reads
//! it when it starts, cuts off what a crash has torn, and holds what it says. A body is spread before it is durable; [`Node::is_durable`] says when it is. The log
//! only grows: nothing is ever taken out of it.
//!
//! Two such nodes that connect again, whoever of them was away, tell each other how much of the other's log they have seen, and offer what is beyond alone: by ID,
//! SINCE and SEEN.
//!
//! ```text
//! ID "hash-gossip 9f86…"       who I am: the first that either says
//! SINCE 117                    of your log I hold all up to 117: offer what is beyond
//! ID "hash-gossip 9f86… 130"   all that my log has up to 130 was offered on this connection, or you said that you hold it
//! SEEN 130                     all of that is durable here
//! ```
//!
//! # Map
//!
//! | | |
//! |---|---|
//! | [`Node`] | the handle: publish, evict, and look at what is held and what it cost |
//! | [`Host`], [`Disk`] | what a node needs of the world |
//! | [`Strategy`], [`Trade`] | who is told, who is asked, who is asked next: a state machine without I/O |
//! | [`Config`], [`Backoff`] | times and bounds; each bound says which attack it stops |
//! | [`Neighbour`], [`Status`], [`Loss`] | whom to connect to, and how that stands |
//! | [`Knowledge`], [`Known`] | what a strategy knows of each hash, kept for it beside the hash |
//! | [`PeerSet`] | a set of neighbours in two words |
//! | [`Scratch`] | buffers that many nodes share |
//!
//! Inside, all tasks of a node (one for each connection, a few for dials, one that accepts, one that times) share one
//! cell. A connection is polled by its task, and written to by whoever has something to tell. What may call back into
//! the node is put off until the cell is free.

mod catalogue;
mod config;
mod dial;
mod download;
mod durable;
mod host;
mod log;
mod nanos;
mod neighbour;
mod node;
mod peer_set;
mod reader;
mod scratch;
mod state;
mod strategy;
mod talk;
mod task;
mod trade;

pub use catalogue::Record;
pub use config::{Backoff, Config};
pub use host::{Disk, Host, NoDisk};
pub use neighbour::{Loss, Neighbour, Status};
pub use node::Node;
pub use peer_set::PeerSet;
pub use scratch::Scratch;
pub use strategy::{Action, Fault, HashIndex, Knowledge, PeerIndex, Strategy};
pub use trade::{Known, Trade};
