use crate::NodeId;
use crate::core::Core;
use crate::end::{State, WriterIs};

/// What becomes of a node's streams when it stops. The application may keep its handles for as long as it likes: an end whose handle is still
/// there is orphaned, and its slot serves no other stream until that is dropped.
impl Core {
    /// The process has exited: its streams end as if all of them were dropped, and `backlog` are those that it never took.
    pub(crate) fn close_streams(&mut self, id: NodeId, backlog: impl Iterator<Item = u32>) {
        backlog.for_each(|slot| self.let_go(id, slot));
        for slot in self.slots_with_handles(id) {
            self.abandon(id, slot, WriterIs::Orphaned);
        }
    }

    /// The power has gone: no stream is known any more, nobody is told, and what its lines hold is gone with it.
    pub(crate) fn lose_streams(&mut self, id: NodeId, backlog: impl Iterator<Item = u32>) {
        let node = self.node(id);
        let lines = node.rare.as_mut().and_then(|rare| rare.lines.take());
        node.carried.discarded += lines.as_ref().map_or(0, |lines| lines.data_bytes());
        if let Some(lines) = lines {
            self.lose_datagrams(id, lines.datagrams());
        }
        backlog.for_each(|slot| self.node(id).ends[slot as usize].writer_is = WriterIs::Gone);
        for slot in self.slots_with_handles(id) {
            self.node(id).ends[slot as usize].writer_is = WriterIs::Orphaned;
        }
        for slot in 0..self.node(id).ends.len() as u32 {
            if self.node(id).ends[slot as usize].state != State::Free {
                self.free(id, slot);
            }
        }
    }

    /// The slots of the ends that the application has not let go of.
    fn slots_with_handles(&mut self, id: NodeId) -> Vec<u32> {
        let ends = (0..).zip(&self.node(id).ends);
        let kept = ends.filter(|(_, end)| end.state != State::Free && !end.is_let_go());
        kept.map(|(slot, _)| slot).collect()
    }
}
