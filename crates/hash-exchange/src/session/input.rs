use std::mem;

use super::Session;
use crate::wire::frame::{Frame, FrameKind, Peek, peek};
use crate::wire::rpc::Message;
use crate::wire::varint;
use crate::{Event, ProtocolError, ResponseId, Verifier};

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
    /// All is read.
    More,
}

/// What a frame says, before it is told apart where its bytes are.
#[derive(Debug)]
pub(super) enum Said<'m> {
    /// A message that is an event as it stands.
    Message(Message<'m>),
    /// Bytes of a content.
    Chunk(ResponseId, &'m [u8]),
    /// An event that borrows nothing.
    Owned(Event<'static>),
}

/// How to read an event out of the bytes held. It is kept apart from them, as nothing may borrow from a session which
/// still changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    /// They are a frame with a message.
    Message,
    /// They are a frame with bytes of this content.
    Chunk(ResponseId),
    /// They are bytes of this content.
    Early(ResponseId),
}

/// Once a header is longer than the longest honest one, the frame is held whole and judged then. Beyond the name.
const HEADER_ROOM: usize = 64;

/// Bytes by which an unfinished header grows before it is looked at again.
const HEADER_STEP: usize = 64;

impl<V: Verifier> Session<V> {
    /// Reads to the next event, or to the end of the input.
    pub(super) fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, ProtocolError> {
        if let Some(receiving) = &mut self.receiving {
            receiving.input.release();
        }
        loop {
            if let Some(step) = self.settle()? {
                return Ok(step);
            }
            if input.is_empty() {
                return Ok(Step::More);
            }
            let reading = self
                .receiving
                .as_ref()
                .map(|receiving| receiving.input.reading);
            let step = match reading.unwrap_or_default() {
                Reading::Between => self.read_between(input)?,
                Reading::Prefix => self.read_prefix(input)?,
                Reading::Frame { len, whole } => self.read_frame(len, whole, input)?,
                Reading::Data { channel, left } => self.read_data(channel, left, input)?,
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// The usual case: frames that are whole in the input are read where they stand.
    fn read_between<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        match varint::read(input)? {
            Some((len, prefix)) => {
                *input = &input[prefix..];
                self.read_frame(len, false, input)
            }
            None => {
                self.set_reading(Reading::Prefix);
                Ok(None)
            }
        }
    }

    fn read_prefix<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, ProtocolError> {
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
        Ok(None)
    }

    fn read_frame<'i>(
        &mut self,
        len: u64,
        whole: bool,
        input: &mut &'i [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        let held = self
            .receiving
            .as_ref()
            .map_or(0, |receiving| receiving.input.buffer.len());
        if held > 0 {
            return self.read_frame_on(len, whole, input);
        }
        if input.len() as u64 >= len {
            let (frame, rest) = input.split_at(len as usize);
            *input = rest;
            if self.receiving.is_some() {
                self.set_reading(Reading::Between);
            }
            let said = self.frame(frame)?;
            return Ok(said.map(|said| Step::Event(said.event())));
        }
        let (taken, reading) = self.look(input, len, whole)?;
        if taken.is_none() {
            self.buffer().extend_from_slice(input);
        }
        *input = &input[taken.unwrap_or(input.len())..];
        self.set_reading(reading);
        Ok(None)
    }

    /// Goes on with a frame of which some bytes are held.
    fn read_frame_on<'i>(
        &mut self,
        len: u64,
        whole: bool,
        input: &mut &'i [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
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
        Ok(None)
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
        let whole = match peek(bytes, len, self.limits.name)? {
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
            Peek::More => bytes.len() > self.limits.name as usize + HEADER_ROOM,
        };
        if whole && len > u64::from(self.limits.message) {
            return Err(ProtocolError::MessageTooLong { len });
        }
        Ok((None, Reading::Frame { len, whole }))
    }

    /// A frame that was held has become whole.
    fn held_frame<'i>(&mut self, frame: Vec<u8>) -> Result<Option<Step<'i>>, ProtocolError> {
        let note = match self.frame(&frame)? {
            None => return Ok(None),
            Some(Said::Owned(event)) => return Ok(Some(Step::Event(event))),
            Some(Said::Message(_)) => Note::Message,
            Some(Said::Chunk(response, _)) => Note::Chunk(response),
        };
        *self.buffer() = frame;
        Ok(Some(Step::Held(note)))
    }

    fn read_data<'i>(
        &mut self,
        channel: Option<u32>,
        left: u64,
        input: &mut &'i [u8],
    ) -> Result<Option<Step<'i>>, ProtocolError> {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (chunk, rest) = input.split_at(len);
        *input = rest;
        let left = left - len as u64;
        self.set_reading(if left == 0 {
            Reading::Between
        } else {
            Reading::Data { channel, left }
        });
        let Some(channel) = channel else {
            return Ok(None);
        };
        Ok(self
            .data(channel, chunk)?
            .map(|said| Step::Event(said.event())))
    }

    /// Reads a whole frame.
    fn frame<'m>(&mut self, bytes: &'m [u8]) -> Result<Option<Said<'m>>, ProtocolError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let frame = Frame::parse(bytes, self.limits.name)?;
        if frame.channel < 0 {
            // Of the frames on our own channels only a cancellation has a meaning. The rest is room for an extension.
            if frame.kind != FrameKind::Error {
                return Ok(None);
            }
            let cancelled = self.cancelled(frame.channel.unsigned_abs(), frame.name);
            return Ok(cancelled.map(Said::Owned));
        }
        self.frame_on(frame.channel.unsigned_abs(), &frame)
    }

    fn set_reading(&mut self, reading: Reading) {
        self.receiving.get_or_insert_default().input.reading = reading;
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.receiving.get_or_insert_default().input.buffer
    }
}

impl Input {
    pub(super) const fn is_in_frame(&self) -> bool {
        !matches!(self.reading, Reading::Between)
    }

    /// Holds bytes for an event to borrow.
    pub(super) fn hold(&mut self, bytes: Vec<u8>) {
        self.buffer = bytes;
    }

    /// Frees the bytes that the last event borrowed.
    fn release(&mut self) {
        if !self.is_in_frame() && !self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
    }
}

impl<'m> Said<'m> {
    fn event(self) -> Event<'m> {
        match self {
            Self::Message(Message::Available(hashes)) => Event::Available(hashes),
            Self::Message(Message::Request(hashes)) => Event::Request(hashes),
            Self::Message(Message::Id(id)) => Event::Id(id),
            Self::Message(message) => unreachable!("{message:?} is no event as it stands"),
            Self::Chunk(response, chunk) => Event::Body { response, chunk },
            Self::Owned(event) => event,
        }
    }
}

impl Note {
    /// The event, read from the bytes in which it was found before.
    pub(super) fn event(self, input: &Input) -> Event<'_> {
        let bytes = &input.buffer;
        if let Self::Early(response) = self {
            let chunk = bytes;
            return Event::Body { response, chunk };
        }
        let frame = Frame::parse(bytes, u32::MAX).expect("it was parsed before");
        match self {
            Self::Chunk(response) | Self::Early(response) => Said::Chunk(response, frame.data),
            Self::Message => {
                Said::Message(Message::parse(frame.data).expect("it was parsed before"))
            }
        }
        .event()
    }
}
