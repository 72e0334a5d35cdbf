//! Runs [`hash_gossip`] nodes on real sockets, with tokio.
//!
//! ```no_run
//! use hash_gossip::Node;
//! use hash_gossip_tokio::{TokioHost, config, dialled};
//!
//! # async fn run() -> std::io::Result<()> {
//! let tasks = tokio::task::LocalSet::new();
//! tasks.run_until(async {
//!     let host = TokioHost::listen("127.0.0.1:0".parse().expect("it is an address")).await?;
//!     let peers = ["127.0.0.1:4000".parse().expect("it is an address")];
//!     let node = Node::start(host, config(), dialled(peers));
//!     node.publish(*b"hey yo");
//!     // For as long as this goes on, so does the node.
//!     std::future::pending().await
//! }).await
//! # }
//! ```
//!
//! # Who is who
//!
//! A peer's address is that on which it listens. The wire, which is that of the npm package, has no place where one who
//! dials could say it, so whoever dials us is a stranger with the address of its socket: [`config`] makes room for
//! strangers, and [`dialled`] names neighbours as those whom we dial. Two nodes that dial each other have two connections,
//! a neighbour's and a stranger's. Each body still comes once, as it is asked for once; what costs twice is its name.
//!
//! # An edge of the house
//!
//! As in a `main.rs`, here the clock is read and entropy is drawn: the one as times since the host began, the other once,
//! as a seed. Nodes get both from their host alone.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hash_gossip::{Config, Host, Neighbour, NoDisk, Scratch};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

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
            scratch: Rc::default(),
        };
        Ok(Self {
            shared: Rc::new(shared),
        })
    }
}

/// How a node on sockets behaves: as any other, with room for [`STRANGERS`].
pub fn config() -> Config {
    Config {
        max_strangers: STRANGERS,
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
    type Disk = NoDisk;

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

    fn disk(&self) -> NoDisk {
        NoDisk
    }

    fn scratch(&self) -> Rc<Scratch> {
        Rc::clone(&self.shared.scratch)
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(task);
    }
}

/// So many may dial a node with this [`config`] at a time. Each costs memory: what a peer may cost is bounded for each, so
/// their number has to be.
pub const STRANGERS: usize = 256;

/// A dial that takes longer has failed: the system would try for minutes, while the neighbour may long be back.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages are small and are waited for: none is held back to be sent with the next.
fn stream(socket: TcpStream) -> io::Result<Compat<TcpStream>> {
    socket.set_nodelay(true)?;
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
