use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead};

/// A content that is opened when its turn comes to be sent.
///
/// What a REQUEST names is found all at once, and sent a few contents at a time: files that were open from the beginning would
/// need as many descriptors and buffers as a peer cares to ask for. If a content cannot be opened after all, it is broken off as
/// one is whose reading fails: the peer hears why, and may ask again.
///
/// ```
/// use std::fs::File;
///
/// use futures::io::{AllowStdIo, BufReader};
/// use hash_exchange::{Lazy, Source};
///
/// type Body = Lazy<BufReader<AllowStdIo<File>>>;
///
/// fn source(path: std::path::PathBuf) -> Source<Body> {
///     let open = move || Ok(BufReader::with_capacity(64 << 10, AllowStdIo::new(File::open(path)?)));
///     Source { body: Lazy::new(open), sequence: None }
/// }
/// # source("Cargo.toml".into());
/// ```
pub struct Lazy<B>(State<B>);

enum State<B> {
    /// Nothing is left if it could not be opened.
    Unopened(Option<Open<B>>),
    /// In a box, as most of those that wait are not open.
    Opened(Box<B>),
}

type Open<B> = Box<dyn FnOnce() -> io::Result<B> + Send>;

impl<B> Lazy<B> {
    /// What `open` gives is read from. It is called within a poll, when something is read for the first time.
    pub fn new(open: impl FnOnce() -> io::Result<B> + Send + 'static) -> Self {
        Self(State::Unopened(Some(Box::new(open))))
    }

    fn opened(&mut self) -> io::Result<Pin<&mut B>>
    where
        B: Unpin,
    {
        if let State::Unopened(open) = &mut self.0 {
            let open = open.take();
            let open = open.ok_or_else(|| io::Error::other("it could not be opened before"))?;
            self.0 = State::Opened(Box::new(open()?));
        }
        match &mut self.0 {
            State::Opened(body) => Ok(Pin::new(body)),
            State::Unopened(_) => unreachable!("it was just opened"),
        }
    }
}

impl<B: AsyncRead + Unpin> AsyncRead for Lazy<B> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().opened()?.poll_read(cx, buf)
    }
}

impl<B: AsyncBufRead + Unpin> AsyncBufRead for Lazy<B> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().opened()?.poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        // Nothing was read of what is not open.
        if let State::Opened(body) = &mut self.get_mut().0 {
            Pin::new(body).consume(amount);
        }
    }
}

impl<B> fmt::Debug for Lazy<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Unopened(_) => "Lazy(unopened)",
            State::Opened(_) => "Lazy(opened)",
        })
    }
}
