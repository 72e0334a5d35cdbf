//! A protocol of another kind: a last-writer-wins map, spread by sending all of it to a neighbour now and then.
//!
//! `cargo run --example last_writer_wins` runs it over a lossy, split and healed network, and verifies the run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use hxsim::protocol::{Progress, Protocol, Seat};
use hxsim::{Scenario, run};
use rand::RngExt as _;
use simnet::Host;

/// Key to (time of writing, writer, value): the greatest wins.
type Map = BTreeMap<u32, (u64, u32, String)>;

struct LastWriterWins;

impl Protocol for LastWriterWins {
    type Node = Rc<RefCell<Map>>;
    type Snapshot = Map;

    fn start(&self, host: Host, seat: Seat<'_>) -> Self::Node {
        let map = Rc::new(RefCell::new(Map::new()));
        let listener = host.listen(1).expect("nothing else runs here");
        let (server, merged) = (host.clone(), map.clone());
        host.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await;
                let merged = merged.clone();
                server.spawn(async move {
                    let mut text = Vec::new();
                    if stream.read_to_end(&mut text).await.is_ok() {
                        let news: Map = serde_json::from_slice(&text).expect("peers are honest");
                        merge(&mut merged.borrow_mut(), news);
                    }
                });
            }
        });
        let (neighbours, own) = (seat.neighbours.to_vec(), map.clone());
        host.clone().spawn(async move {
            let mut rng = host.rng();
            let written = (
                host.now().as_nanos(),
                host.id(),
                format!("from {}", host.id()),
            );
            own.borrow_mut().insert(host.id() % 5, written);
            loop {
                let pause = rng.random_range(20..100);
                host.sleep(Duration::from_millis(pause)).await;
                let peer = neighbours[rng.random_range(0..neighbours.len())];
                if let Ok(mut stream) = host.connect(peer, 1).await {
                    let text = serde_json::to_vec(&*own.borrow()).expect("a map is JSON");
                    // A peer that is cut off gets the next one.
                    let _ = stream.write_all(&text).await;
                }
            }
        });
        map
    }

    fn snapshot(&self, node: &Self::Node) -> Map {
        node.borrow().clone()
    }

    fn progress(&self, nodes: &[Map]) -> Progress {
        let mut union = Map::new();
        nodes.iter().for_each(|map| merge(&mut union, map.clone()));
        let have = nodes.iter().filter(|map| **map == union).count() as u64;
        Progress {
            have,
            of: nodes.len() as u64,
        }
    }
}

fn merge(map: &mut Map, news: Map) {
    for (key, entry) in news {
        let best = map.entry(key).or_insert_with(|| entry.clone());
        *best = best.clone().max(entry);
    }
}

const SCENARIO: &str = r#"
    question = "Do all maps become one, although the network is split for a second?"
    nodes = 20
    topology = { kind = "random_regular", degree = 4 }
    network = { latency = { floor = "5ms", uniform = "20ms" }, loss = "2%" }
    run.horizon = "30s"
    [[fault]]
    kind = "partition"
    at = "10ms"
    until = "1s"
    groups = ["0..10"]
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::parse("last-writer-wins.toml", SCENARIO.into(), &[])?;
    let graph = scenario.topology.graph(scenario.nodes, scenario.seed)?;
    let watch = |_: run::Status| ControlFlow::Continue(());
    let ran = run::run(
        &LastWriterWins,
        &scenario,
        &graph,
        simnet::Layout::default(),
        watch,
    )?;
    println!(
        "{:?}: {} of {} maps are equal",
        ran.end, ran.progress.have, ran.progress.of
    );
    assert!(matches!(ran.end, run::End::Converged(at) if at.elapsed() > Duration::from_secs(1)));
    let digest = run::verify(&LastWriterWins, &scenario, &graph)?.map_err(|it| it.to_string())?;
    println!("the same in one piece and in three: digest {digest:016x}");
    Ok(())
}
