//! A protocol that draws from outside its world is found out, and the report says where.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use hxsim::Scenario;
use hxsim::protocol::{Progress, Protocol, Seat};
use hxsim::run::Difference;
use hxsim::trial;
use simnet::{Host, NodeId, Time};

/// Nodes that each send a letter to the next in a line. Node 2 asks somebody outside the world what to do.
struct Letters {
    oracle: fn() -> u64,
    use_of_it: Use,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It waits for so many milliseconds more.
    Wait,
    /// It writes it down.
    Write,
}

impl Protocol for Letters {
    type Node = Rc<Cell<bool>>;
    type Snapshot = bool;

    fn start(&self, host: Host, seat: Seat<'_>) -> Self::Node {
        let received = Rc::new(Cell::new(seat.id == 0));
        let listener = host.listen(7).expect("nothing else runs here");
        let postbox = received.clone();
        host.spawn(async move {
            let (mut stream, _) = listener.accept().await;
            let arrived = stream.read_exact(&mut [0; 8]).await.is_ok();
            postbox.set(arrived);
        });
        if let Some(next) = seat.neighbours.iter().copied().find(|next| *next > seat.id) {
            let (oracle, use_of_it) = (self.oracle, self.use_of_it);
            host.clone().spawn(async move {
                let mut wait = Duration::from_millis(250);
                let mut letter = [0; 8];
                match use_of_it {
                    Use::Wait if host.id() == 2 => wait += Duration::from_millis(oracle()),
                    Use::Write if host.id() == 2 => letter = oracle().to_le_bytes(),
                    _ => {}
                }
                host.sleep(wait).await;
                let mut stream = host.connect(next, 7).await.expect("nothing goes wrong");
                stream.write_all(&letter).await.expect("nothing goes wrong");
            });
        }
        received
    }

    fn snapshot(&self, node: &Self::Node) -> bool {
        node.get()
    }

    fn progress(&self, nodes: &[(NodeId, bool)]) -> Progress {
        let have = nodes.iter().filter(|(_, received)| *received).count() as u64;
        let of = nodes.len() as u64;
        Progress { have, of }
    }
}

fn verify(protocol: &Letters) -> Result<u64, Difference> {
    let scenario = Scenario {
        topology: hxsim::topology::Topology::Line,
        ..Scenario::new(5)
    };
    trial::verify(protocol, &scenario).expect("a valid network")
}

/// The text without digests, which are nobody's concern here.
fn without_digests(difference: &Difference) -> String {
    let text = difference.to_string();
    let lines = text
        .lines()
        .map(|line| line.split(" [").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn honest_letters_have_one_history() {
    let honest = Letters {
        oracle: || 3,
        use_of_it: Use::Wait,
    };
    assert!(verify(&honest).is_ok());
}

#[test]
fn a_node_that_waits_by_a_global_counter_is_named_with_time_and_event() {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let planted = Letters {
        oracle: || COUNTER.fetch_add(1, Ordering::Relaxed),
        use_of_it: Use::Wait,
    };
    let difference = verify(&planted).expect_err("it has as many histories as there are runs");
    assert_eq!(
        (difference.node, difference.after),
        (2, Time::from_millis(200))
    );
    // The runs that find the difference are not those that showed it, so the counter has moved on.
    assert_eq!(
        without_digests(&difference),
        "node 2 has two histories; they were still equal at 200ms\n  \
           one shard: 252ms node 2: timer\n  \
           in parts:  253ms node 2: timer"
    );
}

#[test]
fn bytes_that_differ_are_found_where_they_arrive() {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let planted = Letters {
        oracle: || COUNTER.fetch_add(1, Ordering::Relaxed),
        use_of_it: Use::Write,
    };
    let difference = verify(&planted).expect_err("the letter has another text in each run");
    assert_eq!(
        (difference.node, difference.after),
        (3, Time::from_millis(200))
    );
    let event = "280ms node 3: data from node 2, stream 1, segment 1, 8 bytes";
    assert_eq!(
        without_digests(&difference),
        format!(
            "node 3 has two histories; they were still equal at 200ms\n  \
               in both, before that:\n    \
                 250ms node 3: timer\n    \
                 260ms node 3: dial from node 2 to port 7\n    \
                 270ms node 3: accepted by node 4\n  \
               one shard: {event}\n  \
               in parts:  {event}\n  \
               the same event, but with another content"
        )
    );
}

#[test]
fn what_cannot_be_shown_again_is_said_to_come_from_outside() {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let planted = Letters {
        oracle: || COUNTER.fetch_add(1, Ordering::Relaxed).min(1),
        use_of_it: Use::Wait,
    };
    let difference = verify(&planted).expect_err("the first run differs from all others");
    assert_eq!(
        difference.to_string(),
        "node 2 has two histories; they were still equal at 200ms\n  \
         a third run found no difference: what differs comes from outside the world"
    );
}

/// Each node greets the others, in the order of a map that has none.
struct Greetings;

impl Protocol for Greetings {
    type Node = Rc<Cell<usize>>;
    type Snapshot = usize;

    #[expect(
        clippy::disallowed_types,
        reason = "its order differs from run to run, which is what has to be found"
    )]
    fn start(&self, host: Host, seat: Seat<'_>) -> Self::Node {
        let greeted = Rc::new(Cell::new(0));
        let (count, socket) = (greeted.clone(), host.bind(7).expect("it is free"));
        let others: std::collections::HashMap<_, _> =
            seat.neighbours.iter().map(|peer| (*peer, ())).collect();
        host.clone().spawn(async move {
            host.sleep(Duration::from_millis(250)).await;
            for (number, peer) in (0_u8..).zip(others.keys()) {
                // The later ones are greeted with more words.
                let words = vec![0; usize::from(number)];
                socket.send_to(*peer, 7, &words).expect("it is short");
            }
            loop {
                socket.recv_from(&mut []).await;
                count.set(count.get() + 1);
            }
        });
        greeted
    }

    fn snapshot(&self, node: &Self::Node) -> usize {
        node.get()
    }

    fn progress(&self, nodes: &[(NodeId, usize)]) -> Progress {
        let have = nodes.iter().map(|(_, greeted)| *greeted as u64).sum();
        Progress { have, of: 90 }
    }
}

#[test]
fn an_unordered_map_is_found_with_what_was_equal_before() {
    let scenario = Scenario {
        topology: hxsim::topology::Topology::Complete,
        ..Scenario::new(10)
    };
    let verified = trial::verify(&Greetings, &scenario).expect("a valid network");
    let difference =
        verified.expect_err("two maps of nine have the same order once in a very long time");
    assert_eq!(difference.after, Time::from_millis(200));
    let told = without_digests(&difference);
    let lines: Vec<_> = told.lines().collect();
    let node = difference.node;
    assert_eq!(
        lines[0],
        format!("node {node} has two histories; they were still equal at 200ms")
    );
    assert_eq!(lines[1], "  in both, before that:", "{told}");
    assert_eq!(lines[2], format!("    250ms node {node}: timer"), "{told}");
    let (first, second) = difference.events;
    let datagram = |event: Option<simnet::TraceEvent>| match event.map(|event| event.what) {
        Some(simnet::trace::What::Datagram { from, bytes, .. }) => (from, bytes),
        other => panic!("{other:?}"),
    };
    assert_ne!(datagram(first), datagram(second), "{told}");
}
