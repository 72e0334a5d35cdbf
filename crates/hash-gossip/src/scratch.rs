use std::cell::Cell;
use std::fmt;

use hash_exchange::{Buffer, Hash};

use crate::strategy::Action;

/// Buffers that nodes work in and leave empty. Nodes that share one do not each keep their own: there may be a million of
/// them, and what all of them use stays in the processor's cache.
#[derive(Default)]
pub struct Scratch {
    /// Frames are encoded here on their way to the transport.
    frames: Cell<Buffer>,
    /// A body is put together here.
    body: Cell<Vec<u8>>,
    /// What a strategy wants is sorted here.
    actions: Cell<Vec<Action>>,
    /// The hashes of one message.
    hashes: Cell<Vec<Hash>>,
}

/// One user at a time takes a buffer out. Whoever finds it gone gets an empty one, which is as good but slower. It is put
/// back unless it has grown out of proportion.
impl Scratch {
    #[inline]
    pub(crate) fn take_frames(&self) -> Buffer {
        self.frames.take()
    }

    #[inline]
    pub(crate) fn put_frames(&self, buffer: Buffer) {
        if buffer.capacity() <= KEPT {
            self.frames.set(buffer);
        }
    }

    #[inline]
    pub(crate) fn take_body(&self) -> Vec<u8> {
        self.body.take()
    }

    #[inline]
    pub(crate) fn put_body(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT {
            self.body.set(buffer);
        }
    }

    #[inline]
    pub(crate) fn take_actions(&self) -> Vec<Action> {
        self.actions.take()
    }

    #[inline]
    pub(crate) fn put_actions(&self, actions: Vec<Action>) {
        if actions.capacity() * size_of::<Action>() <= KEPT {
            self.actions.set(actions);
        }
    }

    #[inline]
    pub(crate) fn take_hashes(&self) -> Vec<Hash> {
        self.hashes.take()
    }

    #[inline]
    pub(crate) fn put_hashes(&self, mut hashes: Vec<Hash>) {
        if hashes.capacity() * size_of::<Hash>() <= KEPT {
            hashes.clear();
            self.hashes.set(hashes);
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// Bytes of a buffer that is kept. Nodes that share nothing keep one each.
const KEPT: usize = 4096;
