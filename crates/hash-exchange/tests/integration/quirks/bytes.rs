//! Bytes that no honest peer sends, or only an odd one.

use hash_exchange::{Limits, ProtocolError};

use super::{END, ERROR, Frame, available, data, ending, hashes, hears, message};
use super::{asking, complete, prefixed, reads, sha1};
use crate::pair::{Heard, Side};

/// `dataMissing`: the package stalls for ever on DATA without field 4. We take it for empty, and write the field even then.
#[test]
fn data_missing_is_data_that_is_empty_and_is_never_written() {
    let empty = sha1(b"");
    let open = Frame {
        channel: 2,
        name: Some("2"),
        kind: None,
        data: None,
    };
    let bytes = [hashes(&[(&empty, 1)]), open.bytes(), ending(2, None, END)].concat();
    let heard = hears(&[&empty], &bytes).unwrap();
    assert_eq!(heard[1], complete(&empty, 1, b""));

    let mut bob = Side::new(Limits::DEFAULT);
    bob.receive(&super::request(&["x"])).unwrap();
    let answer = bob.session.respond([("x".into(), None)], &mut bob.out);
    bob.out.clear();
    let served = answer.unwrap().served(0);
    bob.session.body(served, b"", &mut bob.out).unwrap();
    assert_eq!(bob.out, [7, 0x08, 4, 0x12, 1, b'2', 0x22, 0]);
}

/// `garbage`, `truncKey` (`03 08 02 80`): the package loops for ever. It is an error at once.
#[test]
fn garbage_and_trunc_key_are_errors_and_no_loops() {
    assert_eq!(reads(&[3, 0x08, 2, 0x80]), Err(ProtocolError::Truncated));
    let garbage: Vec<u8> = (0..=255).rev().collect();
    assert!(reads(&garbage.repeat(10)).is_err());
    assert!(reads(&[0xff; 1000]).is_err());
}

/// `badFrameType`: the package crashes.
#[test]
fn bad_frame_type_is_an_error() {
    for kind in [0, 4, 0x7f] {
        let error = ProtocolError::FrameType(u64::from(kind));
        assert_eq!(reads(&ending(1, Some("0"), kind)), Err(error));
    }
}

/// `noChannel`: the package crashes.
#[test]
fn no_channel_is_an_error() {
    let bytes = prefixed(&[0x22, 2, 0, 0]);
    assert_eq!(reads(&bytes), Err(ProtocolError::Channel(None)));
}

/// `group`: the package crashes.
#[test]
fn group_is_an_error() {
    for wire_type in [3, 4, 6, 7] {
        let error = ProtocolError::WireType {
            field: 5,
            wire_type,
        };
        let bytes = prefixed(&[0x08, 2, 5 << 3 | wire_type]);
        assert_eq!(reads(&bytes), Err(error));
    }
}

/// Fields that nobody knows are skipped, wherever the stream is split. Their numbers are so long that they make no varint together
/// with the value before.
#[test]
fn fields_that_nobody_knows_are_skipped_at_every_split() {
    let hash = sha1(b"body");
    let frames = [
        hashes(&[(&hash, 1)]),
        data(2, Some("2"), b"body"),
        ending(2, None, END),
    ];
    let heard = hears(&[&hash], &frames.concat()).unwrap();
    assert_eq!(heard[1], complete(&hash, 1, b"body"));
    let values: [(u8, &[u8]); 4] = [
        (0, &[0xff, 1]),
        (1, &[0xff; 8]),
        (2, &[1, 0xff]),
        (5, &[0xff; 4]),
    ];
    for (wire_type, value) in values {
        let field = [&[wire_type | 0x80][..], &[0x80; 7], &[8], value].concat();
        let fields = field.repeat(2);
        for (before, after) in [(&fields[..], &[][..]), (&[], &fields), (&fields, &fields)] {
            let padded = frames.each_ref().map(|frame| {
                let frame = &frame[1..];
                prefixed(&[before, frame, after].concat())
            });
            let stream = padded.concat();
            assert_eq!(hears(&[&hash], &stream).as_ref(), Ok(&heard));
            for at in 0..=stream.len() {
                let (one, other) = stream.split_at(at);
                let mut side = asking(&[&hash]);
                assert_eq!(side.receive(one), Ok(()));
                assert_eq!(side.receive(other), Ok(()));
                assert_eq!(side.heard, heard, "type {wire_type}, split at {at}");
                assert_eq!(side.session.end(), Ok(()));
            }
        }
    }
}

/// `garbageText`: the package crashes on text.
#[test]
fn garbage_text_is_an_error() {
    let text = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10);
    assert!(reads(text.as_bytes()).is_err());
}

/// `lp100`: the package crashes of a prefix of more than 100 bytes. No number needs more than ten.
#[test]
fn lp100_is_an_error_after_ten_bytes() {
    assert_eq!(reads(&[0x80; 9]), Ok(()));
    assert_eq!(reads(&[0x80; 10]), Err(ProtocolError::Varint));
    assert_eq!(reads(&[0x80; 101]), Err(ProtocolError::Varint));
}

/// `badRpc`, `rpcBadType`, `rpcNoType`: the package falls silent.
#[test]
fn bad_rpc_and_rpc_bad_type_and_rpc_no_type_are_errors() {
    let bad = data(1, Some("0"), &[0xff; 9]);
    assert_eq!(reads(&bad), Err(ProtocolError::Truncated));
    for kind in [7, 8, 0x7f] {
        let error = ProtocolError::MessageType(Some(u64::from(kind)));
        assert_eq!(reads(&message(kind, &[])), Err(error));
    }
    let untyped = data(1, Some("0"), &[0x0a, 1, b'x']);
    assert_eq!(reads(&untyped), Err(ProtocolError::MessageType(None)));
    assert_eq!(
        reads(&data(1, Some("0"), &[])),
        Err(ProtocolError::MessageType(None))
    );
}

/// `truncData`, `rpcSplit`: the package accepts strings that are cut.
#[test]
fn trunc_data_and_rpc_split_are_errors() {
    let cut = prefixed(&[0x08, 2, 0x12, 1, b'0', 0x22, 9, 0, 0]);
    assert_eq!(reads(&cut), Err(ProtocolError::Truncated));

    let whole = [&[0, 0, 0x0a, 40][..], sha1(b"beep").as_bytes()].concat();
    for at in 0..whole.len() {
        let (first, second) = whole.split_at(at);
        let frames = [data(1, Some("0"), first), data(1, None, second)].concat();
        assert!(
            reads(&frames).is_err(),
            "a message in two frames, cut at {at}"
        );
    }
}

/// `lpZero`, `lpOverlong`: accepted.
#[test]
fn lp_zero_and_lp_overlong_are_accepted() {
    let frame = available(&["x"]);
    let overlong = [&[frame[0] | 0x80, 0x80, 0x00], &frame[1..]].concat();
    let bytes = [&[0, 0][..], &frame, &[0], &overlong, &[0]].concat();
    let heard = Heard::Available(vec!["x".into()]);
    assert_eq!(hears(&[], &bytes).unwrap(), [heard.clone(), heard]);
}

/// `rpcReorder`: fields in any order, in the frame and in the message.
#[test]
fn rpc_reorder_is_accepted() {
    let bytes = prefixed(&[0x22, 5, 0x0a, 1, b'x', 0, 0, 0x12, 1, b'0', 0x08, 2]);
    let heard = Heard::Available(vec!["x".into()]);
    assert_eq!(hears(&[], &bytes).unwrap(), [heard]);
}

/// `errRpc`: a stream of messages that ends in ERROR, or in END, may be opened again.
#[test]
fn err_rpc_is_accepted_and_the_stream_may_be_opened_again() {
    for kind in [END, ERROR] {
        let bytes = [available(&["x"]), ending(1, None, kind), available(&["y"])].concat();
        let heard = ["x", "y"].map(|hash| Heard::Available(vec![hash.into()]));
        assert_eq!(hears(&[], &bytes).unwrap(), heard);
    }
}

/// `rpcNoName`, `rpcOther`: messages on channel 1 without a name, and on any other that is named so.
#[test]
fn rpc_no_name_and_rpc_other_are_accepted() {
    let heard = [Heard::Available(Vec::new())];
    for (channel, name) in [(1, None), (1, Some("")), (7, Some("0")), (9, Some("00"))] {
        let bytes = data(channel, name, &[0, 0]);
        assert_eq!(hears(&[], &bytes).unwrap(), heard, "{channel}, {name:?}");
    }
}

/// `nameLax`: names are read as `parseInt(name, 16)` reads them.
#[test]
fn name_lax_is_accepted() {
    for name in ["2", "02", "0x2", "0X2", "2zz", " 2"] {
        let bytes = [hashes(&[("x", 1)]), ending(2, Some(name), END)].concat();
        let heard = hears(&["x"], &bytes).unwrap();
        assert_eq!(heard[1], complete("x", 1, b""), "{name:?}");
    }
    let bytes = [hashes(&[("x", 254)]), ending(2, Some("FF"), END)].concat();
    assert_eq!(hears(&["x"], &bytes).unwrap()[1], complete("x", 254, b""));
    let nameless = [hashes(&[("x", 0x16)]), ending(18, None, END)].concat();
    let heard = hears(&["x"], &nameless).unwrap();
    assert_eq!(heard[1], complete("x", 0x16, b""), "channel 18 is named 17");
    let error = ProtocolError::Name("zz".into());
    assert_eq!(reads(&ending(2, Some("zz"), END)), Err(error));
}

/// `chan0`: channel 0 works, and so does the greatest.
#[test]
fn chan0_is_accepted() {
    for channel in [0, i32::MAX] {
        let bytes = [hashes(&[("x", 1)]), ending(channel, Some("2"), END)].concat();
        assert_eq!(hears(&["x"], &bytes).unwrap()[1], complete("x", 1, b""));
    }
}

/// `negUnknown`: frames on a negative channel that nobody opened are dropped.
#[test]
fn neg_unknown_is_ignored() {
    for channel in [-1, -2, -1000, i32::MIN] {
        let frames = [
            data(channel, Some("2"), b"beep"),
            data(channel, None, &[7; 100]),
            ending(channel, None, END),
            ending(channel, Some("2"), ERROR),
            available(&[]),
        ];
        let heard = [Heard::Available(Vec::new())];
        assert_eq!(hears(&[], &frames.concat()).unwrap(), heard, "{channel}");
    }
}

/// `error`, `errorFirst`, `errorNoData`: a content that ends in ERROR has failed, with or without a text, begun or not.
#[test]
fn error_and_error_first_and_error_no_data_are_failures_and_never_success() {
    let empty = sha1(b"");
    let failed = |text: &str| Heard::Failed(empty[..].into(), text.into());
    let error = |name, data| {
        let (channel, kind) = (2, Some(ERROR));
        Frame {
            channel,
            name,
            kind,
            data,
        }
        .bytes()
    };
    // The content is empty: but for the ERROR it would be complete.
    let begun = data(2, Some("2"), b"");
    for (case, frames, text) in [
        (
            "error",
            [begun.clone(), error(None, Some(b"oh"))].concat(),
            "the peer broke it off: oh",
        ),
        (
            "errorFirst",
            error(Some("2"), Some(b"oh")),
            "the peer broke it off: oh",
        ),
        (
            "errorNoData",
            [begun, error(None, None)].concat(),
            "the peer broke it off",
        ),
        (
            "errorFirst without data",
            error(Some("2"), None),
            "the peer broke it off",
        ),
    ] {
        let mut side = asking(&[&empty]);
        side.receive(&hashes(&[(&empty, 1)])).unwrap();
        side.receive(&frames).unwrap();
        assert_eq!(side.take_heard()[1..], [failed(text)], "{case}");
        assert_eq!(side.session.end(), Ok(()), "{case}: nothing is open");
        side.receive(&available(&[])).unwrap();
        assert_eq!(side.take_heard(), [Heard::Available(Vec::new())], "{case}");
    }
}
