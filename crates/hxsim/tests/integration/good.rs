use std::fs;
use std::path::Path;
use std::time::Duration;

use hxsim::Scenario;
use hxsim::churn::{Churn, Exit, Span, Varying};
use hxsim::scenario::{Eviction, Goal, NodeOptions, RunOptions, Stop, Strategy};
use hxsim::topology::Topology;
use hxsim::workload::{Body, Item, Workload};
use proptest::prelude::*;
use simnet::{Fault, Jitter, Link, Links, Probability, Schedule, StreamModel, Time};

const ALL: &str = include_str!("../../src/scenario/example.toml");

#[test]
fn every_key_arrives_where_it_belongs() {
    let ms = Duration::from_millis;
    let default = Link::uniform(ms(10), ms(90)).with_loss(Probability::from_ppm(2_500));
    let mut links = Links::all(default.clone());
    let quick = Link {
        floor: Duration::from_micros(1),
        jitter: Jitter::Constant(Duration::from_micros(2)),
        loss: default.loss,
    };
    links.exceptions.insert((0, 4), quick.clone());
    links.exceptions.insert((4, 0), quick);
    links
        .exceptions
        .insert((2, 0), default.with_loss(Probability::ONE));
    let expected = Scenario {
        name: "all".into(),
        question: "Is everything read?".into(),
        nodes: 6,
        seed: 42,
        topology: Topology::Star,
        links,
        stream: StreamModel {
            segment: 1000,
            split: Probability::from_ppm(100_000),
            window: 2048,
            retransmit: ms(100),
            retransmit_cap: ms(1_000),
            timeout: ms(60_000),
        },
        workload: Some(Workload::Synthetic {
            publishers: 2,
            count: 3,
            size: 1024,
            share: Probability::from_ppm(100_000),
            at: Time::from_millis(1_500),
        }),
        node: NodeOptions {
            stall: ms(1_000),
            backoff: ms(10),
            backoff_max: ms(2_000),
            batch: 10,
            strategy: Strategy::Trade,
        },
        run: RunOptions {
            horizon: Time::from_secs(120),
            check_every: ms(1_000),
            stop: Stop::Horizon,
            goal: Goal::Union,
        },
        schedule: Schedule {
            faults: vec![
                Fault::Partition {
                    at: Time::from_secs(1),
                    until: Some(Time::from_secs(6)),
                    groups: vec![vec![0, 2, 3], vec![4, 5]],
                },
                Fault::Cut {
                    at: Time::from_secs(2),
                    between: (5, 0),
                },
                Fault::Join {
                    at: Time::from_secs(3),
                    node: 1,
                },
                Fault::Join {
                    at: Time::from_secs(5),
                    node: 2,
                },
            ],
        },
        fault_numbers: vec![0, 1, 2, 2],
        evictions: vec![Eviction {
            at: Time::from_secs(9),
            nodes: vec![0],
            bodies: vec![0, 1],
        }],
        churn: Some(Churn {
            nodes: vec![3, 4, 5],
            share: Probability::from_ppm(500_000),
            exit: Exit::Crash,
            session: Span {
                floor: ms(1_000),
                varying: Varying::Exponential(ms(30_000)),
            },
            absence: Span {
                floor: ms(5_000),
                varying: Varying::Constant(Duration::ZERO),
            },
            from: Time::from_secs(10),
            until: Some(Time::from_secs(60)),
        }),
    };
    let scenario = Scenario::parse("sims/all.toml", ALL.into(), &[]);
    assert_eq!(scenario, Ok(expected));
}

#[test]
fn what_is_not_said_is_as_in_a_scenario_made_in_rust() {
    let text = r#"
        question = "What goes without saying?"
        nodes = 3
        topology.kind = "ring"
        network.latency = "10ms"
        run.horizon = "1m"
    "#;
    let expected = Scenario {
        name: "short".into(),
        question: "What goes without saying?".into(),
        ..Scenario::new(3)
    };
    assert_eq!(
        Scenario::parse("short.toml", text.into(), &[]),
        Ok(expected)
    );
}

#[test]
fn bodies_and_files_are_workloads_too() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good.toml");
    let path = directory.to_string_lossy();
    let base = "question = \"?\"\nnodes = 3\ntopology.kind = \"edges\"\ntopology.file = \"triangle.edges\"\n\
                network.latency = \"1ms\"\nrun.horizon = \"1s\"\n";

    let bodies = format!("{base}[[workload.body]]\ntext = \"beep\"\nnodes = \"0..2\"\n");
    let scenario = Scenario::parse(&path, bodies, &[]).expect("a good scenario");
    assert_eq!(
        scenario.topology,
        Topology::Edges(vec![(0, 1), (0, 2), (1, 2)])
    );
    let body = Body {
        bytes: b"beep".to_vec(),
        nodes: vec![0, 1],
        at: Time::ZERO,
    };
    assert_eq!(scenario.workload, Some(Workload::Bodies(vec![body])));

    let files = format!("{base}workload.directory = \"files\"\n");
    let scenario = Scenario::parse(&path, files, &[]).expect("a good scenario");
    let workload = scenario.workload.expect("a workload");
    let items = workload.items(3, 1).expect("the files can be read");
    let names: Vec<&str> = items
        .iter()
        .filter_map(|item| item.name.as_deref())
        .collect();
    assert_eq!(names, ["a.txt", "empty", "nested/b.txt"], "no hidden file");
    assert_eq!(*items[0].body, *b"beep\n");
    let dealt = |item: &Item| item.holders.len() == 1 && item.holders[0] < 3;
    assert!(items.iter().all(dealt));
    assert_eq!(workload.items(3, 1).expect("as before"), items);
}

#[test]
fn the_scenarios_of_the_house_are_good() {
    let sims = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sims");
    let mut names = Vec::new();
    for entry in fs::read_dir(sims).expect("the scenarios are there") {
        let path = entry.expect("the directory can be listed").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario = Scenario::load(&path, &[]).unwrap_or_else(|bad| panic!("{bad}"));
        let text = fs::read_to_string(&path).expect("it was just read");
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(
            first,
            format!("# {}", scenario.question),
            "a file opens with its question"
        );
        scenario
            .topology
            .graph(scenario.nodes, scenario.seed)
            .expect("a possible graph");
        names.push(scenario.name);
    }
    names.sort();
    for name in ["files", "hello", "lossy-mesh", "partition-heal", "thousand"] {
        assert!(names.iter().any(|other| other == name), "{name} is missing");
    }
}

proptest! {
    /// Garbage is an error with a place, never a panic, whatever the bytes.
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}", set in ".{0,40}") {
        let _ = Scenario::parse("x.toml", text, &[set]).map_err(|bad| bad.to_string());
    }

    /// Nor does a scenario in which any line was lost, doubled or replaced by another.
    #[test]
    fn no_edit_breaks_the_reader(edits in prop::collection::vec((0..60_usize, 0..60_usize), 1..4)) {
        let mut lines: Vec<&str> = ALL.lines().collect();
        for (at, from) in edits {
            let line = lines[from % lines.len()];
            let at = at % lines.len();
            match at % 3 {
                0 => {
                    lines.remove(at);
                },
                1 => lines.insert(at, line),
                _ => lines[at] = line,
            }
        }
        if let Err(bad) = Scenario::parse("x.toml", lines.join("\n"), &[]) {
            prop_assert!(bad.to_string().contains("error: "));
        }
    }
}
