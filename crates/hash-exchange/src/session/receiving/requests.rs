use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Channel, Early, Key, Receiving, Wanted};
use crate::session::input::Note;
use crate::wire::rpc;
use crate::{Event, Hash, Misuse, ProtocolError, ResponseId, Verifier};

impl<S> Receiving<S> {
    /// Where our REQUESTs end, to return to when one cannot be sent.
    pub(in crate::session) fn mark(&self) -> (usize, usize) {
        (self.wanted.len(), self.wanted_hashes)
    }

    pub(in crate::session) fn rewind(&mut self, (len, hashes): (usize, usize)) {
        self.wanted.truncate(len);
        self.wanted_hashes = hashes;
    }

    /// Adds a REQUEST for at most `room` hashes, each once, and encodes them.
    pub(in crate::session) fn ask<'h>(
        &mut self,
        hashes: impl IntoIterator<Item = &'h Hash>,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        let mut asked = BTreeSet::new();
        let mut count = 0;
        for hash in hashes {
            if !asked.insert(hash) {
                continue;
            }
            count += 1;
            if count > room {
                return Err(Misuse::TooManyRequested);
            }
            rpc::write_hash(hash, out);
            self.wanted.push_back(Wanted::Hash(hash.clone()));
        }
        self.wanted_hashes += count;
        self.wanted.push_back(Wanted::End);
        Ok(())
    }

    /// Adds a REQUEST for one hash.
    pub(in crate::session) fn ask_single(&mut self, hash: Hash) {
        self.wanted_hashes += 1;
        self.wanted.extend([Wanted::Hash(hash), Wanted::End]);
    }

    /// Breaks off a content: its channel and sequence number, if it has begun.
    pub(in crate::session) fn cancel(
        &mut self,
        id: ResponseId,
    ) -> Result<Option<(u32, u64)>, Misuse> {
        if self
            .ended
            .as_ref()
            .is_some_and(|(response, _)| response.id == id)
        {
            self.ended = None;
            return Ok(None);
        }
        let cancel = |(&key, channel): (&Key, &mut Channel<S>)| match channel {
            Channel::Response(response) if response.id == id && !response.cancelled => {
                response.cancelled = true;
                Some((key, response.sequence))
            }
            _ => None,
        };
        let cancelled = self.channels.iter_mut().find_map(cancel);
        let (key, sequence) = cancelled.ok_or(Misuse::NotOpen)?;
        self.responses -= 1;
        let Key::Channel(channel) = key else {
            return Ok(None);
        };
        self.channels.insert(key, Channel::Cancelled);
        Ok(Some((channel, sequence)))
    }

    pub(in crate::session) fn take_cancelled(&mut self) -> Option<(u32, u64)> {
        self.cancelled.pop()
    }

    pub(in crate::session) const fn has_cancelled(&self) -> bool {
        !self.cancelled.is_empty()
    }

    /// Hashes that no HASHES has settled yet.
    pub(in crate::session) const fn wanted(&self) -> usize {
        self.wanted_hashes
    }

    /// Contents that have not come to their end.
    pub(in crate::session) const fn responses(&self) -> usize {
        self.responses
    }

    /// All that we remember of our requests, in hashes.
    pub(in crate::session) fn requested(&self) -> usize {
        self.wanted_hashes + self.channels.len()
    }

    /// The peer owes us nothing.
    pub(in crate::session) fn is_settled(&self) -> bool {
        self.wanted.is_empty()
            && self.responses == 0
            && self.early.is_empty()
            && self.ended.is_none()
    }

    /// Nothing is worth remembering.
    pub(in crate::session) fn is_idle(&self) -> bool {
        self.is_settled()
            && self.channels.is_empty()
            && self.cancelled.is_empty()
            && !self.input.is_in_frame()
    }

    /// There may be something to tell before anything else is read.
    pub(in crate::session) const fn has_news(&self) -> bool {
        self.settling || self.replay.is_some() || self.ended.is_some()
    }

    pub(super) fn tell_announced(&mut self, sequence: u64) -> Event<'static> {
        let announced = self.channels.get(&Key::Announced(sequence));
        let Some(Channel::Response(response)) = announced else {
            unreachable!("what is announced stays so until it is told")
        };
        if self.early.contains_key(&sequence) {
            self.replay = Some(sequence);
        }
        Event::Response {
            response: response.id,
            hash: response.hash.clone(),
            sequence,
        }
    }

    /// A content whose channel is open ahead of its HASHES, with room for so many more bytes of it.
    pub(super) fn early(
        &mut self,
        sequence: u64,
        more: usize,
        most: u32,
    ) -> Result<&mut Early, ProtocolError> {
        self.early_bytes += more;
        if self.early_bytes > most as usize {
            return Err(ProtocolError::TooEarly);
        }
        let early = self.early.get_mut(&sequence);
        Ok(early.expect("its channel is open"))
    }

    /// A content that came early takes its place among the others. Its bytes so far are held for the event that tells them.
    pub(super) fn replay_early<V: Verifier<State = S>>(
        &mut self,
        sequence: u64,
        verifier: &V,
    ) -> Option<Note> {
        let early = self.early.remove(&sequence)?;
        self.early_bytes -= early.held();
        let announced = self.channels.remove(&Key::Announced(sequence));
        let Some(Channel::Response(mut response)) = announced else {
            unreachable!("what came early does not begin again")
        };
        let key = Key::Channel(early.channel);
        if response.cancelled {
            if early.ending.is_none() {
                self.channels.insert(key, Channel::Cancelled);
                self.cancelled.push((early.channel, sequence));
            }
            return None;
        }
        verifier.update(&mut response.state, &early.bytes);
        let id = response.id;
        match early.ending {
            Some(ending) => {
                self.responses -= 1;
                self.ended = Some((response, ending));
            }
            None => drop(self.channels.insert(key, Channel::Response(response))),
        }
        if early.bytes.is_empty() {
            return None;
        }
        self.input.hold(early.bytes);
        Some(Note::Early(id))
    }
}

/// Finds hashes in the oldest REQUEST, which an answer names in any order, though nearly always in that of the REQUEST.
#[derive(Default)]
pub(super) struct Places {
    next: usize,
    /// Made when the order is another, lest an answer cost the square of its length.
    index: Option<BTreeMap<Hash, usize>>,
}

impl Places {
    pub(super) fn find(&mut self, hash: &Hash, wanted: &VecDeque<Wanted>) -> Option<usize> {
        let is_at =
            |place: usize| matches!(wanted.get(place), Some(Wanted::Hash(at)) if at == hash);
        let place = if is_at(self.next) {
            self.next
        } else {
            let index = self.index.get_or_insert_with(|| {
                let request = wanted
                    .iter()
                    .take_while(|wanted| !matches!(wanted, Wanted::End));
                let places = request
                    .enumerate()
                    .filter_map(|(place, wanted)| match wanted {
                        Wanted::Hash(hash) => Some((hash.clone(), place)),
                        Wanted::Announced(_) | Wanted::End => None,
                    });
                places.collect()
            });
            index.get(hash).copied().filter(|&place| is_at(place))?
        };
        self.next = place + 1;
        Some(place)
    }
}
