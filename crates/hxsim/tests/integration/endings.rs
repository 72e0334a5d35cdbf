//! How a run ends, told by nodes that do nothing but count.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::Hash;
use hxsim::Scenario;
use hxsim::gossip::{self, Gossip, Holdings, Seated};
use hxsim::protocol::{Progress, Protocol, Seat, Violation};
use hxsim::report::Outcome;
use hxsim::run::{self, End, Status};
use hxsim::scenario::Stop;
use hxsim::topology::Topology;
use hxsim::workload::{Arrivals, Synthetic, Workload};
use simnet::{Host, Layout, NodeId, Time};

use crate::drawn::HONEST;

/// Node n counts to n, one every 100 ms from the start. The goal is that the sum lies in a range, the rule that no count exceeds a limit.
struct Counters {
    goal: Range<u64>,
    limit: u64,
}

impl Protocol for Counters {
    type Node = Rc<Cell<u64>>;
    type Snapshot = u64;

    fn start(&self, host: Host, seat: Seat<'_>) -> Self::Node {
        let count = Rc::new(Cell::new(0));
        let (own, id) = (count.clone(), u64::from(seat.id));
        host.clone().spawn(async move {
            while own.get() < id {
                host.sleep(Duration::from_millis(100)).await;
                own.set(own.get() + 1);
            }
        });
        count
    }

    fn snapshot(&self, node: &Self::Node) -> u64 {
        node.get()
    }

    fn progress(&self, nodes: &[(NodeId, u64)]) -> Progress {
        let reached = self
            .goal
            .contains(&nodes.iter().map(|(_, count)| count).sum());
        Progress {
            have: u64::from(reached),
            of: 1,
        }
    }

    fn invariant(&self, nodes: &[(NodeId, u64)]) -> Result<(), Violation> {
        match nodes.iter().find(|(_, count)| *count > self.limit) {
            None => Ok(()),
            Some((node, count)) => Err(Violation {
                node: *node,
                check: "nobody counts too far",
                what: format!("counted to {count}"),
            }),
        }
    }
}

/// How a run of four nodes ends that are looked at every 50 ms for one second, and when.
fn run(
    protocol: &Counters,
    stop: Stop,
    watch: impl FnMut(Status) -> ControlFlow<()>,
) -> (End, Time) {
    let mut scenario = Scenario::new(4);
    scenario.run.horizon = Time::from_secs(1);
    scenario.run.check_every = Duration::from_millis(50);
    scenario.run.stop = stop;
    let graph = scenario.topology.graph(4, 1).expect("a ring");
    let run = run::run(protocol, &scenario, &graph, Layout::default(), watch);
    let run = run.expect("a valid network");
    (run.end, run.world.now())
}

/// How a run ends that nobody interrupts, and when.
fn ending(goal: Range<u64>, limit: u64, stop: Stop) -> (End, Time) {
    let protocol = Counters { goal, limit };
    run(&protocol, stop, |_| ControlFlow::Continue(()))
}

const SECOND: Time = Time::from_secs(1);

#[test]
fn a_run_ends_at_the_first_check_that_finds_the_goal_reached() {
    // The sums are 3, 5 and 6. What happens at 200 ms is seen by the check after it.
    let seen = Time::from_millis(250);
    assert_eq!(
        ending(5..7, 3, Stop::Converged),
        (End::Converged(seen), seen)
    );
    assert_eq!(ending(7..8, 3, Stop::Converged), (End::Horizon, SECOND));
}

#[test]
fn a_run_that_goes_on_to_its_horizon_tells_since_when_the_goal_held() {
    let seen = Time::from_millis(250);
    assert_eq!(
        ending(5..7, 3, Stop::Horizon),
        (End::Converged(seen), SECOND)
    );
    // Reached, and lost again.
    assert_eq!(ending(5..6, 3, Stop::Horizon), (End::Horizon, SECOND));
}

#[test]
fn a_broken_rule_ends_the_run_and_names_the_lowest_node() {
    let (end, now) = ending(6..7, 1, Stop::Converged);
    let seen = Time::from_millis(250);
    let End::Broken(at, violation) = end else {
        panic!("{end:?}");
    };
    assert_eq!((at, now), (seen, seen));
    let text = violation.to_string();
    assert_eq!(text, "node 2: nobody counts too far: counted to 2");
}

#[test]
fn who_watches_may_stop_the_run_and_sees_how_it_gets_on() {
    let protocol = Counters {
        goal: 6..7,
        limit: 3,
    };
    let mut seen = Vec::new();
    let (end, _) = run(&protocol, Stop::Converged, |status| {
        assert_eq!(status.horizon, SECOND);
        seen.push((status.now, status.progress.have, status.events));
        match status.now < Time::from_millis(150) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    let at = Time::from_millis;
    assert_eq!(end, End::Interrupted(at(150)));
    assert_eq!(seen, [(at(50), 0, 0), (at(100), 0, 0), (at(150), 0, 3)]);
}

/// In a complete graph with equal latencies thousands of events share a window, so that there is much to do between two checks, or between two windows.
#[test]
fn a_run_can_be_stopped_within_a_window_and_has_a_report_of_what_was() {
    let mut scenario = Scenario::new(60);
    scenario.topology = Topology::Complete;
    scenario.run.check_every = Duration::from_secs(10);
    scenario.workload = Some(Workload::Synthetic(Synthetic::held(20, 20, 100)));
    let graph = scenario.topology.graph(60, 1).expect("it is possible");
    let gossip = Gossip::new(&scenario, &graph).expect("nothing is read");
    let stopped_at = |look: u32| {
        let mut looks = 0;
        let watch = |_| {
            looks += 1;
            match looks < look {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let run = run::run(&gossip, &scenario, &graph, Layout::default(), watch);
        let run = run.expect("a valid network");
        let report = gossip::report(&gossip, &scenario, &graph, &run);
        assert_eq!(report.failure, None, "every byte is accounted for");
        (run.end, report.outcome)
    };
    let ends: Vec<_> = (1..=8).map(stopped_at).collect();
    let interrupted = |(end, outcome): &(End, Outcome)| match end {
        End::Interrupted(at) => (*outcome == Outcome::Interrupted).then_some(*at),
        _ => None,
    };
    let ends: Option<Vec<_>> = ends.iter().map(interrupted).collect();
    let mut ends = ends.expect("all were interrupted");
    assert!(ends.is_sorted());
    ends.dedup();
    assert!(ends.len() < 8, "two looks were at one window: {ends:?}");
}

/// Our own nodes, one of which takes in at the start what it should not.
struct Corrupted {
    gossip: Gossip,
    takes: fn(&Gossip) -> (Hash, &'static [u8]),
}

impl Protocol for Corrupted {
    type Node = Seated;
    type Snapshot = Holdings;

    fn start(&self, host: Host, seat: Seat<'_>) -> Seated {
        let id = seat.id;
        let seated = self.gossip.start(host, seat);
        if id == 2 {
            let (hash, body) = (self.takes)(&self.gossip);
            seated
                .node()
                .expect(HONEST)
                .publish_hashed(hash, body.into());
        }
        seated
    }

    fn snapshot(&self, node: &Seated) -> Holdings {
        self.gossip.snapshot(node)
    }

    fn progress(&self, nodes: &[(NodeId, Holdings)]) -> Progress {
        self.gossip.progress(nodes)
    }

    fn invariant(&self, nodes: &[(NodeId, Holdings)]) -> Result<(), Violation> {
        self.gossip.invariant(nodes)
    }
}

fn corrupted(takes: fn(&Gossip) -> (Hash, &'static [u8])) -> String {
    let mut scenario = Scenario::new(4);
    scenario.workload = Some(Workload::Synthetic(Synthetic {
        arrivals: Arrivals::At(Time::from_millis(500)),
        ..Synthetic::held(1, 1, 100)
    }));
    let graph = scenario.topology.graph(4, 1).expect("a ring");
    let gossip = Gossip::new(&scenario, &graph).expect("nothing is read");
    let protocol = Corrupted { gossip, takes };
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(&protocol, &scenario, &graph, Layout::default(), watch);
    match run.expect("a valid network").end {
        End::Broken(at, violation) => format!("{at}: {violation}"),
        end => panic!("{end:?}"),
    }
}

#[test]
fn a_node_that_holds_another_body_breaks_a_rule_at_the_next_check() {
    let told = corrupted(|gossip| (gossip.items()[0].hash.clone(), b"something else"));
    assert!(
        told.starts_with("100ms: node 2: bodies match their hashes: holds another body for"),
        "{told}"
    );
}

#[test]
fn a_node_that_holds_what_nobody_published_breaks_a_rule() {
    let told = corrupted(|_| (Hash::sha1(b"noise"), b"noise"));
    assert!(told.contains(": only what was published: holds "), "{told}");
}
