use std::ops::ControlFlow;

use futures_io::AsyncBufRead;

use crate::{Event, Hash, Tag};

/// A content to serve.
#[derive(Clone, Debug)]
pub struct Source<B> {
    /// Where it is read from, up to its end, as fast as the transport takes it, in turn with at most three others. Of those that wait the
    /// first sixteen are looked at, so that one which has nothing to give yet holds up no other; one that has begun and falters keeps its
    /// place. What a source has at hand is a frame, of at most 64 KiB: a `BufReader` does best with that capacity. If reading fails, the content is
    /// broken off, and the text of the error is sent to the peer. It is dropped once it is read to its end.
    pub body: B,
    /// Its sequence number: one that means something to the application and is the same on every connection, or `None`: the
    /// connection counts 1, 2, 3, ... in the order in which it is asked.
    ///
    /// What cannot be announced is not found by the peer: a content whose number is above 2^53 - 2, or the same as that of
    /// another which is announced here and has not begun.
    pub sequence: Option<u64>,
}

/// The application's side of [`Connection::poll`](crate::Connection::poll).
///
/// Its methods are called within the poll, so they must not wait. Whatever takes time, and whatever is to be said to
/// the peer, is noted down, and done when `Break` has brought the poll back:
///
/// ```
/// use std::future::poll_fn;
/// use std::ops::ControlFlow;
///
/// use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
/// use hash_exchange::{Application, Connection, Event, Hash, MemoryBody, Progress, Source};
///
/// /// A content on its way to a file.
/// #[derive(Default)]
/// struct Download {
///     piece: Vec<u8>,
///     outcome: Option<Result<(), String>>,
/// }
///
/// impl Application for Download {
///     type Body = MemoryBody;
///
///     fn open(&mut self, _: &Hash) -> Option<Source<MemoryBody>> {
///         None // Nothing is served here.
///     }
///
///     fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
///         match event {
///             Event::Body { chunk, .. } => self.piece.extend_from_slice(chunk),
///             Event::Complete { .. } => self.outcome = Some(Ok(())),
///             Event::Failed { reason, .. } => self.outcome = Some(Err(reason.to_string())),
///             Event::NotFound { .. } => self.outcome = Some(Err("not found".to_owned())),
///             _ => return ControlFlow::Continue(()),
///         }
///         ControlFlow::Break(())
///     }
/// }
///
/// /// Gets one content, no faster than `file` takes it, and closes.
/// async fn download<Io: AsyncRead + AsyncWrite + Unpin>(
///     connection: &mut Connection<Io, MemoryBody>,
///     hash: &Hash,
///     file: &mut (impl AsyncWrite + Unpin),
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let mut download = Download::default();
///     connection.request([hash])?;
///     connection.close();
///     while poll_fn(|cx| connection.poll(cx, &mut download)).await? == Progress::Paused {
///         file.write_all(&download.piece).await?; // Meanwhile nothing is read.
///         download.piece.clear();
///     }
///     file.close().await?;
///     Ok(download.outcome.ok_or("the peer has left")??)
/// }
/// # use hash_exchange::MemoryStore;
/// # use tokio_util::compat::TokioAsyncReadCompatExt;
/// # let mut store = MemoryStore::new();
/// # let hash = store.add(vec![7; 100_000]);
/// # let (a, b) = tokio::io::duplex(1000);
/// # let (mut ours, mut peer) = (Connection::new(a.compat()), Connection::new(b.compat()));
/// # let mut file = futures::io::Cursor::new(Vec::new());
/// # futures::executor::block_on(async {
/// #     let serve = async {
/// #         while peer.next(&mut store).await?.is_some() {
/// #             peer.close();
/// #         }
/// #         Ok(())
/// #     };
/// #     futures::try_join!(download(&mut ours, &hash, &mut file), serve)
/// # })?;
/// # assert_eq!(file.into_inner(), vec![7; 100_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Whoever also serves goes on with that by [`Connection::poll_serve`](crate::Connection::poll_serve) while the file is written.
pub trait Application {
    /// How a content is read: in tokio a `BufReader` of a `File`, by way of tokio-util's `compat`, in smol its own `BufReader`,
    /// and [`MemoryBody`](crate::MemoryBody) for what is in memory. A [`Lazy`](crate::Lazy) of any of them is opened when it is read.
    type Body: AsyncBufRead + Unpin;

    /// The peer asks for this hash; `None`: it is not here. Everything that a REQUEST names is opened at once, each hash once, as
    /// the answer says what there is; contents are then read as fast as the peer takes them. That is up to
    /// [`Limits::served`](crate::Limits::served) sources at a time: where each costs a descriptor or a buffer, a
    /// [`Lazy`](crate::Lazy) opens it when its turn comes. What is here and cannot be opened is no `None`, but a source that fails: so
    /// the peer learns that it may ask again.
    fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>>;

    /// The peer said something. `Break` pauses the poll behind this event: it returns [`Progress::Paused`], and the next poll goes on
    /// there. The piece in an [`Event::Body`] is at most 32 KiB, unless it came ahead of its announcement.
    fn event(&mut self, event: Event<'_>) -> ControlFlow<()>;

    /// A REQUEST of the peer was answered, with what [`open`](Self::open) found, which may be nothing. `Break` pauses the poll, as it
    /// does for an event.
    fn answered(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The poll encoded a frame of its own accord: HASHES, a piece of a content, its end, a cancellation that had to wait, CLOSE.
    /// Together with the tags that calls return these are all frames that are written, but for those taken back by
    /// [`unsent`](Self::unsent).
    fn sent(&mut self, tag: Tag) {
        let _ = tag;
    }

    /// A frame that [`sent`](Self::sent) has told of is not written after all: it is a piece of a content that the peer has cancelled in
    /// the meantime.
    fn unsent(&mut self, tag: Tag) {
        let _ = tag;
    }
}

/// How far [`Connection::poll`](crate::Connection::poll) came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The application asked to pause; poll again to go on.
    Paused,
    /// Nothing is left to do: both sides have closed, or the peer's stream has ended and all it asked for is written. The
    /// transport is closed.
    Ended,
}
