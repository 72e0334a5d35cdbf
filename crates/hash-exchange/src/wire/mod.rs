//! The bytes: PROTOCOL.md, in code. Nothing here knows what a frame means, nor remembers one.

pub(crate) mod frame;
pub(crate) mod rpc;
pub(crate) mod varint;

use std::ops::RangeInclusive;

use crate::ProtocolError;

/// Takes `len` bytes off the front.
#[inline]
fn take<'a>(bytes: &mut &'a [u8], len: u64) -> Result<&'a [u8], ProtocolError> {
    let len = usize::try_from(len).map_err(|_| ProtocolError::Truncated)?;
    let (front, rest) = bytes
        .split_at_checked(len)
        .ok_or(ProtocolError::Truncated)?;
    *bytes = rest;
    Ok(front)
}

/// Takes a length and as many bytes off the front.
#[inline]
fn take_delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], ProtocolError> {
    let len = varint::take(bytes)?;
    take(bytes, len)
}

/// Skips the value of a field that nobody knows. A field that is known, but not of this wire type, ends here too.
#[cold]
fn skip(bytes: &mut &[u8], key: u64, known: RangeInclusive<u64>) -> Result<(), ProtocolError> {
    let (field, wire_type) = (key >> 3, (key & 7) as u8);
    match wire_type {
        _ if known.contains(&field) => return Err(ProtocolError::WireType { field, wire_type }),
        VARINT => varint::take(bytes).map(drop)?,
        FIXED64 => take(bytes, 8).map(drop)?,
        DELIMITED => take_delimited(bytes).map(drop)?,
        FIXED32 => take(bytes, 4).map(drop)?,
        _ => return Err(ProtocolError::WireType { field, wire_type }),
    }
    Ok(())
}

#[inline]
fn text(bytes: &[u8]) -> Result<&str, ProtocolError> {
    str::from_utf8(bytes).map_err(|_| ProtocolError::Utf8)
}

/// What stands before a field: its number and its wire type.
const fn key(field: u64, wire_type: u8) -> u64 {
    field << 3 | wire_type as u64
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const DELIMITED: u8 = 2;
const FIXED32: u8 = 5;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::frame::{Frame, FrameKind, Header, channel_number};
    use super::*;
    use crate::Hash;
    use crate::fuzz::{self, Owned, decode, encode};

    fn message() -> impl Strategy<Value = Owned> {
        let hash = || {
            prop_oneof![
                any::<[u8; 20]>().prop_map(Hash::from_sha1),
                any::<String>().prop_map(Hash::from),
            ]
        };
        let position = || proptest::option::of(0..u64::MAX);
        prop_oneof![
            (0_u64..2, vec(hash(), 0..5)).prop_map(|(kind, hashes)| Owned::Hashes(kind, hashes)),
            vec((hash(), any::<u64>()), 0..5).prop_map(Owned::Mappings),
            position().prop_map(|position| Owned::Position(rpc::SINCE, position)),
            position().prop_map(|position| Owned::Position(rpc::SEEN, position)),
            Just(Owned::Close),
            any::<String>().prop_map(Owned::Id),
        ]
    }

    #[test]
    fn every_recorded_frame_is_written_as_it_was_read() {
        let vectors = include_str!("../../tests/vectors.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let mut frames = 0;
        for scenario in vectors["scenarios"].as_array().unwrap() {
            for frame in scenario["frames"].as_array().unwrap() {
                let Some(hex) = frame["hex"].as_str() else {
                    continue;
                };
                let bytes = (0..hex.len()).step_by(2);
                let bytes: Vec<u8> = bytes
                    .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                    .collect();
                let (len, prefix) = varint::read(&bytes).unwrap().unwrap();
                assert_eq!(bytes.len(), prefix + len as usize);
                let frame = Frame::parse(&bytes[prefix..], 256).unwrap();
                let data = match frame.channel {
                    1 => encode(&decode(frame.data).unwrap()),
                    _ => frame.data.to_vec(),
                };
                let name = frame
                    .name
                    .map(|name| u64::from_str_radix(name, 16).unwrap());
                let len = (frame.kind == FrameKind::Data).then_some(data.len());
                let header = Header::new(frame.channel, name, frame.kind, len);
                assert_eq!([header.as_bytes(), &data].concat(), bytes);
                frames += 1;
            }
        }
        assert_eq!(frames, 41);
    }

    #[test]
    fn names_are_read_as_the_package_reads_them() {
        for (name, number) in [
            ("2", 2),
            ("02", 2),
            ("0x2", 2),
            ("2zz", 2),
            ("FF", 255),
            (" +1f", 31),
        ] {
            assert_eq!(channel_number(9, Some(name)), Ok(number));
        }
        assert_eq!(channel_number(1, None), Ok(0));
        assert_eq!(
            channel_number(11, Some("")),
            Ok(0x10),
            "slot 10 is read as hexadecimal"
        );
        for name in ["zz", "-1", "11111111111111111"] {
            assert_eq!(
                channel_number(9, Some(name)),
                Err(ProtocolError::Name(name.into()))
            );
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn messages_survive_the_wire(message in message()) {
            prop_assert_eq!(decode(&encode(&message)), Ok(message));
        }

        #[test]
        fn frames_survive_the_wire(
            channel: i32,
            name in proptest::option::of(any::<u64>()),
            kind in prop_oneof![Just(FrameKind::Data), Just(FrameKind::End), Just(FrameKind::Error)],
            data in vec(any::<u8>(), 0..200),
        ) {
            let header = Header::new(channel, name, kind, Some(data.len()));
            let bytes = [header.as_bytes(), &data].concat();
            let (len, prefix) = varint::read(&bytes)?.expect("it is whole");
            let frame = &bytes[prefix..];
            prop_assert_eq!(len, frame.len() as u64);
            let text = name.map(|name| format!("{name:x}"));
            let parsed = Frame { channel, name: text.as_deref(), kind, data: &data };
            prop_assert_eq!(Frame::parse(frame, 256), Ok(parsed));
            fuzz::frame(frame);
        }
    }
}
