//! The bare workload: nodes that spread numbers over simulated streams and do nothing else.
//!
//! A node that first learns a number says AVAILABLE to all its neighbours; it answers AVAILABLE of a number that it
//! neither knows nor asked for with REQUEST, and REQUEST with DATA. No hashing, no parsing, no strategy, no checks: what
//! a run of these costs is what the network costs.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use hxsim::topology::Graph;
use simnet::{Host, NodeId, Stream};

/// A node of the workload. Clones are the same node.
#[derive(Clone)]
pub struct Flooder(Rc<RefCell<State>>);

impl Flooder {
    /// Starts a node that connects to its neighbours and holds these numbers, all below `numbers`.
    ///
    /// # Panics
    ///
    /// Its tasks panic if the network breaks a stream: the workload is for one that does not.
    pub fn start(host: &Host, graph: &Graph, numbers: u16, holds: &[u16]) -> Self {
        let mut standing = vec![Standing::Unknown; numbers.into()];
        for number in holds {
            standing[usize::from(*number)] = Standing::Held;
        }
        let node = Self(Rc::new(RefCell::new(State {
            links: Vec::new(),
            standing,
            sent: 0,
        })));
        let listener = host.listen(PORT).expect("one node runs on a host");
        let higher = |peer: &&NodeId| **peer > host.id();
        for peer in graph.neighbours(host.id()).iter().filter(higher) {
            let (host, node, peer) = (host.clone(), node.clone(), *peer);
            host.clone().spawn(async move {
                let stream = host.connect(peer, PORT).await.expect(SOUND);
                node.serve(stream).await;
            });
        }
        host.spawn({
            let (host, node) = (host.clone(), node.clone());
            async move {
                loop {
                    let (stream, _) = listener.accept().await;
                    let node = node.clone();
                    host.spawn(async move { node.serve(stream).await });
                }
            }
        });
        node
    }

    /// Messages that the node has sent.
    pub fn sent(&self) -> u64 {
        self.0.borrow().sent
    }

    async fn serve(&self, stream: Stream) {
        let link = self.0.borrow_mut().connect(stream);
        poll_fn(|cx| self.0.borrow_mut().poll_link(cx, link)).await;
    }
}

/// Messages of a run to its end, exactly: every node says AVAILABLE of every number to each of its neighbours, and
/// REQUEST and DATA bring every number to every node but the one that held it at the start.
pub fn messages(graph: &Graph, numbers: u16) -> u64 {
    let ends = 2 * graph.edges().len() as u64;
    u64::from(numbers) * (ends + 2 * (u64::from(graph.nodes()) - 1))
}

struct State {
    links: Vec<Link>,
    standing: Vec<Standing>,
    sent: u64,
}

struct Link {
    stream: Stream,
    /// The beginning of a message whose rest is to come.
    rest: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unknown,
    Requested,
    Held,
}

impl State {
    fn connect(&mut self, stream: Stream) -> usize {
        self.links.push(Link {
            stream,
            rest: Vec::new(),
        });
        let link = self.links.len() - 1;
        for (number, standing) in (0..).zip(self.standing.clone()) {
            if standing == Standing::Held {
                self.send(link, AVAILABLE, number);
            }
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
        while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
            let [kind, .., a, b] = *head;
            let body = if kind == DATA { BODY } else { 0 };
            if rest.len() < body {
                break;
            }
            bytes = &rest[body..];
            self.handle(link, kind, u16::from_le_bytes([a, b]));
        }
        self.links[link].rest.extend_from_slice(bytes);
    }

    fn handle(&mut self, link: usize, kind: u8, number: u16) {
        let standing = self.standing[usize::from(number)];
        match (kind, standing) {
            (AVAILABLE, Standing::Unknown) => {
                self.standing[usize::from(number)] = Standing::Requested;
                self.send(link, REQUEST, number);
            }
            (REQUEST, Standing::Held) => self.send(link, DATA, number),
            (DATA, Standing::Requested) => {
                self.standing[usize::from(number)] = Standing::Held;
                for link in 0..self.links.len() {
                    self.send(link, AVAILABLE, number);
                }
            }
            _ => {}
        }
    }

    fn send(&mut self, link: usize, kind: u8, number: u16) {
        let mut message = [0; HEAD + BODY];
        let [a, b] = number.to_le_bytes();
        message[0] = kind;
        message[HEAD - 2..HEAD].copy_from_slice(&[a, b]);
        let length = if kind == DATA { HEAD + BODY } else { HEAD };
        // A window is wider than all that is ever underway here, so that nobody has to be woken.
        let mut cx = Context::from_waker(Waker::noop());
        let stream = Pin::new(&mut self.links[link].stream);
        match stream.poll_write(&mut cx, &message[..length]) {
            Poll::Ready(Ok(written)) => assert_eq!(written, length, "{SOUND}"),
            Poll::Ready(Err(error)) => panic!("{SOUND}: {error}"),
            Poll::Pending => panic!("all messages of a run fit into the window of a stream"),
        }
        self.sent += 1;
    }
}

const PORT: u16 = 1;

/// Bytes of a kind and a number.
const HEAD: usize = 8;

/// Bytes of what spreads.
const BODY: usize = 100;

/// As much as the read buffer of a `hash_exchange::Connection`.
const BUFFER: usize = 512;

const AVAILABLE: u8 = 0;
const REQUEST: u8 = 1;
const DATA: u8 = 2;

const SOUND: &str = "nothing goes wrong in this network";
