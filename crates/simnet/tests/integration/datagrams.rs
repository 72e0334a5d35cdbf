use std::io::ErrorKind;
use std::time::Duration;

use futures::FutureExt;
use proptest::prelude::*;
use simnet::{
    Access, Bandwidth, CarriedDatagrams, DatagramSocket, Fault, GilbertElliott, Host, Impairment,
    InvalidNetwork, Layout, Link, LinkSet, Network, NodeId, Probability, Schedule, Time, World,
};

use crate::world::{MS, Notes, PORT, layouts, network, world};

/// When a datagram came, its number, and from whom.
type Heard = (Time, u32, NodeId);

fn bind(host: &Host) -> DatagramSocket {
    host.bind(PORT).expect("nothing is bound yet")
}

/// Writes down what comes; what is not a number is noted as `u32::MAX`.
async fn listen(host: Host, notes: Notes<Heard>) {
    let socket = bind(&host);
    let mut buffer = [0; 100];
    loop {
        let received = socket.recv_from(&mut buffer).await;
        let number = buffer[..received.length].try_into();
        let number = number.map_or(u32::MAX, u32::from_le_bytes);
        notes
            .borrow_mut()
            .push((host.now(), number, received.source));
    }
}

/// Node 0 sends the numbers from 0, one each millisecond, to node 1.
fn ticking(network: &Network, ticks: u32) -> World<'static, Notes<Heard>> {
    world(
        network,
        Layout::default(),
        move |host: Host, notes| async move {
            if host.id() == 1 {
                return listen(host, notes).await;
            }
            let socket = bind(&host);
            for tick in 0..ticks {
                let sent = socket.send_to(1, PORT, &tick.to_le_bytes());
                sent.expect("node 1 is there, and a number is short");
                host.sleep(MS).await;
            }
        },
    )
}

/// What node 1 heard in the end, and the counts.
fn ticked(network: &Network, ticks: u32) -> (Vec<Heard>, CarriedDatagrams) {
    let mut world = ticking(network, ticks);
    for cut in [7, 500, 3_000, 60_000] {
        world
            .run_until(Time::from_millis(cut))
            .expect("time passes");
        assert_conserved(&world);
    }
    let heard = world.node(1).borrow().clone();
    (heard, world.datagrams())
}

fn numbers(heard: &[Heard]) -> Vec<u32> {
    heard.iter().map(|(_, number, _)| *number).collect()
}

/// Each counted where it happens.
fn assert_conserved<T>(world: &World<'_, T>) {
    let carried = world.datagrams();
    assert_eq!(
        carried.sent + carried.duplicated,
        carried.delivered
            + carried.lost
            + carried.overflowed
            + carried.unheard
            + world.datagrams_in_flight(),
        "{carried:?}"
    );
}

const fn half() -> Probability {
    Probability::from_ppm(500_000)
}

/// Two nodes, and links that do this from the start to the end.
fn impaired(impairment: Impairment) -> Network {
    let mut network = network(2);
    network.faults = network
        .faults
        .impair(Time::ZERO.., LinkSet::All, impairment);
    network
}

#[test]
fn a_sound_link_brings_every_datagram_once_in_order_after_its_latency() {
    let (heard, carried) = ticked(&network(2), 1000);
    let expected = (0..1000).map(|tick| (Time::from_millis(10 + u64::from(tick)), tick, 0));
    assert_eq!(heard, expected.collect::<Vec<_>>());
    let expected = CarriedDatagrams {
        sent: 1000,
        sent_bytes: 4000,
        delivered: 1000,
        ..Default::default()
    };
    assert_eq!(carried, expected);
}

#[test]
fn a_lossy_link_loses_datagrams_for_good() {
    let mut network = network(2);
    network.links.default.loss = Probability::from_ppm(300_000);
    let (heard, carried) = ticked(&network, 1000);
    // Five sigma around 300.
    assert!((228..372).contains(&carried.lost), "{carried:?}");
    assert_eq!(heard.len() as u64, 1000 - carried.lost);
    assert!(numbers(&heard).is_sorted(), "nothing else happens");
}

#[test]
fn a_duplicated_datagram_comes_twice_each_with_a_latency_of_its_own() {
    let mut network = impaired(Impairment::Duplicate(half()));
    network.links.default = Link::uniform(10 * MS, 20 * MS);
    let (mut heard, carried) = ticked(&network, 1000);
    // Five sigma around 500.
    assert!((420..580).contains(&carried.duplicated), "{carried:?}");
    assert_eq!(heard.len() as u64, 1000 + carried.duplicated);
    heard.sort_by_key(|(time, number, _)| (*number, *time));
    let twice = heard.windows(2).filter(|pair| pair[0].1 == pair[1].1);
    assert_eq!(twice.clone().count() as u64, carried.duplicated);
    let apart = twice.filter(|pair| pair[0].0 != pair[1].0);
    assert_eq!(apart.count() as u64, carried.duplicated);
}

#[test]
fn a_detour_lets_later_datagrams_overtake() {
    let network = impaired(Impairment::Reorder {
        chance: half(),
        detour: 5 * MS,
    });
    let (heard, carried) = ticked(&network, 1000);
    assert_eq!((heard.len(), carried.delivered), (1000, 1000));
    assert!(!numbers(&heard).is_sorted());
    let late = heard.iter().map(|(time, number, _)| {
        let straight = Time::from_millis(10 + u64::from(*number));
        time.as_nanos() - straight.as_nanos()
    });
    assert!(late.clone().all(|late| late <= 5_000_000));
    let straight = late.filter(|late| *late == 0).count();
    // Five sigma around 500.
    assert!((420..580).contains(&straight), "{straight}");
}

#[test]
fn a_jitter_alone_lets_datagrams_overtake() {
    let mut network = network(2);
    network.links.default = Link::uniform(10 * MS, 20 * MS);
    let (heard, _) = ticked(&network, 1000);
    assert!(!numbers(&heard).is_sorted());
}

#[test]
fn a_corrupted_datagram_has_one_bit_flipped() {
    let network = impaired(Impairment::Corrupt(half()));
    let (heard, carried) = ticked(&network, 1000);
    assert_eq!(heard.len(), 1000);
    let flipped = numbers(&heard).into_iter().zip(0..);
    let flipped = flipped.map(|(number, sent): (u32, u32)| (number ^ sent).count_ones());
    assert!(flipped.clone().all(|bits| bits <= 1));
    assert_eq!(u64::from(flipped.sum::<u32>()), carried.corrupted);
    // Five sigma around 500.
    assert!((420..580).contains(&carried.corrupted), "{carried:?}");
}

#[test]
fn an_impairment_is_that_of_its_links_while_it_lasts() {
    let at = Time::from_millis;
    let duplicated = |from, to| {
        let mut network = network(2);
        let links = LinkSet::Between(vec![from], vec![to]);
        let twice = Impairment::Duplicate(Probability::ONE);
        network.faults = network.faults.impair(at(20)..at(50), links, twice);
        ticked(&network, 100).1.duplicated
    };
    assert_eq!((duplicated(1, 0), duplicated(0, 1)), (0, 30));
}

#[test]
fn what_streams_see_of_links_datagrams_see_too() {
    let at = Time::from_millis;
    let ticked_during = |impairment| {
        let mut network = network(2);
        network.faults = network
            .faults
            .impair(at(20)..at(50), LinkSet::All, impairment);
        ticked(&network, 100)
    };
    assert_eq!(ticked_during(Impairment::Block).1.lost, 30);
    let lost = ticked_during(Impairment::Lose(half())).1.lost;
    assert!((5..26).contains(&lost), "{lost}");

    let (heard, _) = ticked_during(Impairment::Stall);
    let late = heard.iter().filter(|(time, ..)| *time == at(60));
    assert_eq!(late.count(), 31, "they come together once it is over");

    let (heard, _) = ticked_during(Impairment::Delay(5 * MS));
    let late = |(time, number, _): &&Heard| *time == at(15 + u64::from(*number));
    assert_eq!(heard.iter().filter(late).count(), 30);

    // Four bytes take four milliseconds.
    let slow = Bandwidth::per_second(1000).expect("it is not zero");
    let (heard, _) = ticked_during(Impairment::Throttle(slow));
    let last = heard.iter().find(|(_, number, _)| *number == 49);
    assert_eq!(last, Some(&(at(20 + 30 * 4 + 10), 49, 0)));
}

#[test]
fn losses_in_bursts_are_as_many_as_others_and_stand_together() {
    let runs = |impairment| {
        let (heard, carried) = ticked(&impaired(impairment), 20_000);
        let numbers = numbers(&heard);
        let gaps = numbers.windows(2).filter(|pair| pair[1] - pair[0] > 1);
        (carried.lost, gaps.count())
    };
    let bursts = GilbertElliott::bursts(90 * MS, 10 * MS);
    let (lost, gaps) = runs(Impairment::LoseInBursts(bursts));
    let (lost_evenly, gaps_evenly) = runs(Impairment::Lose(bursts.mean_loss()));
    // Some 200 bursts: five sigma are half of it.
    assert!((1000..3000).contains(&lost), "{lost}");
    assert!((1788..2212).contains(&lost_evenly), "{lost_evenly}");
    assert!(gaps < 300 && gaps_evenly > 1500, "{gaps}, {gaps_evenly}");
}

#[test]
fn a_full_queue_drops_what_comes() {
    let mut network = network(2);
    network.datagrams.queue = 3;
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            let socket = bind(&host);
            if host.id() == 0 {
                for number in 0..5_u8 {
                    socket.send_to(1, PORT, &[number]).expect("it is short");
                }
                return;
            }
            host.sleep(Duration::from_secs(1)).await;
            let mut buffer = [0; 1];
            while socket.recv_from(&mut buffer).now_or_never().is_some() {
                notes.borrow_mut().push(buffer[0]);
            }
        },
    );
    world.run_until(Time::from_secs(2)).expect("time passes");
    assert_eq!(world.node(1).borrow().len(), 3);
    let carried = world.datagrams();
    assert_eq!([carried.delivered, carried.overflowed], [3, 2]);
    assert_conserved(&world);
}

#[test]
fn a_partition_swallows_what_is_sent_into_it() {
    let mut network = network(2);
    network.faults.faults.push(Fault::Partition {
        at: Time::from_millis(100),
        until: Some(Time::from_millis(300)),
        groups: vec![vec![0]],
    });
    let (heard, carried) = ticked(&network, 1000);
    let expected: Vec<_> = (0..100).chain(300..1000).collect();
    assert_eq!(numbers(&heard), expected);
    assert_eq!(carried.lost, 200);
}

#[test]
fn a_machine_without_power_hears_nothing_and_forgets_what_it_had_not_read() {
    let mut network = network(2);
    let [crash, restart] = [100, 300].map(Time::from_millis);
    let faults = &mut network.faults.faults;
    faults.push(Fault::Crash { at: crash, node: 1 });
    faults.push(Fault::Restart {
        at: restart,
        node: 1,
    });
    let (heard, carried) = ticked(&network, 1000);
    let expected: Vec<_> = (290..1000).collect();
    assert_eq!(
        numbers(&heard),
        expected,
        "notes are those of the last life"
    );
    assert_eq!((carried.lost, carried.delivered), (200, 800));
}

#[test]
fn after_a_process_has_left_its_machine_has_no_ear() {
    let mut network = network(2);
    let at = Time::from_millis(100);
    network.faults.faults.push(Fault::Leave { at, node: 1 });
    let (heard, carried) = ticked(&network, 1000);
    assert_eq!(numbers(&heard), (0..90).collect::<Vec<_>>());
    assert_eq!((carried.unheard, carried.lost), (910, 0));
}

#[test]
fn a_process_that_leaves_has_sent_what_it_sent() {
    let mut network = network(2);
    let at = Time::from_nanos(100_500_000);
    network.faults.faults.push(Fault::Leave { at, node: 0 });
    let (heard, _) = ticked(&network, 1000);
    assert_eq!(numbers(&heard), (0..101).collect::<Vec<_>>());
}

#[test]
fn what_a_crashed_node_holds_in_its_lines_is_gone() {
    let mut network = network(2);
    let slow = Bandwidth::per_second(1000);
    network.links.access_exceptions = [
        (
            0,
            Access {
                up: slow,
                down: None,
            },
        ),
        (
            1,
            Access {
                up: None,
                down: slow,
            },
        ),
    ]
    .into();
    let at = Time::from_millis(1001);
    // The uplink passes 4 bytes in 4 ms: 250 datagrams in the first second.
    network.faults.faults = vec![Fault::Crash { at, node: 0 }];
    let (heard, carried) = ticked(&network, 1000);
    assert_eq!((heard.len() as u64, carried.lost), (250, 750));
    // A downlink that is twice as slow has passed half of them, and holds the others.
    let slower = Bandwidth::per_second(500);
    let access = Access {
        up: None,
        down: slower,
    };
    network.links.access_exceptions.insert(1, access);
    network.faults.faults = vec![Fault::Crash { at, node: 1 }];
    let (_, carried) = ticked(&network, 1000);
    assert_eq!(
        carried.sent,
        carried.delivered + carried.lost + carried.unheard
    );
    assert!((120..126).contains(&carried.delivered), "{carried:?}");
    assert!((120..126).contains(&carried.unheard), "{carried:?}");
}

#[test]
fn datagrams_and_streams_share_a_bandwidth() {
    let mut network = network(2);
    network.links.default.bandwidth = Bandwidth::per_second(10_000);
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 1 {
                return listen(host, notes).await;
            }
            let socket = bind(&host);
            for number in 0..3_u32 {
                let sent = socket.send_to(1, PORT, &number.to_le_bytes());
                sent.expect("it is short");
                socket.send_to(1, PORT + 1, &[0; 96]).expect("it is short");
            }
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    let at = |us| Time::ZERO + Duration::from_micros(us);
    let expected = [(10_400, 0), (20_400, 1), (30_400, 2)];
    let expected = expected.map(|(us, number)| (at(us), number, 0));
    assert_eq!(*world.node(1).borrow(), expected);
    assert_eq!(world.datagrams().unheard, 3, "nobody is at the other port");
}

#[test]
fn a_socket_takes_back_its_port_and_says_what_it_cannot_do() {
    let mut network = network(2);
    network.datagrams.longest = 50;
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            let socket = bind(&host);
            let note = |error: std::io::Error| notes.borrow_mut().push(error.to_string());
            if host.id() == 1 {
                let mut buffer = [0; 2];
                let received = socket.recv_from(&mut buffer).await;
                assert_eq!((received.length, received.source), (2, 0));
                assert_eq!((received.port, buffer), (PORT, *b"ab"));
                return;
            }
            let in_use = host.bind(PORT).expect_err("it is bound");
            assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
            let nowhere = socket
                .send_to(2, PORT, &[])
                .expect_err("there is no node 2");
            assert_eq!(nowhere.kind(), ErrorKind::AddrNotAvailable);
            note(socket.send_to(1, PORT, &[0; 51]).expect_err("too long"));
            assert_eq!(socket.port(), PORT);
            drop(socket);
            let socket = bind(&host);
            socket.send_to(1, PORT, b"abc").expect("it is short");
            // A stream may have the same port.
            host.listen(PORT).expect("nobody listens");
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    let said = world.node(0).borrow();
    assert_eq!(
        *said,
        ["a datagram of 51 bytes is longer than the longest of 50"]
    );
    assert_eq!(world.datagrams().delivered, 1);
}

#[test]
fn what_is_left_of_a_stopped_node_sends_nothing() {
    let mut network = network(2);
    let at = Time::from_millis(5);
    network.faults.faults.push(Fault::Leave { at, node: 0 });
    let mut world = World::new(&network, Layout::default(), |host: Host, _| {
        let socket = bind(&host);
        (host, socket)
    })
    .expect("the network is valid");
    world.run_until(Time::from_millis(10)).expect("time passes");
    let (host, socket) = world.node(0);
    let dead = socket.send_to(1, PORT, &[]).expect_err("its node has left");
    assert_eq!(dead.kind(), ErrorKind::NetworkDown);
    let dead = host.bind(9).expect_err("its node has left");
    assert_eq!(dead.kind(), ErrorKind::NetworkDown);
    assert!(socket.recv_from(&mut []).now_or_never().is_none());
    assert_eq!(world.datagrams(), CarriedDatagrams::default());
}

#[test]
fn a_combinator_may_wait_for_a_datagram() {
    let mut world = world(
        &network(2),
        Layout::default(),
        |host: Host, notes| async move {
            let socket = bind(&host);
            if host.id() == 0 {
                host.sleep(30 * MS).await;
                socket.send_to(1, PORT, &[1]).expect("it is short");
                return;
            }
            let mut tries = futures::stream::FuturesUnordered::new();
            tries.push(async {
                let mut buffer = [0];
                socket.recv_from(&mut buffer).await.length
            });
            let received = futures::StreamExt::next(&mut tries).await;
            notes.borrow_mut().push((host.now(), received));
        },
    );
    world.run_until(Time::from_secs(1)).expect("time passes");
    let expected = [(Time::from_millis(40), Some(1))];
    assert_eq!(*world.node(1).borrow(), expected);
}

#[test]
fn sockets_need_room() {
    let mut network = network(2);
    network.datagrams.queue = 0;
    let world = World::new(&network, Layout::default(), |_, _| ());
    let error = world.err().expect("it cannot be simulated");
    assert_eq!(error, InvalidNetwork::Queue);
    assert_eq!(
        error.to_string(),
        "a socket has room for at least 1 datagram"
    );
}

/// Every node sends bursts of numbered datagrams to all others, itself too, and answers some of what it hears: many ties, and every kind of trouble.
fn chatter(network: &Network, layout: Layout, talkers: u32) -> World<'static, Notes<Heard>> {
    world(network, layout, move |host: Host, notes| async move {
        if host.id() >= talkers {
            return;
        }
        let socket = std::rc::Rc::new(bind(&host));
        let (sender, clock) = (socket.clone(), host.clone());
        host.spawn(async move {
            for round in 0..20_u32 {
                for dest in (0..talkers).chain(0..talkers) {
                    let number = round.to_le_bytes();
                    sender.send_to(dest, PORT, &number).expect("it is short");
                }
                clock.sleep(MS * (5 + round % 3)).await;
            }
        });
        let mut buffer = [0; 8];
        loop {
            let received = socket.recv_from(&mut buffer).await;
            let heard = &buffer[..received.length];
            let first = heard.first().copied().map_or(0, u32::from);
            notes
                .borrow_mut()
                .push((host.now(), first, received.source));
            if received.length == 4 && first % 2 == 0 {
                let answer = socket.send_to(received.source, received.port, &heard[..3]);
                answer.expect("it is short");
                // What comes meanwhile has to wait.
                host.sleep(MS / 2).await;
            }
        }
    })
}

fn troubled(nodes: u32, seed: u64) -> Network {
    let mut network = network(nodes);
    network.seed = seed;
    let link = Link::uniform(3 * MS, 10 * MS);
    network.links.default = link.with_loss(Probability::from_ppm(50_000));
    network.links.default.bandwidth = Bandwidth::per_second(20_000);
    let slow = Bandwidth::per_second(10_000);
    let access = Access {
        up: None,
        down: slow,
    };
    network.links.access_exceptions.insert(1, access);
    network.datagrams.queue = 3;
    let at = Time::from_millis;
    network.faults.faults = vec![
        Fault::Partition {
            at: at(20),
            until: Some(at(40)),
            groups: vec![vec![0, 2]],
        },
        Fault::Crash {
            at: at(50),
            node: 1,
        },
        Fault::Restart {
            at: at(70),
            node: 1,
        },
        Fault::Leave {
            at: at(60),
            node: 2,
        },
    ];
    network.faults = mangled(network.faults, [50_000, 100_000, 100_000, 100_000], 7 * MS);
    network
}

/// All that links do to datagrams, with chances in millionths.
fn mangled(faults: Schedule, chances: [u32; 4], detour: Duration) -> Schedule {
    let [loss, duplicate, corrupt, chance] = chances.map(Probability::from_ppm);
    let bursts = GilbertElliott {
        loss_good: Probability::ZERO,
        ..GilbertElliott::bursts(60 * MS, 2 * MS)
    };
    let all = [
        Impairment::Lose(loss),
        Impairment::LoseInBursts(bursts),
        Impairment::Duplicate(duplicate),
        Impairment::Corrupt(corrupt),
        Impairment::Reorder { chance, detour },
    ];
    let always = |faults: Schedule, it| faults.impair(Time::ZERO.., LinkSet::All, it);
    all.into_iter().fold(faults, always)
}

type History = (u64, CarriedDatagrams, Vec<Vec<Heard>>);

fn history(world: &mut World<'_, Notes<Heard>>) -> History {
    for ms in [33, 61, 400] {
        world.run_until(Time::from_millis(ms)).expect("time passes");
        assert_conserved(world);
    }
    let notes = world.nodes().map(|notes| notes.borrow().clone());
    (world.digest(), world.datagrams(), notes.collect())
}

#[test]
fn no_layout_changes_the_history_of_datagrams() {
    let network = troubled(6, 3);
    let expected = history(&mut chatter(&network, Layout::default(), 6));
    let CarriedDatagrams {
        delivered,
        duplicated,
        corrupted,
        lost,
        overflowed,
        unheard,
        ..
    } = expected.1;
    let all = [delivered, duplicated, corrupted, lost, overflowed, unheard];
    assert!(all.iter().all(|count| *count > 10), "{:?}", expected.1);
    for layout in layouts() {
        let found = history(&mut chatter(&network, layout, 6));
        assert_eq!(found, expected, "{layout:?}");
    }
}

#[test]
fn a_node_more_changes_no_datagram_of_the_others() {
    let [few, more] = [5, 6].map(|nodes| troubled(nodes, 4));
    let few = history(&mut chatter(&few, Layout::default(), 5));
    let more = history(&mut chatter(&more, Layout::default(), 5));
    assert_eq!(few.2, more.2[..5]);
}

#[test]
fn a_link_more_changes_no_draw_of_another_link() {
    let mut network = network(4);
    network.links.default = Link::uniform(10 * MS, 50 * MS);
    network.links.default.loss = half();
    let heard_by_two = |dests: &'static [NodeId]| {
        let mut world = world(
            &network,
            Layout::default(),
            move |host: Host, notes| async move {
                if host.id() != 0 {
                    return listen(host, notes).await;
                }
                let socket = bind(&host);
                for number in 0..100_u32 {
                    for dest in dests {
                        let sent = socket.send_to(*dest, PORT, &number.to_le_bytes());
                        sent.expect("it is short");
                    }
                    if number % 10 == 0 {
                        host.sleep(MS).await;
                    }
                }
            },
        );
        world.run_until(Time::from_secs(1)).expect("time passes");
        world.node(2).borrow().clone()
    };
    let alone = heard_by_two(&[2]);
    assert!((20..80).contains(&alone.len()), "{}", alone.len());
    assert_eq!(heard_by_two(&[3, 1, 2]), alone);
}

#[test]
fn code_outside_the_world_sends_too_whatever_the_layout() {
    let run = |layout| {
        let mut network = network(3);
        network.links.default = Link::uniform(10 * MS, 50 * MS);
        let mut world = World::new(&network, layout, |host: Host, _| {
            let socket = std::rc::Rc::new(bind(&host));
            let (echo, clock) = (socket.clone(), host.clone());
            host.spawn(async move {
                // At the very instant of the cut below it sends as well.
                clock.sleep(20 * MS).await;
                echo.send_to(1, PORT, &[7]).expect("it is short");
            });
            socket
        });
        let world = world.as_mut().expect("the network is valid");
        world.run_until(Time::from_millis(20)).expect("time passes");
        for source in [0, 1, 0, 2, 1, 0] {
            let sent = world.node(source).send_to(1, PORT, &[8]);
            sent.expect("it is short");
        }
        world
            .run_until(Time::from_millis(100))
            .expect("time passes");
        world.digest()
    };
    let digests = layouts().map(run);
    assert_eq!(digests, [digests[0]; 5]);
}

#[test]
fn a_golden_digest_pins_the_draws_of_datagrams() {
    let world = &mut chatter(&troubled(6, 3), Layout::default(), 6);
    assert_eq!(format!("{:016x}", history(world).0), "6c5da987e1c4483f");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_layout_changes_any_history_of_datagrams(
        seed: u64,
        nodes in 3u32..9,
        floor_us in 1u64..20_000,
        jitter_us in 0u64..50_000,
        chances in prop::array::uniform4(0u32..300_000),
        detour_us in 0u64..50_000,
        queue in 1u32..6,
        shards in 1u32..5,
        windows in 1u32..4,
        reverse: bool,
    ) {
        let mut network = troubled(nodes, seed);
        let us = Duration::from_micros;
        let bandwidth = network.links.default.bandwidth;
        network.links.default = Link::uniform(us(floor_us), us(jitter_us));
        network.links.default.bandwidth = bandwidth;
        network.datagrams.queue = queue;
        network.faults = mangled(network.faults, chances, us(detour_us));
        let expected = history(&mut chatter(&network, Layout::default(), nodes));
        let found = history(&mut chatter(&network, Layout { shards, windows, reverse, ..Layout::default() }, nodes));
        prop_assert_eq!(found, expected);
    }
}
