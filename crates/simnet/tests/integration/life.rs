//! Nodes come and go.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use rand_chacha::rand_core::Rng;
use simnet::{
    Access, Bandwidth, Carried, Fault, Host, Layout, Link, Listener, Network, NodeId, Probability,
    Stream, Time, World,
};

use crate::world::{
    MS, Notes, PORT, accept, assert_conserved, layouts, network, pattern, read_all, world,
};

const fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

/// Two nodes, of which node 1 has this done to it.
fn network_with(faults: impl IntoIterator<Item = Fault>) -> Network {
    let mut network = network(2);
    network.streams.timeout = Duration::from_secs(5);
    network.faults.faults.extend(faults);
    network
}

const fn crash(at: u64) -> Fault {
    Fault::Crash {
        at: ms(at),
        node: 1,
    }
}

const fn leave(at: u64) -> Fault {
    Fault::Leave {
        at: ms(at),
        node: 1,
    }
}

const fn restart(at: u64) -> Fault {
    Fault::Restart {
        at: ms(at),
        node: 1,
    }
}

const fn join(at: u64) -> Fault {
    Fault::Join {
        at: ms(at),
        node: 1,
    }
}

/// What node 0 has seen of node 1: when, and how many bytes or which error.
type Seen = (Time, Result<usize, ErrorKind>);

/// Node 0 dials node 1, writes a byte each 100 ms until that fails, and notes what it reads meanwhile. Node 1 answers each byte.
fn speaker(network: &Network) -> World<'static, Notes<Seen>> {
    world(
        network,
        Layout::default(),
        |host: Host, notes: Notes<Seen>| async move {
            if host.id() == 1 {
                loop {
                    let listener = host.listen(PORT).expect("nobody listens yet");
                    let (mut stream, _) = listener.accept().await;
                    let mut byte = [0];
                    while let Ok(1..) = stream.read(&mut byte).await {
                        let _ = stream.write_all(&byte).await;
                    }
                }
            }
            let dialled = host.connect(1, PORT).await;
            let stream = match dialled {
                Ok(stream) => stream,
                Err(error) => return notes.borrow_mut().push((host.now(), Err(error.kind()))),
            };
            let (mut reader, mut writer) = stream.split();
            let write = async {
                while writer.write_all(&[1]).await.is_ok() {
                    host.sleep(100 * MS).await;
                }
            };
            let read = async {
                loop {
                    let read = reader
                        .read(&mut [0; 10])
                        .await
                        .map_err(|error| error.kind());
                    notes.borrow_mut().push((host.now(), read));
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                }
            };
            futures::join!(write, read);
        },
    )
}

fn last<N: Clone>(notes: &Notes<N>) -> N {
    notes.borrow().last().cloned().expect("something was noted")
}

#[test]
fn a_crash_is_silence_until_the_stream_gives_up() {
    let mut world = speaker(&network_with([crash(1005)]));
    world.run_until(Time::from_secs(20)).expect("time passes");
    let notes = world.node(0).borrow();
    // Bytes are written at 20, 120, ... The one of 1020 is the first that gets no answer, and lasts until the timeout.
    let mut answers = notes.iter().filter(|(_, read)| read.is_ok());
    assert_eq!(answers.next_back(), Some(&(ms(940), Ok(1))));
    assert_eq!(notes.last(), Some(&(ms(6020), Err(ErrorKind::TimedOut))));
    assert!(!world.is_up(1) && world.is_up(0));
    assert_conserved(&world);
}

#[test]
fn whoever_only_listens_to_a_dead_node_listens_for_ever() {
    let network = network_with([crash(1000)]);
    let mut world = world(&network, Layout::default(), |host, notes| async move {
        if host.id() == 1 {
            let (mut stream, _) = accept(&host).await;
            let _ = read_all(&mut stream).await;
        } else {
            let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
            notes.borrow_mut().push("connected");
            let _ = stream.read(&mut [0]).await;
            notes.borrow_mut().push("noticed");
        }
    });
    world.run_until(Time::from_secs(100)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), ["connected"]);
    assert!(world.is_quiet());
}

#[test]
fn a_node_that_is_back_resets_the_streams_that_it_knows_nothing_of() {
    let mut world = speaker(&network_with([crash(1005), restart(1500)]));
    world.run_until(Time::from_secs(20)).expect("time passes");
    // The byte of 1520 is the first that finds somebody, and the answer is there 20 ms later.
    assert_eq!(
        last(world.node(0)),
        (ms(1540), Err(ErrorKind::ConnectionReset))
    );
    assert_eq!(
        world.carried().discarded,
        6,
        "what was sent since 1020 is gone"
    );
    assert_conserved(&world);
}

#[test]
fn a_process_that_leaves_says_goodbye_and_its_machine_refuses() {
    let mut world = speaker(&network_with([leave(1005)]));
    world.run_until(Time::from_secs(20)).expect("time passes");
    // The byte that arrives at 930 is answered, and then the end comes.
    let notes = world.node(0).borrow();
    assert_eq!(
        notes[notes.len() - 2..],
        [(ms(940), Ok(1)), (ms(1015), Ok(0))]
    );
    drop(notes);
    assert!(world.is_quiet(), "the writer was reset and has ended");

    let network = network_with([leave(5), restart(85)]);
    let mut world = crate::world::world(&network, Layout::default(), |host, notes| async move {
        if host.id() == 1 {
            accept(&host).await;
            return;
        }
        for _ in 0..5 {
            let dialled = host.connect(1, PORT).await;
            notes
                .borrow_mut()
                .push((host.now(), dialled.map(drop).map_err(|error| error.kind())));
        }
    });
    world.run_until(Time::from_secs(1)).expect("time passes");
    let refused = |at| (ms(at), Err(ErrorKind::ConnectionRefused));
    assert_eq!(
        *world.node(0).borrow(),
        [20, 40, 60, 80]
            .map(refused)
            .into_iter()
            .chain([(ms(100), Ok(()))])
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_was_written_before_a_node_left_still_arrives() {
    let network = network_with([
        leave(500),
        Fault::Partition {
            at: ms(480),
            until: Some(ms(900)),
            groups: vec![vec![0]],
        },
    ]);
    let mut world = world(&network, Layout::default(), |host, notes| async move {
        if host.id() == 0 {
            let (mut stream, _) = accept(&host).await;
            let (read, ended) = read_all(&mut stream).await;
            notes.borrow_mut().push((read.len(), ended.is_ok()));
            return;
        }
        let mut stream = host.connect(0, PORT).await.expect("node 0 listens");
        host.sleep_until(ms(490)).await;
        stream
            .write_all(&[7; 100_000])
            .await
            .expect("the window is larger");
        std::future::pending::<()>().await;
    });
    world.run_until(ms(899)).expect("time passes");
    assert_eq!(
        world.in_flight(),
        100_000,
        "the machine has not got rid of it yet"
    );
    assert_conserved(&world);
    world.run_until(Time::from_secs(100)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), [(100_000, true)]);
    assert_conserved(&world);
}

/// Node 0 writes 4000 bytes to node 1 at 20 ms, over lines of a byte a millisecond and links of 10 ms; node 1 loses its power while they wait.
/// What node 1 has read by then, and what the world has carried in the end.
fn interrupted(slow: Access, crashed: NodeId, back: bool) -> (usize, Carried) {
    let at = ms(2_000);
    let crash = Fault::Crash { at, node: crashed };
    let restart = Fault::Restart {
        at: ms(3_000),
        node: crashed,
    };
    let mut network = network_with([crash].into_iter().chain(back.then_some(restart)));
    network.links.access = slow;
    network.streams.segment = 100;
    let mut world = world(&network, Layout::default(), |host, notes| async move {
        if host.incarnation() > 0 {
            return;
        }
        if host.id() == 1 {
            let (mut stream, _) = accept(&host).await;
            let mut buffer = [0; 100];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                notes.borrow_mut().push(read);
            }
        } else {
            let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
            let _ = stream.write_all(&pattern(4_000)).await;
            let _ = stream.read(&mut [0]).await;
        }
    });
    let notes = world.node(1).clone();
    for second in [1, 2, 3, 4, 60] {
        world
            .run_until(Time::from_secs(second))
            .expect("time passes");
        assert_conserved(&world);
    }
    assert_eq!(world.in_flight(), 0);
    let read = notes.borrow().iter().sum();
    (read, world.carried())
}

#[test]
fn what_waits_for_a_bandwidth_goes_with_the_power() {
    let slow = Bandwidth::per_second(1_000);
    let up = Access {
        up: slow,
        down: None,
    };
    let down = Access {
        up: None,
        down: slow,
    };
    for back in [false, true] {
        // 1980 ms of writing are 19 segments through the uplink, and the last of them arrives after its sender has gone.
        let (read, carried) = interrupted(up, 0, back);
        assert_eq!((read, carried.discarded), (1_900, 2_100));
        // Segments come at 30 ms, and the downlink has passed 19 of them as well.
        let (read, carried) = interrupted(down, 1, back);
        assert_eq!((read, carried.discarded), (1_900, 2_100));
    }
}

#[test]
fn a_node_that_joins_was_not_there_before() {
    let mut world = speaker(&network_with([join(100_000)]));
    assert!(world.kept(1).is_none() && world.nodes().count() == 1);
    world.run_until(Time::from_secs(20)).expect("time passes");
    assert_eq!(
        *world.node(0).borrow(),
        [(ms(5000), Err(ErrorKind::TimedOut))],
        "nobody refuses either"
    );
    assert!(!world.is_quiet(), "somebody is to come");
    world.run_until(Time::from_secs(101)).expect("time passes");
    assert!(world.is_up(1) && world.nodes_up().count() == 2);
    assert!(world.is_quiet());

    // A dial that is repeated gets through: it is sent at 0, 200 and 600 ms.
    let mut world = speaker(&network_with([join(300)]));
    world.run_until(Time::from_secs(2)).expect("time passes");
    assert_eq!(world.node(0).borrow()[0], (ms(640), Ok(1)));
}

#[test]
fn a_segment_that_arrives_at_the_very_instant_finds_what_the_fault_has_left() {
    // The dial arrives at 10 ms.
    for (faults, first) in [
        (vec![crash(10)], Err(ErrorKind::TimedOut)),
        (vec![leave(10)], Err(ErrorKind::ConnectionRefused)),
        (vec![join(10)], Ok(1)),
        (vec![crash(5), restart(10)], Ok(1)),
        (vec![leave(10), restart(10)], Ok(1)),
        (vec![crash(11)], Err(ErrorKind::TimedOut)),
    ] {
        let mut world = speaker(&network_with(faults.clone()));
        world.run_until(Time::from_secs(6)).expect("time passes");
        assert_eq!(world.node(0).borrow()[0].1, first, "{faults:?}");
    }
}

/// What a node keeps over its lives.
struct Diary {
    lives: Vec<(Time, u32, u64)>,
    /// Things of the last life that its owner does not let go of.
    relics: Rc<RefCell<Vec<Relic>>>,
}

struct Relic {
    host: Host,
    #[expect(dead_code, reason = "it is kept for its destructor")]
    listener: Rc<Listener>,
    stream: Stream,
}

#[test]
fn every_life_is_counted_and_draws_anew_and_relics_of_the_last_do_nothing() {
    let faults = [crash(500), restart(1000), leave(1500), restart(2000)];
    let mut world = World::new(
        &network_with(faults),
        Layout::default(),
        |host: Host, before: Option<Diary>| {
            let mut diary = before.unwrap_or_else(|| Diary {
                lives: Vec::new(),
                relics: Rc::default(),
            });
            diary
                .lives
                .push((host.now(), host.incarnation(), host.rng().next_u64()));
            // In the midst of a life all that is left of the last one goes, and this life's port stays open.
            let relics = diary.relics.clone();
            let listener = Rc::new(host.listen(PORT).expect("the port is free in every life"));
            host.spawn({
                let host = host.clone();
                async move {
                    if host.id() == 0 {
                        loop {
                            let (stream, _) = listener.accept().await;
                            let wait = host.clone();
                            host.spawn(async move {
                                wait.sleep(Duration::from_secs(1)).await;
                                drop(stream);
                            });
                        }
                    }
                    let stream = host.connect(0, PORT).await.expect("node 0 listens");
                    host.sleep(100 * MS).await;
                    let older = relics.replace(vec![Relic {
                        host: host.clone(),
                        listener: listener.clone(),
                        stream,
                    }]);
                    drop(older);
                    let (mut stream, _) = listener.accept().await;
                    let _ = stream.read(&mut [0]).await;
                }
            });
            diary
        },
    )
    .expect("a possible network");
    for (at, life) in [(999, 0), (1999, 1)] {
        world.run_until(ms(at)).expect("time passes");
        let diary = world.node(1);
        assert_eq!(diary.lives.len(), life + 1);
        let mut relics = diary.relics.borrow_mut();
        let [relic] = &mut relics[..] else {
            panic!("one life leaves one behind");
        };
        let events = world.events();
        let host = relic.host.clone();
        host.spawn(async { panic!("the dead run nothing") });
        assert_eq!(
            host.listen(9).err().map(|error| error.kind()),
            Some(ErrorKind::NetworkDown)
        );
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let poll = |future: std::pin::Pin<&mut dyn Future<Output = std::io::Result<usize>>>,
                    cx: &mut _| match future.poll(cx) {
            std::task::Poll::Ready(outcome) => Some(outcome.map_err(|error| error.kind())),
            std::task::Poll::Pending => None,
        };
        let dial = std::pin::pin!(async { host.connect(0, PORT).await.map(|_| 0) });
        assert_eq!(poll(dial, &mut cx), Some(Err(ErrorKind::NetworkDown)));
        let sleep = std::pin::pin!(async {
            host.sleep(Duration::ZERO).await;
            Ok(0)
        });
        assert_eq!(poll(sleep, &mut cx), None, "the dead sleep for ever");
        let mut buffer = [0];
        let read = std::pin::pin!(relic.stream.read(&mut buffer));
        assert_eq!(poll(read, &mut cx), Some(Err(ErrorKind::ConnectionReset)));
        let write = std::pin::pin!(relic.stream.write(b"boo"));
        assert_eq!(poll(write, &mut cx), Some(Err(ErrorKind::ConnectionReset)));
        assert_eq!(world.events(), events);
    }
    world.run_until(Time::from_secs(5)).expect("time passes");
    let diary = world.node(1);
    let (times, counts): (Vec<_>, Vec<_>) = diary.lives.iter().map(|life| (life.0, life.1)).unzip();
    assert_eq!(
        (times, counts),
        (vec![Time::ZERO, ms(1000), ms(2000)], vec![0, 1, 2])
    );
    let mut draws: Vec<_> = diary.lives.iter().map(|life| life.2).collect();
    draws.dedup();
    assert_eq!(draws.len(), 3, "no life repeats the draws of another");
    assert_conserved(&world);
}

#[test]
fn a_life_that_cannot_be_is_refused_in_words() {
    let start = |_: Host, _: Option<()>| ();
    let error = |faults: &[Fault]| {
        let network = network_with(faults.iter().cloned());
        let error = World::new(&network, Layout::default(), start).err();
        error.expect("it cannot be").to_string()
    };
    assert_eq!(
        error(&[restart(5)]),
        "node 1 cannot restart at 5ms: it is up then"
    );
    assert_eq!(
        error(&[leave(5), crash(6)]),
        "node 1 cannot crash at 6ms: it is down then"
    );
    let absent = Fault::Join {
        at: Time::ZERO,
        node: 2,
    };
    assert_eq!(
        error(&[absent]),
        "node 2 is named, but there are only 2 nodes"
    );
}

/// A write that a stream took: when the stream was opened, when it was written, and to whom.
type Written = (Time, Time, NodeId);

/// What a node of [`talk`] keeps: what it wrote, and the last stream that it took, which it never lets go of.
#[derive(Clone, Default)]
struct Talker {
    written: Notes<Written>,
    kept: Rc<RefCell<Option<Stream>>>,
}

const PAUSE: Duration = Duration::from_millis(7);

/// Every node dials the others again and again, talks to them, and keeps a stream of its last life.
fn talk(network: &Network, layout: Layout) -> World<'static, Talker> {
    World::new(network, layout, |host: Host, before: Option<Talker>| {
        let talker = before.unwrap_or_default();
        let (own, kept) = (host.clone(), talker.kept.clone());
        host.spawn(async move {
            let listener = own.listen(PORT).expect("nobody listens yet");
            loop {
                let (mut stream, _) = listener.accept().await;
                let kept = kept.clone();
                own.spawn(async move {
                    let mut buffer = [0; 100];
                    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                        if n > 60 {
                            kept.replace(Some(stream));
                            return;
                        }
                        if stream.write_all(&buffer[..n / 2]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        for round in 1..3 {
            let peer = (host.id() + round) % host.nodes();
            let (own, written) = (host.clone(), talker.written.clone());
            host.spawn(async move {
                loop {
                    own.sleep(PAUSE).await;
                    let Ok(mut stream) = own.connect(peer, PORT).await else {
                        continue;
                    };
                    let opened = own.now();
                    for size in 1..30_usize {
                        if stream.write_all(&vec![size as u8; size]).await.is_err() {
                            break;
                        }
                        written.borrow_mut().push((opened, own.now(), peer));
                        own.sleep(PAUSE).await;
                    }
                }
            });
        }
        talker
    })
    .expect("a possible network")
}

/// A life for each node: alternating stops and starts at these times, beginning with a late joining if `joins`.
fn life(node: NodeId, joins: bool, mut times: Vec<u64>, crashes: &[bool]) -> Vec<Fault> {
    times.sort_unstable();
    let mut up = !joins;
    let mut faults = Vec::new();
    for (number, time) in times.into_iter().enumerate() {
        let at = Time::from_nanos(time * 100_000);
        faults.push(match (up, number) {
            (false, 0) => Fault::Join { at, node },
            (false, _) => Fault::Restart { at, node },
            (true, _) if crashes[number] => Fault::Crash { at, node },
            (true, _) => Fault::Leave { at, node },
        });
        up = !up;
    }
    faults
}

fn lives(nodes: u32) -> impl Strategy<Value = Vec<Fault>> {
    let one = |node| {
        let times = prop::collection::vec(0..8_000_u64, 0..6);
        let crashes = prop::collection::vec(any::<bool>(), 6);
        (any::<bool>(), times, crashes)
            .prop_map(move |(joins, times, crashes)| life(node, joins, times, &crashes))
    };
    let all: Vec<_> = (0..nodes).map(one).collect();
    all.prop_map(|faults| faults.concat())
}

const NODES: u32 = 5;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_and_goes_the_history_is_one_and_every_byte_is_accounted_for(
        seed: u64,
        loss in prop_oneof![Just(0_u32), Just(50_000)],
        floor_us in 500_u64..20_000,
        faults in lives(NODES),
        bandwidths in [prop::option::of(2_000_u64..50_000), prop::option::of(2_000_u64..50_000), prop::option::of(2_000_u64..50_000)],
        layout in prop::sample::select(layouts()[1..].to_vec()),
    ) {
        let link = Link::uniform(Duration::from_micros(floor_us), 5 * MS);
        let mut network = Network::new(NODES, seed, link.with_loss(Probability::from_ppm(loss)));
        let [up, down, link] = bandwidths.map(|it| it.and_then(Bandwidth::per_second));
        network.links.access = Access { up, down };
        network.links.default.bandwidth = link;
        network.streams.timeout = 150 * MS;
        network.streams.retransmit = 20 * MS;
        network.streams.retransmit_cap = 50 * MS;
        network.streams.window = 400;
        network.streams.segment = 100;
        network.faults.faults = faults;
        let lives = network.faults.lives();
        let mut base = talk(&network, Layout::default());
        let mut other = talk(&network, layout);
        for time in (50..=1200).step_by(50).map(ms) {
            base.run_until(time).expect("time passes");
            other.run_until(time).expect("time passes");
            prop_assert_eq!(base.node_digests(), other.node_digests());
            assert_conserved(&base);
            assert_conserved(&other);
            let last = Time::from_nanos(time.as_nanos() - 1);
            for node in 0..NODES {
                prop_assert_eq!(base.is_up(node), lives.down(node, last).is_none());
            }
        }
        // Nobody writes to a node for long that has stopped, unless it has come back and was dialled again: a stream gives up so long after what it
        // last sent had left, and on a slow line full windows to all others leave before that.
        let queued = u64::from(NODES * network.streams.window);
        let slowest = bandwidths.into_iter().flatten().min();
        let queueing = slowest.map_or(Duration::ZERO, |slowest| Duration::from_secs(queued) / slowest as u32);
        let slack = network.streams.timeout + 2 * PAUSE + queueing;
        for talker in base.nodes() {
            for (opened, at, peer) in talker.written.borrow().iter() {
                let stopped = network.faults.faults.iter().filter_map(|fault| match fault {
                    Fault::Crash { at, node } | Fault::Leave { at, node } if node == peer => Some(*at),
                    _ => None,
                });
                for stopped in stopped.filter(|stopped| opened < stopped) {
                    prop_assert!(*at <= stopped + slack, "to {peer}, opened at {opened}: {at}");
                }
            }
        }
    }
}
