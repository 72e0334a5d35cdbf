mod requests;
mod wanted;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

pub(super) use self::wanted::write_request;
use self::wanted::{Places, Requests, Wanted};
use super::input::{Input, Step};
use super::{Closing, MAX_SEQUENCE, Session, short_end};
use crate::few::Few;
use crate::wire::frame::{Frame, FrameKind, channel_number};
use crate::wire::rpc::{self, Mappings, Message};
use crate::{BodyError, Event, Hash, Hashes, Limits, ProtocolError, ResponseId, Verifier};

/// What is under way towards us: a line of the cache, as long as it is one content at a time.
#[derive(Debug)]
pub(super) struct Receiving<S> {
    /// Our REQUESTs, oldest first, one after the other.
    wanted: Requests,
    /// Contents announced and begun, and all else that the peer's channels carry.
    channels: Few<Key, Channel<S>>,
    rare: Option<Box<Rare<S>>>,
    /// Contents in `channels` of which the application will hear more.
    responses: u32,
    /// The oldest REQUEST is answered: what it settles is told, event by event, before anything else is read.
    settling: bool,
}

/// What is seldom there.
#[derive(Debug)]
struct Rare<S> {
    input: Input,
    rpc_channels: u32,
    /// Contents that came before their HASHES, by sequence number.
    early: BTreeMap<u64, Early>,
    early_bytes: usize,
    /// The content that was announced last came early: its bytes are told next.
    replay: Option<u64>,
    /// Its bytes are told, and it has ended: its end is told next.
    ended: Option<(Box<Response<S>>, Ending)>,
    /// Channels with contents cancelled before they began, or refused ahead of their HASHES, and their sequence numbers: each is
    /// owed an ERROR.
    cancelled: Vec<(u32, u64)>,
    /// Contents cancelled that have yet to begin.
    declined: usize,
    /// Channels that are [`Channel::Cancelled`].
    cancelled_channels: usize,
    /// The numbers of the contents in `channels`, kept from the first one cancelled among many until all channels are gone: to
    /// cancel each of them in turn must not cost the square of their number.
    places: Option<BTreeMap<ResponseId, Key>>,
}

/// A content by the number that it goes by: the channel once it has begun, the sequence number before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    const CHANNELS: u64 = 1 << u32::BITS;

    fn channel(channel: u32) -> Self {
        Self(u64::from(channel))
    }

    /// Numbers that are too high for a content make a key that nothing has.
    const fn announced(sequence: u64) -> Self {
        Self(sequence.saturating_add(Self::CHANNELS))
    }

    /// The channel, if it is one.
    fn as_channel(self) -> Option<u32> {
        u32::try_from(self.0).ok()
    }
}

#[derive(Debug)]
enum Channel<S> {
    Response(Box<Response<S>>),
    /// A content whose HASHES has yet to come, by its sequence number.
    Early(u64),
    /// A content that we cancelled: what is still under way counts for nothing, until a name opens the channel anew.
    Cancelled,
    /// A further stream of messages.
    Rpc,
}

#[derive(Debug)]
struct Response<S> {
    id: ResponseId,
    cancelled: bool,
    /// The content was there whole, and this is what came of it.
    checked: Option<bool>,
    hash: Hash,
    sequence: u64,
    /// What its pieces so far come to, if there were any.
    state: Option<Box<S>>,
}

#[derive(Debug, Default)]
struct Early {
    bytes: Vec<u8>,
    channel: u32,
    ending: Option<Ending>,
}

#[derive(Debug)]
enum Ending {
    End,
    Error(Box<str>),
    /// There was no room for it ahead of its HASHES, and we have cancelled it.
    Refused,
}

/// Bytes of an ERROR's text that are kept: enough for a person to read, and too few to fill memory with.
const ERROR_TEXT: usize = 1024;

/// Where the frames of a channel go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Messages,
    Content,
    Nowhere,
}

impl<V: Verifier> Session<V> {
    /// What the peer's last HASHES has settled and is not yet told.
    pub(super) fn settle(&mut self) -> Result<Option<Step<'static>>, ProtocolError> {
        let Some(receiving) = self.receiving.as_deref_mut() else {
            return Ok(None);
        };
        loop {
            if let Some(rare) = receiving.rare.as_deref_mut() {
                if let Some((response, ending)) = rare.ended.take() {
                    let event = verdict(&self.verifier, *response, ending);
                    return Ok(Some(Step::Event(event)));
                }
                if let Some(sequence) = rare.replay.take() {
                    if let Some(note) = receiving.replay_early(sequence, &self.verifier) {
                        return Ok(Some(Step::Held(note)));
                    }
                    continue;
                }
            }
            if !receiving.settling {
                return Ok(None);
            }
            match receiving.wanted.pop() {
                Some(Wanted::Hash(hash)) => {
                    return Ok(Some(Step::Event(Event::NotFound { hash })));
                }
                Some(Wanted::Announced(sequence)) => {
                    return Ok(Some(Step::Event(receiving.tell_announced(sequence))));
                }
                Some(Wanted::End) | None => receiving.settling = false,
            }
            let rare = receiving.rare.as_deref();
            let unannounced = rare.and_then(|rare| rare.early.keys().next());
            if let (true, Some(&sequence)) = (receiving.wanted.is_empty(), unannounced) {
                return Err(ProtocolError::Unannounced { sequence });
            }
        }
    }

    /// The channel on which the frames of a content come, to be passed on as they do: none in the inner option if nobody
    /// wants them, none in the outer one if they are messages.
    pub(super) fn content_channel(
        &mut self,
        channel: i32,
        name: Option<&str>,
    ) -> Result<Option<Option<u32>>, ProtocolError> {
        let Ok(channel) = u32::try_from(channel) else {
            return Ok(Some(None));
        };
        Ok(match self.route(channel, name)? {
            Route::Messages => None,
            Route::Content => Some(Some(channel)),
            Route::Nowhere => Some(None),
        })
    }

    /// Reads a frame on a channel that the peer opened, or opens with it. `rest`: what comes behind it, as far as it is here.
    #[inline]
    pub(super) fn frame_on<'m>(
        &mut self,
        channel: u32,
        frame: &Frame<'m>,
        rest: &[u8],
    ) -> Result<Step<'m>, ProtocolError> {
        let route = self.route(channel, frame.name)?;
        match (route, frame.kind) {
            (Route::Messages, FrameKind::Data) => self.message(frame.data),
            (Route::Content, FrameKind::Data) => self.data(channel, frame.data, rest),
            (Route::Nowhere, FrameKind::Data) => Ok(Step::Silent),
            (_, FrameKind::End) => self.end_channel(channel, Ending::End),
            (_, FrameKind::Error) => self.end_channel(channel, Ending::error(frame.data)),
        }
    }

    /// The next bytes of a content. `rest`: what comes behind them, as far as it is here.
    pub(super) fn data<'m>(
        &mut self,
        channel: u32,
        chunk: &'m [u8],
        rest: &[u8],
    ) -> Result<Step<'m>, ProtocolError> {
        let most = self.limits().early_bytes as usize;
        let receiving = self.receiving.as_deref_mut();
        let receiving = receiving.expect("the channel is open");
        match receiving.channels.get_mut(&Key::channel(channel)) {
            Some(Channel::Response(response)) if !chunk.is_empty() => {
                response.update(&self.verifier, chunk, ends(channel, rest));
                let response = response.id;
                return Ok(Step::Event(Event::Body { response, chunk }));
            }
            Some(&mut Channel::Early(sequence)) => receiving.hold(sequence, chunk, most),
            _ => {}
        }
        Ok(Step::Silent)
    }

    /// Whether the channel is the peer's first stream of messages.
    #[inline]
    pub(super) fn is_messages(&self, channel: u32) -> bool {
        self.rpc_channel == one_more(channel)
    }

    /// Whether a frame is of a stream of messages, open or opened by it.
    pub(super) fn carries_messages(&self, channel: i32, name: Option<&str>) -> bool {
        let Ok(channel) = u32::try_from(channel) else {
            return false;
        };
        let receiving = self.receiving.as_ref();
        let open = receiving.and_then(|it| it.channels.get(&Key::channel(channel)));
        match open {
            _ if self.is_messages(channel) => true,
            Some(Channel::Rpc) => true,
            Some(Channel::Response(_) | Channel::Early(_)) => false,
            // A name opens it anew.
            Some(Channel::Cancelled) | None => channel_number(channel, name) == Ok(0),
        }
    }

    /// Finds the channel, or opens it: any frame on an unknown channel does.
    #[inline]
    fn route(&mut self, channel: u32, name: Option<&str>) -> Result<Route, ProtocolError> {
        if self.is_messages(channel) {
            return Ok(Route::Messages);
        }
        self.route_content(channel, name)
    }

    fn route_content(&mut self, channel: u32, name: Option<&str>) -> Result<Route, ProtocolError> {
        let named = name.is_some_and(|name| !name.is_empty());
        let key = Key::channel(channel);
        match self
            .receiving
            .as_ref()
            .and_then(|receiving| receiving.channels.get(&key))
        {
            Some(Channel::Response(_) | Channel::Early(_)) => Ok(Route::Content),
            Some(Channel::Rpc) => Ok(Route::Messages),
            Some(Channel::Cancelled) if !named => Ok(Route::Nowhere),
            Some(Channel::Cancelled) | None => self.open_channel(channel, name),
        }
    }

    fn open_channel(&mut self, channel: u32, name: Option<&str>) -> Result<Route, ProtocolError> {
        let Some(sequence) = channel_number(channel, name)?.checked_sub(1) else {
            return self.open_messages(channel);
        };
        let key = Key::channel(channel);
        let Limits {
            channels,
            early_channels,
            ..
        } = *self.limits();
        let Some(receiving) = self.receiving.as_deref_mut() else {
            return Err(ProtocolError::Unannounced { sequence });
        };
        if receiving.remove_cancelled(key) {
            // The number is used anew.
        } else if receiving.cancelled_channels() >= channels as usize {
            return Err(ProtocolError::TooManyChannels { limit: channels });
        }
        match receiving.channels.remove(&Key::announced(sequence)) {
            Some(Channel::Response(response)) if response.cancelled => {
                receiving.rare().declined -= 1;
                receiving.refuse(channel, sequence);
                return Ok(Route::Nowhere);
            }
            Some(Channel::Response(response)) => {
                receiving.place(key, response);
                return Ok(Route::Content);
            }
            Some(_) => unreachable!("only contents are announced"),
            None => {}
        }
        // Each content is of a hash that was asked for.
        let wanted = receiving.wanted.hashes();
        let rare = receiving.rare();
        if rare.early.len() >= wanted || rare.early.contains_key(&sequence) {
            return Err(ProtocolError::Unannounced { sequence });
        }
        let is_refused = rare.early.len() >= early_channels as usize;
        let early = Early {
            channel,
            bytes: Vec::new(),
            ending: is_refused.then_some(Ending::Refused),
        };
        rare.early.insert(sequence, early);
        if is_refused {
            receiving.refuse(channel, sequence);
            return Ok(Route::Nowhere);
        }
        receiving.channels.insert(key, Channel::Early(sequence));
        Ok(Route::Content)
    }

    /// The first stream of messages is remembered in the session itself: it is there all the time.
    fn open_messages(&mut self, channel: u32) -> Result<Route, ProtocolError> {
        if self.rpc_channel.is_none() {
            if let Some(receiving) = &mut self.receiving {
                receiving.remove_cancelled(Key::channel(channel));
            }
            self.rpc_channel = one_more(channel);
            return Ok(Route::Messages);
        }
        let limit = self.limits().rpc_channels;
        let receiving = self.receiving.get_or_insert_default();
        let rare = receiving.rare();
        if rare.rpc_channels + 1 >= limit {
            return Err(ProtocolError::TooManyStreams { limit });
        }
        rare.rpc_channels += 1;
        let key = Key::channel(channel);
        receiving.remove_cancelled(key);
        receiving.channels.insert(key, Channel::Rpc);
        Ok(Route::Messages)
    }

    /// A channel ends, well or badly, and its number is free again.
    fn end_channel(
        &mut self,
        channel: u32,
        ending: Ending,
    ) -> Result<Step<'static>, ProtocolError> {
        if self.rpc_channel == one_more(channel) {
            self.rpc_channel = None;
            return Ok(Step::Silent);
        }
        let most = self.limits().early_bytes as usize;
        let Some(receiving) = self.receiving.as_deref_mut() else {
            return Ok(Step::Silent);
        };
        let key = Key::channel(channel);
        if receiving.remove_cancelled(key) {
            return Ok(Step::Silent);
        }
        match receiving.channels.remove(&key) {
            Some(Channel::Response(response)) => {
                receiving.displace(response.id);
                return Ok(Step::Event(verdict(&self.verifier, *response, ending)));
            }
            Some(Channel::Early(sequence)) => receiving.rare().end_early(sequence, ending, most),
            Some(Channel::Rpc) => receiving.rare().rpc_channels -= 1,
            Some(Channel::Cancelled) | None => {}
        }
        Ok(Step::Silent)
    }

    /// An AVAILABLE, or a REQUEST.
    #[inline]
    pub(super) fn list<'m>(
        &mut self,
        kind: u64,
        hashes: Hashes<'m>,
    ) -> Result<Step<'m>, ProtocolError> {
        if kind == rpc::AVAILABLE {
            let (offered, limit) = (hashes.len(), self.limits().offered);
            if offered > limit as usize {
                return Err(ProtocolError::TooManyOffered { offered, limit });
            }
            return Ok(Step::Event(Event::Available(hashes)));
        }
        // Whoever has read our CLOSE reads no HASHES any more: a content would come unannounced.
        if self.closing == Closing::Sent {
            self.unanswered = self.unanswered.saturating_add(1);
            return Ok(Step::Silent);
        }
        self.asked_for(hashes.len())?;
        self.unanswered += 1;
        Ok(Step::Event(Event::Request(hashes)))
    }

    #[inline]
    fn message<'m>(&mut self, message: &'m [u8]) -> Result<Step<'m>, ProtocolError> {
        Ok(Step::Event(match Message::parse(message)? {
            Message::Available(hashes) => return self.list(rpc::AVAILABLE, hashes),
            Message::Request(hashes) => return self.list(rpc::REQUEST, hashes),
            Message::Hashes(mappings) => {
                self.announced(mappings)?;
                return Ok(Step::Silent);
            }
            Message::Close if self.close_received => return Ok(Step::Silent),
            Message::Close => {
                self.close_received = true;
                Event::Close
            }
            Message::Since(sequence) => Event::Since(legal(sequence)?),
            Message::Seen(sequence) => Event::Seen(legal(sequence)?),
            Message::Id(id) => Event::Id(id),
        }))
    }

    /// HASHES: the oldest REQUEST is answered.
    fn announced(&mut self, mappings: Mappings<'_>) -> Result<(), ProtocolError> {
        let receiving = self.receiving.as_deref_mut();
        let receiving = receiving.filter(|receiving| !receiving.wanted.is_empty());
        let receiving = receiving.ok_or(ProtocolError::Unasked)?;
        let mut places = Places::default();
        for mapping in mappings {
            let (hash, sequence) = mapping?;
            legal(Some(sequence))?;
            let Some(place) = places.find(&hash, &receiving.wanted) else {
                return Err(ProtocolError::Unrequested(hash));
            };
            receiving.wanted.announce(place, sequence);
            receiving.responses += 1;
            let response = Box::new(Response {
                id: ResponseId(self.next_response),
                cancelled: false,
                checked: None,
                hash,
                sequence,
                state: None,
            });
            self.next_response = self.next_response.wrapping_add(1);
            if receiving
                .place(Key::announced(sequence), response)
                .is_some()
            {
                return Err(ProtocolError::SequenceTaken(sequence));
            }
        }
        receiving.settling = true;
        self.answered = self.answered.wrapping_add(1);
        Ok(())
    }
}

impl<S> Default for Receiving<S> {
    fn default() -> Self {
        Self {
            wanted: Requests::None,
            channels: Few::None,
            rare: None,
            responses: 0,
            settling: false,
        }
    }
}

impl<S> Default for Rare<S> {
    fn default() -> Self {
        Self {
            input: Input::default(),
            rpc_channels: 0,
            early: BTreeMap::new(),
            early_bytes: 0,
            replay: None,
            ended: None,
            cancelled: Vec::new(),
            declined: 0,
            cancelled_channels: 0,
            places: None,
        }
    }
}

impl<S> Response<S> {
    /// Takes the next bytes in. Bytes that are the whole content are checked at once, so that nothing is kept of them.
    fn update<V: Verifier<State = S>>(&mut self, verifier: &V, chunk: &[u8], is_last: bool) {
        if self.checked.is_some() {
            // It went on behind its end.
            self.checked = Some(false);
        } else if let Some(state) = &mut self.state {
            verifier.update(state, chunk);
        } else {
            let mut state = verifier.start(&self.hash);
            verifier.update(&mut state, chunk);
            if is_last {
                self.checked = Some(verifier.matches(state, &self.hash));
            } else {
                self.state = Some(Box::new(state));
            }
        }
    }

    fn matches<V: Verifier<State = S>>(&mut self, verifier: &V) -> bool {
        if let Some(checked) = self.checked {
            return checked;
        }
        let state = match self.state.take() {
            Some(state) => *state,
            None => verifier.start(&self.hash),
        };
        verifier.matches(state, &self.hash)
    }
}

impl Early {
    /// Bytes that count as early.
    fn held(&self) -> usize {
        self.bytes.len() + self.ending.as_ref().map_or(0, Ending::held)
    }
}

impl Ending {
    /// ERROR with as much of its text as is kept.
    fn error(text: &[u8]) -> Self {
        // A character that begins within what is kept is read whole, lest its first bytes alone count as garbage.
        let read = text.len().min(ERROR_TEXT + 3);
        let text = String::from_utf8_lossy(&text[..read]);
        Self::Error(text[..text.floor_char_boundary(ERROR_TEXT)].into())
    }

    fn held(&self) -> usize {
        match self {
            Self::End | Self::Refused => 0,
            Self::Error(text) => text.len(),
        }
    }
}

/// A sequence number that JavaScript can mean.
const fn legal(sequence: Option<u64>) -> Result<Option<u64>, ProtocolError> {
    match sequence {
        Some(sequence) if sequence > MAX_SEQUENCE => Err(ProtocolError::SequenceTooLarge(sequence)),
        legal => Ok(legal),
    }
}

/// Channels have 31 bits, so that one more is never zero.
fn one_more(channel: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(channel + 1)
}

/// Whether the content on this channel ends with the frame at the front of these bytes.
fn ends(channel: u32, bytes: &[u8]) -> bool {
    channel < 64 && bytes.starts_with(&short_end((channel << 1) as u8))
}

fn verdict<V: Verifier>(
    verifier: &V,
    mut response: Response<V::State>,
    ending: Ending,
) -> Event<'static> {
    let matches = matches!(ending, Ending::End) && response.matches(verifier);
    let Response {
        id, hash, sequence, ..
    } = response;
    let reason = match ending {
        Ending::Error(message) => BodyError::Peer(message),
        Ending::Refused => BodyError::TooEarly,
        Ending::End if matches => {
            return Event::Complete {
                response: id,
                hash,
                sequence,
            };
        }
        Ending::End => BodyError::Mismatch,
    };
    Event::Failed {
        response: id,
        hash,
        reason,
    }
}
