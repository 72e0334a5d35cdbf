use std::fmt;
use std::io;

/// The peer broke the protocol. The session cannot go on, for what follows in the stream has no meaning: drop the
/// connection, and with it what was under way.
///
/// What to make of it depends on the variant:
///
/// - [`EndInFrame`](Self::EndInFrame) and [`EndWithOpen`](Self::EndWithOpen): the peer or the network is gone. Connect again,
///   and ask again for what has not come.
/// - Those that name one of the [`Limits`](crate::Limits): an honest peer may get there if the limit is set low. Otherwise it is
///   an attack.
/// - All others: the peer is broken, hostile, or speaks something else. Connecting again will not help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A varint of more than ten bytes, or of more than 64 bits.
    Varint,
    /// A length inside a frame or message that runs past its end, or a field cut short.
    Truncated,
    /// A field of a wire type that does not exist, or that this field does not have. Text from something that does not speak
    /// the protocol mostly ends here.
    WireType {
        /// The field's number.
        field: u64,
        /// The wire type that was found.
        wire_type: u8,
    },
    /// A sequence number above 2^53 - 2, which no JavaScript peer can mean.
    SequenceTooLarge(u64),
    /// A hash, a name or an ID that is not UTF-8.
    Utf8,
    /// A frame that must be held whole and is longer than [`Limits::message`](crate::Limits::message).
    MessageTooLong {
        /// Its length in bytes.
        len: u64,
        /// The limit.
        limit: u32,
    },
    /// A channel name longer than [`Limits::name`](crate::Limits::name).
    NameTooLong {
        /// Its length in bytes.
        len: u64,
        /// The limit.
        limit: u32,
    },
    /// A frame without channel, or on one that does not fit a signed number of 32 bits: this one, as it is written, in zigzag.
    Channel(Option<u64>),
    /// A frame type other than DATA, END and ERROR.
    FrameType(u64),
    /// A channel whose name is not a hexadecimal number.
    Name(Box<str>),
    /// A message without type, or of a type that does not exist.
    MessageType(Option<u64>),
    /// A message of this type that lacks a field which it demands: an ID its name, or a HASHES a hash or a sequence number.
    FieldMissing(u64),
    /// More streams of messages than [`Limits::rpc_channels`](crate::Limits::rpc_channels).
    TooManyStreams {
        /// The limit.
        limit: u32,
    },
    /// More channels whose contents we have cancelled, and that the peer neither ends nor uses anew, than
    /// [`Limits::channels`](crate::Limits::channels).
    TooManyChannels {
        /// The limit.
        limit: u32,
    },
    /// An AVAILABLE of more hashes than [`Limits::offered`](crate::Limits::offered).
    TooManyOffered {
        /// So many it has.
        offered: usize,
        /// The limit.
        limit: u32,
    },
    /// A HASHES when no REQUEST awaits one.
    Unasked,
    /// A HASHES that maps a hash which the REQUEST it answers did not name, or maps it twice.
    Unrequested(crate::Hash),
    /// A HASHES that gives out a sequence number which is given out already and not yet used.
    SequenceTaken(u64),
    /// A content under a sequence number that no HASHES gave out, and none can any more.
    Unannounced {
        /// The sequence number.
        sequence: u64,
    },
    /// More contents asked for than [`Limits::served`](crate::Limits::served).
    TooManyServed {
        /// So many are asked for, all together.
        asked: usize,
        /// The limit.
        limit: u32,
    },
    /// So many contents asked for by one REQUEST that the answer would be longer than [`Limits::message`](crate::Limits::message).
    AnswerTooLong {
        /// The limit.
        limit: u32,
    },
    /// The stream ended within a frame.
    EndInFrame,
    /// The stream ended and left requests or contents open. Where both numbers are zero, it is a REQUEST for nothing.
    EndWithOpen {
        /// Hashes that were asked for and not settled.
        requested: usize,
        /// Contents announced or begun.
        responses: usize,
    },
    /// The session has failed before, with the error that says why.
    Failed,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Varint => f.write_str("a varint is longer than ten bytes or 64 bits"),
            Self::Truncated => f.write_str("a field runs past the end of its frame or message"),
            Self::WireType { field, wire_type } => {
                write!(
                    f,
                    "field {field} has wire type {wire_type}, which it cannot have"
                )
            }
            Self::SequenceTooLarge(sequence) => {
                write!(f, "sequence {sequence} is above 2^53 - 2")
            }
            Self::Utf8 => f.write_str("text is not UTF-8"),
            Self::MessageTooLong { len, limit } => write!(
                f,
                "a message of {len} bytes is beyond Limits::message, {limit} bytes"
            ),
            Self::NameTooLong { len, limit } => write!(
                f,
                "a channel name of {len} bytes is beyond Limits::name, {limit} bytes"
            ),
            Self::Channel(None) => f.write_str("a frame has no channel"),
            Self::Channel(Some(zigzag)) => write!(
                f,
                "a frame's channel, {zigzag} in zigzag, is no number of 32 bits"
            ),
            Self::FrameType(kind) => {
                write!(f, "frame type {kind} does not exist, there are 1 to 3")
            }
            Self::Name(name) => write!(f, "channel name {name:?} is no hexadecimal number"),
            Self::MessageType(None) => f.write_str("a message has no type"),
            Self::MessageType(Some(kind)) => {
                write!(f, "message type {kind} does not exist, there are 0 to 6")
            }
            Self::FieldMissing(kind) => {
                write!(f, "a message of type {kind} lacks a field that it demands")
            }
            Self::TooManyStreams { limit } => write!(
                f,
                "more streams of messages than Limits::rpc_channels, {limit}"
            ),
            Self::TooManyChannels { limit } => write!(
                f,
                "more channels than Limits::channels, {limit}, are neither ended nor used anew"
            ),
            Self::TooManyOffered { offered, limit } => write!(
                f,
                "{offered} hashes are offered at a time, beyond Limits::offered, {limit}"
            ),
            Self::Unasked => f.write_str("HASHES, and no REQUEST of ours awaits one"),
            Self::Unrequested(hash) => write!(f, "HASHES maps {hash:?}, which is not asked for"),
            Self::SequenceTaken(sequence) => {
                write!(f, "HASHES gives out sequence {sequence} a second time")
            }
            Self::Unannounced { sequence } => {
                write!(
                    f,
                    "a content comes under sequence {sequence}, which was never given out"
                )
            }
            Self::TooManyServed { asked, limit } => write!(
                f,
                "{asked} contents are asked for at a time, beyond Limits::served, {limit}"
            ),
            Self::AnswerTooLong { limit } => write!(
                f,
                "a REQUEST asks for so much that its answer is beyond Limits::message, {limit} bytes"
            ),
            Self::EndInFrame => f.write_str("the stream ended within a frame"),
            // A REQUEST may name nothing, and is to be answered all the same.
            Self::EndWithOpen {
                requested: 0,
                responses: 0,
            } => f.write_str("the stream ended with a REQUEST unanswered"),
            Self::EndWithOpen {
                requested,
                responses,
            } => write!(
                f,
                "the stream ended with {requested} hashes asked for and {responses} contents open"
            ),
            Self::Failed => f.write_str("the session has failed before"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// The application asked for what the protocol cannot say. Nothing was encoded, and the session is what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The application has called `close`: CLOSE is the last message, and waits only for what was asked before it. What is left
    /// to say takes another connection.
    Closed,
    /// A sequence number above 2^53 - 2, which a JavaScript peer cannot tell from its neighbours.
    SequenceTooLarge(u64),
    /// The message would be longer than [`Limits::message`](crate::Limits::message), which counts for what we say too, as
    /// the peer is likely to have the same limit: split the list. Or the piece of a content is longer than 1 GiB.
    MessageTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        limit: u32,
    },
    /// More hashes offered at once than [`Limits::offered`](crate::Limits::offered), which counts for what we say too: split the list.
    TooManyOffered {
        /// The limit.
        limit: u32,
    },
    /// More hashes asked for at once than [`Limits::requested`](crate::Limits::requested). Ask for fewer, and for the rest when
    /// some have come to their end.
    TooManyRequested {
        /// The limit.
        limit: u32,
    },
    /// No content of this number is open: it has ended, failed or been cancelled, which may happen at any time. There is nothing
    /// to do.
    NotOpen,
    /// The content may not begin yet: the peer is not ready to learn of it. Those that may are given by
    /// [`Session::next_response`](crate::Session::next_response).
    NotReady,
    /// No REQUEST of the peer awaits an answer.
    NothingToAnswer,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the session is closed"),
            Self::SequenceTooLarge(sequence) => {
                write!(f, "sequence {sequence} is above 2^53 - 2")
            }
            Self::MessageTooLong { len, limit } => write!(
                f,
                "a message of {len} bytes is beyond Limits::message, {limit} bytes"
            ),
            Self::TooManyOffered { limit } => write!(
                f,
                "more hashes offered at once than Limits::offered, {limit}"
            ),
            Self::TooManyRequested { limit } => write!(
                f,
                "more hashes asked for at once than Limits::requested, {limit}"
            ),
            Self::NotOpen => f.write_str("no such content is open"),
            Self::NotReady => f.write_str("the content may not begin yet"),
            Self::NothingToAnswer => f.write_str("no request awaits an answer"),
        }
    }
}

impl std::error::Error for Misuse {}

/// Why a content did not come whole. The connection lives on: forget the bytes, and ask for it again, here or elsewhere, if the
/// reason allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// It came whole, and is not that of its hash, says the [`Verifier`](crate::Verifier). Ask somebody else.
    Mismatch,
    /// The peer broke it off, with this message, of which at most 1 KiB is kept. It could not read it; later it may.
    Peer(Box<str>),
    /// It is longer than [`Limits::body`](crate::Limits::body), or than [`Limits::bodies`](crate::Limits::bodies), and was cancelled. Only
    /// [`Connection::next`](crate::Connection::next) says so; [`Connection::poll`](crate::Connection::poll) can take it.
    TooLong,
    /// A congested peer sent it ahead of the HASHES that announces it, with more than fits into
    /// [`Limits::early_bytes`](crate::Limits::early_bytes) or [`Limits::early_channels`](crate::Limits::early_channels), and it was
    /// cancelled. Ask for it again, best when others have come: [`Connection::next`](crate::Connection::next) does that by itself.
    TooEarly,
    /// There was no room for it beside others, in [`Limits::bodies`](crate::Limits::bodies) or ahead of its announcement, and by the time
    /// that [`Connection::next`](crate::Connection::next) asked for it again the peer had closed, or did not have it any more. Ask for it
    /// on another connection.
    NoRoom,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch => f.write_str("the content is not that of its hash"),
            Self::Peer(message) if message.is_empty() => f.write_str("the peer broke it off"),
            Self::Peer(message) => write!(f, "the peer broke it off: {message}"),
            Self::TooLong => f.write_str("the content is beyond Limits::body"),
            Self::TooEarly => f.write_str(
                "the content came ahead of its HASHES, beyond Limits::early_bytes or early_channels",
            ),
            Self::NoRoom => f.write_str(
                "there was no room for the content beside others, and when it was asked for again the peer did not have it",
            ),
        }
    }
}

impl std::error::Error for BodyError {}

/// Why a connection ended other than well. It is of no use any more; whether another to the same peer would be, the variants
/// tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed. Connect again, and ask again for what has not come.
    Io(io::Error),
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// The peer does not read what it makes us answer: it has had us write this many bytes of answers more than it has taken, which is
    /// beyond [`Limits::unwritten`](crate::Limits::unwritten).
    Unread {
        /// Bytes of answers that wait.
        bytes: usize,
        /// The limit.
        limit: u32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "transport: {error}"),
            Self::Protocol(error) => write!(f, "protocol: {error}"),
            Self::Unread { bytes, limit } => write!(
                f,
                "the peer does not read: {bytes} bytes of answers wait, beyond Limits::unwritten, {limit}"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Unread { .. } => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}
