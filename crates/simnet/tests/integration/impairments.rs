//! Links that are worse for a while: of each impairment, what it alone changes.

use std::io;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{
    Bandwidth, Carried, Fault, Host, Impairment, Layout, LinkSet, Network, NodeId, Probability,
    Schedule, Time,
};

use crate::world::{
    MS, Notes, PORT, accept, assert_conserved, layouts, lossy, network, pattern, world,
};

const S: Duration = Duration::from_secs(1);

/// What node 0 hears of an exchange with node 1, and what was carried.
#[derive(Debug, PartialEq, Eq)]
struct Exchange {
    /// When the last byte of the question came to node 1, after it was asked.
    asked: Option<Duration>,
    /// When the last byte of the answer came to node 0, after the question was asked; or how it failed.
    answered: Option<Result<Duration, io::ErrorKind>>,
    carried: Carried,
}

/// One second after the start node 0 asks so many bytes over a stream that is open since long, and node 1 answers by as many.
fn exchange(faults: Schedule, length: usize) -> Exchange {
    let mut network = network(2);
    network.streams.window = 1 << 24;
    network.faults = faults;
    let main = move |host: Host, notes: Notes<Result<Duration, io::ErrorKind>>| async move {
        let mut stream = match host.id() {
            0 => host.connect(1, PORT).await.expect("all is well at first"),
            _ => accept(&host).await.0,
        };
        let asked = Time::from_secs(1);
        host.sleep_until(asked).await;
        let mut bytes = vec![0; length];
        if host.id() == 0 {
            let written = stream.write_all(&pattern(length)).await;
            let heard = match written {
                Ok(()) => stream.read_exact(&mut bytes).await,
                Err(error) => Err(error),
            };
            let heard = heard.map_err(|error| error.kind());
            notes
                .borrow_mut()
                .push(heard.map(|()| host.now().since(asked)));
        } else if stream.read_exact(&mut bytes).await.is_ok() {
            assert_eq!(bytes, pattern(length));
            notes.borrow_mut().push(Ok(host.now().since(asked)));
            // Whether the answer arrives is for node 0 to say.
            let _ = stream.write_all(&bytes).await;
            // Until the other end has all or is gone.
            let _ = stream.read(&mut [0]).await;
        }
    };
    let mut world = world(&network, Layout::default(), main);
    for second in 1..120 {
        world
            .run_until(Time::from_secs(second))
            .expect("time passes");
        assert_conserved(&world);
    }
    let first = |id| world.node(id).borrow().first().copied();
    Exchange {
        asked: first(1).and_then(Result::ok),
        answered: first(0),
        carried: world.carried(),
    }
}

fn during(links: LinkSet, impairment: Impairment) -> Schedule {
    let [at, until] = [500, 4_000].map(Time::from_millis);
    Schedule::default().impair(at..until, links, impairment)
}

fn there() -> LinkSet {
    LinkSet::Between(vec![0], vec![1])
}

fn back() -> LinkSet {
    LinkSet::Between(vec![1], vec![0])
}

#[test]
fn without_faults_an_exchange_takes_two_latencies() {
    let calm = exchange(Schedule::default(), 1000);
    assert_eq!(calm.asked, Some(10 * MS));
    assert_eq!(calm.answered, Some(Ok(20 * MS)));
    assert_eq!(calm.carried.lost, 0);
}

#[test]
fn a_block_of_one_direction_lets_questions_through_and_no_answers() {
    let deaf = exchange(during(back(), Impairment::Block), 1000);
    assert_eq!(deaf.asked, Some(10 * MS), "the question is not in its way");
    // The answer is sent again after 200 ms and then twice as long each time: the fifth transmission is the first beyond the block.
    assert_eq!(
        deaf.answered,
        Some(Ok((10 + 200 + 400 + 800 + 1600 + 10) * MS))
    );
    assert_eq!(deaf.carried.lost, 4);

    let mute = exchange(during(there(), Impairment::Block), 1000);
    assert_eq!(mute.asked, Some((200 + 400 + 800 + 1600 + 10) * MS));

    let for_ever = Schedule::default().impair(Time::from_millis(500).., back(), Impairment::Block);
    let lost = exchange(for_ever, 1000);
    assert_eq!(lost.asked, Some(10 * MS));
    assert_eq!(lost.answered, None, "who only reads never learns");
}

#[test]
fn what_meets_a_stall_waits_for_its_end_and_is_not_lost() {
    let stalled = exchange(during(there(), Impairment::Stall), 1000);
    assert_eq!(stalled.asked, Some(3 * S + 10 * MS));
    assert_eq!(stalled.answered, Some(Ok(3 * S + 20 * MS)));
    assert_eq!(stalled.carried.lost, 0);
}

#[test]
fn a_stall_that_outlasts_the_patience_of_streams_ends_them() {
    let stall = |until| {
        Schedule::default().impair(
            Time::from_millis(500)..Time::from_secs(until),
            there(),
            Impairment::Stall,
        )
    };
    let ended = exchange(stall(100), 1000);
    assert_eq!(ended.asked, None);
    assert_eq!(ended.answered, Some(Err(io::ErrorKind::TimedOut)));
    // Too long for what is sent at first, which is lost to it, and not for what is sent again: that waits for its end.
    let late = exchange(stall(31), 1000);
    assert_eq!(late.asked, Some(30 * S + 10 * MS));
}

#[test]
fn a_delay_adds_to_the_latency_of_what_is_sent_meanwhile() {
    let detour = exchange(during(there(), Impairment::Delay(70 * MS)), 1000);
    assert_eq!(detour.asked, Some(80 * MS));
    assert_eq!(detour.answered, Some(Ok(90 * MS)));
    let slow_node = during(LinkSet::From(vec![1]), Impairment::Delay(70 * MS));
    let slow_node = exchange(slow_node, 1000);
    assert_eq!(slow_node.asked, Some(10 * MS));
    assert_eq!(slow_node.answered, Some(Ok(90 * MS)));
}

#[test]
fn a_burst_of_losses_costs_retransmissions_and_no_bytes() {
    let half = Impairment::Lose(Probability::from_ppm(500_000));
    let length = 1 << 20;
    let [calm, burst] = [Schedule::default(), during(there(), half)].map(|it| exchange(it, length));
    assert_eq!((calm.carried.lost, calm.carried.retransmitted), (0, 0));
    assert!(burst.carried.lost >= 4, "{burst:?}");
    assert!(burst.carried.retransmitted > 0);
    assert_eq!(burst.carried.delivered, calm.carried.delivered);
    assert!(burst.asked > calm.asked);
}

#[test]
fn a_throttle_holds_links_to_its_bandwidth() {
    let mib = Bandwidth::per_second(1 << 20).expect("it is not zero");
    let length = 1 << 20;
    let held = exchange(during(there(), Impairment::Throttle(mib)), length);
    assert_eq!(held.asked, Some(S + 10 * MS));
    assert_eq!(held.answered, Some(Ok(S + 20 * MS)), "one direction only");
}

#[test]
fn schedules_are_put_together_by_ranges_of_times() {
    let [at, until] = [1, 2].map(Time::from_secs);
    let next = |time: Time| time + Duration::from_nanos(1);
    let block = |at, until| Fault::Impair {
        at,
        until,
        links: LinkSet::All,
        impairment: Impairment::Block,
    };
    let blocked = Schedule::default()
        .impair(at..until, LinkSet::All, Impairment::Block)
        .impair(at..=until, LinkSet::All, Impairment::Block)
        .impair(.., LinkSet::All, Impairment::Block);
    assert_eq!(
        blocked.faults,
        [
            block(at, Some(until)),
            block(at, Some(next(until))),
            block(Time::ZERO, None)
        ]
    );
    let lives = Schedule::default().crash(at, 1).restart(until, 1).lives();
    assert!(lives.misfits().is_empty());
    assert_eq!(lives.down(1, at), Some(0));
}

#[test]
fn an_impairment_of_a_node_that_is_not_there_is_an_error() {
    let mut network = network(2);
    network.faults = during(LinkSet::Around(vec![2]), Impairment::Stall);
    let error = simnet::World::new(&network, Layout::default(), |_, _| ())
        .err()
        .expect("there is no node 2");
    assert_eq!(
        error.to_string(),
        "node 2 is named, but there are only 2 nodes"
    );
}

fn links() -> impl Strategy<Value = LinkSet> {
    let nodes = || prop::collection::vec(0u32..4, 1..3);
    prop_oneof![
        Just(LinkSet::All),
        nodes().prop_map(LinkSet::Around),
        nodes().prop_map(LinkSet::From),
        nodes().prop_map(LinkSet::To),
        (nodes(), nodes()).prop_map(|(from, to)| LinkSet::Between(from, to)),
    ]
}

fn impairment() -> impl Strategy<Value = Impairment> {
    let bandwidth = |bytes| Bandwidth::per_second(bytes).expect("it is not zero");
    prop_oneof![
        Just(Impairment::Block),
        Just(Impairment::Stall),
        (0u64..500).prop_map(|ms| Impairment::Delay(Duration::from_millis(ms))),
        (0u32..=1_000_000).prop_map(|ppm| Impairment::Lose(Probability::from_ppm(ppm))),
        (1_000u64..10_000_000).prop_map(move |bytes| Impairment::Throttle(bandwidth(bytes))),
    ]
}

/// Everybody sends to everybody, over new streams until all has arrived: who, from whom, when.
async fn flood(host: Host, notes: Notes<(Time, NodeId, usize)>) {
    let listener = host.listen(PORT).expect("nobody listens yet");
    for peer in (0..host.nodes()).filter(|peer| *peer != host.id()) {
        let dialler = host.clone();
        host.spawn(async move {
            loop {
                let sent = async {
                    let mut stream = dialler.connect(peer, PORT).await?;
                    stream.write_all(&pattern(20_000)).await?;
                    stream.close().await?;
                    // The other end closes once it has all.
                    stream.read(&mut [0]).await
                };
                if sent.await.is_ok() {
                    return;
                }
            }
        });
    }
    loop {
        let (mut stream, peer) = listener.accept().await;
        let (host, notes) = (host.clone(), Notes::clone(&notes));
        host.clone().spawn(async move {
            let mut bytes = Vec::new();
            if stream.read_to_end(&mut bytes).await.is_ok() {
                notes.borrow_mut().push((host.now(), peer, bytes.len()));
                let _ = stream.close().await;
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever weather there is, it is the same in every layout, no byte is unaccounted for, and once it is over all arrives.
    #[test]
    fn all_arrives_once_it_is_over_and_every_layout_tells_the_same(
        seed: u64,
        impaired in prop::collection::vec((0u64..3_000, 1u64..8_000, links(), impairment()), 1..5),
    ) {
        let mut network: Network = lossy(4, seed);
        for (at, length, links, impairment) in impaired {
            let during = Time::from_millis(at)..Time::from_millis(at + length);
            network.faults = network.faults.impair(during, links, impairment);
        }
        let mut histories = Vec::new();
        for layout in layouts() {
            let mut world = world(&network, layout, flood);
            for second in [1, 2, 5, 200] {
                world.run_until(Time::from_secs(second)).expect("time passes");
                assert_conserved(&world);
            }
            for (id, notes) in (0..).zip(world.nodes()) {
                for peer in (0..4).filter(|peer| *peer != id) {
                    let whole = |note: &(Time, NodeId, usize)| (note.1, note.2) == (peer, 20_000);
                    prop_assert!(notes.borrow().iter().any(whole), "{} to {}", peer, id);
                }
            }
            histories.push(world.digest());
        }
        prop_assert!(histories.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
