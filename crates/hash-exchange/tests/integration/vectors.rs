//! The recorded sessions of the npm package, replayed: each frame is what our session writes when it is asked to do the
//! same, and means to our other session what it meant to the package.

use hash_exchange::{Hash, ServedId, Session};
use serde_json::Value;

/// Plays one recorded session, frame by frame.
struct Replay {
    frames: std::vec::IntoIter<(char, Vec<u8>)>,
    a: Session,
    b: Session,
    /// What either side has heard, in words.
    heard: Vec<String>,
}

impl Replay {
    fn new(scenario: usize) -> Self {
        let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
        let frames = vectors["scenarios"][scenario]["frames"].as_array().unwrap();
        let frames = frames.iter().filter_map(|frame| {
            let hex = frame["hex"].as_str()?;
            let bytes = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
            Some((frame["from"].as_str()?.chars().next()?, bytes.collect()))
        });
        Self {
            frames: frames.collect::<Vec<_>>().into_iter(),
            a: Session::default(),
            b: Session::default(),
            heard: Vec::new(),
        }
    }

    /// A side writes: it must be the next recorded frame, which goes to the other side.
    fn frame<T>(&mut self, side: char, write: impl FnOnce(&mut Session, &mut Vec<u8>) -> T) -> T {
        let (from, recorded) = self.frames.next().expect("the recording is longer");
        assert_eq!(from, side);
        let mut out = Vec::new();
        let (writer, reader) = match side {
            'A' => (&mut self.a, &mut self.b),
            _ => (&mut self.b, &mut self.a),
        };
        let result = write(writer, &mut out);
        assert_eq!(
            without_channel(&out),
            without_channel(&recorded),
            "{:02x?}",
            out
        );
        let mut input = &recorded[..];
        while let Some(event) = reader.receive(&mut input).unwrap() {
            self.heard.push(format!("{event:?}"));
        }
        result
    }

    fn body(&mut self, served: ServedId, chunk: &[u8]) {
        self.frame('B', |b, out| b.body(served, chunk, out))
            .unwrap();
    }

    fn finish(&mut self, served: ServedId) {
        self.frame('B', |b, out| b.finish(served, out)).unwrap();
    }

    fn done(mut self, heard: &[&str]) {
        assert!(self.frames.next().is_none(), "the recording goes on");
        assert_eq!(self.heard, heard);
    }
}

/// The package gives a content its channel when it is found, we when it begins, so that numbers may differ where several
/// contents are open. What the channel carries says its name.
fn without_channel(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame[2] > 2 {
        frame[2] = 0;
    }
    frame
}

const BEEP: &str = "38d8fe5c3796e1b93ceb59dcdb879c010507e64a";
const BOOP: &str = "ae8d904cebfd629cdb1cc773a5bce8aca1dc1eee";

#[test]
fn a_full_session() {
    let (beep, boop) = (Hash::sha1(b"beep"), Hash::sha1(b"boop"));
    let mut replay = Replay::new(0);
    replay.frame('A', |a, out| a.provide([&beep], out)).unwrap();
    replay
        .frame('B', |b, out| b.provide([&beep, &boop], out))
        .unwrap();
    replay.frame('B', |b, out| b.request([], out)).unwrap();
    replay.frame('A', |a, out| a.request([&boop], out)).unwrap();
    let answer = replay
        .frame('B', |b, out| b.respond([(boop, None)], out))
        .unwrap();
    // The body of this recording was under way before the empty REQUEST was answered; by our rule it waits for that.
    let (from, body) = replay.frames.next().unwrap();
    assert_eq!((from, &body[8..]), ('B', &b"boop"[..]));
    replay.frame('A', |a, out| a.respond([], out)).unwrap();
    let mut out = Vec::new();
    replay.b.body(answer.served(0), b"boop", &mut out).unwrap();
    assert_eq!(out, body);
    let heard = replay.a.receive(&mut &body[..]).unwrap().unwrap();
    replay.heard.push(format!("{heard:?}"));
    replay.finish(answer.served(0));
    replay.a.close();
    replay.b.close();
    replay.frame('A', |a, out| a.transmit(out)).unwrap();
    replay.frame('B', |b, out| b.transmit(out)).unwrap();
    assert!(replay.a.is_closed() && replay.b.is_closed());
    replay.done(&[
        &format!("Available([\"{BEEP}\"])"),
        &format!("Available([\"{BEEP}\", \"{BOOP}\"])"),
        "Request([])",
        &format!("Request([\"{BOOP}\"])"),
        &format!("Response {{ response: ResponseId(0), hash: {BOOP}, sequence: 1 }}"),
        "Body { response: ResponseId(0), chunk: [98, 111, 111, 112] }",
        &format!("Complete {{ response: ResponseId(0), hash: {BOOP}, sequence: 1 }}"),
        "Close",
        "Close",
    ]);
}

#[test]
fn an_empty_payload_and_a_hash_that_is_not_there() {
    let [e, f, nope] = ["e", "f", "nope"].map(Hash::new);
    let mut replay = Replay::new(1);
    replay
        .frame('B', |b, out| b.provide([&e, &f], out))
        .unwrap();
    replay
        .frame('A', |a, out| a.request([&e, &f, &nope], out))
        .unwrap();
    let answer = replay
        .frame('B', |b, out| b.respond([(e, None), (f, None)], out))
        .unwrap();
    replay.finish(answer.served(0));
    replay.body(answer.served(1), b"xy");
    replay.finish(answer.served(1));
    replay.done(&[
        r#"Available(["e", "f"])"#,
        r#"Request(["e", "f", "nope"])"#,
        "Response { response: ResponseId(0), hash: e, sequence: 1 }",
        "Response { response: ResponseId(1), hash: f, sequence: 2 }",
        "NotFound { hash: nope }",
        "Complete { response: ResponseId(0), hash: e, sequence: 1 }",
        "Body { response: ResponseId(1), chunk: [120, 121] }",
        "Complete { response: ResponseId(1), hash: f, sequence: 2 }",
    ]);
}

#[test]
fn notifications_and_empty_lists() {
    let text = Hash::new("str");
    let mut replay = Replay::new(2);
    replay.frame('A', |a, out| a.id("me", out)).unwrap();
    for sequence in [None, Some(0), Some(300)] {
        replay.frame('A', |a, out| a.since(sequence, out)).unwrap();
    }
    for sequence in [None, Some(7)] {
        replay.frame('A', |a, out| a.seen(sequence, out)).unwrap();
    }
    replay.frame('A', |a, out| a.provide([], out)).unwrap();
    // The package advertises nothing for provide({ k: 1 }), a bug which a typed call cannot have.
    replay.frame('A', |a, out| a.provide([], out)).unwrap();
    replay.frame('A', |a, out| a.provide([&text], out)).unwrap();
    replay.frame('A', |a, out| a.request([], out)).unwrap();
    replay.frame('B', |b, out| b.respond([], out)).unwrap();
    replay.done(&[
        r#"Id("me")"#,
        "Since(None)",
        "Since(Some(0))",
        "Since(Some(300))",
        "Seen(None)",
        "Seen(Some(7))",
        "Available([])",
        "Available([])",
        r#"Available(["str"])"#,
        "Request([])",
    ]);
}

#[test]
fn explicit_sequences_and_a_channel_used_again() {
    let [p, q] = ["p", "q"].map(Hash::new);
    let mut replay = Replay::new(3);
    replay
        .frame('B', |b, out| b.provide([&p, &q], out))
        .unwrap();
    replay
        .frame('A', |a, out| a.request([&p, &q], out))
        .unwrap();
    let found = [(p, Some(0)), (q.clone(), Some(254))];
    let first = replay.frame('B', |b, out| b.respond(found, out)).unwrap();
    let (p, old_q) = (first.served(0), first.served(1));
    replay.body(old_q, b"1");
    replay.body(p, b"1");
    replay.body(p, b"22");
    replay.finish(p);
    replay.frame('A', |a, out| a.request([&q], out)).unwrap();
    let second = replay
        .frame('B', |b, out| b.respond([(q, Some(254))], out))
        .unwrap();
    let new_q = second.served(0);
    replay.body(new_q, b"1");
    replay.body(old_q, b"22");
    replay.finish(old_q);
    replay.body(new_q, b"22");
    replay.finish(new_q);
    replay.done(&[
        "Available([\"p\", \"q\"])",
        "Request([\"p\", \"q\"])",
        "Response { response: ResponseId(0), hash: p, sequence: 0 }",
        "Response { response: ResponseId(1), hash: q, sequence: 254 }",
        "Body { response: ResponseId(1), chunk: [49] }",
        "Body { response: ResponseId(0), chunk: [49] }",
        "Body { response: ResponseId(0), chunk: [50, 50] }",
        "Complete { response: ResponseId(0), hash: p, sequence: 0 }",
        "Request([\"q\"])",
        "Response { response: ResponseId(2), hash: q, sequence: 254 }",
        "Body { response: ResponseId(2), chunk: [49] }",
        "Body { response: ResponseId(1), chunk: [50, 50] }",
        "Complete { response: ResponseId(1), hash: q, sequence: 254 }",
        "Body { response: ResponseId(2), chunk: [50, 50] }",
        "Complete { response: ResponseId(2), hash: q, sequence: 254 }",
    ]);
}
