use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::Window;
use crate::datagram::CarriedDatagrams;
use crate::draw::fold;
use crate::executor::WakeInbox;
use crate::network::Plan;
use crate::node::Carried;
use crate::shard::{AT_A_STRETCH, Shard, Start};
use crate::time::nanos;
use crate::trace::{Kept, TraceEvent};
use crate::{Host, InvalidNetwork, Layout, Livelock, Network, NodeId, Time, WaitingTask};

/// A network that runs. `T` is what the application keeps of each node, to look at it from outside; `'a` is how long what starts nodes lives.
///
/// Time passes in [`World::run_until`] only. Between two calls every node stands at the same instant, a *cut*: what looks at more than one
/// node looks there.
pub struct World<'a, T> {
    shards: Vec<Shard<T>>,
    start: Box<Start<'a, T>>,
    plan: Rc<Plan>,
    inbox: Arc<WakeInbox>,
    lookahead: Duration,
    now: Time,
    /// The window within which the world was stopped, and up to where it was to be run.
    open: Option<(u64, Time)>,
}

impl<'a, T> World<'a, T> {
    /// Builds the network; `start` is called for each node in order and returns what to keep of it. Tasks that it spawns first run
    /// when the world does.
    ///
    /// A node that joins or restarts by the schedule is started when its time has come. `start` is then given what was kept of the node's last
    /// life, if it had one, to add up figures. What is to outlive a process in the world itself is on its [disk](Host::disk).
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`] if the network cannot be simulated.
    pub fn new(
        network: &Network,
        layout: Layout,
        mut start: impl FnMut(Host, Option<T>) -> T + 'a,
    ) -> Result<Self, InvalidNetwork> {
        let plan = Rc::new(Plan::new(network, layout)?);
        let lookahead = nanos(network.links.lookahead());
        let window_ns = (lookahead / u64::from(layout.windows.max(1))).max(1);
        let inbox = Arc::default();
        let shards = (0..plan.shards).map(|shard| {
            let plan = plan.clone();
            let mut shard = Shard::new(plan, shard, window_ns, layout.reverse, &inbox, &mut start);
            shard.schedule(&network.faults.faults);
            shard
        });
        Ok(Self {
            shards: shards.collect(),
            start: Box::new(start),
            plan,
            inbox,
            lookahead: network.links.lookahead(),
            now: Time::ZERO,
            open: None,
        })
    }

    /// Lets time pass: handles everything that happens before `time`.
    ///
    /// # Errors
    ///
    /// [`Livelock`] if a node does not get there, and at every later call: of several the least by time and node.
    pub fn run_until(&mut self, time: Time) -> Result<(), Livelock> {
        let passed = self.run_until_or(time, |_| ControlFlow::Continue(()));
        passed.map(|_| ())
    }

    /// Lets time pass as [`World::run_until`] does, and asks after every few thousand events whether to go on.
    ///
    /// Meanwhile, and for good if the answer is no, the world stands between two cuts: all that happens before [`World::now`] has happened, and of
    /// some nodes more, by less than the lookahead. Counters can be read; nodes cannot be compared. Whoever lets time pass again goes on from there, and
    /// the history is the same.
    ///
    /// # Errors
    ///
    /// As [`World::run_until`] has them.
    pub fn run_until_or(
        &mut self,
        time: Time,
        mut watch: impl FnMut(&Self) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Livelock> {
        self.check_livelock()?;
        for (id, slot) in self.inbox.drain() {
            let shard = &self.shards[self.plan.shard_of(id) as usize];
            shard.core_mut().wake_from_outside(id, slot);
        }
        let mut asked_at = self.events();
        while let Some((index, end)) = self.open.or_else(|| self.open_window(time)) {
            for place in 0..self.shards.len() {
                while !self.shards[place].run_nodes(end, &mut *self.start) {
                    if watch(self).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    asked_at = self.events();
                }
            }
            // What ends at one instant whatever the layout ends in the same window, so the least of those of a window is the least of all.
            self.check_livelock()?;
            for shard in &mut self.shards {
                shard.close_window(index);
            }
            self.open = None;
            self.exchange();
            if end >= time {
                // What is left of this window lies behind the cut.
                break;
            }
            self.now = self.now.max(end);
            if self.events() - asked_at >= AT_A_STRETCH {
                if watch(self).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                asked_at = self.events();
            }
        }
        self.now = self.now.max(time);
        for shard in &self.shards {
            shard.core_mut().now = self.now;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn check_livelock(&self) -> Result<(), Livelock> {
        let found = self.shards.iter().filter_map(|shard| shard.core().livelock);
        let least = found.min_by_key(|it| (it.time, it.node));
        least.map_or(Ok(()), Err)
    }

    /// Opens the next window in which something happens, as far as it lies before `time`; nothing happens before it.
    fn open_window(&mut self, time: Time) -> Option<(u64, Time)> {
        let index = self.next_window()?;
        let (start, end) = self.shards[0].core().calendar.span(index);
        if start >= time {
            return None;
        }
        let end = end.min(time);
        for shard in &mut self.shards {
            shard.open_window(index, end);
        }
        self.open = Some((index, end));
        self.open
    }

    /// Lets time pass by `duration`.
    ///
    /// # Errors
    ///
    /// As [`World::run_until`] has them.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Livelock> {
        self.run_until(self.now + duration)
    }

    /// All tasks that have not ended, node by node, and what each waits for. When [`World::is_quiet`] they wait for ever: a server does so in
    /// good order, and whatever else is among them is stuck.
    pub fn waiting_tasks(&self) -> Vec<WaitingTask> {
        let of_shard = |shard: &Shard<T>| shard.core().waiting_tasks();
        self.shards.iter().flat_map(of_shard).collect()
    }

    /// Nothing that a node does reaches another node sooner: the least latency floor.
    pub const fn lookahead(&self) -> Duration {
        self.lookahead
    }

    /// The instant at which every node stands.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Whether nothing will ever happen again unless someone outside causes it.
    pub fn is_quiet(&self) -> bool {
        self.shards.iter().all(Shard::is_quiet)
    }

    /// What the application keeps of each node, in order. One that has not joined yet is passed over; of one that has stopped it is what was
    /// kept when it ran.
    pub fn nodes(&self) -> impl Iterator<Item = &T> {
        self.shards
            .iter()
            .flat_map(|shard| shard.nodes.iter().flatten())
    }

    /// The nodes that are up, in order, with what the application keeps of them.
    pub fn nodes_up(&self) -> impl Iterator<Item = (NodeId, &T)> {
        let all = (0..).zip(self.shards.iter().flat_map(|shard| &shard.nodes));
        all.filter_map(|(id, kept)| Some((id, kept.as_ref().filter(|_| self.is_up(id))?)))
    }

    /// Whether a node is up: it has joined, and has not stopped since it last started.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn is_up(&self, id: NodeId) -> bool {
        let (shard, place) = self.place(id);
        shard.core().nodes()[place].life.is_up()
    }

    /// What the application keeps of one node; `None` if it has not joined yet. Of one that has stopped it is what was kept when it ran.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn kept(&self, id: NodeId) -> Option<&T> {
        let (shard, place) = self.place(id);
        shard.nodes[place].as_ref()
    }

    /// The same of a node that has joined.
    ///
    /// # Panics
    ///
    /// If there is no such node, or it has not joined yet.
    pub fn node(&self, id: NodeId) -> &T {
        self.kept(id).expect("the node has joined")
    }

    fn place(&self, id: NodeId) -> (&Shard<T>, usize) {
        let shard = self.plan.shard_of(id);
        let place = id - self.plan.range(shard).start;
        (&self.shards[shard as usize], place as usize)
    }

    /// Equal digests mean equal histories: every event of every node is folded into it.
    pub fn digest(&self) -> u64 {
        self.node_digests().into_iter().fold(0, fold)
    }

    /// The digest of each node's own history, in order.
    pub fn node_digests(&self) -> Vec<u64> {
        self.per_node(|node| node.digest)
    }

    /// Events handled so far: segments and datagrams that arrived, timers and faults.
    pub fn events(&self) -> u64 {
        let events = |shard: &Shard<T>| shard.core().events;
        self.shards.iter().map(events).sum()
    }

    /// Events and timers that wait for their time: how much is going on. It is kept, not counted, so asking costs nothing.
    pub fn waiting(&self) -> u64 {
        self.shards.iter().map(Shard::waiting).sum()
    }

    /// What each node's streams have carried.
    pub fn carried_by_node(&self) -> Vec<Carried> {
        self.per_node(|node| node.carried)
    }

    /// What all streams have carried.
    pub fn carried(&self) -> Carried {
        let mut total = Carried::default();
        self.carried_by_node()
            .into_iter()
            .for_each(|it| total += it);
        total
    }

    /// What became of each node's datagrams: at their senders what was sent, lost, duplicated and corrupted, at their receivers the rest.
    pub fn datagrams_by_node(&self) -> Vec<CarriedDatagrams> {
        let mut values = Vec::with_capacity(self.plan.nodes as usize);
        for shard in &self.shards {
            values.extend(shard.core().carried_datagrams());
        }
        values
    }

    /// What became of all datagrams.
    pub fn datagrams(&self) -> CarriedDatagrams {
        let mut total = CarriedDatagrams::default();
        self.datagrams_by_node()
            .into_iter()
            .for_each(|it| total += it);
        total
    }

    /// Datagrams underway, counted one by one where they wait: in the calendar or an open window, or at a downlink.
    pub fn datagrams_in_flight(&self) -> u64 {
        let shard = |shard: &Shard<T>| {
            let core = shard.core();
            let outboxes: u64 = core.outboxes.iter().map(Window::datagrams).sum();
            let rare = core.nodes().iter().filter_map(|node| node.rare.as_ref());
            let lines = rare.filter_map(|rare| rare.lines.as_ref());
            let arriving: u64 = lines.map(|lines| lines.datagrams()).sum();
            core.calendar.datagrams() + shard.left_datagrams() + outboxes + arriving
        };
        self.shards.iter().map(shard).sum()
    }

    /// Bytes that streams have accepted, by (source, destination) in ascending order.
    pub fn accepted_between(&self) -> Vec<(NodeId, NodeId, u64)> {
        let mut all = Vec::new();
        let nodes = self.per_node(|node| {
            let past = node.rare.as_ref().map(|rare| rare.past.clone());
            let mut by_peer = past.unwrap_or_default();
            for end in node.ends.iter().filter(|end| end.accepted > 0) {
                *by_peer.entry(end.peer).or_default() += u64::from(end.accepted);
            }
            by_peer
        });
        for (source, by_peer) in (0..).zip(nodes) {
            all.extend(
                by_peer
                    .into_iter()
                    .map(|(dest, bytes)| (source, dest, bytes)),
            );
        }
        all
    }

    /// Data bytes underway, counted one by one where they wait: in the calendar or an open window, at a downlink, for another transmission, or for an earlier
    /// segment.
    pub fn in_flight(&self) -> u64 {
        let shard = |shard: &Shard<T>| {
            let core = shard.core();
            let outboxes: u64 = core.outboxes.iter().map(|it| it.data_bytes()).sum();
            let rare = core.nodes().iter().filter_map(|node| node.rare.as_ref());
            let lines = rare.clone().filter_map(|rare| rare.lines.as_ref());
            let arriving: u64 = lines.map(|lines| lines.data_bytes()).sum();
            let trouble = rare.flat_map(|rare| rare.aside.trouble.values());
            let kept: u64 = trouble.map(|trouble| trouble.kept_bytes()).sum();
            core.calendar.data_bytes() + shard.left_bytes() + outboxes + arriving + kept
        };
        self.shards.iter().map(shard).sum()
    }

    /// What was kept of what happened, as the [`Layout`] asked for it: by time and node, each node's events in the order in which it handled them.
    pub fn trace(&self) -> Vec<TraceEvent> {
        let shards = self.shards.iter();
        let kept = shards.flat_map(|shard| {
            let core = shard.core();
            let events = core.trace.iter().flat_map(|trace| &trace.events);
            events.copied().collect::<Vec<_>>()
        });
        Kept::merge(self.plan.trace, kept.collect())
    }

    fn per_node<V>(&self, value: impl Fn(&crate::node::Node) -> V) -> Vec<V> {
        let mut values = Vec::with_capacity(self.plan.nodes as usize);
        for shard in &self.shards {
            values.extend(shard.core().nodes().iter().map(&value));
        }
        values
    }

    fn next_window(&self) -> Option<u64> {
        self.shards.iter().filter_map(Shard::next_window).min()
    }

    /// Trades what the shards' nodes sent to each other.
    fn exchange(&mut self) {
        let shards = self.plan.shards;
        for from in 0..shards {
            for to in (0..shards).filter(|to| *to != from) {
                let sent = self.shards[from as usize].take_outbox(to);
                if !sent.is_empty() {
                    self.shards[to as usize].core_mut().calendar.import(&sent);
                    let mut from = self.shards[from as usize].core_mut();
                    from.calendar.pool.recycle(sent);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::AsyncWriteExt;

    use super::*;
    use crate::Link;

    #[test]
    fn what_a_stream_has_accepted_is_counted_beyond_four_gibibytes() {
        let link = Link::constant(Duration::from_millis(1));
        let network = Network::new(2, 1, link);
        let world = World::new(&network, Layout::default(), |host, _| {
            let id = host.id();
            host.clone().spawn(async move {
                if id == 1 {
                    let listener = host.listen(1).expect("the port is free");
                    let stream = listener.accept().await;
                    host.sleep(Duration::from_secs(1)).await;
                    drop(stream);
                    return;
                }
                host.sleep(Duration::from_millis(1)).await;
                let mut stream = host.connect(1, 1).await.expect("node 1 listens");
                // As if it had written so much already.
                host.core.borrow_mut().node(0).ends[0].accepted = u32::MAX - 1;
                stream.write_all(b"abc").await.expect("the stream is open");
                host.sleep(Duration::from_millis(100)).await;
            });
        });
        let mut world = world.expect("the network is possible");
        for ms in [50, 2000] {
            // Before the stream is gone, and after.
            world
                .run_until(Time::ZERO + Duration::from_millis(ms))
                .expect("time passes");
            let accepted = u64::from(u32::MAX) + 2;
            assert_eq!(world.accepted_between(), [(0, 1, accepted)]);
        }
    }
}
