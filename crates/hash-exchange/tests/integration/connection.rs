use std::future::poll_fn;
use std::ops::ControlFlow;
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use futures::future::{FutureExt, join};
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader, Repeat, Take};
use hash_exchange::{
    Application, BodyError, Connection, Error, Event, Hash, Kind, Limits, MemoryBody, MemoryStore,
    OwnedEvent, Progress, ProtocolError, Sha1, Source, Store, Tally, Unverified,
};

use crate::pipe::{End, pipe};

/// Asks for everything offered, and closes when it has it and has answered as many REQUESTs as it expects.
pub(crate) async fn trade<Io>(
    io: Io,
    store: &mut MemoryStore,
    mut requests: usize,
) -> Vec<OwnedEvent>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection::new(io);
    connection.provide(store.hashes()).unwrap();
    let (mut lacking, mut events) = (None, Vec::new());
    while let Some(event) = connection.next(store).await.unwrap() {
        match &event {
            OwnedEvent::Available(hashes) => {
                connection.request(hashes).unwrap();
                lacking = Some(hashes.len());
            }
            OwnedEvent::Received { .. } => lacking = lacking.map(|lacking| lacking - 1),
            OwnedEvent::Requested(_) => requests -= 1,
            _ => {}
        }
        if lacking == Some(0) && requests == 0 {
            connection.close();
        }
        events.push(event);
    }
    events
}

#[test]
fn two_stores_become_one_whatever_the_room_in_the_pipe() {
    for room in [1, 7, 1000, 1 << 20] {
        let (io_a, io_b) = pipe(room);
        let (mut a, mut b) = (MemoryStore::new(), MemoryStore::new());
        for n in 0_u8..20 {
            let store = if n % 2 == 0 { &mut a } else { &mut b };
            store.add(vec![n; usize::from(n) * 100]);
        }
        // Both write more than the pipe holds, at the same time: neither may wait with reading for the other.
        block_on(join(trade(io_a, &mut a, 1), trade(io_b, &mut b, 1)));
        assert!(a.hashes().eq(b.hashes()), "with room for {room}");
        assert_eq!(a.hashes().count(), 20);
    }
}

#[test]
fn bytes_that_move_are_counted_both_ways() {
    let (io, mut peer) = pipe(10);
    let mut connection: Connection<End, MemoryBody> = Connection::new(io);
    let mut cx = Context::from_waker(Waker::noop());
    let mut recorder = Recorder::default();
    let said = connection.id("alice").unwrap().bytes() as u32;
    assert!(connection.poll(&mut cx, &mut recorder).is_pending());
    assert_eq!(connection.bytes_moved(), 10, "the pipe holds no more");
    let other = [9, 8, 2, 0x12, 1, b'0', 0x22, 2, 0, 0];
    peer.put(&other[..7]);
    assert_eq!(peer.take_some(10).len(), 10);
    assert!(connection.poll(&mut cx, &mut recorder).is_pending());
    assert_eq!(connection.bytes_moved(), said + 7, "half a message counts");
}

#[test]
fn a_large_body_streams_both_ways() {
    let (io_a, io_b) = pipe(10_000);
    let (mut a, mut b) = (MemoryStore::new(), MemoryStore::new());
    let one = a.add(vec![1; 3_000_000]);
    let two = b.add(vec![2; 2_000_000]);
    block_on(join(trade(io_a, &mut a, 1), trade(io_b, &mut b, 1)));
    assert_eq!(a.read(&two).map(|body| body.len()), Some(2_000_000));
    assert_eq!(b.read(&one).map(|body| body.len()), Some(3_000_000));
}

/// An application that writes down what it hears.
#[derive(Default)]
struct Recorder {
    store: MemoryStore,
    heard: Vec<String>,
    sent: Tally,
    pauses: bool,
}

impl Application for Recorder {
    type Body = MemoryBody;

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        self.store.open(hash)
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        let text = format!("{event:?}");
        self.heard
            .push(text.split([' ', '(']).next().unwrap_or_default().to_owned());
        if self.pauses {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn sent(&mut self, tag: hash_exchange::Tag) {
        self.sent.add(tag);
    }
}

fn poll(
    connection: &mut Connection<End, MemoryBody>,
    application: &mut Recorder,
) -> Poll<Result<Progress, Error>> {
    connection.poll(&mut Context::from_waker(Waker::noop()), application)
}

#[test]
fn an_answer_and_a_small_body_leave_in_one_write() {
    let (io_a, io_b) = pipe(1 << 20);
    let (mut a, mut b) = (Connection::new(io_a), Connection::new(io_b));
    let (mut alice, mut bob) = (Recorder::default(), Recorder::default());
    let hash = bob.store.add(vec![1; 100]);
    a.request([&hash]).unwrap();
    assert!(poll(&mut a, &mut alice).is_pending());
    assert!(poll(&mut b, &mut bob).is_pending());
    assert_eq!(b.io().writes(), 1);
    assert_eq!(
        Kind::ALL.map(|kind| bob.sent.frames(kind)),
        [0, 0, 1, 0, 0, 0, 0, 1, 1, 0]
    );
    assert!(poll(&mut a, &mut alice).is_pending());
    assert_eq!(alice.heard, ["Response", "Body", "Complete"]);
}

#[test]
fn a_pause_loses_nothing_and_repeats_nothing() {
    let (io_a, io_b) = pipe(1 << 20);
    let (mut a, mut b) = (Connection::new(io_a), Connection::new(io_b));
    let (mut alice, mut bob) = (Recorder::default(), Recorder::default());
    let hashes = [
        bob.store.add(*b"beep"),
        Hash::new("nope"),
        bob.store.add(*b""),
    ];
    a.request(&hashes).unwrap();
    a.close();
    alice.pauses = true;
    let mut pauses = 0;
    loop {
        assert!(!matches!(poll(&mut b, &mut bob), Poll::Ready(Err(_))));
        if bob.heard.contains(&"Close".to_owned()) {
            b.close();
        }
        match poll(&mut a, &mut alice) {
            Poll::Ready(Ok(Progress::Paused)) => pauses += 1,
            Poll::Ready(Ok(Progress::Ended)) => break,
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => {}
        }
    }
    let order = [
        "Response", "NotFound", "Response", "Body", "Complete", "Complete", "Close",
    ];
    assert_eq!(
        (alice.heard, pauses),
        (order.map(str::to_owned).to_vec(), order.len())
    );
}

#[test]
fn a_peer_that_never_reads_costs_a_bounded_amount() {
    let limits = Limits {
        unwritten: 10_000,
        ..Limits::DEFAULT
    };
    let (io_a, io_b) = pipe(1000);
    let mut a = Connection::with_limits(io_a, limits);
    let mut b: Connection<End, MemoryBody> = Connection::new(io_b);
    let (mut alice, mut bob) = (Recorder::default(), Recorder::default());
    let hash = alice.store.add(vec![0; 1_000_000]);
    b.request([&hash]).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(b.poll_flush(&mut cx).is_ready());
    assert!(poll(&mut a, &mut alice).is_pending());
    assert!(
        a.unwritten() < 200_000,
        "the source is read as the peer reads"
    );
    let _ = &mut bob;
    loop {
        // It goes on asking for what is not there.
        b.request([&Hash::new("nope")]).unwrap();
        let _ = b.poll_flush(&mut cx);
        if let Poll::Ready(result) = poll(&mut a, &mut alice) {
            assert!(matches!(result, Err(Error::Unread { .. })));
            return;
        }
    }
}

#[test]
fn a_body_beyond_the_limit_of_next_is_cancelled_and_the_connection_lives_on() {
    let (io_a, io_b) = pipe(1000);
    let mut store = MemoryStore::new();
    let (long, short) = (store.add(vec![1; 50_000]), store.add(vec![2; 500]));
    let limits = Limits {
        body: 1000,
        ..Limits::DEFAULT
    };
    let serve = async {
        let mut connection = Connection::new(io_b);
        while connection.next(&mut store).await.unwrap().is_some() {
            connection.close();
        }
    };
    let read = async {
        let mut mine = MemoryStore::new();
        let mut connection = Connection::with_limits(io_a, limits);
        connection.request([&long, &short]).unwrap();
        connection.close();
        let mut events = Vec::new();
        while let Some(event) = connection.next(&mut mine).await.unwrap() {
            events.push(event);
        }
        events
    };
    let (events, ()) = block_on(join(read, serve));
    let too_long = OwnedEvent::Failed {
        hash: long.clone(),
        reason: BodyError::TooLong,
    };
    assert!(events.contains(&too_long), "{events:?}");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, OwnedEvent::Received { hash, .. } if *hash == short))
    );
}

/// An application that has one content, of so many bytes, and counts what comes.
#[derive(Default)]
struct Endless {
    len: u64,
    came: u64,
    pieces: u64,
    pauses: bool,
}

impl Application for Endless {
    type Body = BufReader<Take<Repeat>>;

    fn open(&mut self, _: &Hash) -> Option<Source<Self::Body>> {
        let body = BufReader::with_capacity(64 << 10, futures::io::repeat(7).take(self.len));
        let sequence = None;
        Some(Source { body, sequence })
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Body { chunk, .. } => {
                self.came += chunk.len() as u64;
                self.pieces += 1;
                if self.pauses {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            }
            Event::Close => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// One end sends another a content of so many bytes, and both close. The reader, and the most that both had on the heap.
fn pass(room: usize, len: u64, pauses: bool) -> (Endless, u64) {
    async fn run(mut connection: Connection<End, BufReader<Take<Repeat>>>, app: &mut Endless) {
        while poll_fn(|cx| connection.poll(cx, app)).await.unwrap() == Progress::Paused {
            connection.close();
        }
    }
    let (io_a, io_b) = pipe(room);
    let (mut alice, mut bob) = (Endless::default(), Endless::default());
    (alice.pauses, bob.len) = (pauses, len);
    let (mut a, b) = (Connection::new(io_a), Connection::new(io_b));
    // It is no SHA-1, hence not verified: hashing takes no memory, but time.
    a.request([&Hash::new("sevens")]).unwrap();
    a.close();
    let heap = allocation_counter::measure(|| {
        block_on(join(run(a, &mut alice), run(b, &mut bob)));
    });
    (alice, heap.bytes_max)
}

#[test]
fn a_content_of_any_size_passes_both_ends_in_the_same_memory() {
    for len in [1 << 20, 1 << 27] {
        let (reader, heap) = pass(100_000, len, false);
        assert_eq!(reader.came, len);
        assert!(heap < 800_000, "{len} bytes: {heap}");
    }
}

#[test]
fn an_application_that_pauses_behind_every_piece_is_not_fed_in_little_ones() {
    let len = 10 << 20;
    let (reader, heap) = pass(1 << 20, len, true);
    assert_eq!(reader.came, len);
    assert!(len / reader.pieces > 20_000, "{} pieces", reader.pieces);
    assert!(heap < 3_000_000, "{heap}");
}

#[test]
fn a_verifier_of_ones_own_decides() {
    let (io_a, io_b) = pipe(1000);
    let mut a = Connection::with_verifier(io_a, Limits::DEFAULT, Unverified);
    let mut b: Connection<End, MemoryBody> = Connection::new(io_b);
    let (mut alice, mut bob) = (Recorder::default(), Recorder::default());
    let hash = Hash::sha1(b"beep");
    bob.store.insert(&hash, b"boop".to_vec());
    a.request([&hash]).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(a.poll(&mut cx, &mut alice).is_pending());
    assert!(poll(&mut b, &mut bob).is_pending());
    assert!(a.poll(&mut cx, &mut alice).is_pending());
    assert_eq!(alice.heard, ["Response", "Body", "Complete"]);
}

#[test]
fn an_end_amid_a_request_is_an_error_and_an_idle_one_is_not() {
    let (io_a, mut io_b) = pipe(1000);
    let (mut a, mut alice) = (Connection::new(io_a), Recorder::default());
    a.request([&Hash::new("x")]).unwrap();
    assert!(poll(&mut a, &mut alice).is_pending());
    block_on(futures::AsyncWriteExt::close(&mut io_b)).unwrap();
    let open = ProtocolError::EndWithOpen {
        requested: 1,
        responses: 0,
    };
    let Poll::Ready(Err(Error::Protocol(error))) = poll(&mut a, &mut alice) else {
        panic!("the stream has ended");
    };
    assert_eq!(error, open);

    let (io_a, mut io_b) = pipe(1000);
    let mut a = Connection::new(io_a);
    block_on(futures::AsyncWriteExt::close(&mut io_b)).unwrap();
    assert!(matches!(
        poll(&mut a, &mut alice),
        Poll::Ready(Ok(Progress::Ended))
    ));
    let read = futures::AsyncReadExt::read(&mut io_b, &mut [0]).now_or_never();
    assert!(matches!(read, Some(Ok(0))), "our stream has ended too");
}

#[test]
fn an_idle_connection_is_small() {
    type Small = Connection<[u64; 3], MemoryBody, Sha1>;
    assert!(size_of::<Small>() <= 200, "{}", size_of::<Small>());
}
