//! The hash-exchange protocol between two peers: each offers hashes, asks for those it lacks, and gets their contents,
//! over one byte stream. It speaks with the npm package `hash-exchange` 4.0.1, byte for byte, and survives what that does
//! not.
//!
//! ```
//! use futures::io::{AsyncRead, AsyncWrite};
//! use hash_exchange::{Connection, Error, MemoryStore, OwnedEvent};
//!
//! /// Takes from a peer all that it offers, serves what it asks for, and ends when both are content.
//! async fn trade<Io>(io: Io, store: &mut MemoryStore) -> Result<(), Error>
//! where
//!     Io: AsyncRead + AsyncWrite + Unpin,
//! {
//!     let mut connection = Connection::new(io);
//!     connection.provide(store.hashes()).expect("it is open");
//!     let (mut heard, mut asked, mut lacking) = (false, false, 0);
//!     while let Some(event) = connection.next(store).await? {
//!         match event {
//!             OwnedEvent::Available(hashes) => {
//!                 heard = true;
//!                 lacking += connection.request(&hashes).map_or(0, |_| hashes.len());
//!             }
//!             OwnedEvent::Requested(_) => asked = true,
//!             OwnedEvent::Received { .. } | OwnedEvent::NotFound(_) => lacking -= 1,
//!             _ => {}
//!         }
//!         if heard && asked && lacking == 0 {
//!             connection.close();
//!         }
//!     }
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
//!   an [`Application`] is what it is made of: events borrow from the read buffer, contents are read from a [`Source`] as
//!   the peer takes them.
//! - A [`Verifier`] says whether a content is that of its hash: [`Sha1`], unless told otherwise. Nothing that fails it is
//!   ever reported as complete.
//! - [`Limits`] bound what a peer may cost, each against an attack by name. A peer that breaks the protocol is a
//!   [`ProtocolError`]; an application that does is a [`Misuse`], and nothing is sent.
//! - Each frame written is returned as a [`Tag`], and a [`Tally`] of tags accounts for every byte on the wire.
//!
//! # For those who know the npm package
//!
//! | there | here |
//! |---|---|
//! | `exchange(createReadStream)` | [`Connection::new`]; [`Application::open`] or [`Store::open`] finds a content |
//! | `cb(null, stream, seq)` | [`Source`] with its `sequence`; `None` there is `cb(err)` |
//! | `ex.pipe(socket).pipe(ex)` | the stream given to [`Connection::new`], which must not block; two pipes make one with [`Halves`] |
//! | `ex.provide(hashes)` | [`Connection::provide`] |
//! | `ex.request(hashes)` | [`Connection::request`]; a hash named twice is asked for once |
//! | `ex.id(id)` | [`Connection::id`] |
//! | `ex.since(seq)`, -1 for everything | [`Connection::since`], `None` for everything |
//! | `ex.seen(seq)` | [`Connection::seen`] |
//! | `ex.close()` | [`Connection::close`]: goes out when nothing is under way, so that nothing is cut off |
//! | `stream.destroy()` on a response | [`Connection::cancel`] |
//! | `'response'` (hash, stream, seq) | [`Event::Response`], [`Event::Body`], [`Event::Complete`]; or [`OwnedEvent::Received`] |
//! | `'error'` of that stream | [`Event::Failed`]; also when the content is not that of the hash |
//! | nothing, when a hash is not there | [`Event::NotFound`] |
//! | `'available'` without those provided | [`Event::Available`] with all; [`OwnedEvent::Available`] without those in the store |
//! | `'id'`, `'since'`, `'seen'` | [`Event::Id`], [`Event::Since`], [`Event::Seen`] |
//! | `'close'`, when both sides have closed | [`Event::Close`] when the peer has; [`Progress::Ended`] when both have |
//! | silence for ever, after a violation | [`ProtocolError`] |

mod connection;
mod error;
mod event;
mod few;
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

pub use connection::{Application, Buffer, Connection, Halves, OwnedEvent, Progress, Source};
pub use error::{BodyError, Error, Misuse, ProtocolError};
pub use event::{Event, Hashes, ResponseId, ServedId};
pub use hash::Hash;
pub use limits::Limits;
pub use session::{Answer, Session};
pub use store::{MemoryBody, MemoryStore, Store};
pub use tag::{Kind, Tag, Tally};
pub use verify::{Sha1, Sha1State, Unverified, Verifier};
