use crate::Tag;

/// A buffer that connections encode into: see [`Connection::lend`](crate::Connection::lend).
#[derive(Debug, Default)]
pub struct Buffer(Option<Box<Output>>);

#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    /// So many of them are with the transport.
    written: usize,
    /// Bytes of answers put in, less all bytes taken since: at least as many answers wait as that.
    answers: usize,
}

impl Buffer {
    /// One without heap.
    pub(super) const NONE: Self = Self(None);

    /// Bytes that it has room for.
    pub fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |output| output.bytes.capacity())
    }

    #[inline]
    pub(super) const fn has_heap(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0.get_or_insert_default().bytes
    }

    #[inline]
    pub(super) fn unwritten(&self) -> &[u8] {
        match &self.0 {
            Some(output) => &output.bytes[output.written..],
            None => &[],
        }
    }

    /// Nothing in it waits to be written.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.unwritten().is_empty()
    }

    /// Bytes of answers that the peer has made us write, beyond what it has taken since.
    pub(super) fn answers(&self) -> usize {
        self.0.as_ref().map_or(0, |output| output.answers)
    }

    /// A frame put in answers the peer.
    pub(super) fn answered(&mut self, tag: Tag) {
        self.0.get_or_insert_default().answers += tag.bytes() as usize;
    }

    /// The transport took so many bytes. They go once they are more than what remains, so that a transport that never takes all
    /// there is makes nothing pile up.
    #[inline]
    pub(super) fn wrote(&mut self, len: usize) {
        let output = self.0.as_mut().expect("only what is there is written");
        output.written += len;
        output.answers = output.answers.saturating_sub(len);
        if output.written > output.bytes.len() / 2 {
            output.bytes.drain(..output.written);
            output.written = 0;
        }
    }
}
