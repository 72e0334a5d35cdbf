use std::cell::{RefCell, RefMut};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::core::Core;
use crate::draw::{Purpose, draw};
use crate::executor::{Running, TaskWaker};
use crate::life::Life;
use crate::node::{Listening, Waiting};
use crate::stream::Stream;
use crate::task::Task;
use crate::{NodeId, Time};

/// What a node's code has of the world: its clock, its entropy, its tasks and its network. Clones are the same host.
///
/// A host is that of one life of its node. Once that is over, what is left of it can do nothing: tasks are not run, sleeps do not end, and
/// there is no network and no disk.
#[derive(Clone)]
pub struct Host {
    pub(crate) core: Rc<RefCell<Core>>,
    pub(crate) id: NodeId,
    pub(crate) life: Life,
}

const RNG: Purpose = Purpose::new("simnet.rng");

impl Host {
    /// The node's number.
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// The shard's state, for code of this node.
    fn core_mut(&self) -> RefMut<'_, Core> {
        let core = self.core.borrow_mut();
        core.assert_at_home(self.id);
        core
    }

    /// How often the node has started before: 0 until it restarts.
    pub const fn incarnation(&self) -> u32 {
        self.life.incarnation()
    }

    /// The same as [`Host::core_mut`]; `None` if the node has stopped since.
    pub(crate) fn living_core(&self) -> Option<RefMut<'_, Core>> {
        let mut core = self.core_mut();
        (core.node(self.id).life == self.life).then_some(core)
    }

    /// How many nodes the network has.
    pub fn nodes(&self) -> u32 {
        self.core.borrow().plan.nodes
    }

    /// Runs a task on this node. It is first polled at the current instant, after the task that spawns it. What comes back can be used to wait for its end, to
    /// abort it, or not at all. On a node that has stopped nothing is run.
    ///
    /// A panic of a task is that of the world: it comes out of [`World::run_until`](crate::World::run_until), and the world cannot be used any more.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Task {
        let Some(mut core) = self.living_core() else {
            return Task::over(self);
        };
        let (id, inbox) = (self.id, core.inbox.clone());
        let node = core.node(id);
        let slot = node.task_slot();
        let waker = Arc::new(TaskWaker {
            node: id,
            slot,
            inbox,
        });
        let future = Box::pin(task);
        let spawned = Task::new(self.clone(), waker.clone());
        node.tasks[slot as usize].running = Some(Running { future, waker });
        node.wake(slot);
        if core.running != Some(id) {
            let now = core.now;
            core.wake_node_at(id, now);
        }
        spawned
    }

    /// Ready once `duration` has passed, by the node's own clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Ready at `deadline`, or at once if that is over.
    pub fn sleep_until(&self, deadline: Time) -> Sleep {
        Sleep {
            host: self.clone(),
            due: self.true_time(deadline),
            order: None,
        }
    }

    /// The future's output, unless `duration` passes first. At the very end of the duration the future wins.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] when the duration has passed; the future is dropped.
    pub async fn timeout<T>(
        &self,
        duration: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let mut sleep = self.sleep(duration);
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// A fresh generator. The first call on a node gives the same one in every run of the seed, and so does the second.
    pub fn rng(&self) -> ChaCha8Rng {
        let mut core = self.core_mut();
        let seed = core.plan.seed;
        let node = core.node(self.id);
        let count = node.rngs;
        node.rngs += 1;
        ChaCha8Rng::seed_from_u64(draw(seed, RNG, u64::from(self.id), u64::from(count)))
    }

    /// Takes connections on a port from now on.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the node listens on it already, `NetworkDown` if it has stopped.
    pub fn listen(&self, port: u16) -> io::Result<Listener> {
        let Some(mut core) = self.living_core() else {
            return Err(io::ErrorKind::NetworkDown.into());
        };
        let listeners = &mut core.node(self.id).listeners;
        if listeners.iter().any(|it| it.port == port) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Few nodes have a second one.
        listeners.reserve_exact(1);
        listeners.push(Listening {
            port,
            backlog: Default::default(),
            waiting: None,
        });
        drop(core);
        Ok(Listener {
            host: self.clone(),
            port,
        })
    }

    /// Takes connections on a port, from now on and as long as the node lives, and runs for each a task that is given the stream and the node that
    /// dialled.
    ///
    /// # Errors
    ///
    /// Those of [`Host::listen`].
    pub fn serve<F: Future<Output = ()> + 'static>(
        &self,
        port: u16,
        mut serve: impl FnMut(Stream, NodeId) -> F + 'static,
    ) -> io::Result<()> {
        let listener = self.listen(port)?;
        let host = self.clone();
        self.spawn(async move {
            loop {
                let (stream, peer) = listener.accept().await;
                host.spawn(serve(stream, peer));
            }
        });
        Ok(())
    }

    /// Connects to a port of a node; takes one round trip.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` if nothing listens there, `ConnectionReset` if a fault cuts the attempt, `TimedOut` if there is no answer within
    /// the stream timeout, `AddrNotAvailable` if there is no such node, `NetworkDown` if this one has stopped.
    pub async fn connect(&self, dest: NodeId, port: u16) -> io::Result<Stream> {
        let (stream, timeout) = {
            let Some(mut core) = self.living_core() else {
                return Err(io::ErrorKind::NetworkDown.into());
            };
            if dest >= core.plan.nodes {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            let slot = core.connect(self.id, dest, port);
            (Stream::new(self, slot), core.plan.streams.timeout)
        };
        let connected = poll_fn(|cx| stream.poll_connected(cx));
        match self.timeout(timeout, connected).await {
            Ok(connected) => connected.map(|()| stream),
            Err(Elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("id", &self.id).finish()
    }
}

/// The time of a [`Host::timeout`] has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time has passed")
    }
}

impl std::error::Error for Elapsed {}

/// A future that is ready at a time. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Sleep {
    host: Host,
    /// In true time.
    due: Time,
    /// The number of the timer that is set, if one is.
    order: Option<u32>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(mut core) = this.host.living_core() else {
            return Poll::Pending;
        };
        if core.now >= this.due {
            // A loop of sleeps that are over at once would never let go of its poll, and so never be found out.
            if this.order.is_none() && core.is_too_much() {
                drop(core);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(());
        }
        let due = core.due(cx);
        let replaced = match this.order {
            Some(order) => {
                let timers = &mut core.node(this.host.id).timers;
                timers.insert((this.due, order), due)
            }
            None => {
                let (_, order) = core.set_timer(this.host.id, this.due, due);
                this.order = Some(order);
                None
            }
        };
        drop(core);
        // A replaced waker may run foreign code when it is dropped.
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(order) = self.order else { return };
        if let Ok(mut core) = self.host.core.try_borrow_mut() {
            let removed = core.node(self.host.id).timers.remove((self.due, order));
            drop(core);
            drop(removed);
        }
    }
}

/// Takes the connections to one port. When it is dropped the port refuses further ones.
#[derive(Debug)]
pub struct Listener {
    host: Host,
    port: u16,
}

impl Listener {
    /// The next connection, and the node that dialled.
    pub async fn accept(&self) -> (Stream, NodeId) {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<(Stream, NodeId)> {
        let Some(mut core) = self.host.living_core() else {
            return Poll::Pending;
        };
        let polled = core.polled;
        let node = core.node(self.host.id);
        let listening = node.listeners.iter_mut().find(|it| it.port == self.port);
        let listening =
            listening.expect("a listener's port is open as long as it and its node live");
        if let Some(slot) = listening.backlog.pop_front() {
            if listening.backlog.is_empty() {
                listening.backlog = Default::default();
            }
            let peer = node.ends[slot as usize].peer;
            return Poll::Ready((Stream::new(&self.host, slot), peer));
        }
        let replaced = listening.waiting.replace(Waiting::of(polled, cx));
        drop(core);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Ok(mut core) = self.host.core.try_borrow_mut() else {
            return;
        };
        if core.node(self.host.id).life != self.host.life {
            return;
        }
        let listeners = &mut core.node(self.host.id).listeners;
        let at = listeners.iter().position(|it| it.port == self.port);
        let closed = at.map(|at| listeners.swap_remove(at));
        for slot in closed.iter().flat_map(|it| &it.backlog) {
            core.let_go(self.host.id, *slot);
        }
        drop(core);
        drop(closed);
    }
}
