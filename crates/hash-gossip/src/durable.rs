use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hash_exchange::Hash;

use crate::log::{Entry, Identity};
use crate::strategy::PeerIndex;
use crate::talk::{Talk, introduction};

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
    /// Of the journal so many lines were in the log when the node began.
    pub(crate) recovered: usize,
    /// The task that writes, when there is nothing to be written.
    writer: Option<Waker>,
    /// Why what is to be written could not be, the last time.
    pub(crate) trouble: Option<Rc<io::Error>>,
    /// As far as which position the log of each peer was seen.
    pub(crate) cursors: BTreeMap<Identity, u64>,
    /// What was said on the connection to each peer.
    pub(crate) talks: Vec<Talk>,
    /// The disk was put back to an earlier state.
    pub(crate) is_put_back: bool,
    /// When to say to peers how far they were offered the log.
    mark_at: Option<Duration>,
    /// When somebody may have said nothing for too long.
    greet_at: Option<Duration>,
}

/// So many bytes are written and synced at a time, if there are so many: a burst takes few syncs and little memory.
const BATCH: usize = 1 << 20;

/// The logs of so many peers are remembered: one that takes ever new names could otherwise fill the memory with them.
const MOST_CURSORS: usize = 1 << 16;

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

    /// It is known of every peer what to offer it.
    pub(crate) fn has_greeted_all(&self) -> bool {
        let mut talks = self.talks.iter();
        talks.all(|talk| talk.is_greeted || talk.greet_by.is_zero())
    }

    /// A connection to a peer stands, which has said nothing yet. Who the node is, to be said first.
    pub(crate) fn begin_talk(&mut self, peer: PeerIndex, greet_by: Duration) -> Option<Identity> {
        if self.talks.len() <= peer.index() {
            self.talks.resize_with(peer.index() + 1, Talk::default);
        }
        self.talks[peer.index()] = Talk::new(greet_by);
        sooner(&mut self.greet_at, greet_by);
        self.identity
    }

    /// The connection to a peer is lost. Whether the strategy had come to know of it.
    pub(crate) fn end_talk(&mut self, peer: PeerIndex) -> bool {
        let talk = self.talks.get_mut(peer.index()).map(std::mem::take);
        talk.is_some_and(|talk| talk.is_greeted)
    }

    /// Remembers how far the log of a peer was seen; false if there is no room for one more.
    pub(crate) fn remember(&mut self, peer: Identity, position: u64) -> bool {
        let has_room = self.cursors.len() < MOST_CURSORS || self.cursors.contains_key(&peer);
        if has_room {
            self.cursors.insert(peer, position);
        }
        has_room
    }

    /// To whom it can be said that these entries are durable, and of which position.
    pub(crate) fn seen_by(&self, entries: &[Entry]) -> impl Iterator<Item = (PeerIndex, u64)> {
        let cursors = entries.iter().filter_map(|entry| match entry {
            Entry::Cursor(peer, position) => Some((*peer, *position)),
            _ => None,
        });
        cursors.filter_map(|(identity, position)| {
            let peer = self.talks.iter().position(|it| it.peer == Some(identity))?;
            Some((PeerIndex::new(peer), position))
        })
    }

    /// The earlier of this and [`deadline`](Self::deadline).
    #[cold]
    pub(crate) fn due_or(&self, other: Option<Duration>) -> Option<Duration> {
        self.deadline().into_iter().chain(other).min()
    }

    /// When there is something to do because time has passed.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match (self.mark_at, self.greet_at) {
            (Some(mark), Some(greet)) => Some(mark.min(greet)),
            (mark, greet) => mark.or(greet),
        }
    }

    /// Those who have said nothing for too long.
    pub(crate) fn silent(&mut self, now: Duration) -> Vec<PeerIndex> {
        if self.greet_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.greet_at = None;
        let mut silent = Vec::new();
        for (index, talk) in self.talks.iter().enumerate() {
            match talk.greet_by {
                _ if talk.is_greeted || talk.greet_by.is_zero() => {}
                at if at <= now => silent.push(PeerIndex::new(index)),
                at => sooner(&mut self.greet_at, at),
            }
        }
        silent
    }

    /// Says how far the log was offered at this time, unless it is to be said sooner, if there is somebody to be told.
    pub(crate) fn mark_later(&mut self, at: Duration) {
        if self.mark_at.is_none() && self.talks.iter().any(|talk| self.is_behind(talk)) {
            self.mark_at = Some(at);
        }
    }

    /// Those to whom it is to be said now.
    pub(crate) fn take_unmarked(&mut self, now: Duration) -> Vec<PeerIndex> {
        if self.mark_at.take_if(|at| *at <= now).is_none() {
            return Vec::new();
        }
        let talks = self.talks.iter().enumerate();
        let behind = talks.filter(|(_, talk)| self.is_behind(talk));
        behind.map(|(index, _)| PeerIndex::new(index)).collect()
    }

    /// What says to this peer that all was offered that is durable.
    pub(crate) fn mark(&mut self, peer: PeerIndex) -> Option<String> {
        let (identity, synced) = (self.identity?, self.synced as u64);
        let talk = &mut self.talks[peer.index()];
        talk.marked = synced;
        talk.is_unseen = true;
        Some(introduction(identity, Some(synced)))
    }

    /// More is durable than this peer has seen, and it has seen all that it was told of.
    fn is_behind(&self, talk: &Talk) -> bool {
        let is_ready = talk.peer.is_some() && talk.is_greeted && !talk.is_unseen;
        is_ready && talk.marked < self.synced as u64
    }
}

fn sooner(at: &mut Option<Duration>, other: Duration) {
    *at = Some(at.map_or(other, |at| at.min(other)));
}
