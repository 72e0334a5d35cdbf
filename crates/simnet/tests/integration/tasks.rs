//! Tasks: waited for, aborted, stuck, and without end.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::channel::oneshot;
use futures::{AsyncReadExt, AsyncWriteExt};
use simnet::{Fault, Host, Layout, Livelock, Network, Time, WaitingTask, WaitsFor, World};

use crate::world::{MS, PORT, layouts, network, world};

/// Whether it was dropped.
#[derive(Clone, Default)]
struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

fn run_to_the_end<T>(world: &mut World<'_, T>) {
    world.run_until(Time::from_secs(60)).expect("time passes");
}

#[test]
fn whoever_waits_for_a_task_goes_on_when_it_ends() {
    let mut world = world(
        &network(1),
        Layout::default(),
        |host: Host, notes| async move {
            let sleeper = host.clone();
            let task = host.spawn(async move { sleeper.sleep(5 * MS).await });
            assert!(!task.is_finished());
            task.await;
            notes.borrow_mut().push(host.now());
            let sum = host.spawn_for(async { 3 + 4 });
            assert_eq!(sum.await, Some(7));
            // It is over already.
            let over = host.spawn_for(async { "said" });
            host.sleep(MS).await;
            assert!(over.task().is_finished());
            assert_eq!(over.await, Some("said"));
            notes.borrow_mut().push(host.now());
        },
    );
    run_to_the_end(&mut world);
    assert_eq!(*world.node(0).borrow(), [5, 6].map(Time::from_millis));
    assert!(world.waiting_tasks().is_empty());
}

#[test]
fn an_aborted_task_is_dropped_at_once_with_all_that_it_holds() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 1 {
                let (mut stream, _) = host.listen(PORT).expect("it is free").accept().await;
                // Its end is dropped with the task that held it.
                assert_eq!(stream.read(&mut [0]).await.expect("it ends well"), 0);
                notes.borrow_mut().push(host.now());
                return;
            }
            let stream = host.connect(1, PORT).await.expect("node 1 listens");
            let inside = Dropped::default();
            let seen = inside.0.clone();
            let task = host.spawn_for(async move {
                let _held = (stream, inside);
                pending::<u32>().await
            });
            host.sleep(10 * MS).await;
            task.task().abort();
            assert!(seen.get() && task.task().is_finished());
            task.task().abort();
            assert_eq!(task.await, None, "it has nothing to say");
            notes.borrow_mut().push(host.now());
        },
    );
    run_to_the_end(&mut world);
    assert_eq!(*world.node(0).borrow(), [Time::from_millis(30)]);
    assert_eq!(*world.node(1).borrow(), [Time::from_millis(40)]);
}

#[test]
fn a_task_that_aborts_itself_is_dropped_when_it_returns() {
    let mut world = world(
        &network(1),
        Layout::default(),
        |host: Host, notes| async move {
            let (sender, receiver) = oneshot::channel::<simnet::Task>();
            let (dropped, note) = (Dropped::default(), notes.clone());
            let seen = dropped.0.clone();
            let task = host.spawn(async move {
                let _held = dropped;
                let own = receiver.await.expect("it is sent");
                own.abort();
                note.borrow_mut().push("still here");
                pending().await
            });
            sender.send(task).expect("it is awaited");
            host.sleep(MS).await;
            assert!(seen.get());
            notes.borrow_mut().push("gone");
        },
    );
    run_to_the_end(&mut world);
    assert_eq!(*world.node(0).borrow(), ["still here", "gone"]);
    assert!(world.waiting_tasks().is_empty());
}

#[test]
fn a_handle_of_a_task_that_is_over_does_nothing_to_the_next_one_in_its_place() {
    let mut world = world(
        &network(1),
        Layout::default(),
        |host: Host, notes| async move {
            let first = host.spawn(async {});
            host.sleep(MS).await;
            let second = host.spawn_for(async { 2 });
            first.abort();
            assert!(first.is_finished() && !second.task().is_finished());
            let said = second.await;
            notes.borrow_mut().push(said);
        },
    );
    run_to_the_end(&mut world);
    assert_eq!(*world.node(0).borrow(), [Some(2)]);
}

#[test]
fn of_a_life_that_is_over_every_task_is() {
    let mut network = network(1);
    network.faults.faults = vec![Fault::Crash {
        at: Time::from_secs(1),
        node: 0,
    }];
    let world = World::new(&network, Layout::default(), |host: Host, _| {
        (host.spawn(pending()), host)
    });
    let mut world = world.expect("the network is sound");
    assert!(!world.node(0).0.is_finished());
    run_to_the_end(&mut world);
    let (task, host) = world.node(0);
    assert!(task.is_finished() && host.spawn(pending()).is_finished());
    task.abort();
}

/// Futures of a host are dropped half-way here, again and again, and nothing is lost by it.
#[test]
fn whatever_a_host_promises_may_be_dropped_and_asked_for_again() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                // An attempt that is given up is none, and leaves nothing behind.
                let attempt = host.timeout(MS, host.connect(1, PORT)).await;
                assert!(attempt.is_err());
                let socket = host.bind(PORT).expect("it is free");
                let mut stream = host.connect(1, PORT).await.expect("node 1 listens");
                for at in 0..1000 {
                    stream.write_all(&[at as u8]).await.expect("it is sound");
                    if at % 200 == 0 {
                        socket.send_to(1, PORT, &[1]).expect("it is short");
                        host.sleep(11 * MS).await;
                    }
                }
                return;
            }
            let listener = host.listen(PORT).expect("it is free");
            let socket = host.bind(PORT).expect("it is free");
            let mut read = Vec::new();
            while read.is_empty() {
                let accepted = loop {
                    if let Ok(accepted) = host.timeout(3 * MS, listener.accept()).await {
                        break accepted;
                    }
                };
                let (mut stream, mut buffer) = (accepted.0, [0; 7]);
                loop {
                    match host.timeout(3 * MS, stream.read(&mut buffer)).await {
                        Err(_) => {}
                        Ok(Ok(length @ 1..)) => read.extend_from_slice(&buffer[..length]),
                        Ok(_) => break,
                    }
                }
            }
            let sent: Vec<_> = (0..1000).map(|at| at as u8).collect();
            assert_eq!(read, sent);
            let mut datagrams = 0;
            while let Ok(received) = host.timeout(3 * MS, socket.recv_from(&mut [0])).await {
                datagrams += received.length;
            }
            notes.borrow_mut().push(datagrams);
        },
    );
    run_to_the_end(&mut world);
    assert_eq!(*world.node(1).borrow(), [5]);
}

fn names(waiting: &[WaitingTask]) -> Vec<(u32, &'static str)> {
    let name = |task: &WaitingTask| (task.node, task.name.rsplit("::").nth(1).unwrap_or_default());
    waiting.iter().map(name).collect()
}

async fn listens(host: Host) {
    host.listen(PORT).expect("it is free").accept().await;
}

async fn reads(host: Host) {
    let (mut stream, _) = host.listen(PORT + 1).expect("it is free").accept().await;
    let _ = stream.read(&mut [0]).await;
}

async fn dials_and_waits(host: Host) {
    let mut stream = host.connect(1, PORT + 1).await.expect("node 1 listens");
    let _ = stream.read(&mut [0]).await;
}

async fn hears(host: Host) {
    host.bind(PORT)
        .expect("it is free")
        .recv_from(&mut [0])
        .await;
}

async fn sleeps(host: Host) {
    host.sleep(Duration::from_secs(100)).await;
}

#[test]
fn a_world_that_is_stuck_says_what_each_task_waits_for() {
    let world = World::new(&network(2), Layout::default(), |host: Host, _| {
        if host.id() == 0 {
            // Two that wait for each other.
            let (one, other) = (oneshot::channel::<()>(), oneshot::channel::<()>());
            host.spawn(waits_then_sends(one.1, other.0));
            host.spawn(waits_then_sends(other.1, one.0));
            host.spawn(dials_and_waits(host.clone()));
            let never = host.spawn(sleeps(host.clone()));
            host.spawn(never);
        } else {
            host.spawn(listens(host.clone()));
            host.spawn(reads(host.clone()));
            host.spawn(hears(host.clone()));
        }
    });
    let mut world = world.expect("the network is sound");
    world.run_until(Time::from_secs(99)).expect("time passes");
    let waiting = world.waiting_tasks();
    let waits: Vec<_> = waiting.iter().map(|task| &task.waits_for[..]).collect();
    let sleeps = waiting[3].name;
    let expected: [&[WaitsFor]; 8] = [
        &[],
        &[],
        &[WaitsFor::Read(1)],
        &[WaitsFor::Time(Time::from_secs(100))],
        &[WaitsFor::Task(sleeps)],
        &[WaitsFor::Accept(PORT)],
        &[WaitsFor::Read(0)],
        &[WaitsFor::Datagram(PORT)],
    ];
    assert_eq!(waits, expected);

    world.run_until(Time::from_secs(101)).expect("time passes");
    assert!(world.is_quiet(), "and now it is stuck");
    let waiting = world.waiting_tasks();
    let expected = [
        (0, "waits_then_sends"),
        (0, "waits_then_sends"),
        (0, "dials_and_waits"),
        (1, "listens"),
        (1, "reads"),
        (1, "hears"),
    ];
    assert_eq!(names(&waiting), expected);
    let told = |at: usize| waiting[at].to_string();
    assert!(
        told(0).ends_with("::waits_then_sends::{{closure}} waits for code of its own node"),
        "{}",
        told(0)
    );
    assert!(
        told(2).ends_with("::dials_and_waits::{{closure}} waits for something to read from node 1"),
        "{}",
        told(2)
    );
}

async fn waits_then_sends(heard: oneshot::Receiver<()>, said: oneshot::Sender<()>) {
    let _ = heard.await;
    let _ = said.send(());
}

/// Wakes itself for ever.
async fn spins() {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

/// The same by tasks that end at once.
async fn naps(host: Host) {
    loop {
        let nap = host.clone();
        host.spawn_for(async move { nap.sleep(Duration::ZERO).await })
            .await;
    }
}

fn livelock(network: &Network, layout: Layout) -> Livelock {
    let world = World::new(network, layout, |host: Host, _| {
        let late = host.clone();
        host.spawn(async move {
            late.sleep(MS * (20 + late.id() % 3)).await;
            match late.id() {
                1 | 4 => spins().await,
                2 => naps(late).await,
                _ => {}
            }
        });
    });
    let mut world = world.expect("the network is sound");
    world
        .run_until(Time::from_millis(20))
        .expect("until then time passes");
    let found = world
        .run_until(Time::from_secs(1))
        .expect_err("time stands still");
    assert_eq!(world.run_until(Time::from_secs(2)), Err(found), "for good");
    found
}

#[test]
fn tasks_that_are_polled_without_end_are_an_error_with_the_name_of_one() {
    let mut network = network(6);
    network.most_polls = 1000;
    let found = livelock(&network, Layout::default());
    assert_eq!(
        (found.node, found.time, found.polls),
        (1, Time::from_millis(21), 1000)
    );
    let told = found.to_string();
    assert!(
        told.starts_with(
            "node 1 does not get beyond 21ms: its tasks were polled 1000 times then, the last time "
        ),
        "{told}"
    );
    for layout in layouts() {
        assert_eq!(livelock(&network, layout), found, "{layout:?}");
    }
}

#[test]
fn a_task_that_sleeps_for_no_time_again_and_again_is_found_out() {
    for layout in layouts() {
        let world = World::new(&network(3), layout, |host: Host, _| {
            if host.id() == 1 {
                host.clone().spawn(async move {
                    host.sleep(MS * 20).await;
                    loop {
                        host.sleep(Duration::ZERO).await;
                    }
                });
            }
        });
        let found = world
            .expect("the network is sound")
            .run_until(Time::from_secs(1))
            .expect_err("time stands still");
        assert_eq!((found.node, found.time), (1, Time::from_millis(20)));
    }
}

#[test]
fn many_polls_at_many_instants_are_none_too_many() {
    let mut network = network(1);
    network.most_polls = 10;
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            for _ in 0..1000 {
                host.sleep(Duration::from_nanos(1)).await;
            }
            notes.borrow_mut().push(host.now());
        },
    );
    run_to_the_end(&mut world);
    assert_eq!(*world.node(0).borrow(), [Time::from_nanos(1000)]);
}
