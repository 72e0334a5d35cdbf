//! Large contents and many at once: what they cost, and how they are broken off. Heap is counted, not estimated.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hash_exchange::{
    Application, Connection, Event, Hash, Kind, Limits, MemoryBody, Misuse, Progress,
    ProtocolError, Session, Source, Store, Tally, Verifier,
};

use super::{END, ERROR, Frame, asking, close, data, drain, ending, hashes, hears};
use super::{request, sha1, varint};
use crate::pair::{Heard, Side};
use crate::pipe::{End, pipe};

/// A session that expects a content of a gigabyte as `x`, unverified, for hashing takes its time.
fn expecting_x() -> Session<hash_exchange::Unverified> {
    let mut session = Session::with_verifier(hash_exchange::Unverified);
    let asked = session.request([&"x".into()], &mut Vec::new());
    asked.expect("it is open");
    drain_any(&mut session, &hashes(&[("x", 1)]), |_| ());
    session
}

fn drain_any<V: Verifier>(
    session: &mut Session<V>,
    mut input: &[u8],
    mut event: impl FnMut(Event<'_>),
) {
    while let Some(it) = session.receive(&mut input).expect("it is legal") {
        event(it);
    }
}

/// The first bytes of a frame of DATA that claims to have so many.
fn data_header(channel: u8, name: Option<&str>, len: u64) -> Vec<u8> {
    let mut header = vec![0x08, 2 * channel];
    if let Some(name) = name {
        header.extend([0x12, name.len() as u8]);
        header.extend(name.as_bytes());
    }
    header.push(0x22);
    varint(len, &mut header);
    let mut bytes = Vec::new();
    varint(header.len() as u64 + len, &mut bytes);
    bytes.extend(header);
    bytes
}

/// `recv100`: a chunk of 100 MB is one frame of 104,857,614 bytes. It is passed on as it arrives, and nothing of it is held.
#[test]
fn recv100_a_frame_of_100_mb_streams_through_in_pieces_and_is_not_held() {
    const LEN: u64 = 100 << 20;
    let mut session = Session::default();
    let piece = vec![7; 64 << 10];
    let hash = Hash::sha1(&vec![7; LEN as usize]);
    session.request([&hash], &mut Vec::new()).unwrap();
    drain(&mut session, &hashes(&[(&hash.to_string(), 1)]), |_| ());
    let header = data_header(2, Some("2"), LEN);
    assert_eq!(LEN + header.len() as u64, 104_857_614);

    let (mut read, mut complete) = (0, false);
    let heap = allocation_counter::measure(|| {
        let mut event = |event: Event<'_>| match event {
            Event::Body { chunk, .. } => read += chunk.len() as u64,
            Event::Complete { .. } => complete = true,
            other => panic!("{other:?}"),
        };
        drain(&mut session, &header, &mut event);
        for _ in 0..LEN / piece.len() as u64 {
            drain(&mut session, &piece, &mut event);
        }
        drain(&mut session, &ending(2, None, END), &mut event);
    });
    assert!(complete, "and it is the right one");
    assert_eq!(read, LEN);
    assert!(heap.bytes_max < 2000, "{heap:?}");
}

/// `lpHuge`, `lpHuge3`: a prefix of exabytes makes the package crash. It allocates nothing here: a content streams, and a message
/// is refused before more of it comes.
#[test]
fn lp_huge_and_lp_huge3_allocate_nothing_from_the_prefix() {
    for len in [5 << 30, 1 << 40, 1 << 53, (1 << 63) - 100] {
        let mut session = expecting_x();
        let header = data_header(2, Some("2"), len);
        let mut read = 0;
        let heap = allocation_counter::measure(|| {
            drain_any(&mut session, &header, |_| ());
            drain_any(&mut session, &[7; 1000], |event| {
                if let Event::Body { chunk, .. } = event {
                    read += chunk.len();
                }
            });
        });
        assert_eq!(read, 1000);
        assert!(heap.bytes_max < 2000, "{len}: {heap:?}");

        let mut session = Session::default();
        let message = data_header(1, Some("0"), len);
        let whole = {
            let mut prefix = Vec::new();
            varint(len, &mut prefix);
            len + (message.len() - prefix.len()) as u64
        };
        let mut result = Ok(false);
        let heap = allocation_counter::measure(|| {
            result = session.receive(&mut &message[..]).map(|it| it.is_some());
        });
        let (len, limit) = (whole, Limits::DEFAULT.message);
        assert_eq!(result, Err(ProtocolError::MessageTooLong { len, limit }));
        assert!(heap.bytes_max < 2000, "{len}: {heap:?}");
    }
    let mut session = Session::default();
    let heap = allocation_counter::measure(|| {
        let mut most = [0xff; 10];
        most[9] = 1;
        drain(&mut session, &most, |_| ());
        drain(&mut session, &[0x08, 2], |_| ());
    });
    assert!(heap.bytes_max < 2000, "{heap:?}");
}

/// `lpHuge2`, `lpHuge4`: up to 4 GiB the package grows with what is sent. A message grows to its limit, which it is judged by from
/// its prefix on, and never beyond what has come.
#[test]
fn lp_huge2_and_lp_huge4_grow_with_the_bytes_and_to_the_limit() {
    for len in [300 << 20, (1 << 32) - 1] {
        let mut session = Session::default();
        let header = data_header(1, Some("0"), len);
        let result = session.receive(&mut &header[..]);
        assert!(matches!(result, Err(ProtocolError::MessageTooLong { .. })));
    }
    let mut session = Session::default();
    let header = data_header(1, Some("0"), 60 << 20);
    let heap = allocation_counter::measure(|| {
        drain(&mut session, &header, |_| ());
        (0..10).for_each(|_| drain(&mut session, &[7; 10_000], |_| ()));
    });
    assert!(heap.bytes_max < 400_000, "100 KB have come: {heap:?}");
}

/// An application that serves from memory and takes as much of what comes as it has room for.
#[derive(Default)]
struct Roomy {
    bodies: hash_exchange::MemoryStore,
    room: usize,
    came: usize,
    sent: Tally,
    order: Vec<(Kind, u32)>,
}

impl Application for Roomy {
    type Body = MemoryBody;

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        self.bodies.open(hash)
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        let Event::Body { chunk, .. } = event else {
            return ControlFlow::Continue(());
        };
        self.came += chunk.len();
        if self.came < self.room {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }

    fn sent(&mut self, tag: hash_exchange::Tag) {
        self.sent.add(tag);
        self.order.push((tag.kind, tag.content));
    }
}

/// A connection that was asked for a content of so many bytes, what it serves from, the other end, and the content.
type Asked = (Connection<End, MemoryBody>, Roomy, End, Arc<[u8]>);

fn asked_for(len: usize) -> Asked {
    let (io, mut peer) = pipe(1000);
    let mut app = Roomy::default();
    let body: Arc<[u8]> = vec![7; len].into();
    let hash = app.bodies.add(Arc::clone(&body)).to_string();
    peer.put(&request(&[&hash]));
    (Connection::new(io), app, peer, body)
}

/// `hol`, `holN`: a response that nobody drains blocks everything behind it after about 31 frames, as the wire has no credit for each.
/// An application without room pauses: reading stops within one buffer, writing and serving go on, and when there is room again
/// everything is there.
#[test]
fn hol_and_hol_n_an_undrained_response_stops_reading_at_a_set_buffer_and_blocks_no_writes() {
    const LEN: usize = 1 << 20;
    let (io, mut peer) = pipe(1 << 10);
    let mut connection: Connection<End, MemoryBody> = Connection::new(io);
    let mut app = Roomy {
        room: 10_000,
        ..Roomy::default()
    };
    let served = app.bodies.add(vec![9; 500_000]).to_string();
    let many = ["x", "y", "z"];
    for hash in many {
        connection.request([&hash.into()]).unwrap();
    }
    // The peer asks for something too, and sends three contents side by side.
    let mut bytes = request(&[&served]);
    bytes.extend(
        many.iter()
            .zip(1..)
            .flat_map(|(hash, n)| hashes(&[(hash, n)])),
    );
    let piece = vec![7; 64 << 10];
    for round in 0..LEN / piece.len() {
        for channel in 2..5 {
            let name = channel.to_string();
            bytes.extend(data(channel, (round == 0).then_some(&name[..]), &piece));
        }
    }
    (2..5).for_each(|channel| bytes.extend(ending(channel, None, END)));
    peer.put(&bytes);

    let mut cx = Context::from_waker(Waker::noop());
    let mut written = Vec::new();
    let heap = allocation_counter::measure(|| {
        loop {
            match connection.poll(&mut cx, &mut app) {
                Poll::Ready(Ok(Progress::Paused)) => break,
                other => assert!(other.is_pending(), "{other:?}"),
            }
        }
    });
    let (unread, came) = (peer.unread(), app.came);
    let held = bytes.len() - unread - came;
    assert!(held <= 33_000, "{held} bytes are held");
    assert!(heap.bytes_max < 300_000, "{heap:?}");

    while connection
        .poll_serve(&mut cx, &mut app)
        .map(Result::unwrap)
        .is_pending()
    {
        written.extend(peer.take());
    }
    written.extend(peer.take());
    assert_eq!((peer.unread(), app.came), (unread, came), "nothing is read");
    let mut side = asking(&[&served]);
    side.receive(&written).unwrap();
    let complete = Heard::Complete(served[..].into(), 1, vec![9; 500_000]);
    assert_eq!(side.heard.pop(), Some(complete), "all is written");

    app.room = usize::MAX;
    while app.came < many.len() * LEN {
        assert!(connection.poll(&mut cx, &mut app).is_pending());
    }
}

/// `hol`, the other way out: the undrained response is cancelled, and the others go on.
#[test]
fn hol_an_undrained_response_can_be_cancelled_and_the_others_go_on() {
    let boop = sha1(b"boop");
    let mut alice = asking(&["x", &boop]);
    let begun = [
        hashes(&[("x", 1)]),
        hashes(&[(&boop, 2)]),
        data(2, Some("2"), b"b"),
    ];
    alice.receive(&begun.concat()).unwrap();
    let undrained = alice.coming()[0];
    alice.session.cancel(undrained, &mut alice.out).unwrap();
    assert_eq!(alice.out, ending(-2, Some("2"), ERROR));
    let rest = [data(3, Some("3"), b"boop"), ending(3, None, END)];
    alice.receive(&rest.concat()).unwrap();
    let complete = Heard::Complete(boop[..].into(), 2, b"boop".to_vec());
    assert_eq!(alice.heard.pop(), Some(complete));
}

/// `fair`: responses alternate by frames of 64 KiB.
#[test]
fn fair_responses_alternate_by_frames_of_64_kib() {
    let (io, mut peer) = pipe(10 << 20);
    let mut connection: Connection<End, MemoryBody> = Connection::new(io);
    let mut app = Roomy::default();
    let texts = [7, 8].map(|byte| app.bodies.add(vec![byte; 300_000]).to_string());
    peer.put(&request(&[&texts[0], &texts[1]]));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(connection.poll(&mut cx, &mut app).is_pending());
    let bodies: Vec<u32> = app
        .order
        .iter()
        .filter(|(kind, _)| *kind == Kind::Body)
        .map(|&(_, len)| len)
        .collect();
    let (full, rest) = (64 << 10, 300_000 % (64 << 10));
    assert_eq!(
        bodies,
        [full, full, full, full, full, full, full, full, rest, rest]
    );

    let written = peer.take();
    let mut session = Session::default();
    let asked = texts.map(|text| Hash::new(&text));
    session.request(&asked, &mut Vec::new()).unwrap();
    let mut turns = Vec::new();
    drain(&mut session, &written, |event| {
        if let Event::Body { response, .. } = event {
            turns.push(response);
        }
    });
    assert_eq!(turns.len(), 10);
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
}

/// `holOut`: nobody reads what we write. The source is paused, and little waits.
#[test]
fn hol_out_the_source_is_paused_while_nobody_reads() {
    let (mut connection, mut app, mut peer, _) = asked_for(50 << 20);
    let mut cx = Context::from_waker(Waker::noop());
    let heap = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert!(connection.poll(&mut cx, &mut app).is_pending());
        }
    });
    assert!(app.sent.bytes(Kind::Body) <= 2 * (64 << 10) + 100);
    assert!(heap.bytes_max < 400_000, "{heap:?}");
    // And it goes on when somebody does.
    peer.take();
    assert!(connection.poll(&mut cx, &mut app).is_pending());
    assert!(!peer.take().is_empty());
}

/// `holOut`: the peer reads, but never all that waits for it. What it has taken does not pile up.
#[test]
fn hol_out_what_a_slow_reader_has_taken_is_let_go() {
    let (mut connection, mut app, mut peer, _) = asked_for(50 << 20);
    let mut cx = Context::from_waker(Waker::noop());
    let mut taken = 0;
    let heap = allocation_counter::measure(|| {
        for _ in 0..20_000 {
            assert!(connection.poll(&mut cx, &mut app).is_pending());
            taken += peer.take().len();
        }
    });
    assert!(taken > 19 << 20, "{taken}");
    assert!(heap.bytes_max < 600_000, "{heap:?}");
}

/// `cancelUs`: we break a content off, and up to 32 frames of it still come. They count for nothing until a name opens the channel
/// anew, whether or not the old content came to an end of its own.
#[test]
fn cancel_us_late_frames_are_ignored_until_a_name_comes() {
    let boop = sha1(b"boop");
    for old_ending in [None, Some(END), Some(ERROR)] {
        let mut alice = asking(&["x", &boop]);
        let begun = [hashes(&[("x", 1)]), data(2, Some("2"), b"b")];
        alice.receive(&begun.concat()).unwrap();
        let coming = alice.coming()[0];
        alice.session.cancel(coming, &mut alice.out).unwrap();
        assert_eq!(alice.out, ending(-2, Some("2"), ERROR));
        alice.heard.clear();

        for byte in data(2, None, &[7; 64 << 10]).repeat(32).chunks(5000) {
            alice.receive(byte).unwrap();
        }
        if let Some(kind) = old_ending {
            alice.receive(&ending(2, None, kind)).unwrap();
        }
        assert_eq!(alice.take_heard(), []);
        let next = [
            hashes(&[(&boop, 2)]),
            data(2, Some("3"), b"bo"),
            data(2, None, b"op"),
            ending(2, None, END),
        ];
        alice.receive(&next.concat()).unwrap();
        let complete = Heard::Complete(boop[..].into(), 2, b"boop".to_vec());
        assert_eq!(alice.heard.pop(), Some(complete), "{old_ending:?}");
    }
}

/// `cancelJS`, `cancelJS0`: the package breaks a content off, and a late nameless frame of it makes it fall silent. So we stop at
/// once, and the next content on that number has a name.
#[test]
fn cancel_js_and_cancel_js0_the_sender_stops_at_once_and_names_what_is_next() {
    for begun in [true, false] {
        let mut bob = Side::new(Limits::DEFAULT);
        bob.receive(&request(&["p", "q"])).unwrap();
        let found = ["p", "q"].map(|hash| (hash.into(), None));
        let answer = bob.session.respond(found, &mut bob.out).unwrap();
        let (p, q) = (answer.served(0), answer.served(1));
        // Without any frame the package knows of no channel to break off.
        if begun {
            bob.session.body(p, b"beep", &mut bob.out).unwrap();
            bob.receive(&ending(-2, Some("2"), ERROR)).unwrap();
            assert_eq!(bob.heard.pop(), Some(Heard::Cancelled("p".into())));
        } else {
            bob.session.finish(p, &mut bob.out).unwrap();
            bob.receive(&ending(-2, Some("2"), ERROR)).unwrap();
            assert_eq!(bob.heard.len(), 1, "it is too late: {:?}", bob.heard);
        }
        bob.out.clear();
        let late = bob.session.body(p, b"late", &mut bob.out);
        assert_eq!(late, Err(Misuse::NotOpen));
        assert_eq!(bob.session.next_response(), Some(q));
        bob.session.body(q, b"boop", &mut bob.out).unwrap();
        assert_eq!(bob.out, data(2, Some("3"), b"boop"));
    }
}

/// The same through a connection: what is read of the source stops with the cancellation.
#[test]
fn cancel_js_a_connection_drops_the_source_at_once() {
    let (mut connection, mut app, mut peer, body) = asked_for(10 << 20);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(connection.poll(&mut cx, &mut app).is_pending());
    let open = Arc::strong_count(&body);
    peer.put(&[ending(-2, Some("2"), ERROR), close()].concat());
    assert!(connection.poll(&mut cx, &mut app).is_pending());
    assert_eq!(Arc::strong_count(&body), open - 1);
    assert_eq!(connection.serving(), 0);
    let waiting = connection.unwritten() + peer.take().len();
    let mut rest = 0;
    while connection.unwritten() > 0 {
        assert!(connection.poll(&mut cx, &mut app).is_pending());
        rest += peer.take().len();
    }
    assert!(rest <= waiting, "nothing is added to what was under way");
}

/// `error` on the way out of a connection, `errorNoData`: what we break off without a reason has no field 4, as the package writes it.
#[test]
fn error_no_data_is_written_as_the_package_writes_it() {
    let mut bob = Side::new(Limits::DEFAULT);
    bob.receive(&request(&["p", "q"])).unwrap();
    let found = ["p", "q"].map(|hash| (hash.into(), None));
    let answer = bob.session.respond(found, &mut bob.out).unwrap();
    bob.out.clear();
    bob.session
        .fail(answer.served(0), "", &mut bob.out)
        .unwrap();
    assert_eq!(bob.out, ending(2, Some("2"), ERROR));
    bob.out.clear();
    bob.session
        .fail(answer.served(1), "oh", &mut bob.out)
        .unwrap();
    let error = Frame {
        channel: 2,
        name: Some("3"),
        kind: Some(ERROR),
        data: Some(b"oh"),
    };
    assert_eq!(bob.out, error.bytes());
    let heard = hears(&["q"], &[hashes(&[("q", 2)]), bob.out].concat());
    let failed = Heard::Failed("q".into(), "the peer broke it off: oh".into());
    assert_eq!(heard.unwrap(), [Heard::Response("q".into(), 2), failed]);
}
