use std::collections::BTreeMap;

use super::wanted::Wanted;
use super::{Channel, Ending, Key, Rare, Receiving, Response};
use crate::session::input::{Input, Note};
use crate::{Event, Hash, Misuse, ResponseId, Verifier};

impl<S> Receiving<S> {
    /// Adds a REQUEST, as [`write_request`] gave it.
    pub(in crate::session) fn ask(&mut self, request: Vec<Wanted>) {
        self.wanted.push(request);
    }

    /// Adds a REQUEST for one hash.
    pub(in crate::session) fn ask_single(&mut self, hash: Hash) {
        self.wanted.push_single(hash);
    }

    pub(super) fn rare(&mut self) -> &mut Rare<S> {
        self.rare.get_or_insert_default()
    }

    /// The frame that has come in part, if anything is known of it.
    pub(in crate::session) fn input(&self) -> Option<&Input> {
        self.rare.as_ref().map(|rare| &rare.input)
    }

    pub(in crate::session) fn input_mut(&mut self) -> &mut Input {
        &mut self.rare().input
    }

    /// What holds the bytes that an event borrows.
    pub(in crate::session) fn held(&self) -> &Input {
        self.input().expect("it holds the bytes")
    }

    pub(in crate::session) fn is_in_frame(&self) -> bool {
        self.input().is_some_and(Input::is_in_frame)
    }

    /// Frees the bytes that the last event borrowed.
    pub(in crate::session) fn release(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.input.release();
        }
    }

    /// Frees what holds nothing.
    pub(in crate::session) fn shrink(&mut self) {
        if let Some(rare) = &mut self.rare
            && self.channels.is_empty()
        {
            rare.places = None;
        }
        if self.rare.as_ref().is_some_and(|rare| rare.is_empty()) {
            self.rare = None;
        }
    }

    /// Breaks off a content: its channel and sequence number, if it has begun.
    pub(in crate::session) fn cancel(
        &mut self,
        id: ResponseId,
    ) -> Result<Option<(u32, u64)>, Misuse> {
        if let Some(rare) = &mut self.rare
            && let Some((response, _)) = &rare.ended
            && response.id == id
        {
            rare.ended = None;
            return Ok(None);
        }
        let key = self.find(id).ok_or(Misuse::NotOpen)?;
        let Some(Channel::Response(response)) = self.channels.get_mut(&key) else {
            unreachable!("it was just found")
        };
        response.cancelled = true;
        let sequence = response.sequence;
        self.displace(id);
        let Some(channel) = key.as_channel() else {
            self.rare().declined += 1;
            return Ok(None);
        };
        self.cancel_channel(channel);
        // The number zero cannot be negated, hence its content cannot be broken off: it comes, and counts for nothing.
        Ok((channel != 0).then_some((channel, sequence)))
    }

    /// What comes on this channel is not wanted, and the peer is owed a word of it.
    pub(super) fn refuse(&mut self, channel: u32, sequence: u64) {
        self.cancel_channel(channel);
        if channel != 0 {
            self.rare().cancelled.push((channel, sequence));
        }
    }

    /// What comes on this channel counts for nothing, until a name opens it anew.
    fn cancel_channel(&mut self, channel: u32) {
        self.rare().cancelled_channels += 1;
        self.channels
            .insert(Key::channel(channel), Channel::Cancelled);
    }

    /// The channel ends, or is used anew. False: it was not one with a content that we have cancelled.
    pub(super) fn remove_cancelled(&mut self, key: Key) -> bool {
        let is_cancelled = matches!(self.channels.get(&key), Some(Channel::Cancelled));
        if is_cancelled {
            self.channels.remove(&key);
            self.rare().cancelled_channels -= 1;
        }
        is_cancelled
    }

    pub(super) fn cancelled_channels(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.cancelled_channels)
    }

    /// Holds bytes of a content that comes ahead of its HASHES. If there is no room for them, it is cancelled, and has failed once
    /// its HASHES comes.
    pub(super) fn hold(&mut self, sequence: u64, chunk: &[u8], most: usize) {
        let rare = self.rare();
        let early = rare.early.get_mut(&sequence);
        let early = early.expect("its channel is open");
        if rare.early_bytes + chunk.len() <= most {
            rare.early_bytes += chunk.len();
            early.bytes.extend_from_slice(chunk);
            return;
        }
        rare.early_bytes -= early.bytes.len();
        early.bytes = Vec::new();
        early.ending = Some(Ending::Refused);
        let channel = early.channel;
        self.refuse(channel, sequence);
    }

    /// The number that a content goes by, if it is open.
    fn find(&mut self, id: ResponseId) -> Option<Key> {
        let open = |(&key, channel): (&Key, &Channel<S>)| {
            #[cfg(test)]
            tests::LOOKS.set(tests::LOOKS.get() + 1);
            match channel {
                Channel::Response(response) if !response.cancelled => Some((response.id, key)),
                _ => None,
            }
        };
        let mut open = self.channels.iter().filter_map(open);
        if self.channels.len() <= SEVERAL {
            return open.find(|(other, _)| *other == id).map(|(_, key)| key);
        }
        let places = &mut self.rare.get_or_insert_default().places;
        let places = places.get_or_insert_with(|| open.collect());
        places.get(&id).copied()
    }

    /// A content goes by this number from now on. What did so before, if anything.
    pub(super) fn place(&mut self, key: Key, response: Box<Response<S>>) -> Option<Channel<S>> {
        if let Some(places) = self.places() {
            places.insert(response.id, key);
        }
        self.channels.insert(key, Channel::Response(response))
    }

    /// The application will hear no more of a content.
    pub(super) fn displace(&mut self, id: ResponseId) {
        self.responses -= 1;
        if let Some(places) = self.places() {
            places.remove(&id);
        }
    }

    fn places(&mut self) -> Option<&mut BTreeMap<ResponseId, Key>> {
        self.rare.as_mut()?.places.as_mut()
    }

    pub(in crate::session) fn take_cancelled(&mut self) -> Option<(u32, u64)> {
        self.rare.as_mut()?.cancelled.pop()
    }

    pub(in crate::session) fn has_cancelled(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| !rare.cancelled.is_empty())
    }

    /// Hashes that no HASHES has settled yet.
    pub(in crate::session) fn wanted(&self) -> usize {
        self.wanted.hashes()
    }

    /// Contents that have not come to their end.
    pub(in crate::session) const fn responses(&self) -> usize {
        self.responses as usize
    }

    /// Hashes whose contents have not come to their end, those included that we cancelled and that have yet to begin. A channel whose
    /// content was cancelled as it came is none: the peer may never say another word on it.
    pub(in crate::session) fn requested(&self) -> usize {
        let declined = self.rare.as_ref().map_or(0, |rare| rare.declined);
        self.wanted.hashes() + self.responses() + declined
    }

    /// The peer owes us nothing. What came early needs no look of its own: the REQUEST that it belongs to goes only once it is told.
    pub(in crate::session) const fn is_settled(&self) -> bool {
        self.wanted.is_empty() && self.responses == 0
    }

    /// Nothing is worth remembering.
    pub(in crate::session) fn is_idle(&self) -> bool {
        self.is_settled()
            && self.channels.is_empty()
            && !self.has_cancelled()
            && !self.is_in_frame()
    }

    /// There may be something to tell before anything else is read.
    pub(in crate::session) const fn has_news(&self) -> bool {
        self.settling
    }

    /// There is something to tell, to hold or to send before the next frame is read.
    pub(in crate::session) fn is_busy(&self) -> bool {
        let input = self.input();
        self.has_news() || self.has_cancelled() || input.is_some_and(|input| !input.is_empty())
    }

    pub(super) fn tell_announced(&mut self, sequence: u64) -> Event<'static> {
        let announced = self.channels.get(&Key::announced(sequence));
        let Some(Channel::Response(response)) = announced else {
            unreachable!("what is announced stays so until it is told")
        };
        if let Some(rare) = &mut self.rare
            && rare.early.contains_key(&sequence)
        {
            rare.replay = Some(sequence);
        }
        Event::Response {
            response: response.id,
            hash: response.hash.clone(),
            sequence,
        }
    }

    /// A content that came early takes its place among the others. Its bytes so far are held for the event that tells them.
    pub(super) fn replay_early<V: Verifier<State = S>>(
        &mut self,
        sequence: u64,
        verifier: &V,
    ) -> Option<Note> {
        let rare = self.rare.as_mut()?;
        let early = rare.early.remove(&sequence)?;
        rare.early_bytes -= early.held();
        let announced = self.channels.remove(&Key::announced(sequence));
        let Some(Channel::Response(mut response)) = announced else {
            unreachable!("what came early does not begin again")
        };
        let key = Key::channel(early.channel);
        if response.cancelled {
            rare.declined -= 1;
            if early.ending.is_none() {
                self.refuse(early.channel, sequence);
            }
            return None;
        }
        let is_last = matches!(early.ending, Some(Ending::End));
        response.update(verifier, &early.bytes, is_last);
        let id = response.id;
        match early.ending {
            Some(ending) => {
                self.rare().ended = Some((response, ending));
                self.displace(id);
            }
            None => drop(self.place(key, response)),
        }
        if early.bytes.is_empty() {
            return None;
        }
        self.rare().input.hold(early.bytes);
        Some(Note::Early(id))
    }
}

/// Contents among which one is looked for one by one.
const SEVERAL: usize = 8;

impl<S> Rare<S> {
    /// A content comes to its end ahead of its HASHES. Of one that the peer broke off nothing is worth holding but the reason, if there
    /// is room for it.
    pub(super) fn end_early(&mut self, sequence: u64, mut ending: Ending, most: usize) {
        let early = self.early.get_mut(&sequence);
        let early = early.expect("its channel is open");
        if let Ending::Error(text) = &mut ending {
            self.early_bytes -= early.bytes.len();
            early.bytes = Vec::new();
            if self.early_bytes + text.len() > most {
                *text = "".into();
            }
            self.early_bytes += text.len();
        }
        early.ending = Some(ending);
    }

    fn is_empty(&self) -> bool {
        let Self {
            input,
            rpc_channels,
            early,
            early_bytes: _,
            replay,
            ended,
            cancelled,
            declined,
            cancelled_channels,
            places,
        } = self;
        input.is_empty()
            && *rpc_channels == 0
            && early.is_empty()
            && replay.is_none()
            && ended.is_none()
            && cancelled.is_empty()
            && *declined == 0
            && *cancelled_channels == 0
            && places.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::Session;

    thread_local! {
        /// Channels that were looked at to find a content among them.
        pub(super) static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// A peer may make us give up every content that it announces, one by one, while all are still remembered.
    #[test]
    fn to_cancel_many_contents_in_turn_looks_at_each_once() {
        const MANY: usize = 1000;
        let hashes: Vec<Hash> = (0..MANY).map(|n| Hash::new(&n.to_string())).collect();
        let (mut asking, mut serving) = (Session::default(), Session::default());
        let (mut there, mut back) = (Vec::new(), Vec::new());
        asking.request(&hashes, &mut there).unwrap();
        serving.receive(&mut &there[..]).unwrap();
        let found = hashes.into_iter().map(|hash| (hash, None));
        let answer = serving.respond(found, &mut back).unwrap();
        // Some begin: they go by another number.
        for n in 0..10 {
            serving.body(answer.served(n), b"beep", &mut back).unwrap();
        }
        let (mut input, mut coming) = (&back[..], Vec::new());
        while let Some(event) = asking.receive(&mut input).unwrap() {
            if let Event::Response { response, .. } = event {
                coming.push(response);
            }
        }
        assert_eq!(coming.len(), MANY);
        LOOKS.set(0);
        // The last ones are those that a search from the front finds last.
        for response in coming.into_iter().rev() {
            asking.cancel(response, &mut there).unwrap();
        }
        assert!(LOOKS.get() <= MANY, "{} looks", LOOKS.get());
    }
}
