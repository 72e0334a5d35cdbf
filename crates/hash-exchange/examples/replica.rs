//! A long-lived server in tokio: `replica LISTEN [PEER]...` shares one store with all who dial it and whom it dials. Each line
//! of its standard input is a content; each content that comes is printed. It ends with its input or by Ctrl-C, in good order.
//!
//! What it keeps is bounded by nothing: a real one bounds that too.

use std::collections::BTreeSet;
use std::io::Write;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hash_exchange::{Connection, Hash, Limits, MemoryBody, MemoryStore, OwnedEvent, Source, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Those who dial are no more at a time.
const MOST_PEERS: usize = 64;
/// Hashes that are asked for at a time, within the limit of a peer like us.
const AT_A_TIME: usize = 256;
/// Hashes of one offer, which has to fit into a message.
const PIECE: usize = 10_000;
/// Hashes that are noted down to be asked for: a peer offers what it likes.
const MOST_WANTED: usize = 100_000;
/// Whoever has not said anything by then is no peer.
const FIRST_WORD: Duration = Duration::from_secs(5);
/// Something is under way, and no byte of it moves.
const STALL: Duration = Duration::from_secs(30);
/// What is under way when we end has so long.
const GRACE: Duration = Duration::from_secs(10);

/// What all connections share.
struct Replica {
    store: Mutex<MemoryStore>,
    news: broadcast::Sender<Hash>,
}

impl Replica {
    /// It is never held while something is waited for.
    fn store(&self) -> MutexGuard<'_, MemoryStore> {
        self.store.lock().expect("nobody panics while holding it")
    }

    fn hashes(&self) -> Vec<Hash> {
        self.store().hashes().cloned().collect()
    }
}

/// The store as one connection sees it.
struct Shared(Arc<Replica>);

impl Store for Shared {
    type Body = MemoryBody;

    fn contains(&self, hash: &Hash) -> bool {
        self.0.store().contains(hash)
    }

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        self.0.store().open(hash)
    }

    fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
        let mut store = self.0.store();
        if !store.contains(hash) {
            let text = String::from_utf8_lossy(&body).escape_debug().to_string();
            let _ = writeln!(std::io::stdout(), "{hash} {text}");
            store.insert(hash, body);
            let _ = self.0.news.send(hash.clone()); // There may be no other connection.
        }
    }
}

/// Trades with one peer for as long as both are there.
async fn trade(io: TcpStream, replica: Arc<Replica>, mut stop: watch::Receiver<bool>) -> Result {
    io.set_nodelay(true)?;
    let mut store = Shared(Arc::clone(&replica));
    let mut connection = Connection::with_limits(io.compat(), Limits::STRANGERS);
    let mut news = replica.news.subscribe(); // Before the store is listed, so that nothing falls between.
    connection.provide([])?; // The peer waits for a first word.
    offer(&mut connection, &replica.hashes())?;
    let (mut wanted, mut under_way) = (BTreeSet::new(), 0);
    let (mut heard, mut closing) = (false, false);
    let mut first_word = pin!(sleep(FIRST_WORD));
    let (mut look, mut moved) = (interval(STALL), None);
    loop {
        tokio::select! {
            event = connection.next(&mut store) => {
                heard = true;
                match event? {
                    Some(OwnedEvent::Available(lacking)) => {
                        // What is named by anything but its SHA-1 cannot be checked.
                        let lacking = lacking.into_iter().filter(|hash| hash.as_sha1().is_some());
                        wanted.extend(lacking.take(MOST_WANTED - wanted.len()));
                    }
                    Some(OwnedEvent::Received { .. } | OwnedEvent::NotFound(_)) => under_way -= 1,
                    Some(OwnedEvent::Failed { hash, reason }) => {
                        eprintln!("{hash}: {reason}");
                        under_way -= 1;
                    }
                    Some(OwnedEvent::Close) => closing = true,
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
            hash = news.recv(), if !closing => {
                // Whoever is slow has missed some: it is offered everything once more.
                let hashes = hash.map_or_else(|_| replica.hashes(), |hash| vec![hash]);
                offer(&mut connection, &hashes)?;
            }
            _ = stop.changed(), if !closing => closing = true,
            () = &mut first_word, if !heard => return Err("it says nothing".into()),
            _ = look.tick() => {
                // While nothing is under way, a peer that is silent is in good order.
                let busy = under_way + connection.serving() + connection.unwritten() > 0;
                let now = (busy || closing).then(|| connection.bytes_moved());
                if now.is_some() && now == moved {
                    return Err("it is stuck".into());
                }
                moved = now;
            }
        }
        if closing {
            connection.close(); // It goes out once nothing is under way.
        } else if under_way < AT_A_TIME / 2 {
            let wanted = std::iter::from_fn(|| wanted.pop_first());
            let lacking = wanted.filter(|hash| !store.contains(hash)); // Another peer may have been faster.
            let piece: Vec<_> = lacking.take(AT_A_TIME - under_way).collect();
            if !piece.is_empty() {
                connection.request(&piece)?;
                under_way += piece.len();
            }
        }
    }
}

fn offer(connection: &mut Connection<Compat<TcpStream>, MemoryBody>, hashes: &[Hash]) -> Result {
    for piece in hashes.chunks(PIECE) {
        connection.provide(piece)?;
    }
    Ok(())
}

/// The lines of the standard input, which blocks, hence has a thread.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(std::result::Result::ok);
        lines
            .map(|line| sender.blocking_send(line))
            .all(|sent| sent.is_ok())
    });
    lines
}

#[tokio::main]
async fn main() -> Result {
    let mut args = std::env::args().skip(1);
    let listen = args
        .next()
        .ok_or("usage: replica LISTEN [PEER]..., such as replica 127.0.0.1:4000")?;
    let listener = TcpListener::bind(listen).await?;
    println!("{}", listener.local_addr()?);
    let replica = Arc::new(Replica {
        store: Mutex::default(),
        news: broadcast::channel(1024).0,
    });
    let (stop, stopped) = watch::channel(false);
    let mut trades = JoinSet::new();
    let start = |io| {
        let trade = trade(io, Arc::clone(&replica), stopped.clone());
        async { trade.await.unwrap_or_else(|error| eprintln!("{error}")) }
    };
    for peer in args {
        trades.spawn(start(TcpStream::connect(peer).await?));
    }
    let mut lines = lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => {
                    let hash = replica.store().add(line.into_bytes());
                    let _ = replica.news.send(hash);
                }
                None => break,
            },
            Ok((io, _)) = listener.accept(), if trades.len() < MOST_PEERS => {
                trades.spawn(start(io));
            }
            Some(_) = trades.join_next() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    stop.send(true)?;
    let ended = timeout(GRACE, trades.join_all()).await;
    ended.map_err(|_| "some peers have not come to an end in time")?;
    Ok(())
}
