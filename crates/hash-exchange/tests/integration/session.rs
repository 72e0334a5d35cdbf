use hash_exchange::{Event, Hash, Kind, Limits, Misuse, ProtocolError, Session};

use crate::pair::{Heard, Pair};
use crate::quirks;

#[test]
fn each_side_gets_what_it_lacks() {
    let mut pair = Pair::new();
    let beep = pair.a.holds(b"beep");
    let boop = pair.b.holds(b"boop");
    pair.a.provide(std::slice::from_ref(&beep));
    pair.b.provide(&[beep.clone(), boop.clone()]);
    pair.drive();
    assert_eq!(
        pair.a.take_heard(),
        [Heard::Available(vec![beep.clone(), boop.clone()])]
    );
    assert_eq!(pair.b.take_heard(), [Heard::Available(vec![beep])]);

    pair.a.request(std::slice::from_ref(&boop));
    pair.drive();
    assert_eq!(
        pair.a.take_heard(),
        [
            Heard::Response(boop.clone(), 1),
            Heard::Complete(boop, 1, b"boop".to_vec())
        ]
    );
}

#[test]
fn a_hash_that_the_peer_leaves_out_is_reported_in_its_place() {
    let mut pair = Pair::new();
    let beep = pair.b.holds(b"beep");
    let nope = Hash::new("nope");
    pair.a.request(&[nope.clone(), beep.clone(), nope.clone()]);
    pair.a.request(&[]);
    pair.a.request(std::slice::from_ref(&nope));
    pair.drive();
    assert_eq!(
        pair.b.take_heard()[0],
        Heard::Asked(vec![nope.clone(), beep.clone()]),
        "each hash once"
    );
    assert_eq!(
        pair.a.take_heard(),
        [
            Heard::NotFound(nope.clone()),
            Heard::Response(beep.clone(), 1),
            Heard::NotFound(nope),
            Heard::Complete(beep, 1, b"beep".to_vec()),
        ]
    );
}

#[test]
fn an_answer_in_another_order_is_as_good() {
    let mut pair = Pair::new();
    let hashes: Vec<Hash> = (0_u32..500).map(|n| Hash::sha1(&n.to_le_bytes())).collect();
    pair.a.request(&hashes);
    let request = std::mem::take(&mut pair.a.out);
    let mut bob = Session::default();
    bob.receive(&mut &request[..]).unwrap().unwrap();
    let mut out = Vec::new();
    let reversed = hashes.iter().rev().map(|hash| (hash.clone(), None));
    bob.respond(reversed, &mut out).unwrap();
    pair.a.receive(&out).unwrap();
    let told: Vec<_> = (0..500)
        .map(|n| Heard::Response(hashes[n].clone(), 500 - n as u64))
        .collect();
    assert_eq!(pair.a.take_heard(), told);
}

#[test]
fn a_body_that_is_not_of_its_hash_fails_and_the_session_lives_on() {
    let mut pair = Pair::new();
    let beep = pair.b.holds(b"beep");
    let boop = pair.b.holds(b"boop");
    pair.b.store.get_mut(&beep).unwrap().0 = b"bleep".to_vec();
    pair.a.request(std::slice::from_ref(&beep));
    pair.a.request(std::slice::from_ref(&boop));
    pair.drive();
    let heard = pair.a.take_heard();
    assert!(heard.contains(&Heard::Failed(
        beep,
        "the content is not that of its hash".into()
    )));
    assert!(heard.contains(&Heard::Complete(boop, 2, b"boop".to_vec())));
}

#[test]
fn a_body_is_checked_the_same_in_one_read_and_in_many() {
    for body in [&b""[..], b"beep", b"boop"] {
        let beep = Hash::sha1(b"beep");
        let (head, tail) = body.split_at(body.len() / 2);
        for pieces in [&[body][..], &[head, tail]] {
            let mut server = Session::default();
            let (mut request, mut back) = (Vec::new(), Vec::new());
            let asked = Session::default().request([&beep], &mut request);
            asked.unwrap();
            let mut input = &request[..];
            while server.receive(&mut input).unwrap().is_some() {}
            let answer = server.respond([(beep.clone(), None)], &mut back).unwrap();
            for piece in pieces {
                server.body(answer.served(0), piece, &mut back).unwrap();
            }
            server.finish(answer.served(0), &mut back).unwrap();
            for split in 0..back.len() {
                let mut client = Session::default();
                client.request([&beep], &mut Vec::new()).unwrap();
                let (first, second) = back.split_at(split);
                let mut complete = None;
                for mut piece in [first, second] {
                    while let Some(event) = client.receive(&mut piece).unwrap() {
                        match event {
                            Event::Complete { .. } => complete = Some(true),
                            Event::Failed { .. } => complete = Some(false),
                            _ => {}
                        }
                    }
                }
                assert_eq!(complete, Some(body == b"beep"), "split at {split}");
            }
        }
    }
}

#[test]
fn automatic_numbers_step_round_those_that_are_given_out() {
    let mut pair = Pair::new();
    let (one, two, three) = (pair.b.holds(b"1"), pair.b.holds(b"2"), pair.b.holds(b"3"));
    pair.b.store.get_mut(&one).unwrap().1 = Some(2);
    pair.b.store.get_mut(&three).unwrap().1 = Some(2);
    let four = pair.b.holds(b"4");
    pair.a
        .request(&[one.clone(), two.clone(), four.clone(), three.clone()]);
    pair.drive();
    let heard = pair.a.take_heard();
    assert!(heard.contains(&Heard::Response(one, 2)));
    assert!(heard.contains(&Heard::Response(two, 1)));
    assert!(heard.contains(&Heard::Response(four, 3)), "2 is given out");
    assert!(
        heard.contains(&Heard::NotFound(three)),
        "2 cannot be given out twice"
    );
}

#[test]
fn a_body_waits_for_the_answers_to_what_was_asked_before_its_hashes() {
    let mut pair = Pair::new();
    let beep = pair.a.holds(b"beep");
    let boop = pair.b.holds(b"boop");
    // Both ask; B is slow to answer, as an npm peer in its own callback is.
    pair.a.request(std::slice::from_ref(&boop));
    pair.b.answers = false;
    pair.b.request(std::slice::from_ref(&beep));
    pair.drive();
    assert_eq!(
        pair.a.tally.frames(Kind::Hashes),
        1,
        "the answer goes out at once"
    );
    assert_eq!(
        pair.a.tally.frames(Kind::Body),
        0,
        "but not what it announces"
    );
    pair.b.answers = true;
    pair.drive();
    assert!(
        pair.b
            .take_heard()
            .contains(&Heard::Complete(beep, 1, b"beep".to_vec()))
    );
    assert!(
        pair.a
            .take_heard()
            .contains(&Heard::Complete(boop, 1, b"boop".to_vec()))
    );
}

#[test]
fn whoever_begins_a_content_before_its_turn_is_refused_and_may_try_again() {
    let mut bob = Session::default();
    let mut out = Vec::new();
    bob.request([&"x".into()], &mut out).unwrap();
    bob.receive(&mut &quirks::request(&["p"])[..]).unwrap();
    let answer = bob.respond([("p".into(), None)], &mut out).unwrap();
    let (served, len) = (answer.served(0), out.len());
    assert_eq!(bob.next_response(), None);
    let early = [
        bob.body(served, b"beep", &mut out),
        bob.finish(served, &mut out),
        bob.fail(served, "oh", &mut out),
    ];
    assert_eq!((early, out.len()), ([Err(Misuse::NotReady); 3], len));
    bob.receive(&mut &quirks::hashes(&[])[..]).unwrap();
    assert_eq!(bob.next_response(), Some(served));
    assert!(bob.body(served, b"beep", &mut out).is_ok());
}

#[test]
fn a_cancelled_body_is_heard_of_no_more_and_its_channel_is_used_again() {
    let mut pair = Pair::new();
    let long = pair.b.holds(&[7; 100]);
    pair.a.request(std::slice::from_ref(&long));
    pair.a.drain();
    let request = std::mem::take(&mut pair.a.out);
    pair.a.sent = request.len() as u64;
    pair.b.receive(&request).unwrap();
    let Some(Heard::Asked(asked)) = pair.b.heard.pop() else {
        panic!("b was asked");
    };
    let mut out = Vec::new();
    let bob = &mut pair.b.session;
    let served = bob
        .respond([(asked[0].clone(), None)], &mut out)
        .unwrap()
        .served(0);
    bob.body(served, &[7; 10], &mut out).unwrap();
    pair.a.receive(&out).unwrap();

    let coming = pair.a.coming()[0];
    let tag = pair
        .a
        .session
        .cancel(coming, &mut pair.a.out)
        .unwrap()
        .unwrap();
    assert_eq!(
        pair.a.out,
        [0x07, 0x08, 0x03, 0x12, 0x01, 0x32, 0x18, 0x03],
        "as captured"
    );
    assert_eq!(
        pair.a.session.cancel(coming, &mut Vec::new()),
        Err(Misuse::NotOpen)
    );
    pair.a.count(tag);

    // What B had under way counts for nothing.
    out.clear();
    pair.b.session.body(served, &[7; 10], &mut out).unwrap();
    pair.a.receive(&out).unwrap();
    pair.b.receive(&std::mem::take(&mut pair.a.out)).unwrap();
    assert_eq!(pair.b.take_heard(), [Heard::Cancelled(long.clone())]);
    assert_eq!(
        pair.b.session.body(served, &[7], &mut out),
        Err(Misuse::NotOpen)
    );

    pair.a.session.request([&long], &mut pair.a.out).unwrap();
    let request = std::mem::take(&mut pair.a.out);
    pair.b.session.receive(&mut &request[..]).unwrap();
    out.clear();
    let bob = &mut pair.b.session;
    let served = bob
        .respond([(long.clone(), None)], &mut out)
        .unwrap()
        .served(0);
    bob.body(served, &[7; 100], &mut out).unwrap();
    bob.finish(served, &mut out).unwrap();
    pair.a.heard.clear();
    pair.a.receive(&out).unwrap();
    assert_eq!(
        pair.a.heard.last(),
        Some(&Heard::Complete(long, 2, vec![7; 100]))
    );
}

#[test]
fn a_late_cancellation_does_not_hit_the_next_content_on_the_channel() {
    let mut bob = Session::default();
    let request = [
        0x0c, 0x08, 0x02, 0x22, 0x08, 0x00, 0x01, 0x0a, 0x01, b'p', 0x0a, 0x01, b'q',
    ];
    bob.receive(&mut &request[..]).unwrap();
    let mut out = Vec::new();
    let answer = bob
        .respond([("p".into(), None), ("q".into(), None)], &mut out)
        .unwrap();
    bob.finish(answer.served(0), &mut out).unwrap();
    bob.body(answer.served(1), b"22", &mut out).unwrap();
    // The channel is the same, the name is that of p.
    let late = [0x07, 0x08, 0x03, 0x12, 0x01, 0x32, 0x18, 0x03];
    assert!(bob.receive(&mut &late[..]).unwrap().is_none());
    assert!(bob.is_serving(answer.served(1)));
}

#[test]
fn a_content_cancelled_before_it_begins_is_broken_off_when_it_does() {
    let mut pair = Pair::new();
    let beep = pair.b.holds(b"beep");
    pair.a.request(std::slice::from_ref(&beep));
    pair.b.receive(&std::mem::take(&mut pair.a.out)).unwrap();
    let mut out = Vec::new();
    let served = pair
        .b
        .session
        .respond([(beep, None)], &mut out)
        .unwrap()
        .served(0);
    pair.a.receive(&out).unwrap();
    let coming = pair.a.coming()[0];
    assert_eq!(pair.a.session.cancel(coming, &mut Vec::new()), Ok(None));
    out.clear();
    pair.b.session.body(served, b"beep", &mut out).unwrap();
    pair.a.heard.clear();
    pair.a.receive(&out).unwrap();
    assert_eq!(pair.a.heard, []);
    let tag = pair.a.session.transmit(&mut pair.a.out).unwrap();
    assert_eq!((tag.kind, pair.a.out.len()), (Kind::Error, 8));

    // What B had under way counts for nothing.
    out.clear();
    pair.b.session.body(served, b"boop", &mut out).unwrap();
    pair.a.receive(&out).unwrap();
    assert_eq!(pair.a.heard, []);
    assert_eq!(pair.a.session.transmit(&mut pair.a.out), None);
}

#[test]
fn close_is_the_last_message_and_waits_for_all_that_is_under_way() {
    let mut pair = Pair::new();
    let beep = pair.a.holds(b"beep");
    let boop = pair.b.holds(b"boop");
    pair.a.request(std::slice::from_ref(&boop));
    pair.a.session.close();
    assert_eq!(
        pair.a.session.provide([&beep], &mut Vec::new()),
        Err(Misuse::Closed)
    );
    pair.b.request(std::slice::from_ref(&beep));
    pair.b.session.close();
    pair.drive();
    for side in [&mut pair.a, &mut pair.b] {
        assert!(side.session.is_closed());
        assert_eq!(side.session.end(), Ok(()));
        let heard = side.take_heard();
        assert!(matches!(
            heard[heard.len() - 2..],
            [Heard::Complete(..), Heard::Close]
        ));
    }
}

#[test]
fn a_request_that_crosses_close_is_refused() {
    let mut pair = Pair::new();
    let beep = pair.a.holds(b"beep");
    pair.a.session.close();
    pair.a.drain();
    pair.b.request(std::slice::from_ref(&beep));
    pair.drive();
    assert_eq!(pair.b.take_heard(), [Heard::Close, Heard::NotFound(beep)]);
    pair.b.session.close();
    pair.drive();
    assert!(pair.a.session.is_closed() && pair.b.session.is_closed());
}

#[test]
fn a_stream_that_ends_too_early_is_an_error() {
    let mut pair = Pair::new();
    pair.b.provide(&["x".into()]);
    let half = &pair.b.out[..5];
    pair.a.receive(half).unwrap();
    assert_eq!(pair.a.session.end(), Err(ProtocolError::EndInFrame));

    // It says more if those bytes are no frame at all.
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"hello world"] {
        let mut pair = Pair::new();
        pair.a.receive(bytes).unwrap();
        let error = pair.a.session.end();
        assert!(matches!(error, Err(ProtocolError::WireType { .. })));
    }

    let mut pair = Pair::new();
    pair.a.request(&[]);
    let error = pair.a.session.end().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stream ended with a REQUEST unanswered"
    );
}

#[test]
fn many_bodies_go_side_by_side_and_all_arrive() {
    let mut pair = Pair::new();
    pair.piece = 11;
    let hashes: Vec<Hash> = (0_u32..300)
        .map(|n| pair.b.holds(&n.to_le_bytes().repeat(5)))
        .collect();
    pair.a.request(&hashes);
    pair.drive();
    let heard = pair.a.take_heard();
    let complete = heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Complete(..)))
        .count();
    assert_eq!(complete, 300);
}

#[test]
fn what_cannot_be_said_is_refused_and_leaves_no_trace() {
    let limits = Limits {
        requested: 2,
        message: 100,
        ..Limits::DEFAULT
    };
    let mut alice = Session::new(limits, hash_exchange::Sha1);
    let mut out = Vec::new();
    let hashes: Vec<Hash> = (0_u8..3).map(|n| Hash::sha1(&[n])).collect();
    assert_eq!(
        alice.request(&hashes, &mut out),
        Err(Misuse::TooManyRequested { limit: 2 })
    );
    let len = 2 + 3 * 42;
    assert_eq!(
        alice.provide(&hashes, &mut out),
        Err(Misuse::MessageTooLong { len, limit: 100 })
    );
    assert_eq!(
        alice.seen(Some(1 << 53), &mut out),
        Err(Misuse::SequenceTooLarge(1 << 53))
    );
    assert!(matches!(
        alice.respond([], &mut out),
        Err(Misuse::NothingToAnswer)
    ));
    assert!(out.is_empty());
    assert!(alice.request(&hashes[..2], &mut out).is_ok());
    assert_eq!(
        alice.request(&hashes[2..], &mut out),
        Err(Misuse::TooManyRequested { limit: 2 })
    );
}

/// An answer that is refused gives out no number: neither those that the application chose, nor those that we count.
#[test]
fn an_answer_that_is_refused_leaves_all_numbers_free() {
    let mut bob = Session::default();
    let mut out = Vec::new();
    let mut input = &[quirks::request(&["o"]), quirks::request(&["p", "q", "r"])].concat()[..];
    while bob.receive(&mut input).unwrap().is_some() {}
    // One that waits to begin, so that something is kept of numbers.
    bob.respond([("o".into(), Some(7))], &mut out).unwrap();
    out.clear();
    let found = [("p", Some(5)), ("q", None), ("r", Some(1 << 53))];
    let mut found = found.map(|(hash, sequence)| (hash.into(), sequence));
    let refused = bob.respond(found.clone(), &mut out);
    assert_eq!(refused, Err(Misuse::SequenceTooLarge(1 << 53)));
    assert_eq!((bob.serving(), out.len()), (1, 0));
    found[2].1 = None;
    let answer = bob.respond(found, &mut out).unwrap();
    let mapped = quirks::hashes(&[("p", 5), ("q", 1), ("r", 2)]);
    assert!(mapped.ends_with(&out[5..]), "{out:x?}");
    assert!((0..3).all(|index| bob.is_serving(answer.served(index))));
}

#[test]
fn hostile_frames_are_errors_and_odd_ones_are_not() {
    let read = |bytes: &[u8]| {
        let mut session = Session::default();
        let mut input = bytes;
        while let Some(event) = session.receive(&mut input)? {
            drop(event);
        }
        Ok::<(), ProtocolError>(())
    };
    let frame = |body: &[u8]| [&[body.len() as u8], body].concat();
    for (case, bytes, error) in [
        (
            "a key that never ends",
            frame(&[0x08, 0x02, 0x80]),
            ProtocolError::Truncated,
        ),
        (
            "no channel",
            frame(&[0x22, 0x02, 0, 0]),
            ProtocolError::Channel(None),
        ),
        (
            "a group",
            frame(&[0x08, 0x02, 0x2b]),
            ProtocolError::WireType {
                field: 5,
                wire_type: 3,
            },
        ),
        (
            "type 4",
            frame(&[0x08, 0x02, 0x18, 4]),
            ProtocolError::FrameType(4),
        ),
        (
            "no message type",
            frame(&[0x08, 0x02, 0x22, 0]),
            ProtocolError::MessageType(None),
        ),
        (
            "message type 7",
            frame(&[0x08, 0x02, 0x22, 2, 0, 7]),
            ProtocolError::MessageType(Some(7)),
        ),
        (
            "HASHES unasked",
            frame(&[0x08, 0x02, 0x22, 2, 0, 2]),
            ProtocolError::Unasked,
        ),
        (
            "text",
            b"hello, is this the web?".to_vec(),
            ProtocolError::WireType {
                field: 12,
                wire_type: 5,
            },
        ),
        (
            "a prefix without end",
            vec![0x80; 100],
            ProtocolError::Varint,
        ),
        (
            "exabytes of a message",
            [&[0xff; 8][..], &[0x7f, 0x08, 0x02, 0x22, 0x02]].concat(),
            ProtocolError::MessageTooLong {
                len: (1 << 63) - 1,
                limit: Limits::DEFAULT.message,
            },
        ),
    ] {
        // A length that reaches beyond the input is read as far as it goes: text is one.
        let error = match case {
            "text" => read(&[&bytes[..], &[0; 200]].concat()).map_err(|found| {
                assert!(matches!(
                    found,
                    ProtocolError::WireType { .. } | ProtocolError::Truncated
                ));
                error.clone()
            }),
            _ => read(&bytes),
        }
        .map_or_else(|found| (found, error), |()| panic!("{case} was accepted"));
        assert_eq!(error.0, error.1, "{case}");
    }
    for (case, bytes) in [
        ("length zero", vec![0, 0, 0]),
        (
            "an over-long length",
            [&[0x86, 0x80, 0x00][..], &[0x08, 2, 0x22, 2, 0, 0]].concat(),
        ),
        ("an unnamed first channel", frame(&[0x08, 2, 0x22, 2, 0, 0])),
        (
            "message on channel 0",
            frame(&[0x08, 0, 0x12, 1, b'0', 0x22, 2, 0, 0]),
        ),
        (
            "fields in another order",
            frame(&[0x22, 2, 0, 0, 0x12, 1, b'0', 0x08, 2]),
        ),
        (
            "an unknown field",
            frame(&[0x08, 2, 0x2a, 1, 9, 0x22, 2, 0, 0]),
        ),
        (
            "a frame on an unknown negative channel",
            frame(&[0x08, 0x7f, 0x22, 3, 1, 2, 3]),
        ),
        (
            "a lenient name",
            frame(&[0x08, 6, 0x12, 4, b'0', b'x', b'0', b'z', 0x22, 2, 0, 0]),
        ),
        (
            "a message type that comes last",
            frame(&[0x08, 2, 0x22, 5, 0x0a, 1, b'x', 0, 0]),
        ),
    ] {
        assert_eq!(read(&bytes), Ok(()), "{case}");
    }
}
