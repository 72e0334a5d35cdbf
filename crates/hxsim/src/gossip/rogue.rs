//! What sits on the seats of nodes that do not behave.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncBufRead, AsyncRead};
use hash_exchange::{Application, Connection, Error, Event, Hash, MemoryBody, Source, Tag, Tally};
use simnet::{Host, NodeId, Stream, Time};

use super::host::PORT;
use crate::scenario::Role;

/// A node that plays a role. It knows every body there is, publishes none, and lies only as far as its role does: what it offers is really
/// published, and it does so when that is. All of its neighbours find it connected.
#[derive(Clone)]
pub(super) struct Rogue {
    host: Host,
    role: Role,
    shelf: Rc<[OnShelf]>,
    sent: Rc<RefCell<Tally>>,
}

/// A body, and when it is published on the node's clock. Rogues keep them in the order of these times.
pub(super) struct OnShelf {
    pub(super) at: Time,
    pub(super) hash: Hash,
    pub(super) body: Rc<[u8]>,
}

impl Rogue {
    /// Takes a seat, and dials these neighbours.
    pub(super) fn start(
        role: Role,
        host: Host,
        dials: impl Iterator<Item = NodeId>,
        shelf: Rc<[OnShelf]>,
    ) -> Self {
        let rogue = Self {
            host,
            role,
            shelf,
            sent: Rc::default(),
        };
        let serving = rogue.clone();
        let serve = move |stream, _| serving.clone().play(stream);
        let served = rogue.host.serve(PORT, serve);
        served.expect("one node runs on a host");
        for peer in dials {
            rogue.host.spawn(rogue.clone().dial(peer));
        }
        rogue
    }

    /// The frames that it has sent.
    pub(super) fn sent(&self) -> Tally {
        self.sent.borrow().clone()
    }

    async fn dial(self, peer: NodeId) {
        loop {
            if let Ok(stream) = self.host.connect(peer, PORT).await {
                self.clone().play(stream).await;
            }
            self.host.sleep(REDIAL).await;
        }
    }

    /// Plays the role on one connection, to its end.
    async fn play(self, stream: Stream) {
        // Whatever ends a connection, a rogue does not care why.
        let _ = match self.role {
            Role::Mute => listen(stream).await,
            Role::NeverReading => self.talk(stream).await,
            Role::Refusing | Role::Lying | Role::Slow => self.answer(stream).await,
        };
    }

    /// Offers everything in its time, and reads nothing.
    async fn talk(self, stream: Stream) -> Result<(), Error> {
        let mut connection: Connection<_, Body> = Connection::new(stream);
        let mut offered = 0;
        while offered < self.shelf.len() {
            self.host.sleep_until(self.shelf[offered].at).await;
            let hashes = self.due(&mut offered);
            let tag = connection.provide(hashes).expect(OPEN);
            self.sent.borrow_mut().add(tag);
            poll_fn(|cx| connection.poll_flush(cx)).await?;
        }
        pending().await
    }

    /// Offers everything in its time, and answers after its fashion.
    async fn answer(mut self, stream: Stream) -> Result<(), Error> {
        let mut connection = Connection::new(stream);
        let mut offered = 0;
        loop {
            let hashes: Vec<_> = self.due(&mut offered).collect();
            if !hashes.is_empty() {
                let tag = connection.provide(hashes).expect(OPEN);
                self.sent.borrow_mut().add(tag);
            }
            let next = self.shelf.get(offered).map(|next| next.at);
            let host = self.host.clone();
            let mut next = pin!(async move {
                match next {
                    Some(at) => host.sleep_until(at).await,
                    None => pending().await,
                }
            });
            let is_over = poll_fn(|cx| match connection.poll(cx, &mut self) {
                Poll::Ready(ended) => Poll::Ready(ended.map(|_| true)),
                Poll::Pending => next.as_mut().poll(cx).map(|()| Ok(false)),
            });
            if is_over.await? {
                return Ok(());
            }
        }
    }

    /// What is due by now of what was not offered before.
    fn due<'a>(&'a self, offered: &mut usize) -> impl Iterator<Item = &'a Hash> + use<'a> {
        let now = self.host.now();
        let rest = &self.shelf[*offered..];
        let due = rest.partition_point(|it| it.at <= now);
        *offered += due;
        rest[..due].iter().map(|it| &it.hash)
    }
}

/// Reads, and says nothing.
async fn listen(mut stream: Stream) -> Result<(), Error> {
    let mut buffer = [0; 4096];
    while poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut buffer)).await? > 0 {}
    Ok(())
}

impl Application for Rogue {
    type Body = Body;

    fn open(&mut self, hash: &Hash) -> Option<Source<Body>> {
        let body = &self.shelf.iter().find(|it| it.hash == *hash)?.body;
        let (body, pace) = match self.role {
            Role::Lying => (another(body), None),
            Role::Slow => (body.clone(), Some(self.host.clone())),
            Role::Refusing | Role::Mute | Role::NeverReading => return None,
        };
        Some(Source {
            body: Body {
                bytes: MemoryBody::new(body),
                pace,
                pause: None,
            },
            sequence: None,
        })
    }

    fn event(&mut self, _: Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn sent(&mut self, tag: Tag) {
        self.sent.borrow_mut().add(tag);
    }

    fn unsent(&mut self, tag: Tag) {
        self.sent.borrow_mut().remove(tag);
    }
}

/// A body of as many bytes, or one of one byte in place of none.
fn another(body: &[u8]) -> Rc<[u8]> {
    match body {
        [] => Rc::from([0]),
        [first, rest @ ..] => [&[!first], rest].concat().into(),
    }
}

/// A body that is sent, at once or a byte now and then.
pub(super) struct Body {
    bytes: MemoryBody<Rc<[u8]>>,
    /// Who can wait, if it has to.
    pace: Option<Host>,
    /// Until the next byte.
    pause: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl AsyncRead for Body {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        self.consume(len);
        Poll::Ready(Ok(len))
    }
}

impl AsyncBufRead for Body {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if let Some(host) = &this.pace {
            let pause = this.pause.get_or_insert_with(|| Box::pin(host.sleep(PACE)));
            ready!(pause.as_mut().poll(cx));
        }
        let at_once = if this.pace.is_some() { 1 } else { usize::MAX };
        let bytes = ready!(Pin::new(&mut this.bytes).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&bytes[..bytes.len().min(at_once)]))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.pause = None;
        Pin::new(&mut self.bytes).consume(amount);
    }
}

/// Between two bytes of a body that comes slowly: less than any stall, so that something always goes on.
const PACE: Duration = Duration::from_millis(100);

/// Between two dials of a neighbour.
const REDIAL: Duration = Duration::from_secs(1);

const OPEN: &str = "a rogue never closes";
