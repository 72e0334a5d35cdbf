//! The hash-exchange protocol between two peers: each offers hashes, asks for those it lacks, and gets their contents,
//! over one byte stream. It speaks with the npm package `hash-exchange` 4.0.1, byte for byte, and survives what that does
//! not.
//!
//! ```
//! use futures::io::{AsyncRead, AsyncWrite};
//! use hash_exchange::{Connection, MemoryStore, OwnedEvent};
//! use tokio_util::compat::TokioAsyncReadCompatExt;
//!
//! type Result = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;
//!
//! /// Gets what the peer offers and the store lacks, serves what the peer asks for, and ends when both are content.
//! async fn trade(io: impl AsyncRead + AsyncWrite + Unpin, store: &mut MemoryStore) -> Result {
//!     let mut connection = Connection::new(io);
//!     connection.provide(store.hashes())?;
//!     let (mut asked, mut answered) = (false, false);
//!     while let Some(event) = connection.next(store).await? {
//!         match event {
//!             OwnedEvent::Available(lacking) if !asked => {
//!                 connection.request(&lacking)?;
//!                 asked = true;
//!             }
//!             OwnedEvent::Requested(_) => answered = true,
//!             OwnedEvent::Close => (asked, answered) = (true, true), // It says nothing more.
//!             OwnedEvent::Failed { hash, reason } => eprintln!("{hash}: {reason}"),
//!             _ => {}
//!         }
//!         if asked && answered {
//!             connection.close(); // It goes out once all contents have come to their end, both ways.
//!         }
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> Result {
//!     let (mut alice, mut bob) = (MemoryStore::new(), MemoryStore::new());
//!     let beep = alice.add(*b"beep");
//!     bob.add(*b"boop");
//!     let (a, b) = tokio::io::duplex(1024); // Or a socket, or the pipes of a process.
//!     futures::executor::block_on(async {
//!         futures::try_join!(trade(a.compat(), &mut alice), trade(b.compat(), &mut bob))
//!     })?;
//!     assert_eq!(bob.read(&beep).unwrap()[..], *b"beep");
//!     assert!(alice.hashes().eq(bob.hashes()));
//!     Ok(())
//! }
//! ```
//!
//! # The map
//!
//! `PROTOCOL.md`, beside this crate's manifest, is the wire as a grammar. Everything else stands on it, in layers:
//!
//! - [`Session`] is one side of the protocol as a state machine: bytes in, events out; calls in, bytes out. No transport,
//!   no clock, no runtime.
//! - [`Connection`] drives a session over any `AsyncRead + AsyncWrite` of the `futures` traits, without a task of its own.
//!   [`Connection::next`] is all that most programs need: it serves from a [`Store`] and fills it. [`Connection::poll`] with
//!   an [`Application`] is what it is made of: events borrow from the read buffer, so that contents of any size pass in
//!   constant memory, can be cancelled, and come no faster than they are wanted.
//! - A [`Verifier`] says whether a content is that of its hash: [`Sha1`], unless told otherwise, which cannot check what is
//!   named by anything else. Nothing that fails it is ever reported as complete.
//! - [`Limits`] bound what a peer may cost, each against an attack by name.
//! - Each frame written is returned as a [`Tag`], and a [`Tally`] of tags accounts for every byte on the wire.
//!
//! What goes wrong is one of three things. A [`Misuse`] is ours: a call that the protocol has no words for; nothing was
//! sent. A [`BodyError`] is about one content, and the connection lives on. An [`Error`] is the end of the connection: the
//! transport failed, the peer broke the protocol ([`ProtocolError`]), or it does not read.
//!
//! # The life of a session
//!
//! Both sides are alike. Each closes for itself, and the session is over when both have:
//!
//! ```text
//!             close()             nothing is under way: CLOSE goes out
//! we    open ---------> close due -----------------------------------> close sent -----+
//!                                                                                      +--> closed
//! peer  open --------------------------------------------------------> close received -+
//!                              CLOSE comes: Event::Close
//!
//!       any --- the peer's stream ends, and it owes us nothing --> what it asked for goes out --> closed
//!       any --- any Error --> failed
//! ```
//!
//! | state | what we may say | what we hear |
//! |---|---|---|
//! | open | everything | everything |
//! | close due | only [`cancel`](Connection::cancel); all else is [`Misuse::Closed`] | everything, and the peer's REQUESTs are answered and served |
//! | close sent | nothing | everything but contents, for nothing is owed to us; a REQUEST that crossed our CLOSE is refused: the peer hears that nothing is found |
//! | close received | everything; but a peer that has sent CLOSE finds nothing any more, unless it is npm's | what was asked for before |
//! | closed | nothing | [`Progress::Ended`], or `None` of [`next`](Connection::next), each time |
//! | failed | nothing | nothing: drop the connection |
//!
//! *Nothing is under way* means: all that the peer has asked for is answered and sent, all that we have asked for has come to
//! its end. So it is safe to close right behind the last [`request`](Connection::request), and too early to close before the
//! peer has asked for what it wants: the example above waits for its REQUEST, or for its CLOSE, as a peer that lacks nothing may
//! never send a REQUEST. Whoever wants to say [`seen`](Connection::seen) of the last content closes after that. When
//! [`Event::Close`] comes and there is nothing left to ask for, close: nobody else ends the session. A stream that ends without it is a peer that has left, which is no error
//! if it owed nothing.
//!
//! # The life of a hash
//!
//! ```text
//!            request()
//!                |
//!                v
//!              asked -------- the answer leaves it out --------> not found   Event::NotFound
//!                |
//!                | the answer names it: Event::Response
//!                v
//!            announced ------ cancel() ------------------------> cancelled   no further event
//!                |                                                   ^
//!                | its bytes come, if it has any: Event::Body        |
//!                v                                                   |
//!             coming -------- cancel() ------------------------------+
//!               | |
//!               | +---------- broken off, or is another -------> failed      Event::Failed
//!               |
//!               +------------ whole and verified --------------> complete    Event::Complete
//! ```
//!
//! [`next`](Connection::next) tells of the ends only, as [`OwnedEvent::NotFound`], [`Failed`](OwnedEvent::Failed) and
//! [`Received`](OwnedEvent::Received), and cancels by itself what is beyond [`Limits::body`]. What is beyond
//! [`Limits::bodies`] together with others it cancels too, as [`Limits::early_bytes`] does with what a congested npm peer sends ahead of
//! its announcement, and asks for it again when others have come. On the other side [`open`](Application::open) finds the content or does not; then it is sent, or breaks off because its source
//! fails, or ends with [`Event::Cancelled`].
//!
//! What can be relied upon:
//!
//! - Each hash of a REQUEST comes to exactly one of these ends, unless the connection ends first.
//! - [`Event::NotFound`] and [`Event::Response`] come in the order in which the hashes were asked for.
//! - Contents come side by side, four of them from a peer of this crate, which begins those first that it has at hand: their pieces alternate, and they end in any order. The bytes of one are in order, and its
//!   events come behind its [`Event::Response`].
//! - Messages are heard in the order in which the peer said them, and go out in the order in which we say them; a content
//!   follows the answer that announces it.
//!
//! # Flow control and memory
//!
//! The only flow control is the transport's, for all contents and messages together: bytes come in the order in which the peer
//! wrote them, so a content that is not taken holds up everything behind it. Hence a connection reads whatever comes, even
//! while it cannot write, and hands it on at once. An application that has no room for a content puts it elsewhere,
//! [cancels](Connection::cancel) it, or pauses by `Break`: then nothing is read until the next [`poll`](Connection::poll),
//! and the peer stops once the transport is full. [`poll_serve`](Connection::poll_serve) goes on writing meanwhile. The
//! example of [`Application`] streams a content to a file that way. Whoever uses [`next`](Connection::next) and does not call
//! it pauses both ways.
//!
//! In the other direction a content is read from its [`Source`] only as the transport takes it.
//!
//! | what is held | at most |
//! |---|---|
//! | bytes read and not handled, because the application paused | 32 KiB |
//! | a message that comes in pieces | [`Limits::message`] |
//! | contents ahead of their announcement, from a congested npm peer | [`Limits::early_bytes`] |
//! | contents that [`next`](Connection::next) assembles | [`Limits::bodies`], twice for a moment |
//! | contents encoded and not yet taken by the transport | 128 KiB |
//! | answers encoded and not yet taken by the transport | [`Limits::unwritten`] |
//! | what we say of our own accord, until the transport takes it | what the application says: [`unwritten`](Connection::unwritten) tells |
//! | hashes of an offer, as [`OwnedEvent::Available`] owns them | some 50 bytes each, for [`Limits::offered`] of them |
//! | sources that the application has opened and that are not sent whole | [`Limits::served`] of them; a [`Lazy`] one is small before its turn comes |
//! | what is remembered of a hash that we have asked for | some 100 bytes and its text if it is no SHA-1, for each of [`Limits::requested`] |
//! | the same of one that the peer has asked for | some 300 bytes, while its REQUEST is answered half as much again, for each of [`Limits::served`] |
//! | the channel of a content that we cancelled as it came, until the peer uses it anew | some 50 bytes, for each of [`Limits::channels`] |
//!
//! Buffers may be twice as large as what is in them. An idle connection has none; one that has cancelled contents may remember their
//! channels for as long as it lives.
//!
//! # How to
//!
//! **Serve.** [`Store::open`] or [`Application::open`] gives a [`Source`]: something to read from, and the content's sequence
//! number, chosen or counted. What is a file is best a [`Lazy`] one; the documentation of [`Store`] has a directory as an example.
//!
//! **Resume.** Let each content have a sequence number of its own, its place in a log, say, and give it as
//! [`Source::sequence`]. A reader tells its name by [`id`](Connection::id), and by [`since`](Connection::since) the number
//! up to which it has everything: contents arrive in any order, so that is not the greatest one it has met. On
//! [`Event::Since`] the other side [provides](Connection::provide) the hashes above that number. For each content that is
//! safely stored the reader may say [`seen`](Connection::seen), and on [`Event::Seen`] the other side note down under the
//! reader's name what need not be offered to it again. The protocol carries these messages and does nothing by itself.
//!
//! **Cancel.** [`Connection::cancel`], from [`Event::Response`] on. What is still under way comes and is dropped.
//!
//! **Notice that a peer is stuck.** A connection keeps no time, and [`next`](Connection::next) tells of ends only, before which a large
//! content may come for hours: what counts is whether bytes move. `next` may be dropped half way, so a timer around it can look:
//!
//! ```
//! use std::time::Duration;
//!
//! use futures::io::{AsyncRead, AsyncWrite};
//! use hash_exchange::{Connection, OwnedEvent, Store};
//! use tokio::time::timeout;
//!
//! /// What the peer says next. It is an error if no byte moves for so long, either way.
//! async fn next<Io: AsyncRead + AsyncWrite + Unpin, S: Store>(
//!     connection: &mut Connection<Io, S::Body>,
//!     store: &mut S,
//!     patience: Duration,
//! ) -> Result<Option<OwnedEvent>, Box<dyn std::error::Error>> {
//!     loop {
//!         let moved = connection.bytes_moved();
//!         match timeout(patience, connection.next(store)).await {
//!             Ok(event) => return Ok(event?),
//!             Err(stuck) if connection.bytes_moved() == moved => return Err(stuck.into()),
//!             Err(_) => {}
//!         }
//!     }
//! }
//! # use hash_exchange::MemoryStore;
//! # use tokio_util::compat::TokioAsyncReadCompatExt;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # let (a, _b) = tokio::io::duplex(1000);
//! # let (mut connection, mut store) = (Connection::new(a.compat()), MemoryStore::new());
//! # let stuck = runtime.block_on(next(&mut connection, &mut store, Duration::from_millis(1)));
//! # assert_eq!(stuck.unwrap_err().to_string(), "deadline has elapsed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A peer that is silent while nothing is asked for is idle, and in good order: wait by a timer only while something is asked for,
//! [`serving`](Connection::serving) counts contents, or [`unwritten`](Connection::unwritten) bytes.
//!
//! **Ask in pieces, and end.** Whoever lacks many hashes may ask for some, and for the next when some have come. The protocol does not
//! say which offer or REQUEST is the last, and a peer may close as soon as it was asked once. So two programs of one's own agree on
//! a word for it: an empty offer ([`provide`](Connection::provide) of nothing) for *this was all*, an empty
//! [`request`](Connection::request) for *I ask for nothing more*; each closes when it has said and heard both. With a peer of which
//! nothing is known, keep the connection open, close on [`Event::Close`] or when your program ends, and ask again elsewhere for what
//! has not come.
//!
//! **Run a server.** The example `replica`, in `examples/replica.rs` beside this crate's manifest, is one: a store that all connections share, news that go to each of them, deadlines, and an
//! end in good order.
//!
//! # Runtimes
//!
//! A connection never spawns and works wherever its transport does. In tokio, by way of tokio-util's `compat`:
//!
//! ```
//! use hash_exchange::{Connection, MemoryBody};
//! use tokio::net::TcpStream;
//! use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
//!
//! async fn dial(address: &str) -> std::io::Result<Connection<Compat<TcpStream>, MemoryBody>> {
//!     let io = TcpStream::connect(address).await?;
//!     io.set_nodelay(true)?; // All that is due is written at once: nothing is gained by waiting for more.
//!     Ok(Connection::new(io.compat()))
//! }
//! ```
//!
//! In smol, whose streams are those of `futures`:
//!
//! ```
//! use hash_exchange::{Connection, MemoryBody};
//! use smol::net::TcpStream;
//!
//! async fn dial(address: &str) -> std::io::Result<Connection<TcpStream, MemoryBody>> {
//!     let io = TcpStream::connect(address).await?;
//!     io.set_nodelay(true)?;
//!     Ok(Connection::new(io))
//! }
//! ```
//!
//! With no runtime at all, here over pipes whose calls block, which serves if neither peer sends more at once than its pipe
//! holds:
//!
//! ```no_run
//! use futures::executor::block_on;
//! use futures::io::AllowStdIo;
//! use hash_exchange::{Connection, Halves, MemoryStore, OwnedEvent};
//!
//! let mut store = MemoryStore::new();
//! let mut connection = Connection::new(Halves {
//!     reader: AllowStdIo::new(std::io::stdin()),
//!     writer: AllowStdIo::new(std::io::stdout()),
//! });
//! connection.provide([&store.add(*b"beep")])?;
//! while let Some(event) = block_on(connection.next(&mut store))? {
//!     if matches!(event, OwnedEvent::Requested(_) | OwnedEvent::Close) {
//!         connection.close();
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # For those who know the npm package
//!
//! | there | here |
//! |---|---|
//! | `exchange(createReadStream)` | [`Connection::new`]; [`Application::open`] or [`Store::open`] finds a content |
//! | `cb(null, stream, seq)` | [`Source`] with its `sequence`; `None` there is `cb(err)` |
//! | `ex.pipe(socket).pipe(ex)` | the stream given to [`Connection::new`], which must not block; two pipes make one with [`Halves`] |
//! | `ex.provide(hashes)`: one, a list, a map | [`Connection::provide`], with `[&hash]`, `&list`, `map.keys()` |
//! | `ex.request(hashes)` | [`Connection::request`]; a hash named twice is asked for once |
//! | `ex.id(id)` | [`Connection::id`] |
//! | `ex.since(seq)`, -1 for everything | [`Connection::since`], `None` for everything |
//! | `ex.seen(seq)` | [`Connection::seen`] |
//! | `ex.close()` | [`Connection::close`]: goes out when nothing is under way, so that nothing is cut off |
//! | `stream.destroy()` on a response | [`Connection::cancel`], by the [`ResponseId`] of [`Event::Response`] |
//! | `'response'` (hash, stream, seq) | [`Event::Response`], [`Event::Body`], [`Event::Complete`]; or [`OwnedEvent::Received`] |
//! | `'error'` of that stream | [`Event::Failed`]; also when the content is not that of the hash |
//! | nothing, when a hash is not there | [`Event::NotFound`] |
//! | `'available'` without those provided | [`Event::Available`] with all; [`OwnedEvent::Available`] without those in the store |
//! | `'id'`, `'since'`, `'seen'` | [`Event::Id`], [`Event::Since`], [`Event::Seen`] |
//! | `'close'`, when both sides have closed | [`Event::Close`] when the peer has; [`Progress::Ended`] when both have |
//! | silence for ever, after a violation | [`ProtocolError`] |

// The world of two sessions, which the fuzzers share with the integration tests, knows the crate from outside.
#[cfg(any(test, fuzzing))]
extern crate self as hash_exchange;

mod connection;
mod error;
mod event;
mod few;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod hash;
mod limits;
#[cfg(test)]
#[path = "../tests/integration/properties.rs"]
mod properties;
mod session;
mod store;
mod tag;
mod verify;
mod wire;

pub use connection::{Application, Buffer, Connection, Halves, Lazy, OwnedEvent, Progress, Source};
pub use error::{BodyError, Error, Misuse, ProtocolError};
pub use event::{Event, Hashes, ResponseId, ServedId};
pub use hash::Hash;
pub use limits::Limits;
pub use session::{Answer, Session};
pub use store::{MemoryBody, MemoryStore, Store};
pub use tag::{Kind, Tag, Tally};
pub use verify::{Sha1, Sha1State, Unverified, Verifier};

/// The example of the README, so that it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
