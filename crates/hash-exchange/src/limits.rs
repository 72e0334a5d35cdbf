#[cfg(doc)]
use crate::{BodyError, Error, Misuse, ProtocolError};

/// What a peer may cost. Each bound names the attack that it stops.
///
/// The [defaults](Self::DEFAULT) let every honest peer through, the npm package under congestion included, and so let a hostile one cost
/// a gigabyte. Whoever serves [strangers](Self::STRANGERS), or has many neighbours, will want less.
///
/// | limit | default | for strangers | beyond it |
/// |---|--:|--:|---|
/// | [`message`](Self::message) | 64 MiB | 4 MiB | [`ProtocolError::MessageTooLong`]; [`Misuse::MessageTooLong`] if it is ours |
/// | [`name`](Self::name) | 256 bytes | | [`ProtocolError::NameTooLong`] |
/// | [`offered`](Self::offered) | 2,097,152 | 131,072 | [`ProtocolError::TooManyOffered`]; [`Misuse::TooManyOffered`] if it is ours |
/// | [`requested`](Self::requested) | 1,048,576 | 1,024 | [`Misuse::TooManyRequested`] |
/// | [`served`](Self::served) | 1,048,576 | 1,024 | [`ProtocolError::TooManyServed`] |
/// | [`channels`](Self::channels) | 4,194,304 | 4,096 | [`ProtocolError::TooManyChannels`] |
/// | [`rpc_channels`](Self::rpc_channels) | 16 | | [`ProtocolError::TooManyStreams`] |
/// | [`early_channels`](Self::early_channels) | 65,536 | 1,024 | [`BodyError::TooEarly`]; [`next`](crate::Connection::next) asks again |
/// | [`early_bytes`](Self::early_bytes) | 64 MiB | 4 MiB | [`BodyError::TooEarly`]; [`next`](crate::Connection::next) asks again |
/// | [`unwritten`](Self::unwritten) | 64 MiB | 8 MiB | [`Error::Unread`] |
/// | [`body`](Self::body) | 64 MiB | 4 MiB | [`BodyError::TooLong`], and the connection lives on |
/// | [`bodies`](Self::bodies) | 256 MiB | 16 MiB | some come later; [`BodyError::NoRoom`] if the peer has closed by then |
///
/// ```
/// use hash_exchange::{Connection, Limits, MemoryBody};
///
/// # let io = futures::io::Cursor::new(Vec::<u8>::new());
/// let limits = Limits { body: 1 << 20, ..Limits::DEFAULT };
/// let connection: Connection<_, MemoryBody> = Connection::with_limits(io, limits);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a frame that must be held whole before it can be understood, its length not counted. That is any message, and the
    /// text of an ERROR; a body is passed on as it arrives. Stops a peer that announces a frame of exabytes and then sends it.
    /// What we say is held to it as well.
    pub message: u32,
    /// Bytes of a channel's name. Stops names made to be compared and copied; an honest one has at most 16 digits.
    pub name: u32,
    /// Hashes that one AVAILABLE names. Stops offers of very short hashes, each of which costs a multiple of its bytes once it is
    /// taken out of the message. One of nothing but SHA-1s reaches [`message`](Self::message) first. What we offer is held to it as well.
    pub offered: u32,
    /// Hashes that we have asked for and whose content has not come to its end; one that was cancelled before it began counts until it
    /// begins. Only our own requests count here: it bounds what a peer that never answers makes us remember, and the contents that it
    /// can send, as each of them needs a hash that was asked for.
    pub requested: u32,
    /// Contents that the peer has asked for and that are not yet sent. Stops a peer that asks for everything, again
    /// and again, and reads none of it: each costs some 300 bytes and its [`Source`](crate::Source), and half as much again while its
    /// REQUEST is answered. What a REQUEST names and is not here counts as well, until it is answered. An honest peer asks for no more
    /// at a time than its own [`requested`](Self::requested), which it has to set no higher than this.
    pub served: u32,
    /// Channels whose contents we cancelled as they came. What is still under way on them has to be known and dropped, until the peer
    /// ends them or uses their numbers anew, as an honest one does before it takes others: it never needs more than it had contents to
    /// send at one time. Stops a peer that takes a new number for each content that it makes us cancel.
    pub channels: u32,
    /// Streams of RPC messages, of which an honest peer opens one. Stops a peer that opens channels without end.
    pub rpc_channels: u32,
    /// Contents that begin before the HASHES that announces them, and of which something is held. A congested npm peer does that; stops
    /// a peer that never sends the HASHES. A content beyond it is cancelled, and has failed once its HASHES comes.
    pub early_channels: u32,
    /// Bytes held for such contents, all together, the texts of their ERRORs included. Stops the same peer, sending large
    /// contents. Of a content, a congested npm peer sends one chunk ahead of each message that waits before its HASHES. A chunk is 64 KiB
    /// if it reads files: then it is 6.25 MiB at one time if twenty REQUESTs ask for one content each, in general a quarter of their
    /// square in chunks; a content that it has in memory is one chunk, however large. One REQUEST for all of them costs nothing, or a
    /// chunk for each content. A content beyond it is cancelled, and has failed once its HASHES comes.
    pub early_bytes: u32,
    /// Bytes that answer the peer's REQUESTs, encoded and not yet accepted by the transport, beyond which a
    /// [`Connection`](crate::Connection) fails. Stops a peer that keeps us answering and never reads. What we say of our own accord does
    /// not count: whoever has much to say looks at [`Connection::unwritten`](crate::Connection::unwritten) on the way.
    pub unwritten: u32,
    /// Bytes of a content that [`Connection::next`](crate::Connection::next) assembles in memory. Stops a content
    /// without end; contents read through [`Application`](crate::Application) are not assembled and have no bound.
    pub body: u32,
    /// Bytes of all contents that [`Connection::next`](crate::Connection::next) assembles at the same time. Stops a peer that begins all
    /// that we asked for and ends none of it: the contents that were announced last are cancelled to make room, and asked for again
    /// when others have come to their end. A peer of this crate sends four at a time, so that nothing of it is cancelled if this is
    /// four times [`body`](Self::body), as it is by default. An npm peer sends all that it is asked for side by side.
    pub bodies: u32,
}

impl Limits {
    /// What holds when nothing else is asked for.
    pub const DEFAULT: Self = Self {
        message: 64 << 20,
        name: 256,
        offered: 1 << 21,
        requested: 1 << 20,
        served: 1 << 20,
        channels: 1 << 22,
        rpc_channels: 16,
        early_channels: 1 << 16,
        early_bytes: 64 << 20,
        unwritten: 64 << 20,
        body: 64 << 20,
        bodies: 256 << 20,
    };

    /// What holds for peers whom nobody knows: each costs some ten megabytes, or some forty if it is hostile. Their own side has to be as
    /// modest: a peer that asks for more than 1,024 contents at a time has its connection ended.
    pub const STRANGERS: Self = Self {
        message: 4 << 20,
        offered: 1 << 17,
        requested: 1 << 10,
        served: 1 << 10,
        channels: 1 << 12,
        early_channels: 1 << 10,
        early_bytes: 4 << 20,
        unwritten: 8 << 20,
        body: 4 << 20,
        bodies: 16 << 20,
        ..Self::DEFAULT
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
