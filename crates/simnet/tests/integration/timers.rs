use std::time::Duration;

use futures::future::{Either, select};
use simnet::trace::What;
use simnet::{Elapsed, Host, Layout, Time, Trace};

use crate::world::{MS, network, world};

#[test]
fn a_sleep_ends_at_its_very_instant() {
    let mut world = world(
        &network(1),
        Layout::default(),
        |host: Host, notes| async move {
            host.sleep(1500 * MS).await;
            notes.borrow_mut().push(host.now());
            host.sleep(Duration::from_nanos(1)).await;
            notes.borrow_mut().push(host.now());
        },
    );
    world.run_until(Time::from_secs(2)).expect("time passes");
    let expected = [Time::from_millis(1500), Time::from_nanos(1_500_000_001)];
    assert_eq!(*world.node(0).borrow(), expected);
    assert!(world.is_quiet());
}

#[test]
fn a_cut_splits_time_wherever_it_falls() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            for _ in 0..4 {
                host.sleep(3 * MS).await;
                notes.borrow_mut().push(host.now());
            }
        },
    );
    world.run_until(Time::from_millis(6)).expect("time passes");
    assert_eq!(
        world.node(1).borrow().len(),
        1,
        "what happens at 6 ms lies behind the cut"
    );
    world
        .run_until(Time::from_nanos(6_000_001))
        .expect("time passes");
    assert_eq!(world.node(1).borrow().len(), 2);
    world.run_until(Time::from_millis(11)).expect("time passes");
    assert_eq!(world.node(0).borrow().len(), 3);
    world.run_until(Time::from_millis(20)).expect("time passes");
    assert_eq!(world.node(0).borrow().len(), 4);
}

#[test]
fn a_timeout_gives_up_and_leaves_no_timer_behind() {
    let mut world = world(
        &network(1),
        Layout::default(),
        |host: Host, notes| async move {
            let never = std::future::pending::<()>();
            let late = host.timeout(5 * MS, never).await;
            let soon = host.sleep(MS);
            let early = host.timeout(Duration::from_secs(3600), soon).await;
            notes.borrow_mut().extend([late, early]);
        },
    );
    world.run_until(Time::from_millis(10)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), [Err(Elapsed), Ok(())]);
    assert!(
        world.is_quiet(),
        "the hour's timer is gone with its timeout"
    );
}

#[test]
fn combinators_with_wakers_of_their_own_are_woken() {
    let mut world = world(
        &network(1),
        Layout::default(),
        |host: Host, notes| async move {
            let mut pair = futures::stream::FuturesUnordered::new();
            for ms in [3, 1, 2] {
                let host = host.clone();
                pair.push(async move {
                    host.sleep(ms * MS).await;
                    ms
                });
            }
            while let Some(ms) = futures::StreamExt::next(&mut pair).await {
                notes.borrow_mut().push(ms);
            }
            let (late, early) = (host.sleep(9 * MS), host.sleep(4 * MS));
            if let Either::Right(_) = select(late, early).await {
                notes.borrow_mut().push(4);
            }
        },
    );
    world.run_until(Time::from_millis(20)).expect("time passes");
    assert_eq!(*world.node(0).borrow(), [1, 2, 3, 4]);
}

#[test]
fn the_order_of_ready_tasks_is_drawn_from_the_seed() {
    let order = |seed| {
        let mut network = network(1);
        network.seed = seed;
        let mut world = world(
            &network,
            Layout::default(),
            |host: Host, notes| async move {
                for task in 0..8 {
                    let (host, notes) = (host.clone(), notes.clone());
                    host.clone().spawn(async move {
                        host.sleep(MS).await;
                        notes.borrow_mut().push(task);
                    });
                }
            },
        );
        world.run_until(Time::from_secs(1)).expect("time passes");
        world.node(0).borrow().clone()
    };
    assert_eq!(order(1), order(1));
    let orders: std::collections::BTreeSet<_> = (0..10).map(order).collect();
    assert!(orders.len() > 5, "8! orders, 10 seeds: {orders:?}");
}

#[test]
fn a_task_can_be_woken_from_outside_between_two_runs() {
    let (sender, receiver) = futures::channel::oneshot::channel();
    let receiver = std::cell::RefCell::new(Some(receiver));
    let mut world = world(&network(1), Layout::default(), |host: Host, notes| {
        let receiver = receiver.take().expect("there is one node");
        async move {
            let message = receiver.await;
            notes.borrow_mut().push((host.now(), message));
        }
    });
    world.run_until(Time::from_millis(5)).expect("time passes");
    sender.send("hello").expect("the node waits");
    world.run_until(Time::from_millis(6)).expect("time passes");
    assert_eq!(
        *world.node(0).borrow(),
        [(Time::from_millis(5), Ok("hello"))]
    );
}

/// Node 1 has a clock that goes half as fast, node 2 one that goes twice as fast, and both are set.
#[test]
fn a_node_lives_by_its_own_clocks_and_the_world_by_the_true_time() {
    let hour = 3_600_000_000_000;
    let mut network = network(3);
    network.faults = network
        .faults
        .drift(Time::from_secs(1).., 1, -500_000)
        .drift(Time::from_secs(1)..Time::from_secs(3), 2, 1_000_000)
        .jump(Time::from_secs(2), 1, hour)
        .jump(Time::from_secs(2), 2, -hour);
    let layout = Layout {
        trace: Trace::All,
        ..Layout::default()
    };
    let mut world = world(&network, layout, |host: Host, notes| async move {
        let began = host.wall();
        let socket = host.bind(7).expect("it is free");
        host.sleep(Duration::from_secs(2)).await;
        notes
            .borrow_mut()
            .push((host.now(), host.wall().as_secs() - began.as_secs()));
        let waited = host
            .timeout(Duration::from_secs(2), std::future::pending::<()>())
            .await;
        assert_eq!(waited, Err(Elapsed));
        notes.borrow_mut().push((
            host.now(),
            host.wall().as_secs().wrapping_sub(began.as_secs()),
        ));
        socket.send_to(0, 7, &[]).expect("it is short");
    });
    world.run_until(Time::from_secs(60)).expect("time passes");
    let shown = |node| world.node(node).borrow().clone();
    let s = Time::from_secs;
    assert_eq!(shown(0), [(s(2), 2), (s(4), 4)]);
    // It is 3 s when its clock shows 2, and 7 s when it shows 4: the hour is there before that.
    assert_eq!(shown(1), [(s(2), 3602), (s(4), 3604)]);
    // It is 1.5 s when its clock shows 2, and 2.5 s when it shows 4.
    assert_eq!(shown(2), [(s(2), 2), (s(4), 4_u64.wrapping_sub(3600))]);
    let trace = world.trace();
    let heard = trace
        .iter()
        .filter(|event| matches!(event.what, What::Datagram { .. }));
    let heard: Vec<_> = heard.map(|event| event.time).collect();
    assert_eq!(heard, [2510, 4010, 7010].map(Time::from_millis));
}

/// A world in which node 0 does something to node 1 behind the network's back.
fn world_of_cheats(shards: u32, cheat: impl Fn(Vec<Host>) + Clone + 'static) {
    let hosts = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let layout = Layout {
        shards,
        ..Layout::default()
    };
    let mut world = world(
        &network(2),
        layout,
        |host: Host, _: crate::world::Notes<()>| {
            hosts.borrow_mut().push(host.clone());
            let (hosts, cheat) = (hosts.clone(), cheat.clone());
            async move {
                host.sleep(MS).await;
                if host.id() == 0 {
                    cheat(hosts.borrow().clone());
                }
            }
        },
    );
    world.run_until(Time::from_millis(10)).expect("time passes");
}

#[test]
#[should_panic(expected = "node 0 used what belongs to node 1")]
fn a_node_cannot_use_the_host_of_another() {
    world_of_cheats(1, |hosts| drop(hosts[1].spawn(async {})));
}

#[test]
#[should_panic(expected = "node 0 woke a task of node 1")]
fn a_node_cannot_wake_a_task_of_another_not_even_in_another_shard() {
    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
    let pair = std::cell::RefCell::new((Some(sender), Some(receiver)));
    let layout = Layout {
        shards: 2,
        ..Layout::default()
    };
    let mut world = world(
        &network(2),
        layout,
        |host: Host, _: crate::world::Notes<()>| {
            let sender = (host.id() == 0)
                .then(|| pair.borrow_mut().0.take())
                .flatten();
            let receiver = (host.id() == 1)
                .then(|| pair.borrow_mut().1.take())
                .flatten();
            async move {
                if let Some(receiver) = receiver {
                    let _ = receiver.await;
                }
                // By the next window the other node waits.
                host.sleep(15 * MS).await;
                if let Some(sender) = sender {
                    let _ = sender.send(());
                }
            }
        },
    );
    world.run_until(Time::from_millis(30)).expect("time passes");
}
