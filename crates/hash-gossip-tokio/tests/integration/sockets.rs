use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hash_gossip::{Host as _, Neighbour, Node, Status};
use hash_gossip_tokio::{TokioHost, config, dialled};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

type TokioNode = Node<TokioHost>;

/// Beyond any doubt that it will not come any more.
const LONG: Duration = Duration::from_secs(30);

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let test = async { timeout(LONG, test).await.expect("it is done in time") };
    LocalSet::new().block_on(&runtime, test);
}

async fn listen() -> TokioHost {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    TokioHost::listen(any).await.unwrap()
}

fn start<const N: usize>(host: TokioHost, peers: [SocketAddr; N]) -> TokioNode {
    Node::start(host, config(), dialled(peers))
}

async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn two_nodes_that_dial_each_other_take_each_body_once() {
    run(async {
        let (a, b) = (listen().await, listen().await);
        let (to_a, to_b) = (a.address(), b.address());
        let (a, b) = (start(a, [to_b]), start(b, [to_a]));
        // Each is a neighbour of the other, whom it dialled, and a stranger, who dialled it.
        let both_up = |node: &TokioNode| {
            let up = |status: &Status<SocketAddr>| status.up;
            node.neighbours().iter().filter(|status| up(status)).count() == 2
        };
        until(|| both_up(&a) && both_up(&b)).await;
        let mut hashes = Vec::new();
        for number in 0..20_u8 {
            let node = if number % 2 == 0 { &a } else { &b };
            hashes.push(node.publish(vec![number; 10_000]));
        }
        until(|| {
            [&a, &b]
                .iter()
                .all(|node| hashes.iter().all(|hash| node.holds(hash)))
        })
        .await;
        for node in [&a, &b] {
            assert_eq!((node.duplicates(), node.payload_bytes()), (0, 100_000));
        }
    });
}

#[test]
fn a_large_body_goes_through_a_node_between() {
    run(async {
        let (a, b, c) = (listen().await, listen().await, listen().await);
        let (to_a, to_b) = (a.address(), b.address());
        let (a, b, c) = (start(a, []), start(b, [to_a]), start(c, [to_b]));
        let large = a.publish(vec![1; 5 << 20]);
        let small = c.publish(*b"hey yo");
        until(|| c.holds(&large) && a.holds(&small)).await;
        assert_eq!(c.record(&large).unwrap().from, Some(to_b));
        until(|| [&a, &b, &c].iter().all(|node| node.is_idle())).await;
    });
}

#[test]
fn a_neighbour_that_is_not_there_yet_is_dialled_until_it_is() {
    run(async {
        let late = listen().await;
        let address = late.address();
        drop(late);
        let early = listen().await;
        let early = start(early, [address]);
        until(|| early.neighbour(&address).unwrap().attempts > 1).await;
        let late = start(TokioHost::listen(address).await.unwrap(), []);
        let hash = late.publish(*b"better late");
        until(|| early.holds(&hash)).await;
    });
}

#[test]
fn a_node_without_room_for_strangers_takes_none() {
    run(async {
        let (closed, guest) = (listen().await, listen().await);
        let address = closed.address();
        let none: Vec<Neighbour<SocketAddr>> = Vec::new();
        let closed = Node::start(closed, hash_gossip::Config::default(), none);
        let guest = start(guest, [address]);
        closed.publish(*b"not for you");
        until(|| guest.neighbour(&address).unwrap().last_loss.is_some()).await;
        assert!(guest.hashes().is_empty() && closed.neighbours().is_empty());
    });
}
