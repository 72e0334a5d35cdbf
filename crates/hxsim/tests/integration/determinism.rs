//! One seed is one history: however it is computed, and whoever else is there.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hxsim::Scenario;
use hxsim::gossip::Gossip;
use hxsim::run::{self, End};
use hxsim::scenario::Stop;
use hxsim::topology::{Graph, Topology};
use hxsim::trial;
use hxsim::workload::{Arrivals, Synthetic, Workload};
use proptest::prelude::*;
use simnet::{Access, Bandwidth, Fault, Layout, Link, Links, Probability, Schedule, Time};

use crate::drawn::{HONEST, prepare, runner, topologies};

/// The scenarios of the repository.
fn scenarios() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims");
    let entries = fs::read_dir(directory).expect("the repository has scenarios");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "the repository has scenarios");
    paths
}

/// Everything that must not depend on how a history is computed.
fn history(
    scenario: &Scenario,
    graph: &Graph,
    gossip: &Gossip,
    layout: Layout,
) -> (End, u64, Vec<u64>) {
    let run = run::run(gossip, scenario, graph, layout, |_| {
        ControlFlow::Continue(())
    });
    let run = run.expect("a valid network");
    (run.end, run.world.digest(), run.world.node_digests())
}

#[test]
fn every_scenario_has_one_history_on_any_number_of_shards_in_any_order() {
    let layout = Layout::default();
    let others = [
        Layout {
            shards: 2,
            ..layout
        },
        Layout {
            shards: 3,
            ..layout
        },
        Layout {
            reverse: true,
            ..layout
        },
        Layout {
            windows: 2,
            ..layout
        },
    ];
    for path in scenarios() {
        let scenario = Scenario::load(&path, &[]).unwrap_or_else(|bad| panic!("{bad}"));
        let (graph, gossip) = prepare(&scenario);
        let one = history(&scenario, &graph, &gossip, layout);
        for other in others {
            let same = history(&scenario, &graph, &gossip, other) == one;
            assert!(same, "{} has another history in {other:?}", scenario.name);
        }
    }
}

/// A network in which much goes wrong, and which runs on to its horizon.
fn troubled() -> impl Strategy<Value = Scenario> {
    let cut = (0..3_000_u64, any::<u32>(), any::<u32>());
    let cuts = prop::collection::vec(cut, 0..4);
    let split = (0..3_000_u64, 1..2_000_u64, any::<u32>());
    let rates = prop::option::of((20_000..2_000_000_u64, 20_000..2_000_000_u64));
    (
        topologies(12),
        any::<u64>(),
        cuts,
        prop::option::of(split),
        rates,
    )
        .prop_map(|((nodes, topology), seed, cuts, split, rates)| {
            let ms = Duration::from_millis;
            let link = Link::uniform(ms(20), ms(80)).with_loss(Probability::from_ppm(50_000));
            let cuts = cuts.into_iter().map(|(at, a, b)| Fault::Cut {
                at: Time::from_millis(at),
                between: (a % nodes, b % nodes),
            });
            let split = split.map(|(at, lasts, node)| Fault::Partition {
                at: Time::from_millis(at),
                until: Some(Time::from_millis(at + lasts)),
                groups: vec![vec![node % nodes]],
            });
            let mut scenario = Scenario {
                seed,
                topology,
                links: Links::all(link),
                workload: Some(Workload::Synthetic(Synthetic {
                    arrivals: Arrivals::At(Time::from_millis(300)),
                    ..Synthetic::held(nodes.min(3), 3, 2_000)
                })),
                schedule: Schedule {
                    faults: cuts.chain(split).collect(),
                },
                ..Scenario::new(nodes)
            };
            scenario.stream.split = Probability::from_ppm(200_000);
            if let Some((link, access)) = rates {
                let links = &mut scenario.links;
                links.default.bandwidth = Bandwidth::per_second(link);
                links.access = Access {
                    up: Bandwidth::per_second(access),
                    down: Bandwidth::per_second(access * 2),
                };
            }
            scenario.run.horizon = Time::from_secs(10);
            scenario.run.stop = Stop::Horizon;
            scenario
        })
}

#[test]
fn a_seed_has_one_history_and_another_seed_another() {
    let outcome = runner(64).run(&troubled(), |mut scenario| {
        let (graph, gossip) = prepare(&scenario);
        let verdict = trial::verify(&gossip, &scenario).expect("a valid network");
        let digest = verdict.map_err(|difference| TestCaseError::fail(difference.to_string()))?;
        let again = history(&scenario, &graph, &gossip, Layout::default());
        prop_assert_eq!(again.1, digest);

        scenario.seed = !scenario.seed;
        let (_, other, _) = history(&scenario, &graph, &gossip, Layout::default());
        prop_assert_ne!(other, digest, "the seed decides");
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_node_that_nobody_knows_changes_nobodys_history() {
    let outcome = runner(64).run(&troubled(), |scenario| {
        let (graph, gossip) = prepare(&scenario);
        let (_, _, without) = history(&scenario, &graph, &gossip, Layout::default());

        let more = Scenario {
            nodes: scenario.nodes + 1,
            topology: Topology::Edges(graph.edges().to_vec()),
            ..scenario
        };
        let (graph, gossip) = prepare(&more);
        let (_, _, with) = history(&more, &graph, &gossip, Layout::default());
        let (_, known) = with.split_last().expect("there are nodes");
        prop_assert_eq!(known, without);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn files_are_whole_on_every_node() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims/files.toml");
    let mut scenario = Scenario::load(&path, &[]).unwrap_or_else(|bad| panic!("{bad}"));
    // Files that nobody edits.
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    scenario.workload = Some(Workload::Directory {
        path: directory.clone(),
        arrivals: Arrivals::At(Time::ZERO),
    });
    let (graph, gossip) = prepare(&scenario);
    let run = run::run(&gossip, &scenario, &graph, Layout::default(), |_| {
        ControlFlow::Continue(())
    });
    let run = run.expect("a valid network");
    assert!(matches!(run.end, End::Converged(_)), "{:?}", run.end);

    let mut files = 0;
    for item in gossip.items() {
        let name = item.name.as_ref().expect("items are files");
        let content = fs::read(directory.join(name)).expect("the file is still there");
        files += 1;
        for seated in run.world.nodes() {
            let body = seated.node().expect(HONEST).body(&item.hash);
            assert!(
                body.as_deref() == Some(&content),
                "{name} is whole everywhere"
            );
        }
    }
    assert!(files > 50, "only {files} files");
}
