//! Runs [`hash_gossip`] nodes on real sockets, with tokio.
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddr};
//! use std::time::Duration;
//!
//! use hash_gossip::{Host as _, Node};
//! use hash_gossip_tokio::{TokioHost, config, dialled};
//! use tokio::time::{sleep, timeout};
//!
//! # fn main() -> std::io::Result<()> {
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! tokio::task::LocalSet::new().block_on(&runtime, async {
//!     // Port 0 is any that is free. Who is to be dialled by others listens on one that they know.
//!     let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
//!     let (first, second) = (TokioHost::listen(any).await?, TokioHost::listen(any).await?);
//!     let address = first.address();
//!     let first = Node::start(first, config(), dialled([]));
//!     let second = Node::start(second, config(), dialled([address]));
//!
//!     let hash = first.publish(*b"hey yo");
//!     let came = async {
//!         while !second.holds(&hash) {
//!             sleep(Duration::from_millis(5)).await;
//!         }
//!     };
//!     timeout(Duration::from_secs(10), came).await?;
//!     assert_eq!(second.body(&hash).as_deref(), Some(&b"hey yo"[..]));
//!     assert_eq!(second.record(&hash).and_then(|record| record.from), Some(address));
//!     Ok(())
//! })
//! # }
//! ```
//!
//! The example `node` of this crate is a whole program: it shares a directory.
//!
//! # Who is who
//!
//! A peer's address is that on which it listens. The wire, which is that of the npm package, has no place where one who
//! dials could say it, so whoever dials us is a stranger with the address of its socket: [`config`] makes room for
//! strangers, and [`dialled`] names neighbours as those whom we dial. Two nodes that dial each other have two connections,
//! a neighbour's and a stranger's. Each body still comes once, as it is asked for once; what costs twice is its name.
//!
//! # How long a node lives
//!
//! As long as the [`LocalSet`](tokio::task::LocalSet) in which it was started; its sockets are closed once its handles are dropped too. It
//! says no farewell, and needs none: who wants to deliver what others have asked of it waits until it
//! [is idle](hash_gossip::Node::is_idle) and has been for a while. Bodies are kept in memory: who starts a node anew publishes
//! anew what it shall hold, unless it has a log ([`TokioHost::with_log`], [`Config::durable`]), which it reads when it starts.
//!
//! # Whom a node trusts
//!
//! Whoever reaches its port. TCP hides nothing and proves nobody's name: each peer reads all bodies, and what it publishes
//! is taken, checked against its hash, and held. What a peer may cost beside that is bounded, by [`config`] and
//! [`STRANGERS`], so that a broken one does little harm; but a hostile one may fill the memory with bodies, or all the room
//! for strangers with connections. Keep the port to those whom you trust.
//!
//! # An edge of the house
//!
//! As in a `main.rs`, here the clock is read and entropy is drawn: the one as times since the host began, the other once,
//! as a seed. Nodes get both from their host alone.

mod log;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hash_exchange::Limits;
use hash_gossip::{Config, Host, Neighbour, Scratch};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

pub use log::LogFile;

/// A listening socket, and what else a node needs of the world. It is the host of one node.
///
/// Nodes are not [`Send`]: they are started, and live, within a [`LocalSet`](tokio::task::LocalSet) of a runtime that has
/// its I/O and time enabled.
#[derive(Clone, Debug)]
pub struct TokioHost {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listener: TcpListener,
    address: SocketAddr,
    start: Instant,
    /// Every other generator is seeded by this one.
    rng: RefCell<ChaCha8Rng>,
    /// Until its node takes it.
    log: RefCell<LogFile>,
    scratch: Rc<Scratch>,
}

impl TokioHost {
    /// Listens on an address; port 0 is any that is free, and [`address`](Host::address) says which.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, or the system has no entropy.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Shared {
            listener,
            address,
            start: now(),
            rng: RefCell::new(ChaCha8Rng::from_seed(seed()?)),
            log: RefCell::default(),
            scratch: Rc::default(),
        };
        Ok(Self {
            shared: Rc::new(shared),
        })
    }

    /// The same, with a log: a file in which a node keeps what it holds if [`Config::durable`] says so, and finds it when it is started anew.
    ///
    /// # Errors
    ///
    /// Those of [`LogFile::open`].
    pub fn with_log(self, path: &Path) -> io::Result<Self> {
        self.shared.log.replace(LogFile::open(path)?);
        Ok(self)
    }
}

/// How a node on sockets behaves: as any other, with room for [`STRANGERS`], each of whom may cost less: some hundred megabytes if it
/// is out for it, next to nothing if it is honest.
///
/// A side must not ask for more at a time than the other serves, or it is hung up on. With this no node asks one peer for more than
/// 16,384 bodies at a time, however many it lacks, and none serves one peer more; npm's package asks for all that an offer names, which
/// so may be as many. All nodes of a network should be started with this, or with limits of which the same can be said.
pub fn config() -> Config {
    Config {
        max_strangers: STRANGERS,
        max_unfinished: 64 << 20,
        limits: Arc::new(LIMITS),
        ..Config::default()
    }
}

/// Neighbours that are to be dialled, by the addresses on which they listen.
pub fn dialled(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Neighbour<SocketAddr>> {
    let addresses = addresses.into_iter();
    addresses
        .map(|address| Neighbour {
            address,
            dial: true,
        })
        .collect()
}

impl Host for TokioHost {
    type Address = SocketAddr;
    type Stream = Compat<TcpStream>;
    type Rng = ChaCha8Rng;
    type Disk = LogFile;

    fn address(&self) -> SocketAddr {
        self.shared.address
    }

    fn connect(&self, to: &SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + 'static {
        let dial = timeout(DIAL_TIMEOUT, TcpStream::connect(*to));
        async move { stream(dial.await??) }
    }

    fn accept(&self) -> impl Future<Output = io::Result<(SocketAddr, Self::Stream)>> + 'static {
        let shared = Rc::clone(&self.shared);
        async move {
            let (accepted, from) = shared.listener.accept().await?;
            Ok((from, stream(accepted)?))
        }
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        sleep(duration)
    }

    fn now(&self) -> Duration {
        now() - self.shared.start
    }

    fn rng(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_rng(&mut *self.shared.rng.borrow_mut())
    }

    fn disk(&self) -> LogFile {
        self.shared.log.take()
    }

    fn scratch(&self) -> Rc<Scratch> {
        Rc::clone(&self.shared.scratch)
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }
}

/// So many may dial a node with this [`config`] at a time; who is too many is hung up on, and may dial again. Each costs
/// memory: what a peer may cost is bounded for each, so their number has to be.
pub const STRANGERS: usize = 256;

/// What one connection accepts: less than is accepted by default, and more than [`Limits::STRANGERS`], so that npm's package may ask at
/// once for all of a large directory, and be asked for it.
const LIMITS: Limits = Limits {
    requested: 1 << 14,
    served: 1 << 14,
    channels: 1 << 16,
    early_channels: 1 << 12,
    early_bytes: 8 << 20,
    ..Limits::STRANGERS
};

/// A dial that takes longer has failed: the system would try for minutes, while the neighbour may long be back.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that has been silent for so long is probed, and probed again as often. One whose machine has vanished has its
/// connection ended by the system after some probes, nine on Linux, and so leaves its room to others; an idle connection
/// would else never know.
const KEEPALIVE: Duration = Duration::from_secs(15);

fn stream(socket: TcpStream) -> io::Result<Compat<TcpStream>> {
    // Messages are small and are waited for: none is held back to be sent with the next.
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    Ok(socket.compat())
}

#[expect(
    clippy::disallowed_methods,
    reason = "here the clock is read for all nodes of a process"
)]
fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "here entropy is drawn for all nodes of a process"
)]
fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn both_ends_of_a_connection_look_after_it() {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let host = TokioHost::listen(any).await.unwrap();
            let dialled = host.connect(&host.address()).await.unwrap();
            let (_, accepted) = host.accept().await.unwrap();
            for stream in [dialled, accepted] {
                let socket = SockRef::from(stream.get_ref());
                assert!(socket.tcp_nodelay().unwrap());
                assert!(socket.keepalive().unwrap());
            }
        });
    }
}
