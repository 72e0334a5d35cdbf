//! A protocol in the network of a scenario: from the start to the horizon, and once more to prove that its history is one.

use std::fmt;
use std::ops::ControlFlow;

use simnet::{
    InvalidNetwork, Layout, Livelock, Network, NodeId, Time, Trace, TraceEvent, WaitingTask,
    WaitsFor, World,
};

use crate::counters::Counters;
use crate::protocol::{Progress, Protocol, Seat, Violation};
use crate::reaction::Sight;
use crate::scenario::{Scenario, Stop};
use crate::topology::Graph;

/// A run that is over, with its world as it ended.
pub struct Run<'a, P: Protocol> {
    /// The world at the end.
    pub world: World<'a, P::Node>,
    /// How it ended.
    pub end: End,
    /// How much of the goal was reached at the last check.
    pub progress: Progress,
    /// What was counted when the measuring interval began, and when it ended; less if there is none or the run ended sooner.
    pub cuts: Vec<Counters>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The goal was reached, first seen at this check.
    Converged(Time),
    /// The horizon came first.
    Horizon,
    /// A rule was broken, seen at this check.
    Broken(Time, Violation),
    /// Whoever watched asked it to stop, when all before this instant had happened.
    Interrupted(Time),
}

/// What there is to say of a run while it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// All before this instant has happened.
    pub now: Time,
    /// When it ends at the latest.
    pub horizon: Time,
    /// It does not end before this, even if its goal is reached.
    pub earliest: Time,
    /// How much of the goal was reached at the last check.
    pub progress: Progress,
    /// The check that first saw so much of it.
    pub since: Time,
    /// Events handled so far.
    pub events: u64,
    /// Frames sent so far, counted now and then; none if the protocol counts none.
    pub frames: u64,
    /// Events and timers that wait for their time.
    pub waiting: u64,
}

/// Makes what there is to say of a run while it goes on.
struct Lookout<'p, P> {
    protocol: &'p P,
    horizon: Time,
    earliest: Time,
    progress: Progress,
    since: Time,
    frames: u64,
    /// How many events there were when frames were counted, and after how many more they are again.
    counted_at: u64,
    events_a_count: u64,
}

impl<'p, P: Protocol> Lookout<'p, P> {
    fn new(protocol: &'p P, scenario: &Scenario) -> Self {
        let horizon = scenario.run.horizon;
        let measured = scenario.measure.map(|measure| measure.until);
        let earliest = match scenario.run.stop {
            Stop::Horizon => horizon,
            Stop::Converged => settled(scenario).max(measured.unwrap_or_default()),
        };
        Self {
            protocol,
            horizon,
            earliest: earliest.min(horizon),
            progress: Progress::default(),
            since: Time::ZERO,
            frames: 0,
            counted_at: 0,
            events_a_count: u64::from(scenario.nodes) * EVENTS_A_COUNT,
        }
    }

    /// Notes how much of the goal a check has found.
    fn found(&mut self, progress: Progress, now: Time) {
        if self.progress != progress {
            self.progress = progress;
            self.since = now;
        }
    }

    fn status(&mut self, world: &World<'_, P::Node>) -> Status {
        let events = world.events();
        if events - self.counted_at >= self.events_a_count {
            self.counted_at = events;
            let sent = world.nodes().map(|node| self.protocol.sent(node));
            self.frames = sent.map(|sent| sent.total_frames()).sum();
        }
        Status {
            now: world.now(),
            horizon: self.horizon,
            earliest: self.earliest,
            progress: self.progress,
            since: self.since,
            events,
            frames: self.frames,
            waiting: world.waiting(),
        }
    }
}

/// To count frames every node is asked. Done once in so many events a node, that costs next to nothing.
const EVENTS_A_COUNT: u64 = 16;

/// The network that a scenario describes.
pub fn network(scenario: &Scenario) -> Network {
    Network {
        nodes: scenario.nodes,
        seed: scenario.seed,
        links: scenario.links.clone(),
        streams: scenario.stream.clone(),
        disks: scenario.disk.clone(),
        faults: scenario.faults(),
        ..Network::new(
            scenario.nodes,
            scenario.seed,
            scenario.links.default.clone(),
        )
    }
}

/// What came of letting time pass.
type Passed = Result<ControlFlow<()>, Livelock>;

/// Runs a protocol in a scenario's network. `watch` is called at every check, and after every few thousand events on the way to it; it may stop the run.
///
/// # Errors
///
/// [`InvalidNetwork`], which a scenario that was read from a file never causes.
pub fn run<'a, P: Protocol>(
    protocol: &'a P,
    scenario: &Scenario,
    graph: &'a Graph,
    layout: Layout,
    watch: impl FnMut(Status) -> ControlFlow<()>,
) -> Result<Run<'a, P>, InvalidNetwork> {
    let observe = |_: &Sight<'_, P::Snapshot>| ControlFlow::Continue(());
    observed(protocol, scenario, graph, layout, watch, observe)
}

/// The same, and `observe` sees what checks see. It may stop the run as well.
pub(crate) fn observed<'a, P: Protocol>(
    protocol: &'a P,
    scenario: &Scenario,
    graph: &'a Graph,
    layout: Layout,
    mut watch: impl FnMut(Status) -> ControlFlow<()>,
    mut observe: impl FnMut(&Sight<'_, P::Snapshot>) -> ControlFlow<()>,
) -> Result<Run<'a, P>, InvalidNetwork> {
    let mut world = start(protocol, scenario, graph, layout)?;
    let settled = settled(scenario);
    let mut lookout = Lookout::new(protocol, scenario);
    let mut converged = None;
    let mut looked_at = None;
    let mut end = End::Horizon;
    let horizon = scenario.run.horizon;
    let measured = scenario
        .measure
        .map(|measure| [measure.from, measure.until]);
    let mut instants = measured.into_iter().flatten().peekable();
    let mut cuts = Vec::new();
    for now in checks(scenario) {
        let mut passed = Ok(ControlFlow::Continue(()));
        let goes_on = |passed: &Passed| matches!(passed, Ok(ControlFlow::Continue(())));
        while let Some(at) = instants.next_if(|at| goes_on(&passed) && *at <= now) {
            passed = world.run_until_or(at, |world| watch(lookout.status(world)));
            cuts.push(Counters::new(protocol, &world));
        }
        if goes_on(&passed) {
            passed = world.run_until_or(now, |world| watch(lookout.status(world)));
        }
        match passed {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => {
                end = End::Interrupted(world.now());
                break;
            }
            Err(livelock) => {
                end = End::Broken(livelock.time, livelock.into());
                break;
            }
        }
        let events = world.events();
        // Where nothing has happened there is nothing new to see.
        if looked_at.replace(events) != Some(events) {
            let nodes = snapshots(protocol, &world);
            lookout.found(protocol.progress(&nodes), now);
            if let Err(violation) = protocol.invariant(&nodes) {
                end = End::Broken(now, violation);
                break;
            }
            let sight = Sight {
                now,
                nodes: &nodes,
                progress: lookout.progress,
            };
            if observe(&sight).is_break() {
                end = End::Interrupted(now);
                break;
            }
        }
        let quiet = world.is_quiet();
        match lookout.progress.is_complete() && (quiet || now > settled || now == horizon) {
            true => converged = converged.or(Some(now)),
            false => converged = None,
        }
        if let Some(at) = converged.filter(|_| may_stop(scenario, now)) {
            end = End::Converged(at);
            break;
        }
        if watch(lookout.status(&world)).is_break() {
            end = End::Interrupted(now);
            break;
        }
        if quiet {
            // Nothing will happen any more: the end can be looked at right away.
            let measured = scenario
                .measure
                .filter(|_| converged.is_some() && may_stop(scenario, horizon));
            let idle = world.run_until(measured.map_or(horizon, |measure| measure.until));
            idle.expect("nothing happens any more");
            break;
        }
    }
    if let (End::Horizon, Some(at)) = (&end, converged) {
        end = End::Converged(at);
    }
    Ok(Run {
        world,
        end,
        progress: lookout.progress,
        cuts,
    })
}

/// Whether a run may end here because its goal is reached.
fn may_stop(scenario: &Scenario, now: Time) -> bool {
    let measured = scenario.measure.is_none_or(|measure| now >= measure.until);
    measured && scenario.run.stop == Stop::Converged
}

/// When the last of what comes, goes or lets go of something has done so. What holds before that is not what nodes end with.
fn settled(scenario: &Scenario) -> Time {
    let lives = scenario.faults().lives().settled();
    let evictions = scenario.evictions.iter().map(|eviction| eviction.at);
    lives.into_iter().chain(evictions).max().unwrap_or_default()
}

/// Of a run that did not reach its goal although nothing will ever happen again, what each task waits for, the first `most`; those that wait for connections alone do so in
/// good order, and are left out.
pub(crate) fn stuck<P: Protocol>(run: &Run<'_, P>, most: usize) -> Vec<String> {
    if run.end != End::Horizon || !run.world.is_quiet() {
        return Vec::new();
    }
    let serves = |task: &WaitingTask| matches!(task.waits_for[..], [WaitsFor::Accept(_)]);
    let tasks = run.world.waiting_tasks();
    let stuck = tasks.iter().filter(|task| !serves(task));
    stuck.take(most).map(ToString::to_string).collect()
}

/// What the nodes that are up show, in order.
pub(crate) fn snapshots<P: Protocol>(
    protocol: &P,
    world: &World<'_, P::Node>,
) -> Vec<(NodeId, P::Snapshot)> {
    let nodes = world.nodes_up();
    nodes
        .map(|(id, node)| (id, protocol.snapshot(node)))
        .collect()
}

/// The same history computed in two ways, and where they part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The node with the earliest event that differs.
    pub node: NodeId,
    /// The histories were still equal at this check, and no more at the next.
    pub after: Time,
    /// That event in the first world and in the second; `None`: there it did not happen. Both are `None` if a third run found no difference
    /// any more: then something outside the world, a clock or an unordered map, has entered it.
    pub events: (Option<TraceEvent>, Option<TraceEvent>),
    /// What had happened to the node just before, in both.
    pub before: Vec<TraceEvent>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            after,
            events,
            before,
        } = self;
        writeln!(
            f,
            "node {node} has two histories; they were still equal at {after}"
        )?;
        let (first, second) = events;
        if first.is_none() && second.is_none() {
            return f.write_str(
                "  a third run found no difference: what differs comes from outside the world",
            );
        }
        if !before.is_empty() {
            writeln!(f, "  in both, before that:")?;
        }
        before
            .iter()
            .try_for_each(|event| writeln!(f, "    {event}"))?;
        let show = |event: &Option<TraceEvent>| match event {
            Some(event) => format!("{event} [{:016x}]", event.digest),
            None => "nothing more happens to this node".into(),
        };
        writeln!(f, "  one shard: {}", show(first))?;
        write!(f, "  in parts:  {}", show(second))?;
        match (first, second) {
            (Some(first), Some(second)) if first.differs_in_content(second) => {
                f.write_str("\n  the same event, but with another content")
            }
            _ => Ok(()),
        }
    }
}

impl Difference {
    /// What a command that finds one exits with.
    pub const EXIT_CODE: u8 = 13;
}

/// What came of running a scenario twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Both histories have this digest.
    Equal(u64),
    /// They have not.
    Different(Difference),
    /// Both come to no end here, and had one history up to the check before. The digest is that of the first.
    Livelock(Livelock, u64),
    /// Whoever watched asked to stop it. Up to this check there was no difference.
    Interrupted(Time),
}

/// Runs a scenario in two worlds in lockstep, one of them cut into parts that are run in another order, and compares their digests at every
/// check, up to the one at which [`run`] would end. `watch` is called as by [`run`], with what both have handled.
///
/// # Errors
///
/// [`InvalidNetwork`], as [`run`] has it.
pub fn verify<P: Protocol>(
    protocol: &P,
    scenario: &Scenario,
    graph: &Graph,
    mut watch: impl FnMut(Status) -> ControlFlow<()>,
) -> Result<Verification, InvalidNetwork> {
    let (mut context_from, mut equal_at) = (Time::ZERO, Time::ZERO);
    let settled = settled(scenario);
    let mut worlds = pair(protocol, scenario, graph, Trace::Off)?;
    let mut lookouts = [(); 2].map(|()| Lookout::new(protocol, scenario));
    let mut livelocks = [None; 2];
    let mut looked_at = None;
    for now in checks(scenario) {
        for number in 0..worlds.len() {
            let other = lookouts[1 - number].status(&worlds[1 - number]);
            let passed = worlds[number].run_until_or(now, |world| {
                let own = lookouts[number].status(world);
                watch(Status {
                    events: own.events + other.events,
                    frames: own.frames + other.frames,
                    ..own
                })
            });
            match passed {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(Verification::Interrupted(equal_at)),
                Err(livelock) => livelocks[number] = Some(livelock),
            }
        }
        if let Some(livelock) = livelocks
            .iter()
            .flatten()
            .min_by_key(|it| (it.time, it.node))
        {
            // From here on what other nodes have done depends on how the world is cut.
            return Ok(match livelocks[0] == livelocks[1] {
                true => Verification::Livelock(*livelock, worlds[0].digest()),
                false => Verification::Different(Difference {
                    node: livelock.node,
                    after: equal_at,
                    events: (None, None),
                    before: Vec::new(),
                }),
            });
        }
        let [one, parts] = worlds.each_ref().map(World::node_digests);
        if one != parts {
            let node = (0..).zip(one.iter().zip(&parts)).find(|(_, (a, b))| a != b);
            let node = node.map_or(0, |(node, _)| node);
            // From the check before, so that the difference has a history.
            let trace = Trace::During(context_from, now);
            let found = first_difference(pair(protocol, scenario, graph, trace)?, equal_at, now);
            return Ok(Verification::Different(found.unwrap_or(Difference {
                node,
                after: equal_at,
                events: (None, None),
                before: Vec::new(),
            })));
        }
        (context_from, equal_at) = (equal_at, now);
        let events = worlds[0].events();
        if looked_at.replace(events) != Some(events) {
            let nodes = snapshots(protocol, &worlds[0]);
            // What comes after that nobody has asked about, and it may have no end.
            if protocol.invariant(&nodes).is_err() {
                break;
            }
            let progress = protocol.progress(&nodes);
            let both = lookouts.iter_mut();
            both.for_each(|it| it.found(progress, now));
        }
        if worlds[0].is_quiet() {
            break;
        }
        if now > settled && may_stop(scenario, now) && lookouts[0].progress.is_complete() {
            break;
        }
        if watch(lookouts[0].status(&worlds[0])).is_break() {
            return Ok(Verification::Interrupted(now));
        }
    }
    Ok(Verification::Equal(worlds[0].digest()))
}

/// One history computed in two ways that have as little in common as can be.
fn pair<'a, P: Protocol>(
    protocol: &'a P,
    scenario: &Scenario,
    graph: &'a Graph,
    trace: Trace,
) -> Result<[World<'a, P::Node>; 2], InvalidNetwork> {
    let whole = Layout {
        trace,
        ..Layout::default()
    };
    let parts = Layout {
        shards: 3,
        reverse: true,
        windows: 2,
        ..whole
    };
    Ok([
        start(protocol, scenario, graph, whole)?,
        start(protocol, scenario, graph, parts)?,
    ])
}

/// The earliest event that is not the same in both worlds, which were equal at `from` and are so no more at `to`.
fn first_difference<T>(mut worlds: [World<'_, T>; 2], from: Time, to: Time) -> Option<Difference> {
    let [one, parts] = worlds.each_mut().map(|world| {
        // What has come to no end has a trace up to there.
        let _ = world.run_until(to);
        world.trace()
    });
    let of_node = |trace: &[TraceEvent], node: NodeId| -> Vec<TraceEvent> {
        let events = trace.iter().filter(|event| event.node == node);
        events.copied().collect()
    };
    let mut nodes: Vec<_> = one.iter().chain(&parts).map(|event| event.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let diverging = nodes.into_iter().filter_map(|node| {
        let (one, parts) = (of_node(&one, node), of_node(&parts, node));
        let at = (0..one.len().max(parts.len())).find(|at| one.get(*at) != parts.get(*at))?;
        let events = (one.get(at).copied(), parts.get(at).copied());
        let both = [&events.0, &events.1].into_iter().flatten();
        let first = both.map(|event| event.time).min();
        let before = one[at.saturating_sub(CONTEXT)..at].to_vec();
        let difference = Difference {
            node,
            after: from,
            events,
            before,
        };
        Some((first, difference))
    });
    let first = diverging.min_by_key(|(time, found)| (*time, found.node));
    first.map(|(_, found)| found)
}

/// So many events before a difference are shown.
const CONTEXT: usize = 5;

/// The world of a scenario, at its start.
///
/// # Errors
///
/// [`InvalidNetwork`], as [`run`] has it.
pub fn start<'a, P: Protocol>(
    protocol: &'a P,
    scenario: &Scenario,
    graph: &'a Graph,
    layout: Layout,
) -> Result<World<'a, P::Node>, InvalidNetwork> {
    World::new(&network(scenario), layout, |host, before| {
        let id = host.id();
        let neighbours = graph.neighbours(id);
        let seat = Seat { id, neighbours };
        match before {
            None => protocol.start(host, seat),
            Some(before) => protocol.restart(host, seat, before),
        }
    })
}

/// The instants at which a run is looked at: every so often, and at the horizon.
fn checks(scenario: &Scenario) -> impl Iterator<Item = Time> {
    let (step, horizon) = (scenario.run.check_every, scenario.run.horizon);
    let regular = std::iter::successors(Some(Time::ZERO + step), move |at| Some(*at + step));
    regular
        .take_while(move |at| *at < horizon)
        .chain(std::iter::once(horizon))
}
