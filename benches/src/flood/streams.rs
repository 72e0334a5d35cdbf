//! The workload over streams: one between any two neighbours, dialled by the lower one.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use hxsim::topology::Graph;
use simnet::{Host, NodeId, Stream};

use super::{HEAD, Kind, Known, PORT, Reaction, SOUND, decode, encode};

/// A node of the workload. Clones are the same node.
#[derive(Clone)]
pub struct Flooder(Rc<RefCell<State>>);

struct State {
    links: Vec<Link>,
    known: Known,
    sent: u64,
}

struct Link {
    stream: Stream,
    /// The beginning of a message whose rest is to come.
    rest: Vec<u8>,
}

impl Flooder {
    /// Starts a node that connects to its neighbours and holds these numbers, all below `numbers`.
    ///
    /// # Panics
    ///
    /// Its tasks panic if the network breaks a stream: the workload is for one that does not.
    pub fn start(host: &Host, graph: &Graph, numbers: u16, holds: &[u16]) -> Self {
        let node = Self(Rc::new(RefCell::new(State {
            links: Vec::new(),
            known: Known::new(numbers, holds),
            sent: 0,
        })));
        let serve = node.clone();
        let listens = host.serve(PORT, move |stream, _| serve.clone().serve(stream));
        listens.expect("one node runs on a host");
        let higher = |peer: &&NodeId| **peer > host.id();
        for peer in graph.neighbours(host.id()).iter().filter(higher) {
            let (host, node, peer) = (host.clone(), node.clone(), *peer);
            host.clone().spawn(async move {
                let stream = host.connect(peer, PORT).await.expect(SOUND);
                node.serve(stream).await;
            });
        }
        node
    }

    /// Messages that the node has sent.
    pub fn sent(&self) -> u64 {
        self.0.borrow().sent
    }

    async fn serve(self, stream: Stream) {
        let link = self.0.borrow_mut().connect(stream);
        poll_fn(|cx| self.0.borrow_mut().poll_link(cx, link)).await;
    }
}

impl State {
    fn connect(&mut self, stream: Stream) -> usize {
        self.links.push(Link {
            stream,
            rest: Vec::new(),
        });
        let link = self.links.len() - 1;
        for number in self.known.held() {
            self.send(link, Kind::Available, number);
        }
        link
    }

    fn poll_link(&mut self, cx: &mut Context<'_>, link: usize) -> Poll<()> {
        let mut buffer = [0; BUFFER];
        loop {
            let stream = Pin::new(&mut self.links[link].stream);
            let read = match stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read.expect(SOUND),
            };
            if read == 0 {
                return Poll::Ready(());
            }
            let rest = std::mem::take(&mut self.links[link].rest);
            if rest.is_empty() {
                self.receive(link, &buffer[..read]);
            } else {
                self.receive(link, &[&rest, &buffer[..read]].concat());
            }
        }
    }

    fn receive(&mut self, link: usize, mut bytes: &[u8]) {
        while let Some(head) = bytes.first_chunk() {
            let (kind, number) = decode(head);
            let Some(rest) = bytes.get(kind.length()..) else {
                break;
            };
            bytes = rest;
            match self.known.handle(kind, number) {
                Reaction::Nothing => {}
                Reaction::Answer(kind) => self.send(link, kind, number),
                Reaction::Announce => {
                    for link in 0..self.links.len() {
                        self.send(link, Kind::Available, number);
                    }
                }
            }
        }
        self.links[link].rest.extend_from_slice(bytes);
    }

    fn send(&mut self, link: usize, kind: Kind, number: u16) {
        let message = &encode(kind, number)[..kind.length()];
        // A window is wider than all that is ever underway here, so that nobody has to be woken.
        let mut cx = Context::from_waker(Waker::noop());
        let stream = Pin::new(&mut self.links[link].stream);
        match stream.poll_write(&mut cx, message) {
            Poll::Ready(Ok(written)) => assert_eq!(written, message.len(), "{SOUND}"),
            Poll::Ready(Err(error)) => panic!("{SOUND}: {error}"),
            Poll::Pending => panic!("all messages of a run fit into the window of a stream"),
        }
        self.sent += 1;
    }
}

/// As much as the read buffer of a `hash_exchange::Connection`.
const BUFFER: usize = 64 * HEAD;
