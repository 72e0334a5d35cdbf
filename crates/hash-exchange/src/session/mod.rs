//! The state machine of one side. `receive` is what comes in, in `receiving.rs`; `serving.rs` is what we send on
//! request; here is the rest of what goes out, and the end.

mod input;
mod receiving;
mod serving;

use std::num::NonZeroU32;
use std::sync::Arc;

use self::input::Step;
use self::receiving::{Receiving, write_request};
use self::serving::Serving;
use crate::wire::frame::{FrameKind, Header};
use crate::wire::rpc;
use crate::wire::varint;
use crate::{
    Event, Hash, Kind, Limits, Misuse, ProtocolError, ResponseId, ServedId, Sha1, Tag, Verifier,
};

/// One side of the protocol, without the transport: bytes in, events out; calls in, bytes out.
///
/// *One input, then drain.* After every input - [`receive`](Self::receive) with new bytes, [`close`](Self::close),
/// [`respond`](Self::respond), the end of a content - the caller drains: `receive` until it gives `None`, then
/// [`next_response`](Self::next_response) and [`transmit`](Self::transmit) until they do.
///
/// Whatever is encoded is appended to the caller's buffer, frame by frame, and each frame is returned as a [`Tag`]. All
/// bytes of a session have to reach the peer in the order in which they were encoded. An idle session owns no heap.
///
/// ```
/// use hash_exchange::{Event, Hash, Session};
///
/// let (mut alice, mut bob) = (Session::default(), Session::default());
/// let (mut there, mut back) = (Vec::new(), Vec::new());
/// let beep = Hash::sha1(b"beep");
/// alice.request([&beep], &mut there)?;
///
/// let mut input = &there[..];
/// let Some(Event::Request(hashes)) = bob.receive(&mut input)? else {
///     panic!("alice has asked for something");
/// };
/// assert_eq!(hashes.strs().next(), Some("38d8fe5c3796e1b93ceb59dcdb879c010507e64a"));
/// assert!(bob.receive(&mut input)?.is_none());
/// bob.respond([(beep, None)], &mut back)?;
/// while let Some(served) = bob.next_response() {
///     bob.body(served, b"beep", &mut back)?;
///     bob.finish(served, &mut back)?;
/// }
///
/// let mut input = &back[..];
/// let mut body = Vec::new();
/// while let Some(event) = alice.receive(&mut input)? {
///     match event {
///         Event::Body { chunk, .. } => body.extend_from_slice(chunk),
///         Event::Complete { .. } => assert_eq!(body, b"beep"),
///         Event::Response { .. } => {}
///         other => panic!("{other:?}"),
///     }
/// }
/// # assert_eq!(body, b"beep");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session<V: Verifier = Sha1> {
    verifier: V,
    /// `None`: the usual ones.
    limits: Option<Arc<Limits>>,
    /// What is under way towards us; none when idle.
    receiving: Option<Box<Receiving<V::State>>>,
    /// What is under way from us; none when idle.
    serving: Option<Box<Serving>>,
    /// The next sequence number for a content that has none of its own.
    next_sequence: u64,
    next_response: u32,
    next_served: u32,
    /// The peer's stream of messages, its channel plus one; further ones are among the channels of `receiving`.
    rpc_channel: Option<NonZeroU32>,
    /// REQUESTs that we have written, and how many of them are answered: both count up and wrap.
    asked: u32,
    answered: u32,
    /// REQUESTs of the peer that the application has to answer. Once our CLOSE is sent none are left, and those that come
    /// behind it count here: each is owed a HASHES that maps nothing.
    unanswered: u32,
    /// Our stream of messages has begun, hence has its name.
    begun: bool,
    /// The channel of the content that the peer cancelled last.
    cancelled_channel: u32,
    closing: Closing,
    close_received: bool,
    next: Next,
}

/// Where `receive` begins. It stands here so that a message which concerns no transfer is read without a look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A frame: nothing else is to be told, held or sent.
    Frame,
    /// What is under way towards us has to be looked at first.
    Look,
    /// Nowhere: the peer has said what it must not.
    Failed,
}

/// How far our CLOSE has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    Due,
    Sent,
}

/// What [`Session::respond`] encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HASHES.
    pub tag: Tag,
    first: u32,
}

impl Answer {
    /// The content that was found as the `index`th, counted from zero.
    pub const fn served(self, index: u32) -> ServedId {
        ServedId(self.first.wrapping_add(index))
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::with_verifier(Sha1)
    }
}

impl<V: Verifier> Session<V> {
    /// A session at its beginning, with the default limits.
    pub fn with_verifier(verifier: V) -> Self {
        Self {
            verifier,
            limits: None,
            receiving: None,
            serving: None,
            next_sequence: 1,
            next_response: 0,
            next_served: 0,
            rpc_channel: None,
            asked: 0,
            answered: 0,
            unanswered: 0,
            begun: false,
            cancelled_channel: 0,
            closing: Closing::No,
            close_received: false,
            next: Next::Frame,
        }
    }

    /// A session with other limits; many may share them.
    pub fn new(limits: impl Into<Arc<Limits>>, verifier: V) -> Self {
        Self {
            limits: Some(limits.into()),
            ..Self::with_verifier(verifier)
        }
    }

    /// What the peer may cost.
    pub fn limits(&self) -> &Limits {
        self.limits.as_deref().unwrap_or(&Limits::DEFAULT)
    }

    /// Offers hashes: one AVAILABLE, exactly as given.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::MessageTooLong`], [`Misuse::TooManyOffered`].
    pub fn provide<'h>(
        &mut self,
        hashes: impl IntoIterator<Item = &'h Hash>,
        out: &mut Vec<u8>,
    ) -> Result<Tag, Misuse> {
        self.check_open()?;
        let mut hashes = hashes.into_iter();
        let (first, second) = (hashes.next(), hashes.next());
        if let (Some(hash), None) = (first, second) {
            return self.write_single(rpc::AVAILABLE, Kind::Available, hash, out);
        }
        let hashes = first.into_iter().chain(second).chain(hashes);
        reserve(out, FRAME_WITHOUT_HASHES + hashes.size_hint().0 * HASH_LEN);
        let start = self.begin(rpc::AVAILABLE, out);
        let limit = self.limits().offered;
        let mut room = limit;
        for hash in hashes {
            let Some(left) = room.checked_sub(1) else {
                out.truncate(start);
                return Err(Misuse::TooManyOffered { limit });
            };
            room = left;
            rpc::write_hash(hash, out);
        }
        self.commit(Kind::Available, start, out)
    }

    /// Asks for hashes: one REQUEST, in which each occurs once. Each is settled by one event, in this order:
    /// [`Event::NotFound`], or [`Event::Response`] and then what becomes of the content.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::TooManyRequested`], [`Misuse::MessageTooLong`]: none of them is asked for.
    pub fn request<'h>(
        &mut self,
        hashes: impl IntoIterator<Item = &'h Hash>,
        out: &mut Vec<u8>,
    ) -> Result<Tag, Misuse> {
        self.check_open()?;
        let mut hashes = hashes.into_iter();
        let (first, second) = (hashes.next(), hashes.next());
        if let (Some(hash), None) = (first, second) {
            return self.request_single(hash, out);
        }
        let hashes = first.into_iter().chain(second).chain(hashes);
        reserve(out, FRAME_WITHOUT_HASHES + hashes.size_hint().0 * HASH_LEN);
        let start = self.begin(rpc::REQUEST, out);
        let room = self.room();
        let limit = self.limits().requested;
        let written = write_request(hashes, room, out).ok_or(Misuse::TooManyRequested { limit });
        match written.and_then(|wanted| Ok((wanted, self.commit(Kind::Request, start, out)?))) {
            Ok((wanted, tag)) => {
                self.receiving.get_or_insert_default().ask(wanted);
                self.asked = self.asked.wrapping_add(1);
                Ok(tag)
            }
            Err(misuse) => {
                out.truncate(start);
                Err(misuse)
            }
        }
    }

    /// Asks once more for a hash whose content was cancelled, even if [`close`](Self::close) was called since: CLOSE waits for it as
    /// for what was asked for before.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`] if CLOSE is sent, [`Misuse::TooManyRequested`], [`Misuse::MessageTooLong`].
    pub(crate) fn request_again(&mut self, hash: &Hash, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        match self.closing {
            Closing::No | Closing::Due => self.request_single(hash, out),
            Closing::Sent => Err(Misuse::Closed),
        }
    }

    /// Tells the peer our name.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::MessageTooLong`].
    pub fn id(&mut self, id: &str, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        self.check_open()?;
        let start = self.begin(rpc::ID, out);
        rpc::write_text(id, out);
        self.commit(Kind::Id, start, out)
    }

    /// Asks to be offered what has a greater sequence number; `None`: everything.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::SequenceTooLarge`].
    pub fn since(&mut self, sequence: Option<u64>, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        self.notify(rpc::SINCE, Kind::Since, sequence, out)
    }

    /// Tells the peer that what has this sequence number has arrived.
    ///
    /// # Errors
    ///
    /// [`Misuse::Closed`], [`Misuse::SequenceTooLarge`].
    pub fn seen(&mut self, sequence: Option<u64>, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        self.notify(rpc::SEEN, Kind::Seen, sequence, out)
    }

    /// We need nothing more. CLOSE goes out, through [`transmit`](Self::transmit), as the last message: once every
    /// REQUEST of the peer is answered, our own are settled, and all contents have come to their end both ways.
    pub fn close(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::Due;
        }
    }

    /// True once CLOSE has gone both ways: neither side will say anything more.
    pub const fn is_closed(&self) -> bool {
        matches!(self.closing, Closing::Sent) && self.close_received
    }

    /// Encodes a frame that the session owes of its own accord, if there is one: the cancellation of a content that had
    /// not begun when it was cancelled, the refusal of a REQUEST that crossed our CLOSE, CLOSE itself.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> Option<Tag> {
        if self.next != Next::Frame
            && let Some(receiving) = &mut self.receiving
            && let Some((channel, sequence)) = receiving.take_cancelled()
        {
            return Some(write_cancel(channel, sequence, out));
        }
        match self.closing {
            Closing::Due if self.is_quiet() => {
                self.closing = Closing::Sent;
                Some(self.write_rpc(rpc::CLOSE, Kind::Close, out))
            }
            Closing::Sent if self.unanswered > 0 => {
                self.unanswered -= 1;
                Some(self.write_rpc(rpc::HASHES, Kind::Hashes, out))
            }
            Closing::No | Closing::Due | Closing::Sent => None,
        }
    }

    /// Breaks off a content that we receive: no further event tells of it, and nothing that is still under way counts.
    /// `None`: the content has not begun; the cancellation goes out through [`transmit`](Self::transmit) when it does.
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`].
    pub fn cancel(
        &mut self,
        response: ResponseId,
        out: &mut Vec<u8>,
    ) -> Result<Option<Tag>, Misuse> {
        let receiving = self.receiving.as_mut().ok_or(Misuse::NotOpen)?;
        let open = receiving.cancel(response)?;
        self.look_next();
        Ok(open.map(|(channel, sequence)| write_cancel(channel, sequence, out)))
    }

    /// Reads up to the next event, and takes what was read off `input`. `None`: all of it is read, and there is no event
    /// before more comes; until then there may still be some, even when `input` is empty. Any split of the bytes is as
    /// good as any other, except that contents are passed on in the pieces in which they come.
    ///
    /// # Errors
    ///
    /// What the peer must not say. The session is of no use afterwards.
    #[inline]
    pub fn receive<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'s>>, ProtocolError> {
        if self.next == Next::Failed {
            return Err(ProtocolError::Failed);
        }
        let step = self.step(input);
        if step.is_err() {
            self.next = Next::Failed;
        }
        match step? {
            Step::Event(event) => Ok(Some(event)),
            Step::Held(note) => {
                let receiving = self.receiving.as_ref().expect("it holds the bytes");
                Ok(Some(note.event(receiving.held())))
            }
            Step::Silent => {
                if self.next == Next::Look {
                    self.looked();
                }
                Ok(None)
            }
        }
    }

    /// The peer's stream has ended.
    ///
    /// # Errors
    ///
    /// It ended too early: [`ProtocolError::EndInFrame`], or [`ProtocolError::EndWithOpen`]. If the frame that it ended in is none,
    /// as that of a peer which speaks something else, the error says what is wrong with it.
    pub fn end(&mut self) -> Result<(), ProtocolError> {
        match &self.receiving {
            Some(receiving) if receiving.is_in_frame() => {
                Err(receiving.held().cut(self.limits().name))
            }
            Some(receiving) if !receiving.is_settled() => Err(ProtocolError::EndWithOpen {
                requested: receiving.wanted(),
                responses: receiving.responses(),
            }),
            _ => Ok(()),
        }
    }

    fn notify(
        &mut self,
        number: u64,
        kind: Kind,
        sequence: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<Tag, Misuse> {
        self.check_open()?;
        check_sequence(sequence)?;
        let start = self.begin(number, out);
        rpc::write_sequence(sequence, out);
        self.commit(kind, start, out)
    }

    /// There may be something to encode that nobody has to ask for.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        self.serving.is_some()
            || self.closing != Closing::No
            || (self.next != Next::Frame && self.has_cancelled())
    }

    fn has_cancelled(&self) -> bool {
        let receiving = self.receiving.as_ref();
        receiving.is_some_and(|receiving| receiving.has_cancelled())
    }

    /// What is under way towards us may have changed.
    const fn look_next(&mut self) {
        if matches!(self.next, Next::Frame) {
            self.next = Next::Look;
        }
    }

    /// Everything is read: frees what is empty.
    fn looked(&mut self) {
        let Some(receiving) = &mut self.receiving else {
            self.next = Next::Frame;
            return;
        };
        receiving.shrink();
        if receiving.is_idle() {
            self.receiving = None;
            self.next = Next::Frame;
        } else if !receiving.is_busy() {
            self.next = Next::Frame;
        }
    }

    /// So many hashes more may be asked for.
    fn room(&self) -> usize {
        let requested = self.receiving.as_ref().map_or(0, |it| it.requested());
        (self.limits().requested as usize).saturating_sub(requested)
    }

    /// Nothing is under way that CLOSE has to wait for.
    fn is_quiet(&self) -> bool {
        let receiving = self.receiving.as_ref();
        self.unanswered == 0
            && self.serving.is_none()
            && receiving.is_none_or(|receiving| receiving.is_settled())
    }

    const fn check_open(&self) -> Result<(), Misuse> {
        match self.closing {
            Closing::No => Ok(()),
            Closing::Due | Closing::Sent => Err(Misuse::Closed),
        }
    }

    /// A REQUEST for one hash, which is the usual one: it meets no other.
    fn request_single(&mut self, hash: &Hash, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        if self.room() == 0 {
            let limit = self.limits().requested;
            return Err(Misuse::TooManyRequested { limit });
        }
        let tag = self.write_single(rpc::REQUEST, Kind::Request, hash, out)?;
        let receiving = self.receiving.get_or_insert_default();
        receiving.ask_single(hash.clone());
        self.asked = self.asked.wrapping_add(1);
        Ok(tag)
    }

    /// A message with one hash. One with a SHA-1, which is what nearly all messages are, is put together at once.
    fn write_single(
        &mut self,
        number: u64,
        kind: Kind,
        hash: &Hash,
        out: &mut Vec<u8>,
    ) -> Result<Tag, Misuse> {
        reserve(out, FRAME_WITHOUT_HASHES + HASH_LEN);
        if let (true, Some(digest)) = (self.begun, hash.as_sha1())
            && self.limits().message as usize >= NAMED_HEADER_LEN + rpc::SINGLE_LEN
        {
            let mut frame = [0; HEADER_LEN + rpc::SINGLE_LEN];
            frame[..HEADER_LEN].copy_from_slice(&short_header(RPC_ZIGZAG, rpc::SINGLE_LEN));
            frame[HEADER_LEN..].copy_from_slice(&rpc::single(number, digest));
            out.extend_from_slice(&frame);
            return Ok(Tag {
                kind,
                content: rpc::SINGLE_LEN as u32,
                framing: HEADER_LEN as u32,
            });
        }
        let start = self.begin(number, out);
        rpc::write_hash(hash, out);
        self.commit(kind, start, out)
    }

    /// Begins a message behind room for the header that a short one has.
    fn begin(&self, kind: u64, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        if self.begun {
            out.extend_from_slice(&[0; HEADER_LEN]);
        } else {
            out.extend_from_slice(&[0; NAMED_HEADER_LEN]);
        }
        rpc::write_kind(kind, out);
        start
    }

    /// Ends the message that began at `start`. The room for its header is widened if it has grown long.
    fn commit(&mut self, kind: Kind, start: usize, out: &mut Vec<u8>) -> Result<Tag, Misuse> {
        let room = self.short_header_len();
        let len = out.len() - start - room;
        let frame = len + NAMED_HEADER_LEN + varint::len(len as u64) - 2;
        let limit = self.limits().message;
        if frame > limit as usize && len > BARE {
            out.truncate(start);
            return Err(Misuse::MessageTooLong { len, limit });
        }
        if self.begun && len < SHORT {
            // What nearly all messages are needs no header made to measure.
            out[start..start + HEADER_LEN].copy_from_slice(&short_header(RPC_ZIGZAG, len));
            return Ok(Tag {
                kind,
                content: len as u32,
                framing: HEADER_LEN as u32,
            });
        }
        let name = if self.begun { None } else { Some(RPC_NAME) };
        let header = Header::new(RPC_CHANNEL, name, FrameKind::Data, Some(len));
        let header = header.as_bytes();
        if header.len() > room {
            let end = out.len();
            out.resize(end + header.len() - room, 0);
            out.copy_within(start + room..end, start + header.len());
        }
        out[start..start + header.len()].copy_from_slice(header);
        self.begun = true;
        Ok(Tag {
            kind,
            content: len as u32,
            framing: header.len() as u32,
        })
    }

    /// A message that is nothing but its type.
    fn write_rpc(&mut self, number: u64, kind: Kind, out: &mut Vec<u8>) -> Tag {
        let start = self.begin(number, out);
        self.commit(kind, start, out)
            .expect("a bare message is within every limit")
    }

    const fn short_header_len(&self) -> usize {
        if self.begun {
            HEADER_LEN
        } else {
            NAMED_HEADER_LEN
        }
    }
}

/// The stream of messages is opened first, hence has the first number.
const RPC_CHANNEL: i32 = 1;
const RPC_ZIGZAG: u8 = 2;
const RPC_NAME: u64 = 0;

/// A message that is nothing but its type: no limit may forbid it.
const BARE: usize = 2;

/// Below this the lengths of a frame and of its message take a byte each.
const SHORT: usize = 120;

/// Header of a short message: frame length, channel, and length of the data.
const HEADER_LEN: usize = 5;

/// The header of a message of less than [`SHORT`] bytes, on a channel below 64.
const fn short_header(zigzag: u8, len: usize) -> [u8; HEADER_LEN] {
    [len as u8 + 4, 0x08, zigzag, 0x22, len as u8]
}

/// The same with the name "0".
const NAMED_HEADER_LEN: usize = HEADER_LEN + 3;

/// The END of a content on a channel below 64, as every known writer writes it.
const fn short_end(zigzag: u8) -> [u8; 5] {
    [4, 0x08, zigzag, 0x18, 2]
}

/// Room for a frame of a message that has no hashes, with the longest header.
const FRAME_WITHOUT_HASHES: usize = 22;
/// Room for a SHA-1 in AVAILABLE and REQUEST.
const HASH_LEN: usize = 42;

/// Makes room for what is encoded next, in one allocation instead of several on the way there.
pub(crate) fn reserve(out: &mut Vec<u8>, len: usize) {
    if out.capacity() == 0 {
        *out = Vec::with_capacity(len);
    } else {
        out.reserve(len);
    }
}

/// The greatest number that JavaScript tells from its neighbours is 2^53 - 1, and channel names go one higher than the
/// sequence number.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 53) - 2;

const fn check_sequence(sequence: Option<u64>) -> Result<(), Misuse> {
    match sequence {
        Some(sequence) if sequence > MAX_SEQUENCE => Err(Misuse::SequenceTooLarge(sequence)),
        _ => Ok(()),
    }
}

/// The name of a content's channel: zero is taken by the messages.
const fn channel_name(sequence: u64) -> u64 {
    sequence + 1
}

/// Encodes a frame that is no message.
fn write_frame(
    tag: Kind,
    channel: i32,
    name: Option<u64>,
    kind: FrameKind,
    data: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Tag {
    let header = Header::new(channel, name, kind, data.map(<[u8]>::len));
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(data.unwrap_or_default());
    Tag {
        kind: tag,
        content: data.map_or(0, |data| data.len() as u32),
        framing: header.as_bytes().len() as u32,
    }
}

/// The peer knows the channel by the number it gave it, negated; the name tells it which content is meant, should it
/// have put the number to another use in the meantime.
fn write_cancel(channel: u32, sequence: u64, out: &mut Vec<u8>) -> Tag {
    let name = Some(channel_name(sequence));
    let channel = -channel.cast_signed();
    write_frame(Kind::Error, channel, name, FrameKind::Error, None, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sha1State;

    #[test]
    fn a_session_and_its_events_are_small() {
        // A node of a large network holds one session for each neighbour, and an event is moved on the way of every frame.
        assert_eq!(size_of::<Session>(), 64);
        assert_eq!(size_of::<Receiving<Sha1State>>(), 64);
        assert_eq!(size_of::<Serving>(), 96);
        assert!(size_of::<Event<'_>>() <= 56, "{}", size_of::<Event<'_>>());
    }

    #[test]
    fn a_message_is_encoded_in_one_allocation() {
        for len in [1, 2, 3, 100] {
            let hashes = vec![Hash::sha1(b"beep"); len];
            let mut session = Session::default();
            for _ in 0..2 {
                let mut out = Vec::new();
                session.provide(&hashes, &mut out).unwrap();
                let room = FRAME_WITHOUT_HASHES + len * HASH_LEN;
                assert_eq!(out.capacity(), room, "it was never grown");
            }
        }
    }

    #[test]
    fn an_idle_session_owns_no_heap() {
        let (mut alice, mut bob) = (Session::default(), Session::default());
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let hashes = [Hash::sha1(b"beep"), Hash::sha1(b"boop")];
        alice.request(&hashes, &mut there).unwrap();
        let (first, second) = there.split_at(20);
        for mut piece in [first, second] {
            while bob.receive(&mut piece).unwrap().is_some() {}
        }
        let answer = bob
            .respond([(hashes[0].clone(), Some(7))], &mut back)
            .unwrap();
        bob.body(answer.served(0), b"beep", &mut back).unwrap();
        bob.finish(answer.served(0), &mut back).unwrap();
        let mut input = &back[..];
        while alice.receive(&mut input).unwrap().is_some() {}
        for session in [&alice, &bob] {
            assert!(session.receiving.is_none() && session.serving.is_none());
        }
    }
}
