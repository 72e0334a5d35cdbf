use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::bandwidth::Lines;
use crate::core::Polled;
use crate::draw::{Purpose, bounded, draw};
use crate::end::{End, Trouble, Unread};
use crate::event::Header;
use crate::executor::TaskSlot;
use crate::life::Life;
use crate::timers::Timers;
use crate::{NodeId, Time};

/// What the world keeps of one node: its tasks, timers and stream ends, and what it has carried. What few nodes need lies behind a pointer.
///
/// What every event touches comes first and fills whole cache lines: in a large network each visit to a node finds it out of the cache.
#[repr(C, align(64))]
pub(crate) struct Node {
    pub(crate) tasks: Vec<TaskSlot>,
    /// Slots of tasks to poll, in the order in which they were woken.
    ready: Vec<u32>,
    pub(crate) ends: Vec<End>,
    pub(crate) digest: u64,
    /// The earliest `Wake` event that is underway to this node.
    pub(crate) wake_at: Option<Time>,
    /// Numbers what this node causes: events and timers.
    pub(crate) order: u32,
    task_draws: u32,
    pub(crate) timers: Timers,
    pub(crate) carried: Carried,
    pub(crate) listeners: Vec<Listening>,
    pub(crate) rare: Option<Box<Rare>>,
    /// The last slot that became free; each free one names the one before it.
    free_task: u32,
    /// The same for the ends of streams.
    pub(crate) free_end: u32,
    pub(crate) rngs: u32,
    pub(crate) life: Life,
}

/// What a node has once combinators wait for its streams, or once streams of it are gone.
#[derive(Default)]
pub(crate) struct Rare {
    /// Wakers of combinators, by (slot of the end, direction).
    pub(crate) wakers: BTreeMap<(u32, Side), Waker>,
    /// Bytes that streams now gone have accepted, by the node at their other end.
    pub(crate) past: BTreeMap<NodeId, u64>,
    pub(crate) aside: Aside,
    /// Who waits for the end of a task, by its slot.
    pub(crate) joining: BTreeMap<u32, Waiting>,
    pub(crate) lines: Option<Box<Lines>>,
}

/// What is kept for ends of streams, by their slots, if anything.
#[derive(Default)]
pub(crate) struct Aside {
    /// What has arrived and was not read at once.
    pub(crate) unread: BTreeMap<u32, Unread>,
    pub(crate) trouble: BTreeMap<u32, Trouble>,
}

/// The end of a list of free slots.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// Bytes of streams, by where they went, and the segments that carried them.
///
/// At every cut `accepted = delivered + discarded + in flight`, summed over all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes that writers handed over.
    pub accepted: u64,
    /// Bytes that arrived in order at a stream's end.
    pub delivered: u64,
    /// Bytes that a reset, a cut or a vanished receiver left behind.
    pub discarded: u64,
    /// Bytes sent again after a loss.
    pub retransmitted: u64,
    /// Transmissions with data, repeated ones included.
    pub segments: u64,
    /// Transmissions that were lost, those without data included.
    pub lost: u64,
}

impl std::ops::AddAssign for Carried {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.discarded += other.discarded;
        self.retransmitted += other.retransmitted;
        self.segments += other.segments;
        self.lost += other.lost;
    }
}

/// What a peer is told that has sent something to where nobody is.
#[derive(Clone, Copy)]
pub(crate) struct StaleAnswer {
    pub(crate) peer: NodeId,
    pub(crate) header: Header,
    /// When the peer's segment came.
    pub(crate) since: Time,
    /// How long to wait for the next one, should the answer be lost.
    pub(crate) wait: Duration,
}

/// One direction of a stream's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Read,
    Write,
}

/// A port that takes connections.
pub(crate) struct Listening {
    pub(crate) port: u16,
    /// Ends that are established and not yet accepted.
    pub(crate) backlog: VecDeque<u32>,
    pub(crate) waiting: Option<Waiting>,
}

/// Who waits for something.
pub(crate) enum Waiting {
    Task(u32),
    Waker(Waker),
}

impl Waiting {
    /// Who polls: the task of ours that does, if it is its own waker that it polls with.
    pub(crate) fn of(polled: Option<Polled>, cx: &Context<'_>) -> Self {
        match polled {
            Some(polled) if polled.waker == cx.waker().data() => Self::Task(polled.slot),
            _ => Self::Waker(cx.waker().clone()),
        }
    }
}

/// Tasks and ends of a node beyond these are not touched ahead.
const TOUCHED: usize = 16;

const TASK_ORDER: Purpose = Purpose::new("simnet.task_order");

impl Node {
    pub(crate) fn new(life: Life) -> Self {
        Self {
            tasks: Vec::new(),
            free_task: NO_SLOT,
            ready: Vec::new(),
            ends: Vec::new(),
            free_end: NO_SLOT,
            listeners: Vec::new(),
            timers: Timers::default(),
            wake_at: None,
            rare: None,
            order: 0,
            rngs: 0,
            life,
            task_draws: 0,
            digest: 0,
            carried: Carried::default(),
        }
    }

    /// Reads something of every cache line that the node's events may need; see [`Core::touch`](crate::core::Core::touch).
    pub(crate) fn touch(&self) -> u64 {
        let tasks = self.tasks.iter().take(TOUCHED).step_by(2);
        let ends = self.ends.iter().take(TOUCHED);
        let tasks = tasks.fold(0, |read, task| read ^ u64::from(task.next_free));
        let ends = ends.fold(0, |read, end| read ^ u64::from(end.generation) ^ end.owner);
        tasks ^ ends ^ self.carried.accepted ^ self.digest
    }

    pub(crate) fn next_order(&mut self) -> u32 {
        self.order = self.order.wrapping_add(1);
        self.order
    }

    /// A free task slot.
    pub(crate) fn task_slot(&mut self) -> u32 {
        if let Some(task) = self.tasks.get(self.free_task as usize) {
            return std::mem::replace(&mut self.free_task, task.next_free);
        }
        let slot = u32::try_from(self.tasks.len()).expect("a node runs less than 2^32 tasks");
        grow_gently(&mut self.tasks);
        self.tasks.push(TaskSlot::default());
        slot
    }

    pub(crate) fn free_task(&mut self, slot: u32) {
        self.tasks[slot as usize].next_free = std::mem::replace(&mut self.free_task, slot);
    }

    fn aside(&mut self, slot: u32) -> Option<&mut Aside> {
        let rare = self.rare.as_mut()?;
        let has_aside = self.ends[slot as usize].has_aside;
        has_aside.then_some(&mut rare.aside)
    }

    fn make_aside(&mut self, slot: u32) -> &mut Aside {
        self.ends[slot as usize].has_aside = true;
        &mut self.rare().aside
    }

    /// What has arrived for an end and was not read at once.
    pub(crate) fn unread(&mut self, slot: u32) -> Option<&mut Unread> {
        self.aside(slot)?.unread.get_mut(&slot)
    }

    pub(crate) fn make_unread(&mut self, slot: u32) -> &mut Unread {
        self.make_aside(slot).unread.entry(slot).or_default()
    }

    pub(crate) fn forget_unread(&mut self, slot: u32) {
        self.aside(slot)
            .and_then(|aside| aside.unread.remove(&slot));
    }

    pub(crate) fn trouble(&mut self, slot: u32) -> Option<&mut Trouble> {
        self.aside(slot)?.trouble.get_mut(&slot)
    }

    pub(crate) fn make_trouble(&mut self, slot: u32) -> &mut Trouble {
        self.make_aside(slot).trouble.entry(slot).or_default()
    }

    /// Gives the memory for an end's trouble back if that is over.
    pub(crate) fn forget_trouble_that_is_over(&mut self, slot: u32) {
        if self.trouble(slot).is_some_and(|trouble| trouble.is_over()) {
            self.end_trouble(slot);
        }
    }

    /// Drops what an end keeps for another transmission or for an earlier segment.
    pub(crate) fn discard_trouble(&mut self, slot: u32) {
        let trouble = self.end_trouble(slot);
        self.carried.discarded += trouble.map_or(0, |trouble| trouble.kept_bytes());
    }

    fn end_trouble(&mut self, slot: u32) -> Option<Trouble> {
        self.aside(slot)?.trouble.remove(&slot)
    }

    /// Whether everything that an end sent has got through.
    pub(crate) fn is_settled(&mut self, slot: u32) -> bool {
        let trouble = self.trouble(slot);
        trouble.is_none_or(|trouble| trouble.lost.is_empty())
    }

    pub(crate) fn lines(&mut self) -> &mut Lines {
        self.rare().lines.get_or_insert_default()
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes all tasks out.
    pub(crate) fn take_tasks(&mut self) -> Vec<TaskSlot> {
        self.ready = Vec::new();
        self.free_task = NO_SLOT;
        std::mem::take(&mut self.tasks)
    }

    /// Puts a task on the list of those to poll, once. A waker may outlive its task, and what it wakes then, if anything, is polled in vain.
    pub(crate) fn wake(&mut self, slot: u32) {
        let Some(task) = self.tasks.get_mut(slot as usize) else {
            return;
        };
        if !task.queued {
            task.queued = true;
            self.ready.push(slot);
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes a task to poll: which of several ready ones is drawn, for real schedulers promise no order either.
    pub(crate) fn next_ready(&mut self, seed: u64, id: NodeId) -> Option<u32> {
        let chosen = match self.ready.len() {
            0 => return None,
            1 => 0,
            several => {
                self.task_draws += 1;
                let raw = draw(seed, TASK_ORDER, u64::from(id), u64::from(self.task_draws));
                bounded(raw, several as u64) as usize
            }
        };
        let slot = self.ready.swap_remove(chosen);
        if self.ready.is_empty() && self.ready.capacity() > 4 {
            // Many are ready at the start, and hardly ever again.
            self.ready = Vec::new();
        }
        self.tasks[slot as usize].queued = false;
        Some(slot)
    }
}

/// Makes room for one more without doubling: a million nodes have a million tables, and their slack would be most of the memory.
pub(crate) fn grow_gently<T>(table: &mut Vec<T>) {
    if table.len() == table.capacity() {
        table.reserve_exact((table.len() / 4).max(2));
    }
}
