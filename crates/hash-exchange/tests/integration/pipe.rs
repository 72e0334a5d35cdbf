//! A byte stream in memory, with as much room as it is given.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    room: usize,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    writes: usize,
}

/// One end of a two-way stream.
pub(crate) struct End {
    incoming: Rc<RefCell<Way>>,
    outgoing: Rc<RefCell<Way>>,
}

/// A stream that takes so many bytes in each direction before it is read.
pub(crate) fn pipe(room: usize) -> (End, End) {
    let way = || {
        Rc::new(RefCell::new(Way {
            room,
            ..Way::default()
        }))
    };
    let (there, back) = (way(), way());
    let a = End {
        incoming: Rc::clone(&back),
        outgoing: Rc::clone(&there),
    };
    let b = End {
        incoming: there,
        outgoing: back,
    };
    (a, b)
}

impl End {
    /// How often this end was written to.
    pub(crate) fn writes(&self) -> usize {
        self.outgoing.borrow().writes
    }

    /// Writes, whether there is room or not.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.outgoing.borrow_mut().bytes.extend(bytes);
    }

    /// Takes at most so many bytes that have come.
    pub(crate) fn take_some(&mut self, most: usize) -> Vec<u8> {
        let mut way = self.incoming.borrow_mut();
        let some = way.bytes.len().min(most);
        way.bytes.drain(..some).collect()
    }

    /// Takes all that has come.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.take_some(usize::MAX)
    }

    /// Bytes written here and not read by the other end.
    pub(crate) fn unread(&self) -> usize {
        self.outgoing.borrow().bytes.len()
    }

    /// Nothing more will be written.
    pub(crate) fn end(&mut self) {
        self.outgoing.borrow_mut().closed = true;
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = self.incoming.borrow_mut();
        if way.bytes.is_empty() && !way.closed {
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let read = io::Read::read(&mut way.bytes, buf)?;
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = self.outgoing.borrow_mut();
        let room = way.room.saturating_sub(way.bytes.len());
        if room == 0 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let wrote = room.min(buf.len());
        way.bytes.extend(&buf[..wrote]);
        way.writes += 1;
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = self.outgoing.borrow_mut();
        way.closed = true;
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}
