use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hash_exchange::Hash;

use crate::log::{Entry, Identity};

/// What a node knows of its log. The log itself is with the task that writes it.
#[derive(Default)]
pub(crate) struct Durable {
    /// Who the node is; none until the log was read.
    pub(crate) identity: Option<Identity>,
    /// What was published before that.
    pub(crate) early: Vec<(Hash, Rc<[u8]>)>,
    /// Who waits for it.
    pub(crate) readers: Vec<Waker>,
    /// What is yet to be written.
    unwritten: VecDeque<Entry>,
    /// Of the journal so many lines are in the log, or are to be written.
    pub(crate) collected: usize,
    /// Of the journal so many lines are durable.
    pub(crate) synced: usize,
    is_writing: bool,
    /// The task that writes, when there is nothing to be written.
    writer: Option<Waker>,
    /// Why what is to be written could not be, the last time.
    pub(crate) trouble: Option<Rc<io::Error>>,
}

/// So many bytes are written and synced at a time, if there are so many: a burst takes few syncs and little memory.
const BATCH: usize = 1 << 20;

impl Durable {
    /// Adds to what is to be written. Gives back who is to be woken for it.
    pub(crate) fn push(&mut self, entry: Entry) -> Option<Waker> {
        self.unwritten.push_back(entry);
        self.writer.take()
    }

    /// What is to be written next; pending while that is nothing.
    pub(crate) fn poll_unwritten(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Entry>> {
        if self.unwritten.is_empty() {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut size = 0;
        let count = self.unwritten.iter().take_while(|entry| {
            let goes = size < BATCH;
            size += entry.size();
            goes
        });
        let count = count.count();
        self.is_writing = true;
        Poll::Ready(self.unwritten.drain(..count).collect())
    }

    /// These are durable now.
    pub(crate) fn note_written(&mut self, entries: &[Entry]) {
        let bodies = entries.iter().filter(|it| matches!(it, Entry::Body(..)));
        self.synced += bodies.count();
        self.is_writing = false;
        self.trouble = None;
    }

    /// Everything is durable that there is to be.
    pub(crate) fn has_written_all(&self) -> bool {
        self.identity.is_some() && self.unwritten.is_empty() && !self.is_writing
    }
}
