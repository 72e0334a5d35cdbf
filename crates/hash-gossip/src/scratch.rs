use std::cell::Cell;
use std::fmt;

/// Buffers that nodes work in and leave empty. Nodes that share one do not each keep their own: there may be a million of
/// them, and what all of them use stays in the processor's cache.
#[derive(Default)]
pub struct Scratch {
    /// Frames are encoded here on their way to the transport.
    pub(crate) frames: Buffer,
    /// A body is put together here.
    pub(crate) body: Buffer,
}

/// A buffer that one user at a time takes out. Whoever finds it gone gets an empty one, which is as good but slower.
#[derive(Default)]
pub(crate) struct Buffer(Cell<Vec<u8>>);

impl Buffer {
    #[inline]
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.take()
    }

    /// Puts a buffer back, unless it has grown out of proportion.
    #[inline]
    pub(crate) fn put(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT {
            self.0.set(buffer);
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
