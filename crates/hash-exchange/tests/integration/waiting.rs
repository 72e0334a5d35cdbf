//! What a connection waits for, what it does not end without, and that it is woken: it is polled only when it is.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures::future::{FutureExt, join};
use futures::io::{AsyncBufRead, AsyncRead, AsyncWrite};
use hash_exchange::{Application, Connection, Event, Hash, MemoryBody, Progress, Source};

use crate::pair::Heard;
use crate::pipe::{End, pipe};
use crate::quirks::{END, asking, close, data, ending, hashes, request};
use crate::woken::{finish, yield_now};

/// What something waits for, until it is opened.
#[derive(Clone, Default)]
struct Gate(Rc<Waiting>);

#[derive(Default)]
struct Waiting {
    is_open: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Gate {
    fn open(&self) {
        self.0.is_open.set(true);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.0.is_open.get() {
            return Poll::Ready(());
        }
        self.0.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Is opened after a while, when all that does not wait for it is done.
    async fn open_later(&self) {
        for _ in 0..10 {
            yield_now().await;
        }
        self.open();
    }
}

/// A source that has nothing at hand before its gate is open.
struct Gated {
    gate: Gate,
    body: MemoryBody,
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.gate.poll(cx));
        Pin::new(&mut self.body).poll_read(cx, buf)
    }
}

impl AsyncBufRead for Gated {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(self.gate.poll(cx));
        Pin::new(&mut self.get_mut().body).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.body).consume(amount);
    }
}

/// An application with one body, whatever it is asked for.
#[derive(Default)]
struct Server {
    body: Vec<u8>,
    gate: Gate,
    sequence: Option<u64>,
    /// It pauses behind each piece of a content, and when it has answered.
    pauses: bool,
    /// Bytes of contents that have come.
    came: usize,
}

impl Server {
    /// So many bytes, at hand at once.
    fn of(len: usize) -> Self {
        let server = Self {
            body: vec![7; len],
            ..Self::default()
        };
        server.gate.open();
        server
    }

    fn flow(&self) -> ControlFlow<()> {
        match self.pauses {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Application for Server {
    type Body = Gated;

    fn open(&mut self, _: &Hash) -> Option<Source<Gated>> {
        let body = Gated {
            gate: self.gate.clone(),
            body: MemoryBody::new(Arc::from(&self.body[..])),
        };
        Some(Source {
            body,
            sequence: self.sequence,
        })
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Body { chunk, .. } => {
                self.came += chunk.len();
                self.flow()
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn answered(&mut self) -> ControlFlow<()> {
        self.flow()
    }
}

async fn run<Io>(connection: &mut Connection<Io, Gated>, server: &mut Server)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    while poll_fn(|cx| connection.poll(cx, server)).await.unwrap() == Progress::Paused {}
}

/// A peer that has asked for `x`, when this has come, has it.
fn has_got_x(bytes: &[u8], server: &Server) {
    let mut side = asking(&["x"]);
    side.receive(bytes).unwrap();
    let sequence = server.sequence.unwrap_or(1);
    let complete = Heard::Complete("x".into(), sequence, server.body.clone());
    assert_eq!(side.heard.pop(), Some(complete));
}

#[test]
fn a_stream_that_has_ended_waits_for_sources_that_have_nothing_at_hand() {
    let (io, mut peer) = pipe(1000);
    let mut server = Server {
        body: b"beep".to_vec(),
        ..Server::default()
    };
    peer.put(&request(&["x"]));
    peer.end();
    let gate = server.gate.clone();
    let mut connection = Connection::new(io);
    finish(join(run(&mut connection, &mut server), gate.open_later()));
    has_got_x(&peer.take(), &server);
}

/// A transport that has flushed nothing before its gate is open.
struct Unflushed {
    io: End,
    gate: Gate,
}

impl AsyncRead for Unflushed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Unflushed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.gate.poll(cx));
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        assert!(self.gate.poll(cx).is_ready(), "not all of it is flushed");
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[test]
fn a_transport_is_closed_only_when_all_of_it_is_flushed() {
    let (io, mut peer) = pipe(1000);
    let gate = Gate::default();
    let mut connection = Connection::new(Unflushed {
        io,
        gate: gate.clone(),
    });
    peer.put(&close());
    connection.close();
    let mut server = Server::of(0);
    finish(join(run(&mut connection, &mut server), gate.open_later()));
    assert_eq!(peer.take(), close());
    let end = futures::AsyncReadExt::read(&mut peer, &mut [0]).now_or_never();
    assert!(matches!(end, Some(Ok(0))), "it is closed: {end:?}");
}

/// More than a poll reads or serves, so that it lets others have their turn.
const MORE: usize = 5 << 20;

/// All that will ever come is here, whether much or little of it is to be read: nobody but the connection itself can wake it.
#[test]
fn a_poll_that_lets_others_have_their_turn_asks_for_its_own() {
    for (len, pauses) in [(MORE, false), (MORE, true), (0, false)] {
        let (io, mut peer) = pipe(usize::MAX);
        let mut connection = Connection::new(io);
        connection.request([&"y".into()]).unwrap();
        let mut server = Server::of(MORE);
        server.pauses = pauses;
        let come = [
            request(&["x"]),
            hashes(&[("y", 1)]),
            data(2, Some("2"), &vec![7; len]),
            ending(2, None, END),
        ];
        peer.put(&come.concat());
        peer.end();
        finish(run(&mut connection, &mut server));
        assert_eq!(server.came, len);
        has_got_x(&peer.take(), &server);
    }
}

/// A connection whose application has paused as it answered the REQUEST for `x`.
fn paused(room: usize, server: &mut Server) -> (Connection<End, Gated>, End) {
    let (io, mut peer) = pipe(room);
    let mut connection = Connection::new(io);
    peer.put(&request(&["x"]));
    server.pauses = true;
    let progress = finish(poll_fn(|cx| connection.poll(cx, server)));
    assert_eq!(progress.unwrap(), Progress::Paused);
    (connection, peer)
}

#[test]
fn poll_serve_that_lets_others_have_their_turn_asks_for_its_own() {
    let mut server = Server::of(MORE);
    let (mut connection, mut peer) = paused(usize::MAX, &mut server);
    finish(poll_fn(|cx| connection.poll_serve(cx, &mut server))).unwrap();
    has_got_x(&peer.take(), &server);
}

#[test]
fn poll_serve_is_woken_by_a_source_that_has_something_again() {
    let mut server = Server {
        body: b"beep".to_vec(),
        ..Server::default()
    };
    let (mut connection, mut peer) = paused(1000, &mut server);
    let gate = server.gate.clone();
    let serve = poll_fn(|cx| connection.poll_serve(cx, &mut server));
    let (served, ()) = finish(join(serve, gate.open_later()));
    served.unwrap();
    has_got_x(&peer.take(), &server);
}

/// All of the content is encoded at once, and waits for the pipe.
#[test]
fn poll_serve_is_woken_by_a_transport_that_has_room_again() {
    let mut server = Server::of(5000);
    let (mut connection, mut peer) = paused(100, &mut server);
    let mut read = Vec::new();
    let reads = async {
        let mut piece = [0; 30];
        // As much as the body alone has. What goes round it has room in the pipe.
        while read.len() < 5000 {
            let len = futures::AsyncReadExt::read(&mut peer, &mut piece)
                .await
                .unwrap();
            read.extend_from_slice(&piece[..len]);
        }
    };
    let serve = poll_fn(|cx| connection.poll_serve(cx, &mut server));
    let (served, ()) = finish(join(serve, reads));
    served.unwrap();
    assert_eq!((connection.serving(), connection.unwritten()), (0, 0));
    read.extend(peer.take());
    has_got_x(&read, &server);
}

#[test]
fn a_number_that_javascript_cannot_tell_from_its_neighbours_is_not_found() {
    const MOST: u64 = (1 << 53) - 2;
    for (sequence, found) in [(MOST, true), (MOST + 1, false), (u64::MAX, false)] {
        let (io, mut peer) = pipe(1000);
        let mut connection = Connection::new(io);
        let mut server = Server::of(10);
        server.sequence = Some(sequence);
        peer.put(&request(&["x"]));
        peer.end();
        finish(run(&mut connection, &mut server));
        let mut side = asking(&["x"]);
        side.receive(&peer.take()).unwrap();
        let answer = match found {
            true => Heard::Response("x".into(), sequence),
            false => Heard::NotFound("x".into()),
        };
        assert_eq!(side.heard[0], answer);
    }
}
