//! Whatever runs it: a connection in tokio, in smol and under a bare executor, over a pipe in memory and over TCP; and one
//! whose futures are dropped half way, again and again.

use std::future::{Future, poll_fn};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;

use futures::executor::block_on;
use futures::future::{Either, join, select};
use futures::io::{AsyncRead, AsyncWrite};
use hash_exchange::{
    Application, Connection, Event, Hash, MemoryBody, MemoryStore, OwnedEvent, Progress, Source,
    Store, Tag,
};
use proptest::prelude::*;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::connection::trade;
use crate::pipe::{End, pipe};
use crate::woken::{finish, yield_now};

/// Any port that is free.
const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Less than the large body, so that writers have to wait for readers.
const ROOM: usize = 10_000;

const fn is_send<T: Send>() {}
const _: () = is_send::<Connection<Compat<tokio::net::TcpStream>, MemoryBody<Vec<u8>>>>();
const _: () = is_send::<Connection<smol::net::TcpStream, MemoryBody>>();

#[test]
fn two_tasks_of_tokio_trade_through_memory() {
    tokio().block_on(async {
        let (a, b) = tokio::io::duplex(ROOM);
        let (alice, bob) = stores();
        let a = tokio::spawn(side(a.compat(), alice));
        let b = tokio::spawn(side(b.compat(), bob));
        check(a.await.unwrap(), b.await.unwrap());
    });
}

#[test]
fn two_tasks_of_tokio_trade_over_tcp() {
    tokio().block_on(async {
        let listener = tokio::net::TcpListener::bind(LOOPBACK).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (alice, bob) = stores();
        let a = tokio::spawn(async move {
            let io = tokio::net::TcpStream::connect(address).await.unwrap();
            side(io.compat(), alice).await
        });
        let b = tokio::spawn(async move {
            let (io, _) = listener.accept().await.unwrap();
            side(io.compat(), bob).await
        });
        check(a.await.unwrap(), b.await.unwrap());
    });
}

#[test]
fn two_tasks_of_smol_trade_through_memory() {
    // The pipe is not Send, and need not be.
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let (a, b) = pipe(ROOM);
        let (alice, bob) = stores();
        let (a, b) = (executor.spawn(side(a, alice)), executor.spawn(side(b, bob)));
        check(a.await, b.await);
    }));
}

#[test]
fn two_tasks_of_smol_trade_over_tcp() {
    smol::block_on(async {
        let (a, b) = tcp_pair().await;
        let (alice, bob) = stores();
        let (a, b) = (smol::spawn(side(a, alice)), smol::spawn(side(b, bob)));
        check(a.await, b.await);
    });
}

#[test]
fn a_bare_executor_trades_through_memory() {
    let (a, b) = pipe(ROOM);
    let (alice, bob) = stores();
    let (a, b) = block_on(join(side(a, alice), side(b, bob)));
    check(a, b);
}

/// Whatever wakes tasks for these sockets is a thread of its own: the executor knows nothing of it.
#[test]
fn a_bare_executor_trades_over_tcp() {
    let (a, b) = block_on(tcp_pair());
    let (alice, bob) = stores();
    let (a, b) = block_on(join(side(a, alice), side(b, bob)));
    check(a, b);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_next_that_is_dropped_half_way_loses_and_doubles_nothing(
        room in room(),
        patience in prop::collection::vec(0..4_usize, 1..20),
    ) {
        let undisturbed = next_both(room, &[]);
        check(undisturbed.0.clone(), undisturbed.1.clone());
        let disturbed = next_both(room, &patience);
        prop_assert_eq!(heard(&disturbed), heard(&undisturbed));
        check(disturbed.0, disturbed.1);
    }

    #[test]
    fn a_poll_that_is_dropped_half_way_loses_and_doubles_nothing(
        room in room(),
        patience in prop::collection::vec(0..4_usize, 1..20),
    ) {
        let undisturbed = poll_both(room, &[]);
        prop_assert!(undisturbed.iter().all(|(said, _)| said.contains(&Said::Close)));
        prop_assert_eq!(poll_both(room, &patience), undisturbed);
    }
}

/// Room in a pipe: seldom for some bytes only, of which there are many then to wait for.
fn room() -> impl Strategy<Value = usize> {
    prop_oneof![1 => 1..10_usize, 4 => 10..5000_usize, 4 => 100_000..200_000_usize]
}

/// What one side ends with, and what it has heard.
type Traded = (MemoryStore, Vec<OwnedEvent>);

/// What the two sides begin with: three bodies are to go one way and two the other, one of them large, and one is there
/// already.
fn stores() -> (MemoryStore, MemoryStore) {
    fill(5 << 20)
}

fn fill(large: usize) -> (MemoryStore, MemoryStore) {
    let (mut alice, mut bob) = (MemoryStore::new(), MemoryStore::new());
    let pattern = (0..large).map(|at| (at % 251) as u8);
    alice.add(pattern.collect::<Vec<_>>());
    alice.add(*b"beep");
    alice.add(*b"");
    bob.add(*b"boop");
    bob.add(vec![7; 100_000]);
    for store in [&mut alice, &mut bob] {
        store.add(*b"hey yo");
    }
    (alice, bob)
}

async fn side<Io>(io: Io, mut store: MemoryStore) -> Traded
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let events = trade(io, &mut store, 1).await;
    (store, events)
}

/// Both hold everything, each body came once, and both sides have said that they are content.
fn check((a, heard_by_a): Traded, (b, heard_by_b): Traded) {
    assert!(a.hashes().eq(b.hashes()));
    assert!(a.hashes().all(|hash| a.read(hash) == b.read(hash)));
    assert_eq!(a.hashes().count(), 6);
    for (events, bodies) in [(heard_by_a, 2), (heard_by_b, 3)] {
        let received = |event: &&OwnedEvent| matches!(event, OwnedEvent::Received { .. });
        assert_eq!(events.iter().filter(received).count(), bodies, "{events:?}");
        assert_eq!(events.last(), Some(&OwnedEvent::Close));
    }
}

/// On threads, so that whatever is spawned has to be Send.
fn tokio() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_io().build().unwrap()
}

async fn tcp_pair() -> (smol::net::TcpStream, smol::net::TcpStream) {
    let listener = smol::net::TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (dialled, accepted) = join(smol::net::TcpStream::connect(address), listener.accept()).await;
    (dialled.unwrap(), accepted.unwrap().0)
}

fn heard((a, b): &(Traded, Traded)) -> [&[OwnedEvent]; 2] {
    [&a.1, &b.1]
}

/// Two sides trade by `next`, each as [`patient`] as it is told.
fn next_both(room: usize, patience: &[usize]) -> (Traded, Traded) {
    let (a, b) = pipe(room);
    let (alice, bob) = fill(20_000);
    finish(join(
        next_all(a, alice, patience.iter().copied()),
        next_all(b, bob, patience.iter().rev().copied()),
    ))
}

async fn next_all(
    io: End,
    mut store: MemoryStore,
    patience: impl DoubleEndedIterator<Item = usize> + Clone,
) -> Traded {
    let mut patience = patience.cycle();
    let mut connection = Connection::new(io);
    connection.provide(store.hashes()).unwrap();
    let (mut wants, mut events) = (Wants::default(), Vec::new());
    loop {
        let Some(next) = patient(connection.next(&mut store), patience.next()).await else {
            continue;
        };
        let Some(event) = next.unwrap() else {
            return (store, events);
        };
        match &event {
            OwnedEvent::Available(hashes) => {
                connection.request(hashes).unwrap();
                wants.lacking = Some(hashes.len());
            }
            OwnedEvent::Received { .. } => wants.received(),
            OwnedEvent::Requested(_) => wants.answered = true,
            _ => {}
        }
        if wants.nothing() {
            connection.close();
        }
        events.push(event);
    }
}

/// Two sides trade by `poll`. What both have heard, and every frame that they sent of their own accord.
fn poll_both(room: usize, patience: &[usize]) -> [(Vec<Said>, Vec<Tag>); 2] {
    let (a, b) = pipe(room);
    let (alice, bob) = fill(20_000);
    let (a, b) = finish(join(
        poll_all(a, alice, patience.iter().copied()),
        poll_all(b, bob, patience.iter().rev().copied()),
    ));
    [a, b]
}

async fn poll_all(
    io: End,
    store: MemoryStore,
    patience: impl DoubleEndedIterator<Item = usize> + Clone,
) -> (Vec<Said>, Vec<Tag>) {
    let mut patience = patience.cycle();
    let mut connection = Connection::new(io);
    connection.provide(store.hashes()).unwrap();
    let mut listener = Listener {
        store,
        wants: Wants::default(),
        offered: None,
        said: Vec::new(),
        sent: Vec::new(),
    };
    loop {
        let poll = poll_fn(|cx| connection.poll(cx, &mut listener));
        match patient(poll, patience.next()).await {
            Some(Ok(Progress::Ended)) => return (listener.said, listener.sent),
            Some(Ok(Progress::Paused)) => {}
            Some(Err(error)) => panic!("{error}"),
            None => continue,
        }
        if let Some(hashes) = listener.offered.take() {
            connection.request(&hashes).unwrap();
            listener.wants.lacking = Some(hashes.len());
        }
        if listener.wants.nothing() {
            connection.close();
        }
    }
}

/// What stands between a side and its CLOSE.
#[derive(Default)]
struct Wants {
    lacking: Option<usize>,
    answered: bool,
}

impl Wants {
    fn received(&mut self) {
        self.lacking = self.lacking.map(|lacking| lacking - 1);
    }

    fn nothing(&self) -> bool {
        self.lacking == Some(0) && self.answered
    }
}

/// An event, whatever the pieces in which its bytes came.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Body(Vec<u8>),
    Close,
    Other(String),
}

/// Writes down what it hears, and pauses behind nearly everything.
struct Listener {
    store: MemoryStore,
    wants: Wants,
    offered: Option<Vec<Hash>>,
    said: Vec<Said>,
    sent: Vec<Tag>,
}

impl Application for Listener {
    type Body = MemoryBody;

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        self.store.open(hash)
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Available(hashes) => {
                let lacking = hashes.iter().filter(|hash| !self.store.contains(hash));
                self.offered = Some(lacking.collect());
            }
            Event::Body { chunk, .. } => {
                if let Some(Said::Body(bytes)) = self.said.last_mut() {
                    bytes.extend_from_slice(chunk);
                } else {
                    self.said.push(Said::Body(chunk.to_vec()));
                }
                return ControlFlow::Continue(());
            }
            Event::Complete { .. } => self.wants.received(),
            Event::Close => {
                self.said.push(Said::Close);
                return ControlFlow::Continue(());
            }
            _ => {}
        }
        self.said.push(Said::Other(format!("{event:?}")));
        ControlFlow::Break(())
    }

    fn answered(&mut self) -> ControlFlow<()> {
        self.wants.answered = true;
        ControlFlow::Break(())
    }

    fn sent(&mut self, tag: Tag) {
        self.sent.push(tag);
    }
}

/// Waits for a future that races with another, which is ready at its poll number `patience`, counted from zero; `None`: the
/// other one has won, and the future is dropped. Without patience to speak of there is no race.
async fn patient<F: Future>(future: F, patience: Option<usize>) -> Option<F::Output> {
    let Some(mut patience) = patience else {
        return Some(future.await);
    };
    let other = poll_fn(|cx| {
        if patience == 0 {
            return Poll::Ready(());
        }
        patience -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let won = match select(pin!(future), other).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    };
    if won.is_none() {
        // The other side wants its turn.
        yield_now().await;
    }
    won
}
