//! Contents ahead of their HASHES, as a congested npm peer sends them: they are held within bounds, and told in their place.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hash_exchange::{
    Connection, Event, Hash, Kind, Limits, MemoryBody, Misuse, OwnedEvent, ProtocolError, Session,
};

use crate::assemble::Nowhere;
use crate::pair::{Heard, Pair, Side};
use crate::pipe::{End, pipe};
use crate::quirks::{END, ERROR, Frame, asking, data, ending, hashes};

#[test]
fn a_content_ahead_of_its_hashes_is_held() {
    let mut alice = Session::default();
    let mut out = Vec::new();
    let beep = Hash::sha1(b"beep");
    alice.request([&beep], &mut out).unwrap();
    let mut hashes = Vec::new();
    let mut bob = Session::default();
    bob.receive(&mut &out[..]).unwrap();
    let served = bob
        .respond([(beep.clone(), None)], &mut hashes)
        .unwrap()
        .served(0);
    let mut body = Vec::new();
    bob.body(served, b"beep", &mut body).unwrap();
    bob.finish(served, &mut body).unwrap();

    assert!(alice.receive(&mut &body[..]).unwrap().is_none());
    assert!(matches!(
        alice.end(),
        Err(ProtocolError::EndWithOpen { requested: 1, .. })
    ));
    let mut input = &hashes[..];
    assert!(matches!(
        alice.receive(&mut input),
        Ok(Some(Event::Response { .. }))
    ));
    assert!(matches!(
        alice.receive(&mut input),
        Ok(Some(Event::Body { chunk: b"beep", .. }))
    ));
    assert!(matches!(
        alice.receive(&mut input),
        Ok(Some(Event::Complete { .. }))
    ));
    assert!(matches!(alice.receive(&mut input), Ok(None)));
    assert_eq!(alice.end(), Ok(()));
}

/// Only the reason is held of a content that its peer broke off, cut where its 1024th byte is the first of a character.
#[test]
fn the_reason_why_a_held_content_was_broken_off_is_held_if_there_is_room() {
    let text = "x".repeat(1023);
    let long = text.clone() + &"\u{20ac}".repeat(1000);
    let error = |channel, name| {
        Frame {
            channel,
            name: Some(name),
            kind: Some(ERROR),
            data: Some(long.as_bytes()),
        }
        .bytes()
    };
    let limits = Limits {
        early_bytes: 2000,
        ..Limits::DEFAULT
    };
    let mut alice = Side::new(limits);
    for hash in ["x", "y"] {
        alice.request(&[hash.into()]);
    }
    // What was held of the first makes room for its reason; there is none left for that of the second.
    let early = [data(2, Some("2"), &[7; 2000]), error(2, "2"), error(3, "3")];
    let announced = [("x", 1), ("y", 2)].map(|mapping| hashes(&[mapping]));
    alice
        .receive(&[early.concat(), announced.concat()].concat())
        .unwrap();
    let failed = |hash: &str, why: String| Heard::Failed(hash.into(), why);
    assert_eq!(
        alice.heard,
        [
            Heard::Response("x".into(), 1),
            failed("x", format!("the peer broke it off: {text}")),
            Heard::Response("y".into(), 2),
            failed("y", "the peer broke it off".to_owned()),
        ]
    );
    assert_eq!(alice.session.end(), Ok(()));
}

/// It is the peer's congestion that brings it early: it is asked for again, and comes.
#[test]
fn what_has_no_room_ahead_of_its_hashes_is_asked_for_again_and_comes() {
    let limits = Limits {
        early_bytes: 10_000,
        ..Limits::DEFAULT
    };
    let contents: BTreeMap<Hash, Vec<u8>> = (0..4)
        .map(|n| vec![n; 9000])
        .map(|body| (Hash::sha1(&body), body))
        .collect();
    let (io, mut peer) = pipe(usize::MAX);
    let mut connection: Connection<End, MemoryBody> = Connection::with_limits(io, limits);
    for hash in contents.keys() {
        connection.request([hash]).unwrap();
    }
    connection.close();
    let mut store = Nowhere;
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = |connection: &mut Connection<End, MemoryBody>| {
        let mut heard = Vec::new();
        while let Poll::Ready(event) = pin!(connection.next(&mut store)).poll(&mut cx) {
            heard.push(event.unwrap());
            if heard.last() == Some(&None) {
                break;
            }
        }
        heard
    };
    assert_eq!(poll(&mut connection), []);
    // All of them come ahead of their announcements: there is room for one.
    let mut side = Side::new(Limits::DEFAULT);
    let mut sequence = 0;
    let mut received = 0;
    loop {
        side.receive(&peer.take()).unwrap();
        let heard = side.take_heard();
        if heard == [Heard::Close] {
            break;
        }
        let asked: Vec<Hash> = heard
            .into_iter()
            .map(|heard| match heard {
                Heard::Asked(hashes) => hashes[0].clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(!asked.is_empty(), "{received} have come");
        let (mut early, mut announced, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (channel, hash) in (2..).zip(&asked) {
            sequence += 1;
            let name = format!("{:x}", sequence + 1);
            early.extend(data(channel, Some(&name), &contents[hash]));
            announced.extend(hashes(&[(&hash.to_string(), sequence)]));
            ends.extend(ending(channel, None, END));
        }
        peer.put(&[early, announced, ends].concat());
        let heard = poll(&mut connection);
        let whole =
            |event: &&Option<OwnedEvent>| matches!(event, Some(OwnedEvent::Received { .. }));
        received += heard.iter().filter(whole).count();
        assert_eq!(heard.iter().filter(|it| !whole(it)).count(), 0, "{heard:?}");
    }
    assert_eq!(received, contents.len());
}

#[test]
fn twenty_requests_may_make_a_congested_npm_peer_send_a_hundred_frames_ahead_of_their_hashes() {
    let mut pair = Pair::new();
    let names: Vec<char> = ('a'..='t').collect();
    for name in &names {
        pair.a.request(&[name.to_string().as_str().into()]);
    }
    let len = |n: usize| [n as u8 | 0x80, (n >> 7) as u8 | 0x80, (n >> 14) as u8];
    for round in 0..5 {
        for sequence in 1..=20 {
            let mut frame = vec![8, 2 * (sequence + 1)];
            if round == 0 {
                let name = format!("{:x}", sequence + 1);
                frame.extend([0x12, name.len() as u8]);
                frame.extend(name.bytes());
            }
            frame.push(0x22);
            frame.extend(len(64 << 10));
            frame.resize(frame.len() + (64 << 10), round);
            assert_eq!(pair.a.receive(&len(frame.len())), Ok(()));
            assert_eq!(pair.a.receive(&frame), Ok(()), "round {round}, {sequence}");
        }
    }
    assert_eq!(pair.a.take_heard(), []);
    for (&name, sequence) in names.iter().zip(1..) {
        let hashes = [13, 8, 2, 0x22, 9, 0, 2, 0x12, 5, 2, 1, name as u8, 8];
        assert_eq!(pair.a.receive(&hashes), Ok(()));
        assert_eq!(pair.a.receive(&[sequence]), Ok(()));
        let response = Heard::Response(name.to_string().as_str().into(), sequence.into());
        assert_eq!(pair.a.take_heard(), [response]);
    }
}

/// Until a HASHES tells them apart, two contents under one number are as good as one whose number was never given out.
#[test]
fn a_second_content_under_a_number_that_is_held_is_an_error() {
    let unannounced = Err(ProtocolError::Unannounced { sequence: 1 });
    let begun = data(2, Some("2"), b"beep");
    // Its end frees its channel, and not its number.
    let whole = [&begun[..], &ending(2, None, END)].concat();
    for (first, second) in [(&begun, 3), (&whole, 3), (&whole, 2)] {
        let mut alice = asking(&["x", "y"]);
        alice.receive(first).unwrap();
        let second = data(second, Some("2"), b"boop");
        assert_eq!(alice.receive(&second), unannounced);
    }
}

#[test]
fn contents_that_are_held_may_follow_each_other_on_one_channel() {
    let mut alice = asking(&["x", "y", "z"]);
    let early = [
        data(2, Some("2"), b"beep"),
        ending(2, None, END),
        data(2, Some("3"), b"boop"),
        ending(2, None, ERROR),
        data(2, Some("4"), b"hey "),
    ];
    alice.receive(&early.concat()).unwrap();
    let announced = [("x", 1), ("y", 2), ("z", 3)].map(|mapping| hashes(&[mapping]));
    let rest = [data(2, None, b"yo"), ending(2, None, END)];
    alice
        .receive(&[announced.concat(), rest.concat()].concat())
        .unwrap();
    assert_eq!(
        alice.heard,
        [
            Heard::Response("x".into(), 1),
            Heard::Complete("x".into(), 1, b"beep".to_vec()),
            Heard::Response("y".into(), 2),
            Heard::Failed("y".into(), "the peer broke it off".into()),
            Heard::Response("z".into(), 3),
            Heard::Complete("z".into(), 3, b"hey yo".to_vec()),
        ]
    );
    assert_eq!(alice.session.end(), Ok(()));
}

/// Nothing is owed any more, and the channel takes the next content.
fn carries_another(mut alice: Side) {
    alice.heard.clear();
    alice.request(&["y".into()]);
    let other = [
        hashes(&[("y", 2)]),
        data(2, Some("3"), b"boop"),
        ending(2, None, END),
    ];
    alice.receive(&other.concat()).unwrap();
    let complete = Heard::Complete("y".into(), 2, b"boop".to_vec());
    assert_eq!(alice.heard, [Heard::Response("y".into(), 2), complete]);
    assert_eq!(alice.session.end(), Ok(()));
    alice.out.clear();
    alice.session.close();
    let close = alice.session.transmit(&mut alice.out);
    assert_eq!(close.map(|tag| tag.kind), Some(Kind::Close));
}

/// One that has not ended is broken off; of one that has, the peer needs to know nothing. Neither is heard of again.
#[test]
fn a_content_that_is_held_can_be_cancelled_as_soon_as_it_is_announced() {
    for ended in [None, Some(END), Some(ERROR)] {
        let mut alice = asking(&["x"]);
        alice.receive(&data(2, Some("2"), b"be")).unwrap();
        if let Some(kind) = ended {
            alice.receive(&ending(2, None, kind)).unwrap();
        }
        let announced = hashes(&[("x", 1)]);
        let mut input = &announced[..];
        assert_eq!(alice.hear(&mut input), Ok(true));
        let coming = alice.coming()[0];
        assert_eq!(alice.session.cancel(coming, &mut alice.out), Ok(None));
        alice.receive(input).unwrap();
        assert_eq!(alice.heard, [Heard::Response("x".into(), 1)]);

        let broken_off = alice.session.transmit(&mut alice.out);
        assert_eq!(broken_off.is_some(), ended.is_none(), "{ended:?}");
        if broken_off.is_some() {
            assert_eq!(alice.out, ending(-2, Some("2"), ERROR));
            // What was under way counts for nothing.
            alice.receive(&data(2, None, b"ep")).unwrap();
        }
        assert_eq!(alice.session.transmit(&mut alice.out), None);
        carries_another(alice);
    }
}

/// Its bytes are told by one event and its end by the next, in between which the application may have had enough.
#[test]
fn a_content_that_is_held_whole_can_be_cancelled_between_its_bytes_and_its_end() {
    let held = |asked: &[&str]| {
        let mut alice = asking(asked);
        let whole = [data(2, Some("2"), b"beep"), ending(2, None, END)];
        alice.receive(&whole.concat()).unwrap();
        alice
    };
    let hears_its_bytes = |alice: &mut Side, input: &mut &[u8], told: &[u8]| {
        while !alice.receiving.values().any(|body| body == told) {
            assert_eq!(alice.hear(input), Ok(true));
        }
    };
    let mut alice = held(&["x"]);
    let announced = hashes(&[("x", 1)]);
    let mut input = &announced[..];
    hears_its_bytes(&mut alice, &mut input, b"beep");
    let coming = alice.coming()[0];
    assert_eq!(alice.session.cancel(coming, &mut alice.out), Ok(None));
    let again = alice.session.cancel(coming, &mut alice.out);
    assert_eq!(again, Err(Misuse::NotOpen));
    alice.receive(input).unwrap();
    assert_eq!(alice.heard, [Heard::Response("x".into(), 1)]);
    assert!(alice.out.is_empty(), "the peer has sent it whole");
    carries_another(alice);

    // To cancel another one at that moment leaves it as it is.
    let mut alice = held(&["z", "x"]);
    let announced = [hashes(&[("z", 7)]), hashes(&[("x", 1)])].concat();
    let mut input = &announced[..];
    hears_its_bytes(&mut alice, &mut input, b"beep");
    let another = alice.coming()[0];
    assert_eq!(alice.session.cancel(another, &mut alice.out), Ok(None));
    alice.receive(input).unwrap();
    let complete = Heard::Complete("x".into(), 1, b"beep".to_vec());
    assert_eq!(alice.heard.pop(), Some(complete));
}
