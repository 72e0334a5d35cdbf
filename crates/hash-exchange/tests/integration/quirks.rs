//! The odd cases of the npm package, version 4.0.1, one by one: each test names the case, and says what the package does
//! and what we do instead.

mod answers;
mod bytes;
mod end;
mod flow;
mod words;

use hash_exchange::{Event, Hash, Limits, ProtocolError, Session};

use crate::pair::{Heard, Side};

/// A frame, field by field, whatever sense it makes.
pub(crate) struct Frame<'a> {
    pub(crate) channel: i32,
    pub(crate) name: Option<&'a str>,
    pub(crate) kind: Option<u8>,
    pub(crate) data: Option<&'a [u8]>,
}

impl Frame<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = vec![0x08];
        let zigzag = (self.channel << 1) ^ (self.channel >> 31);
        varint(u64::from(zigzag.cast_unsigned()), &mut body);
        if let Some(name) = self.name {
            field(0x12, name.as_bytes(), &mut body);
        }
        if let Some(kind) = self.kind {
            body.extend([0x18, kind]);
        }
        if let Some(data) = self.data {
            field(0x22, data, &mut body);
        }
        prefixed(&body)
    }
}

pub(crate) const END: u8 = 2;
pub(crate) const ERROR: u8 = 3;

/// DATA on a channel; with a name, it opens the channel.
pub(crate) fn data(channel: i32, name: Option<&str>, data: &[u8]) -> Vec<u8> {
    let data = Some(data);
    let kind = None;
    Frame {
        channel,
        name,
        kind,
        data,
    }
    .bytes()
}

/// END or ERROR on a channel.
pub(crate) fn ending(channel: i32, name: Option<&str>, kind: u8) -> Vec<u8> {
    Frame {
        channel,
        name,
        kind: Some(kind),
        data: None,
    }
    .bytes()
}

/// A message in its frame: its type, and its other fields.
pub(crate) fn message(kind: u8, fields: &[u8]) -> Vec<u8> {
    data(1, Some("0"), &[&[0x00, kind], fields].concat())
}

pub(crate) fn available(hashes: &[&str]) -> Vec<u8> {
    message(0, &texts(hashes))
}

pub(crate) fn request(hashes: &[&str]) -> Vec<u8> {
    message(1, &texts(hashes))
}

pub(crate) fn hashes(mappings: &[(&str, u64)]) -> Vec<u8> {
    let mut fields = Vec::new();
    for (hash, sequence) in mappings {
        let mut mapping = Vec::new();
        field(0x02, hash.as_bytes(), &mut mapping);
        mapping.push(0x08);
        varint(*sequence, &mut mapping);
        field(0x12, &mapping, &mut fields);
    }
    message(2, &fields)
}

pub(crate) fn close() -> Vec<u8> {
    message(4, &[])
}

/// A body behind its length.
pub(crate) fn prefixed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn texts(hashes: &[&str]) -> Vec<u8> {
    let mut fields = Vec::new();
    for hash in hashes {
        field(0x0a, hash.as_bytes(), &mut fields);
    }
    fields
}

fn field(key: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(key);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A side that has asked for these hashes, in one REQUEST each.
pub(crate) fn asking(hashes: &[&str]) -> Side {
    let mut side = Side::new(Limits::DEFAULT);
    for &hash in hashes {
        side.request(&[hash.into()]);
    }
    side.out.clear();
    side
}

/// What a side hears of bytes, in one piece; the same is heard of them byte by byte.
fn hears(asked: &[&str], bytes: &[u8]) -> Result<Vec<Heard>, ProtocolError> {
    let mut whole = asking(asked);
    let result = whole.receive(bytes);
    let mut split = asking(asked);
    let split_result = bytes.chunks(1).try_for_each(|byte| split.receive(byte));
    assert_eq!(split_result, result, "byte by byte");
    assert_eq!(split.heard, whole.heard, "byte by byte");
    result.map(|()| whole.heard)
}

/// What reading these bytes ends with, on a session that has asked for nothing.
fn reads(bytes: &[u8]) -> Result<(), ProtocolError> {
    hears(&[], bytes).map(drop)
}

/// A content that came to its end. One whose hash is no SHA-1 is taken as it comes.
fn complete(hash: &str, sequence: u64, body: &[u8]) -> Heard {
    Heard::Complete(hash.into(), sequence, body.to_vec())
}

/// Reads to the end; the events are counted and dropped.
fn drain(session: &mut Session, mut input: &[u8], mut event: impl FnMut(Event<'_>)) {
    while let Some(it) = session.receive(&mut input).expect("it is legal") {
        event(it);
    }
}

/// The SHA-1 of a body as it is written.
fn sha1(body: &[u8]) -> String {
    Hash::sha1(body).to_string()
}

/// The table of the cases names no test that is not there.
#[test]
fn every_test_that_the_table_names_is_there() {
    let crate_root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let integration = crate_root.join("tests/integration");
    let table = include_str!("../../QUIRKS.md");
    let named = table.split('`').filter_map(|code| code.split_once("::"));
    let mut count = 0;
    for (file, test) in named {
        let path = [
            integration.join("quirks").join(file),
            integration.join(file),
        ];
        let path = path.iter().find(|path| path.exists());
        let path = path.unwrap_or_else(|| panic!("{file} is not there"));
        let source = std::fs::read_to_string(path).expect("it can be read");
        assert!(source.contains(&format!("fn {test}(")), "{file}::{test}");
        count += 1;
    }
    assert!(count >= 60, "{count} tests");
}
