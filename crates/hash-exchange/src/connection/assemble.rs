use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::mem;
use std::ops::ControlFlow;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::{Application, Connection, Progress, Source};
use crate::{BodyError, Error, Event, Hash, Limits, Misuse, ResponseId, Store, Verifier};

/// An [`Event`] that owns what it says, as [`Connection::next`] yields it. As with those, there will be no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedEvent {
    /// The peer's name for itself.
    Id(String),
    /// The peer wants what has a greater sequence number than this; `None`: everything.
    Since(Option<u64>),
    /// The peer holds what has this sequence number; `None` is legal and says nothing.
    Seen(Option<u64>),
    /// The peer offers these hashes, which the store lacks. There may be none, and one may be there more than once.
    Available(Vec<Hash>),
    /// The peer asked for these hashes, and was answered from the store. There may be none. Their contents are sent by the calls
    /// that follow; [`Connection::serving`] counts those that are not sent yet.
    Requested(Vec<Hash>),
    /// We asked for this hash, and the peer does not have it.
    NotFound(Hash),
    /// A content came whole and was given to [`Store::insert`].
    Received {
        /// Its hash.
        hash: Hash,
        /// Its sequence number at the peer.
        sequence: u64,
    },
    /// A content did not come, or was another: the store knows nothing of it.
    Failed {
        /// The hash that was asked for.
        hash: Hash,
        /// What went wrong.
        reason: BodyError,
    },
    /// The peer does not want the rest of this content, which we have begun to send.
    Cancelled(Hash),
    /// The peer needs nothing more from us.
    Close,
}

/// Contents that come, and events that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    events: VecDeque<OwnedEvent>,
    requested: Vec<Hash>,
    /// Contents of which nothing has come yet.
    announced: BTreeMap<ResponseId, Hash>,
    /// Contents that come, in the order of their announcement.
    bodies: BTreeMap<ResponseId, (Hash, Vec<u8>)>,
    /// Bytes of all of them.
    assembled: usize,
    /// Contents that have just been refused: there is no room for more of them.
    refused: Vec<ResponseId>,
    /// What was refused to make room for others, and is to be asked for again.
    postponed: Vec<Hash>,
    /// Something has just been postponed.
    has_postponed: bool,
    /// What has been asked for again, and is not announced yet.
    asked_again: BTreeSet<Hash>,
}

impl<Io, B, V> Connection<Io, B, V>
where
    Io: AsyncRead + AsyncWrite + Unpin,
    B: AsyncBufRead + Unpin,
    V: Verifier,
{
    /// The next thing that the peer says; `None` when nothing is left to do. Meanwhile the peer is served from the store,
    /// and what it sends is assembled in memory, within [`Limits::body`](crate::Limits::body) and
    /// [`Limits::bodies`](crate::Limits::bodies), and put into the store. What comes beside so much else that there is no room for it is
    /// broken off, and asked for again when something else has come to its end, also after [`close`](Self::close).
    ///
    /// It is cancel-safe: it may be dropped at any time and called again. Between two calls nothing is read or written. Whoever
    /// has contents too large for memory, or wants to cancel one, uses [`poll`](Self::poll).
    ///
    /// # Errors
    ///
    /// As those of [`poll`](Self::poll).
    pub async fn next(
        &mut self,
        store: &mut impl Store<Body = B>,
    ) -> Result<Option<OwnedEvent>, Error> {
        poll_fn(|cx| self.poll_next(cx, store)).await
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        store: &mut impl Store<Body = B>,
    ) -> Poll<Result<Option<OwnedEvent>, Error>> {
        let inbox = self.take_aside(|aside| aside.inbox.take());
        let mut inbox = inbox.unwrap_or_default();
        let next = self.poll_inbox(cx, &mut inbox, store);
        if !inbox.is_empty() {
            self.aside.get_or_insert_default().inbox = Some(inbox);
        }
        next
    }

    fn poll_inbox(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
        store: &mut impl Store<Body = B>,
    ) -> Poll<Result<Option<OwnedEvent>, Error>> {
        loop {
            if let Some(event) = inbox.events.pop_front() {
                return Poll::Ready(Ok(Some(event)));
            }
            let Limits { body, bodies, .. } = *self.session.limits();
            let mut assembler = Assembler {
                store,
                inbox,
                body: body.min(bodies) as usize,
                bodies: bodies as usize,
                settled: false,
            };
            let progress = self.poll(cx, &mut assembler);
            let settled = assembler.settled;
            for response in inbox.refused.drain(..) {
                // It is too late for that if the end came with the piece that was too much.
                let _ = self.cancel(response);
            }
            inbox.has_postponed = false;
            if settled || inbox.is_waiting() {
                self.ask_again(inbox);
            }
            match progress {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                _ if !inbox.events.is_empty() => {}
                Poll::Ready(Ok(Progress::Ended)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(Progress::Paused)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<Io, B, V: Verifier> Connection<Io, B, V> {
    /// One content has come to its end, or none is left under way: one that was postponed is asked for in its place. So no more of them
    /// are under way than have had room, and our CLOSE, which waits for all that is under way, cannot come between.
    fn ask_again(&mut self, inbox: &mut Inbox) {
        while let Some(hash) = inbox.postponed.pop() {
            match self.session.request_again(&hash, self.out.bytes()) {
                Ok(_) => {
                    inbox.asked_again.insert(hash);
                    return;
                }
                // The application has asked for others in the meantime: when one of these has come there is room.
                Err(Misuse::TooManyRequested { .. }) => {
                    inbox.postponed.push(hash);
                    return;
                }
                Err(_) => {
                    let reason = BodyError::NoRoom;
                    inbox.events.push_back(OwnedEvent::Failed { hash, reason });
                }
            }
        }
    }
}

/// The application that `next` is made of: it pauses behind every event.
struct Assembler<'a, S> {
    store: &'a mut S,
    inbox: &'a mut Inbox,
    /// Bytes that one content may have.
    body: usize,
    /// Bytes that all of them may have.
    bodies: usize,
    /// A content has come to its end.
    settled: bool,
}

impl<S: Store> Assembler<'_, S> {
    fn chunk(&mut self, response: ResponseId, chunk: &[u8]) -> Option<OwnedEvent> {
        self.inbox.begin(response);
        let (_, body) = self.inbox.bodies.get(&response)?;
        if body.len() + chunk.len() > self.body {
            self.settled = true;
            let (hash, reason) = (self.inbox.refuse(response)?, BodyError::TooLong);
            return Some(OwnedEvent::Failed { hash, reason });
        }
        // The youngest make room: the oldest never does, and so each comes to its end.
        while self.inbox.assembled + chunk.len() > self.bodies {
            let (&youngest, _) = self.inbox.bodies.last_key_value()?;
            let hash = self.inbox.refuse(youngest)?;
            self.inbox.postpone(hash);
            if youngest == response {
                return None;
            }
        }
        let (_, body) = self.inbox.bodies.get_mut(&response)?;
        append(body, chunk, self.body);
        self.inbox.assembled += chunk.len();
        None
    }

    fn owned(&mut self, event: Event<'_>) -> Option<OwnedEvent> {
        Some(match event {
            Event::Id(id) => OwnedEvent::Id(id.to_owned()),
            Event::Since(sequence) => OwnedEvent::Since(sequence),
            Event::Seen(sequence) => OwnedEvent::Seen(sequence),
            Event::Available(hashes) => OwnedEvent::Available(self.store.lacking(hashes)),
            // The peer had it before: meanwhile it has closed.
            Event::NotFound { hash } if self.inbox.asked_again.remove(&hash) => {
                self.settled = true;
                let reason = BodyError::NoRoom;
                OwnedEvent::Failed { hash, reason }
            }
            Event::NotFound { hash } => OwnedEvent::NotFound(hash),
            Event::Response { response, hash, .. } => {
                self.inbox.asked_again.remove(&hash);
                self.inbox.announced.insert(response, hash);
                return None;
            }
            Event::Body { response, chunk } => return self.chunk(response, chunk),
            Event::Complete {
                response,
                hash,
                sequence,
            } => {
                let (_, body) = self.inbox.take(response)?;
                self.settled = true;
                self.store.insert(&hash, body);
                OwnedEvent::Received { hash, sequence }
            }
            // When others have come its peer is less congested.
            Event::Failed {
                response,
                hash,
                reason: BodyError::TooEarly,
            } => {
                self.inbox.take(response)?;
                self.inbox.postpone(hash);
                return None;
            }
            Event::Failed {
                response,
                hash,
                reason,
            } => {
                self.inbox.take(response)?;
                self.settled = true;
                OwnedEvent::Failed { hash, reason }
            }
            Event::Cancelled { hash, .. } => OwnedEvent::Cancelled(hash),
            Event::Close => OwnedEvent::Close,
            Event::Request(_) => return None,
        })
    }
}

impl<S: Store> Application for Assembler<'_, S> {
    type Body = S::Body;

    fn open(&mut self, hash: &Hash) -> Option<Source<S::Body>> {
        self.inbox.requested.push(hash.clone());
        self.store.open(hash)
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match self.owned(event) {
            Some(event) => {
                self.inbox.events.push_back(event);
                ControlFlow::Break(())
            }
            // What was postponed has to be asked for before our CLOSE.
            None if self.inbox.has_postponed => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn answered(&mut self) -> ControlFlow<()> {
        let requested = mem::take(&mut self.inbox.requested);
        self.inbox
            .events
            .push_back(OwnedEvent::Requested(requested));
        ControlFlow::Break(())
    }
}

impl Inbox {
    fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.announced.is_empty()
            && self.bodies.is_empty()
            && self.postponed.is_empty()
            && self.asked_again.is_empty()
    }

    /// Something is to be asked for again, and nothing under way whose end could tell when.
    fn is_waiting(&self) -> bool {
        !self.postponed.is_empty()
            && self.announced.is_empty()
            && self.bodies.is_empty()
            && self.asked_again.is_empty()
    }

    fn postpone(&mut self, hash: Hash) {
        self.postponed.push(hash);
        self.has_postponed = true;
    }

    /// The first piece of a content comes, if it has not come before.
    fn begin(&mut self, response: ResponseId) {
        if let Some(hash) = self.announced.remove(&response) {
            self.bodies.insert(response, (hash, Vec::new()));
        }
    }

    /// Takes a content out that is to be cancelled.
    fn refuse(&mut self, response: ResponseId) -> Option<Hash> {
        let (hash, _) = self.take(response)?;
        self.refused.push(response);
        Some(hash)
    }

    /// Takes a content out, as far as it has come.
    fn take(&mut self, response: ResponseId) -> Option<(Hash, Vec<u8>)> {
        self.begin(response);
        let taken = self.bodies.remove(&response)?;
        self.assembled -= taken.1.len();
        Some(taken)
    }
}

/// Appends to a body that has at most `limit` bytes in the end, hence is given no more room than that.
fn append(body: &mut Vec<u8>, chunk: &[u8], limit: usize) {
    let len = body.len() + chunk.len();
    if len > body.capacity() {
        let room = (2 * body.capacity()).min(limit).max(len);
        body.reserve_exact(room - body.len());
    }
    body.extend_from_slice(chunk);
}
