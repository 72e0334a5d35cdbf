use hash_exchange::{Kind, Tag};
use hxsim::metrics::NetworkTotals;
use hxsim::report::{Env, Failure, Lost, Missing, Outcome, Report};
use hxsim::topology::Topology;
use hxsim::{Scenario, metrics::Metrics};
use simnet::{Fault, Time};

use crate::metrics::World;
use crate::snapshot::{assert_snapshot, tests};

/// Nodes 0 to 11 hear of two bodies while the other half is cut off, and the rest once the split has healed.
fn split(reached: u32) -> World {
    let mut world = World::new(
        &Topology::Ring,
        24,
        &[(1_000, &[0], 0), (500, &[1, 2], 100)],
    );
    for node in 3..reached {
        let late = if node < 12 { 0 } else { 1_900 };
        world.deliver(0, 60 * u64::from(node) + late, node - 1, node, node % 3);
        world.deliver(1, 100 + 50 * u64::from(node) + late, node - 1, node, 0);
    }
    world.deliver(0, 40, 0, 1, 0);
    world.deliver(0, 80, 1, 2, 0);
    world.deliver(1, 150, 1, 0, 0);
    let tag = |kind, content| Tag {
        kind,
        content,
        framing: 9,
    };
    for (node, tally) in world.tallies.iter_mut().enumerate() {
        tally.extend(Kind::ALL.map(|kind| tag(kind, 100 + node as u32)));
        world.node_bytes[node] = tally.total_bytes();
    }
    world.network = NetworkTotals {
        accepted: 44_000,
        delivered: 43_000,
        discarded: 400,
        in_flight: 600,
        retransmitted: 12_345,
        segments: 567,
    };
    world
}

fn scenario() -> Scenario {
    let mut scenario = Scenario::new(24);
    scenario.name = "split-ring".into();
    scenario.question =
        "Does a ring that was split while its nodes published catch up after it heals, & at what cost?".into();
    scenario.schedule.faults = vec![
        Fault::Cut {
            at: Time::from_millis(2_900),
            between: (3, 4),
        },
        Fault::Partition {
            at: Time::from_millis(500),
            until: Some(Time::from_millis(2_000)),
            groups: vec![(0..12).collect()],
        },
    ];
    scenario
}

fn report(outcome: Outcome, ended: Time, world: &World) -> Report {
    let metrics: Metrics = world.metrics();
    let sizes = (world.graph.edges().len() as u64, world.items.len() as u64);
    Report::new(
        &scenario(),
        0x0123_4567_89ab_cdef,
        outcome,
        ended,
        sizes,
        metrics,
    )
}

fn assert_report(name: &str, report: &Report) {
    let path = |extension: &str| {
        tests()
            .join("snapshots")
            .join(format!("{name}.{extension}"))
    };
    assert_snapshot(&path("txt"), &report.human(false));
    assert_snapshot(&path("json"), &report.json());
    assert_snapshot(&path("svg"), &report.svg());
}

#[test]
fn a_run_that_converged() {
    let report = report(Outcome::Converged, Time::from_millis(3_300), &split(24));
    assert_report("converged", &report);
}

#[test]
fn a_run_in_which_things_went_wrong() {
    let mut report = report(Outcome::InvariantBroken, Time::from_secs(4), &split(20));
    report.failure = Some(Failure {
        check: "converged".into(),
        node: Some(20),
        at_ns: 4_000_000_000,
        detail: "2 hashes are missing".into(),
    });
    report.env = Some(Env {
        wall_ns: 1_234_567,
        machine: "linux x86_64".into(),
    });
    let missing = (20..24).flat_map(|node| {
        [
            ("notes/a.md", "offered by 19, asked 19"),
            ("b.txt", "no neighbour offered it"),
        ]
        .map(|(name, why)| Missing {
            node,
            hash: "38d8fe5c3796e1b93ceb59dcdb879c010507e64a".into(),
            name: Some(name.into()),
            why: why.into(),
        })
    });
    let lost = Lost {
        hash: "38d8fe5c3796e1b93ceb59dcdb879c010507e64a".into(),
        name: None,
    };
    let report = report
        .with_missing(missing.collect(), 8)
        .with_lost(vec![lost]);
    assert_report("broken", &report);
}

#[test]
fn a_run_of_one_node_that_had_nothing_to_do() {
    let mut scenario = Scenario::new(1);
    scenario.question = "What if nothing happens?".into();
    let world = World::new(&Topology::Ring, 1, &[]);
    let metrics = world.metrics();
    let report = Report::new(
        &scenario,
        0,
        Outcome::Converged,
        Time::ZERO,
        (0, 0),
        metrics,
    );
    assert_report("nothing", &report);
}

#[test]
fn a_terminal_shows_a_summary_at_once() {
    let report = report(Outcome::Converged, Time::from_millis(3_300), &split(24));
    let human = report.human(false);
    assert!(human.lines().count() <= 35);
    assert!(human.lines().all(|line| line.chars().count() <= 100));
    assert!(!human.contains('\u{1b}'), "no colour unless told");
    assert!(report.human(true).starts_with("\u{1b}[1;32m✓ converged"));
}

#[test]
fn lists_end_but_totals_do_not() {
    let one = |node| Missing {
        node,
        hash: "h".into(),
        name: None,
        why: "?".into(),
    };
    let report = report(Outcome::NotConverged, Time::from_secs(4), &split(20));
    let report = report.with_missing((0..100).map(one).collect(), 1_000);
    assert_eq!((report.missing.len(), report.missing_total), (100, 1_000));
    assert!(report.human(false).contains("and 995 more"));
}

#[test]
fn every_outcome_has_its_exit_code() {
    let outcomes = [
        (Outcome::Converged, 0),
        (Outcome::NotConverged, 10),
        (Outcome::InvariantBroken, 11),
        (Outcome::Inconclusive, 20),
        (Outcome::Interrupted, 130),
    ];
    for (outcome, code) in outcomes {
        assert_eq!(outcome.exit_code(), code);
    }
}
