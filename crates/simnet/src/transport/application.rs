use std::io;
use std::task::{Context, Poll};

use crate::core::{Arrival, Core};
use crate::draw::{Purpose, bounded, chance, draw, mix};
use crate::end::{End, State, WriterIs, owner};
use crate::event::Kind;
use crate::node::Side;
use crate::{NodeId, Probability};

const SPLIT: Purpose = Purpose::new("simnet.split");
const SPLIT_AT: Purpose = Purpose::new("simnet.split_at");

/// What the application does to a stream.
impl Core {
    /// Begins a connection; its end's slot.
    pub(crate) fn connect(&mut self, id: NodeId, dest: NodeId, port: u16) -> u32 {
        // A stream is told from others of the pair by when it was dialled, and from those dialled at the same time by how many
        // there were: nothing needs to be remembered for that.
        let now = self.now.as_nanos();
        let others = self.node(id).ends.iter();
        let others = others.filter(|end| end.peer == dest && end.state != State::Free);
        let dial = mix(mix(now) ^ others.count() as u64);
        let owner = owner(self.plan.seed, id, dest, id, dial);
        let slot = self.allocate(id, dest, State::Connecting, owner);
        self.send(id, slot, Kind::Syn, u32::from(port), &dial.to_le_bytes());
        slot
    }

    pub(crate) fn poll_connected(
        &mut self,
        id: NodeId,
        slot: u32,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let end = &self.node(id).ends[slot as usize];
        match (end.state, end.error()) {
            (State::Open, _) => Poll::Ready(Ok(())),
            (_, Some(error)) => Poll::Ready(Err(error)),
            _ => {
                self.wait(id, slot, Side::Write, cx);
                Poll::Pending
            }
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        id: NodeId,
        slot: u32,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let end = &self.node(id).ends[slot as usize];
        if let Some(error) = end.error() {
            return Poll::Ready(Err(error));
        }
        if end.writer_is != WriterIs::Writing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(end.credit as usize);
        if length == 0 && !bytes.is_empty() {
            self.wait(id, slot, Side::Write, cx);
            return Poll::Pending;
        }
        let node = self.node(id);
        let end = &mut node.ends[slot as usize];
        end.credit -= length as u32;
        let (accepted, overflowed) = end.accepted.overflowing_add(length as u32);
        end.accepted = accepted;
        if overflowed {
            let peer = end.peer;
            *node.rare().past.entry(peer).or_default() += 1 << 32;
        }
        node.carried.accepted += length as u64;
        let mut rest = &bytes[..length];
        while !rest.is_empty() {
            let size = self.segment_size(id, slot, rest.len());
            let (segment, behind) = rest.split_at(size);
            self.send(id, slot, Kind::Data, 0, segment);
            rest = behind;
        }
        Poll::Ready(Ok(length))
    }

    pub(crate) fn poll_read(
        &mut self,
        id: NodeId,
        slot: u32,
        cx: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = match self.copy_arrival(slot, buffer) {
            0 => self.copy_unread(id, slot, buffer),
            read => read,
        };
        let end = &mut self.node(id).ends[slot as usize];
        if read == 0 {
            return match end.error() {
                _ if end.ended => Poll::Ready(Ok(0)),
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    self.wait(id, slot, Side::Read, cx);
                    Poll::Pending
                }
            };
        }
        end.unreturned += read as u32;
        let (unreturned, open) = (end.unreturned, end.state == State::Open && !end.ended);
        if open && unreturned >= self.plan.streams.window / 2 {
            self.node(id).ends[slot as usize].unreturned = 0;
            self.send(id, slot, Kind::Credit, unreturned, &[]);
        }
        Poll::Ready(Ok(read))
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self, id: NodeId, slot: u32) -> io::Result<()> {
        let end = &mut self.node(id).ends[slot as usize];
        if end.writer_is != WriterIs::Writing {
            return Ok(());
        }
        if let Some(error) = end.error() {
            return Err(error);
        }
        end.writer_is = WriterIs::Finished;
        self.send(id, slot, Kind::Fin, 0, &[]);
        Ok(())
    }

    /// The application lets go of a stream, or of an attempt to connect. What it wrote still goes out.
    pub(crate) fn let_go(&mut self, id: NodeId, slot: u32) {
        if self.running == Some(id) {
            let is_its =
                |it: &mut Arrival| matches!(it, Arrival::Segment { slot: of, .. } if *of == slot);
            self.arrival.take_if(is_its);
        }
        self.abandon(id, slot, WriterIs::Gone);
    }

    /// Nobody reads here any more, nor writes; `writer_is` says why.
    pub(super) fn abandon(&mut self, id: NodeId, slot: u32, writer_is: WriterIs) {
        let node = self.node(id);
        node.forget_unread(slot);
        let end = &mut node.ends[slot as usize];
        let was = std::mem::replace(&mut end.writer_is, writer_is);
        if end.state == State::Open {
            if was == WriterIs::Writing {
                self.send(id, slot, Kind::Fin, 0, &[]);
            }
            if !self.node(id).is_settled(slot) {
                return;
            }
        }
        self.free(id, slot);
    }

    fn copy_arrival(&mut self, slot: u32, buffer: &mut [u8]) -> usize {
        let Some(Arrival::Segment { slot: of, bytes }) = &mut self.arrival else {
            return 0;
        };
        if *of != slot {
            return 0;
        }
        let copied = self.window.bytes(bytes.take(buffer.len()));
        buffer[..copied.len()].copy_from_slice(copied);
        if bytes.len() == 0 {
            self.arrival = None;
        }
        copied.len()
    }

    fn copy_unread(&mut self, id: NodeId, slot: u32, buffer: &mut [u8]) -> usize {
        let node = self.node(id);
        let Some(unread) = node.unread(slot) else {
            return 0;
        };
        let waiting = &unread.bytes[unread.read..];
        let length = waiting.len().min(buffer.len());
        buffer[..length].copy_from_slice(&waiting[..length]);
        unread.read += length;
        if unread.read == unread.bytes.len() {
            node.forget_unread(slot);
        }
        length
    }

    /// The bytes of the next segment, of `length` that wait.
    fn segment_size(&mut self, id: NodeId, slot: u32, length: usize) -> usize {
        let size = length.min(self.plan.streams.segment as usize);
        let split = self.plan.streams.split;
        if split == Probability::ZERO || size < 2 {
            return size;
        }
        let seed = self.plan.seed;
        let end = &self.node(id).ends[slot as usize];
        let counter = u64::from(end.send_sequence);
        if !chance(draw(seed, SPLIT, end.owner, counter), split) {
            return size;
        }
        let raw = draw(seed, SPLIT_AT, end.owner, counter);
        1 + bounded(raw, size as u64 - 1) as usize
    }
}

impl End {
    /// Why nothing can be sent or received any more.
    fn error(&self) -> Option<io::Error> {
        let kind = match self.state {
            _ if self.writer_is == WriterIs::Orphaned => io::ErrorKind::ConnectionReset,
            State::Open | State::Connecting => return None,
            State::Refused => io::ErrorKind::ConnectionRefused,
            State::TimedOut => io::ErrorKind::TimedOut,
            State::Reset | State::Free => io::ErrorKind::ConnectionReset,
        };
        Some(kind.into())
    }
}
