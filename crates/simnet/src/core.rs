use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::calendar::{Calendar, Place, Span, Window};
use crate::datagram::{Bound, Datagrams, Moment, Ports};
use crate::end::Waiter;
use crate::event::{Event, Header, Kind, Record};
use crate::executor::WakeInbox;
use crate::life::Life;
use crate::network::Plan;
use crate::node::{Node, Side, Waiting};
use crate::storage::Storage;
use crate::timers::{Due, TimerKey};
use crate::trace::{Kept, TraceEvent, What};
use crate::{Livelock, NodeId, Time};

/// All state of a shard that simulated code reaches: its nodes, and the events underway to them.
///
/// It stands behind one `RefCell` that is never borrowed while a task is polled, a waker woken or a future dropped.
pub(crate) struct Core {
    pub(crate) plan: Rc<Plan>,
    shard: u32,
    first: NodeId,
    nodes: Vec<Node>,
    /// Of each node; empty until one of them binds a socket, so that a world without datagrams pays nothing for them.
    pub(crate) datagrams: Vec<Datagrams>,
    pub(crate) moment: Moment,
    /// Of the nodes that have ever written to theirs.
    pub(crate) disks: BTreeMap<NodeId, Storage>,
    pub(crate) calendar: Calendar,
    /// What this shard's nodes sent to the nodes of each other shard.
    pub(crate) outboxes: Vec<Window>,
    /// The window whose events are handled.
    pub(crate) window: Window,
    pub(crate) now: Time,
    /// Events that its nodes have handled.
    pub(crate) events: u64,
    /// How often the tasks of the running node have been polled at this instant, or slept for no time.
    pub(crate) polls: u32,
    /// The first node that was polled too often.
    pub(crate) livelock: Option<Livelock>,
    /// The node that runs, and its task that is polled.
    pub(crate) running: Option<NodeId>,
    pub(crate) polled: Option<Polled>,
    /// The data that has just arrived: its reader may copy it straight out of the window.
    pub(crate) arrival: Option<Arrival>,
    /// Wakers to wake as soon as the shard is not borrowed.
    pub(crate) wakers: Vec<Waker>,
    /// One for the whole world, so that a wake from one node to another is seen whatever shard it comes from.
    pub(crate) inbox: Arc<WakeInbox>,
    /// Wakers that nobody waits with any more: they are dropped as soon as the shard is not borrowed.
    pub(crate) retired: Vec<Waker>,
    /// What is kept of what happens, if anything is.
    pub(crate) trace: Option<Box<Kept>>,
}

/// Whether the node is there from the start.
fn first_life(plan: &Plan, id: NodeId) -> Life {
    if plan.lives.joins(id) {
        Life::ABSENT
    } else {
        Life::FIRST
    }
}

/// The task being polled, and the address by which its waker is known.
#[derive(Clone, Copy)]
pub(crate) struct Polled {
    pub(crate) slot: u32,
    pub(crate) waker: *const (),
    /// It has asked to be ended.
    pub(crate) aborted: bool,
}

/// Bytes that nobody has copied yet: those of a stream's segment, or a datagram.
#[derive(Clone, Copy)]
pub(crate) enum Arrival {
    Segment {
        slot: u32,
        bytes: Span,
    },
    Datagram {
        source: NodeId,
        ports: Ports,
        bytes: Span,
    },
}

impl Core {
    pub(crate) fn new(plan: Rc<Plan>, shard: u32, window_ns: u64, inbox: Arc<WakeInbox>) -> Self {
        let range = plan.range(shard);
        let shards = plan.shards;
        Self {
            shard,
            first: range.start,
            nodes: range.map(|id| Node::new(first_life(&plan, id))).collect(),
            datagrams: Vec::new(),
            moment: Moment::default(),
            disks: BTreeMap::new(),
            calendar: Calendar::new(window_ns),
            outboxes: (0..shards).map(|_| Window::default()).collect(),
            window: Window::default(),
            now: Time::ZERO,
            events: 0,
            polls: 0,
            livelock: None,
            running: None,
            polled: None,
            arrival: None,
            wakers: Vec::new(),
            inbox,
            retired: Vec::new(),
            trace: Kept::new(plan.trace),
            plan,
        }
    }

    pub(crate) fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[(id - self.first) as usize]
    }

    /// What the node has of datagrams, if any node of the shard has something.
    pub(crate) fn datagrams(&mut self, id: NodeId) -> Option<&mut Datagrams> {
        self.datagrams.get_mut((id - self.first) as usize)
    }

    pub(crate) fn make_datagrams(&mut self, id: NodeId) -> &mut Datagrams {
        if self.datagrams.is_empty() {
            let nodes = self.nodes.len();
            self.datagrams.resize_with(nodes, Datagrams::default);
        }
        &mut self.datagrams[(id - self.first) as usize]
    }

    /// Reads a little of all that a node will need for its events, so that memory looks for all of it at once and not for one thing after
    /// the other: in a large network nothing of a node is in the cache when its turn comes, and waiting is most of the time.
    pub(crate) fn touch(&self, group: &[Place]) {
        let Some(first) = group.first() else { return };
        let node = &self.nodes[(first.dest - self.first) as usize];
        let mut read = node.touch();
        for place in group {
            if let Some((_, payload)) = self.window.event(*place) {
                read ^= self
                    .window
                    .bytes(payload)
                    .last()
                    .map_or(0, |byte| u64::from(*byte));
            }
        }
        std::hint::black_box(read);
    }

    /// The number of its first node.
    pub(crate) const fn first(&self) -> NodeId {
        self.first
    }

    /// The sockets of a node.
    pub(crate) fn sockets_of(&self, id: NodeId) -> &[Bound] {
        let datagrams = self.datagrams.get((id - self.first) as usize);
        datagrams.map_or(&[], |it| &it.sockets)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Puts an event on its way, to this shard or another.
    pub(crate) fn emit(
        &mut self,
        time: Time,
        dest: NodeId,
        source: NodeId,
        kind: Kind,
        header: Header,
        payload: &[u8],
    ) {
        let event = Event {
            time,
            dest,
            source,
            order: self.node(source).next_order(),
            record: Record {
                kind,
                length: u32::try_from(payload.len()).expect("a segment is at most 4 GiB"),
                header,
            },
        };
        let shard = self.plan.shard_of(dest);
        if shard == self.shard {
            self.calendar.push(&event, payload);
        } else {
            let outbox = &mut self.outboxes[shard as usize];
            outbox.push(&mut self.calendar.pool, &event, payload);
        }
    }

    /// Whether nothing is underway but wakes of nodes that have nothing left to do.
    pub(crate) fn is_quiet(&self) -> bool {
        self.calendar.places().all(|place| {
            let node = &self.nodes[(place.dest - self.first) as usize];
            place.is_wake() && node.timers.is_empty() && !node.has_ready()
        })
    }

    /// Lets the node run at `time`.
    pub(crate) fn wake_node_at(&mut self, id: NodeId, time: Time) {
        let node = self.node(id);
        if node.wake_at.is_none_or(|earlier| time < earlier) {
            node.wake_at = Some(time);
            self.calendar.push_wake(time, id);
        }
    }

    /// Remembers who polls, to be woken when this direction of the stream end can go on.
    pub(crate) fn wait(&mut self, id: NodeId, slot: u32, side: Side, cx: &Context<'_>) {
        let waiter = match self.polled {
            // Our own waker is known by its address; the slot is all that needs keeping.
            Some(polled) if polled.waker == cx.waker().data() => Waiter::task(polled.slot),
            _ => {
                let wakers = &mut self.node(id).rare().wakers;
                let replaced = wakers.insert((slot, side), cx.waker().clone());
                self.retired.extend(replaced);
                Waiter::FOREIGN
            }
        };
        let end = &mut self.node(id).ends[slot as usize];
        match side {
            Side::Read => end.reader = waiter,
            Side::Write => end.writer = waiter,
        }
    }

    /// Wakes who waits for this direction of the stream end.
    pub(crate) fn wake_side(&mut self, id: NodeId, slot: u32, side: Side) {
        let node = self.node(id);
        let end = &mut node.ends[slot as usize];
        let waiter = match side {
            Side::Read => &mut end.reader,
            Side::Write => &mut end.writer,
        };
        match std::mem::replace(waiter, Waiter::NOBODY) {
            Waiter::NOBODY => {}
            Waiter::FOREIGN => {
                let waker = node.rare().wakers.remove(&(slot, side));
                self.wakers.extend(waker);
            }
            task => node.wake(task.slot()),
        }
    }

    /// The running node has come to an event or a timer.
    pub(crate) const fn advance_to(&mut self, time: Time) {
        if self.now.as_nanos() != time.as_nanos() {
            self.polls = 0;
        }
        self.now = time;
    }

    /// Counts one more of what a node may not do for ever at one instant; true if it was once too often.
    pub(crate) fn is_too_much(&mut self) -> bool {
        self.polls += 1;
        self.polls > self.plan.most_polls
    }

    /// A task is over: its slot is free, and who waited for that is woken.
    pub(crate) fn end_task(&mut self, id: NodeId, slot: u32) {
        let node = self.node(id);
        node.free_task(slot);
        let Some(rare) = &mut node.rare else { return };
        match rare.joining.remove(&slot) {
            Some(Waiting::Task(task)) => node.wake(task),
            Some(Waiting::Waker(waker)) => self.wakers.push(waker),
            None => {}
        }
    }

    /// Sets a timer of the running node.
    pub(crate) fn set_timer(&mut self, id: NodeId, at: Time, due: Due) -> TimerKey {
        let node = self.node(id);
        let key = (at, node.next_order());
        node.timers.insert(key, due);
        key
    }

    /// A timer of the node is due.
    pub(crate) fn fire(&mut self, id: NodeId, due: Due) {
        match due {
            Due::WakeTask(slot) => self.node(id).wake(slot),
            Due::Wake(waker) => self.wakers.push(waker),
            Due::Retransmit { slot, generation } => self.retransmit(id, slot, generation),
            Due::AnswerStale(answer) => self.answer_stale(id, *answer),
            Due::Downlink => self.receive_from_downlink(id),
        }
    }

    /// What wakes the polled task by a timer.
    pub(crate) fn due(&self, cx: &Context<'_>) -> Due {
        match Waiting::of(self.polled, cx) {
            Waiting::Task(slot) => Due::WakeTask(slot),
            Waiting::Waker(waker) => Due::Wake(waker),
        }
    }

    /// Puts the tasks that were woken through real wakers on the list of the running node.
    pub(crate) fn collect_woken(&mut self) {
        for (id, slot) in self.inbox.drain() {
            let running = self
                .running
                .expect("tasks are polled while their node runs");
            assert_eq!(
                running, id,
                "node {running} woke a task of node {id}: nodes reach each other through the network only"
            );
            self.node(id).wake(slot);
        }
    }

    /// Wakes a task from outside the world, between two runs.
    pub(crate) fn wake_from_outside(&mut self, id: NodeId, slot: u32) {
        self.node(id).wake(slot);
        self.wake_node_at(id, self.now);
    }

    /// Holds code to its own node: what another node's handle did would depend on which of the two runs first.
    pub(crate) fn assert_at_home(&self, id: NodeId) {
        if let Some(running) = self.running {
            assert_eq!(
                running, id,
                "node {running} used what belongs to node {id}: nodes reach each other through the network only"
            );
        }
    }

    /// Writes something into the trace, if there is one.
    #[inline]
    pub(crate) fn note(&mut self, node: NodeId, what: impl FnOnce() -> What) {
        if self.trace.is_some() {
            self.note_down(node, what());
        }
    }

    #[cold]
    fn note_down(&mut self, node: NodeId, what: What) {
        let (time, digest) = (self.now, self.node(node).digest);
        if let Some(trace) = &mut self.trace {
            trace.push(TraceEvent {
                time,
                node,
                what,
                digest,
            });
        }
    }

    /// Moves what has arrived and was not read at once into its stream.
    pub(crate) fn spill_arrival(&mut self, id: NodeId) {
        let Some(arrival) = self.arrival.take() else {
            return;
        };
        match arrival {
            Arrival::Segment { slot, bytes } => {
                let node = &mut self.nodes[(id - self.first) as usize];
                let unread = node.make_unread(slot);
                unread.bytes.extend_from_slice(self.window.bytes(bytes));
            }
            Arrival::Datagram {
                source,
                ports,
                bytes,
            } => self.queue_datagram(id, source, ports, bytes),
        }
    }
}
