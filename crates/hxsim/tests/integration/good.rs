use std::fs;
use std::path::Path;
use std::time::Duration;

use hxsim::Scenario;
use hxsim::churn::{Churn, Exit, Span, Varying};
use hxsim::decimal::Decimal;
use hxsim::expect::{Bound, Condition, Expectation};
use hxsim::figure::Figure;
use hxsim::metrics::Ratio;
use hxsim::scenario::{
    Baseline, Eviction, Goal, Measure, NodeOptions, Reaction, Role, RunOptions, Stop, Strategy,
};
use hxsim::topology::{Density, Reach, Topology};
use hxsim::workload::{
    Arrivals, Body, Item, Process, Publishers, Share, Size, Synthetic, Turns, Workload,
};
use proptest::prelude::*;
use simnet::{
    Access, Bandwidth, DiskFailure, DiskModel, Fault, GilbertElliott, Impairment, Jitter, Link,
    LinkSet, Links, Members, Probability, Quantiles, Region, Schedule, StreamModel, Time,
};

const ALL: &str = include_str!("../../src/scenario/example.toml");

#[test]
fn every_key_arrives_where_it_belongs() {
    let ms = Duration::from_millis;
    let mib = |mib: u64| Bandwidth::per_second(mib << 20);
    let default = Link {
        bandwidth: mib(100),
        ..Link::uniform(ms(10), ms(90)).with_loss(Probability::from_ppm(2_500))
    };
    let mut links = Links::all(default.clone());
    links.access = Access {
        up: mib(20),
        down: mib(50),
    };
    let slow = Access {
        up: mib(1),
        ..links.access
    };
    links.access_exceptions.insert(5, slow);
    let north = Region {
        members: Members::Nodes(vec![0, 1, 2]),
        access: None,
    };
    let south = Region {
        members: Members::Weight(2),
        access: Some(Access {
            down: mib(10),
            ..links.access
        }),
    };
    links.regions.regions = vec![north, south];
    let southward = Link {
        bandwidth: mib(1),
        ..default.clone()
    };
    links.regions.links.insert((0, 1), southward);
    let quick = Link {
        floor: Duration::from_micros(1),
        jitter: Jitter::Constant(Duration::from_micros(2)),
        loss: default.loss,
        bandwidth: default.bandwidth,
    };
    links.exceptions.insert((0, 4), quick.clone());
    links.exceptions.insert((4, 0), quick);
    links
        .exceptions
        .insert((2, 0), default.with_loss(Probability::ONE));
    let time = |ms: u64| Some((Ratio::new(ms * 1_000_000, 1), ms == 10));
    let tenth = Some((Ratio::new(100_000, 1_000_000), true));
    let expected = Scenario {
        name: "all".into(),
        question: "Is everything read?".into(),
        baseline: None,
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
        workload: Some(Workload::Synthetic(Synthetic {
            share: Share::Each(Probability::from_ppm(100_000)),
            arrivals: Arrivals::At(Time::from_millis(1_500)),
            ..Synthetic::held(2, 3, 1024)
        })),
        node: NodeOptions {
            stall: ms(1_000),
            backoff: ms(10),
            backoff_max: ms(2_000),
            batch: 10,
            strategy: Strategy::Trade,
            durable: true,
        },
        disk: DiskModel {
            read: ms(1),
            write: Duration::from_micros(100),
            sync: ms(5),
        },
        run: RunOptions {
            horizon: Time::from_secs(120),
            check_every: ms(1_000),
            stop: Stop::Horizon,
            goal: Goal::Union,
        },
        measure: Some(Measure {
            from: Time::from_secs(1),
            until: Time::from_secs(100),
        }),
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
        }
        .crash(Time::from_secs(6), 2)
        .lose_disk(Time::from_secs(7), 2)
        .restart(Time::from_secs(7), 2)
        .fail_disk(
            Time::from_secs(7)..Time::from_secs(8),
            vec![3],
            DiskFailure::Full { capacity: 4096 },
        )
        .impair(
            Time::from_secs(10)..Time::from_secs(11),
            LinkSet::Between(vec![0], vec![1, 2]),
            Impairment::Block,
        )
        .impair(
            Time::from_secs(12)..,
            LinkSet::Around(vec![4]),
            Impairment::Delay(Duration::from_millis(200)),
        )
        .impair(
            Time::from_secs(13)..Time::from_secs(14),
            LinkSet::All,
            Impairment::Lose(Probability::from_ppm(300_000)),
        )
        .impair(
            Time::from_secs(13)..Time::from_secs(14),
            LinkSet::All,
            Impairment::LoseInBursts(GilbertElliott {
                good: Duration::from_secs(9),
                bad: Duration::from_secs(1),
                loss_good: Probability::ZERO,
                loss_bad: Probability::from_ppm(800_000),
            }),
        )
        .impair(
            Time::from_secs(15)..,
            LinkSet::All,
            Impairment::Reorder {
                chance: Probability::from_ppm(50_000),
                detour: ms(50),
            },
        )
        .impair(
            Time::from_secs(16)..Time::from_secs(17),
            LinkSet::To(vec![2]),
            Impairment::Delay(ms(100)),
        )
        .jump(Time::from_secs(18), 1, -3_600_000_000_000)
        .drift(Time::from_secs(18)..Time::from_secs(19), 1, 200)
        .drift(Time::from_secs(18)..Time::from_secs(19), 2, 200),
        fault_numbers: vec![0, 1, 2, 2, 3, 4, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 15],
        reactions: vec![Reaction {
            once: Probability::from_ppm(500_000),
            faults: vec![Fault::Impair {
                at: Time::from_secs(15),
                until: None,
                links: LinkSet::All,
                impairment: Impairment::Throttle(
                    Bandwidth::per_second(64 << 10).expect("it is not zero"),
                ),
            }],
            number: 11,
            dated: None,
        }],
        evictions: vec![Eviction {
            at: Time::from_secs(9),
            nodes: vec![0],
            bodies: vec![0, 1],
        }],
        roles: [(4, Role::Lying)].into(),
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
        expect: vec![
            expected("delay_p50", "10ms..5s", (time(10), time(5_000))),
            expected("rmr_mean", "<= 10%", (None, tenth)),
            expected("t99", "< 1m", (None, time(60_000))),
        ],
    };
    let mut scenario = with(&[]);
    let baseline = scenario.baseline.take();
    assert_eq!(scenario, expected);

    let settings = ["network.loss=0%", "churn="].map(str::to_owned);
    let calm = Baseline {
        scenario: Box::new(with(&["network.loss=0%", "churn=", "compare=", "expect="])),
        settings: settings.into(),
    };
    assert_eq!(baseline, Some(calm));
    let set = with(&["seed=7", "compare=network.loss=1%"]).baseline;
    let set = set.expect("it is compared");
    assert_eq!(set.scenario.seed, 7, "what is set holds for both");
    assert_eq!(set.scenario.churn, scenario.churn);
    assert_ne!(set.scenario.links, scenario.links);
}

/// The example with something else in it.
fn with(sets: &[&str]) -> Scenario {
    let sets: Vec<_> = sets.iter().map(|&set| set.to_owned()).collect();
    Scenario::parse("sims/all.toml", ALL.into(), &sets).expect("it is good")
}

/// A value, and whether it belongs to what is expected.
type End = (Ratio, bool);

/// An expectation from one value to another.
fn expected(figure: &str, text: &str, (low, high): (Option<End>, Option<End>)) -> Expectation {
    let bound = |(at, inclusive): End| Bound { at, inclusive };
    Expectation {
        figure: Figure::named(figure).expect("there is such a figure"),
        condition: Condition {
            low: low.map(bound),
            high: high.map(bound),
        },
        text: text.into(),
    }
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

/// The links of a scenario of ten nodes with this `[network]`.
fn links(network: &str) -> Links {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good.toml");
    let text = format!(
        "question = \"?\"\nnodes = 10\ntopology.kind = \"ring\"\nrun.horizon = \"1s\"\n[network]\n{network}"
    );
    let scenario = Scenario::parse(&path.to_string_lossy(), text, &[]);
    scenario.unwrap_or_else(|bad| panic!("{bad}")).links
}

#[test]
fn latencies_have_many_distributions() {
    let ms = Duration::from_millis;
    let sample = [1, 2, 2, 3, 5, 8, 40].map(ms);
    let points = [(0, 1), (500_000, 3), (999_000, 20), (1_000_000, 200)];
    let points = points.map(|(ppm, at)| (Probability::from_ppm(ppm), ms(at)));
    let cases = [
        ("exponential = \"5ms\"", Quantiles::exponential(ms(5))),
        (
            "log_normal = { median = \"5ms\", sigma = \"0.5\" }",
            Quantiles::log_normal(ms(5), 500_000),
        ),
        (
            "pareto = { scale = \"1ms\", shape = 2 }",
            Quantiles::pareto(ms(1), 2_000_000),
        ),
        (
            "quantiles = \"latencies/sample.txt\"",
            Quantiles::from_sample(&sample),
        ),
        (
            "quantiles = \"latencies/points.txt\"",
            Quantiles::from_points(&points),
        ),
    ];
    for (text, quantiles) in cases {
        let quantiles = quantiles.expect("it can be");
        let link = links(&format!("latency = {{ floor = \"20ms\", {text} }}")).default;
        assert_eq!(link.floor, ms(20));
        assert_eq!(link.jitter, Jitter::Quantiles(quantiles.into()), "{text}");
    }
}

#[test]
fn a_matrix_has_a_link_for_every_pair_of_its_places_and_others_can_be_said() {
    let ms = Duration::from_millis;
    let wan = links("matrix = \"wan\"\nloss = \"1%\"\nbandwidth = \"1Gbit/s\"\n");
    assert_eq!(wan.regions.regions.len(), 10);
    assert_eq!(wan.regions.links.len(), 100);
    let like = |link: &Link| link.loss.as_ppm() == 10_000 && link.bandwidth.is_some();
    assert!(wan.regions.links.values().all(like));
    let local = wan.regions.links[&(5, 5)].floor;
    assert_eq!(wan.lookahead(), local, "madrid is the smallest");

    let two = links(
        "matrix = \"wan\"\n[[network.region]]\nname = \"tokyo\"\nnodes = \"0..4\"\n\
         [[network.region]]\nname = \"london\"\nnodes = \"4..10\"\n\
         [[network.link]]\nfrom = \"london\"\nto = \"tokyo\"\nloss = \"5%\"\n\
         [[network.link]]\nbetween = [\"tokyo\", \"tokyo\"]\nlatency = \"1ms\"\n\
         [[network.link]]\nbetween = [0, 9]\nlatency = \"2ms\"\n",
    );
    let floor = |from, to| two.between(1, from, to).floor;
    assert_eq!([floor(0, 3), floor(3, 0)], [ms(1), ms(1)]);
    assert_eq!([floor(0, 9), floor(9, 0)], [ms(2), ms(2)]);
    let there = Duration::from_micros(247_000 / 2);
    assert_eq!(floor(9, 1), there - there / 50, "as the matrix says");
    assert_eq!(two.between(1, 9, 1).loss.as_ppm(), 50_000);
    assert_eq!(two.between(1, 1, 9).loss.as_ppm(), 0);

    let own = links("matrix = \"latencies/two.matrix\"\n");
    assert_eq!(own.regions.regions.len(), 2);
    let floor = |from, to| own.regions.links[&(from, to)].floor;
    let nearly = |there: Duration| there - there / 50;
    assert_eq!([floor(0, 1), floor(1, 0)], [ms(10), ms(12)].map(nearly));
    assert_eq!(floor(1, 1), nearly(Duration::from_micros(1250)));
}

#[test]
fn every_topology_is_read_with_its_parameters() {
    let mean = Decimal::from_millionths(12_500_000);
    let rewire = Probability::from_ppm(100_000);
    let radius = Decimal::from_millionths(250_000);
    let read = [
        ("kind = 'tree', arity = 2", Topology::Tree { arity: 2 }),
        ("kind = 'grid'", Topology::Grid { width: None }),
        (
            "kind = 'grid', width = 10",
            Topology::Grid { width: Some(10) },
        ),
        ("kind = 'torus'", Topology::Torus { width: None }),
        (
            "kind = 'torus', width = 8",
            Topology::Torus { width: Some(8) },
        ),
        ("kind = 'hypercube'", Topology::Hypercube),
        (
            "kind = 'random_regular', degree = 8",
            Topology::RandomRegular { degree: 8 },
        ),
        (
            "kind = 'erdos_renyi', p = '10%'",
            Topology::ErdosRenyi(Density::Probability(rewire)),
        ),
        (
            "kind = 'erdos_renyi', mean_degree = '12.5'",
            Topology::ErdosRenyi(Density::MeanDegree(mean)),
        ),
        (
            "kind = 'watts_strogatz', degree = 6, rewire = '10%'",
            Topology::WattsStrogatz { degree: 6, rewire },
        ),
        (
            "kind = 'watts_strogatz', degree = 2",
            Topology::WattsStrogatz {
                degree: 2,
                rewire: Probability::ZERO,
            },
        ),
        (
            "kind = 'barabasi_albert', attach = 3",
            Topology::BarabasiAlbert { attach: 3 },
        ),
        (
            "kind = 'geometric', mean_degree = '12.5', space = 'square'",
            Topology::Geometric {
                reach: Reach::MeanDegree(mean),
                torus: false,
            },
        ),
        (
            "kind = 'geometric', radius = '0.25', space = 'torus'",
            Topology::Geometric {
                reach: Reach::Radius(radius),
                torus: true,
            },
        ),
    ];
    for (text, topology) in read {
        let text = format!(
            "question = '?'\nnodes = 64\ntopology = {{ {text} }}\nnetwork.latency = '1ms'\nrun.horizon = '1s'\n"
        );
        let scenario = Scenario::parse("x.toml", text, &[]).unwrap_or_else(|bad| panic!("{bad}"));
        assert_eq!(scenario.topology, topology);
        assert!(topology.graph(64, 1).is_ok());
    }
}

/// A workload of this text in a network of ten nodes.
fn workload(text: &str) -> Workload {
    let text = format!(
        "question = '?'\nnodes = 10\ntopology.kind = 'ring'\nnetwork.latency = '1ms'\nrun.horizon = '60s'\n{text}"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good.toml");
    let scenario = Scenario::parse(&path.to_string_lossy(), text, &[]);
    let scenario = scenario.unwrap_or_else(|bad| panic!("{bad}"));
    scenario.workload.expect("a workload")
}

fn synthetic(text: &str) -> Synthetic {
    match workload(&format!("[workload]\n{text}")) {
        Workload::Synthetic(synthetic) => synthetic,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bodies_come_one_after_the_other() {
    let over = |process, from, until| Arrivals::Over {
        process,
        from: Time::from_secs(from),
        until: Time::from_secs(until),
    };
    let poisson = Process::Poisson(Duration::from_millis(200));
    let counted = synthetic("size = 100\nrate = '5/s'\ncount = 3");
    assert_eq!(counted.arrivals, over(poisson, 0, 60));
    assert_eq!((counted.count, counted.turns), (3, Turns::RoundRobin));

    let every = Process::Every(Duration::from_millis(20));
    let ended =
        synthetic("size = 100\nevery = '20ms'\nfrom = '1s'\nuntil = '30s'\nturns = 'drawn'");
    assert_eq!(ended.arrivals, over(every, 1, 30));
    assert_eq!((ended.count, ended.turns), (u32::MAX, Turns::Drawn));

    let every = Duration::from_secs(5);
    let bursts = synthetic(
        "size = 100\nburst = { size = 10, every = '5s' }\nuntil = '20s'\nturns = { zipf = 1 }",
    );
    assert_eq!(
        bursts.arrivals,
        over(Process::Bursts { size: 10, every }, 0, 20)
    );
    assert_eq!(bursts.turns, Turns::Zipf(Decimal::ONE));
}

#[test]
fn publishers_sizes_and_shares_may_be_drawn() {
    let sizes = |text: &str| synthetic(&format!("size = {text}")).size;
    let (least, most) = (1 << 10, 1 << 16);
    assert_eq!(
        sizes("{ uniform = ['1KiB', '64KiB'] }"),
        Size::Uniform { least, most }
    );
    let sigma = Decimal::from_millionths(1_500_000);
    assert_eq!(
        sizes("{ log_normal = { median = '1KiB', sigma = '1.5' }, most = '64KiB' }"),
        Size::LogNormal {
            median: least,
            sigma,
            most
        }
    );
    assert_eq!(
        sizes("{ pareto = { least = '1KiB', shape = '1.5' }, most = '64KiB' }"),
        Size::Pareto {
            least,
            shape: sigma,
            most
        }
    );
    let publishers = |text: &str| synthetic(&format!("size = 9\npublishers = {text}")).publishers;
    assert_eq!(publishers("4"), Publishers::First(4));
    assert_eq!(publishers("{ random = 4 }"), Publishers::Drawn(4));
    assert_eq!(publishers("['3..5', 9]"), Publishers::Nodes(vec![3, 4, 9]));
    let share = synthetic("size = 9\nshare = { zipf = '1.5', most = '50%' }").share;
    let most = Probability::from_ppm(500_000);
    assert_eq!(
        share,
        Share::Zipf {
            exponent: sigma,
            most
        }
    );
}

#[test]
fn workloads_may_be_several_and_files_may_come_one_by_one() {
    let several = workload(
        "[[workload]]\nsize = 9\n[[workload]]\ndirectory = 'files'\nevery = '2s'\nfrom = '1s'\n",
    );
    let items = several.items(10, 1).expect("the files can be read");
    let at: Vec<_> = items[10..].iter().map(|item| item.at).collect();
    assert_eq!(at, [1, 3, 5].map(Time::from_secs));
    let Workload::Several(workloads) = several else {
        panic!("two workloads");
    };
    assert_eq!(workloads[0], Workload::Synthetic(Synthetic::held(10, 1, 9)));
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

/// What is certain while nothing goes wrong is open once something does.
#[test]
fn whatever_goes_wrong_may_leave_an_edge_idle() {
    let line = "question = \"Which edge is idle?\"\nnodes = 4\ntopology.kind = \"line\"\nnetwork.latency = \"10ms\"\n\
        run.horizon = \"60s\"\nworkload = { publishers = 1, size = \"1KiB\" }\nexpect.idle_bytes_per_edge = \"< 1KiB\"\n";
    let read = |more: &str| Scenario::parse("line.toml", format!("{line}{more}"), &[]);
    assert!(read("").is_err());
    for more in [
        "fault = [{ kind = \"leave\", at = \"1s\", nodes = 3 }]",
        "fault = [{ kind = \"evict\", at = \"1s\", nodes = 1, bodies = 0 }]",
        "churn = { session = \"5s\", absence = \"1s\" }",
    ] {
        let read = read(more).map(|scenario| scenario.expect.len());
        assert_eq!(read, Ok(1), "{more}");
    }
}

/// Whoever begins with the file that `hxsim new scenario` writes takes a comment away to make a choice.
#[test]
fn what_the_template_offers_can_be_chosen() {
    let template = include_str!("../../templates/scenario.toml");
    let offers = template.split("\n\n").filter(|it| it.starts_with("# ["));
    let mut chosen = 0;
    // A body by itself is one in place of those that are made up.
    for offer in offers.filter(|it| !it.contains("workload.body")) {
        let choice: Vec<_> = offer
            .lines()
            .map(|line| line.trim_start_matches("# "))
            .collect();
        let text = format!("{template}\n{}\n", choice.join("\n"));
        let scenario = Scenario::parse("chosen.toml", text, &[]);
        scenario.unwrap_or_else(|bad| panic!("{bad}"));
        chosen += 1;
    }
    assert_eq!(chosen, 7);
}
