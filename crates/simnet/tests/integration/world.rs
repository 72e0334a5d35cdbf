//! One small world: every node gets the same code and a notebook that the test reads.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{Host, Layout, Link, Network, NodeId, Probability, Stream, Time, World};

pub(crate) const PORT: u16 = 7;
pub(crate) const MS: Duration = Duration::from_millis(1);

/// What a node writes down for the test.
pub(crate) type Notes<N> = Rc<RefCell<Vec<N>>>;

/// Two to a few nodes over constant 10 ms links.
pub(crate) fn network(nodes: u32) -> Network {
    Network::new(nodes, 1, Link::constant(10 * MS))
}

/// Latencies that differ, and one transmission of fifty lost.
pub(crate) fn lossy(nodes: u32, seed: u64) -> Network {
    let mut network = network(nodes);
    network.seed = seed;
    let link = Link::uniform(10 * MS, 15 * MS);
    network.links.default = link.with_loss(Probability::from_ppm(20_000));
    network.streams.split = Probability::from_ppm(200_000);
    network
}

/// Three nodes with any segments and windows and much loss, and cuts between node 0 and the others.
pub(crate) fn rough() -> impl Strategy<Value = Network> {
    let streams = (50u32..20_000, 1_000u32..100_000);
    let cuts = prop::collection::vec((0u64..1_000, 1u32..3), 0..4);
    (any::<u64>(), 0u32..100_000, streams, cuts).prop_map(
        |(seed, loss, (segment, window), cuts)| {
            let mut network = lossy(3, seed);
            network.links.default.loss = Probability::from_ppm(loss);
            network.streams.segment = segment;
            network.streams.window = window;
            for (at, other) in cuts {
                network.faults = network.faults.cut(Time::from_millis(at), (other, 0));
            }
            network
        },
    )
}

/// A world in which every node runs `main` and writes notes.
pub(crate) fn world<'a, N: 'static, F>(
    network: &Network,
    layout: Layout,
    main: impl Fn(Host, Notes<N>) -> F + 'a,
) -> World<'a, Notes<N>>
where
    F: Future<Output = ()> + 'static,
{
    World::new(network, layout, move |host, _| {
        let notes = Notes::default();
        host.spawn(main(host.clone(), notes.clone()));
        notes
    })
    .expect("the network is valid")
}

/// The layouts that must not change a history.
pub(crate) fn layouts() -> [Layout; 5] {
    let base = Layout::default();
    [
        base,
        Layout { shards: 2, ..base },
        Layout { shards: 3, ..base },
        Layout {
            reverse: true,
            ..base
        },
        Layout { windows: 2, ..base },
    ]
}

pub(crate) async fn accept(host: &Host) -> (Stream, NodeId) {
    let listener = host.listen(PORT).expect("nobody listens yet");
    listener.accept().await
}

/// Everything that comes, and how it ended.
pub(crate) async fn read_all(stream: &mut Stream) -> (Vec<u8>, io::Result<()>) {
    let mut read = Vec::new();
    let mut buffer = [0; 997];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (read, Ok(())),
            Ok(n) => read.extend_from_slice(&buffer[..n]),
            Err(error) => return (read, Err(error)),
        }
    }
}

/// Bytes whose every position is recognisable.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

pub(crate) async fn write_and_close(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.close().await
}

/// accepted = delivered + discarded + in flight, each counted where it happens.
pub(crate) fn assert_conserved<T>(world: &World<'_, T>) {
    let carried = world.carried();
    assert_eq!(
        carried.accepted,
        carried.delivered + carried.discarded + world.in_flight(),
        "{carried:?}"
    );
}
