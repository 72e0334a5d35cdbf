use std::fmt;

use crate::wire::rpc::HashTexts;
use crate::{BodyError, Hash};

/// What a peer said, borrowed from the bytes in which it said it. There will be no other events: the messages of the wire are those of
/// the npm package.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The peer's name for itself.
    Id(&'a str),
    /// The peer wants what has a greater sequence number than this; `None`: everything.
    Since(Option<u64>),
    /// The peer holds what has this sequence number; `None` is legal and says nothing.
    Seen(Option<u64>),
    /// The peer offers these hashes, including those that we hold ourselves. There may be none.
    Available(Hashes<'a>),
    /// The peer asks for these hashes: the application answers with [`Session::respond`](crate::Session::respond). A
    /// [`Connection`](crate::Connection) does it by itself and never shows this event.
    Request(Hashes<'a>),
    /// We asked for this hash, and the peer does not have it.
    NotFound {
        /// The hash.
        hash: Hash,
    },
    /// The peer has what we asked for, and is going to send it.
    Response {
        /// Names the content in the events to come.
        response: ResponseId,
        /// Its hash.
        hash: Hash,
        /// Its sequence number at the peer.
        sequence: u64,
    },
    /// The next bytes of a content, not verified yet: never act on them before [`Complete`](Self::Complete).
    Body {
        /// The content.
        response: ResponseId,
        /// Its next bytes.
        chunk: &'a [u8],
    },
    /// A content came to its end, and is that of its hash.
    Complete {
        /// The content.
        response: ResponseId,
        /// Its hash.
        hash: Hash,
        /// Its sequence number at the peer.
        sequence: u64,
    },
    /// A content will not come, or was another: forget its bytes.
    Failed {
        /// The content.
        response: ResponseId,
        /// The hash that was asked for.
        hash: Hash,
        /// What went wrong.
        reason: BodyError,
    },
    /// The peer does not want the rest of a content that we serve. A [`Connection`](crate::Connection) has dropped its source.
    Cancelled {
        /// The content.
        served: ServedId,
        /// Its hash.
        hash: Hash,
    },
    /// The peer needs nothing more from us. It still sends what we have asked for.
    Close,
}

/// A content that we receive on this connection. Numbers ascend in the order of announcement, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseId(pub(crate) u32);

/// A content that we serve on this connection. Numbers ascend in the order of announcement, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServedId(pub(crate) u32);

impl ServedId {
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The list of hashes in a message, read where it stands.
#[derive(Clone, Copy)]
pub struct Hashes<'a> {
    /// The fields of a message, validated: every one well-formed, every hash UTF-8.
    fields: &'a [u8],
    len: usize,
}

impl<'a> Hashes<'a> {
    pub(crate) const fn new(fields: &'a [u8], len: usize) -> Self {
        Self { fields, len }
    }

    /// The fields in which they stand, and others between them.
    pub(crate) const fn fields(self) -> &'a [u8] {
        self.fields
    }

    /// The number of hashes; a hash may occur more than once.
    pub fn len(self) -> usize {
        self.len
    }

    /// True if the list is empty, which is legal.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The hashes in order. No heap is touched for SHA-1.
    pub fn iter(self) -> impl Iterator<Item = Hash> + use<'a> {
        self.texts()
            .map(|hash| Hash::from_wire(hash).expect(VALIDATED))
    }

    /// The strings in order.
    pub fn strs(self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.texts()
            .map(|hash| str::from_utf8(hash).expect(VALIDATED))
    }

    fn texts(self) -> HashTexts<'a> {
        HashTexts::new(self.fields)
    }
}

const VALIDATED: &str = "the message was validated";

impl fmt::Debug for Hashes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.strs()).finish()
    }
}
