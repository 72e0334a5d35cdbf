//! CLOSE, and the end of the stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::io::{AsyncRead, AsyncWrite};
use hash_exchange::{
    Connection, Error, Limits, MemoryBody, MemoryStore, Misuse, OwnedEvent, ProtocolError,
};

use super::{END, asking, available, close, data, ending, hashes, hears, message, request, sha1};
use crate::pair::{Heard, Pair, Side};
use crate::pipe::{End, pipe};

/// `afterClose`, `stallAfterClose`: the package reads no message behind CLOSE, and after 41 to 60 of them nothing at all. We read
/// them, however many, and what comes behind them.
#[test]
fn after_close_and_stall_after_close_messages_are_read_and_nothing_stalls() {
    let beep = sha1(b"beep");
    let mut frames = vec![hashes(&[(&beep, 1)]), close()];
    frames.extend((0..100).map(|_| message(6, &[0x0a, 2, b'm', b'e'])));
    frames.extend([data(2, Some("2"), b"beep"), ending(2, None, END)]);
    let heard = hears(&[&beep], &frames.concat()).unwrap();
    assert_eq!(heard[1], Heard::Close);
    assert_eq!(heard[2..102], vec![Heard::Id("me".into()); 100]);
    let complete = Heard::Complete(beep[..].into(), 1, b"beep".to_vec());
    assert_eq!(heard[102..], [complete]);
}

/// `afterCloseResp`: a response whose HASHES comes behind CLOSE makes the package fall silent. We take it.
#[test]
fn after_close_resp_is_accepted() {
    let beep = sha1(b"beep");
    let body = [data(2, Some("2"), b"beep"), ending(2, None, END)].concat();
    let bytes = [close(), hashes(&[(&beep, 1)]), body].concat();
    let complete = Heard::Complete(beep[..].into(), 1, b"beep".to_vec());
    assert_eq!(hears(&[&beep], &bytes).unwrap().pop(), Some(complete));
}

/// `rpc100AfterClose`: a hundred REQUESTs behind our CLOSE are refused, each by a HASHES that maps nothing: no channel is opened.
#[test]
fn rpc100_after_close_is_refused_without_opening_a_channel() {
    let mut bob = Side::new(Limits::DEFAULT);
    bob.holds(b"beep");
    bob.session.close();
    bob.drain();
    assert_eq!(bob.out, close(), "nothing is under way");
    assert_eq!(bob.session.request([], &mut bob.out), Err(Misuse::Closed));

    bob.out.clear();
    for _ in 0..100 {
        bob.receive(&request(&[&sha1(b"beep")])).unwrap();
    }
    bob.drain();
    assert_eq!(bob.heard, [], "the application is not asked");
    assert_eq!(bob.session.serving(), 0);
    let refusal = data(1, None, &[0, 2]);
    assert_eq!(bob.out, refusal.repeat(100));
}

/// `jsReqAfterClose`, `servesAfterOwnClose`: whoever has closed goes on serving, and asks for nothing more. Our CLOSE goes out
/// when the peer is served.
#[test]
fn js_req_after_close_and_serves_after_own_close_are_served_and_own_requests_refused() {
    let mut pair = Pair::new();
    let (beep, boop) = (pair.a.holds(b"beep"), pair.b.holds(b"boop"));
    // B is slow to answer, so that A's CLOSE has to wait.
    pair.b.answers = false;
    pair.a.request(std::slice::from_ref(&boop));
    pair.a.session.close();
    pair.drive();
    let refused = pair.a.session.request([&boop], &mut Vec::new());
    assert_eq!(refused, Err(Misuse::Closed));
    pair.b.request(std::slice::from_ref(&beep));
    pair.drive();
    assert_eq!(pair.a.take_heard(), [Heard::Asked(vec![beep.clone()])]);
    pair.b.answers = true;
    pair.drive();
    let complete = Heard::Complete(beep.clone(), 1, b"beep".to_vec());
    let heard = pair.b.take_heard();
    assert!(heard.contains(&complete), "served behind its own close");
    assert_eq!(heard.last(), Some(&Heard::Close));

    // The peer closes, and still serves us.
    let mut alice = Side::new(Limits::DEFAULT);
    alice.receive(&close()).unwrap();
    alice.request(&[beep]);
    let answer = [hashes(&[(&sha1(b"beep"), 1)]), data(2, Some("2"), b"beep")].concat();
    alice.receive(&answer).unwrap();
    alice.receive(&ending(2, None, END)).unwrap();
    assert_eq!(alice.heard.pop(), Some(complete));
}

/// `closeInFlight2`: the package ends its output as soon as both have closed, and cuts off what is in flight. Our CLOSE is written
/// behind the last byte of what we serve, and once we have read what we asked for.
#[test]
fn close_in_flight2_close_comes_behind_everything_that_is_served_and_read() {
    let (io, mut peer) = pipe(1000);
    let mut connection = Connection::new(io);
    let mut store = MemoryStore::new();
    let hash = store.add(vec![7; 100_000]).to_string();
    connection.request([&"x".into()]).unwrap();
    connection.close();
    peer.put(&[request(&[&hash]), hashes(&[]), close()].concat());
    let mut written = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let next = std::pin::pin!(connection.next(&mut store)).poll(&mut cx);
        written.extend(peer.take());
        if matches!(next, Poll::Ready(Ok(None))) {
            break;
        }
    }
    let mut side = asking(&[&hash]);
    side.receive(&written).unwrap();
    let heard = side.take_heard();
    let complete = Heard::Complete(hash[..].into(), 1, vec![7; 100_000]);
    assert_eq!(heard[heard.len() - 2..], [complete, Heard::Close]);
}

/// `closeInFlightRecv`: the end of the stream with responses open is an error, CLOSE or not.
#[test]
fn close_in_flight_recv_an_end_with_responses_open_is_an_error() {
    let mut alice = asking(&["x", "y"]);
    let begun = [hashes(&[("x", 1)]), data(2, Some("2"), b"b"), close()];
    alice.receive(&begun.concat()).unwrap();
    let open = ProtocolError::EndWithOpen {
        requested: 1,
        responses: 1,
    };
    assert_eq!(alice.session.end(), Err(open));
}

/// `closeTwice`: idempotent both ways.
#[test]
fn close_twice_is_close_once() {
    let heard = hears(&[], &[close(), close(), available(&[])].concat());
    let once = [Heard::Close, Heard::Available(Vec::new())];
    assert_eq!(heard.unwrap(), once);

    let mut side = Side::new(Limits::DEFAULT);
    side.session.close();
    side.session.close();
    side.drain();
    side.session.close();
    side.drain();
    assert_eq!(side.out, close());
}

/// `truncated`: the package ignores the end of its input. Within a frame it is an error, wherever it is cut.
#[test]
fn truncated_streams_are_errors() {
    let frames = [available(&["x"]), message(3, &[0x18, 0])].concat();
    let whole = [frames.len(), available(&["x"]).len(), 0];
    for cut in 0..=frames.len() {
        let mut session = hash_exchange::Session::default();
        super::drain(&mut session, &frames[..cut], |_| ());
        let ended = session.end();
        let expected = if whole.contains(&cut) {
            Ok(())
        } else {
            Err(ProtocolError::EndInFrame)
        };
        assert_eq!(ended, expected, "cut at {cut}");
    }
    // Within a content, which is passed on as it comes.
    let mut alice = asking(&["x"]);
    let body = data(2, Some("2"), &[7; 300]);
    alice.receive(&hashes(&[("x", 1)])).unwrap();
    alice.receive(&body[..200]).unwrap();
    assert_eq!(alice.session.end(), Err(ProtocolError::EndInFrame));
}

/// `eofIdle`: an end between frames is a clean one: what the peer has asked for is sent, and then we end too.
#[test]
fn eof_idle_ends_well_and_what_is_asked_for_is_sent_first() {
    let (io, mut peer) = pipe(1000);
    let mut connection = Connection::new(io);
    let mut store = MemoryStore::new();
    let hash = store.add(vec![7; 50_000]).to_string();
    peer.put(&request(&[&hash]));
    peer.end();
    let mut written = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let next = std::pin::pin!(connection.next(&mut store)).poll(&mut cx);
        written.extend(peer.take());
        match next {
            Poll::Ready(Ok(None)) => break,
            Poll::Ready(Ok(Some(event))) => {
                assert_eq!(event, OwnedEvent::Requested(vec![hash[..].into()]));
            }
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => {}
        }
    }
    let mut side = asking(&[&hash]);
    side.receive(&written).unwrap();
    let complete = Heard::Complete(hash[..].into(), 1, vec![7; 50_000]);
    assert_eq!(side.heard.pop(), Some(complete));
}

/// A transport whose reader is gone.
struct Gone(End);

impl AsyncRead for Gone {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gone {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// `ourStdoutClosed`: the package crashes. It is an ordinary error of the transport.
#[test]
fn our_stdout_closed_is_an_ordinary_error() {
    let (io, _peer) = pipe(1000);
    let mut connection: Connection<Gone, MemoryBody> = Connection::new(Gone(io));
    connection.id("me").unwrap();
    let mut store = MemoryStore::new();
    let next = connection.next(&mut store);
    let Err(Error::Io(error)) = futures::executor::block_on(next) else {
        panic!("nobody reads");
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
