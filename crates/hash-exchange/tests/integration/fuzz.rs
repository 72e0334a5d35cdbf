//! What holds for every split of the bytes, every order of operations, and all bytes whatever.

use hash_exchange::{Hash, Limits, Session};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::pair::{Heard, Pair, Side};

#[derive(Clone, Debug)]
enum Operation {
    Provide(Vec<u8>),
    Request(Vec<u8>),
    Id(String),
    Since(Option<u32>),
    Seen(Option<u32>),
    Cancel(prop::sample::Index),
    Drive,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        1 => vec(0_u8..12, 0..6).prop_map(Operation::Provide),
        4 => vec(0_u8..12, 0..6).prop_map(Operation::Request),
        1 => any::<String>().prop_map(Operation::Id),
        1 => any::<Option<u32>>().prop_map(Operation::Since),
        1 => any::<Option<u32>>().prop_map(Operation::Seen),
        1 => any::<prop::sample::Index>().prop_map(Operation::Cancel),
        2 => Just(Operation::Drive),
    ]
}

/// Contents of several lengths, the empty one included, some by SHA-1 and some by a name.
fn content(n: u8) -> (Hash, Vec<u8>) {
    let body = vec![n; usize::from(n) * 5];
    match n % 3 {
        0 => (Hash::new(&format!("name {n}")), body),
        _ => (Hash::sha1(&body), body),
    }
}

fn apply(side: &mut Side, operation: &Operation) {
    let hashes = |numbers: &[u8]| numbers.iter().map(|&n| content(n).0).collect::<Vec<_>>();
    let (session, out) = (&mut side.session, &mut side.out);
    let tag = match operation {
        Operation::Provide(numbers) => session.provide(&hashes(numbers), out),
        Operation::Request(numbers) => session.request(&hashes(numbers), out),
        Operation::Id(id) => session.id(id, out),
        Operation::Since(sequence) => session.since(sequence.map(u64::from), out),
        Operation::Seen(sequence) => session.seen(sequence.map(u64::from), out),
        Operation::Cancel(_) | Operation::Drive => return,
    };
    side.count(tag.expect("the session is open"));
}

fn cancel(side: &mut Side, index: prop::sample::Index) {
    let coming = side.coming();
    if coming.is_empty() {
        return;
    }
    let response = coming[index.index(coming.len())];
    if let Ok(Some(tag)) = side.session.cancel(response, &mut side.out) {
        side.count(tag);
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn what_is_sent_arrives(
        operations in vec((any::<bool>(), operation()), 0..40),
        piece in prop_oneof![1_usize..20, Just(usize::MAX)],
    ) {
        let mut pair = Pair::new();
        pair.piece = piece;
        // Each side holds half of the contents.
        for n in (0..12).map(content) {
            let side = if n.1.len() % 2 == 0 { &mut pair.a } else { &mut pair.b };
            side.store.insert(n.0, (n.1, None));
        }
        let mut asked = [0, 0];
        for (to_a, operation) in &operations {
            if let Operation::Drive = operation {
                pair.drive();
            }
            let side = if *to_a { &mut pair.a } else { &mut pair.b };
            apply(side, operation);
            if let Operation::Request(numbers) = operation {
                let unique: std::collections::BTreeSet<_> = numbers.iter().collect();
                asked[usize::from(*to_a)] += unique.len();
            }
        }
        // A REQUEST that crosses CLOSE is refused: all is settled first.
        pair.drive();
        pair.a.session.close();
        pair.b.session.close();
        pair.drive();
        prop_assert!(pair.a.session.is_closed() && pair.b.session.is_closed());
        for (side, other, asked) in [(&pair.a, &pair.b, asked[1]), (&pair.b, &pair.a, asked[0])] {
            let settled = side.heard.iter().filter(|heard| match heard {
                Heard::Complete(hash, _, body) => {
                    assert_eq!(&other.store[hash].0, body);
                    true
                }
                Heard::NotFound(hash) => {
                    assert!(!other.store.contains_key(hash));
                    true
                }
                _ => false,
            });
            prop_assert_eq!(settled.count(), asked, "each hash asked for is settled once");
        }
    }

    #[test]
    fn cancellations_never_break_a_session(
        operations in vec((any::<bool>(), operation()), 0..40),
        piece in 1_usize..200,
    ) {
        let mut pair = Pair::new();
        pair.piece = piece;
        for n in (0..12).map(content) {
            pair.a.store.insert(n.0.clone(), (n.1.clone(), None));
            pair.b.store.insert(n.0, (n.1, None));
        }
        for (to_a, operation) in &operations {
            let side = if *to_a { &mut pair.a } else { &mut pair.b };
            match operation {
                Operation::Cancel(index) => cancel(side, *index),
                Operation::Drive => {
                    // One leg only, so that cancellations meet contents under way.
                    side.drain();
                    let bytes = std::mem::take(&mut side.out);
                    let other = if *to_a { &mut pair.b } else { &mut pair.a };
                    for piece in bytes.chunks(piece) {
                        prop_assert_eq!(other.receive(piece), Ok(()));
                    }
                    let side = if *to_a { &mut pair.a } else { &mut pair.b };
                    side.sent += bytes.len() as u64;
                }
                operation => apply(side, operation),
            }
        }
        pair.a.session.close();
        pair.b.session.close();
        pair.drive();
        prop_assert!(pair.a.session.is_closed() && pair.b.session.is_closed());
    }

    #[test]
    fn any_split_says_the_same(
        requested in vec(0_u8..12, 1..12),
        cuts in vec(1_usize..60, 1..20),
    ) {
        // B's answers and contents, as one stream; A hears it whole, and in pieces.
        let mut pair = Pair::new();
        for n in (0..12).map(content) {
            pair.b.store.insert(n.0, (n.1, None));
        }
        let hashes: Vec<_> = requested.iter().map(|&n| content(n).0).collect();
        let mut whole = Side::new(Limits::DEFAULT);
        let mut pieces = Side::new(Limits::DEFAULT);
        whole.request(&hashes);
        pieces.request(&hashes);
        pair.b.provide(&hashes);
        pair.b.receive(&whole.out).unwrap();
        pair.b.drain();
        let stream = &pair.b.out[..];
        prop_assert_eq!(whole.receive(stream), Ok(()));
        let mut rest = stream;
        for cut in cuts.iter().cycle() {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            prop_assert_eq!(pieces.receive(piece), Ok(()));
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&whole.heard, &pieces.heard);
        prop_assert_eq!(pieces.session.end(), Ok(()));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300), cut in 1_usize..50) {
        let mut session = asking();
        for piece in bytes.chunks(cut) {
            if drain(&mut session, piece).is_err() {
                break;
            }
        }
        let _ = session.end();
    }

    #[test]
    fn bent_frames_never_panic(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in 1_usize..50,
    ) {
        let mut pair = Pair::new();
        for n in (0..12).map(content) {
            pair.b.store.insert(n.0, (n.1, None));
        }
        let hashes: Vec<_> = (0..12).map(|n| content(n).0).collect();
        let mut asking = asking();
        pair.b.receive(&asking_for(&hashes)).unwrap();
        pair.b.provide(&hashes);
        pair.b.drain();
        let mut bytes = std::mem::take(&mut pair.b.out);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        for piece in bytes.chunks(cut) {
            if drain(&mut asking, piece).is_err() {
                break;
            }
        }
        let _ = asking.end();
    }
}

#[test]
fn fields_that_nobody_knows_are_skipped_at_every_split() {
    let (hash, body) = content(1);
    let mut bob = Side::new(Limits::DEFAULT);
    bob.store.insert(hash.clone(), (body.clone(), None));
    let hears = |pieces: &[&[u8]]| {
        let mut alice = Side::new(Limits::DEFAULT);
        alice.request(std::slice::from_ref(&hash));
        for piece in pieces {
            assert_eq!(alice.receive(piece), Ok(()), "{pieces:x?}");
        }
        assert_eq!(alice.session.end(), Ok(()));
        alice.heard
    };
    bob.receive(&asking_for(std::slice::from_ref(&hash)))
        .unwrap();
    bob.drain();
    let response = Heard::Response(hash.clone(), 1);
    let heard = [response, Heard::Complete(hash.clone(), 1, body)];

    // The number of the field is so long that it makes no varint together with the value before it.
    let values: [(u8, &[u8]); 4] = [
        (0, &[0xff, 1]),
        (1, &[0xff; 8]),
        (2, &[1, 0xff]),
        (5, &[0xff; 4]),
    ];
    for (wire_type, value) in values {
        let key = [
            wire_type | 0x80,
            0x80,
            0x80,
            0x80,
            0x80,
            0x80,
            0x80,
            0x80,
            8,
        ];
        let fields = [&key, value].concat().repeat(2);
        for (before, after) in [(&fields[..], &[][..]), (&[], &fields), (&fields, &fields)] {
            let mut stream = Vec::new();
            let mut rest = &bob.out[..];
            while let Some((&len, behind)) = rest.split_first() {
                let (frame, behind) = behind.split_at(usize::from(len));
                let frame = [before, frame, after].concat();
                stream.extend([frame.len() as u8 | 0x80, (frame.len() >> 7) as u8]);
                stream.extend(frame);
                rest = behind;
            }
            assert_eq!(hears(&[&stream]), heard);
            for at in 0..=stream.len() {
                let (one, other) = stream.split_at(at);
                assert_eq!(
                    hears(&[one, other]),
                    heard,
                    "type {wire_type}, split at {at}"
                );
            }
            let bytes: Vec<_> = stream.chunks(1).collect();
            assert_eq!(hears(&bytes), heard);
        }
    }
}

/// A session that has asked for everything, so that hostile bytes get as deep as they can.
fn asking() -> Session {
    let mut session = Session::default();
    let hashes: Vec<_> = (0..12).map(|n| content(n).0).collect();
    session.request(&hashes, &mut Vec::new()).unwrap();
    session
}

fn asking_for(hashes: &[Hash]) -> Vec<u8> {
    let mut out = Vec::new();
    Session::default().request(hashes, &mut out).unwrap();
    out
}

/// Every event takes input or settles a hash: the work is bounded by the bytes and by what was asked.
fn drain(session: &mut Session, mut input: &[u8]) -> Result<(), hash_exchange::ProtocolError> {
    let bound = 100 + input.len();
    for _ in 0..bound {
        if session.receive(&mut input)?.is_none() {
            return Ok(());
        }
    }
    panic!("more events than bytes");
}
