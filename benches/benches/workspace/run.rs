//! Whole runs: scenarios of the house, from the start of their nodes to the check that sees them converged. The bound is
//! a flood over the same graph and links, which hashes nothing, parses nothing and checks nothing. The bound of that is the same flood without a network.

use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, SamplingMode, Throughput};
use hx_benches::flood::{self, Carrier};
use hxsim::gossip::{self, Gossip};
use hxsim::run::{self, End, Run};
use hxsim::scenario::Scenario;
use hxsim::topology::Graph;
use simnet::Layout;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("run");
    group.sampling_mode(SamplingMode::Flat);
    scenario(&mut group, "hello");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(10));
    let graph = scenario(&mut group, "thousand");
    flood(&mut group, &Rc::new(graph));
    group.finish();
}

/// Frames a second.
fn scenario(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) -> Graph {
    let sims = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sims");
    let scenario = Scenario::load(&sims.join(name).with_extension("toml"), &[]);
    let scenario = scenario.unwrap_or_else(|bad| panic!("{bad}"));
    let graph = scenario.topology.graph(scenario.nodes, scenario.seed);
    let graph = graph.expect("a possible graph");
    let gossip = Gossip::new(&scenario, &graph).expect("its bodies are drawn or spelled out");

    let run = converge(&gossip, &scenario, &graph);
    let report = gossip::report(&gossip, &scenario, &graph, &run);
    let frames = report.metrics.frames.iter().map(|count| count.frames).sum();
    drop(run);
    group.throughput(Throughput::Elements(frames));
    group.bench_function(format!("{name} ({frames} frames)"), |bencher| {
        let run = |()| converge(&gossip, &scenario, &graph);
        bencher.iter_batched(|| (), run, BatchSize::PerIteration);
    });
    graph
}

fn converge<'a>(gossip: &'a Gossip, scenario: &Scenario, graph: &'a Graph) -> Run<'a, Gossip> {
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(gossip, scenario, graph, Layout::default(), watch);
    let run = run.expect("a network that can be simulated");
    assert!(matches!(run.end, End::Converged(_)), "{:?}", run.end);
    run
}

/// Messages a second.
fn flood(group: &mut BenchmarkGroup<'_, WallTime>, graph: &Rc<Graph>) {
    const NUMBERS: u16 = 16;
    let messages = flood::messages(graph, NUMBERS);
    group.throughput(Throughput::Elements(messages));
    for carrier in Carrier::ALL.into_iter().rev() {
        let run = |()| {
            let sent = carrier.run(graph, 1, NUMBERS);
            assert_eq!(sent, messages, "everything has spread");
        };
        group.bench_function(
            format!("thousand: flood, {} ({messages} messages)", carrier.name()),
            |bencher| bencher.iter_batched(|| (), run, BatchSize::PerIteration),
        );
    }
}
