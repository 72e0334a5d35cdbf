use super::{DELIMITED, VARINT, key, skip, take, take_delimited, text, varint};
use crate::ProtocolError;

/// One frame, without its length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Positive: a stream that the sender opened; negative: one that the receiver opened.
    pub(crate) channel: i32,
    pub(crate) name: Option<&'a str>,
    pub(crate) kind: FrameKind,
    /// Absent and empty mean the same.
    pub(crate) data: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Data,
    End,
    Error,
}

impl<'a> Frame<'a> {
    /// Reads a whole frame.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8], name_limit: u32) -> Result<Self, ProtocolError> {
        match Self::parse_short(bytes, name_limit) {
            Some(frame) => Ok(frame),
            None => Self::parse_any(bytes, name_limit),
        }
    }

    /// Nearly all frames are short, and as every known writer writes them. `None`: this one is not, or is wrong.
    #[inline]
    fn parse_short(bytes: &'a [u8], name_limit: u32) -> Option<Self> {
        let [0x08, zigzag @ ..0x80, rest @ ..] = bytes else {
            return None;
        };
        let channel = parse_channel(u64::from(*zigzag)).ok()?;
        let (name, rest) = match rest {
            [0x12, rest @ ..] => {
                let mut rest = rest;
                (Some(take_name(&mut rest, name_limit).ok()?), rest)
            }
            _ => (None, rest),
        };
        let (kind, data) = match rest {
            [0x22, len @ ..0x80, data @ ..] if usize::from(*len) == data.len() => {
                (FrameKind::Data, data)
            }
            [0x18, 2] => (FrameKind::End, &rest[..0]),
            _ => return None,
        };
        Some(Self {
            channel,
            name,
            kind,
            data,
        })
    }

    fn parse_any(mut bytes: &'a [u8], name_limit: u32) -> Result<Self, ProtocolError> {
        let (mut channel, mut name, mut kind) = (None, None, FrameKind::Data);
        let mut data: &[u8] = &[];
        while !bytes.is_empty() {
            match varint::take(&mut bytes)? {
                CHANNEL => channel = Some(parse_channel(varint::take(&mut bytes)?)?),
                NAME => name = Some(take_name(&mut bytes, name_limit)?),
                KIND => kind = parse_kind(varint::take(&mut bytes)?)?,
                DATA => data = take_delimited(&mut bytes)?,
                key => skip(&mut bytes, key, 1..=4)?,
            }
        }
        Ok(Self {
            channel: channel.ok_or(ProtocolError::Channel(None))?,
            name,
            kind,
            data,
        })
    }
}

/// What the first bytes of a frame tell about the rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Peek<'a> {
    /// Not enough yet.
    More,
    /// From `offset` on, to its end, the frame is data: it may be passed on as it comes.
    Data {
        channel: i32,
        name: Option<&'a str>,
        offset: usize,
    },
    /// It has to be held whole, and then parsed.
    Whole,
}

/// Looks into the first bytes of a frame of `frame_len` bytes. Once it tells something, it tells the same of any more of them.
pub(crate) fn peek(
    bytes: &[u8],
    frame_len: u64,
    name_limit: u32,
) -> Result<Peek<'_>, ProtocolError> {
    let most = (name_limit as usize).saturating_add(HEADER_ROOM);
    match bytes.get(..most) {
        None => peek_header(bytes, frame_len, name_limit),
        Some(header) => match peek_header(header, frame_len, name_limit)? {
            Peek::More => Ok(Peek::Whole),
            peeked => Ok(peeked),
        },
    }
}

/// Once a header is longer than the longest honest one, the frame is held whole and judged then. Beyond the name.
const HEADER_ROOM: usize = 64;

fn peek_header(bytes: &[u8], frame_len: u64, name_limit: u32) -> Result<Peek<'_>, ProtocolError> {
    let (mut channel, mut name) = (None, None);
    let mut rest = bytes;
    while let Some((key, key_len)) = varint::read(rest)? {
        // What is unusual is held whole, and judged then.
        if !matches!(key, CHANNEL | NAME | KIND | DATA) {
            return Ok(Peek::Whole);
        }
        let value = &rest[key_len..];
        let Some((number, number_len)) = varint::read(value)? else {
            return Ok(Peek::More);
        };
        let after = &value[number_len..];
        let mut skipped = 0;
        match key {
            CHANNEL => channel = Some(parse_channel(number)?),
            KIND if parse_kind(number)? == FrameKind::Data => {}
            NAME => {
                if number > u64::from(name_limit) {
                    return Err(ProtocolError::NameTooLong {
                        len: number,
                        limit: name_limit,
                    });
                }
                let Some(bytes) = after.get(..number as usize) else {
                    return Ok(Peek::More);
                };
                name = Some(text(bytes)?);
                skipped = bytes.len();
            }
            DATA => {
                let offset = bytes.len() - after.len();
                let end = (offset as u64).checked_add(number);
                return match (
                    end.ok_or(ProtocolError::Truncated)?.cmp(&frame_len),
                    channel,
                ) {
                    (std::cmp::Ordering::Greater, _) => Err(ProtocolError::Truncated),
                    (std::cmp::Ordering::Equal, Some(channel)) => Ok(Peek::Data {
                        channel,
                        name,
                        offset,
                    }),
                    _ => Ok(Peek::Whole),
                };
            }
            _ => return Ok(Peek::Whole),
        }
        rest = &after[skipped..];
    }
    Ok(Peek::More)
}

const CHANNEL: u64 = key(1, VARINT);
const NAME: u64 = key(2, DELIMITED);
const KIND: u64 = key(3, VARINT);
const DATA: u64 = key(4, DELIMITED);

/// Everything of a frame that goes before its data. The name is a number in hexadecimal, as all our names are.
#[derive(Debug)]
pub(crate) struct Header {
    bytes: [u8; Self::CAPACITY],
    start: usize,
    end: usize,
}

impl Header {
    /// Two varints of at most 10 + 10 bytes for lengths, 5 for the channel, 4 keys, the type, a name of at most 16 digits.
    const CAPACITY: usize = 48;

    /// The header of a frame with so much data; END goes without data.
    #[inline]
    pub(crate) fn new(
        channel: i32,
        name: Option<u64>,
        kind: FrameKind,
        data_len: Option<usize>,
    ) -> Self {
        // The length of the frame stands before it, but is known last.
        let mut header = Self {
            bytes: [0; Self::CAPACITY],
            start: varint::MAX_LEN,
            end: varint::MAX_LEN,
        };
        let zigzag = (channel.cast_unsigned() << 1) ^ (channel >> 31).cast_unsigned();
        header.push(CHANNEL as u8);
        header.varint(u64::from(zigzag));
        if let Some(name) = name {
            let digits = 16 - (name | 1).leading_zeros() / 4;
            header.push(NAME as u8);
            header.push(digits as u8);
            for digit in (0..digits).rev() {
                header.push(b"0123456789abcdef"[(name >> (4 * digit)) as usize & 15]);
            }
        }
        match kind {
            FrameKind::Data => {}
            FrameKind::End => header.extend([KIND as u8, 2]),
            FrameKind::Error => header.extend([KIND as u8, 3]),
        }
        if let Some(len) = data_len {
            header.push(DATA as u8);
            header.varint(len as u64);
        }
        header.prefix((header.end - header.start + data_len.unwrap_or(0)) as u64);
        header
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn prefix(&mut self, len: u64) {
        let end = self.end;
        self.start -= varint::len(len);
        self.end = self.start;
        self.varint(len);
        self.end = end;
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.end] = byte;
        self.end += 1;
    }

    fn extend(&mut self, bytes: [u8; 2]) {
        bytes.into_iter().for_each(|byte| self.push(byte));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }
}

/// The number that a channel's name stands for, read as leniently as JavaScript's `parseInt(name, 16)` does: digits to
/// the first that is none, after an optional `0x`. Without a name, the zero-based slot in decimal serves as one.
pub(crate) fn channel_number(channel: u32, name: Option<&str>) -> Result<u64, ProtocolError> {
    if let Some(Ok(number)) = name.map(|name| u64::from_str_radix(name, 16)) {
        return Ok(number);
    }
    let slot;
    let name = match name {
        Some(name) if !name.is_empty() => name,
        _ => {
            slot = (i64::from(channel) - 1).to_string();
            &slot
        }
    };
    let digits = name.trim_start();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let digits = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
        .unwrap_or(digits);
    let end = digits
        .find(|digit: char| !digit.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], 16).map_err(|_| ProtocolError::Name(name.into()))
}

fn parse_channel(zigzag: u64) -> Result<i32, ProtocolError> {
    let zigzag = u32::try_from(zigzag).map_err(|_| ProtocolError::Channel(Some(zigzag)))?;
    Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

/// Takes a name off the front. One that is too long is so before it is there.
#[inline]
fn take_name<'a>(bytes: &mut &'a [u8], limit: u32) -> Result<&'a str, ProtocolError> {
    let len = varint::take(bytes)?;
    if len > u64::from(limit) {
        return Err(ProtocolError::NameTooLong { len, limit });
    }
    text(take(bytes, len)?)
}

fn parse_kind(number: u64) -> Result<FrameKind, ProtocolError> {
    match number {
        1 => Ok(FrameKind::Data),
        2 => Ok(FrameKind::End),
        3 => Ok(FrameKind::Error),
        _ => Err(ProtocolError::FrameType(number)),
    }
}
