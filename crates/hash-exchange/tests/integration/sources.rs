//! Contents that are opened when their turn comes to be sent.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use futures::future::join;
use futures::io::{AsyncBufRead, AsyncRead};
use hash_exchange::{
    BodyError, Connection, Hash, Lazy, MemoryBody, MemoryStore, OwnedEvent, Source, Store,
};

use crate::pipe::{End, pipe};

/// A content that never has anything to give, or one that is whole at once.
enum Given {
    Never,
    Whole(MemoryBody),
}

impl AsyncRead for Given {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Never => Poll::Pending,
            Self::Whole(body) => Pin::new(body).poll_read(cx, buf),
        }
    }
}

impl AsyncBufRead for Given {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.get_mut() {
            Self::Never => Poll::Pending,
            Self::Whole(body) => Pin::new(body).poll_fill_buf(cx),
        }
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        if let Self::Whole(body) = self.get_mut() {
            Pin::new(body).consume(amount);
        }
    }
}

/// Serves `beep`; sources of all else are pending for ever.
struct Beeps;

impl Store for Beeps {
    type Body = Given;

    fn contains(&self, _: &Hash) -> bool {
        true
    }

    fn open(&mut self, hash: &Hash) -> Option<Source<Given>> {
        let is_whole = *hash == Hash::sha1(b"beep");
        let body = match is_whole {
            true => Given::Whole(MemoryBody::new(b"beep"[..].into())),
            false => Given::Never,
        };
        Some(Source {
            body,
            sequence: None,
        })
    }

    fn insert(&mut self, _: &Hash, _: Vec<u8>) {}
}

/// The first fifteen have nothing to give; the sixteenth does not wait for them.
#[test]
fn a_source_that_has_nothing_to_give_yet_holds_up_no_other() {
    let (ours, theirs) = pipe(1000);
    let mut connection: Connection<End, Given> = Connection::new(ours);
    let mut peer: Connection<End, MemoryBody> = Connection::new(theirs);
    let mut hashes: Vec<Hash> = (0..15).map(|n| Hash::sha1(&[n])).collect();
    let beep = Hash::sha1(b"beep");
    hashes.push(beep.clone());
    peer.request(&hashes).unwrap();
    let (mut beeps, mut store) = (Beeps, MemoryStore::new());
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        let _ = pin!(connection.next(&mut beeps)).poll(&mut cx);
        if let Poll::Ready(event) = pin!(peer.next(&mut store)).poll(&mut cx) {
            let received = OwnedEvent::Received {
                hash: beep,
                sequence: 16,
            };
            assert_eq!(event.unwrap(), Some(received));
            return;
        }
    }
    panic!("it has not come");
}

/// How many contents are open, and the most that were.
#[derive(Default)]
struct Open {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A content that counts while it is open.
struct Counted {
    body: MemoryBody,
    open: Arc<Open>,
}

impl Counted {
    fn new(body: MemoryBody, open: Arc<Open>) -> Self {
        let now = open.now.fetch_add(1, Ordering::Relaxed) + 1;
        open.most.fetch_max(now, Ordering::Relaxed);
        Self { body, open }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.body).poll_read(cx, buf)
    }
}

impl AsyncBufRead for Counted {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().body).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.body).consume(amount);
    }
}

/// A store whose contents are opened late, of which one cannot be.
struct Late {
    store: MemoryStore,
    broken: Hash,
    open: Arc<Open>,
}

impl Store for Late {
    type Body = Lazy<Counted>;

    fn contains(&self, hash: &Hash) -> bool {
        self.store.contains(hash)
    }

    fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>> {
        let Source { body, sequence } = self.store.open(hash)?;
        let (open, is_broken) = (Arc::clone(&self.open), *hash == self.broken);
        let body = Lazy::new(move || match is_broken {
            true => Err(io::Error::other("too many open files")),
            false => Ok(Counted::new(body, open)),
        });
        Some(Source { body, sequence })
    }

    fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
        self.store.insert(hash, body);
    }
}

#[test]
fn a_request_for_many_contents_opens_few_of_them_at_a_time() {
    let (io_a, io_b) = pipe(10_000);
    let mut store = MemoryStore::new();
    let hashes: Vec<Hash> = (0_u32..300)
        .map(|n| store.add(n.to_be_bytes().repeat(30_000)))
        .collect();
    let broken = hashes[7].clone();
    let (open, mut taken) = (Arc::<Open>::default(), MemoryStore::new());
    let mut late = Late {
        store,
        broken: broken.clone(),
        open: Arc::clone(&open),
    };
    let take = async {
        let mut connection = Connection::new(io_b);
        connection.request(&hashes).unwrap();
        connection.close();
        let mut failed = Vec::new();
        while let Some(event) = connection.next(&mut taken).await.unwrap() {
            match event {
                OwnedEvent::Received { .. } | OwnedEvent::Close => {}
                other => failed.push(other),
            }
        }
        failed
    };
    let ((), failed) = block_on(join(serve(io_a, &mut late), take));
    let reason = BodyError::Peer("too many open files".into());
    let hash = broken;
    assert_eq!(
        failed,
        [OwnedEvent::Failed { hash, reason }],
        "all others come"
    );
    assert_eq!(taken.hashes().count(), 299);
    assert_eq!(open.now.load(Ordering::Relaxed), 0);
    let most = open.most.load(Ordering::Relaxed);
    assert!((2..=64).contains(&most), "{most}");
}

/// Serves until the other side has closed.
async fn serve(io: End, store: &mut Late) {
    let mut connection = Connection::new(io);
    while let Some(event) = connection.next(store).await.unwrap() {
        if matches!(event, OwnedEvent::Requested(_)) {
            connection.close();
        }
    }
}

/// Whoever reads on behind an error must not take it for the end of a content.
#[test]
fn what_could_not_be_opened_fails_each_time() {
    let mut lazy = Lazy::<MemoryBody>::new(|| Err(io::Error::other("it is locked")));
    let mut read = || {
        let read =
            std::future::poll_fn(|cx| Pin::new(&mut lazy).poll_fill_buf(cx).map_ok(<[u8]>::len));
        block_on(read).unwrap_err().to_string()
    };
    assert_eq!(read(), "it is locked");
    assert_eq!(read(), "it could not be opened before");
}
