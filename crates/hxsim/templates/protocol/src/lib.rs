//! A set that gossips: every node publishes its number, and all shall end with the numbers of all.
//!
//! A node is futures code that takes its clock, its entropy and its network from a [`Host`]. It asks nothing else of the machine, so that one
//! seed is one history. Replace it by your own; the test and the command stay.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures::future;
use futures::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use hxsim::Scenario;
use hxsim::protocol::{Progress, Protocol, Seat, Violation};
use simnet::{Host, NodeId, Stream, Time};

/// What a node knows, in the order in which it learned it.
type Known = Rc<RefCell<Vec<NodeId>>>;

const PORT: u16 = 1;

async fn publish(host: Host, known: Known) {
    host.sleep(Duration::from_millis(500) * host.id()).await;
    learn(&known, host.id());
}

async fn dial(host: Host, known: Known, peer: NodeId) {
    loop {
        if let Ok(stream) = host.connect(peer, PORT).await {
            talk(host.clone(), known.clone(), stream).await;
        }
        host.sleep(Duration::from_millis(100)).await;
    }
}

/// Each side tells the other all it knows and all it learns, so that a new connection makes up for what an old one lost.
async fn talk(host: Host, known: Known, stream: Stream) {
    let (reader, writer) = stream.split();
    // However it ends: whoever dialled dials again.
    let _ = future::try_join(hear(&known, reader), tell(&host, &known, writer)).await;
}

async fn hear(known: &Known, mut reader: ReadHalf<Stream>) -> io::Result<()> {
    loop {
        let mut number = [0; 4];
        reader.read_exact(&mut number).await?;
        learn(known, NodeId::from_be_bytes(number));
    }
}

async fn tell(host: &Host, known: &Known, mut writer: WriteHalf<Stream>) -> io::Result<()> {
    let mut told = 0;
    loop {
        let news = known.borrow()[told..].to_vec();
        for number in &news {
            writer.write_all(&number.to_be_bytes()).await?;
        }
        told += news.len();
        host.sleep(Duration::from_millis(20)).await;
    }
}

fn learn(known: &Known, number: NodeId) {
    if !known.borrow().contains(&number) {
        known.borrow_mut().push(number);
    }
}

/// How the runner starts a node, and what it looks at while they run.
pub struct MyProtocol;

impl Protocol for MyProtocol {
    type Node = Known;
    type Snapshot = Vec<NodeId>;

    fn start(&self, host: Host, seat: Seat<'_>) -> Known {
        let known = Known::default();
        host.spawn(publish(host.clone(), known.clone()));
        let (talker, knows) = (host.clone(), known.clone());
        let talk = move |stream, _| talk(talker.clone(), knows.clone(), stream);
        host.serve(PORT, talk).expect("one node runs on a host");
        // Whoever comes back after a crash dials all: those who dialled it before may not know that it was away.
        let dials = |peer: &&NodeId| host.incarnation() > 0 || seat.dials(**peer);
        for peer in seat.neighbours.iter().filter(dials) {
            host.spawn(dial(host.clone(), known.clone(), *peer));
        }
        known
    }

    fn snapshot(&self, known: &Known) -> Vec<NodeId> {
        known.borrow().clone()
    }

    /// The goal: every node that is up knows the numbers of all of them.
    fn progress(&self, nodes: &[(NodeId, Vec<NodeId>)]) -> Progress {
        let knows = |known: &Vec<NodeId>| nodes.iter().filter(|(id, _)| known.contains(id)).count();
        let have = nodes.iter().map(|(_, known)| knows(known) as u64).sum();
        let of = (nodes.len() * nodes.len()) as u64;
        Progress { have, of }
    }

    /// What must hold at every check: nobody learns a number twice.
    fn invariant(&self, nodes: &[(NodeId, Vec<NodeId>)]) -> Result<(), Violation> {
        for (node, known) in nodes {
            let again = |(at, number): &(usize, &NodeId)| known[..*at].contains(number);
            if let Some((_, number)) = known.iter().enumerate().find(again) {
                return Err(Violation {
                    node: *node,
                    check: "nothing is new twice",
                    what: format!("has learned {number} for the second time"),
                });
            }
        }
        Ok(())
    }

    /// What is said of a run that failed.
    fn missing(&self, nodes: &[(NodeId, Vec<NodeId>)]) -> Vec<String> {
        let lacks = |(node, known): &(NodeId, Vec<NodeId>)| {
            let all = nodes.iter().map(|(id, _)| id);
            let lacks: Vec<_> = all.filter(|number| !known.contains(number)).collect();
            (!lacks.is_empty()).then(|| format!("node {node} lacks {lacks:?}"))
        };
        nodes.iter().filter_map(lacks).collect()
    }
}

/// The network of `scenario.toml` with the faults that a seed draws: partitions, cuts, outages and crashes, all over after ten seconds.
pub fn scenario(seed: u64) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.toml");
    let mut scenario = Scenario::load(&path, &[]).unwrap_or_else(|bad| panic!("{bad}"));
    scenario.seed = seed;
    scenario.draw_faults(Time::from_secs(10));
    scenario
}
