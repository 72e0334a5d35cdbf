use std::mem;

use super::{HEADER_LEN, Next, Session, short_header};
use crate::wire::frame::{Frame, FrameKind, Peek, peek};
use crate::wire::rpc::{self, Message};
use crate::wire::varint;
use crate::{Event, Hashes, ProtocolError, ResponseId, Verifier};

/// The frame that has come in part.
#[derive(Debug, Default)]
pub(super) struct Input {
    reading: Reading,
    /// Its first bytes; or, between two calls, the bytes that the last event borrowed.
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Reading {
    /// Between two frames.
    #[default]
    Between,
    /// Within a length prefix.
    Prefix,
    /// Within a frame of `len` bytes; `whole`: it is known that it must be held whole.
    Frame { len: u64, whole: bool },
    /// Within the data of a content's frame, of which `left` bytes are to come. No channel: nobody wants them.
    Data { channel: Option<u32>, left: u64 },
}

/// One step of reading.
#[derive(Debug)]
pub(super) enum Step<'i> {
    /// An event that borrows from the bytes just read.
    Event(Event<'i>),
    /// An event that borrows from the bytes held.
    Held(Note),
    /// No event.
    Silent,
}

/// How to read an event out of the bytes held. It is kept apart from them, as nothing may borrow from a session which
/// still changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    /// They are a frame with an ID.
    Id,
    /// They are a frame with a list of `len` hashes, whose fields begin at `from` and end at `to`.
    List {
        is_request: bool,
        from: usize,
        to: usize,
        len: usize,
    },
    /// They are a frame with bytes of this content.
    Chunk(ResponseId),
    /// They are bytes of this content.
    Early(ResponseId),
}

/// A message with one SHA-1, in its frame.
const SINGLE_FRAME_LEN: usize = HEADER_LEN + rpc::SINGLE_LEN;

/// Bytes by which an unfinished header grows before it is looked at again.
const HEADER_STEP: usize = 64;

impl<V: Verifier> Session<V> {
    /// Reads to the next event; silent at the end of the input.
    #[inline]
    pub(super) fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, ProtocolError> {
        if self.next != Next::Frame
            && let Some(receiving) = &mut self.receiving
        {
            receiving.release();
        }
        loop {
            let reading = match &self.receiving {
                Some(_) if self.next == Next::Frame => Reading::Between,
                Some(receiving) if receiving.has_news() => {
                    if let Some(step) = self.settle()? {
                        return Ok(step);
                    }
                    continue;
                }
                Some(receiving) => receiving
                    .input()
                    .map_or(Reading::Between, |input| input.reading),
                None => Reading::Between,
            };
            if input.is_empty() {
                return Ok(Step::Silent);
            }
            let step = match reading {
                Reading::Between => self.read_between(input)?,
                Reading::Prefix => self.read_prefix(input)?,
                Reading::Frame { len, whole } => self.read_frame(len, whole, input)?,
                Reading::Data { channel, left } => self.read_data(channel, left, input)?,
            };
            if !matches!(step, Step::Silent) {
                return Ok(step);
            }
        }
    }

    /// The usual case: frames that are whole in the input are read where they stand.
    #[inline]
    fn read_between<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, ProtocolError> {
        if let Some((head, rest)) = input.split_first_chunk::<SINGLE_FRAME_LEN>()
            && let Some((kind, hashes)) = self.single(head)
        {
            *input = rest;
            return self.list(kind, hashes);
        }
        let Some((len, prefix)) = varint::read(input)? else {
            self.set_reading(Reading::Prefix);
            return Ok(Step::Silent);
        };
        *input = &input[prefix..];
        let whole = usize::try_from(len).ok();
        if let Some((frame, rest)) = whole.and_then(|len| input.split_at_checked(len)) {
            *input = rest;
            return self.frame(frame, rest);
        }
        self.read_frame(len, false, input)
    }

    /// The list of a message with one SHA-1, as every known writer writes it: what most frames are. `None`: this is something
    /// else, or not for now.
    #[inline]
    fn single<'i>(&self, frame: &'i [u8; SINGLE_FRAME_LEN]) -> Option<(u64, Hashes<'i>)> {
        let (header, message) = frame.split_first_chunk()?;
        let [_, _, zigzag, _, _] = *header;
        if *header != short_header(zigzag, rpc::SINGLE_LEN) || zigzag >= 0x80 || zigzag & 1 == 1 {
            return None;
        }
        let channel = u32::from(zigzag >> 1);
        if !self.is_messages(channel) {
            return None;
        }
        rpc::parse_single(message.first_chunk()?)
    }

    fn read_prefix<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, ProtocolError> {
        let buffer = self.buffer();
        while let Some((&byte, rest)) = input.split_first() {
            buffer.push(byte);
            *input = rest;
            if let Some((len, _)) = varint::read(buffer)? {
                buffer.clear();
                let within = Reading::Frame { len, whole: false };
                self.set_reading(if len == 0 { Reading::Between } else { within });
                break;
            }
        }
        Ok(Step::Silent)
    }

    fn read_frame<'i>(
        &mut self,
        len: u64,
        whole: bool,
        input: &mut &'i [u8],
    ) -> Result<Step<'i>, ProtocolError> {
        let input_held = self.receiving.as_ref().and_then(|it| it.input());
        if input_held.is_some_and(|held| !held.buffer.is_empty()) {
            return self.read_frame_on(len, whole, input);
        }
        if input.len() as u64 >= len {
            let (frame, rest) = input.split_at(len as usize);
            *input = rest;
            if self.receiving.is_some() {
                self.set_reading(Reading::Between);
            }
            return self.frame(frame, rest);
        }
        let (taken, reading) = self.look(input, len, whole)?;
        if taken.is_none() {
            self.buffer().extend_from_slice(input);
        }
        *input = &input[taken.unwrap_or(input.len())..];
        self.set_reading(reading);
        Ok(Step::Silent)
    }

    /// Goes on with a frame of which some bytes are held.
    fn read_frame_on<'i>(
        &mut self,
        len: u64,
        whole: bool,
        input: &mut &'i [u8],
    ) -> Result<Step<'i>, ProtocolError> {
        let buffer = self.buffer();
        let held = buffer.len();
        let missing = usize::try_from(len - held as u64).unwrap_or(usize::MAX);
        let step = if whole { usize::MAX } else { HEADER_STEP };
        let (piece, rest) = input.split_at(missing.min(step).min(input.len()));
        buffer.extend_from_slice(piece);
        if piece.len() == missing {
            *input = rest;
            let frame = mem::take(buffer);
            self.set_reading(Reading::Between);
            return self.held_frame(frame);
        }
        let frame = mem::take(buffer);
        let (header, reading) = self.look(&frame, len, whole)?;
        match header {
            // What was read beyond the header came with this input, as the header was not complete before.
            Some(header) => *input = &input[header.saturating_sub(held)..],
            None => {
                *self.buffer() = frame;
                *input = rest;
            }
        }
        self.set_reading(reading);
        Ok(Step::Silent)
    }

    /// Looks at the first bytes of a frame: the length of its header, if what follows need not be held, and how to go on.
    fn look(
        &mut self,
        bytes: &[u8],
        len: u64,
        whole: bool,
    ) -> Result<(Option<usize>, Reading), ProtocolError> {
        if whole {
            return Ok((None, Reading::Frame { len, whole }));
        }
        let whole = match peek(bytes, len, self.limits().name)? {
            Peek::Data {
                channel,
                name,
                offset,
            } => match self.content_channel(channel, name)? {
                Some(channel) => {
                    let left = len - offset as u64;
                    return Ok((Some(offset), Reading::Data { channel, left }));
                }
                None => true,
            },
            Peek::Whole => true,
            Peek::More => false,
        };
        let limit = self.limits().message;
        if whole && len > u64::from(limit) {
            return Err(ProtocolError::MessageTooLong { len, limit });
        }
        Ok((None, Reading::Frame { len, whole }))
    }

    /// A frame that was held has become whole.
    fn held_frame<'i>(&mut self, frame: Vec<u8>) -> Result<Step<'i>, ProtocolError> {
        let Step::Event(event) = self.frame(&frame, &[])? else {
            return Ok(Step::Silent);
        };
        let note = match detach(event, &frame) {
            Ok(event) => return Ok(Step::Event(event)),
            Err(note) => note,
        };
        *self.buffer() = frame;
        Ok(Step::Held(note))
    }

    fn read_data<'i>(
        &mut self,
        channel: Option<u32>,
        left: u64,
        input: &mut &'i [u8],
    ) -> Result<Step<'i>, ProtocolError> {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (chunk, rest) = input.split_at(len);
        *input = rest;
        let left = left - len as u64;
        self.set_reading(if left == 0 {
            Reading::Between
        } else {
            Reading::Data { channel, left }
        });
        match channel {
            Some(channel) => self.data(channel, chunk, if left == 0 { rest } else { &[] }),
            None => Ok(Step::Silent),
        }
    }

    /// Reads a whole frame. `rest`: what comes behind it, as far as it is here.
    fn frame<'m>(&mut self, bytes: &'m [u8], rest: &[u8]) -> Result<Step<'m>, ProtocolError> {
        if bytes.is_empty() {
            return Ok(Step::Silent);
        }
        self.look_next();
        // What is here whole is judged as if it had come in pieces.
        let limit = self.limits().message;
        if bytes.len() > limit as usize && !self.is_passed_on(bytes)? {
            let len = bytes.len() as u64;
            return Err(ProtocolError::MessageTooLong { len, limit });
        }
        let frame = Frame::parse(bytes, self.limits().name)?;
        if frame.channel < 0 {
            // Of the frames on our own channels only a cancellation has a meaning. The rest is room for an extension.
            if frame.kind != FrameKind::Error {
                return Ok(Step::Silent);
            }
            let cancelled = self.cancelled(frame.channel.unsigned_abs(), frame.name);
            return Ok(cancelled.map_or(Step::Silent, Step::Event));
        }
        self.frame_on(frame.channel.unsigned_abs(), &frame, rest)
    }

    /// Whether a frame carries what is passed on as it comes: a piece of a content, in the usual order of fields.
    #[cold]
    fn is_passed_on(&self, bytes: &[u8]) -> Result<bool, ProtocolError> {
        Ok(match peek(bytes, bytes.len() as u64, self.limits().name)? {
            Peek::Data { channel, name, .. } => !self.carries_messages(channel, name),
            Peek::More | Peek::Whole => false,
        })
    }

    fn set_reading(&mut self, reading: Reading) {
        self.input().reading = reading;
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.input().buffer
    }

    fn input(&mut self) -> &mut Input {
        self.look_next();
        self.receiving.get_or_insert_default().input_mut()
    }
}

impl Input {
    pub(super) const fn is_in_frame(&self) -> bool {
        !matches!(self.reading, Reading::Between)
    }

    /// The stream has ended within a frame. What is wrong with its first bytes says more than that there are no others.
    pub(super) fn cut(&self, name_limit: u32) -> ProtocolError {
        if !matches!(self.reading, Reading::Frame { .. }) {
            return ProtocolError::EndInFrame;
        }
        match Frame::parse(&self.buffer, name_limit) {
            // What they lack was to come.
            Ok(_) | Err(ProtocolError::Truncated | ProtocolError::Channel(None)) => {
                ProtocolError::EndInFrame
            }
            Err(wrong) => wrong,
        }
    }

    /// Holds bytes for an event to borrow.
    pub(super) fn hold(&mut self, bytes: Vec<u8>) {
        self.buffer = bytes;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.buffer.is_empty() && !self.is_in_frame()
    }

    /// Frees the bytes that the last event borrowed.
    pub(super) fn release(&mut self) {
        if !self.is_in_frame() && !self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
    }
}

impl Note {
    /// The event, read from the bytes in which it was found before.
    #[cold]
    pub(super) fn event(self, input: &Input) -> Event<'_> {
        let bytes = &input.buffer;
        if let Self::Early(response) = self {
            let chunk = bytes;
            return Event::Body { response, chunk };
        }
        if let Self::List {
            is_request,
            from,
            to,
            len,
        } = self
        {
            let hashes = Hashes::new(&bytes[from..to], len);
            return match is_request {
                true => Event::Request(hashes),
                false => Event::Available(hashes),
            };
        }
        let frame = Frame::parse(bytes, u32::MAX).expect("it was parsed before");
        match self {
            Self::Chunk(response) => Event::Body {
                response,
                chunk: frame.data,
            },
            Self::Id => match Message::parse(frame.data).expect("it was parsed before") {
                Message::Id(id) => Event::Id(id),
                message => unreachable!("{message:?} is no ID"),
            },
            Self::Early(_) | Self::List { .. } => unreachable!("it was told above"),
        }
    }
}

/// Parts an event from its frame, or says how to read it out of that once more. A list may be long: it is not judged again.
fn detach(event: Event<'_>, frame: &[u8]) -> Result<Event<'static>, Note> {
    let list = |is_request, hashes: Hashes<'_>| {
        let fields = hashes.fields();
        let from = fields.as_ptr().addr() - frame.as_ptr().addr();
        Note::List {
            is_request,
            from,
            to: from + fields.len(),
            len: hashes.len(),
        }
    };
    Ok(match event {
        Event::Available(hashes) => return Err(list(false, hashes)),
        Event::Request(hashes) => return Err(list(true, hashes)),
        Event::Id(_) => return Err(Note::Id),
        Event::Body { response, .. } => return Err(Note::Chunk(response)),
        Event::Since(sequence) => Event::Since(sequence),
        Event::Seen(sequence) => Event::Seen(sequence),
        Event::NotFound { hash } => Event::NotFound { hash },
        Event::Response {
            response,
            hash,
            sequence,
        } => Event::Response {
            response,
            hash,
            sequence,
        },
        Event::Complete {
            response,
            hash,
            sequence,
        } => Event::Complete {
            response,
            hash,
            sequence,
        },
        Event::Failed {
            response,
            hash,
            reason,
        } => Event::Failed {
            response,
            hash,
            reason,
        },
        Event::Cancelled { served, hash } => Event::Cancelled { served, hash },
        Event::Close => Event::Close,
    })
}
