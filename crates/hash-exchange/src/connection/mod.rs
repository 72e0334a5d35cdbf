//! The driver of a session over a transport. Here is what is read and told, and what is written; `serving.rs` is what the peer
//! has asked for, and `assemble.rs` the simpler interface on top.

mod application;
mod assemble;
mod buffer;
mod halves;
mod lazy;
mod serving;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

pub use self::application::{Application, Progress, Source};
use self::assemble::Inbox;
pub use self::assemble::OwnedEvent;
pub use self::buffer::Buffer;
pub use self::halves::Halves;
pub use self::lazy::Lazy;
use self::serving::{forget, open, open_each};
use crate::few::Few;
use crate::{
    Error, Event, Hash, Limits, Misuse, ResponseId, ServedId, Session, Sha1, Tag, Verifier,
};

/// Drives a [`Session`] over a byte stream.
///
/// It never spawns, keeps no time and knows no runtime: it goes on when it is polled, by [`poll`](Self::poll) or
/// [`next`](Self::next), and what the calls in between encode goes out on the next poll. Both are cancel-safe: dropped half
/// way, as an arm of a `select!` is, they lose nothing and double nothing. `tests/integration/runtimes.rs` holds it to that,
/// and runs it in tokio, in smol and under a bare `block_on`. It is [`Send`] if its transport, its sources and the state of
/// its verifier are. An idle connection owns no heap.
///
/// Its transport must never block: where nothing can be read or written now, it is pending. One that waits for the peer instead,
/// as `AllowStdIo` over pipes does, sooner or later waits for a peer that waits for us, and neither goes on. What can only
/// block is given threads: `smol::Unblock` does that, and the example `stdio`, with its standard input and output, shows how.
/// Sources may block, for as long as the rest of the connection can wait for them.
///
/// What it holds in memory, and how an application without room for more makes it wait, is told [here](crate#flow-control-and-memory).
pub struct Connection<Io, B, V: Verifier = Sha1> {
    io: Io,
    session: Session<V>,
    /// What is encoded; none when idle.
    out: Buffer,
    /// What is not always there; none when idle.
    aside: Option<Box<Aside<B>>>,
    /// Bytes that the transport has taken and given; it wraps.
    moved: u32,
    /// The transport has taken bytes since it was flushed.
    unflushed: bool,
    /// `out` belongs to the caller, who asks for it back: see `lend`.
    lent: bool,
    /// The peer's stream has ended.
    ended: bool,
    /// So has ours.
    closed: bool,
}

struct Aside<B> {
    /// What is read from to serve the session's contents.
    bodies: Few<ServedId, B>,
    /// Read from the transport and not handled yet, because the application paused.
    unread: Option<Box<Unread>>,
    /// What `next` assembles.
    inbox: Option<Box<Inbox>>,
}

struct Unread {
    bytes: Vec<u8>,
    position: usize,
    /// The size of the buffer to read with behind them, lest an application that pauses often is read for in little
    /// pieces; zero: the small one will do.
    next_buffer: usize,
}

impl<Io, B> Connection<Io, B> {
    /// A connection with the default limits, whose contents are checked by their SHA-1. The type of what it serves is that of the
    /// [`Store`](crate::Store) or [`Application`] that it is polled with: where it is polled with none, as when a function returns it,
    /// it has to be named: `Connection<_, MemoryBody>`.
    pub fn new(io: Io) -> Self {
        Self::with_session(io, Session::default())
    }

    /// A connection with other limits; many may share them.
    pub fn with_limits(io: Io, limits: impl Into<Arc<Limits>>) -> Self {
        Self::with_verifier(io, limits, Sha1)
    }
}

impl<Io, B, V: Verifier> Connection<Io, B, V> {
    /// A connection with other limits, whose contents are checked by `verifier`.
    pub fn with_verifier(io: Io, limits: impl Into<Arc<Limits>>, verifier: V) -> Self {
        Self::with_session(io, Session::new(limits, verifier))
    }

    /// The session is fresh: what one serves already has no source here.
    const fn with_session(io: Io, session: Session<V>) -> Self {
        Self {
            io,
            session,
            out: Buffer::NONE,
            aside: None,
            moved: 0,
            unflushed: false,
            lent: false,
            ended: false,
            closed: false,
        }
    }

    /// Offers hashes: one AVAILABLE, exactly as given; it may be empty. Nothing is remembered of it: what the peer then asks for
    /// is looked up by [`Application::open`], offered or not.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use hash_exchange::{Connection, Hash, MemoryBody, MemoryStore};
    ///
    /// # let io = futures::io::Cursor::new(Vec::<u8>::new());
    /// let mut connection: Connection<_, MemoryBody> = Connection::new(io);
    /// let one = Hash::sha1(b"beep");
    /// connection.provide([&one])?;
    /// let list = vec![one.clone(), Hash::sha1(b"boop")];
    /// connection.provide(&list)?;
    /// let map = BTreeMap::from([(one, "beep.txt")]);
    /// connection.provide(map.keys())?;
    /// connection.provide(MemoryStore::new().hashes())?;
    /// # Ok::<(), hash_exchange::Misuse>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`]; [`Misuse::MessageTooLong`] and [`Misuse::TooManyOffered`]: offer them in several calls.
    pub fn provide<'h>(
        &mut self,
        hashes: impl IntoIterator<Item = &'h Hash>,
    ) -> Result<Tag, Misuse> {
        self.session.provide(hashes, self.out.bytes())
    }

    /// Asks for hashes, given as for [`provide`](Self::provide): one REQUEST, in which each occurs once. What becomes of each is
    /// told [here](crate#the-life-of-a-hash). One that is asked for twice, by two calls, comes twice.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`]; [`Misuse::TooManyRequested`] and [`Misuse::MessageTooLong`]: then none of them is asked for.
    pub fn request<'h>(
        &mut self,
        hashes: impl IntoIterator<Item = &'h Hash>,
    ) -> Result<Tag, Misuse> {
        self.session.request(hashes, self.out.bytes())
    }

    /// Tells the peer our name.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::MessageTooLong`].
    pub fn id(&mut self, id: &str) -> Result<Tag, Misuse> {
        self.session.id(id, self.out.bytes())
    }

    /// Asks to be offered what has a greater sequence number; `None`: everything.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::SequenceTooLarge`].
    pub fn since(&mut self, sequence: Option<u64>) -> Result<Tag, Misuse> {
        self.session.since(sequence, self.out.bytes())
    }

    /// Tells the peer that what has this sequence number has arrived.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::SequenceTooLarge`].
    pub fn seen(&mut self, sequence: Option<u64>) -> Result<Tag, Misuse> {
        self.session.seen(sequence, self.out.bytes())
    }

    /// Breaks off a content that we receive: no further event tells of it. `None`: it has not begun, and is broken off
    /// when it does; that frame is reported to [`Application::sent`].
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`]: it is too late, for its end has come.
    pub fn cancel(&mut self, response: ResponseId) -> Result<Option<Tag>, Misuse> {
        self.session.cancel(response, self.out.bytes())
    }

    /// We need nothing more: CLOSE goes out once nothing is under way, which the [life of a session](crate#the-life-of-a-session) tells of.
    /// A second call does nothing.
    pub fn close(&mut self) {
        self.session.close();
    }

    /// Lends a buffer to encode into, unless something waits to be written in another. Whoever drives many connections lends
    /// all of them the same one in turn, so that no message costs an allocation: lend, encode, flush,
    /// [`reclaim`](Self::reclaim).
    #[inline]
    pub fn lend(&mut self, buffer: &mut Buffer) {
        if self.out.is_empty() {
            mem::swap(&mut self.out, buffer);
            self.lent = true;
        }
    }

    /// Gives a buffer back that was lent. What waits in it to be written stays here, and the buffer with it: then another
    /// one is given back, which has no heap yet.
    #[inline]
    pub fn reclaim(&mut self, buffer: &mut Buffer) {
        if mem::take(&mut self.lent) && self.out.is_empty() {
            mem::swap(&mut self.out, buffer);
        }
    }

    /// Bytes encoded and not yet accepted by the transport: whoever has much to say waits until they are few.
    #[inline]
    pub fn unwritten(&self) -> usize {
        self.out.unwritten().len()
    }

    /// Bytes that the transport has taken and given so far, counted modulo 2^32: as long as this changes the peer is not stuck. The
    /// example of [how to notice that one is](crate#how-to) waits by it.
    #[inline]
    pub const fn bytes_moved(&self) -> u32 {
        self.moved
    }

    /// Contents that the peer has asked for and that are not sent whole.
    pub fn serving(&self) -> usize {
        self.session.serving()
    }

    /// The transport.
    pub const fn io(&self) -> &Io {
        &self.io
    }

    /// The transport, for whoever has to set its options.
    pub const fn io_mut(&mut self) -> &mut Io {
        &mut self.io
    }
}

impl<Io, B, V> Connection<Io, B, V>
where
    Io: AsyncRead + AsyncWrite + Unpin,
    B: AsyncBufRead + Unpin,
    V: Verifier,
{
    /// Writes, reads, answers and serves until the transport can do no more, and tells the application what the peer says. It is
    /// awaited by `std::future::poll_fn(|cx| connection.poll(cx, &mut application))`. What is said to the peer between two polls
    /// is written by the second.
    ///
    /// # Errors
    ///
    /// The transport's, the peer's, or [`Error::Unread`]. The connection is of no use afterwards.
    pub fn poll<A: Application<Body = B>>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> Poll<Result<Progress, Error>> {
        let mut small = [0; SMALL_BUFFER];
        let mut large = Vec::new();
        if let Some(mut unread) = self.take_aside(|aside| aside.unread.take()) {
            if let Some(rest) = self.handle(&unread.bytes[unread.position..], application)? {
                unread.position = unread.bytes.len() - rest;
                self.aside.get_or_insert_default().unread = Some(unread);
                return Poll::Ready(Ok(Progress::Paused));
            }
            large = vec![0; unread.next_buffer];
        }
        for _ in 0..ROUNDS {
            let more = self.serve(cx, application)?;
            if self.is_done() {
                if !self.closed {
                    ready!(Pin::new(&mut self.io).poll_close(cx))?;
                    self.closed = true;
                }
                return Poll::Ready(Ok(Progress::Ended));
            }
            let buffer = if large.is_empty() {
                &mut small[..]
            } else {
                &mut large[..]
            };
            let read = match self.poll_read(cx, buffer)? {
                Poll::Ready(read) => read,
                Poll::Pending if more => continue,
                Poll::Pending => return Poll::Pending,
            };
            let is_full = read == buffer.len();
            let next_buffer = (read * BUFFER_GROWTH).min(LARGE_BUFFER);
            if let Some(rest) = self.handle(&buffer[..read], application)? {
                let unread = Box::new(Unread {
                    bytes: buffer[read - rest..read].to_vec(),
                    position: 0,
                    next_buffer: if is_full { next_buffer } else { 0 },
                });
                self.aside.get_or_insert_default().unread = Some(unread);
                return Poll::Ready(Ok(Progress::Paused));
            }
            if is_full && read < LARGE_BUFFER {
                large = vec![0; next_buffer];
            }
        }
        // There is more, both ways perhaps; but others want their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is encoded, and only that. Whoever calls it with a waker of its own has to see to it that the waker of
    /// [`poll`](Self::poll) is registered again when this is pending.
    ///
    /// # Errors
    ///
    /// The transport's.
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.has_to_write() {
            return Poll::Ready(Ok(()));
        }
        self.poll_write(cx)
    }

    /// There is something to write, to flush, or to free.
    #[inline]
    fn has_to_write(&self) -> bool {
        self.unflushed || (self.out.has_heap() && !(self.lent && self.out.is_empty()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while let rest @ [_, ..] = self.out.unwritten() {
            let wrote = Pin::new(&mut self.io).poll_write(cx, rest);
            match wrote {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(
                        std::io::Error::from(std::io::ErrorKind::WriteZero).into()
                    ));
                }
                Poll::Ready(Ok(wrote)) => {
                    self.out.wrote(wrote);
                    self.moved = self.moved.wrapping_add(wrote as u32);
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
        if !self.lent {
            // An idle connection owns no heap.
            self.out = Buffer::NONE;
        }
        if mem::take(&mut self.unflushed) && Pin::new(&mut self.io).poll_flush(cx)?.is_pending() {
            self.unflushed = true;
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes something back that was put aside.
    #[inline]
    fn take_aside<T>(&mut self, take: impl FnOnce(&mut Aside<B>) -> Option<T>) -> Option<T> {
        let aside = self.aside.as_mut()?;
        let taken = take(aside);
        if aside.is_empty() {
            self.aside = None;
        }
        taken
    }

    /// The number of bytes read; pending also when there will be no more.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Poll<usize>, Error> {
        if self.ended {
            return Ok(Poll::Pending);
        }
        match Pin::new(&mut self.io).poll_read(cx, buffer)? {
            Poll::Ready(0) => {
                self.session.end()?;
                self.ended = true;
                Ok(Poll::Ready(0))
            }
            read => {
                if let Poll::Ready(read) = read {
                    self.moved = self.moved.wrapping_add(read as u32);
                }
                Ok(read)
            }
        }
    }

    /// Handles what was read, up to its end, or to where the application pauses: then so many bytes are left.
    fn handle<A: Application<Body = B>>(
        &mut self,
        mut input: &[u8],
        application: &mut A,
    ) -> Result<Option<usize>, Error> {
        while let Some(event) = self.session.receive(&mut input)? {
            let flow = match event {
                // A single hash, which is the usual REQUEST, needs no list.
                Event::Request(hashes) if hashes.len() == 1 => {
                    let hash = hashes.iter().next();
                    let found = hash.and_then(|hash| open(hash, application));
                    self.answer(found, application)?;
                    application.answered()
                }
                Event::Request(hashes) => {
                    let found = open_each(hashes, application);
                    self.answer(found, application)?;
                    application.answered()
                }
                Event::Cancelled { served, hash } => {
                    forget(&mut self.aside, served);
                    let channel = self.session.cancelled_channel();
                    self.out.withdraw(channel, |tag| application.unsent(tag));
                    application.event(Event::Cancelled { served, hash })
                }
                event => application.event(event),
            };
            if flow.is_break() {
                return Ok(Some(input.len()));
            }
        }
        Ok(None)
    }

    /// Bytes that answer the peer pile up for a peer that does not read.
    fn check_answers(&self) -> Result<(), Error> {
        let (bytes, limit) = (self.out.answers(), self.session.limits().unwritten);
        if bytes > limit as usize {
            return Err(Error::Unread { bytes, limit });
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let all_said = self.session.is_closed() || (self.ended && self.session.serving() == 0);
        all_said && self.out.is_empty() && !self.unflushed
    }
}

impl<B> Aside<B> {
    fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.unread.is_none() && self.inbox.is_none()
    }
}

impl<B> Default for Aside<B> {
    fn default() -> Self {
        Self {
            bodies: Few::None,
            unread: None,
            inbox: None,
        }
    }
}

/// Read buffer on the stack: a node with many connections reads little from each, often.
const SMALL_BUFFER: usize = 512;

/// Read buffer on the heap, once smaller ones were filled; freed when there is nothing to read.
const LARGE_BUFFER: usize = 32 << 10;

/// A buffer that was filled is followed by one that is so many times as large.
const BUFFER_GROWTH: usize = 8;

/// Reads before others get their turn: no peer can keep a thread to itself by sending for ever.
const ROUNDS: usize = 64;
