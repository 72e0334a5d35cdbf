//! What may be said: hashes, numbers, lists.

use std::collections::BTreeMap;

use hash_exchange::{Hash, Limits, Misuse, ProtocolError, Session, Sha1};

use super::{END, available, data, ending, hashes, hears, message, reads, request};
use crate::pair::{Heard, Pair, Side};

/// `provideEmpty`: an empty AVAILABLE is heard; the package advertises nothing of a map, we advertise its keys.
#[test]
fn provide_empty_is_heard_and_of_a_map_the_keys_are_advertised() {
    let mut pair = Pair::new();
    pair.a.provide(&[]);
    assert_eq!(pair.a.out, [9, 8, 2, 0x12, 1, b'0', 0x22, 2, 0, 0]);
    pair.drive();
    assert_eq!(pair.b.take_heard(), [Heard::Available(Vec::new())]);

    let map = BTreeMap::from([(Hash::new("x"), 1), (Hash::new("y"), 2)]);
    let (session, out) = (&mut pair.a.session, &mut pair.a.out);
    let tag = session.provide(map.keys(), out).unwrap();
    pair.a.count(tag);
    pair.drive();
    let keys = map.into_keys().collect();
    assert_eq!(pair.b.take_heard(), [Heard::Available(keys)]);
}

/// Any string, `""`, Unicode: works. Invalid UTF-8, which the package replaces, is refused: a replaced hash is another hash.
#[test]
fn any_string_is_a_hash_and_invalid_utf8_is_an_error() {
    let mut pair = Pair::new();
    let long = "long ".repeat(100_000);
    let strings = ["", " ", "\0", "snow \u{2603}", "\u{1f600}", "0x", &long];
    let strings = strings.map(Hash::new);
    for (body, hash) in (0_u8..).zip(&strings) {
        pair.b.store.insert(hash.clone(), (vec![body], None));
    }
    pair.a.provide(&strings);
    pair.a.request(&strings);
    pair.drive();
    assert_eq!(
        pair.b.take_heard(),
        [
            Heard::Available(strings.to_vec()),
            Heard::Asked(strings.to_vec())
        ]
    );
    let heard = pair.a.take_heard();
    for (body, hash) in (0_u8..).zip(strings) {
        let sequence = u64::from(body) + 1;
        assert!(heard.contains(&Heard::Response(hash, sequence)));
    }

    for (kind, fields) in [
        (0, &[0x0a, 1, 0xff][..]),
        (1, &[0x0a, 2, 0xc3, 0x28]),
        (6, &[0x0a, 3, 0xed, 0xa0, 0x80]),
    ] {
        assert_eq!(reads(&message(kind, fields)), Err(ProtocolError::Utf8));
    }
    let mapping = [0x12, 5, 0x02, 1, 0xff, 0x08, 1];
    let answer = hears(&["x"], &message(2, &mapping));
    assert_eq!(answer, Err(ProtocolError::Utf8));
    let name = super::prefixed(&[0x08, 4, 0x12, 1, 0xff, 0x18, 2]);
    assert_eq!(reads(&name), Err(ProtocolError::Utf8));
}

/// `provideBad`: the package throws half way, with some hashes recorded. Types leave only what is too long, and then nothing
/// is recorded nor written.
#[test]
fn provide_bad_cannot_be_said_or_leaves_no_trace() {
    let limits = Limits {
        message: 100,
        ..Limits::DEFAULT
    };
    let mut session = Session::new(limits, Sha1);
    let mut out = Vec::new();
    let long = [Hash::new("x"), Hash::new(&"y".repeat(200))];
    let len = 2 + 3 + 203;
    let refused = Err(Misuse::MessageTooLong { len, limit: 100 });
    assert_eq!(session.provide(&long, &mut out), refused);
    assert_eq!(session.request(&long, &mut out), refused);
    assert!(out.is_empty());
    assert_eq!(session.end(), Ok(()), "nothing is asked for");
    session.provide(&long[..1], &mut out).unwrap();
    assert_eq!(out, available(&["x"]), "the stream has yet to begin");
}

/// `proto`, `proto2`: `__proto__` and its like are hashes as any other.
#[test]
fn proto_and_proto2_are_ordinary_hashes() {
    let mut pair = Pair::new();
    let hashes = ["__proto__", "constructor", "toString", "hasOwnProperty"].map(Hash::new);
    for hash in &hashes {
        pair.b.store.insert(hash.clone(), (b"beep".to_vec(), None));
    }
    pair.b.provide(&hashes);
    pair.a.request(&hashes);
    pair.drive();
    let heard = pair.a.take_heard();
    assert!(heard.contains(&Heard::Available(hashes.to_vec())));
    for (sequence, hash) in (1..).zip(hashes) {
        assert!(heard.contains(&Heard::Response(hash, sequence)));
    }
    assert_eq!(pair.a.session.end(), Ok(()), "each has come to its end");
}

/// `emptyAvail`: an event with an empty list; the empty REQUEST that may follow is answered, and does no harm.
#[test]
fn empty_avail_is_an_event_and_an_empty_request_is_answered() {
    assert_eq!(
        hears(&[], &available(&[])).unwrap(),
        [Heard::Available(Vec::new())]
    );
    let mut pair = Pair::new();
    pair.a.request(&[]);
    pair.drive();
    assert_eq!(pair.b.take_heard(), [Heard::Asked(Vec::new())]);
    assert_eq!(pair.a.take_heard(), []);
    assert_eq!(pair.a.session.end(), Ok(()), "it is answered");
}

/// `seqNull`, `seqNeg`: the package crashes, or corrupts what it writes. The type has no such numbers, and what stands for
/// them on the wire is refused.
#[test]
fn seq_null_and_seq_neg_cannot_be_said_and_are_errors_when_read() {
    let unnumbered = message(2, &[0x12, 3, 0x02, 1, b'x']);
    assert_eq!(
        hears(&["x"], &unnumbered),
        Err(ProtocolError::FieldMissing(2))
    );
    let negative = (-1_i64).cast_unsigned();
    assert_eq!(
        hears(&["x"], &hashes(&[("x", negative)])),
        Err(ProtocolError::SequenceTooLarge(negative))
    );

    let mut bob = Side::new(Limits::DEFAULT);
    bob.receive(&request(&["x", "y"])).unwrap();
    let found = [("x".into(), None), ("y".into(), Some(1 << 53))];
    let answer = bob.session.respond(found, &mut bob.out);
    assert_eq!(answer, Err(Misuse::SequenceTooLarge(1 << 53)));
    assert!(bob.out.is_empty());
    assert_eq!(bob.session.serving(), 0, "nothing is announced");
    let answer = bob.session.respond([("x".into(), Some(0))], &mut bob.out);
    assert!(
        answer.is_ok(),
        "it may be answered again, and zero is a number"
    );

    // The number that makes "0" of the name would be -1: its content is taken for messages, and fails as such.
    let bytes = [hashes(&[("x", 1)]), data(2, Some("0"), b"beep")].concat();
    assert!(hears(&["x"], &bytes).is_err());
}

/// `badArgs`: `since(-2)` and `since(NaN)` make the package write what is no message.
#[test]
fn bad_args_cannot_be_said_and_are_errors_when_read() {
    let mut session = Session::default();
    let mut out = Vec::new();
    for sequence in [(1 << 53) - 1, 1 << 53, u64::MAX] {
        let refused = Err(Misuse::SequenceTooLarge(sequence));
        assert_eq!(session.since(Some(sequence), &mut out), refused);
        assert_eq!(session.seen(Some(sequence), &mut out), refused);
    }
    assert!(out.is_empty());
    for kind in [3, 5] {
        let cut = message(kind, &[0x18, 0xff]);
        assert_eq!(reads(&cut), Err(ProtocolError::Truncated));
        let mut fields = vec![0x18];
        super::varint(u64::MAX - 1, &mut fields);
        let error = ProtocolError::SequenceTooLarge(u64::MAX - 2);
        assert_eq!(reads(&message(kind, &fields)), Err(error));
    }
    let most = (1 << 53) - 2;
    session.since(Some(most), &mut out).unwrap();
    session.seen(None, &mut out).unwrap();
    assert_eq!(
        hears(&[], &out).unwrap(),
        [Heard::Since(Some(most)), Heard::Seen(None)]
    );
}

/// `hashesUnreq`, `hashesMixed`, `respUnmapped`: the package falls silent. Each is an error that names what is wrong.
#[test]
fn hashes_unreq_and_hashes_mixed_and_resp_unmapped_are_errors() {
    let unasked = hashes(&[("x", 1)]);
    assert_eq!(reads(&unasked), Err(ProtocolError::Unasked));
    let again = [unasked.clone(), unasked].concat();
    assert_eq!(hears(&["x"], &again), Err(ProtocolError::Unasked));
    let mixed = hashes(&[("x", 1), ("y", 2)]);
    let error = ProtocolError::Unrequested("y".into());
    assert_eq!(hears(&["x"], &mixed), Err(error.clone()));
    // Asked for, but by another REQUEST than the one that is answered.
    assert_eq!(hears(&["x", "y"], &mixed), Err(error));
    let twice = hashes(&[("x", 1), ("x", 2)]);
    let error = ProtocolError::Unrequested("x".into());
    assert_eq!(hears(&["x"], &twice), Err(error));

    let unmapped = ending(2, Some("2"), END);
    let error = ProtocolError::Unannounced { sequence: 1 };
    assert_eq!(reads(&unmapped), Err(error.clone()));
    let other = [unmapped, hashes(&[("x", 5)])].concat();
    assert_eq!(hears(&["x"], &other), Err(error));
}

/// `many`: a hundred thousand hashes in one message, 4.2 MB.
#[test]
fn many_hashes_in_one_message_are_accepted_without_a_copy() {
    let many: Vec<Hash> = (0_u32..100_000)
        .map(|n| Hash::sha1(&n.to_le_bytes()))
        .collect();
    let mut out = Vec::new();
    Session::default().provide(&many, &mut out).unwrap();
    assert_eq!(out.len(), 4_200_016);

    let mut session = Session::default();
    let (mut whole, mut split) = (0, 0);
    let heap = allocation_counter::measure(|| {
        super::drain(&mut session, &out, |event| {
            let hash_exchange::Event::Available(hashes) = event else {
                panic!("it is an AVAILABLE");
            };
            assert!(hashes.iter().eq(many.iter().cloned()));
            whole += hashes.len();
        });
    });
    assert_eq!((whole, heap.bytes_max), (many.len(), 0));

    let heap = allocation_counter::measure(|| {
        for piece in out.chunks(64 << 10) {
            super::drain(&mut session, piece, |event| {
                let hash_exchange::Event::Available(hashes) = event else {
                    panic!("it is an AVAILABLE");
                };
                split += hashes.len();
            });
        }
        super::drain(&mut session, &[], |_| ());
    });
    assert_eq!(split, many.len());
    assert!(heap.bytes_max < 3 * out.len() as u64, "{heap:?}");
    assert_eq!(heap.bytes_current, 0, "and nothing is kept");
}
