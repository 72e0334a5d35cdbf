//! How REQUESTs are answered, and what comes of the answers.

use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::io::{AsyncBufRead, AsyncRead};
use hash_exchange::{Application, Connection, Event, Hash, Limits, ProtocolError, Source};

use super::{END, Frame, asking, complete, data, ending, hashes, hears, request, sha1};
use crate::pair::{Heard, Pair, Side};
use crate::pipe::{End, pipe};

/// A source that gives some bytes and then fails, or ends.
struct Brittle {
    bytes: &'static [u8],
    fails: bool,
}

impl AsyncRead for Brittle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(&mut self.bytes, buf))
    }
}

impl AsyncBufRead for Brittle {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.fails && this.bytes.is_empty() {
            return Poll::Ready(Err(io::Error::other("the disk is gone")));
        }
        Poll::Ready(Ok(this.bytes))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.bytes = &self.bytes[amount..];
    }
}

/// Serves `beep`, what `breaks` half way, and nothing else.
#[derive(Default)]
struct Server {
    opened: Vec<Hash>,
}

impl Application for Server {
    type Body = Brittle;

    fn open(&mut self, hash: &Hash) -> Option<Source<Brittle>> {
        self.opened.push(hash.clone());
        let text = hash.to_string();
        let bytes = (text == "beep" || text == "breaks").then_some(&b"beep"[..])?;
        let fails = text == "breaks";
        Some(Source {
            body: Brittle { bytes, fails },
            sequence: None,
        })
    }

    fn event(&mut self, _: Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// What a peer hears that sends these bytes to a connection which serves, having asked for these hashes.
fn answers(asked: &[&str], bytes: &[u8]) -> (Server, Vec<Heard>) {
    let (io, mut peer) = pipe(1 << 20);
    let mut connection: Connection<End, Brittle> = Connection::new(io);
    let mut server = Server::default();
    let mut cx = Context::from_waker(Waker::noop());
    peer.put(bytes);
    assert!(connection.poll(&mut cx, &mut server).is_pending());
    let mut side = asking(asked);
    side.receive(&peer.take()).unwrap();
    // The connection lives on.
    peer.put(&request(&["nope"]));
    assert!(connection.poll(&mut cx, &mut server).is_pending());
    assert!(!peer.take().is_empty());
    (server, side.heard)
}

/// Empty payload: a lone END that opens the channel and ends it; an empty DATA frame before it is as good.
#[test]
fn empty_payload_is_a_lone_end_and_an_empty_data_frame_is_accepted() {
    let mut pair = Pair::new();
    let empty = pair.b.holds(b"");
    pair.a.request(std::slice::from_ref(&empty));
    pair.b.receive(&std::mem::take(&mut pair.a.out)).unwrap();
    pair.b.drain();
    assert!(pair.b.out.ends_with(&[7, 0x08, 4, 0x12, 1, b'2', 0x18, 2]));
    let complete = [
        Heard::Response(empty.clone(), 1),
        Heard::Complete(empty, 1, Vec::new()),
    ];
    pair.a.receive(&pair.b.out).unwrap();
    assert_eq!(pair.a.take_heard(), complete);

    let hash = sha1(b"");
    let open = data(2, Some("2"), b"");
    let bytes = [
        hashes(&[(&hash, 1)]),
        open,
        data(2, None, b""),
        ending(2, None, END),
    ];
    assert_eq!(hears(&[&hash], &bytes.concat()).unwrap(), complete);
}

/// `reqUnknown`: the package does not tell the requester. What a HASHES leaves out is reported, REQUEST by REQUEST.
#[test]
fn req_unknown_is_reported_in_the_order_of_the_requests() {
    let bytes = [hashes(&[]), hashes(&[("y", 1)]), hashes(&[])].concat();
    let heard = [
        Heard::NotFound("x".into()),
        Heard::Response("y".into(), 1),
        Heard::NotFound("z".into()),
    ];
    assert_eq!(hears(&["x", "y", "z"], &bytes).unwrap(), heard);
}

/// `cbErr`: what cannot be opened is treated as not found.
#[test]
fn cb_err_is_treated_as_not_found() {
    let (server, heard) = answers(&["nope"], &request(&["nope"]));
    assert_eq!(server.opened[0], "nope".into());
    assert_eq!(heard, [Heard::NotFound("nope".into())]);
}

/// `streamErr`: the package crashes when a source fails. It becomes an ERROR with the reason, and the connection lives.
#[test]
fn stream_err_is_sent_as_an_error_with_its_message() {
    let (_, heard) = answers(&["breaks"], &request(&["breaks"]));
    let text = "the peer broke it off: the disk is gone";
    assert_eq!(
        heard,
        [
            Heard::Response("breaks".into(), 1),
            Heard::Failed("breaks".into(), text.into())
        ]
    );
}

/// `reqDup`: a hash that a REQUEST names twice is opened once and served once; we name each once.
#[test]
fn req_dup_is_opened_and_served_once() {
    let (server, heard) = answers(&["beep"], &request(&["beep", "beep", "beep"]));
    assert_eq!(server.opened, ["beep".into(), "nope".into()]);
    let heard_once = [
        Heard::Response("beep".into(), 1),
        complete("beep", 1, b"beep"),
    ];
    assert_eq!(heard, heard_once);

    let mut side = Side::new(Limits::DEFAULT);
    side.request(&["beep".into(), "beep".into()]);
    assert_eq!(side.out, request(&["beep"]));
}

/// `reqDup2`: two REQUESTs for the same hash get two responses.
#[test]
fn req_dup2_gets_two_responses() {
    let twice = [request(&["beep"]), request(&["beep"])].concat();
    let (server, heard) = answers(&["beep", "beep"], &twice);
    assert_eq!(server.opened[..2], ["beep".into(), "beep".into()]);
    let responses = [1, 2].map(|sequence| Heard::Response("beep".into(), sequence));
    assert!(responses.iter().all(|response| heard.contains(response)));
    assert_eq!(heard.len(), 4, "and both end");
}

/// `sameSeqReq`, `seqCollide`: a number that is given out and not yet used is not given out again, neither when the application
/// chooses it twice nor when it meets one that we count; once its content has begun, it is free.
#[test]
fn same_seq_req_and_seq_collide_never_announce_one_number_twice() {
    let mut bob = Side::new(Limits::DEFAULT);
    bob.receive(&[request(&["p", "q", "r"]), request(&["s"])].concat())
        .unwrap();
    let found = [("p", Some(2)), ("q", None), ("r", Some(2))];
    let found = found.map(|(hash, sequence)| (hash.into(), sequence));
    let answer = bob.session.respond(found, &mut bob.out).unwrap();
    assert_eq!(bob.out, hashes(&[("p", 2), ("q", 1)]));
    assert!(!bob.session.is_serving(answer.served(2)), "r is left out");

    bob.out.clear();
    let begun = answer.served(0);
    bob.session.body(begun, b"beep", &mut bob.out).unwrap();
    bob.out.clear();
    let counted = bob.session.respond([("s".into(), Some(2))], &mut bob.out);
    let counted = counted.unwrap().served(0);
    assert!(
        bob.session.is_serving(counted),
        "2 has begun, hence is free"
    );

    let mut bob = Side::new(Limits::DEFAULT);
    bob.receive(&request(&["p", "q", "r"])).unwrap();
    let found = [("p", Some(1)), ("q", None), ("r", None)];
    let found = found.map(|(hash, sequence)| (hash.into(), sequence));
    bob.session.respond(found, &mut bob.out).unwrap();
    assert_eq!(bob.out, hashes(&[("p", 1), ("q", 2), ("r", 3)]));
}

/// `sameSeqRecv`: a number that is announced twice before its content begins is an error, and legal once it has begun.
#[test]
fn same_seq_recv_is_an_error_until_the_content_has_begun() {
    let twice = [hashes(&[("x", 1)]), hashes(&[("y", 1)])].concat();
    let taken = Err(ProtocolError::SequenceTaken(1));
    assert_eq!(hears(&["x", "y"], &twice), taken);

    let begun = data(2, Some("2"), b"beep");
    let between = [hashes(&[("x", 1)]), begun, hashes(&[("y", 1)])].concat();
    let told = hears(&["x", "y"], &between).unwrap();
    let announced = ["x", "y"].map(|hash| Heard::Response(hash.into(), 1));
    assert_eq!(told, announced);
}

/// `overtake`: a congested package writes a response before its HASHES, and falls silent when it reads that. We hold it until
/// its HASHES comes, whatever it is cut into, and never write it so.
#[test]
fn overtake_a_response_before_its_hashes_is_held_until_they_come() {
    let (beep, boop) = (sha1(b"beep"), sha1(b"boop"));
    let announced = hashes(&[(&boop, 1), (&beep, 2)]);
    let complete = [
        Heard::Complete(beep[..].into(), 2, b"beep".to_vec()),
        Heard::Complete(boop[..].into(), 1, b"boop".to_vec()),
    ];
    let frames = [
        data(2, Some("3"), b"be"),
        data(3, Some("2"), b"boop"),
        data(2, None, b"ep"),
        ending(2, None, END),
        ending(3, None, END),
    ];
    for place in 0..=frames.len() {
        let (before, after) = frames.split_at(place);
        let bytes = [&before.concat(), &announced[..], &after.concat()].concat();
        let mut side = asking(&[]);
        side.request(&[boop[..].into(), beep[..].into()]);
        for byte in bytes.chunks(1) {
            side.receive(byte).unwrap();
        }
        let heard = side.take_heard();
        assert!(
            complete.iter().all(|content| heard.contains(content)),
            "HASHES behind {place} frames: {heard:?}"
        );
        assert_eq!(side.session.end(), Ok(()));
    }
    // An ERROR that comes early is told behind the announcement too.
    let error = Frame {
        channel: 2,
        name: Some("2"),
        kind: Some(super::ERROR),
        data: Some(b"oh"),
    };
    let bytes = [error.bytes(), hashes(&[("x", 1)])].concat();
    let heard = hears(&["x"], &bytes).unwrap();
    let failed = Heard::Failed("x".into(), "the peer broke it off: oh".into());
    assert_eq!(heard, [Heard::Response("x".into(), 1), failed]);

    // The session refuses what would have to be written before HASHES: there is no name for it yet.
    let mut pair = Pair::new();
    let body = pair.b.holds(&[7; 100]);
    pair.a.request(std::slice::from_ref(&body));
    pair.b.receive(&std::mem::take(&mut pair.a.out)).unwrap();
    assert_eq!(pair.b.session.next_response(), None);
    pair.b.drain();
    assert_eq!(pair.b.out[8..10], [0x00, 2], "HASHES is the first frame");
}

/// `overtake` without end: what no HASHES can announce any more is an error as soon as that is certain.
#[test]
fn overtake_is_an_error_once_no_hashes_can_come() {
    let early = data(2, Some("9"), b"beep");
    let error = Err(ProtocolError::Unannounced { sequence: 8 });
    assert_eq!(hears(&[], &early), error);
    let answered = [early, hashes(&[("x", 1)])].concat();
    assert_eq!(
        hears(&["x", "y"], &answered).map(|heard| heard.len()),
        Ok(1)
    );
    let answered = [answered, hashes(&[])].concat();
    assert_eq!(hears(&["x", "y"], &answered), error);
}

/// `respWhileBusy`: HASHES goes out at once; what it announces, once every REQUEST that we wrote before it is answered, and
/// REQUESTs that we write later do not hold it up.
#[test]
fn resp_while_busy_waits_for_earlier_requests_and_never_for_later_ones() {
    let mut alice = asking(&["x", "y"]);
    let beep = alice.holds(b"beep");
    alice.receive(&request(&[&sha1(b"beep")])).unwrap();
    alice.drain();
    let mapping = hashes(&[(&sha1(b"beep"), 1)]);
    assert_eq!(alice.out[2..3], [2]);
    assert!(mapping.ends_with(&alice.out[5..]), "HASHES, and no more");
    alice.out.clear();
    alice.request(&["later".into()]);
    alice.out.clear();

    alice.receive(&hashes(&[])).unwrap();
    alice.drain();
    assert!(
        alice.out.is_empty(),
        "y was asked for before its HASHES too"
    );
    alice.receive(&hashes(&[])).unwrap();
    alice.drain();
    let body = [data(2, Some("2"), b"beep"), ending(2, None, END)].concat();
    assert_eq!(alice.out, body, "{beep} does not wait for the later one");
}
