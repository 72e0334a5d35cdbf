//! What has nothing to do with a node leaves every one of its draws, and so its whole history, as it was.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{
    Bandwidth, Host, Impairment, Layout, Link, LinkSet, Network, NodeId, Probability, Schedule,
    Stream, Time,
};

use crate::world::{MS, Notes, PORT, lossy, pattern, world};

/// Nodes talk to those of their own three alone: 0, 1 and 2, and 3, 4 and 5, and so on.
const GROUP: u32 = 3;

/// Sends to the others of the group at random times, and listens to them.
async fn chat(host: Host, _: Notes<()>) {
    host.serve(PORT, |mut stream, _| async move {
        // What becomes of it is in the digests.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .expect("nobody listens yet");
    let first = host.id() / GROUP * GROUP;
    let group: Vec<NodeId> = (first..first + GROUP)
        .filter(|id| *id != host.id() && *id < host.nodes())
        .collect();
    let mut rng = host.rng();
    for _ in 0..8 {
        host.sleep(Duration::from_millis(rng.random_range(1..400)))
            .await;
        let Some(peer) = group.get(rng.random_range(0..GROUP as usize)) else {
            continue;
        };
        let length = rng.random_range(1..20_000);
        if let Ok(mut stream) = host.connect(*peer, PORT).await {
            let _ = stream.write_all(&pattern(length)).await;
        }
    }
}

/// The history of each node.
fn histories(network: &Network) -> Vec<u64> {
    let mut world = world(network, Layout::default(), chat);
    world.run_until(Time::from_secs(120)).expect("time passes");
    world.node_digests()
}

/// What stands beside the default link.
type Links = Vec<((NodeId, NodeId), Link)>;

/// Something that the first group has no part in: faults and links of the second.
fn elsewhere() -> impl Strategy<Value = (Schedule, Links)> {
    let node = || 3u32..6;
    let at = || (0u64..3_000).prop_map(Time::from_millis);
    let fault = prop_oneof![
        (at(), node()).prop_map(|(at, node)| Schedule::default().crash(at, node)),
        (at(), node()).prop_map(|(at, node)| Schedule::default().leave(at, node)),
        (at(), node(), node())
            .prop_filter("two nodes", |(_, a, b)| a != b)
            .prop_map(|(at, a, b)| Schedule::default().cut(at, (a, b))),
        (at(), node()).prop_map(|(at, node)| Schedule::default().partition(at.., [vec![node]])),
        (at(), node(), 0u8..4).prop_map(|(at, node, kind)| {
            let impairment = match kind {
                0 => Impairment::Block,
                1 => Impairment::Delay(70 * MS),
                2 => Impairment::Lose(Probability::from_ppm(300_000)),
                _ => Impairment::Throttle(Bandwidth::per_second(1000).expect("not zero")),
            };
            Schedule::default().impair(at.., LinkSet::Around(vec![node]), impairment)
        }),
    ];
    let link = (node(), node(), 10u64..100).prop_map(|(from, to, ms)| {
        let link = Link::uniform(Duration::from_millis(ms), 5 * MS);
        ((from, to), link)
    });
    (fault, prop::collection::vec(link, 0..3))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn faults_and_links_of_others_change_nothing_for_a_node(
        seed: u64,
        (faults, links) in elsewhere(),
    ) {
        let calm = lossy(2 * GROUP, seed);
        let mut other = calm.clone();
        other.faults = faults;
        other.links.exceptions.extend(links);
        let [calm, other] = [calm, other].map(|network| histories(&network));
        prop_assert_eq!(&calm[..GROUP as usize], &other[..GROUP as usize]);
    }

    #[test]
    fn more_nodes_change_nothing_for_those_who_do_not_meet_them(seed: u64, more in 1u32..8) {
        let few = lossy(2 * GROUP, seed);
        let many = Network { nodes: few.nodes + more, ..few.clone() };
        let [few, many] = [few, many].map(|network| histories(&network));
        prop_assert_eq!(&few[..], &many[..few.len()]);
    }

    /// A chance of loss decides what is lost, and nothing else: what is not lost has the latency it had, and what is lost takes a retransmission more.
    #[test]
    fn a_loss_moves_no_latency(seed: u64, loss in 1u32..200_000) {
        let arrivals = |loss| {
            let mut network = lossy(2, seed);
            network.streams.split = Probability::ZERO;
            network.links.default.loss = Probability::from_ppm(loss);
            let mut world = world(&network, Layout::default(), |host, notes| async move {
                if host.id() == 1 {
                    let clock = host.clone();
                    let serve = move |mut stream: Stream, _| {
                        let (clock, notes) = (clock.clone(), Notes::clone(&notes));
                        async move {
                            let mut sent = [0; 8];
                            if stream.read_exact(&mut sent).await.is_ok() {
                                let sent = Time::from_nanos(u64::from_be_bytes(sent));
                                notes.borrow_mut().push((sent, clock.now().since(sent)));
                            }
                        }
                    };
                    host.serve(PORT, serve).expect("nobody listens yet");
                    return;
                }
                for number in 0..20 {
                    // What is left of the stream before is gone by then.
                    host.sleep_until(Time::from_secs(60 * number)).await;
                    let Ok(mut stream) = host.connect(1, PORT).await else { continue };
                    host.sleep_until(Time::from_secs(60 * number + 9)).await;
                    let _ = stream.write_all(&host.now().as_nanos().to_be_bytes()).await;
                }
            });
            world.run_until(Time::from_secs(1500)).expect("time passes");
            world.node(1).borrow().clone()
        };
        let (calm, lossy) = (arrivals(0), arrivals(loss));
        let mut same = 0;
        for (sent, took) in &lossy {
            // A dial that was lost again and again takes longer than until then.
            let Some((_, before)) = calm.iter().find(|it| it.0 == *sent) else { continue };
            prop_assert!(took == before || *took >= 200 * MS, "{took:?} in place of {before:?}");
            same += usize::from(took == before);
        }
        prop_assert!(same > 0, "most are not lost");
    }
}
