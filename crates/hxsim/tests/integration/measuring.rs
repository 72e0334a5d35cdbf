//! Figures of a part of a run: after warming up, and before the last items spread.

use std::ops::ControlFlow;
use std::time::Duration;

use hxsim::Scenario;
use hxsim::churn::{Churn, Exit, Span, Varying};
use hxsim::gossip;
use hxsim::metrics::Ratio;
use hxsim::report::{Outcome, Report};
use hxsim::run;
use hxsim::scenario::{Eviction, Measure, Stop};
use hxsim::topology::Topology;
use hxsim::workload::{Arrivals, Process, Publishers, Synthetic, Turns, Workload};
use proptest::prelude::*;
use simnet::{Fault, Layout, Link, Links, Probability, Time};

use crate::drawn::prepare;

/// A body each 100 ms from one to five seconds, of any node; the last of them needs a moment more.
fn stream() -> Scenario {
    let mut scenario = Scenario::new(16);
    let ms = Duration::from_millis;
    scenario.topology = Topology::Hypercube;
    scenario.links =
        Links::all(Link::uniform(ms(20), ms(60)).with_loss(Probability::from_ppm(20_000)));
    scenario.workload = Some(Workload::Synthetic(Synthetic {
        arrivals: Arrivals::Over {
            process: Process::Every(ms(100)),
            from: Time::from_secs(1),
            until: Time::from_secs(5),
        },
        turns: Turns::Drawn,
        ..Synthetic::held(16, u32::MAX, 500)
    }));
    scenario.run.horizon = Time::from_secs(10);
    scenario
}

/// The same with nodes that join late, come, go, crash, and let go of bodies.
fn comings_and_goings() -> Scenario {
    let mut scenario = stream();
    let ms = Duration::from_millis;
    let span = |mean| Span {
        floor: ms(100),
        varying: Varying::Exponential(ms(mean)),
    };
    scenario.churn = Some(Churn {
        nodes: (4..16).collect(),
        share: Probability::from_ppm(500_000),
        exit: Exit::Crash,
        session: span(1_500),
        absence: span(700),
        from: Time::ZERO,
        until: None,
    });
    let s = Time::from_secs;
    scenario.schedule.faults = vec![
        Fault::Join { at: s(2), node: 1 },
        Fault::Leave { at: s(3), node: 2 },
    ];
    scenario.evictions = vec![Eviction {
        at: s(4),
        nodes: vec![0, 5],
        bodies: vec![0, 1, 2, 20],
    }];
    scenario
}

fn measured(mut scenario: Scenario, from: u64, until: u64) -> Report {
    scenario.measure = Some(Measure {
        from: Time::from_millis(from),
        until: Time::from_millis(until),
    });
    report(&scenario)
}

fn report(scenario: &Scenario) -> Report {
    let (graph, protocol) = prepare(scenario);
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(&protocol, scenario, &graph, Layout::default(), watch);
    let run = run.expect("a valid network");
    gossip::report(&protocol, scenario, &graph, &run)
}

#[test]
fn an_interval_has_its_own_items_and_the_whole_history() {
    let whole = report(&stream());
    let part = measured(stream(), 2_000, 4_000);
    assert_eq!((whole.items, part.items), (40, 40));
    assert_eq!(part.outcome, Outcome::Converged);
    assert_eq!(part.digest, whole.digest, "who measures changes nothing");
    let interval = part.measured.as_ref().expect("there is an interval");
    assert_eq!(
        (interval.from_ns, interval.until_ns),
        (2_000_000_000, 4_000_000_000)
    );
    assert_eq!(interval.items, 20);
    let convergence = &part.metrics.convergence;
    assert_eq!(
        (convergence.pairs, convergence.delivered),
        (20 * 15, 20 * 15)
    );
    assert!(
        convergence.t50_ns > Some(2_000_000_000),
        "since the start of the run"
    );
    assert!(
        part.human(false)
            .contains("measured    20 hashes of 2 s to 4 s")
    );
    assert!(
        part.svg()
            .contains("deliveries of what was published from 2 s to 4 s over")
    );
    assert!(
        part.json()
            .contains("\"measured\": {\n    \"from_ns\": 2000000000,")
    );
    assert!(
        !whole.json().contains("measured"),
        "nothing is said of what is not there"
    );
}

#[test]
fn what_is_before_the_interval_does_not_count() {
    let mut scenario = stream();
    scenario.links = Links::all(Link::constant(Duration::from_millis(20)));
    let held = Workload::Synthetic(Synthetic::held(16, 1, 500));
    let later = scenario.workload.take().expect("a stream");
    scenario.workload = Some(Workload::Several(vec![held, later]));
    let of = |from, until| measured(scenario.clone(), from, until);
    let items = |report: &Report| report.measured.as_ref().map(|measured| measured.items);

    let start = of(0, 950);
    assert_eq!(items(&start), Some(16));
    assert!(start.metrics.overhead.node_bytes_max > 500);
    let idle = of(950, 1_000);
    assert_eq!((items(&idle), idle.metrics.network.accepted), (Some(0), 0));
    assert_eq!(idle.metrics.overhead.node_bytes_max, 0);
    let one = of(1_000, 1_100);
    assert_eq!(items(&one), Some(1));
    assert!(one.metrics.network.accepted > 0);
    // The body went over some of the edges, and hashes alone over the others.
    assert!(one.metrics.overhead.idle_bytes_per_edge.denominator < 32);
    assert_eq!(idle.metrics.overhead.idle_bytes_per_edge.denominator, 32);
}

/// Fourteen nodes join long after the interval: what they get of its items came over wires that were not counted then.
#[test]
fn bytes_of_an_interval_are_those_of_its_own_deliveries() {
    let mut scenario = stream();
    scenario.links = Links::all(Link::constant(Duration::from_millis(10)));
    if let Some(Workload::Synthetic(bodies)) = &mut scenario.workload {
        bodies.publishers = Publishers::First(2);
    }
    let join = |node| Fault::Join {
        at: Time::from_secs(7),
        node,
    };
    scenario.schedule.faults = (2..16).map(join).collect();
    // The two first dial in vain for a while, and wait longer each time.
    scenario.run.horizon = Time::from_secs(60);
    let report = measured(scenario, 2_000, 5_050);
    assert_eq!(report.outcome, Outcome::Converged);
    assert_eq!(report.metrics.convergence.delivered, 30 * 15);
    let body = report.metrics.frames.iter().find(|it| it.kind == "body");
    let body = body.expect("every kind is there");
    assert_eq!((body.frames, body.content), (30, 30 * 500));
    let overhead = &report.metrics.overhead;
    let wire = report.metrics.network.accepted;
    let control = Ratio::new(wire - body.content, 30);
    assert_eq!(overhead.control_bytes_per_delivery, control);
    assert_eq!(overhead.traffic_over_ideal, Ratio::new(wire, body.content));
}

#[test]
fn a_run_does_not_end_before_its_interval() {
    let until = |ms| measured(stream(), 1_000, ms).ended_ns;
    let ended = report(&stream()).ended_ns;
    assert!(ended < 7_000_000_000);
    assert_eq!(until(5_000), ended);
    assert_eq!(until(8_000), 8_000_000_000);
}

#[test]
fn an_interval_that_a_run_never_reached_is_empty() {
    let mut scenario = stream();
    scenario.measure = Some(Measure {
        from: Time::from_secs(4),
        until: Time::from_secs(5),
    });
    let (graph, protocol) = prepare(&scenario);
    let watch = |status: run::Status| match status.now < Time::from_secs(2) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let run = run::run(&protocol, &scenario, &graph, Layout::default(), watch);
    let report = gossip::report(&protocol, &scenario, &graph, &run.expect("a valid network"));
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(report.metrics.network.accepted, 0);
    let interval = report.measured.expect("there is an interval");
    assert_eq!(interval.from_ns, interval.until_ns);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Three intervals that follow each other count what the whole run does: every frame and byte once, and every item and its deliveries.
    #[test]
    fn intervals_add_up(seed: u64, lively: bool, one in 1..9_999_u64, other in 1..9_999_u64) {
        prop_assume!(one != other);
        let mut scenario = if lively { comings_and_goings() } else { stream() };
        scenario.seed = seed;
        scenario.run.stop = Stop::Horizon;
        let whole = report(&scenario);
        let cuts = [0, one.min(other), one.max(other), 10_000];
        let parts: Vec<Report> = cuts
            .windows(2)
            .map(|cut| measured(scenario.clone(), cut[0], cut[1]))
            .collect();
        let sum = |of: fn(&Report) -> u64| parts.iter().map(of).sum::<u64>();
        let figures: [fn(&Report) -> u64; 8] = [
            |report| report.metrics.network.accepted,
            |report| report.metrics.network.delivered,
            |report| report.metrics.network.discarded,
            |report| report.metrics.network.segments,
            |report| report.metrics.convergence.pairs,
            |report| report.metrics.convergence.delivered,
            |report| report.metrics.convergence.published,
            |report| report.metrics.frames.iter().map(|frame| frame.frames + frame.content + frame.framing).sum(),
        ];
        for figure in figures {
            prop_assert_eq!(sum(figure), figure(&whole));
        }
        prop_assert_eq!(sum(|report| report.measured.as_ref().map_or(0, |it| it.items)), whole.items);
        prop_assert_eq!(&parts[2].digest, &whole.digest);
    }
}
