//! Every limit at its edge: what is within it passes, what is one beyond it is an error by name, and no more was allocated than
//! the limit says.

use std::task::{Context, Poll, Waker};

use hash_exchange::{
    BodyError, Connection, Event, Hash, Limits, MemoryBody, MemoryStore, Misuse, OwnedEvent,
    ProtocolError, Session, Sha1,
};

use crate::pair::{Heard, Side};
use crate::pipe::{End, pipe};
use crate::quirks::{END, ERROR, Frame, available, data, ending, hashes, prefixed, request};

const USUAL: Limits = Limits::DEFAULT;

/// What a fresh session that has asked for these hashes makes of these bytes: the same in one piece and in many; and the most that
/// it had on the heap.
fn reads(limits: Limits, asked: &[&str], bytes: &[u8]) -> (Result<(), ProtocolError>, u64) {
    let run = |piece: usize| {
        let mut session = Session::new(limits, Sha1);
        for &hash in asked {
            let asked = session.request([&hash.into()], &mut Vec::new());
            asked.expect("it is within the limit");
        }
        let mut result = Ok(());
        let heap = allocation_counter::measure(|| {
            for mut piece in bytes.chunks(piece) {
                while result.is_ok() {
                    match session.receive(&mut piece) {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(error) => result = Err(error),
                    }
                }
            }
        });
        (result, heap.bytes_max)
    };
    let (whole, at_once) = run(usize::MAX);
    let (split, in_pieces) = run(7);
    assert_eq!(whole, split, "in pieces");
    (whole, at_once.max(in_pieces))
}

#[test]
fn message_bounds_a_frame_that_is_held_whole() {
    let limits = Limits {
        message: 10_000,
        ..USUAL
    };
    let text = |len: usize| "x".repeat(len);
    let at = available(&[&text(9987)]);
    assert_eq!(at.len(), 10_000 + 2);
    let (result, heap) = reads(limits, &[], &at);
    assert_eq!(result, Ok(()));
    assert!(heap < 40_000, "{heap}");
    let beyond = available(&[&text(9988)]);
    let (result, heap) = reads(limits, &[], &beyond);
    assert_eq!(
        result,
        Err(ProtocolError::MessageTooLong {
            len: 10_001,
            limit: 10_000
        })
    );
    assert!(heap < 1000, "it is refused as soon as it begins: {heap}");

    // An honest peer with the same limit writes up to it, and no more.
    let mut session = Session::new(limits, Sha1);
    let mut out = Vec::new();
    session.provide([&text(9987).into()], &mut out).unwrap();
    assert_eq!(out, at);
    let refused = Session::new(limits, Sha1).provide([&text(9988).into()], &mut out);
    assert!(matches!(refused, Err(Misuse::MessageTooLong { .. })));

    // A body is no message; the text of an ERROR is held as one is.
    let announced = hashes(&[("y", 1)]);
    let body = data(2, Some("2"), &[7; 30_000]);
    let (result, heap) = reads(limits, &["y"], &[&announced[..], &body].concat());
    assert_eq!(result, Ok(()));
    assert!(heap < 2000, "{heap}");
    let error = Frame {
        channel: 2,
        name: Some("2"),
        kind: Some(ERROR),
        data: Some(&[b'x'; 30_000]),
    };
    let (result, _) = reads(limits, &["y"], &[announced, error.bytes()].concat());
    assert!(matches!(result, Err(ProtocolError::MessageTooLong { .. })));
}

#[test]
fn name_bounds_the_name_of_a_channel() {
    let limits = Limits { name: 20, ..USUAL };
    let name = |len: usize| format!("{:0>len$}", 2);
    let at = [hashes(&[("x", 1)]), ending(2, Some(&name(20)), END)];
    assert_eq!(reads(limits, &["x"], &at.concat()).0, Ok(()));
    let beyond = [hashes(&[("x", 1)]), ending(2, Some(&name(21)), END)];
    let (result, heap) = reads(limits, &["x"], &beyond.concat());
    assert_eq!(
        result,
        Err(ProtocolError::NameTooLong { len: 21, limit: 20 })
    );
    assert!(heap < 2000, "{heap}");

    // It is so even if the frame ends before the name does.
    let frame = prefixed(&[0x08, 4, 0x12, 21, b'2']);
    let (result, _) = reads(limits, &[], &frame);
    assert_eq!(
        result,
        Err(ProtocolError::NameTooLong { len: 21, limit: 20 })
    );
    // Nothing more of it has to come.
    let long = [&[0x08, 4, 0x12, 21][..], &[b'2'; 1000]].concat();
    let (result, _) = reads(limits, &[], &prefixed(&long)[..7]);
    assert_eq!(
        result,
        Err(ProtocolError::NameTooLong { len: 21, limit: 20 })
    );
}

/// What is longer than the limit is refused as soon as it begins, even if it turns out to be wrong as well: else it would depend on
/// how it comes which of the two errors it is.
#[test]
fn a_frame_that_is_too_long_is_so_whatever_else_is_wrong_with_it() {
    let limits = Limits {
        message: 100,
        ..USUAL
    };
    let wrong = [&[0x08, 2, 5 << 3 | 7][..], &[0; 98]].concat();
    let (result, _) = reads(limits, &[], &prefixed(&wrong));
    assert_eq!(
        result,
        Err(ProtocolError::MessageTooLong {
            len: 101,
            limit: 100
        })
    );
}

/// A content is passed on as it comes, however long the frame; but not behind a header so long that it would have to be held.
#[test]
fn a_header_without_end_is_no_way_around_the_limit() {
    let limits = Limits {
        message: 1000,
        name: 20,
        ..USUAL
    };
    let announced = hashes(&[("x", 1)]);
    let padded = |times: usize| {
        let header = [0x08, 4, 0x12, 1, b'2'].into_iter();
        let header = header.chain([0x18, 1].repeat(times));
        let data = [0x22, 0xe8, 0x07].into_iter().chain([7; 1000]);
        let frame: Vec<u8> = header.chain(data).collect();
        reads(
            limits,
            &["x"],
            &[announced.clone(), prefixed(&frame)].concat(),
        )
    };
    // The key and the length of the data are the last of 20 + 64 bytes.
    assert_eq!(padded(38).0, Ok(()));
    let (result, heap) = padded(40);
    assert!(matches!(result, Err(ProtocolError::MessageTooLong { .. })));
    assert!(heap < 2000, "{heap}");
}

#[test]
fn requested_bounds_the_hashes_that_we_ask_for() {
    let limits = Limits {
        requested: 100,
        ..USUAL
    };
    let hashes: Vec<Hash> = (0_u8..101).map(|n| Hash::sha1(&[n])).collect();
    let mut session = Session::new(limits, Sha1);
    let mut out = Vec::new();
    let heap = allocation_counter::measure(|| {
        let refused = session.request(&hashes, &mut out);
        assert_eq!(refused, Err(Misuse::TooManyRequested { limit: 100 }));
        session.request(&hashes[..99], &mut out).unwrap();
        session.request([&hashes[99]], &mut out).unwrap();
        for beyond in [&hashes[100..], &hashes[..1]] {
            let refused = session.request(beyond, &mut out);
            assert_eq!(refused, Err(Misuse::TooManyRequested { limit: 100 }));
        }
    });
    assert!(heap.bytes_max < 100 * 300, "{heap:?}");
    assert_eq!(session.end().map_err(|error| error.to_string()), {
        let text = "the stream ended with 100 hashes asked for and 0 contents open";
        Err(text.to_owned())
    });
}

#[test]
fn requested_bounds_contents_that_are_announced_and_not_yet_whole() {
    let limits = Limits {
        requested: 2,
        ..USUAL
    };
    let [one, two, three] = [b"one", b"two", b"six"].map(|body| Hash::sha1(body));
    let (mut asking, mut serving) = (Session::new(limits, Sha1), Session::default());
    let (mut there, mut back) = (Vec::new(), Vec::new());
    asking.request([&one, &two], &mut there).unwrap();
    let heard = serving.receive(&mut &there[..]).unwrap();
    assert!(matches!(heard, Some(Event::Request(_))));
    let answer = serving.respond([(one, None), (two, None)], &mut back);
    let first = answer.unwrap().served(0);
    let mut input = &back[..];
    while asking.receive(&mut input).unwrap().is_some() {}
    let beyond = asking.request([&three], &mut Vec::new());
    assert_eq!(
        beyond,
        Err(Misuse::TooManyRequested { limit: 2 }),
        "two are to come"
    );

    back.clear();
    serving.body(first, b"one", &mut back).unwrap();
    serving.finish(first, &mut back).unwrap();
    let mut input = &back[..];
    while asking.receive(&mut input).unwrap().is_some() {}
    asking.request([&three], &mut Vec::new()).unwrap();
}

#[test]
fn served_bounds_the_contents_that_the_peer_asks_for() {
    let limits = Limits { served: 3, ..USUAL };
    assert_eq!(reads(limits, &[], &request(&["p", "q", "r"])).0, Ok(()));
    let beyond = request(&["p", "q", "r", "s"]);
    let refused = Err(ProtocolError::TooManyServed { asked: 4, limit: 3 });
    assert_eq!(reads(limits, &[], &beyond).0, refused);

    // Over many REQUESTs, answered and not sent: the same.
    let mut session = Session::new(limits, Sha1);
    let mut out = Vec::new();
    for hash in ["p", "q", "r"] {
        session.receive(&mut &request(&[hash])[..]).unwrap();
        session.respond([(hash.into(), None)], &mut out).unwrap();
    }
    assert_eq!(session.serving(), 3);
    let beyond = request(&["s"]);
    let result = session.receive(&mut &beyond[..]).map(drop);
    assert_eq!(result, refused);
}

#[test]
fn a_side_serves_by_default_all_that_the_other_may_ask_for_by_default() {
    let hashes: Vec<Hash> = (0..USUAL.requested)
        .map(|n| Hash::sha1(&n.to_be_bytes()))
        .collect();
    let (mut asking, mut serving) = (Session::default(), Session::default());
    let (mut there, mut back) = (Vec::new(), Vec::new());
    asking.request(&hashes, &mut there).unwrap();
    let heard = serving.receive(&mut &there[..]);
    assert!(matches!(heard, Ok(Some(Event::Request(all))) if all.len() == hashes.len()));
    let found = hashes.into_iter().map(|hash| (hash, None));
    serving.respond(found, &mut back).unwrap();
    assert_eq!(serving.serving(), USUAL.served as usize);
}

#[test]
fn rpc_channels_bounds_the_streams_of_messages() {
    let limits = Limits {
        rpc_channels: 3,
        ..USUAL
    };
    let streams = |count: i32| -> Vec<u8> {
        let stream = |channel| data(channel, Some("0"), &[0, 0]);
        (1..=count).flat_map(stream).collect()
    };
    assert_eq!(reads(limits, &[], &streams(3)).0, Ok(()));
    let (result, heap) = reads(limits, &[], &streams(4));
    assert_eq!(result, Err(ProtocolError::TooManyStreams { limit: 3 }));
    assert!(heap < 2000, "{heap}");
    // One that ends makes room.
    let again = [
        streams(3),
        ending(2, None, END),
        data(9, Some("0"), &[0, 0]),
    ];
    assert_eq!(reads(limits, &[], &again.concat()).0, Ok(()));
}

#[test]
fn channels_bounds_those_that_are_cancelled_and_never_used_again() {
    let limits = Limits {
        channels: 3,
        ..USUAL
    };
    let mut session = Session::new(limits, Sha1);
    let mut out = Vec::new();
    let mut cancelled = |session: &mut Session, channel: i32| {
        session.request([&"x".into()], &mut out)?;
        let sequence = channel.unsigned_abs().into();
        let name = format!("{:x}", sequence + 1);
        let begun = [
            hashes(&[("x", sequence)]),
            data(channel, Some(&name), b"be"),
        ];
        let begun = begun.concat();
        let mut input = &begun[..];
        let mut coming = None;
        while let Some(event) = session.receive(&mut input)? {
            if let Event::Body { response, .. } = event {
                coming = Some(response);
            }
        }
        session.cancel(coming.expect("it has begun"), &mut out)?;
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    for channel in [2, 3, 4, 2, 3, 4] {
        cancelled(&mut session, channel).expect("a name opens it anew");
    }
    session.receive(&mut &ending(3, None, END)[..]).unwrap();
    cancelled(&mut session, 5).expect("one has ended");
    let beyond = cancelled(&mut session, 6).unwrap_err();
    assert_eq!(
        beyond.downcast_ref(),
        Some(&ProtocolError::TooManyChannels { limit: 3 })
    );
}

#[test]
fn offered_bounds_the_hashes_of_an_offer() {
    let limits = Limits {
        offered: 3,
        ..USUAL
    };
    let at = ["p", "q", "r"];
    assert_eq!(reads(limits, &[], &available(&at)).0, Ok(()));
    let beyond = ["p", "q", "r", "s"];
    let (result, heap) = reads(limits, &[], &available(&beyond));
    let refused = ProtocolError::TooManyOffered {
        offered: 4,
        limit: 3,
    };
    assert_eq!(result, Err(refused));
    assert!(heap < 2000, "{heap}");

    // What we offer is held to it as well.
    let mut session = Session::new(limits, Sha1);
    let mut out = Vec::new();
    session.provide(&at.map(Hash::new), &mut out).unwrap();
    assert_eq!(out, available(&at));
    let refused = session.provide(&beyond.map(Hash::new), &mut out);
    assert_eq!(refused, Err(Misuse::TooManyOffered { limit: 3 }));
    assert_eq!(out, available(&at));
}

/// The shortest hashes take three bytes on the wire, and some fifty once they are taken out of the message.
#[test]
fn an_offer_of_very_short_hashes_costs_strangers_little_more_than_its_bytes() {
    let limits = Limits::STRANGERS;
    let many = vec!["x"; limits.offered as usize];
    let (io, mut peer) = pipe(usize::MAX);
    let mut connection: Connection<End, MemoryBody> = Connection::with_limits(io, limits);
    peer.put(&available(&many));
    let mut cx = Context::from_waker(Waker::noop());
    let mut store = MemoryStore::new();
    let heap = allocation_counter::measure(|| {
        for _ in 0..1000 {
            let next = std::pin::pin!(connection.next(&mut store)).poll(&mut cx);
            if let Poll::Ready(event) = next {
                assert!(
                    matches!(event, Ok(Some(OwnedEvent::Available(lacking))) if lacking.len() == many.len())
                );
                return;
            }
        }
        panic!("it has come");
    });
    assert!(heap.bytes_max < 12 << 20, "{heap:?}");
}

#[test]
fn early_channels_bounds_the_contents_that_are_held_ahead_of_their_hashes() {
    let limits = Limits {
        early_channels: 3,
        ..USUAL
    };
    let asked = ["w", "x", "y", "z"];
    let early = |count: usize| -> Vec<u8> {
        let content = |channel: i32| data(channel, Some(&channel.to_string()), b"beep");
        (2..2 + count as i32).flat_map(content).collect()
    };
    let announced = |count: usize| -> Vec<u8> {
        let mappings = asked.iter().zip(1..).take(count);
        mappings
            .flat_map(|(&hash, n)| hashes(&[(hash, n)]))
            .collect()
    };
    let settled = |count: usize| {
        let mut side = Side::new(limits);
        asked.iter().for_each(|&hash| side.request(&[hash.into()]));
        side.receive(&[early(count), announced(count)].concat())?;
        let mut rest = Vec::new();
        for channel in 2..2 + count as i32 {
            rest.extend(ending(channel, None, END));
        }
        side.receive(&rest)?;
        side.out.clear();
        side.drain();
        let heard = side.take_heard().into_iter();
        let ended = heard.filter(|heard| !matches!(heard, Heard::Response(..)));
        Ok::<_, ProtocolError>((ended.collect::<Vec<_>>(), side.out))
    };
    let whole = |n: u64| Heard::Complete(asked[n as usize - 1].into(), n, b"beep".to_vec());
    assert_eq!(settled(3), Ok(([1, 2, 3].map(whole).to_vec(), Vec::new())));
    // The one beyond it is broken off, and has failed as soon as it is announced.
    let failed = Heard::Failed("z".into(), BodyError::TooEarly.to_string());
    let mut ended = vec![failed];
    ended.extend([1, 2, 3].map(whole));
    let broken_off = ending(-5, Some("5"), ERROR);
    assert_eq!(settled(4), Ok((ended, broken_off)));

    // More contents than hashes asked for cannot be.
    let unannounced = ProtocolError::Unannounced { sequence: 2 };
    assert_eq!(reads(limits, &["x"], &early(2)).0, Err(unannounced));
}

#[test]
fn early_bytes_bounds_what_is_held_of_them() {
    let limits = Limits {
        early_bytes: 10_000,
        ..USUAL
    };
    let asked = ["x", "y"];
    let halves = |second: usize| {
        let contents = [
            data(2, Some("2"), &[7; 5000]),
            data(3, Some("3"), &vec![7; second]),
        ];
        contents.concat()
    };
    let rest = [
        hashes(&[("x", 1)]),
        hashes(&[("y", 2)]),
        ending(2, None, END),
        ending(3, None, END),
    ];
    for (second, fits) in [(5000, true), (5001, false), (1_000_000, false)] {
        let (result, heap) = reads(limits, &asked, &halves(second));
        assert_eq!(result, Ok(()));
        assert!(heap < 40_000, "{heap}");
        let mut side = Side::new(limits);
        asked.iter().for_each(|&hash| side.request(&[hash.into()]));
        side.out.clear();
        side.receive(&[halves(second), rest.concat()].concat())
            .unwrap();
        side.drain();
        let ended = side.take_heard();
        assert!(ended.contains(&Heard::Complete("x".into(), 1, vec![7; 5000])));
        let failed = Heard::Failed("y".into(), BodyError::TooEarly.to_string());
        assert_eq!(ended.contains(&failed), !fits, "{second}");
        let broken_off = ending(-3, Some("3"), ERROR);
        assert_eq!(side.out, if fits { Vec::new() } else { broken_off });
        assert_eq!(side.session.end(), Ok(()));
    }

    // What is announced at last does not count any more.
    let one_by_one = ["x", "y", "z"].map(|hash| {
        let early = data(2, Some("2"), &[7; 9000]);
        [early, hashes(&[(hash, 1)]), ending(2, None, END)].concat()
    });
    let (result, heap) = reads(limits, &["x", "y", "z"], &one_by_one.concat());
    assert_eq!(result, Ok(()));
    assert!(heap < 40_000, "{heap}");
}

#[test]
fn unwritten_bounds_the_answers_that_wait_for_a_peer_that_never_reads() {
    let limits = Limits {
        unwritten: 1000,
        ..USUAL
    };
    let (io, mut peer) = pipe(0);
    let mut connection: Connection<End, MemoryBody> = Connection::with_limits(io, limits);
    let mut cx = Context::from_waker(Waker::noop());
    let mut store = MemoryStore::new();
    // What we say of our own accord may wait as long as it likes.
    connection
        .provide([&"x".repeat(1 << 20)[..].into()])
        .unwrap();
    assert!(connection.poll_flush(&mut cx).is_pending());
    // The answer that nothing is found: HASHES with no mapping takes seven bytes.
    let mut next = |connection: &mut Connection<End, MemoryBody>, times: usize| {
        let asked: Vec<u8> = (0..times).flat_map(|_| request(&["nope"])).collect();
        peer.put(&asked);
        for answered in 0..=times {
            match std::pin::pin!(connection.next(&mut store)).poll(&mut cx) {
                Poll::Ready(Ok(Some(OwnedEvent::Requested(_)))) => {}
                Poll::Ready(Err(error)) => return Err((answered, error.to_string())),
                Poll::Pending => assert_eq!(answered, times),
                other @ Poll::Ready(_) => panic!("{other:?}"),
            }
        }
        Ok(())
    };
    next(&mut connection, 142).unwrap();
    let text = "the peer does not read: 1001 bytes of answers wait, beyond Limits::unwritten, 1000";
    assert_eq!(next(&mut connection, 5), Err((0, text.to_owned())));
}

/// As the documentation says: for contents in memory, which a peer asks for and does not read.
#[test]
fn what_is_remembered_of_a_hash_under_way_is_some_hundred_bytes() {
    const COUNT: u32 = 50_000;
    let mut store = MemoryStore::new();
    let hashes: Vec<Hash> = (0..COUNT).map(|n| store.add(n.to_be_bytes())).collect();
    let (io, mut peer) = pipe(usize::MAX);
    let mut connection: Connection<End, MemoryBody> = Connection::new(io);
    let mut cx = Context::from_waker(Waker::noop());

    let asking = allocation_counter::measure(|| {
        connection.request(&hashes).unwrap();
        assert!(connection.poll_flush(&mut cx).is_ready());
    });
    let asked = peer.take();

    let (io, mut peer) = pipe(0);
    let mut serving: Connection<End, MemoryBody> = Connection::new(io);
    peer.put(&asked);
    let serves = allocation_counter::measure(|| {
        for _ in 0..1000 {
            let next = std::pin::pin!(serving.next(&mut store)).poll(&mut cx);
            if let Poll::Ready(event) = next {
                assert!(matches!(event, Ok(Some(OwnedEvent::Requested(_)))));
                break;
            }
        }
    });
    assert_eq!(serving.serving(), COUNT as usize);
    let each = |bytes: u64| bytes / u64::from(COUNT);
    assert!(each(asking.bytes_max) < 120, "{asking:?}");
    assert!(each(serves.bytes_max) < 450, "{serves:?}");
}
