use std::ops::RangeInclusive;

use super::{DELIMITED, VARINT, key, skip, take_delimited, text, varint};
use crate::hash::{HEX_LEN, SHA1_LEN, to_hex};
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
    #[inline]
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, ProtocolError> {
        let (mut kind, mut sequence) = (None, 0);
        let (mut first, mut hashes) = (None, 0);
        let mut fields = message;
        // Every known writer puts the type first: it is out of the way of those who read the hashes.
        if let [0x00, number @ ..0x80, rest @ ..] = message {
            kind = Some(u64::from(*number));
            fields = rest;
        }
        let mut rest = fields;
        loop {
            // Nearly all are SHA-1s, whose fields are soon seen to be good.
            while let Some((field, behind)) = sha1_field(rest) {
                if !field.is_ascii() {
                    break;
                }
                first.get_or_insert(&field[..]);
                hashes += 1;
                rest = behind;
            }
            if rest.is_empty() {
                break;
            }
            match varint::take(&mut rest)? {
                KIND => kind = Some(varint::take(&mut rest)?),
                HASH => {
                    let hash = take_delimited(&mut rest)?;
                    text(hash)?;
                    first.get_or_insert(hash);
                    hashes += 1;
                }
                MAPPING => {
                    take_delimited(&mut rest)?;
                }
                POSITION => sequence = varint::take(&mut rest)?,
                key => skip(&mut rest, key, 0..=3)?,
            }
        }
        let hashes = Hashes::new(fields, hashes);
        Ok(match kind {
            Some(AVAILABLE) => Self::Available(hashes),
            Some(REQUEST) => Self::Request(hashes),
            Some(HASHES) => Self::Hashes(Mappings { rest: fields }),
            Some(SINCE) => Self::Since(sequence.checked_sub(1)),
            Some(CLOSE) => Self::Close,
            Some(SEEN) => Self::Seen(sequence.checked_sub(1)),
            Some(ID) => Self::Id(text(first.ok_or(ProtocolError::FieldMissing(ID))?)?),
            kind => return Err(ProtocolError::MessageType(kind)),
        })
    }
}

/// The entries of a HASHES: which hash will come under which sequence number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mappings<'a> {
    rest: &'a [u8],
}

impl Iterator for Mappings<'_> {
    type Item = Result<(Hash, u64), ProtocolError>;

    fn next(&mut self) -> Option<Self::Item> {
        next_delimited(&mut self.rest, MAPPING).map(parse_mapping)
    }
}

/// The hashes in a message that [`Message::parse`] has accepted, hence UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct HashTexts<'a> {
    rest: &'a [u8],
}

impl<'a> HashTexts<'a> {
    pub(crate) const fn new(fields: &'a [u8]) -> Self {
        Self { rest: fields }
    }
}

impl<'a> Iterator for HashTexts<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some((hash, behind)) = sha1_field(self.rest) {
            self.rest = behind;
            return Some(hash);
        }
        next_delimited(&mut self.rest, HASH)
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

/// The hash in a field that has the length of a SHA-1, and what comes behind.
#[inline]
fn sha1_field(fields: &[u8]) -> Option<(&[u8; HEX_LEN], &[u8])> {
    let (head, rest) = fields.split_first_chunk()?;
    (*head == SHA1_HEAD).then(|| rest.split_first_chunk())?
}

/// What comes before the digits of a SHA-1.
const SHA1_HEAD: [u8; 2] = [0x0a, HEX_LEN as u8];

/// Adds a hash.
#[inline]
pub(crate) fn write_hash(hash: &Hash, out: &mut Vec<u8>) {
    if let Some(digest) = hash.as_sha1() {
        let mut field = [0; SHA1_HEAD.len() + HEX_LEN];
        let (head, hex) = field.split_at_mut(SHA1_HEAD.len());
        head.copy_from_slice(&SHA1_HEAD);
        hex.copy_from_slice(&to_hex(digest));
        out.extend_from_slice(&field);
        return;
    }
    let len = hash.wire_len();
    if len < 0x80 {
        out.extend_from_slice(&[0x0a, len as u8]);
    } else {
        out.push(0x0a);
        varint::write(len as u64, out);
    }
    hash.write(out);
}

/// A whole message with one SHA-1.
#[inline]
pub(crate) fn single(kind: u64, digest: &[u8; SHA1_LEN]) -> [u8; SINGLE_LEN] {
    let mut message = [0; SINGLE_LEN];
    let (head, hex) = message.split_at_mut(SINGLE_LEN - HEX_LEN);
    head.copy_from_slice(&[0x00, kind as u8, 0x0a, HEX_LEN as u8]);
    hex.copy_from_slice(&to_hex(digest));
    message
}

/// Reads what [`single`] writes; `None`: it is something else.
#[inline]
pub(crate) fn parse_single(message: &[u8; SINGLE_LEN]) -> Option<(u64, Hashes<'_>)> {
    let (kind, fields) = message.split_first_chunk()?;
    let [0x00, kind @ (0 | 1)] = *kind else {
        return None;
    };
    let [0x0a, len, hash @ ..] = fields else {
        return None;
    };
    let is_single = usize::from(*len) == hash.len() && hash.is_ascii();
    is_single.then(|| (u64::from(kind), Hashes::new(fields, 1)))
}

pub(crate) const SINGLE_LEN: usize = 4 + HEX_LEN;

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

/// The next of these fields in a message whose fields are known to be well-formed.
#[inline]
fn next_delimited<'a>(rest: &mut &'a [u8], wanted: u64) -> Option<&'a [u8]> {
    while !rest.is_empty() {
        let key = varint::take(rest).ok()?;
        if key == wanted {
            return take_delimited(rest).ok();
        }
        skip(rest, key, NONE).ok()?;
    }
    None
}

fn parse_mapping(mut entry: &[u8]) -> Result<(Hash, u64), ProtocolError> {
    let (mut hash, mut sequence) = (None, None);
    while !entry.is_empty() {
        match varint::take(&mut entry)? {
            MAPPED_HASH => {
                let text = take_delimited(&mut entry)?;
                hash = Some(Hash::from_wire(text).ok_or(ProtocolError::Utf8)?);
            }
            MAPPED_SEQUENCE => sequence = Some(varint::take(&mut entry)?),
            key => skip(&mut entry, key, 0..=1)?,
        }
    }
    hash.zip(sequence)
        .ok_or(ProtocolError::FieldMissing(HASHES))
}

const KIND: u64 = key(0, VARINT);
const HASH: u64 = key(1, DELIMITED);
const MAPPING: u64 = key(2, DELIMITED);
const POSITION: u64 = key(3, VARINT);
const MAPPED_HASH: u64 = key(0, DELIMITED);
const MAPPED_SEQUENCE: u64 = key(1, VARINT);
