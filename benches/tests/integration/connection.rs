use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use hash_exchange::{Application, Connection, Event, Hash, MemoryBody, Source};

use crate::heap::Heap;

/// One connection of its own, without a node around it.
const BUDGET: i64 = 256;

type Body = MemoryBody<&'static [u8]>;
type Bytes = Rc<RefCell<VecDeque<u8>>>;

#[test]
fn an_idle_connection_owns_no_heap_before_and_after_it_has_traded() {
    let (ways, size) = (ways(), size_of::<Connection<Pipe, Body>>() as i64);
    let (fresh, mut pair) = Heap::of(|| connect(&ways));
    assert_eq!(fresh.bytes, 0, "{fresh}");
    assert!(size <= BUDGET, "{size}");

    let (more, ()) = Heap::of(|| trade(&mut pair));
    let idle = fresh + more;
    println!("an idle connection: {size} bytes, and on the heap of two {idle}");
    assert_eq!(idle.bytes, 0, "{idle}");
}

/// Both sides offer a content, and fetch the other's.
fn trade(pair: &mut [Connection<Pipe, Body>; 2]) {
    let contents: [&[u8]; 2] = [&[1; 100], &[2; 100_000]];
    let mut peers = contents.map(|content| Peer {
        content,
        offered: None,
        complete: 0,
    });
    for (connection, peer) in pair.iter_mut().zip(&peers) {
        let provided = connection.provide([&Hash::sha1(peer.content)]);
        provided.expect("the connection is open");
    }
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        for (connection, peer) in pair.iter_mut().zip(&mut peers) {
            assert!(connection.poll(&mut cx, peer).is_pending());
            if let Some(hash) = peer.offered.take() {
                connection.request([&hash]).expect("the connection is open");
            }
        }
    }
    assert!(peers.iter().all(|peer| peer.complete == 1));
}

struct Peer {
    content: &'static [u8],
    offered: Option<Hash>,
    complete: u32,
}

impl Application for Peer {
    type Body = Body;

    fn open(&mut self, _: &Hash) -> Option<Source<Body>> {
        Some(Source {
            body: MemoryBody::new(self.content),
            sequence: None,
        })
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Available(hashes) => self.offered = hashes.iter().next(),
            Event::Complete { .. } => self.complete += 1,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Room for all that is under way, so that the transport takes no heap while it is measured.
fn ways() -> [Bytes; 2] {
    [(); 2].map(|()| Rc::new(RefCell::new(VecDeque::with_capacity(1 << 18))))
}

fn connect([there, back]: &[Bytes; 2]) -> [Connection<Pipe, Body>; 2] {
    [(back, there), (there, back)].map(|(incoming, outgoing)| {
        Connection::new(Pipe {
            incoming: Rc::clone(incoming),
            outgoing: Rc::clone(outgoing),
        })
    })
}

struct Pipe {
    incoming: Bytes,
    outgoing: Bytes,
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = self.incoming.borrow_mut();
        match io::Read::read(&mut *bytes, buffer) {
            Ok(0) => Poll::Pending,
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.borrow_mut().extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
