//! Whatever goes wrong, once it has healed every node ends with every body. And things do go wrong: each kind of fault is counted
//! when it hits a body on its way, and a suite in which one of them never does proves nothing.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use hxsim::Scenario;
use hxsim::protocol::Protocol as _;
use proptest::prelude::*;
use proptest::test_runner::TestError;
use simnet::{Fault, World};

use crate::drawn::{HONEST, prepare, runner, world};

/// A scenario as a file, so that what fails can be run, changed and made smaller by hand.
#[derive(Clone)]
struct Drawn(String);

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A body fills a segment, and is longer than all that is said about all bodies together.
const BODY: u64 = 16 * 1024;

fn scenarios() -> impl Strategy<Value = Drawn> {
    let topology = prop_oneof![
        Just("{ kind = \"ring\" }"),
        Just("{ kind = \"line\" }"),
        Just("{ kind = \"star\" }"),
        Just("{ kind = \"random_regular\", degree = 4 }"),
    ];
    let network = (
        10..200_u64,
        0..200_u64,
        prop_oneof![Just(0), Just(2), Just(15)],
    );
    // Streams that give up soon leave it to the nodes to connect anew.
    let patience = (
        prop_oneof![Just(1), Just(30)],
        prop_oneof![Just(1), Just(5)],
    );
    let workload = (1..5_u32, 1..5_u32, prop_oneof![Just(0), Just(1_000)]);
    let base = (6..12_u32, topology, any::<u32>(), network, patience, workload).prop_map(
        |(nodes, topology, seed, (floor, jitter, loss), (timeout, stall), (publishers, count, at))| {
            format!(
                "question = \"Does every node end with every body?\"\n\
                 nodes = {nodes}\n\
                 seed = {seed}\n\
                 topology = {topology}\n\
                 network.latency = {{ floor = \"{floor}ms\", uniform = \"{jitter}ms\" }}\n\
                 network.loss = \"{loss}%\"\n\
                 network.stream.timeout = \"{timeout}s\"\n\
                 node.stall = \"{stall}s\"\n\
                 workload = {{ publishers = {publishers}, count = {count}, size = {BODY}, at = \"{at}ms\" }}\n\
                 run = {{ horizon = \"300s\", goal = \"union\" }}\n"
            )
        },
    );
    base.prop_flat_map(|text| {
        let scenario = Scenario::parse("base.toml", text.clone(), &[]).expect("a good scenario");
        let cuts = prop::collection::vec(cut(&scenario), 0..20);
        let partitions = prop::collection::vec(partition(&scenario), 0..3);
        // Both kinds, or one alone: then it is plain which of them has hit.
        let faults = (cuts, partitions, 0..3).prop_map(|(cuts, partitions, kinds)| match kinds {
            0 => cuts,
            1 => partitions,
            _ => [cuts, partitions].concat(),
        });
        faults.prop_map(move |faults| Drawn(format!("{text}{}", faults.concat())))
    })
}

/// When bodies are under way, in milliseconds.
fn spreading(scenario: &Scenario) -> Range<u64> {
    let (graph, gossip) = prepare(scenario);
    let item = &gossip.items()[0];
    let link = &scenario.links.default;
    let jitter = link.jitter.most();
    // A dial may come first.
    let latencies = 3 * graph.eccentricity(&item.holders) + 2;
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).expect("not so long");
    let from = ms(item.at.elapsed() + 2 * link.floor);
    from..from + ms(latencies * (link.floor + jitter))
}

/// The end of a connection while bodies spread.
fn cut(scenario: &Scenario) -> impl Strategy<Value = String> + use<> {
    let (graph, _) = prepare(scenario);
    let edge = prop::sample::select(graph.edges().to_vec());
    (spreading(scenario), edge).prop_map(|(at, (a, b))| {
        format!("[[fault]]\nkind = \"cut\"\nat = \"{at}ms\"\nbetween = [{a}, {b}]\n")
    })
}

/// A split that begins while bodies spread, and heals.
fn partition(scenario: &Scenario) -> impl Strategy<Value = String> + use<> {
    (spreading(scenario), 100..8_000_u64, 1..scenario.nodes).prop_map(|(at, lasts, first)| {
        let until = at + lasts;
        format!(
            "[[fault]]\nkind = \"partition\"\nat = \"{at}ms\"\nuntil = \"{until}ms\"\ngroups = [\"0..{first}\"]\n"
        )
    })
}

/// How often each kind of fault hit a body in flight. A hit counts only where no other kind can have caused it.
#[derive(Debug, Default)]
struct Hits {
    /// A segment that carried a body was lost by chance.
    loss: Cell<u32>,
    /// One was lost in a partition.
    partition: Cell<u32>,
    /// One went down with a stream that was cut.
    cut: Cell<u32>,
    /// One went down with a stream that had given up.
    timeout: Cell<u32>,
}

impl Hits {
    fn count(kind: &Cell<u32>) {
        kind.set(kind.get() + 1);
    }
}

/// Watches what links carry, and knows which faults could have done it.
struct Watch<'a> {
    scenario: &'a Scenario,
    hits: &'a Hits,
    retransmitted: u64,
    discarded: u64,
}

impl Watch<'_> {
    /// Looks at what has happened since the last time, which must be a short while ago.
    fn look<T>(&mut self, world: &World<'_, T>) {
        let carried = world.carried();
        let began = |fault: &&Fault| fault.at() <= world.now();
        let faults = || self.scenario.schedule.faults.iter().filter(began);
        let cut = faults().any(|fault| matches!(fault, Fault::Cut { .. }));
        let parted = faults().any(|fault| matches!(fault, Fault::Partition { .. }));
        let lossy = self.scenario.links.default.loss.as_ppm() > 0;
        if carried.retransmitted - self.retransmitted >= BODY {
            match (lossy, parted) {
                (true, false) => Hits::count(&self.hits.loss),
                (false, true) => Hits::count(&self.hits.partition),
                _ => {}
            }
        }
        if carried.discarded - self.discarded >= BODY {
            match (cut, parted || lossy) {
                (true, false) => Hits::count(&self.hits.cut),
                (false, true) => Hits::count(&self.hits.timeout),
                _ => {}
            }
        }
        (self.retransmitted, self.discarded) = (carried.retransmitted, carried.discarded);
    }
}

/// Runs a scenario to its end and fails unless every node holds every body.
fn check(scenario: &Scenario, hits: &Hits) -> Result<(), TestCaseError> {
    const STEP: Duration = Duration::from_millis(5);
    let (graph, gossip) = prepare(scenario);
    let mut world = world(scenario, &graph, &gossip);
    let mut watch = Watch {
        scenario,
        hits,
        retransmitted: 0,
        discarded: 0,
    };
    let healed = scenario
        .schedule
        .faults
        .iter()
        .filter_map(Fault::healed)
        .max();
    while world.now() < scenario.run.horizon {
        for _ in 0..20 {
            world.run_for(STEP).expect("time passes");
            watch.look(&world);
        }
        let nodes = world
            .nodes_up()
            .map(|(id, node)| (id, gossip.snapshot(node)));
        let nodes: Vec<_> = nodes.collect();
        gossip
            .invariant(&nodes)
            .map_err(|broken| TestCaseError::fail(broken.to_string()))?;
        if gossip.progress(&nodes).is_complete() && healed.is_none_or(|healed| healed < world.now())
        {
            break;
        }
    }
    for (number, seated) in (0..).zip(world.nodes()) {
        for item in gossip.items() {
            let body = seated.node().expect(HONEST).body(&item.hash);
            prop_assert!(
                body.as_deref() == Some(&*item.body),
                "node {number} lacks {} at {}",
                item.hash,
                world.now()
            );
        }
    }
    let carried = world.carried();
    let accounted = carried.delivered + carried.discarded + world.in_flight();
    prop_assert_eq!(carried.accepted, accounted, "every byte is somewhere");
    Ok(())
}

/// Says first how to see it again.
fn fail(drawn: &Drawn, reason: &str) -> ! {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guarantee.toml");
    let replay = match fs::write(&path, &drawn.0) {
        Ok(()) => format!("hxsim run {}", path.display()),
        Err(error) => format!("hxsim run FILE (not written: {error})"),
    };
    let seed = drawn.0.lines().find(|line| line.starts_with("seed"));
    panic!(
        "{}; replay: {replay}\n\n{}\n{reason}",
        seed.unwrap_or_default(),
        drawn.0
    );
}

#[test]
fn every_node_ends_with_the_union_whatever_broke_on_the_way() {
    let hits = Hits::default();
    let outcome = runner(192).run(&scenarios(), |drawn| {
        let scenario = Scenario::parse("guarantee.toml", drawn.0, &[]);
        let scenario = scenario.map_err(|bad| TestCaseError::fail(bad.to_string()))?;
        check(&scenario, &hits)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, drawn)) => fail(&drawn, reason.message()),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    println!("bodies in flight that were hit: {hits:?}");
    let Hits {
        loss,
        partition,
        cut,
        timeout,
    } = &hits;
    for (kind, hits) in [
        ("loss", loss),
        ("partition", partition),
        ("cut", cut),
        ("timeout", timeout),
    ] {
        assert!(
            hits.get() > 0,
            "no body was ever hit by a {kind}: the suite proves nothing about it"
        );
    }
}
