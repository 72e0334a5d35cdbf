//! A deterministic network in memory: any `futures` code that takes its clock and its entropy as arguments can live in it.
//!
//! One seed is one history, bit for bit, on any machine and for any [`Layout`]. Time is virtual: a minute of silence costs nothing.
//!
//! ```
//! use std::time::Duration;
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use simnet::{Host, Layout, Link, Network, Time, World};
//!
//! async fn greet(host: Host) -> std::io::Result<()> {
//!     if host.id() == 0 {
//!         let mut stream = host.connect(1, 80).await?;
//!         stream.write_all(b"hello").await?;
//!     } else {
//!         let (mut stream, dialler) = host.listen(80)?.accept().await;
//!         let mut text = String::new();
//!         stream.read_to_string(&mut text).await?;
//!         assert_eq!((dialler, text.as_str()), (0, "hello"));
//!         assert_eq!(host.now(), Time::from_millis(30)); // dial, answer, data
//!     }
//!     Ok(())
//! }
//!
//! let network = Network::new(2, 42, Link::constant(Duration::from_millis(10)));
//! let mut world = World::new(&network, Layout::default(), |host, _| {
//!     host.spawn({ let host = host.clone(); async move { greet(host).await.expect("the network is fine") } });
//! })?;
//! world.run_until(Time::from_secs(1))?;
//! assert_eq!(world.carried().delivered, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! | to | see |
//! |---|---|
//! | describe a network and what goes wrong in it | [`Network`], [`Links`], [`StreamModel`], [`DatagramModel`], [`DiskModel`], [`Schedule`], [`Fault`], [`Impairment`], [`Lives`], [`Clocks`] |
//! | say what links are like | [`Link`], [`Jitter`], [`Quantiles`], [`Bandwidth`], [`Access`], [`Regions`] |
//! | run it and look at it | [`World`], [`Layout`], [`Carried`], [`CarriedDatagrams`], [`mod@trace`], [`WaitingTask`], [`Livelock`] |
//! | write a node | [`Host`], [`Listener`], [`Stream`], [`DatagramSocket`], [`DatagramIo`], [`Disk`], [`Sleep`], [`Task`], [`JoinHandle`] |
//! | draw random numbers that stay what they are | [`draw`], [`fixed`] |
//!
//! # The order of events
//!
//! An event belongs to one node. A node handles its events by (time, mix(seed, node, source), source, the source's own counter), scheduled
//! faults first. What a node does depends on its own events alone, and every effect on another node takes at least the *lookahead*, the least
//! latency floor. So time is cut into windows of that length; in a window every node runs on its own, in any order and on any
//! shard, and then what was sent is traded. Neither the number of shards nor the length of windows shows in any history.
//!
//! # What streams model
//!
//! A [`Stream`] is what TCP looks like from outside. Writes are cut into segments; each takes the link's floor plus a draw and never overtakes an
//! earlier one. A lost one is sent again after a wait that doubles up to a cap, and what comes behind it waits at the receiver. Nothing
//! acknowledged for too long resets the stream at the side that sends; an idle other side does not learn of it, as on a real network,
//! until it sends something to where nobody is.
//! A reader that stops stalls its writer.
//!
//! Where a bandwidth is limited there is a line that passes segments in the order in which they come: a link in one direction, which all streams from
//! the one node to the other share, a node's uplink, which all that it sends shares, and its downlink. A segment passes the uplink, then the link,
//! then takes the latency, then passes the downlink; bytes leave a line as they come if nothing is before them, so what is alone takes the latency
//! and its length over the least of the three bandwidths. What is lost was lost behind the link: it has taken its time there, and its
//! retransmission does again, and the wait for that counts from when the segment had left. Lines have room for all that waits, which is
//! what the windows of streams allow; a window that is less than the bandwidth times the round trip is what decides, as with TCP.
//!
//! Left out are congestion control, queues that overflow, the bytes of headers and acknowledgements, and more: `MODEL.md`, beside this crate's
//! manifest, says what that does to which figure, and how far off it was beside real TCP.
//!
//! # What datagrams model
//!
//! A [`DatagramSocket`] is what UDP looks like from outside. A datagram passes the same links and bandwidths as segments do, is lost with the same
//! probability, and that is the end of it. Each draws a latency of its own, so they overtake each other wherever links have a jitter. What else happens
//! to datagrams in the world is an [`Impairment`] of links: [`Impairment::Duplicate`], [`Impairment::Reorder`], [`Impairment::Corrupt`]. What comes to a port that nobody has
//! bound is dropped without a word, and so is what finds the queue of its socket full; [`CarriedDatagrams`] counts all of it.
//!
//! | fault | what becomes of datagrams |
//! |---|---|
//! | [`Fault::Partition`] | those that leave their node while it stands are lost |
//! | [`Fault::Impair`] | what the impairment says; those that a stall makes wait for long are lost, for an application would not wait either |
//! | [`Fault::Cut`] | nothing: it is streams that are cut |
//! | [`Fault::Leave`] | the node's own go on their way; those to it arrive at a machine where nobody hears them |
//! | [`Fault::Crash`] | what waits for a bandwidth of the node, and in its sockets, is gone; those to it are lost until it restarts |
//!
//! # Nodes that come and go
//!
//! A [`Schedule`] has nodes start and stop at dated instants. What is lost is decided by what TCP and a machine would do:
//!
//! | fault | the node's code | its streams, seen by their other ends | what is sent to it then |
//! |---|---|---|---|
//! | [`Fault::Join`] | starts for the first time | there were none | lost before that: a dial is repeated, and times out |
//! | [`Fault::Leave`] | dropped, as when a process exits | what was written arrives, then the end | dials are refused, data is answered by a reset |
//! | [`Fault::Crash`] | dropped, as by a loss of power | nothing; who writes times out, who only reads never learns | lost until it restarts |
//! | [`Fault::Restart`] | starts anew | streams of its last life are reset once their other ends write | arrives |
//!
//! The function that was given to [`World::new`] starts a node whenever it is time, with a [`Host`] that counts its lives
//! ([`Host::incarnation`]) and what was kept of the last one. Draws, digests and byte counts go on from life to life. What is left of a life that is
//! over - hosts, streams, listeners that somebody outside kept - does nothing any more. The schedule is known beforehand, so whether a segment is
//! heard is decided, like a loss, when it is sent: [`Lives`] says who is up when.
//!
//! A fault that depends on what happens needs a world for each answer: one that is run up to there shows when it is, and a second one, with the fault at least a
//! lookahead behind that ([`Fault::later`]) in its schedule, is the one that counts.
//!
//! # What disks model
//!
//! A [`Disk`] is a directory of files that outlives its node's lives. What is synced is durable; what was not a crash leaves in part, torn within a
//! write, as [`Disk`] says in full.
//!
//! | fault | what becomes of the disk |
//! |---|---|
//! | [`Fault::Leave`] | nothing: the machine stays, and with it what was not synced yet |
//! | [`Fault::Crash`] | what was synced stays, and a part of what was not |
//! | [`Fault::LoseDisk`] | all is gone, as when the machine comes back with another disk |
//! | [`Fault::FailDisk`] | for a while it is full, or cannot be read ([`DiskFailure`]) |
//!
//! # Links that are worse for a while
//!
//! [`Fault::Partition`] and [`Fault::Cut`] are of the network, and so is [`Fault::Impair`]: an [`Impairment`] of the directed links in a [`LinkSet`].
//!
//! | impairment | models | streams see |
//! |---|---|---|
//! | [`Impairment::Block`] | a firewall, a broken route, in one direction or both | losses, then a timeout, unless it is over before |
//! | [`Impairment::Stall`] | a router that hangs, routes that are computed anew | bytes that come late, all at once; a timeout if it lasts as long |
//! | [`Impairment::Delay`] | a detour, a standing queue; from one node: a machine that is slow to answer | a longer latency |
//! | [`Impairment::Lose`] | interference, an overloaded line | losses, and what they cost in time and repeated bytes |
//! | [`Impairment::LoseInBursts`] | radio that fades, queues that overflow, routes that flap: a [`GilbertElliott`] channel | the same, and waits that double while a burst lasts |
//! | [`Impairment::Throttle`] | a line that somebody else fills, a smaller plan | bytes that queue |
//! | [`Impairment::Duplicate`], [`Impairment::Reorder`], [`Impairment::Corrupt`] | retransmitting radio, many paths, bad memory in a router | nothing: only datagrams do |
//!
//! Several at once add up. Draws do not depend on them: what was lost without a chance of loss added is lost with it, too, and all else has the latency it had.
//!
//! # Clocks that are off
//!
//! [`Fault::ClockDrift`] has a node's clocks go too fast or too slow, so that its sleeps and timeouts end too soon or too late; [`Fault::ClockJump`] sets its wall clock, of which
//! [`Host::wall`] alone knows. Faults, latencies and traces are in true time, and [`Clocks`] says what a clock shows then. A node that is slow to see to what has come has an
//! [`Impairment::Delay`] on all links to it.
//!
//! # Tasks
//!
//! [`Host::spawn`] runs a future on a node, and gives a [`Task`] to wait for its end or to abort it; [`Host::spawn_for`] is for those whose output is wanted. Futures need nothing but
//! the standard traits, and there is no current world that a thread would know of. Whatever a host or a stream promises may be dropped half-way, as `select` does, and nothing is lost by
//! that. Which of several tasks that are ready runs first is drawn.
//!
//! A world in which nothing is scheduled any more ([`World::is_quiet`]) lists by [`World::waiting_tasks`] what each task waits for. Tasks that wake each other at one instant
//! without end are a [`Livelock`]. A poll that never returns is out of reach: nobody can take a thread away from it.
//!
//! What happens can be kept, all of it or the last of it or that of some time, and shown or written: [`mod@trace`].
//!
//! # What leaks
//!
//! Determinism ends where code asks the machine: clocks (`Instant::now`), entropy (`rand::rng`, `RandomState`), threads, and
//! `futures::select!`, which draws from a thread-local generator (use `select_biased!`). Nodes reach each other through the network only: waking a
//! task of another node panics.
//!
//! Crates that others wrote ask the machine too, and most can be told not to. Two run in the tests of this crate as they are:
//!
//! | crate | what it asks | how it is pinned |
//! |---|---|---|
//! | `yamux` 0.14 | the clock: windows grow if they are read in less than two round trips | windows that may not grow: `max_connection_receive_window` = 256 KiB × `max_num_streams`. Of 100 runs of one seed up to 21 differed before, and none after |
//! | | the clock: a ping at the start, then every ten seconds | cannot be, so a run has to take less than ten real seconds |
//! | `hyper` 1 | the clock: the header `Date` of answers | `auto_date_header(false)` |
//! | | a timer, if it is given one | none is given; [`Host::timeout`] instead |
//!
//! What cannot be pinned shows in digests, and perhaps nowhere else: the client of a websocket masks what it sends by entropy, so the bytes of two runs
//! differ, but neither their number nor their times.

mod bandwidth;
mod calendar;
mod clock;
mod core;
mod datagram;
mod disk;
pub mod draw;
mod end;
mod event;
mod executor;
mod fault;
pub mod fixed;
mod gilbert_elliott;
mod host;
mod impairment;
mod life;
mod link;
mod network;
mod node;
mod quantile;
mod region;
mod route;
mod shard;
mod storage;
mod stream;
mod stuck;
mod task;
mod time;
mod timers;
pub mod trace;
mod transport;
mod world;

pub use bandwidth::{Access, Bandwidth};
pub use clock::Clocks;
pub use datagram::{CarriedDatagrams, DatagramIo, DatagramModel, DatagramSocket, Received};
pub use disk::{Disk, DiskFailure, DiskModel};
pub use fault::{Fault, Schedule};
pub use gilbert_elliott::GilbertElliott;
pub use host::{Elapsed, Host, Listener, Sleep};
pub use impairment::{Impairment, LinkSet};
pub use life::{Lives, Misfit};
pub use link::{Jitter, Link, Links, Probability, StreamModel};
pub use network::{InvalidNetwork, Layout, Network};
pub use node::Carried;
pub use quantile::{InvalidQuantiles, Quantiles};
pub use region::{Members, Region, Regions};
pub use stream::Stream;
pub use task::{JoinHandle, Livelock, Task, WaitingTask, WaitsFor};
pub use time::Time;
pub use trace::{Trace, TraceEvent};
pub use world::World;

/// A node's number: nodes are numbered from 0 without gaps.
pub type NodeId = u32;
