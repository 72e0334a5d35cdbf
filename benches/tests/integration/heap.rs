//! What is on the heap of this thread, counted block by block as it was asked for; what an allocator adds is not.

use std::fmt;

/// Bytes and blocks that are live.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heap {
    pub(crate) bytes: i64,
    pub(crate) blocks: i64,
}

impl Heap {
    /// What `make` leaves behind, with what it made.
    pub(crate) fn of<T>(make: impl FnOnce() -> T) -> (Self, T) {
        let mut made = None;
        let info = allocation_counter::measure(|| made = Some(make()));
        let heap = Self {
            bytes: info.bytes_current,
            blocks: info.count_current,
        };
        (heap, made.expect("it was just made"))
    }

    /// What is left of it for each of `count`, in bytes, rounded up.
    pub(crate) const fn bytes_each(self, count: i64) -> i64 {
        (self.bytes + count - 1) / count
    }
}

impl std::ops::Add for Heap {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            blocks: self.blocks + other.blocks,
        }
    }
}

impl std::ops::Sub for Heap {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            bytes: self.bytes - other.bytes,
            blocks: self.blocks - other.blocks,
        }
    }
}

impl fmt::Display for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes in {} blocks", self.bytes, self.blocks)
    }
}
