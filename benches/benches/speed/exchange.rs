//! This crate, as an application would use it: one large body by [`Connection::poll`], so that it is never in memory whole; many small ones and
//! offers by [`Connection::next`] from a [`MemoryStore`].

use std::fs::File;
use std::future::{Future as _, poll_fn};
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use futures::io::AllowStdIo;
use hash_exchange::{
    Application, Connection, Error, Event, Halves, Hash, MemoryBody, MemoryStore, OwnedEvent,
    Progress, Source,
};
use sha1::Digest as _;
use smol::Async;

use crate::measure::Meter;
use crate::workload::{Order, SMALL, Side, Workload};

/// What a pipe holds.
const PIECE: usize = 64 << 10;

type Pipes = Halves<Async<File>, Async<File>>;

pub(crate) fn run(side: Side, workload: &Workload) -> Result<(), String> {
    let ran = smol::block_on(async {
        let io = Halves {
            reader: Async::new(descriptor(&io::stdin())?)?,
            writer: Async::new(descriptor(&io::stdout())?)?,
        };
        match *workload {
            Workload::Body { ref path, .. } => match side {
                Side::Give => give_body(io, path).await,
                Side::Take => take_body(io).await,
            },
            Workload::Bodies { count, batch } => match side {
                Side::Give => give_bodies(io, count).await,
                Side::Take => take_bodies(io, count, batch).await,
            },
            Workload::Held {
                count,
                batch,
                order,
            } => trade_held(io, count, batch, order).await,
        }
    });
    ran.map_err(|error| format!("rust: {error}"))
}

/// A standard stream without the buffer that the library puts around it.
pub(crate) fn descriptor(stream: &impl AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

async fn give_body(io: Pipes, path: &Path) -> Result<(), Error> {
    let mut file = BufReader::with_capacity(PIECE, File::open(path)?);
    let mut hasher = sha1::Sha1::new();
    while let piece @ [_, ..] = file.fill_buf()? {
        let len = piece.len();
        hasher.update(piece);
        file.consume(len);
    }
    io::Seek::rewind(&mut file)?;
    let meter = Meter::start();
    let hash = Hash::from_sha1(hasher.finalize().into());
    let mut connection = Connection::new(io);
    connection.provide([&hash]).expect("it is open");
    let mut giver = Giver {
        hash,
        file: Some(file),
    };
    poll_fn(|cx| connection.poll(cx, &mut giver)).await?;
    meter.report();
    Ok(())
}

struct Giver {
    hash: Hash,
    file: Option<BufReader<File>>,
}

impl Application for Giver {
    type Body = AllowStdIo<BufReader<File>>;

    fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>> {
        let file = self.file.take_if(|_| *hash == self.hash)?;
        Some(Source {
            body: AllowStdIo::new(file),
            sequence: None,
        })
    }

    fn event(&mut self, _: Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

async fn take_body(io: Pipes) -> Result<(), Error> {
    let mut connection = Connection::new(io);
    let mut taker = Taker::default();
    let mut meter = None;
    while !taker.complete {
        let progress = poll_fn(|cx| connection.poll(cx, &mut taker)).await?;
        assert_eq!(progress, Progress::Paused, "the giver goes on until we end");
        if let Some(hash) = taker.offered.take() {
            meter = Some(Meter::start());
            connection.request([&hash]).expect("it is open");
        }
    }
    meter.expect("what came was asked for").report();
    Ok(())
}

#[derive(Default)]
struct Taker {
    offered: Option<Hash>,
    complete: bool,
}

impl Application for Taker {
    type Body = MemoryBody;

    fn open(&mut self, _: &Hash) -> Option<Source<MemoryBody>> {
        None
    }

    /// The connection itself checks the body by its hash: there is nothing else to do with its bytes.
    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Body { .. } | Event::Response { .. } => return ControlFlow::Continue(()),
            Event::Available(hashes) => self.offered = hashes.iter().next(),
            Event::Complete { .. } => self.complete = true,
            other => panic!("the giver says {other:?}"),
        }
        ControlFlow::Break(())
    }
}

async fn give_bodies(io: Pipes, count: u32) -> Result<(), Error> {
    let mut store = MemoryStore::new();
    for index in 0..count {
        let mut body = [0; SMALL];
        body[..4].copy_from_slice(&index.to_be_bytes());
        store.add(body);
    }
    let meter = Meter::start();
    let mut connection = Connection::new(io);
    connection.provide(store.hashes()).expect("it is open");
    while connection.next(&mut store).await?.is_some() {}
    meter.report();
    Ok(())
}

async fn take_bodies(io: Pipes, count: u32, batch: u32) -> Result<(), Error> {
    let mut store = MemoryStore::new();
    let mut connection = Connection::new(io);
    let Some(OwnedEvent::Available(hashes)) = connection.next(&mut store).await? else {
        panic!("the giver begins with an offer");
    };
    let meter = Meter::start();
    for request in hashes.chunks(batch as usize) {
        connection.request(request).expect("it is open");
    }
    for _ in 0..count {
        let event = connection.next(&mut store).await?;
        assert!(
            matches!(event, Some(OwnedEvent::Received { .. })),
            "{event:?}"
        );
    }
    meter.report();
    Ok(())
}

/// Each side offers all that it holds once the other is ready, and says so once it has looked through the other's offers.
async fn trade_held(io: Pipes, count: u32, batch: u32, order: Order) -> Result<(), Error> {
    let mut store = MemoryStore::new();
    let mixed: Vec<_> = (0..count)
        .map(|index| store.add(index.to_be_bytes()))
        .collect();
    let mut connection = Connection::new(io);
    connection.id("ready").expect("it is open");
    let event = connection.next(&mut store).await?;
    assert!(matches!(event, Some(OwnedEvent::Id(_))), "{event:?}");

    let hashes = match order {
        Order::Sorted => store.hashes().cloned().collect(),
        Order::Mixed => mixed,
    };
    let mut offers = hashes.chunks(batch as usize).peekable();
    let mut unheard = offers.len();
    let meter = Meter::start();
    let mut seen = false;
    while unheard > 0 || !seen {
        // Offers go out as the pipe takes them, so that they do not pile up.
        let event = poll_fn(|cx| {
            loop {
                if let Poll::Ready(event) = pin!(connection.next(&mut store)).poll(cx) {
                    return Poll::Ready(event);
                }
                match offers.next_if(|_| connection.unwritten() < PIECE) {
                    Some(offer) => connection.provide(offer).expect("it is open"),
                    None => return Poll::Pending,
                };
            }
        });
        match event.await? {
            Some(OwnedEvent::Available(lacking)) => {
                assert_eq!(lacking, [], "both hold the same");
                unheard -= 1;
                if unheard == 0 {
                    connection.seen(Some(1)).expect("it is open");
                }
            }
            Some(OwnedEvent::Seen(Some(1))) => seen = true,
            other => panic!("the other side says {other:?}"),
        }
    }
    meter.report();
    // What we have just said is still to be written; the other side ends once it has it.
    connection.close();
    while connection.next(&mut store).await?.is_some() {}
    Ok(())
}
