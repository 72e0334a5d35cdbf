//! Nodes that keep what they hold on their disks, which crashes tear, and which are full, unreadable or lost.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Duration;

use hxsim::workload::{Arrivals, Process, Synthetic, Workload};
use hxsim::{Outcome, Scenario, gossip, run};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use simnet::{DiskFailure, DiskModel, Fault, Layout, NodeId, Time};

use crate::drawn::{honest, prepare, runner, world};
use crate::life::{assert_guarantee, lively, run as run_scenario};
use crate::why::four_in_line;

const MS: Duration = Duration::from_millis(1);

/// Nodes that come, go and let go of things, and keep the rest, while bodies are published all the time, so that what a crash has taken of a log is followed by something
/// else. Cuts and the loss of disks are drawn for the ends of connections and lives that there are.
pub(crate) fn durable() -> impl Strategy<Value = Scenario> {
    let disk = prop_oneof![
        Just(DiskModel::default()),
        Just(DiskModel {
            read: MS,
            write: MS,
            sync: 20 * MS
        }),
        Just(DiskModel {
            sync: 700 * MS,
            ..DiskModel::default()
        }),
        Just(DiskModel {
            sync: 2500 * MS,
            ..DiskModel::default()
        }),
    ];
    let failing = (
        0..6_000_u64,
        1..5_000_u64,
        any::<NodeId>(),
        prop::option::of(0..5_000_u64),
    );
    let failing = prop::collection::vec(failing, 0..3);
    let cuts = prop::collection::vec((0..9_000_u64, any::<prop::sample::Index>()), 0..6);
    (lively(), disk, any::<u16>(), failing, cuts).prop_map(
        |(mut scenario, disk, lost, failing, cuts)| {
            scenario.node.durable = true;
            scenario.disk = disk;
            let publishers = scenario.nodes.min(3);
            scenario.workload = Some(Workload::Synthetic(Synthetic {
                arrivals: Arrivals::Over {
                    process: Process::Every(250 * MS),
                    from: Time::from_millis(300),
                    until: Time::from_secs(9),
                },
                ..Synthetic::held(publishers, 32 / publishers, 2_000)
            }));
            let (graph, _) = prepare(&scenario);
            let faults = std::mem::take(&mut scenario.schedule.faults);
            for (number, fault) in faults.into_iter().enumerate() {
                match fault {
                    Fault::Restart { at, node } if lost >> (number % 16) & 1 == 1 => {
                        scenario.schedule.faults.push(Fault::LoseDisk { at, node });
                    }
                    _ => {}
                }
                scenario.schedule.faults.push(fault);
            }
            let failing = failing.into_iter().map(|(at, lasts, node, capacity)| {
                let capacity = capacity.map(|capacity| DiskFailure::Full { capacity });
                Fault::FailDisk {
                    at: Time::from_millis(at),
                    until: Some(Time::from_millis(at + lasts)),
                    nodes: vec![node % scenario.nodes],
                    failure: capacity.unwrap_or(DiskFailure::Unreadable),
                }
            });
            scenario.schedule.faults.extend(failing);
            let cuts = cuts.into_iter().map(|(at, edge)| Fault::Cut {
                at: Time::from_millis(at),
                between: *edge.get(graph.edges()),
            });
            scenario.schedule.faults.extend(cuts);
            scenario
        },
    )
}

#[test]
fn durable_nodes_end_with_all_that_one_of_them_has_whatever_becomes_of_their_disks() {
    let outcome = runner(192).run(&durable(), |scenario| assert_guarantee(&scenario).map(drop));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// What was durable at a node when it stopped, it holds again in its next life, unless its disk was lost or it had let go of it. Gives back how much that was, and how
/// much was held that was not durable.
fn assert_kept(scenario: &Scenario) -> Result<(u32, u32), TestCaseError> {
    let mut lives = Vec::new();
    let faults = &scenario.schedule.faults;
    for fault in faults {
        if let Fault::Crash { at, node } | Fault::Leave { at, node } = *fault {
            let starts = scenario.schedule.lives().starts_after(node, at);
            lives.extend(starts.map(|start| (at, node, start)));
        }
    }
    let (graph, gossip) = prepare(scenario);
    let (mut kept, mut in_memory) = (0, 0);
    for (stops, node, starts) in lives {
        let mut world = world(scenario, &graph, &gossip);
        world.run_until(stops).expect("time passes");
        let before = honest(&world, node).clone();
        let (durable, others): (Vec<_>, Vec<_>) = before
            .hashes()
            .into_iter()
            .partition(|hash| before.is_durable(hash));
        in_memory += others.len() as u32;
        let is_lost = faults.iter().any(
            |it| matches!(it, Fault::LoseDisk { at, node: lost } if *lost == node && *at == starts),
        );
        // It stands at the first instant at which it has read its disk, or is down again.
        let mut now = starts;
        let after = loop {
            now += MS;
            world.run_until(now).expect("time passes");
            let after = honest(&world, node);
            if after.is_ready() || !world.is_up(node) {
                break after;
            }
        };
        for hash in durable.iter().filter(|_| after.is_ready() && !is_lost) {
            kept += 1;
            prop_assert!(
                after.is_durable(hash) || after.has_evicted(hash),
                "node {node} held {hash} when it stopped at {stops}"
            );
        }
    }
    Ok((kept, in_memory))
}

#[test]
fn what_is_durable_survives_the_life_of_its_node() {
    let total = Cell::new((0, 0));
    let outcome = runner(64).run(&durable(), |scenario| {
        let (more, others) = assert_kept(&scenario)?;
        let (kept, in_memory) = total.get();
        total.set((kept + more, in_memory + others));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let (kept, in_memory) = total.get();
    assert!(
        kept > 100 && in_memory > 20,
        "{kept}, {in_memory}: nothing is proved"
    );
}

/// The bytes of the frames of one kind.
fn frames(scenario: &Scenario, kind: &str) -> u64 {
    let report = run_scenario(scenario);
    assert_eq!(
        report.outcome,
        Outcome::Converged,
        "{}",
        report.human(false)
    );
    let frames = report.metrics.frames.iter().find(|it| it.kind == kind);
    frames.map_or(0, |frames| frames.frames)
}

#[test]
fn a_restart_with_a_disk_brings_no_body_again_and_offers_no_name_again() {
    let faults = "[[fault]]\nkind = \"crash\"\nat = \"8s\"\nnodes = [1]\n\
                  [[fault]]\nkind = \"restart\"\nat = \"9s\"\nnodes = [1]\n";
    let run = "[run]\nhorizon = \"60s\"\n";
    let scenario = |durable: &str, faults: &str| four_in_line(&format!("{run}{durable}{faults}"));
    let durable = "[node]\ndurable = true\n";
    let calm = scenario(durable, "");
    for kind in ["body", "available"] {
        assert_eq!(
            frames(&scenario(durable, faults), kind),
            frames(&calm, kind),
            "{kind}"
        );
    }
    let lost = faults.to_owned() + "disk = \"lost\"\n";
    for faulty in [scenario(durable, &lost), scenario("", faults)] {
        assert_eq!(frames(&faulty, "body"), frames(&calm, "body") + 1);
    }
}

#[test]
fn a_node_that_cannot_read_its_disk_says_so() {
    let scenario = four_in_line(
        "[run]\nhorizon = \"20s\"\n[node]\ndurable = true\n\
         [[fault]]\nkind = \"leave\"\nat = \"5s\"\nnodes = [3]\n\
         [[fault]]\nkind = \"disk_unreadable\"\nat = \"6s\"\nnodes = [3]\n\
         [[fault]]\nkind = \"restart\"\nat = \"7s\"\nnodes = [3]\n",
    );
    let (graph, gossip) = prepare(&scenario);
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(&gossip, &scenario, &graph, Layout::default(), watch);
    let report = gossip::report(&gossip, &scenario, &graph, &run.expect("a valid network"));
    assert_eq!(report.outcome, Outcome::NotConverged);
    let missing: Vec<_> = report
        .missing
        .iter()
        .map(|it| (it.node, &*it.why))
        .collect();
    let why = "the node is still about to read its disk: the disk cannot be read";
    assert_eq!(missing, [(3, why)]);
}

#[test]
fn what_a_process_left_unsynced_is_durable_once_the_next_one_says_so() {
    let life = |kind: &str, at: &str| {
        format!("[[fault]]\nkind = \"{kind}\"\nat = \"{at}\"\nnodes = [3]\n")
    };
    let faults = [
        life("leave", "1200ms"),
        life("restart", "3s"),
        // Before anything else is written and synced.
        life("crash", "3900ms"),
        life("restart", "6s"),
    ];
    let text = format!(
        "[run]\nhorizon = \"60s\"\n[node]\ndurable = true\n[disk]\nsync = \"300ms\"\n{}",
        faults.concat()
    );
    for seed in 0..20 {
        let mut scenario = four_in_line(&text);
        scenario.seed = seed;
        let kept = assert_kept(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(
            kept,
            (1, 1),
            "it was durable at 3.9 s, and not yet at 1.2 s"
        );
    }
}
