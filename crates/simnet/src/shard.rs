use std::cell::{RefCell, RefMut};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use futures_task::waker_ref;

use crate::core::{Core, Polled};
use crate::draw::{fold, fold_bytes, mix};
use crate::event::{Event, FAULT, Header, Kind, Window};
use crate::executor::WakeInbox;
use crate::network::Plan;
use crate::{Host, NodeId, Time};

/// Some of the nodes, with all that is underway to them. A world is one shard or many; each runs a window alone, then they trade
/// what was sent. The same object can stand on a thread or a machine of its own.
pub(crate) struct Shard<T> {
    core: Rc<RefCell<Core>>,
    plan: Rc<Plan>,
    range: Range<NodeId>,
    reverse: bool,
    /// The order of a window's events; the buffer serves every window.
    places: Vec<Place>,
    /// What the application keeps of each node.
    pub(crate) nodes: Vec<T>,
}

impl<T> Shard<T> {
    pub(crate) fn new(
        plan: Rc<Plan>,
        shard: u32,
        window_ns: u64,
        reverse: bool,
        inbox: &Arc<WakeInbox>,
        start: &mut impl FnMut(Host) -> T,
    ) -> Self {
        let core = Rc::new(RefCell::new(Core::new(
            plan.clone(),
            shard,
            window_ns,
            inbox.clone(),
        )));
        let range = plan.range(shard);
        let nodes = range.clone().map(|id| {
            let core = core.clone();
            start(Host { core, id })
        });
        let nodes = nodes.collect();
        Self {
            core,
            plan,
            range,
            reverse,
            places: Vec::new(),
            nodes,
        }
    }

    /// Puts a cut into the calendar of a node, if it is one of this shard's.
    pub(crate) fn schedule_cut(&self, number: u32, at: Time, id: NodeId, other: NodeId) {
        if self.range.contains(&id) {
            let header = Header {
                word: other,
                ..Header::default()
            };
            let mut core = self.core.borrow_mut();
            let window = core.calendar.window(at);
            window.push(at, id, FAULT, number, Kind::Cut, header, &[]);
        }
    }

    /// Reads the shard's state; no code of a node runs meanwhile.
    pub(crate) fn core(&self) -> std::cell::Ref<'_, Core> {
        self.core.borrow()
    }

    pub(crate) fn core_mut(&self) -> std::cell::RefMut<'_, Core> {
        self.core.borrow_mut()
    }

    /// Runs every node over the part of the window that lies before `end`.
    pub(crate) fn run_window(&mut self, index: u64, end: Time) {
        let mut core = self.core.borrow_mut();
        let mut window = core.calendar.take(index);
        let (start, edge) = core.calendar.span(index);
        let handled = match edge <= end {
            true => window.events.len(),
            false => window.move_later_to_the_end(end),
        };
        let events = std::mem::take(&mut window.events);
        core.window = window;
        drop(core);
        let mut places = std::mem::take(&mut self.places);
        put_in_order(self.plan.seed, start, &events[..handled], &mut places);
        let groups = places.chunk_by(|a, b| a.dest() == b.dest());
        if self.reverse {
            groups
                .rev()
                .for_each(|group| self.run_node(&events, group, end));
        } else {
            groups.for_each(|group| self.run_node(&events, group, end));
        }
        self.places = places;
        let mut core = self.core.borrow_mut();
        let mut window = std::mem::take(&mut core.window);
        window.events = events;
        core.calendar.put_back(index, window, handled);
    }

    /// Runs one node: its events of the window and its timers, in the one order that is the same for every layout.
    fn run_node(&self, events: &[Event], group: &[Place], end: Time) {
        let Some(first) = group.first() else { return };
        let id = first.dest();
        let mut core = self.core.borrow_mut();
        core.running = Some(id);
        let node = core.node(id);
        node.wake_at = node.wake_at.filter(|at| *at >= end);
        let mut events = group.iter().map(|place| &events[place.index()]).peekable();
        loop {
            let timer = core.next_timer(id).filter(|(at, _)| *at < end);
            match next_is_event(self.plan.seed, events.peek().copied(), timer) {
                None => break,
                Some(true) => {
                    let Some(event) = events.next() else { break };
                    core.now = event.time;
                    if event.kind != Kind::Wake {
                        handle(&mut core, event);
                    }
                }
                Some(false) => {
                    let Some((at, number)) = timer else { break };
                    core.now = at;
                    let node = core.node(id);
                    node.events += 1;
                    node.digest = fold(node.digest, mix(at.as_nanos()));
                    let (digest, due) = (node.digest, node.take_timer((at, number)));
                    core.trace_timer(id, digest);
                    if let Some(due) = due {
                        core.fire(id, due);
                    }
                }
            }
            core = self.poll_ready(id, core);
        }
        core.running = None;
        if let Some((at, _)) = core.next_timer(id) {
            core.wake_node_at(id, at);
        }
    }

    /// Polls the node's tasks until none is ready, and keeps what they did not read.
    fn poll_ready<'a>(&'a self, id: NodeId, mut core: RefMut<'a, Core>) -> RefMut<'a, Core> {
        let seed = self.plan.seed;
        loop {
            if !core.wakers.is_empty() || !core.retired.is_empty() {
                let wakers = std::mem::take(&mut core.wakers);
                let retired = std::mem::take(&mut core.retired);
                drop(core);
                drop(retired);
                wakers.into_iter().for_each(std::task::Waker::wake);
                core = self.core.borrow_mut();
            }
            core.collect_woken();
            let node = core.node(id);
            let Some(slot) = node.next_ready(seed, id) else {
                core.spill_arrival(id);
                return core;
            };
            let task = &mut node.tasks[slot as usize];
            // A task that has ended may still be woken by whoever kept its waker.
            let Some(mut running) = task.running.take() else {
                continue;
            };
            let waker = waker_ref(&running.waker);
            core.polled = Some(Polled {
                slot,
                waker: waker.data(),
            });
            drop(core);
            let mut cx = Context::from_waker(&waker);
            let poll = running.future.as_mut().poll(&mut cx);
            if poll.is_ready() {
                // Its streams are let go of here, while the shard is not borrowed.
                drop(running);
                core = self.core.borrow_mut();
                core.node(id).free_task(slot);
            } else {
                core = self.core.borrow_mut();
                core.node(id).tasks[slot as usize].running = Some(running);
            }
            core.polled = None;
        }
    }

    pub(crate) fn take_outbox(&mut self, shard: u32) -> Window {
        std::mem::take(&mut self.core.borrow_mut().outboxes[shard as usize])
    }
}

impl<T> Drop for Shard<T> {
    fn drop(&mut self) {
        // Tasks hold the core and the core holds the tasks: this breaks the ring. They are dropped while nothing is borrowed.
        let mut tasks = Vec::new();
        if let Ok(mut core) = self.core.try_borrow_mut() {
            for node in core.nodes_mut() {
                tasks.extend(node.tasks.iter_mut().map(|task| task.running.take()));
                node.timers.clear();
                node.rare = None;
            }
        }
        drop(tasks);
        self.nodes.clear();
    }
}

/// Applies an event to its node and folds it into the node's digest.
fn handle(core: &mut Core, event: &Event) {
    let header = core.window.header(event);
    let what = (event.kind as u64) << 32 | u64::from(header.slot);
    let place = u64::from(header.sequence) << 32 | u64::from(header.word);
    let from = u64::from(event.source) << 32 | u64::from(event.length);
    let digest = core.node(event.dest).digest;
    let digest = fold(fold(digest, event.time.as_nanos()), from);
    let digest = fold_bytes(fold(fold(digest, what), place), core.window.payload(event));
    let node = core.node(event.dest);
    node.digest = digest;
    node.events += 1;
    if core.trace.is_some() {
        core.trace_event(event, header, digest);
    }
    core.receive(event, header);
}

/// Where an event stands in the order of its window: 32 bits of node, 64 of time since the window's start, 32 of index. One integer, for most
/// of the sorting is comparing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u128);

impl Place {
    const fn new(event: &Event, start: Time, index: usize) -> Self {
        let after = event.time.as_nanos() - start.as_nanos();
        Self((event.dest as u128) << 96 | (after as u128) << 32 | index as u128)
    }

    const fn dest(self) -> NodeId {
        (self.0 >> 96) as NodeId
    }

    const fn index(self) -> usize {
        self.0 as u32 as usize
    }

    /// Node and time.
    const fn instant(self) -> u128 {
        self.0 >> 32
    }
}

/// Lists the events node by node, each node's in the order in which it handles them.
fn put_in_order(seed: u64, start: Time, events: &[Event], places: &mut Vec<Place>) {
    assert!(
        u32::try_from(events.len()).is_ok(),
        "a window holds less than 2^32 events"
    );
    places.clear();
    let all = events.iter().enumerate();
    places.extend(all.map(|(index, event)| Place::new(event, start, index)));
    places.sort_unstable();
    for tied in places.chunk_by_mut(|a, b| a.instant() == b.instant()) {
        if tied.len() > 1 {
            tied.sort_unstable_by_key(|place| order(seed, &events[place.index()]));
        }
    }
}

/// Whether the node's next event comes before its next timer; `None` if there is neither.
fn next_is_event(seed: u64, event: Option<&Event>, timer: Option<(Time, u32)>) -> Option<bool> {
    match (event, timer) {
        (None, None) => None,
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        (Some(event), Some((at, number))) => {
            let timer = (at, order_of(seed, event.dest, event.dest, number));
            Some((event.time, order(seed, event)) <= timer)
        }
    }
}

/// The place of an event among those of its node at one instant: faults first, then without a bias toward low numbers.
fn order(seed: u64, event: &Event) -> (bool, u64, NodeId, u32) {
    match event.source {
        FAULT => (false, 0, FAULT, event.order),
        source => order_of(seed, event.dest, source, event.order),
    }
}

const fn order_of(
    seed: u64,
    dest: NodeId,
    source: NodeId,
    number: u32,
) -> (bool, u64, NodeId, u32) {
    let link = ((dest as u64) << 32) | source as u64;
    (true, mix(seed ^ mix(link)), source, number)
}
