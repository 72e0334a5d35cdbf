use std::ops::RangeInclusive;

use super::{DELIMITED, VARINT, skip, take_delimited, take_key, text, varint};
use crate::{Hash, Hashes, ProtocolError};

/// One message between the two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    Available(Hashes<'a>),
    Request(Hashes<'a>),
    Hashes(Mappings<'a>),
    Since(Option<u64>),
    Close,
    Seen(Option<u64>),
    Id(&'a str),
}

impl<'a> Message<'a> {
    /// Reads a whole message. Fields may come in any order; of those that may come once, the last one counts.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, ProtocolError> {
        let (mut kind, mut sequence) = (None, 0);
        let (mut first, mut hashes) = (None, 0);
        let mut rest = message;
        while !rest.is_empty() {
            match take_key(&mut rest)? {
                (0, VARINT) => kind = Some(varint::take(&mut rest)?),
                (1, DELIMITED) => {
                    let hash = text(take_delimited(&mut rest)?)?;
                    first.get_or_insert(hash);
                    hashes += 1;
                }
                (2, DELIMITED) => {
                    take_delimited(&mut rest)?;
                }
                (3, VARINT) => sequence = varint::take(&mut rest)?,
                (field, wire_type) => skip(&mut rest, field, wire_type, 0..=3)?,
            }
        }
        let hashes = Hashes::new(message, hashes);
        Ok(match kind {
            Some(AVAILABLE) => Self::Available(hashes),
            Some(REQUEST) => Self::Request(hashes),
            Some(HASHES) => Self::Hashes(Mappings { rest: message }),
            Some(SINCE) => Self::Since(sequence.checked_sub(1)),
            Some(CLOSE) => Self::Close,
            Some(SEEN) => Self::Seen(sequence.checked_sub(1)),
            Some(ID) => Self::Id(first.ok_or(ProtocolError::FieldMissing)?),
            kind => return Err(ProtocolError::MessageType(kind)),
        })
    }
}

/// The entries of a HASHES: which hash will come under which sequence number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mappings<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Mappings<'a> {
    type Item = Result<(&'a str, u64), ProtocolError>;

    fn next(&mut self) -> Option<Self::Item> {
        next_delimited(&mut self.rest, 2).map(parse_mapping)
    }
}

/// The hashes in a message that [`Message::parse`] has accepted, hence UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct HashTexts<'a> {
    rest: &'a [u8],
}

impl<'a> HashTexts<'a> {
    pub(crate) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }
}

impl<'a> Iterator for HashTexts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        next_delimited(&mut self.rest, 1)
    }
}

pub(crate) const AVAILABLE: u64 = 0;
pub(crate) const REQUEST: u64 = 1;
pub(crate) const HASHES: u64 = 2;
pub(crate) const SINCE: u64 = 3;
pub(crate) const CLOSE: u64 = 4;
pub(crate) const SEEN: u64 = 5;
pub(crate) const ID: u64 = 6;

/// Begins a message.
pub(crate) fn write_kind(kind: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x00, kind as u8]);
}

/// Adds a hash, or the name of an ID.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(0x0a);
    varint::write(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Adds a hash.
pub(crate) fn write_hash(hash: &Hash, out: &mut Vec<u8>) {
    out.push(0x0a);
    varint::write(hash.wire_len() as u64, out);
    hash.write(out);
}

/// Adds an entry of a HASHES.
pub(crate) fn write_mapping(hash: &Hash, sequence: u64, out: &mut Vec<u8>) {
    let hash_len = hash.wire_len() as u64;
    let len = 1 + varint::len(hash_len) as u64 + hash_len + 1 + varint::len(sequence) as u64;
    out.push(0x12);
    varint::write(len, out);
    out.push(0x02);
    varint::write(hash_len, out);
    hash.write(out);
    out.push(0x08);
    varint::write(sequence, out);
}

/// Adds the sequence number of a SINCE or SEEN, shifted by one so that "none" can be said.
pub(crate) fn write_sequence(sequence: Option<u64>, out: &mut Vec<u8>) {
    out.push(0x18);
    varint::write(sequence.map_or(0, |sequence| sequence + 1), out);
}

/// No field at all: whatever is met was judged before.
const NONE: RangeInclusive<u64> = u64::MAX..=u64::MAX;

/// The next field of this number in a message whose fields are known to be well-formed.
fn next_delimited<'a>(rest: &mut &'a [u8], number: u64) -> Option<&'a [u8]> {
    while !rest.is_empty() {
        let (field, wire_type) = take_key(rest).ok()?;
        if (field, wire_type) == (number, DELIMITED) {
            return take_delimited(rest).ok();
        }
        skip(rest, field, wire_type, NONE).ok()?;
    }
    None
}

fn parse_mapping(mut entry: &[u8]) -> Result<(&str, u64), ProtocolError> {
    let (mut hash, mut sequence) = (None, None);
    while !entry.is_empty() {
        match take_key(&mut entry)? {
            (0, DELIMITED) => hash = Some(text(take_delimited(&mut entry)?)?),
            (1, VARINT) => sequence = Some(varint::take(&mut entry)?),
            (field, wire_type) => skip(&mut entry, field, wire_type, 0..=1)?,
        }
    }
    hash.zip(sequence).ok_or(ProtocolError::FieldMissing)
}
