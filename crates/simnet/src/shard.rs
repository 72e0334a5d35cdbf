use std::cell::{RefCell, RefMut};
use std::cmp::Ordering;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use futures_task::waker_ref;

use crate::calendar::{Place, Span, Window};
use crate::core::{Core, Polled};
use crate::draw::{fold, fold_bytes, mix};
use crate::event::{Event, FAULT, Header, Kind, Record};
use crate::executor::WakeInbox;
use crate::network::Plan;
use crate::timers::TimerKey;
use crate::trace::What;
use crate::{Fault, Host, Livelock, NodeId, Time};

/// Says whose code it is that panics, as no backtrace does.
struct Whose(Rc<RefCell<Core>>, u64);

impl Drop for Whose {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(core) = self.0.try_borrow()
            && let Some(node) = core.running
        {
            eprintln!(
                "that was node {node} at {}, in the world of seed {}",
                core.now, self.1
            );
        }
    }
}

/// Some of the nodes, with all that is underway to them. A world is one shard or many; each runs a window alone, then they trade
/// what was sent. The same object can stand on a thread or a machine of its own.
pub(crate) struct Shard<T> {
    core: Rc<RefCell<Core>>,
    plan: Rc<Plan>,
    range: Range<NodeId>,
    reverse: bool,
    /// The places of a window's events; the buffer serves every window.
    places: Vec<Place>,
    /// Those of them that have not been handled yet.
    left: Range<usize>,
    /// The scheduled faults that concern these nodes and whose window has not come yet, the earliest last.
    scheduled: Vec<Event>,
    /// What the application keeps of each node; `None` if it has never started.
    pub(crate) nodes: Vec<Option<T>>,
}

/// Starts a node; what was kept of its life before, if it had one, goes in, and what to keep of this one comes out.
pub(crate) type Start<'a, T> = dyn FnMut(Host, Option<T>) -> T + 'a;

impl<T> Shard<T> {
    pub(crate) fn new(
        plan: Rc<Plan>,
        shard: u32,
        window_ns: u64,
        reverse: bool,
        inbox: &Arc<WakeInbox>,
        start: &mut Start<'_, T>,
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
            let life = core.borrow_mut().node(id).life;
            life.is_up().then(|| start(Host { core, id, life }, None))
        });
        let nodes = nodes.collect();
        Self {
            core,
            plan,
            range,
            reverse,
            places: Vec::new(),
            left: 0..0,
            scheduled: Vec::new(),
            nodes,
        }
    }

    /// Takes over what the schedule has in store for this shard's nodes.
    pub(crate) fn schedule(&mut self, faults: &[Fault]) {
        for (number, fault) in (0..).zip(faults) {
            let at = fault.at();
            let event = |kind, dest, word| Event {
                time: at,
                dest,
                source: FAULT,
                order: number,
                record: Record {
                    kind,
                    length: 0,
                    header: Header {
                        word,
                        ..Header::default()
                    },
                },
            };
            let events = match *fault {
                // They are looked up by those whom they concern.
                Fault::Partition { .. }
                | Fault::Impair { .. }
                | Fault::FailDisk { .. }
                | Fault::ClockJump { .. }
                | Fault::ClockDrift { .. } => [None; 2],
                Fault::Cut {
                    between: (a, b), ..
                } => [event(Kind::Cut, a, b), event(Kind::Cut, b, a)].map(Some),
                Fault::Join { node, .. } | Fault::Restart { node, .. } => {
                    [Some(event(Kind::Start, node, 0)), None]
                }
                Fault::Leave { node, .. } => [Some(event(Kind::Leave, node, 0)), None],
                Fault::Crash { node, .. } => [Some(event(Kind::Crash, node, 0)), None],
                Fault::LoseDisk { node, .. } => [Some(event(Kind::LoseDisk, node, 0)), None],
            };
            let own = events.into_iter().flatten();
            self.scheduled
                .extend(own.filter(|event| self.range.contains(&event.dest)));
        }
        self.scheduled
            .sort_by_key(|event| std::cmp::Reverse(event.time));
    }

    /// The index of the first window in which something happens.
    pub(crate) fn next_window(&self) -> Option<u64> {
        let core = self.core.borrow();
        let scheduled = self.scheduled.last();
        let scheduled = scheduled.map(|event| core.calendar.index(event.time));
        scheduled.into_iter().chain(core.calendar.next()).min()
    }

    /// Whether nothing will ever happen again unless someone outside causes it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.scheduled.is_empty() && self.left.is_empty() && self.core.borrow().is_quiet()
    }

    /// Events and wakes that wait for their time.
    pub(crate) fn waiting(&self) -> u64 {
        self.core.borrow().calendar.waiting() + self.left.len() as u64
    }

    /// Payload bytes of streams in those events of an open window that have not been handled yet.
    pub(crate) fn left_bytes(&self) -> u64 {
        let core = self.core.borrow();
        let left = self.places[self.left.clone()].iter();
        left.map(|place| core.window.data_bytes_of(*place)).sum()
    }

    /// Datagrams of an open window whose turn has not come.
    pub(crate) fn left_datagrams(&self) -> u64 {
        let core = self.core.borrow();
        let left = self.places[self.left.clone()].iter();
        left.map(|place| core.window.datagrams_of(*place)).sum()
    }

    /// Moves the scheduled faults of a window into the calendar: the far future costs no window.
    fn take_scheduled(&mut self, index: u64) {
        let mut core = self.core.borrow_mut();
        let calendar = &mut core.calendar;
        while let Some(event) = self.scheduled.pop_if(|it| calendar.index(it.time) <= index) {
            calendar.push(&event, &[]);
        }
    }

    /// Reads the shard's state; no code of a node runs meanwhile.
    pub(crate) fn core(&self) -> std::cell::Ref<'_, Core> {
        self.core.borrow()
    }

    pub(crate) fn core_mut(&self) -> std::cell::RefMut<'_, Core> {
        self.core.borrow_mut()
    }

    /// Opens the part of the window that lies before `end`: what happens in it is put in order.
    pub(crate) fn open_window(&mut self, index: u64, end: Time) {
        self.take_scheduled(index);
        self.places.clear();
        let mut core = self.core.borrow_mut();
        core.window = core.calendar.take(index, end, &mut self.places);
        drop(core);
        put_in_order(self.plan.seed, &mut self.places);
        self.left = 0..self.places.len();
    }

    /// Runs one node after the other over the open part, until all have been run or a few thousand events have been handled. Whether all have.
    pub(crate) fn run_nodes(&mut self, end: Time, start: &mut Start<'_, T>) -> bool {
        let _panics = Whose(Rc::clone(&self.core), self.plan.seed);
        // Nodes start and stop meanwhile, which takes all of the shard.
        let places = std::mem::take(&mut self.places);
        let left = self.left.clone();
        let groups = places[left.clone()].chunk_by(|a, b| a.dest == b.dest);
        self.left = if self.reverse {
            left.start..left.end - self.run_groups(groups.rev(), end, start)
        } else {
            left.start + self.run_groups(groups, end, start)..left.end
        };
        self.places = places;
        self.left.is_empty()
    }

    /// Closes the window once every node has been run.
    pub(crate) fn close_window(&mut self, index: u64) {
        let mut core = self.core.borrow_mut();
        let window = std::mem::take(&mut core.window);
        core.calendar.put_back(index, window);
        if let Some(trace) = &mut core.trace {
            trace.close_window();
        }
    }

    /// Runs the nodes in turn, and counts the places that were handled.
    fn run_groups<'a>(
        &mut self,
        groups: impl Iterator<Item = &'a [Place]> + Clone,
        end: Time,
        start: &mut Start<'_, T>,
    ) -> usize {
        let until = self.core.borrow().events + AT_A_STRETCH;
        let mut ahead = groups.clone().skip(AHEAD);
        let mut handled = 0;
        for group in groups {
            if let Some(group) = ahead.next() {
                self.core.borrow().touch(group);
            }
            let events = self.run_node(group, end, start);
            handled += group.len();
            if events >= until {
                break;
            }
        }
        handled
    }

    /// Runs one node: its events of the window and its timers, in the one order that is the same for every layout. How many events the shard has
    /// handled then.
    fn run_node(&mut self, group: &[Place], end: Time, start: &mut Start<'_, T>) -> u64 {
        let id = group[0].dest;
        let mut core = self.core.borrow_mut();
        core.running = Some(id);
        let node = core.node(id);
        node.wake_at = node.wake_at.filter(|at| *at >= end);
        let mut places = group.iter().copied().peekable();
        loop {
            let timer = core.node(id).timers.next().filter(|(at, _)| *at < end);
            match next_is_event(self.plan.seed, places.peek(), timer) {
                None => break,
                Some(true) => {
                    let Some(place) = places.next() else { break };
                    core.advance_to(place.time);
                    if let Some((event, payload)) = core.window.event(place) {
                        handle(&mut core, &event, payload);
                        let kind = event.record.kind;
                        if matches!(kind, Kind::Start | Kind::Leave | Kind::Crash) {
                            drop(core);
                            self.turn(id, kind, start);
                            core = self.core.borrow_mut();
                        }
                    }
                }
                Some(false) => {
                    let Some((at, number)) = timer else { break };
                    core.advance_to(at);
                    core.events += 1;
                    let node = core.node(id);
                    node.digest = fold(node.digest, mix(at.as_nanos()));
                    let due = node.timers.remove((at, number));
                    core.note(id, || What::Timer);
                    if let Some(due) = due {
                        core.fire(id, due);
                    }
                }
            }
            core = self.poll_ready(id, core);
            if core.polls > self.plan.most_polls && core.livelock.is_some() {
                // Nothing of this node can be believed any more, and the world ends with the window.
                break;
            }
        }
        core.running = None;
        core.polls = 0;
        if let Some((at, _)) = core.node(id).timers.next() {
            core.wake_node_at(id, at);
        }
        core.events
    }

    /// Starts or stops a node. The application's code runs while nothing is borrowed.
    fn turn(&mut self, id: NodeId, kind: Kind, start: &mut Start<'_, T>) {
        if kind != Kind::Start {
            let remains = self.core_mut().end_life(id, kind);
            drop(remains);
            return;
        }
        let life = self.core_mut().begin_life(id);
        let core = self.core.clone();
        let kept = &mut self.nodes[(id - self.range.start) as usize];
        let before = kept.take();
        *kept = Some(start(Host { core, id, life }, before));
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
            if core.is_too_much() {
                let livelock = Livelock {
                    node: id,
                    time: core.now,
                    task: running.future.name(),
                    polls: self.plan.most_polls,
                };
                core.node(id).tasks[slot as usize].running = Some(running);
                let first = core
                    .livelock
                    .is_none_or(|it| (livelock.time, id) < (it.time, it.node));
                core.livelock = core.livelock.filter(|_| !first).or(Some(livelock));
                return core;
            }
            let waker = waker_ref(&running.waker);
            core.polled = Some(Polled {
                slot,
                waker: waker.data(),
                aborted: false,
            });
            drop(core);
            let mut cx = Context::from_waker(&waker);
            let poll = running.future.as_mut().poll(&mut cx);
            core = self.core.borrow_mut();
            let aborted = core.polled.take().is_some_and(|it| it.aborted);
            if poll.is_ready() || aborted {
                drop(core);
                // Its streams are let go of here, while the shard is not borrowed.
                drop(running);
                core = self.core.borrow_mut();
                core.end_task(id, slot);
            } else {
                core.node(id).tasks[slot as usize].running = Some(running);
            }
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
            core.datagrams.clear();
        }
        drop(tasks);
        self.nodes.clear();
    }
}

/// Applies an event to its node and folds it into the node's digest.
fn handle(core: &mut Core, event: &Event, payload: Span) {
    let record = &event.record;
    let what = (record.kind as u64) << 32 | u64::from(record.header.slot);
    let place = u64::from(record.header.sequence) << 32 | u64::from(record.header.word);
    let from = u64::from(event.source) << 32 | u64::from(record.length);
    let digest = core.node(event.dest).digest;
    let digest = fold(fold(digest, event.time.as_nanos()), from);
    let digest = fold_bytes(fold(fold(digest, what), place), core.window.bytes(payload));
    core.node(event.dest).digest = digest;
    core.events += 1;
    core.note(event.dest, || What::arrival(event));
    core.receive(event, payload);
}

/// After so many events there is time for a look at how the run gets on: often enough for people, and too rarely to cost anything.
pub(crate) const AT_A_STRETCH: u64 = 4096;

/// How many nodes ahead of the one that runs are touched: enough for memory to answer, and few enough for the cache.
const AHEAD: usize = 2;

/// Puts places node by node, each node's in the order in which it handles their events.
fn put_in_order(seed: u64, places: &mut [Place]) {
    places.sort_unstable_by_key(|place| place.instant());
    for tied in places.chunk_by_mut(|a, b| a.instant() == b.instant()) {
        if tied.len() > 1 {
            tied.sort_unstable_by_key(|place| order(seed, place));
        }
    }
}

/// Whether the node's next event comes before its next timer; `None` if there is neither.
fn next_is_event(seed: u64, place: Option<&Place>, timer: Option<TimerKey>) -> Option<bool> {
    match (place, timer) {
        (None, None) => None,
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        (Some(place), Some((at, number))) => Some(match place.time.cmp(&at) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => order(seed, place) <= order_of(seed, place.dest, place.dest, number),
        }),
    }
}

/// The place of an event among those of its node at one instant: faults first, then without a bias toward low numbers.
fn order(seed: u64, place: &Place) -> (bool, u64, NodeId, u32) {
    match place.source {
        FAULT => (false, 0, FAULT, place.order),
        source => order_of(seed, place.dest, source, place.order),
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
