//! `hyper`, as it comes from its authors, serves and asks by HTTP/1.1 over simulated streams; `smol-hyper` makes its traits of those of `futures`.
//!
//! What had to be pinned: a server of hyper writes the date of the machine's clock into every answer unless it is told not to. Its timeouts ask for a
//! timer, which is not given one here: [`Host::timeout`] serves instead. It draws nothing.

use std::time::Duration;

use futures::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use proptest::prelude::*;
use simnet::{Fault, Host, Layout, Network, NodeId, Stream, Time, World};
use smol_hyper::rt::FuturesIo;

use crate::world::{Notes, PORT, assert_conserved, layouts, lossy, pattern, rough, world};

/// Node 0 serves all others.
const SERVER: NodeId = 0;

/// A request that was answered: when, over which connection, and which.
type Answered = (Time, usize, usize);

/// Answers each request by the body that came with it.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}

async fn serve(stream: Stream) {
    let mut server = hyper::server::conn::http1::Builder::new();
    server.auto_date_header(false);
    let connection = server.serve_connection(FuturesIo::new(stream), service_fn(echo));
    // Whether that goes well is for the client to say.
    let _ = connection.await;
}

/// Asks, and hears the answer: whether it was whole.
async fn ask(sender: &mut SendRequest<Full<Bytes>>, length: usize) -> Result<(), hyper::Error> {
    let body = Bytes::from(pattern(length));
    let request = Request::post("/echo").body(Full::new(body.clone()));
    let response = sender
        .send_request(request.expect("it is a request"))
        .await?;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = response.into_body().collect().await?.to_bytes();
    assert_eq!(answer, body, "an answer without an error is whole");
    Ok(())
}

/// Asks one after the other over one connection, until that breaks; how many were answered.
async fn ask_all(host: &Host, lengths: &[usize], answered: impl Fn(usize)) -> usize {
    let Ok(stream) = host.connect(SERVER, PORT).await else {
        return 0;
    };
    let handshake = hyper::client::conn::http1::handshake(FuturesIo::new(stream));
    let Ok((mut sender, connection)) = handshake.await else {
        return 0;
    };
    let mut count = 0;
    let asking = Box::pin(async {
        for (number, length) in lengths.iter().enumerate() {
            // An answer may never come, without an error: from a peer behind a partition, for instance.
            let asked = host.timeout(Duration::from_secs(5), ask(&mut sender, *length));
            if !matches!(asked.await, Ok(Ok(()))) {
                return;
            }
            answered(number);
            count += 1;
        }
    });
    // The connection moves only while it is polled. When it ends first, what is asked ends in an error.
    if let Either::Right((_, asking)) = select(asking, connection).await {
        asking.await;
    }
    count
}

/// Clients that ask all this of the server, over new connections until all is answered.
fn clients<'a>(network: &Network, layout: Layout, lengths: &[usize]) -> World<'a, Notes<Answered>> {
    let lengths = lengths.to_vec();
    world(
        network,
        layout,
        move |host: Host, notes: Notes<Answered>| {
            let lengths = lengths.clone();
            async move {
                if host.id() == SERVER {
                    let listener = host.listen(PORT).expect("nobody listens yet");
                    loop {
                        let (stream, _) = listener.accept().await;
                        host.spawn(serve(stream));
                    }
                }
                let (mut done, mut connections) = (0, 0);
                while done < lengths.len() {
                    let answered = |number: usize| {
                        let answered = (host.now(), connections, done + number);
                        notes.borrow_mut().push(answered);
                    };
                    done += ask_all(&host, &lengths[done..], answered).await;
                    connections += 1;
                }
            }
        },
    )
}

const LENGTHS: [usize; 7] = [0, 1, 1000, 300_000, 0, 70_000, 2];

#[test]
fn every_answer_comes_whole_over_one_kept_connection_in_every_layout() {
    let histories = layouts().map(|layout| {
        let mut world = clients(&lossy(3, 9), layout, &LENGTHS);
        world.run_until(Time::from_secs(60)).expect("time passes");
        assert_conserved(&world);
        for client in [1, 2] {
            let notes = world.node(client).borrow();
            let asked = notes
                .iter()
                .map(|(_, connection, number)| (*connection, *number));
            assert!(asked.eq((0..LENGTHS.len()).map(|number| (0, number))));
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
fn what_a_cut_leaves_unanswered_is_asked_anew() {
    let mut network = lossy(3, 9);
    let at = Time::from_millis(300);
    let between = (SERVER, 1);
    network.faults.faults.push(Fault::Cut { at, between });
    let mut world = clients(&network, Layout::default(), &LENGTHS);
    world.run_until(Time::from_secs(60)).expect("time passes");
    let notes = world.node(1).borrow();
    let (before, after): (Vec<&Answered>, Vec<&Answered>) = notes.iter().partition(|it| it.0 < at);
    assert!(!before.is_empty() && !after.is_empty());
    assert!(before.iter().all(|(_, connection, _)| *connection == 0));
    assert!(after.iter().all(|(_, connection, _)| *connection == 1));
    assert!(notes.iter().map(|it| it.2).eq(0..LENGTHS.len()));
    let other = world.node(2).borrow();
    assert!(other.iter().all(|(_, connection, _)| *connection == 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the network does, an answer without an error is whole, and in the end all is answered, in the order in which it was asked.
    #[test]
    fn answers_survive_cuts_and_a_server_that_restarts(
        mut network in rough(),
        crash_ms in prop::option::of((1u64..1_000, 1u64..9_000)),
        lengths in prop::collection::vec(0usize..30_000, 1..12),
        shards in 2u32..4,
    ) {
        if let Some((at, length)) = crash_ms {
            let (at, back) = (Time::from_millis(at), Time::from_millis(at + length));
            network.faults = network.faults.crash(at, SERVER).restart(back, SERVER);
        }
        let mut one = clients(&network, Layout::default(), &lengths);
        let mut many = clients(&network, Layout { shards, ..Layout::default() }, &lengths);
        for world in [&mut one, &mut many] {
            world.run_until(Time::from_secs(600)).expect("time passes");
            assert_conserved(world);
            for client in [1, 2] {
                let notes = world.node(client).borrow();
                prop_assert!(notes.iter().map(|it| it.2).eq(0..lengths.len()), "client {}: {:?}", client, notes);
            }
        }
        prop_assert_eq!(one.node_digests(), many.node_digests());
    }
}
