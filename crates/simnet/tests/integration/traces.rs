use futures::{AsyncReadExt, AsyncWriteExt};
use simnet::trace::{self, Trace, TraceEvent, What};
use simnet::{Fault, Host, Impairment, Layout, LinkSet, Network, NodeId, Time, World};

use crate::world::{MS, PORT, layouts, network};

/// Node 0 dials node 1, says hello again and again, by a stream and by datagrams, into a network that is bad for a while.
fn greetings(network: &Network, layout: Layout) -> World<'static, ()> {
    let world = World::new(network, layout, |host: Host, _| {
        host.clone().spawn(async move {
            let socket = host.bind(PORT).expect("it is free");
            if host.id() == 1 {
                let listener = host.listen(PORT).expect("it is free");
                loop {
                    let (mut stream, _) = listener.accept().await;
                    while let Ok(1..) = stream.read(&mut [0; 5]).await {}
                }
            }
            let Ok(mut stream) = host.connect(1, PORT).await else {
                return;
            };
            for _ in 0..3 {
                if stream.write_all(b"hello").await.is_err() {
                    return;
                }
                socket.send_to(1, PORT, b"hi").expect("it is short");
                host.sleep(100 * MS).await;
            }
        });
    });
    let mut world = world.expect("the network is sound");
    world.run_until(Time::from_secs(9)).expect("time passes");
    world
}

fn bad() -> Network {
    let at = Time::from_millis;
    let mut network = network(2);
    network.faults = network
        .faults
        .impair(at(110)..at(150), LinkSet::All, Impairment::Block)
        .cut(at(590), (0, 1))
        .with(Fault::Leave {
            at: at(700),
            node: 1,
        })
        .restart(at(800), 1)
        .with(Fault::Crash {
            at: at(900),
            node: 1,
        });
    network
}

fn kept(trace: Trace) -> Layout {
    Layout {
        trace,
        ..Layout::default()
    }
}

fn lines(events: &[TraceEvent]) -> Vec<String> {
    events.iter().map(ToString::to_string).collect()
}

#[test]
fn a_trace_tells_what_happened_line_by_line() {
    let all = greetings(&bad(), kept(Trace::All)).trace();
    let expected = [
        "10ms node 1: dial from node 0 to port 7",
        "20ms node 0: accepted by node 1",
        "30ms node 1: data from node 0, stream 0, segment 1, 5 bytes",
        "30ms node 1: datagram from node 0 to port 7, 2 bytes",
        "120ms node 0: timer",
        "120ms node 0: lost to node 1, 5 bytes",
        "120ms node 0: lost to node 1, 2 bytes",
    ];
    assert_eq!(lines(&all)[..7], expected);
    let of_faults = |event: &&TraceEvent| {
        matches!(
            event.what,
            What::SentAgain { .. } | What::Cut { .. } | What::Started | What::Left | What::Crashed
        )
    };
    let faults: Vec<_> = all.iter().filter(of_faults).copied().collect();
    let expected = [
        "590ms node 0: cut from node 1 by the fault schedule",
        "590ms node 1: cut from node 0 by the fault schedule",
        "700ms node 1: left by the fault schedule",
        "800ms node 1: started by the fault schedule",
        "900ms node 1: crashed by the fault schedule",
    ];
    let told = lines(&faults);
    assert!(
        told[0].ends_with(" node 0: sent again to node 1, 5 bytes"),
        "{told:?}"
    );
    assert_eq!(told[1..], expected);
}

#[test]
fn what_is_kept_is_a_part_of_all_whatever_the_layout() {
    let network = bad();
    let all = greetings(&network, kept(Trace::All)).trace();
    assert_eq!(trace::decode(&trace::encode(&all)).as_ref(), Ok(&all));
    let (from, until) = (Time::from_millis(30), Time::from_millis(290));
    let during: Vec<_> = all
        .iter()
        .filter(|event| event.time >= from && event.time < until)
        .copied()
        .collect();
    assert!(!during.is_empty() && during.len() < all.len());
    for layout in layouts() {
        let of = |trace| greetings(&network, Layout { trace, ..layout }).trace();
        assert_eq!(of(Trace::All), all, "{layout:?}");
        assert_eq!(of(Trace::During(from, until)), during, "{layout:?}");
        for count in [0, 1, 7, 1000] {
            let last = &all[all.len().saturating_sub(count)..];
            assert_eq!(of(Trace::Last(count)), last, "{layout:?}");
        }
        assert_eq!(of(Trace::Off), []);
    }
}

#[test]
fn the_last_of_many_events_are_kept_in_little_memory_and_change_no_history() {
    let run = |trace| {
        let world = World::new(&network(3), kept(trace), |host: Host, _| {
            host.clone().spawn(async move {
                for _ in 0..20_000 {
                    host.sleep(MS).await;
                }
            });
        });
        let mut world = world.expect("the network is sound");
        world.run_until(Time::from_secs(60)).expect("time passes");
        (world.digest(), world.trace())
    };
    let (digest, all) = run(Trace::All);
    assert_eq!(all.len(), 60_000);
    let (same, last) = run(Trace::Last(10));
    assert_eq!((same, &last[..]), (digest, &all[59_990..]));
    let nodes: Vec<NodeId> = last[7..].iter().map(|event| event.node).collect();
    assert_eq!(nodes, [0, 1, 2]);
    assert_eq!(run(Trace::Off).0, digest);
}
