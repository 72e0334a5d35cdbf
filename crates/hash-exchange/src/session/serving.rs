use std::collections::BTreeSet;

use super::{Answer, Closing, Session, channel_name, check_sequence, write_frame};
use crate::few::Few;
use crate::wire::frame::{FrameKind, channel_number};
use crate::wire::rpc;
use crate::{Event, Hash, Kind, Misuse, ProtocolError, ServedId, Tag, Verifier};

/// Contents that the peer has asked for and that are not yet sent.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "most applications choose no numbers, and there is one of these for each content served"
)]
pub(super) struct Serving {
    responses: Few<u32, Served>,
    /// The content that was served last: the round goes on behind it.
    last: u32,
    /// Bit n: the channel n + 2 is in use.
    channels: u64,
    /// The contents that have begun, by their channels.
    open: Few<u32, u32>,
    /// Numbers given out and not yet used, kept from the first one on that the application chose itself: those which we
    /// count cannot meet each other.
    announced: Option<Box<BTreeSet<u64>>>,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            responses: Few::None,
            // Behind the last number comes the first.
            last: u32::MAX,
            channels: 0,
            open: Few::None,
            announced: None,
        }
    }
}

#[derive(Debug)]
struct Served {
    hash: Hash,
    sequence: u64,
    /// It may begin once this many of our REQUESTs are answered.
    gate: u32,
    /// Zero until it begins.
    channel: u32,
}

/// Contents that are sent side by side, frame by frame in turn. The rest waits, in order. They are few, as whoever assembles them in
/// memory has to hold all that have begun: by default it has room for so many of the greatest length that it takes.
const SIDE_BY_SIDE: usize = 4;

/// Contents that have not begun, any of which may be the next to do so: one whose source has nothing to give yet holds up none of the
/// others. They are few as well, as a source that is looked at may open a file and fill a buffer.
const TRIED: usize = 16;

/// A frame has its length in a [`Tag`], in 32 bits.
const MAX_CHUNK: u32 = 1 << 30;

/// Lowest channel for contents: the messages have 1.
const FIRST_CHANNEL: u32 = 2;

impl<V: Verifier> Session<V> {
    /// Answers the oldest REQUEST that awaits it: which of its hashes were found, each at most once, and the sequence
    /// number of each; `None`: the session counts. A number that is given out and not yet used cannot be given out again:
    /// then the hash is left out, and no content is served for it.
    ///
    /// # Errors
    ///
    /// [`Misuse::NothingToAnswer`], [`Misuse::SequenceTooLarge`], [`Misuse::MessageTooLong`]: nothing is announced.
    pub fn respond(
        &mut self,
        found: impl IntoIterator<Item = (Hash, Option<u64>)>,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Misuse> {
        if self.unanswered() == 0 {
            return Err(Misuse::NothingToAnswer);
        }
        let (first, first_sequence) = (self.next_served, self.next_sequence);
        let start = self.begin(rpc::HASHES, out);
        let mut found = found.into_iter();
        let written = found
            .try_for_each(|(hash, sequence)| self.announce(hash, sequence, out))
            .and_then(|()| self.commit(Kind::Hashes, start, out));
        match written {
            Ok(tag) => {
                self.unanswered -= 1;
                Ok(Answer { tag, first })
            }
            Err(misuse) => {
                out.truncate(start);
                while self.next_served != first {
                    self.next_served = self.next_served.wrapping_sub(1);
                    self.forget(ServedId(self.next_served));
                }
                self.next_sequence = first_sequence;
                Err(misuse)
            }
        }
    }

    /// True while the content has not come to its end.
    pub fn is_serving(&self, served: ServedId) -> bool {
        let serving = self.serving.as_ref();
        serving.is_some_and(|serving| serving.responses.contains_key(&served.0))
    }

    /// The number of contents that have not come to their end.
    pub fn serving(&self) -> usize {
        self.serving
            .as_ref()
            .map_or(0, |serving| serving.responses.len())
    }

    /// The channel on which the content went of the last [`Event::Cancelled`].
    pub(crate) const fn cancelled_channel(&self) -> u32 {
        self.cancelled_channel
    }

    /// The content that is announced next.
    pub(crate) const fn next_served(&self) -> ServedId {
        ServedId(self.next_served)
    }

    /// REQUESTs that await [`respond`](Self::respond).
    pub const fn unanswered(&self) -> u32 {
        match self.closing {
            Closing::No | Closing::Due => self.unanswered,
            Closing::Sent => 0,
        }
    }

    /// The content whose turn it is, in a round over those that may write now: those that have begun and, as long as these are fewer
    /// than four, the first sixteen that have not. Whoever finds nothing to write for it simply asks for the next.
    ///
    /// A content may begin once every REQUEST is answered that we wrote before its HASHES: an npm peer reads our messages
    /// one after the other, and dies of a content whose HASHES it has not read yet.
    pub fn next_response(&mut self) -> Option<ServedId> {
        let answered = self.answered;
        let serving = self.serving.as_deref_mut()?;
        let behind = serving.last.wrapping_add(1);
        // Numbers wrap, so what is next is what is nearest behind the last one.
        let distance = |id: &u32| id.wrapping_sub(behind);
        let begun = serving.open.iter().map(|(_, &id)| id).min_by_key(distance);
        let may_begin = serving.open.len() < SIDE_BY_SIDE;
        let waiting = may_begin.then(|| serving.next_waiting(behind, answered));
        let next = begun.into_iter().chain(waiting.flatten());
        serving.last = next.min_by_key(distance)?;
        Some(ServedId(serving.last))
    }

    /// Sends the next bytes of a content: one frame, of at most 1 GiB; the npm package writes 64 KiB.
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`], [`Misuse::NotReady`], [`Misuse::MessageTooLong`].
    pub fn body(
        &mut self,
        served: ServedId,
        chunk: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Tag, Misuse> {
        if chunk.len() > MAX_CHUNK as usize {
            let (len, limit) = (chunk.len(), MAX_CHUNK);
            return Err(Misuse::MessageTooLong { len, limit });
        }
        let (channel, name) = self.open(served)?;
        Ok(write_frame(
            Kind::Body,
            channel,
            name,
            FrameKind::Data,
            Some(chunk),
            out,
        ))
    }

    /// Ends a content: it was sent whole.
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`], [`Misuse::NotReady`].
    pub fn finish(&mut self, served: ServedId, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        let (channel, name) = self.open(served)?;
        self.forget(served);
        Ok(write_frame(
            Kind::End,
            channel,
            name,
            FrameKind::End,
            None,
            out,
        ))
    }

    /// Breaks off a content: it cannot be sent whole. The message is for a person to read; it may be empty.
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`], [`Misuse::NotReady`].
    pub fn fail(
        &mut self,
        served: ServedId,
        message: &str,
        out: &mut Vec<u8>,
    ) -> Result<Tag, Misuse> {
        let (channel, name) = self.open(served)?;
        self.forget(served);
        let message = (!message.is_empty()).then_some(message.as_bytes());
        Ok(write_frame(
            Kind::Error,
            channel,
            name,
            FrameKind::Error,
            message,
            out,
        ))
    }

    /// The peer asks for so many hashes.
    pub(super) fn asked_for(&self, hashes: usize) -> Result<(), ProtocolError> {
        let asked = self.serving() + self.unanswered() as usize + hashes;
        let limit = self.limits().served;
        if asked > limit as usize {
            return Err(ProtocolError::TooManyServed { asked, limit });
        }
        Ok(())
    }

    /// The peer does not want the rest of what we send on this channel. The name tells whether it means what the channel
    /// carries now, or what it carried before.
    pub(super) fn cancelled(&mut self, channel: u32, name: Option<&str>) -> Option<Event<'static>> {
        let serving = self.serving.as_ref()?;
        let &id = serving.open.get(&channel)?;
        let served = serving.responses.get(&id)?;
        let meant = name.is_none_or(|name| {
            channel_number(channel, Some(name)) == Ok(channel_name(served.sequence))
        });
        if !meant {
            return None;
        }
        let (served, hash) = (ServedId(id), served.hash.clone());
        self.forget(served);
        self.cancelled_channel = channel;
        Some(Event::Cancelled { served, hash })
    }

    fn announce(
        &mut self,
        hash: Hash,
        sequence: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        check_sequence(sequence)?;
        let id = self.next_served;
        self.next_served = id.wrapping_add(1);
        let serving = self.serving.get_or_insert_default();
        let sequence = match sequence {
            Some(sequence) => sequence,
            None => serving.count(&mut self.next_sequence),
        };
        if !serving.give_out(sequence, &mut self.next_sequence) {
            return Ok(());
        }
        rpc::write_mapping(&hash, sequence, out);
        let served = Served {
            hash,
            sequence,
            gate: self.asked,
            channel: 0,
        };
        serving.responses.insert(id, served);
        Ok(())
    }

    /// The channel of a content, and its name if this is its first frame.
    fn open(&mut self, id: ServedId) -> Result<(i32, Option<u64>), Misuse> {
        let answered = self.answered;
        let serving = self.serving.as_deref_mut().ok_or(Misuse::NotOpen)?;
        let is_free = serving.channels != u64::MAX;
        let served = serving.responses.get_mut(&id.0).ok_or(Misuse::NotOpen)?;
        if served.channel != 0 {
            return Ok((served.channel.cast_signed(), None));
        }
        if !is_free || !served.may_write(answered) {
            return Err(Misuse::NotReady);
        }
        let lowest = serving.channels.trailing_ones();
        serving.channels |= 1 << lowest;
        served.channel = FIRST_CHANNEL + lowest;
        serving.open.insert(served.channel, id.0);
        if let Some(announced) = &mut serving.announced {
            announced.remove(&served.sequence);
        }
        Ok((
            served.channel.cast_signed(),
            Some(channel_name(served.sequence)),
        ))
    }

    fn forget(&mut self, id: ServedId) {
        let Some(serving) = &mut self.serving else {
            return;
        };
        if let Some(served) = serving.responses.remove(&id.0) {
            match (slot(served.channel), &mut serving.announced) {
                (Some(slot), _) => {
                    serving.channels &= !slot;
                    serving.open.remove(&served.channel);
                }
                (None, Some(announced)) => drop(announced.remove(&served.sequence)),
                (None, None) => {}
            }
        }
        if serving.responses.is_empty() {
            self.serving = None;
        }
    }
}

impl Serving {
    /// Of the contents that are tried next, the first from this number on, or else the first.
    fn next_waiting(&self, behind: u32, answered: u32) -> Option<u32> {
        let waiting = self
            .responses
            .iter()
            .filter(|(_, served)| served.channel == 0);
        let ready = waiting
            .take(TRIED)
            .take_while(|(_, served)| served.may_write(answered));
        let mut ids = ready.map(|(&id, _)| id);
        let first = ids.next()?;
        if first >= behind {
            return Some(first);
        }
        ids.find(|&id| id >= behind).or(Some(first))
    }

    /// The next number that is not given out.
    fn count(&self, next: &mut u64) -> u64 {
        if let Some(announced) = &self.announced {
            while announced.contains(next) {
                *next += 1;
            }
        }
        *next
    }

    /// Gives a number out; false if it is given out already. `next` is the number that we count with.
    fn give_out(&mut self, sequence: u64, next: &mut u64) -> bool {
        if sequence == *next {
            *next += 1;
        } else if self.announced.is_none() {
            let unused = self
                .responses
                .iter()
                .filter(|(_, served)| served.channel == 0);
            let unused = unused.map(|(_, served)| served.sequence).collect();
            self.announced = Some(Box::new(unused));
        }
        self.announced
            .as_mut()
            .is_none_or(|announced| announced.insert(sequence))
    }
}

impl Served {
    fn may_write(&self, answered: u32) -> bool {
        // Both counters wrap, so their difference is what compares.
        self.channel != 0 || answered.wrapping_sub(self.gate).cast_signed() >= 0
    }
}

fn slot(channel: u32) -> Option<u64> {
    1_u64.checked_shl(channel.checked_sub(FIRST_CHANNEL)?)
}
