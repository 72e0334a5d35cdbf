//! `yamux`, as it comes from its authors, multiplexes many substreams over one simulated stream.
//!
//! What had to be pinned: yamux measures round trips by the machine's clock, and doubles the window of a substream whose reader keeps up with
//! them. Windows that may not grow (see [`pinned`]) leave that clock without a say. It asks for an echo when it starts and then every ten seconds of
//! the machine's time, so a run that takes less of those, as all here do, asks once. It draws nothing, and iterates over nothing without an order.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{Fault, Host, Layout, Link, Network, NodeId, Time};
use yamux::{Config, Connection, Mode};

use crate::world::{MS, Notes, PORT, assert_conserved, layouts, lossy, pattern, rough, world};

/// Node 0 serves all others.
const SERVER: NodeId = 0;

/// What became of one exchange: when, its number, and whether all that was sent came back.
type Outcome = (Time, usize, Result<(), io::ErrorKind>);

/// Substreams whose windows stay at the 256 KiB with which they begin.
fn pinned() -> Config {
    let mut config = Config::default();
    let substreams = 64;
    config.set_max_num_streams(substreams);
    config.set_max_connection_receive_window(Some(substreams * yamux::DEFAULT_CREDIT as usize));
    config
}

/// Gives back what each substream says, until the connection ends.
async fn serve<T: AsyncRead + AsyncWrite + Unpin>(host: &Host, socket: T) {
    let mut connection = Connection::new(socket, pinned(), Mode::Server);
    while let Some(Ok(stream)) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {
        host.spawn(async move {
            let (reader, mut writer) = stream.split();
            // Whether that goes well is for the client to say.
            if futures::io::copy(reader, &mut writer).await.is_ok() {
                let _ = writer.close().await;
            }
        });
    }
}

/// Says `length` bytes on a substream, and hears them again.
async fn exchange(stream: yamux::Stream, length: usize) -> io::Result<()> {
    let sent = pattern(length);
    let (mut reader, mut writer) = stream.split();
    let say = async {
        writer.write_all(&sent).await?;
        writer.close().await
    };
    let hear = async {
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await?;
        assert!(sent.starts_with(&heard), "only what was said comes back");
        match heard.len() == length {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    futures::try_join!(say, hear).map(drop)
}

/// One substream for each length, all at once over one connection. Ends when the last has.
async fn exchange_all(host: &Host, notes: &Notes<Outcome>, lengths: &[(usize, usize)]) {
    let Ok(socket) = host.connect(SERVER, PORT).await else {
        return;
    };
    let mut connection = Connection::new(socket, pinned(), Mode::Client);
    let mut exchanges = Vec::new();
    for (number, length) in lengths {
        let Ok(stream) = poll_fn(|cx| connection.poll_new_outbound(cx)).await else {
            break;
        };
        exchanges.push(async {
            let outcome = exchange(stream, *length).await;
            let outcome = outcome.map_err(|error| error.kind());
            notes.borrow_mut().push((host.now(), *number, outcome));
        });
    }
    // The connection moves only while it is polled. The server opens no substreams, so the poll ends with the connection.
    let end = poll_fn(|cx| connection.poll_next_inbound(cx));
    if let Either::Right((_, exchanges)) = select(join_all(exchanges), end).await {
        exchanges.await;
    }
    let _ = poll_fn(|cx| connection.poll_close(cx)).await;
}

/// Clients that exchange all these lengths with the server, over new connections until every one has come back whole.
fn clients<'a>(
    network: &Network,
    layout: Layout,
    lengths: &[usize],
) -> simnet::World<'a, Notes<Outcome>> {
    let lengths: Vec<_> = lengths.iter().copied().enumerate().collect();
    world(network, layout, move |host: Host, notes: Notes<Outcome>| {
        let lengths = lengths.clone();
        async move {
            if host.id() == SERVER {
                let listener = host.listen(PORT).expect("nobody listens yet");
                loop {
                    let (socket, _) = listener.accept().await;
                    let server = host.clone();
                    host.spawn(async move { serve(&server, socket).await });
                }
            }
            let mut missing = lengths;
            while !missing.is_empty() {
                exchange_all(&host, &notes, &missing).await;
                let notes = notes.borrow();
                let whole = |number| notes.iter().any(|it| it.1 == number && it.2.is_ok());
                missing.retain(|(number, _)| !whole(*number));
            }
        }
    })
}

/// From a few bytes to more than the window of a substream. Never none: yamux opens a substream with its first data, and one that is closed before
/// that is unknown to the server, which says nothing.
fn lengths() -> Vec<usize> {
    let small = (1..30).map(|number| number * 397);
    small.chain([100_000, 700_000]).collect()
}

#[test]
fn every_substream_gets_all_its_bytes_over_a_lossy_link_in_every_layout() {
    let network = lossy(3, 5);
    let histories = layouts().map(|layout| {
        let mut world = clients(&network, layout, &lengths());
        world.run_until(Time::from_secs(60)).expect("time passes");
        assert_conserved(&world);
        for client in [1, 2] {
            let notes = world.node(client).borrow();
            assert_eq!(notes.len(), lengths().len(), "one connection was enough");
            assert!(notes.iter().all(|(_, _, outcome)| outcome.is_ok()));
        }
        assert!(world.carried().retransmitted > 0, "something was lost");
        assert!(world.is_quiet());
        let notes = [1, 2].map(|client| world.node(client).borrow().clone());
        (world.digest(), notes)
    });
    let first = &histories[0];
    assert!(histories.iter().all(|history| history == first));
}

#[test]
fn a_cut_is_an_error_on_every_substream_that_had_not_ended_and_the_next_connection_makes_up_for_it()
{
    let mut network = lossy(3, 5);
    let at = Time::from_millis(600);
    let between = (1, SERVER);
    network.faults.faults.push(Fault::Cut { at, between });
    let mut world = clients(&network, Layout::default(), &lengths());
    world.run_until(Time::from_secs(60)).expect("time passes");
    let notes = world.node(1).borrow();
    let (before, after): (Vec<&Outcome>, Vec<&Outcome>) =
        notes.iter().partition(|(time, ..)| *time < at);
    assert!(!before.is_empty() && before.iter().all(|it| it.2.is_ok()));
    let (failed, whole): (Vec<&Outcome>, Vec<&Outcome>) =
        after.into_iter().partition(|it| it.2.is_err());
    assert!(failed.iter().all(|(time, ..)| *time == at), "at once");
    assert_eq!(failed.len(), lengths().len() - before.len());
    assert_eq!(failed.len(), whole.len(), "each was made up for");
    assert_eq!(world.node(2).borrow().len(), lengths().len());
    assert!(world.is_quiet());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the network does, what comes back on a substream is what was sent or ends in an error, and in the end all has come back.
    #[test]
    fn substreams_survive_cuts_and_partitions(
        mut network in rough(),
        jitter_ms in 0u64..50,
        partition_ms in prop::option::of((0u64..1_000, 0u64..9_000)),
        lengths in prop::collection::vec(1usize..30_000, 1..12),
        shards in 2u32..4,
    ) {
        let loss = network.links.default.loss;
        let link = Link::uniform(5 * MS, Duration::from_millis(jitter_ms));
        network.links.default = link.with_loss(loss);
        if let Some((at, length)) = partition_ms {
            let during = Time::from_millis(at)..Time::from_millis(at + length);
            network.faults = network.faults.partition(during, [vec![1]]);
        }
        let mut one = clients(&network, Layout::default(), &lengths);
        let mut many = clients(&network, Layout { shards, ..Layout::default() }, &lengths);
        for world in [&mut one, &mut many] {
            world.run_until(Time::from_secs(600)).expect("time passes");
            assert_conserved(world);
            for client in [1, 2] {
                let notes = world.node(client).borrow();
                let whole = notes.iter().filter(|(_, _, outcome)| outcome.is_ok()).count();
                prop_assert_eq!(whole, lengths.len(), "client {}", client);
            }
        }
        prop_assert_eq!(one.node_digests(), many.node_digests());
    }
}
