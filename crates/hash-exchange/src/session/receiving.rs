mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

use self::requests::Places;
use super::input::{Input, Step};
use super::{Closing, MAX_SEQUENCE, Session};
use crate::few::Few;
use crate::wire::frame::{Frame, FrameKind, channel_number};
use crate::wire::rpc::{self, Mappings, Message};
use crate::{BodyError, Event, Hash, Hashes, ProtocolError, ResponseId, Verifier};

/// What is under way towards us.
#[derive(Debug)]
pub(super) struct Receiving<S> {
    pub(super) input: Input,
    /// Our REQUESTs, oldest first, one after the other.
    wanted: VecDeque<Wanted>,
    /// Hashes among `wanted`.
    wanted_hashes: usize,
    /// The oldest REQUEST is answered: what it settles is told, event by event, before anything else is read.
    settling: bool,
    /// Contents announced and begun, and all else that the peer's channels carry.
    channels: Few<Key, Channel<S>>,
    /// Contents in `channels` of which the application will hear more.
    responses: usize,
    rpc_channels: u32,
    /// Contents that came before their HASHES, by sequence number.
    early: BTreeMap<u64, Early>,
    early_bytes: usize,
    /// The content that was announced last came early: its bytes are told next.
    replay: Option<u64>,
    /// Its bytes are told, and it has ended: its end is told next.
    ended: Option<(Box<Response<S>>, Ending)>,
    /// Channels with contents cancelled before they began, and their sequence numbers: each is owed an ERROR.
    cancelled: Vec<(u32, u64)>,
}

#[derive(Debug)]
enum Wanted {
    /// Asked for.
    Hash(Hash),
    /// Announced under this sequence number.
    Announced(u64),
    /// Here a REQUEST ends.
    End,
}

/// A content by the number that it goes by: the channel once it has begun, the sequence number before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Channel(u32),
    Announced(u64),
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
    hash: Hash,
    sequence: u64,
    cancelled: bool,
    state: S,
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
            if let Some((response, ending)) = receiving.ended.take() {
                return Ok(Some(Step::Event(verdict(
                    &self.verifier,
                    *response,
                    ending,
                ))));
            }
            if let Some(sequence) = receiving.replay.take() {
                if let Some(note) = receiving.replay_early(sequence, &self.verifier) {
                    return Ok(Some(Step::Held(note)));
                }
                continue;
            }
            if !receiving.settling {
                return Ok(None);
            }
            match receiving.wanted.pop_front() {
                Some(Wanted::Hash(hash)) => {
                    receiving.wanted_hashes -= 1;
                    return Ok(Some(Step::Event(Event::NotFound { hash })));
                }
                Some(Wanted::Announced(sequence)) => {
                    return Ok(Some(Step::Event(receiving.tell_announced(sequence))));
                }
                Some(Wanted::End) | None => receiving.settling = false,
            }
            let unannounced = receiving.early.keys().next();
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

    /// Reads a frame on a channel that the peer opened, or opens with it.
    #[inline]
    pub(super) fn frame_on<'m>(
        &mut self,
        channel: u32,
        frame: &Frame<'m>,
    ) -> Result<Step<'m>, ProtocolError> {
        let route = self.route(channel, frame.name)?;
        match (route, frame.kind) {
            (Route::Messages, FrameKind::Data) => self.message(frame.data),
            (Route::Content, FrameKind::Data) => self.data(channel, frame.data),
            (Route::Nowhere, FrameKind::Data) => Ok(Step::Silent),
            (_, FrameKind::End) => self.end_channel(channel, Ending::End),
            (_, FrameKind::Error) => self.end_channel(channel, Ending::error(frame.data)),
        }
    }

    /// The next bytes of a content.
    pub(super) fn data<'m>(
        &mut self,
        channel: u32,
        chunk: &'m [u8],
    ) -> Result<Step<'m>, ProtocolError> {
        let most = self.limits().early_bytes;
        let receiving = self.receiving.as_deref_mut();
        let receiving = receiving.expect("the channel is open");
        match receiving.channels.get_mut(&Key::Channel(channel)) {
            Some(Channel::Response(response)) if !chunk.is_empty() => {
                self.verifier.update(&mut response.state, chunk);
                let response = response.id;
                return Ok(Step::Event(Event::Body { response, chunk }));
            }
            Some(&mut Channel::Early(sequence)) => {
                let early = receiving.early(sequence, chunk.len(), most)?;
                early.bytes.extend_from_slice(chunk);
            }
            _ => {}
        }
        Ok(Step::Silent)
    }

    /// Whether the channel is the peer's first stream of messages.
    #[inline]
    pub(super) fn is_messages(&self, channel: u32) -> bool {
        self.rpc_channel == one_more(channel)
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
        let key = Key::Channel(channel);
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
        let key = Key::Channel(channel);
        let most = self.limits().early_channels as usize;
        let Some(receiving) = self.receiving.as_deref_mut() else {
            return Err(ProtocolError::Unannounced { sequence });
        };
        match receiving.channels.remove(&Key::Announced(sequence)) {
            Some(Channel::Response(response)) if response.cancelled => {
                receiving.channels.insert(key, Channel::Cancelled);
                receiving.cancelled.push((channel, sequence));
                return Ok(Route::Nowhere);
            }
            Some(response) => {
                receiving.channels.insert(key, response);
                return Ok(Route::Content);
            }
            None if receiving.wanted.is_empty() || receiving.early.contains_key(&sequence) => {
                return Err(ProtocolError::Unannounced { sequence });
            }
            None if receiving.early.len() >= most => {
                return Err(ProtocolError::TooEarly);
            }
            None => {}
        }
        let early = Early {
            channel,
            ..Early::default()
        };
        receiving.early.insert(sequence, early);
        receiving.channels.insert(key, Channel::Early(sequence));
        Ok(Route::Content)
    }

    /// The first stream of messages is remembered in the session itself: it is there all the time.
    fn open_messages(&mut self, channel: u32) -> Result<Route, ProtocolError> {
        if self.rpc_channel.is_none() {
            if let Some(receiving) = &mut self.receiving {
                receiving.channels.remove(&Key::Channel(channel));
            }
            self.rpc_channel = one_more(channel);
            return Ok(Route::Messages);
        }
        let most = self.limits().rpc_channels;
        let receiving = self.receiving.get_or_insert_default();
        if receiving.rpc_channels + 1 >= most {
            return Err(ProtocolError::TooManyChannels);
        }
        receiving.rpc_channels += 1;
        receiving
            .channels
            .insert(Key::Channel(channel), Channel::Rpc);
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
        let most = self.limits().early_bytes;
        let Some(receiving) = self.receiving.as_deref_mut() else {
            return Ok(Step::Silent);
        };
        match receiving.channels.remove(&Key::Channel(channel)) {
            Some(Channel::Response(response)) => {
                receiving.responses -= 1;
                return Ok(Step::Event(verdict(&self.verifier, *response, ending)));
            }
            Some(Channel::Early(sequence)) => {
                let early = receiving.early(sequence, ending.held(), most)?;
                early.ending = Some(ending);
            }
            Some(Channel::Rpc) => receiving.rpc_channels -= 1,
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
            Message::Since(sequence) => Event::Since(sequence),
            Message::Seen(sequence) => Event::Seen(sequence),
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
            if sequence > MAX_SEQUENCE {
                return Err(ProtocolError::SequenceTooLarge(sequence));
            }
            let Some(place) = places.find(&hash, &receiving.wanted) else {
                return Err(ProtocolError::Unrequested(hash));
            };
            receiving.wanted[place] = Wanted::Announced(sequence);
            receiving.wanted_hashes -= 1;
            receiving.responses += 1;
            let response = Box::new(Response {
                id: ResponseId(self.next_response),
                state: self.verifier.start(&hash),
                hash,
                sequence,
                cancelled: false,
            });
            self.next_response = self.next_response.wrapping_add(1);
            let key = Key::Announced(sequence);
            if receiving
                .channels
                .insert(key, Channel::Response(response))
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
            input: Input::default(),
            wanted: VecDeque::new(),
            wanted_hashes: 0,
            settling: false,
            channels: Few::None,
            responses: 0,
            rpc_channels: 0,
            early: BTreeMap::new(),
            early_bytes: 0,
            replay: None,
            ended: None,
            cancelled: Vec::new(),
        }
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
            Self::End => 0,
            Self::Error(text) => text.len(),
        }
    }
}

/// Channels have 31 bits, so that one more is never zero.
fn one_more(channel: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(channel + 1)
}

fn verdict<V: Verifier>(
    verifier: &V,
    response: Response<V::State>,
    ending: Ending,
) -> Event<'static> {
    let Response {
        id, hash, sequence, ..
    } = response;
    let reason = match ending {
        Ending::Error(message) => BodyError::Peer(message),
        Ending::End if verifier.matches(response.state, &hash) => {
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
