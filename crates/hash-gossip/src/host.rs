use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use crate::scratch::Scratch;

/// All that a node needs of the world: connections, time, randomness, a disk and a place to run.
///
/// A node takes nothing from elsewhere, so what it does is a function of what its host does. A host may be a
/// simulator, in which a run can be repeated bit for bit, or sockets and a single-threaded runtime.
///
/// Streams, wakers, [`spawn`](Self::spawn) and [`now`](Self::now) must not call into the node before they return:
/// a waker only notes that its task is to be polled, and `spawn` that a task is there.
pub trait Host: Clone + 'static {
    /// What tells neighbours apart. The order decides which of two simultaneous dials survives.
    type Address: Clone + Ord + Debug + 'static;
    /// A connection: bytes in order, both ways.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// The generator for the jitter of redials.
    type Rng: rand::Rng;
    /// Where durable state is kept.
    type Disk: Disk;

    /// The address under which neighbours know this node.
    fn address(&self) -> Self::Address;

    /// Opens a connection. It must fail, not wait for ever, when the other side cannot be reached: until it is done
    /// the node neither dials this neighbour again nor, if its own address is the lower one, accepts it.
    fn connect(
        &self,
        to: &Self::Address,
    ) -> impl Future<Output = io::Result<Self::Stream>> + 'static;

    /// The next incoming connection, and the address of the one who dialled.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Address, Self::Stream)>> + 'static;

    /// Is done once this much time has passed.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static;

    /// The time since some fixed moment, such as the start of the host. It never goes back.
    fn now(&self) -> Duration;

    /// A generator that shares no state with those given before.
    fn rng(&self) -> Self::Rng;

    /// The disk of this host.
    fn disk(&self) -> Self::Disk;

    /// Where its nodes work. A host of its own for each node, all on one thread, does well to give each the same.
    fn scratch(&self) -> Rc<Scratch> {
        Rc::default()
    }

    /// Runs a task. It must not be polled from within this call.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
}

/// A log of bytes that outlives the process: what was synced is there after a crash, of the rest any beginning.
///
/// A node with [`Config::durable`](crate::Config::durable) keeps there what it holds, beside its memory, and reads it when it starts.
pub trait Disk: 'static {
    /// Adds bytes at the end of the log. If that fails, a beginning of them may be there.
    fn append(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>>;

    /// Reads from `offset` on into `buffer`; returns how many bytes there were, 0 at the end of the log.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>>;

    /// Cuts the log off behind so many bytes, which it has at least.
    fn truncate(&mut self, length: u64) -> impl Future<Output = io::Result<()>>;

    /// Is done once all that was appended or cut off is durable. If that fails, nothing is known of what was not durable before.
    fn sync(&mut self) -> impl Future<Output = io::Result<()>>;
}

/// The disk of a host that has none: accepts everything and keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDisk;

impl Disk for NoDisk {
    async fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    async fn read(&mut self, _offset: u64, _buffer: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    async fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
