use crate::wire::frame::{Frame, FrameKind, Header, Peek, channel_number, peek};
use crate::wire::rpc::{self, Message};
use crate::wire::varint;
use crate::{Hash, Hashes, ProtocolError, Session};

/// Reads any bytes as one frame, whole and in pieces.
pub fn frame(bytes: &[u8]) {
    number(bytes);
    let whole = Frame::parse(bytes, NAME_LIMIT);
    let header_len = match &whole {
        Ok(frame) => reread(frame, bytes),
        Err(_) => None,
    };
    look_ahead(bytes, &whole, header_len);
    split(bytes);
}

/// The number at the front is what its groups of bits come to, in more room than they need.
fn number(bytes: &[u8]) {
    if let Ok(Some((value, len))) = varint::read(bytes) {
        let groups = bytes[..len].iter().rev();
        let sum = groups.fold(0, |sum, byte| sum << 7 | u128::from(byte & 0x7f));
        assert_eq!(u128::from(value), sum);
        assert!(varint::len(value) <= len);
    }
}

/// Short, so that what is beyond it is soon found.
const NAME_LIMIT: u32 = 32;

/// What is written again reads alike. The length of the header, if the frame is as we write it.
fn reread(frame: &Frame<'_>, bytes: &[u8]) -> Option<usize> {
    let number = |frame: &Frame<'_>| channel_number(frame.channel.unsigned_abs(), frame.name);
    let name = match frame.name {
        Some(_) => Some(number(frame).ok()?),
        None => None,
    };
    let header = Header::new(frame.channel, name, frame.kind, Some(frame.data.len()));
    let again = [header.as_bytes(), frame.data].concat();
    let (len, prefix) = varint::read(&again).expect("we wrote it")?;
    let again = &again[prefix..];
    assert_eq!(len, again.len() as u64);
    let read = Frame::parse(again, NAME_LIMIT).expect("we wrote it");
    assert_eq!(
        (read.channel, read.kind, read.data),
        (frame.channel, frame.kind, frame.data)
    );
    assert_eq!(number(&read), number(frame));
    let is_ours = again == bytes && frame.kind == FrameKind::Data;
    is_ours.then_some(bytes.len() - frame.data.len())
}

/// The first bytes tell what the whole frame does, or ask for more; and of a frame that we might have written they tell it as
/// soon as its header is there.
fn look_ahead(bytes: &[u8], whole: &Result<Frame<'_>, ProtocolError>, header_len: Option<usize>) {
    let mut before = Ok(Peek::More);
    for end in 0..bytes.len() {
        let now = peek(&bytes[..end], bytes.len() as u64, NAME_LIMIT);
        assert!(
            before == Ok(Peek::More) || before == now,
            "it thinks better of it"
        );
        match &now {
            Ok(Peek::Data {
                channel,
                name,
                offset,
            }) => {
                let frame = Frame {
                    channel: *channel,
                    name: *name,
                    kind: FrameKind::Data,
                    data: &bytes[*offset..],
                };
                assert_eq!(whole, &Ok(frame));
            }
            Err(error) => assert_eq!(whole.as_ref(), Err(error)),
            Ok(Peek::More | Peek::Whole) => {
                assert!(
                    header_len.is_none_or(|len| end < len),
                    "the header is whole"
                );
            }
        }
        before = now;
    }
}

/// A session takes the frame alike wherever it is split.
fn split(bytes: &[u8]) {
    let mut stream = Vec::new();
    varint::write(bytes.len() as u64, &mut stream);
    stream.extend_from_slice(bytes);
    let whole = heard([&stream, &[]]);
    for at in 1..stream.len() {
        let (one, other) = stream.split_at(at);
        assert_eq!(heard([one, other]), whole, "split at {at}");
    }
}

/// What a session makes of these bytes, in words.
fn heard(pieces: [&[u8]; 2]) -> (String, Result<(), ProtocolError>) {
    let mut session = Session::default();
    let mut events = String::new();
    for mut piece in pieces {
        loop {
            match session.receive(&mut piece) {
                Ok(Some(event)) => events += &format!("{event:?}"),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, session.end())
}

/// Reads any bytes as one message.
pub fn rpc(bytes: &[u8]) {
    number(bytes);
    let read = decode(bytes);
    if let Ok(message) = &read {
        assert_eq!(decode(&encode(message)).as_ref(), Ok(message));
    }
    let single = bytes.first_chunk().and_then(rpc::parse_single);
    if let (Some((kind, hashes)), rpc::SINGLE_LEN) = (single, bytes.len()) {
        assert_eq!(Ok(Owned::Hashes(kind, list(hashes))), read);
    }
}

/// A message, decoded and owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    Hashes(u64, Vec<Hash>),
    Mappings(Vec<(Hash, u64)>),
    Position(u64, Option<u64>),
    Close,
    Id(String),
}

pub(crate) fn decode(message: &[u8]) -> Result<Owned, ProtocolError> {
    Ok(match Message::parse(message)? {
        Message::Available(hashes) => Owned::Hashes(rpc::AVAILABLE, list(hashes)),
        Message::Request(hashes) => Owned::Hashes(rpc::REQUEST, list(hashes)),
        Message::Hashes(mappings) => Owned::Mappings(mappings.collect::<Result<_, _>>()?),
        Message::Since(position) => Owned::Position(rpc::SINCE, position),
        Message::Seen(position) => Owned::Position(rpc::SEEN, position),
        Message::Close => Owned::Close,
        Message::Id(id) => Owned::Id(id.to_owned()),
    })
}

/// All hashes of a list, which are as many as it says, whichever way they are read.
fn list(hashes: Hashes<'_>) -> Vec<Hash> {
    let list: Vec<_> = hashes.iter().collect();
    assert_eq!(
        (list.len(), list.is_empty()),
        (hashes.len(), hashes.is_empty())
    );
    assert!(list.iter().map(Hash::to_string).eq(hashes.strs()));
    list
}

pub(crate) fn encode(message: &Owned) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        Owned::Hashes(kind, hashes) => {
            rpc::write_kind(*kind, &mut out);
            hashes
                .iter()
                .for_each(|hash| rpc::write_hash(hash, &mut out));
        }
        Owned::Mappings(mappings) => {
            rpc::write_kind(rpc::HASHES, &mut out);
            for (hash, sequence) in mappings {
                rpc::write_mapping(hash, *sequence, &mut out);
            }
        }
        Owned::Position(kind, position) => {
            rpc::write_kind(*kind, &mut out);
            rpc::write_sequence(*position, &mut out);
        }
        Owned::Close => rpc::write_kind(rpc::CLOSE, &mut out),
        Owned::Id(id) => {
            rpc::write_kind(rpc::ID, &mut out);
            rpc::write_text(id, &mut out);
        }
    }
    out
}
