//! Tasks as applications see them: what becomes of one that was spawned, what each waits for, and what is wrong with one that never stops.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::executor::TaskWaker;
use crate::node::Waiting;
use crate::{Host, NodeId, Time};

/// A task that was spawned: a future that is ready once the task is over, because it has ended, was aborted, or its node has stopped.
///
/// Dropping it leaves the task alone.
pub struct Task {
    host: Host,
    /// The task in the slot is this one as long as it has this waker.
    waker: Arc<TaskWaker>,
}

impl Task {
    pub(crate) const fn new(host: Host, waker: Arc<TaskWaker>) -> Self {
        Self { host, waker }
    }

    /// The task of a life that is over.
    pub(crate) fn over(host: &Host) -> Self {
        let waker = TaskWaker {
            node: host.id,
            slot: 0,
            inbox: Arc::default(),
        };
        Self::new(host.clone(), Arc::new(waker))
    }

    /// Whether the task is over.
    pub fn is_finished(&self) -> bool {
        let Some(mut core) = self.host.living_core() else {
            return true;
        };
        let polled = core
            .polled
            .is_some_and(|it| it.waker == Arc::as_ptr(&self.waker).cast());
        let task = &core.node(self.host.id).tasks[self.waker.slot as usize];
        let runs = task.running.as_ref();
        !polled && !runs.is_some_and(|it| Arc::ptr_eq(&it.waker, &self.waker))
    }

    /// Ends the task: its future is dropped, now, or as soon as it returns if it is the one that asks. Nothing happens if the task is over.
    pub fn abort(&self) {
        let Some(mut core) = self.host.living_core() else {
            return;
        };
        if let Some(polled) = &mut core.polled
            && polled.waker == Arc::as_ptr(&self.waker).cast()
        {
            polled.aborted = true;
            return;
        }
        let (id, slot) = (self.host.id, self.waker.slot);
        let task = &mut core.node(id).tasks[slot as usize];
        let aborted = task
            .running
            .take_if(|it| Arc::ptr_eq(&it.waker, &self.waker));
        if aborted.is_some() {
            core.end_task(id, slot);
        }
        drop(core);
        // Its streams are let go of here, while nothing is borrowed.
        drop(aborted);
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_finished() {
            return Poll::Ready(());
        }
        let Some(mut core) = self.host.living_core() else {
            return Poll::Ready(());
        };
        let waiting = Waiting::of(core.polled, cx);
        let joining = &mut core.node(self.host.id).rare().joining;
        let replaced = joining.insert(self.waker.slot, waiting);
        drop(core);
        // A replaced waker may run foreign code when it is dropped.
        drop(replaced);
        Poll::Pending
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut task = f.debug_struct("Task");
        task.field("node", &self.host.id)
            .field("slot", &self.waker.slot);
        task.finish()
    }
}

/// A task that has something to say in the end: a future of that, or of `None` if the task was aborted or its node has stopped.
///
/// Dropping it leaves the task alone.
pub struct JoinHandle<T> {
    task: Task,
    output: Rc<Cell<Option<T>>>,
}

impl<T> JoinHandle<T> {
    /// The task itself, to abort it or to wait for it.
    pub const fn task(&self) -> &Task {
        &self.task
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let over = Pin::new(&mut self.task).poll(cx);
        over.map(|()| self.output.take())
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task).finish()
    }
}

impl Host {
    /// Runs a task on this node, as [`Host::spawn`] does, whose output is wanted.
    ///
    /// ```
    /// # use simnet::{Host, Layout, Link, Network, World};
    /// # use std::time::Duration;
    /// # let network = Network::new(1, 1, Link::constant(Duration::from_millis(1)));
    /// # let world = World::new(&network, Layout::default(), |host: Host, _| {
    /// # host.clone().spawn(async move {
    /// let seven = host.spawn_for(async { 3 + 4 });
    /// let never = host.spawn_for(std::future::pending::<u32>());
    /// never.task().abort();
    /// assert_eq!((seven.await, never.await), (Some(7), None));
    /// # });
    /// # });
    /// # world?.run_until(simnet::Time::from_secs(1))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_for<T: 'static>(&self, task: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        let output = Rc::new(Cell::new(None));
        let said = output.clone();
        let task = self.spawn(async move { said.set(Some(task.await)) });
        JoinHandle { task, output }
    }
}

/// A task that has not ended, and what would wake it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingTask {
    /// Its node.
    pub node: NodeId,
    /// The name of its type: where in the code it was made.
    pub name: &'static str,
    /// All that it is known to wait for. If that is nothing it waits for code of its own node: for a channel, or for another task.
    pub waits_for: Vec<WaitsFor>,
}

/// What wakes a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// A time to come.
    Time(Time),
    /// A connection to this port.
    Accept(u16),
    /// The answer of a peer that it dials.
    Connect(NodeId),
    /// Something to read from this peer.
    Read(NodeId),
    /// Room to write to this peer.
    Write(NodeId),
    /// A datagram to this port.
    Datagram(u16),
    /// The end of another task, which has this name.
    Task(&'static str),
}

impl fmt::Display for WaitingTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            name,
            waits_for,
        } = self;
        write!(f, "node {node}: {name} waits for ")?;
        for (number, it) in waits_for.iter().enumerate() {
            let joined = if number == 0 { "" } else { ", for " };
            write!(f, "{joined}{it}")?;
        }
        match waits_for[..] {
            [] => f.write_str("code of its own node"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{time}"),
            Self::Accept(port) => write!(f, "a connection to port {port}"),
            Self::Connect(peer) => write!(f, "an answer of node {peer}, which it dials"),
            Self::Read(peer) => write!(f, "something to read from node {peer}"),
            Self::Write(peer) => write!(f, "room to write to node {peer}"),
            Self::Datagram(port) => write!(f, "a datagram to port {port}"),
            Self::Task(name) => write!(f, "the end of {name}"),
        }
    }
}

/// A node's tasks were polled more often at one instant than [`Network::most_polls`](crate::Network::most_polls) allows: they wake each other, or one wakes itself, and time
/// cannot go on. Its history ends here, and with it that of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Livelock {
    /// The node.
    pub node: NodeId,
    /// When.
    pub time: Time,
    /// The task that was polled last, by the name of its type.
    pub task: &'static str,
    /// How often tasks were polled.
    pub polls: u32,
}

impl fmt::Display for Livelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            time,
            task,
            polls,
        } = self;
        write!(
            f,
            "node {node} does not get beyond {time}: its tasks were polled {polls} times then, the last time {task}"
        )
    }
}

impl std::error::Error for Livelock {}
