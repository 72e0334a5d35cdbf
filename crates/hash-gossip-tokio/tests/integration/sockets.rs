use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hash_exchange::{Connection, Hash, Kind, MemoryBody, MemoryStore, OwnedEvent};
use hash_gossip::{Config, Host as _, Neighbour, Node, Status};
use hash_gossip_tokio::{TokioHost, config, dialled};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

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

/// A node that dials nobody, and the address on which it listens.
async fn alone() -> (TokioNode, SocketAddr) {
    let host = listen().await;
    let address = host.address();
    (start(host, []), address)
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
        let closed = Node::start(closed, Config::default(), none);
        let guest = start(guest, [address]);
        closed.publish(*b"not for you");
        until(|| guest.neighbour(&address).unwrap().last_loss.is_some()).await;
        assert!(guest.hashes().is_empty() && closed.neighbours().is_empty());
    });
}

#[test]
fn whoever_sends_garbage_is_hung_up_on_and_others_are_served() {
    run(async {
        let (node, address) = alone().await;
        let hash = node.publish(*b"hey yo");
        let request =
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8.16.0\r\nAccept: text/html\r\n\r\n";
        for garbage in [&request[..], &[0xff; 100], &[1; 100], &[3, 8, 2, 0x80]] {
            let stream = TcpStream::connect(address).await.unwrap();
            write_all(&stream, garbage).await;
            ends(&stream).await;
        }
        // These may yet become a frame, so it is waited for.
        let mut unfinished = Vec::new();
        for beginning in [&[][..], &[0x80], &[51, 8, 2, 0x12]] {
            let stream = TcpStream::connect(address).await.unwrap();
            write_all(&stream, beginning).await;
            unfinished.push(stream);
        }
        let guest = start(listen().await, [address]);
        until(|| guest.holds(&hash)).await;
        let up = |status: &Status<SocketAddr>| status.up;
        until(|| node.neighbours().iter().filter(|status| up(status)).count() == 4).await;
    });
}

#[test]
fn who_asks_for_much_and_never_reads_costs_what_the_system_buffers() {
    run(async {
        let (node, address) = alone().await;
        let hashes: Vec<_> = (0..40)
            .map(|byte| node.publish(vec![byte; 1 << 20]))
            .collect();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let mut mute = Connection::<_, MemoryBody<Vec<u8>>>::new(stream.compat());
        mute.request(&hashes).unwrap();
        poll_fn(|cx| mute.poll_flush(cx)).await.unwrap();
        until(|| node.sent().content(Kind::Body) > 0).await;

        let sent = node.sent().content(Kind::Body);
        let guest = start(listen().await, [address]);
        until(|| hashes.iter().all(|hash| guest.holds(hash))).await;
        assert!(!node.is_idle() && guest.is_idle());
        let to_mute = node.sent().content(Kind::Body) - guest.payload_bytes();
        assert!(sent <= to_mute && to_mute < 16 << 20, "{to_mute} bytes");
    });
}

#[test]
fn more_bodies_than_may_be_asked_for_at_a_time_come_over_one_connection() {
    run(async {
        let (a, address) = alone().await;
        let hashes: Vec<_> = (0..20_000_u32)
            .map(|number| a.publish(number.to_le_bytes()))
            .collect();
        let b = start(listen().await, [address]);
        until(|| hashes.iter().all(|hash| b.holds(hash))).await;
        assert_eq!(b.neighbour(&address).unwrap().attempts, 0);
        assert_eq!(b.duplicates(), 0);
    });
}

#[test]
fn who_asks_for_more_at_a_time_than_is_served_is_hung_up_on() {
    run(async {
        let (node, address) = alone().await;
        for (most, lives) in [(1 << 14, true), ((1 << 14) + 1, false)] {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut store = MemoryStore::new();
            let mut greedy = Connection::new(stream.compat());
            let hashes: Vec<Hash> = (0..most).map(|number| number.to_string().into()).collect();
            greedy.request(&hashes).unwrap();
            let mut missing = 0;
            while missing < most {
                match greedy.next(&mut store).await {
                    Ok(Some(OwnedEvent::NotFound(_))) => missing += 1,
                    Ok(Some(OwnedEvent::Available(_))) => {}
                    _ => break,
                }
            }
            assert_eq!(missing == most, lives, "{missing} of {most}");
        }
        assert!(node.is_idle());
    });
}

#[test]
fn a_stranger_finds_room_once_another_has_left() {
    run(async {
        let crowded = listen().await;
        let address = crowded.address();
        let config = Config {
            max_strangers: 3,
            ..config()
        };
        let crowded = Node::start(crowded, config, dialled([]));
        let hash = crowded.publish(*b"hey yo");
        let mut strangers = Vec::new();
        for _ in 0..3 {
            strangers.push(TcpStream::connect(address).await.unwrap());
        }
        until(|| crowded.neighbours().len() == 3).await;
        for _ in 0..50 {
            ends(&TcpStream::connect(address).await.unwrap()).await;
        }
        let guest = start(listen().await, [address]);
        until(|| guest.neighbour(&address).unwrap().attempts > 0).await;
        assert!(!guest.holds(&hash));
        drop(strangers.pop());
        until(|| guest.holds(&hash)).await;
        assert_eq!(crowded.neighbours().len(), 3);
    });
}

#[test]
fn a_node_ends_with_its_tasks_and_handles() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let tasks = LocalSet::new();
    let (node, address, stream) = tasks.block_on(&runtime, async {
        let (node, address) = alone().await;
        let stream = TcpStream::connect(address).await.unwrap();
        until(|| !node.neighbours().is_empty()).await;
        (node, address, stream)
    });
    drop((tasks, node));
    runtime.block_on(async {
        timeout(LONG, ends(&stream)).await.expect("it is closed");
        assert!(TcpStream::connect(address).await.is_err());
    });
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        stream.writable().await.unwrap();
        let written = stream.try_write(bytes).unwrap_or(0);
        bytes = &bytes[written..];
    }
}

/// Is done once the other side has ended the connection, in good order or not.
async fn ends(stream: &TcpStream) {
    loop {
        stream.readable().await.unwrap();
        match stream.try_read(&mut [0; 1024]) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}
