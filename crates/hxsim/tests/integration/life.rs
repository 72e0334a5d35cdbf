//! Nodes come and go, and let go of what they had.

use std::ops::ControlFlow;
use std::time::Duration;

use hash_exchange::Kind;
use hxsim::protocol::{Progress, Protocol, Seat};
use hxsim::report::{Lost, Missing};
use hxsim::run::{self, End, Status};
use hxsim::scenario::{Eviction, Stop};
use hxsim::workload::{Arrivals, Synthetic, Workload};
use hxsim::{Outcome, Report, Scenario, gossip, trial};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use simnet::{Fault, Host, Layout, Link, Links, NodeId, Probability, Schedule, Time};

use crate::drawn::{honest, prepare, runner, topologies};
use crate::snapshot::tests;
use crate::why::four_in_line;

pub(crate) fn run(scenario: &Scenario) -> Report {
    watched(scenario, |_| ControlFlow::Continue(()))
}

fn watched(scenario: &Scenario, watch: impl FnMut(Status) -> ControlFlow<()>) -> Report {
    let (graph, gossip) = prepare(scenario);
    let run = run::run(&gossip, scenario, &graph, Layout::default(), watch);
    let run = run.expect("a valid network");
    gossip::report(&gossip, scenario, &graph, &run)
}

/// Four nodes in a line with 10 ms between neighbours, looked at every millisecond; node 0 publishes "beep" at one second.
fn line(more: &str) -> Scenario {
    four_in_line(&format!("[run]\ncheck_every = \"1ms\"\n{more}"))
}

fn fault(kind: &str, at: &str, nodes: &str) -> String {
    format!("[[fault]]\nkind = \"{kind}\"\nat = \"{at}\"\nnodes = {nodes}\n")
}

fn horizon(at: &str) -> String {
    format!("horizon = \"{at}\"\n")
}

/// Who lacks "beep", and why.
fn reasons(report: &Report) -> Vec<(u32, &str)> {
    let missing = report.missing.iter();
    missing
        .map(|missing| (missing.node, &*missing.why))
        .collect()
}

#[test]
fn a_run_waits_for_those_who_are_to_come_and_measures_them_from_then_on() {
    let join = fault("join", "5s", "[3]");
    let scenario = line(&format!("{}{join}", horizon("60s")));
    let report = run(&scenario);
    assert_eq!(report.outcome, Outcome::Converged);
    let convergence = &report.metrics.convergence;
    let t100 = Duration::from_nanos(convergence.t100_ns.expect("all have it"));
    assert!(t100 > Duration::from_secs(5));
    let delay = Duration::from_nanos(convergence.delay_max_ns.expect("it came"));
    assert!(
        delay <= scenario.stream.retransmit_cap,
        "node 2 tries to reach it for as long as it is not there: {delay:?}"
    );
    assert_eq!((convergence.pairs, convergence.delivered), (3, 3));
}

#[test]
fn a_fault_that_is_yet_to_come_keeps_the_run_going_although_all_have_everything() {
    let faults = fault("crash", "30s", "[1]") + &fault("restart", "35s", "[1]");
    let report = run(&line(&format!("{}{faults}", horizon("60s"))));
    assert_eq!(report.outcome, Outcome::Converged);
    assert!(report.ended_ns > 35_000_000_000);
    assert_eq!(
        report.faults.len(),
        1,
        "going and coming back are one thing"
    );
    assert_eq!(report.faults[0].until_ns, Some(35_000_000_000));
    let frames = |kind: Kind| {
        let mut frames = report.metrics.frames.iter();
        let count = frames.find(|count| count.kind == kind.name());
        count.expect("every kind is there").frames
    };
    // Three deliveries, and one more to the node that had forgotten.
    assert_eq!(frames(Kind::Body), 4);
    assert_eq!(
        report.metrics.overhead.duplicate_factor.to_string(),
        "1.0000"
    );
    assert_eq!(report.metrics.convergence.delivered, 3);
}

#[test]
fn what_a_node_has_sent_counts_although_it_is_gone() {
    let report = run(&line(&format!(
        "{}{}",
        horizon("60s"),
        fault("leave", "10s", "[1]")
    )));
    assert_eq!(report.outcome, Outcome::Converged);
    let convergence = &report.metrics.convergence;
    assert_eq!((convergence.pairs, convergence.delivered), (2, 2));
    let bodies = report.metrics.frames.iter().find(|it| it.kind == "body");
    assert_eq!(bodies.expect("every kind is there").frames, 3);
    let hops = report.metrics.overhead.ldh_max;
    assert_eq!(hops, 3, "the way led over the node that is gone");
}

#[test]
fn what_only_a_node_had_that_is_gone_is_lost_and_missed_by_nobody() {
    let crash = fault("crash", "1015ms", "[0]");
    let report = run(&line(&format!("{}{crash}", horizon("60s"))));
    assert_eq!(report.outcome, Outcome::Converged);
    let hash = "38d8fe5c3c0aa4ec4f2b3ce32e2a7d6bd3d4bb7a";
    assert_eq!(report.missing, []);
    let [Lost { hash: lost, .. }] = &report.lost[..] else {
        panic!("{:?}", report.lost);
    };
    assert_eq!(lost[..8], hash[..8]);
    let convergence = &report.metrics.convergence;
    assert_eq!((convergence.pairs, convergence.published), (3, 0));
    assert!(
        report
            .human(false)
            .contains("out of reach 3 of them: the hash is lost")
    );
}

#[test]
fn a_publisher_that_comes_back_publishes_again() {
    for stop in ["crash", "leave"] {
        let faults = fault(stop, "1015ms", "[0]") + &fault("restart", "3s", "[0]");
        let report = run(&line(&format!("{}{faults}", horizon("60s"))));
        assert_eq!((report.outcome, report.lost.len()), (Outcome::Converged, 0));
        assert_eq!(report.metrics.convergence.delivered, 3);
        assert!(report.metrics.convergence.t50_ns > Some(3_000_000_000));
    }
}

#[test]
fn a_node_that_is_gone_parts_those_behind_it() {
    let leave = fault("leave", "500ms", "[1]");
    let report = run(&line(&format!("{}{leave}", horizon("60s"))));
    assert_eq!(report.outcome, Outcome::Converged, "nobody can have it");
    assert_eq!(report.lost, []);

    let report = run(&line(&format!(
        "goal = \"union\"\n{}{leave}",
        horizon("60s")
    )));
    assert_eq!(report.outcome, Outcome::NotConverged);
    let why = "never offered: the nearest holder is node 0, \
               and node 1 on the way is down: it left at 500ms (fault.0) for good";
    assert_eq!(reasons(&report), [(2, why), (3, why)]);
}

#[test]
fn a_run_that_is_stopped_too_early_says_who_was_away() {
    let faults = fault("join", "10s", "[3]")
        + &fault("crash", "1035ms", "[2]")
        + &fault("restart", "20s", "[2]");
    let scenario = line(&format!("{}{faults}", horizon("60s")));
    let report = watched(&scenario, |status| match status.now {
        now if now < Time::from_secs(5) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(
        reasons(&report),
        [
            (
                2,
                "the node is down: it crashed at 1.035s (fault.1) and restarts at 20s"
            ),
            (3, "the node is down: it joins at 10s (fault.0)"),
        ]
    );
}

#[test]
fn a_connection_that_ended_because_its_other_end_was_down_says_so() {
    let faults = fault("crash", "1015ms", "[0]") + &fault("restart", "40s", "[0]");
    let report = run(&line(&format!("{}{faults}", horizon("40005ms"))));
    assert_eq!(
        reasons(&report)[0],
        (
            1,
            "never offered: held by node 0, but the connection ended at 31.01s (transport: timed out), \
             while node 0 was down: it crashed at 1.015s (fault.0) and restarts at 40s"
        )
    );
    let faults = fault("crash", "1015ms", "[1]") + &fault("restart", "40s", "[1]");
    let report = run(&line(&format!("{}{faults}", horizon("40005ms"))));
    assert_eq!(
        reasons(&report)[0],
        (
            1,
            "never offered: held by node 0, but there was no connection since node 1 started at 40s"
        )
    );
}

#[test]
fn what_a_node_has_let_go_of_it_need_not_have() {
    let evict = |nodes: &str| fault("evict", "5s", nodes) + "bodies = [0]\n";
    let report = run(&line(&format!("{}{}", horizon("60s"), evict("[1, 3]"))));
    assert_eq!(report.outcome, Outcome::Converged);
    assert!(report.ended_ns > 5_000_000_000);
    let convergence = &report.metrics.convergence;
    assert_eq!((convergence.pairs, convergence.delivered), (1, 1));
    assert_eq!(report.metrics.overhead.ldh_max, 3);
    assert_eq!((report.missing.len(), report.lost.len()), (0, 0));
    let nodes: Vec<_> = report.faults.iter().map(|it| (it.kind, it.node)).collect();
    assert_eq!(nodes, [("evict", Some(1)), ("evict", Some(3))]);

    let report = run(&line(&format!("{}{}", horizon("60s"), evict("\"0..4\""))));
    assert_eq!(report.outcome, Outcome::Converged);
    assert_eq!((report.missing.len(), report.lost.len()), (0, 1));
    assert_eq!(report.metrics.convergence.pairs, 0);
}

#[test]
fn what_a_relay_has_let_go_of_does_not_pass_it() {
    let evict = fault("evict", "5s", "[2]") + "bodies = [0]\n";
    let join = fault("join", "10s", "[3]");
    let report = run(&line(&format!("{}{evict}{join}", horizon("60s"))));
    assert_eq!(report.outcome, Outcome::NotConverged);
    let why =
        "never offered: node 2 let go of it, on the way to the nearest holder, node 1, 2 hops away";
    assert_eq!(reasons(&report), [(3, why)]);
}

#[test]
fn a_seed_makes_dated_faults_of_churn_and_the_report_lists_them() {
    let path = tests().join("life/churn.toml");
    let mut scenario = Scenario::load(&path, &[]).unwrap_or_else(|bad| panic!("{bad}"));
    let faults = scenario.faults().faults;
    assert_eq!(scenario.faults().faults, faults);
    let crashes = faults.iter().filter(|it| matches!(it, Fault::Crash { .. }));
    let report = run(&scenario);
    let listed: Vec<_> = report.faults.iter().map(|it| (it.kind, it.at_ns)).collect();
    let expected: Vec<_> = crashes.map(|it| ("crash", it.at().as_nanos())).collect();
    assert_eq!(listed, expected);
    assert!(listed.len() > 20 && report.faults.iter().all(|it| it.until_ns.is_some()));
    assert_eq!(scenario.fault_name(3), "churn");

    // The same as data, without the rule.
    let digest = report.digest;
    scenario.schedule = scenario.faults();
    scenario.churn = None;
    assert_eq!(run(&scenario).digest, digest);
    scenario.seed += 1;
    assert_ne!(run(&scenario).digest, digest);
    let mut other = Scenario::load(&path, &[]).expect("it is as before");
    other.seed += 1;
    assert_ne!(other.faults().faults, faults);
}

/// Nodes of another kind, which write down each start of theirs on what stands for a disk.
struct Starts;

impl Protocol for Starts {
    type Node = Vec<(Time, u32)>;
    type Snapshot = Vec<(Time, u32)>;

    fn start(&self, host: Host, _: Seat<'_>) -> Self::Node {
        vec![(host.now(), host.incarnation())]
    }

    fn restart(&self, host: Host, seat: Seat<'_>, mut before: Self::Node) -> Self::Node {
        before.extend(self.start(host, seat));
        before
    }

    fn snapshot(&self, node: &Self::Node) -> Self::Snapshot {
        node.clone()
    }

    fn progress(&self, nodes: &[(NodeId, Self::Snapshot)]) -> Progress {
        Progress {
            have: nodes.len() as u64,
            of: 3,
        }
    }
}

#[test]
fn nodes_of_any_kind_are_started_again_and_given_what_was_kept() {
    let s = Time::from_secs;
    let mut scenario = Scenario::new(3);
    scenario.schedule.faults = vec![
        Fault::Join { at: s(1), node: 0 },
        Fault::Crash { at: s(2), node: 1 },
        Fault::Restart { at: s(3), node: 1 },
    ];
    let graph = scenario.topology.graph(3, 1).expect("a ring");
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(&Starts, &scenario, &graph, Layout::default(), watch);
    let run = run.expect("a valid network");
    let seen = s(3) + scenario.run.check_every;
    assert_eq!(
        run.end,
        End::Converged(seen),
        "it was complete from 1 s to 2 s as well"
    );
    let starts: Vec<_> = run.world.nodes().cloned().collect();
    assert_eq!(
        starts,
        [
            vec![(s(1), 0)],
            vec![(Time::ZERO, 0), (s(3), 1)],
            vec![(Time::ZERO, 0)]
        ]
    );
}

/// Nodes come, go and let go of things, behind lossy links and partitions.
pub(crate) fn lively() -> impl Strategy<Value = Scenario> {
    (
        topologies(8),
        any::<u64>(),
        prop_oneof![Just(0), Just(50_000)],
    )
        .prop_flat_map(|((nodes, topology), seed, loss)| {
            let ms = Duration::from_millis;
            let link = Link::uniform(ms(10), ms(40)).with_loss(Probability::from_ppm(loss));
            let mut base = Scenario {
                seed,
                topology,
                links: Links::all(link),
                workload: Some(Workload::Synthetic(Synthetic {
                    arrivals: Arrivals::At(Time::from_millis(300)),
                    ..Synthetic::held(nodes.min(3), 2, 2_000)
                })),
                ..Scenario::new(nodes)
            };
            base.stream.timeout = Duration::from_secs(5);
            base.run.horizon = Time::from_secs(300);
            base.run.stop = Stop::Converged;
            let split = (0..3_000_u64, 1..4_000_u64, 0..nodes);
            let evictions = prop::collection::vec((301..6_000_u64, 0..nodes, 0..6_u32), 0..4);
            (lives(nodes), prop::option::of(split), evictions).prop_map(
                move |(mut faults, split, evictions)| {
                    faults.extend(split.map(|(at, lasts, node)| Fault::Partition {
                        at: Time::from_millis(at),
                        until: Some(Time::from_millis(at + lasts)),
                        groups: vec![vec![node]],
                    }));
                    let bodies = 2 * nodes.min(3);
                    let evictions = evictions.into_iter().map(|(at, node, body)| Eviction {
                        at: Time::from_millis(at),
                        nodes: vec![node],
                        bodies: vec![body % bodies],
                    });
                    Scenario {
                        schedule: Schedule { faults },
                        evictions: evictions.collect(),
                        ..base.clone()
                    }
                },
            )
        })
}

/// A life of each node: it may join late, and then stops and starts in turn at these times.
fn lives(nodes: u32) -> impl Strategy<Value = Vec<Fault>> {
    let life = |node: NodeId| {
        let times = prop::collection::btree_set(0..6_000_u64, 0..5);
        (any::<bool>(), times, any::<u8>()).prop_map(move |(joins, times, crashes)| {
            let mut up = !joins;
            let times = times.into_iter().enumerate();
            let faults = times.map(|(number, at)| {
                let at = Time::from_millis(at);
                up = !up;
                match (up, number) {
                    (true, 0) => Fault::Join { at, node },
                    (true, _) => Fault::Restart { at, node },
                    (false, _) if crashes >> number & 1 == 1 => Fault::Crash { at, node },
                    (false, _) => Fault::Leave { at, node },
                }
            });
            faults.collect::<Vec<_>>()
        })
    };
    let all: Vec<_> = (0..nodes).map(life).collect();
    all.prop_map(|faults| faults.concat())
}

/// Those who are there at the end have all that one of them has, but for what somebody has let go of.
pub(crate) fn assert_guarantee(scenario: &Scenario) -> Result<Report, TestCaseError> {
    let (graph, gossip) = prepare(scenario);
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(&gossip, scenario, &graph, Layout::default(), watch);
    let run = run.expect("a valid network");
    let report = gossip::report(&gossip, scenario, &graph, &run);
    // Who lets go of something passes it on no more, which may keep it from others.
    let kept_from = |missing: &Missing| missing.why.contains(" let go of it, ");
    prop_assert!(
        report.missing.iter().all(kept_from),
        "{}",
        report.human(false)
    );
    let complete = report.missing.is_empty();
    let outcomes = [Outcome::NotConverged, Outcome::Converged];
    prop_assert_eq!(report.outcome, outcomes[usize::from(complete)]);
    // Told without the runner's notion of what is wanted: neighbours have the same, but for what one of them let go of.
    let lives = scenario.faults().lives();
    let started = |node| lives.up_since(node, run.world.now());
    let holds = |node: NodeId, item: usize| {
        let hash = &gossip.items()[item].hash;
        honest(&run.world, node).holds(hash)
    };
    let let_go = |node: NodeId, item: usize| {
        scenario.evictions.iter().any(|eviction| {
            eviction.nodes == [node]
                && eviction.bodies == [item as u32]
                && (scenario.node.durable || eviction.at >= started(node))
        })
    };
    let up = run.world.nodes_up().map(|(node, _)| node);
    let up: Vec<_> = up
        .filter(|node| !scenario.roles.contains_key(node))
        .collect();
    for (a, b) in graph
        .edges()
        .iter()
        .filter(|(a, b)| up.contains(a) && up.contains(b))
    {
        for item in 0..gossip.items().len() {
            let same = holds(*a, item) == holds(*b, item);
            prop_assert!(
                same || let_go(*a, item) || let_go(*b, item),
                "{a}, {b}: {item}"
            );
        }
    }
    for (number, item) in gossip.items().iter().enumerate() {
        let own = item.holders.iter().filter(|node| up.contains(node));
        for node in own {
            prop_assert!(holds(*node, number) || let_go(*node, number));
        }
        let lost = report
            .lost
            .iter()
            .any(|lost| lost.hash == item.hash.to_string());
        let held = up.iter().any(|node| holds(*node, number));
        // What was to be published later, by somebody who is gone for good, nobody has had.
        prop_assert_eq!(lost, !held && item.at < run.world.now(), "{}", item.hash);
    }
    let digest = trial::verify(&gossip, scenario).expect("a valid network");
    prop_assert_eq!(digest, Ok(run.world.digest()));
    Ok(report)
}

#[test]
fn those_who_are_there_at_the_end_have_all_that_one_of_them_has() {
    let outcome = runner(96).run(&lively(), |scenario| assert_guarantee(&scenario).map(drop));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
