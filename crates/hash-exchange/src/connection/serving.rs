use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::{Application, Aside, Connection, Source};
use crate::session::{MAX_SEQUENCE, reserve};
use crate::{Error, Hash, Hashes, Kind, ProtocolError, ServedId, Verifier};

impl<Io, B, V> Connection<Io, B, V>
where
    Io: AsyncRead + AsyncWrite + Unpin,
    B: AsyncBufRead + Unpin,
    V: Verifier,
{
    /// Writes, and serves what the peer has asked for, without reading: for an application that has paused, as it has no room for
    /// what comes. Ready when nothing remains to be written or served. Pending, it wakes when the transport or a source has
    /// more; a content that waits for what the peer says goes on only with [`poll`](Self::poll).
    ///
    /// So it is not to be awaited for its own sake, but polled beside what the application waits for, until that is ready:
    ///
    /// ```
    /// # use std::{future::{Future, poll_fn}, io, pin::pin, task::Poll};
    /// # use futures::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt};
    /// # use hash_exchange::{Application, Connection};
    /// # async fn write<Io: AsyncRead + AsyncWrite + Unpin, B: AsyncBufRead + Unpin>(
    /// #     connection: &mut Connection<Io, B>,
    /// #     application: &mut impl Application<Body = B>,
    /// #     file: &mut (impl AsyncWrite + Unpin),
    /// #     piece: &[u8],
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut write = pin!(file.write_all(piece));
    /// poll_fn(|cx| {
    ///     if let Poll::Ready(Err(error)) = connection.poll_serve(cx, application) {
    ///         return Poll::Ready(Err(io::Error::other(error)));
    ///     }
    ///     write.as_mut().poll(cx)
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The transport's, or [`Error::Unread`].
    pub fn poll_serve<A: Application<Body = B>>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> Poll<Result<(), Error>> {
        if self.serve(cx, application)? {
            // It would take more; but others want their turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.session.serving() > 0 || self.has_to_write() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Encodes what is due and writes it, while the transport takes it. True if it would take more.
    #[inline]
    pub(super) fn serve<A: Application<Body = B>>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> Result<bool, Error> {
        // Most polls bring something to read and nothing to write.
        if !self.has_to_write() && !self.session.has_output() {
            return Ok(false);
        }
        self.serve_output(cx, application)
    }

    #[inline(never)]
    fn serve_output<A: Application<Body = B>>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> Result<bool, Error> {
        for _ in 0..SERVE_ROUNDS {
            self.pump(cx, application);
            while let Some(tag) = self.session.transmit(self.out.bytes()) {
                if tag.kind != Kind::Close {
                    self.out.answered(tag);
                }
                application.sent(tag);
            }
            self.check_answers()?;
            let full = self.unwritten() >= HIGH_WATER;
            match self.poll_flush(cx)? {
                Poll::Ready(()) if full => {}
                Poll::Ready(()) | Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Encodes contents in turn, frame by frame, until enough waits to be written or no source has more to give.
    fn pump<A: Application<Body = B>>(&mut self, cx: &mut Context<'_>, application: &mut A) {
        let mut idle_since = None;
        while self.unwritten() < HIGH_WATER {
            let Some(served) = self.session.next_response() else {
                return;
            };
            if idle_since == Some(served) {
                return;
            }
            if self.pump_one(served, cx, application) {
                idle_since = None;
            } else {
                idle_since.get_or_insert(served);
            }
        }
    }

    /// Encodes the next frame of a content, and its end if that is at hand. False if its source has nothing to give now.
    fn pump_one<A: Application<Body = B>>(
        &mut self,
        served: ServedId,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        let Self {
            session,
            aside,
            out,
            ..
        } = self;
        let out = out.bytes();
        let mut wrote = false;
        loop {
            let body = aside.as_mut().and_then(|it| it.bodies.get_mut(&served));
            let body = body.expect("every content served has its source");
            let tag = match Pin::new(&mut *body).poll_fill_buf(cx) {
                Poll::Pending => return wrote,
                Poll::Ready(Ok([])) => session.finish(served, out),
                Poll::Ready(Ok(_)) if wrote => return true,
                Poll::Ready(Ok(chunk)) => {
                    let chunk = &chunk[..chunk.len().min(FRAME)];
                    let tag = session.body(served, chunk, out);
                    let len = chunk.len();
                    Pin::new(body).consume(len);
                    tag
                }
                Poll::Ready(Err(error)) => session.fail(served, &error.to_string(), out),
            };
            application.sent(tag.expect("it is this content's turn"));
            if !session.is_serving(served) {
                forget(aside, served);
                return true;
            }
            wrote = true;
        }
    }

    /// Answers the oldest REQUEST with what was found, which is served from now on.
    pub(super) fn answer<A: Application<Body = B>>(
        &mut self,
        found: impl IntoIterator<Item = (Hash, Source<B>)>,
        application: &mut A,
    ) -> Result<(), Error> {
        // Room for the answer and a small content behind it.
        reserve(self.out.bytes(), USUAL_ANSWER);
        let first = self.session.next_served();
        let mut next = first;
        let mappings = found.into_iter().map(|(hash, source)| {
            let aside = self.aside.get_or_insert_default();
            aside.bodies.insert(next, source.body);
            next = next.next();
            (hash, source.sequence)
        });
        let answer = self.session.respond(mappings, self.out.bytes());
        // What is found has legal numbers; what remains is an answer beyond the limit of a message, to a peer that asked
        // for as much.
        let limit = self.session.limits().message;
        let answer = answer.map_err(|_| ProtocolError::AnswerTooLong { limit })?;
        application.sent(answer.tag);
        self.out.answered(answer.tag);
        let mut served = first;
        while served != next {
            // Its number was given out already.
            if !self.session.is_serving(served) {
                forget(&mut self.aside, served);
            }
            served = served.next();
        }
        self.check_answers()
    }
}

/// Drops the source of a content that is served no more.
pub(super) fn forget<B>(aside: &mut Option<Box<Aside<B>>>, served: ServedId) {
    if let Some(some) = aside {
        some.bodies.remove(&served);
        if some.is_empty() {
            *aside = None;
        }
    }
}

/// Opens what a REQUEST names, each hash once.
pub(super) fn open_each<A: Application>(
    hashes: Hashes<'_>,
    application: &mut A,
) -> Vec<(Hash, Source<A::Body>)> {
    let mut met = BTreeSet::new();
    let hashes = hashes.iter().filter(|hash| met.insert(hash.clone()));
    hashes.filter_map(|hash| open(hash, application)).collect()
}

/// Opens a hash, unless what is found cannot be announced.
pub(super) fn open<A: Application>(
    hash: Hash,
    application: &mut A,
) -> Option<(Hash, Source<A::Body>)> {
    let source = application.open(&hash)?;
    // JavaScript could not tell a higher number from its neighbours: nothing can be served under it.
    let legal = source
        .sequence
        .is_none_or(|sequence| sequence <= MAX_SEQUENCE);
    legal.then_some((hash, source))
}

/// The greatest frame of a content that we write, as the npm package does.
const FRAME: usize = 64 << 10;

/// Sources are read while less than this waits to be written.
const HIGH_WATER: usize = 64 << 10;

/// A HASHES with one hash, a content of some hundred bytes, and its end.
const USUAL_ANSWER: usize = 256;

/// Writes of a full buffer before something is read again: both directions make progress.
const SERVE_ROUNDS: usize = 16;
