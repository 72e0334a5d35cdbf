//! A protocol of another kind: a last-writer-wins map, spread by sending all of it to some neighbour now and then.
//!
//! `cargo run -p hxsim --example last_writer_wins` runs it over a network that is lossy, split and healed, and verifies the run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use hxsim::protocol::{Progress, Protocol, Seat};
use hxsim::{Outcome, Scenario, trial};
use rand::RngExt as _;
use simnet::{Host, NodeId};

/// Key to (time of writing, writer, value): the greatest wins.
type Map = BTreeMap<u32, (u64, NodeId, u32)>;
type Shared = Rc<RefCell<Map>>;

struct LastWriterWins;

impl Protocol for LastWriterWins {
    type Node = Shared;
    type Snapshot = Map;

    fn start(&self, host: Host, seat: Seat<'_>) -> Shared {
        let map = Shared::default();
        host.spawn(listen(host.clone(), map.clone()));
        host.spawn(speak(host.clone(), map.clone(), seat.neighbours.to_vec()));
        map
    }

    fn snapshot(&self, node: &Shared) -> Map {
        node.borrow().clone()
    }

    fn progress(&self, nodes: &[(NodeId, Map)]) -> Progress {
        let mut union = Map::new();
        nodes.iter().for_each(|(_, map)| merge(&mut union, map));
        let have = nodes.iter().filter(|(_, map)| *map == union).count() as u64;
        let of = nodes.len() as u64;
        Progress { have, of }
    }
}

async fn listen(host: Host, map: Shared) {
    let listener = host.listen(1).expect("nothing else runs here");
    loop {
        let (mut stream, _) = listener.accept().await;
        let mut text = Vec::new();
        // A neighbour that is cut off in mid-sentence shall not keep the others waiting.
        let reading = host.timeout(Duration::from_secs(1), stream.read_to_end(&mut text));
        if let Ok(Ok(_)) = reading.await {
            let heard = serde_json::from_slice(&text).expect("neighbours send maps");
            merge(&mut map.borrow_mut(), &heard);
        }
    }
}

async fn speak(host: Host, map: Shared, neighbours: Vec<NodeId>) {
    let mut rng = host.rng();
    for round in 0.. {
        host.sleep(Duration::from_millis(rng.random_range(20..100)))
            .await;
        if round < 10 {
            let written = (host.now().as_nanos(), host.id(), rng.random());
            map.borrow_mut().insert(rng.random_range(0..5), written);
        }
        let neighbour = neighbours[rng.random_range(0..neighbours.len())];
        if let Ok(mut stream) = host.connect(neighbour, 1).await {
            let text = serde_json::to_vec(&*map.borrow()).expect("a map is JSON");
            // Whoever does not get it hears of it later, from this node or another.
            let _ = stream.write_all(&text).await;
        }
    }
}

fn merge(map: &mut Map, heard: &Map) {
    for (key, entry) in heard {
        let best = map.entry(*key).or_insert(*entry);
        *best = *entry.max(best);
    }
}

const SCENARIO: &str = r#"
    question = "Do all maps become one, although the network is split for two seconds?"
    nodes = 20
    topology = { kind = "random_regular", degree = 4 }
    network = { latency = { floor = "5ms", uniform = "20ms" }, loss = "2%" }
    run.horizon = "30s"
    [[fault]]
    kind = "partition"
    at = "10ms"
    until = "2s"
    groups = ["0..10"]
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = Scenario::parse("last-writer-wins.toml", SCENARIO.into(), &[])?;
    let trial = trial::run(&LastWriterWins, &scenario)?;
    print!("{}", trial.human(false));
    assert_eq!(trial.outcome, Outcome::Converged);
    assert!(
        trial.ended_ns > 2_000_000_000,
        "not before the split has healed"
    );

    let digest = trial::verify(&LastWriterWins, &scenario)?.map_err(|it| it.to_string())?;
    println!("  the same in one piece and in three: digest {digest:016x}");
    Ok(())
}
