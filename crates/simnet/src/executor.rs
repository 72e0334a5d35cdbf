use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_task::ArcWake;

use crate::NodeId;

/// A slot of a node's task table; it serves one task after the other.
#[derive(Default)]
pub(crate) struct TaskSlot {
    /// `None` while it is polled, and when the slot is free.
    pub(crate) running: Option<Running>,
    /// It stands in its node's list of ready tasks.
    pub(crate) queued: bool,
    /// The next free slot, if this one is free.
    pub(crate) next_free: u32,
}

/// A task that has not ended.
pub(crate) struct Running {
    pub(crate) future: Pin<Box<dyn NamedFuture>>,
    /// Made once, not at each poll.
    pub(crate) waker: Arc<TaskWaker>,
}

/// A future that knows the name of its type, which costs no memory.
pub(crate) trait NamedFuture: Future<Output = ()> {
    fn name(&self) -> &'static str;
}

impl<F: Future<Output = ()>> NamedFuture for F {
    fn name(&self) -> &'static str {
        std::any::type_name::<F>()
    }
}

/// What a [`std::task::Waker`] of a simulated task points to. Simnet's own resources hold the task's slot instead, which costs nothing.
pub(crate) struct TaskWaker {
    pub(crate) node: NodeId,
    pub(crate) slot: u32,
    pub(crate) inbox: Arc<WakeInbox>,
}

impl ArcWake for TaskWaker {
    fn wake_by_ref(waker: &Arc<Self>) {
        waker.inbox.push(waker.node, waker.slot);
    }
}

/// Tasks woken through a real `Waker`: by a channel, a combinator, or from outside the world.
#[derive(Default)]
pub(crate) struct WakeInbox {
    any: AtomicBool,
    woken: Mutex<Vec<(NodeId, u32)>>,
}

impl WakeInbox {
    fn push(&self, node: NodeId, slot: u32) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push((node, slot));
        self.any.store(true, Ordering::Release);
    }

    /// Takes what was woken, in the order of the wakes.
    pub(crate) fn drain(&self) -> Vec<(NodeId, u32)> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
