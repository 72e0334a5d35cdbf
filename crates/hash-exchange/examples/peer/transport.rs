//! Standard input and output, as one transport.

use std::io::{self, ErrorKind, Stdin, Stdout};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};
use smol::Unblock;

use crate::PIECE;
use crate::notice::at;

/// Both block, so each has a thread: whoever waited for input while output is due, or for room in a pipe while the peer waits
/// for the same, would wait for ever. Files that do not block would do as well, but that is a property of the open file, which
/// others may share: a shell, a sibling, a terminal.
pub(crate) struct Transport {
    input: Unblock<Stdin>,
    output: Unblock<Stdout>,
    /// Bytes read.
    pub(crate) read: u64,
    /// Everything is read, and nothing more will come.
    pub(crate) ended: bool,
    /// The connection may learn of it: until then, we may still have something to say.
    pub(crate) may_end: bool,
    /// Nobody reads what we write, which is lost from then on. Input may still tell whether that matters.
    pub(crate) broken: Option<io::Error>,
}

impl Transport {
    pub(crate) fn start() -> Self {
        Self {
            input: Unblock::with_capacity(PIECE, io::stdin()),
            output: Unblock::with_capacity(PIECE, io::stdout()),
            read: 0,
            ended: false,
            may_end: false,
            broken: None,
        }
    }

    /// What became of output; `lost` if nobody reads it.
    fn outcome<T>(&mut self, outcome: io::Result<T>, lost: T) -> Poll<io::Result<T>> {
        Poll::Ready(
            match outcome.map_err(|error| at("standard output", &error)) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.broken = Some(error);
                    Ok(lost)
                }
                outcome => outcome,
            },
        )
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.ended {
            let read = ready!(Pin::new(&mut self.input).poll_read(cx, buffer));
            let read = read.map_err(|error| at("standard input", &error))?;
            self.read += read as u64;
            self.ended = read == 0;
            if read > 0 {
                return Poll::Ready(Ok(read));
            }
        }
        // Whoever polls looks at it before going to sleep.
        match self.may_end {
            true => Poll::Ready(Ok(0)),
            false => Poll::Pending,
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(buffer.len()));
        }
        let wrote = match ready!(Pin::new(&mut self.output).poll_write(cx, buffer)) {
            // The thread has given up; why, it tells the next who asks.
            Ok(0) => ready!(Pin::new(&mut self.output).poll_flush(cx)).map(|()| 0),
            wrote => wrote,
        };
        self.outcome(wrote, buffer.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.output).poll_flush(cx));
        self.outcome(flushed, ())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The process is about to end, and its output with it.
        self.poll_flush(cx)
    }
}
