//! What two peers, or one and what it hears, say to each other.

use std::process::Command;

use hash_exchange::Session;

use super::*;

#[test]
fn two_peers_trade_what_they_lack_and_end_when_both_have_closed() {
    let (left, right) = trade(
        &["--close", "beep", "boop", "hey yo"],
        &["--close", "hey yo", "WHATEVER", "beep"],
    );
    assert_eq!(left, [body(b"WHATEVER"), CLOSED.into()].concat());
    assert_eq!(right, [body(b"boop"), CLOSED.into()].concat());
}

#[test]
fn two_peers_without_any_message_offer_nothing_and_close() {
    let (left, right) = trade(&["--close"], &["--close"]);
    assert_eq!((left, right), (CLOSED.into(), CLOSED.into()));
    assert_eq!(said(&run(&[], &[])), [Heard::Available(vec![])]);
}

#[test]
fn messages_are_offered_once_in_the_order_of_the_arguments_whatever_they_come_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "file", b"in a file");
    let lines = write(directory.path(), "lines", b"\nb\none\r\n\n\xff\nlast");
    let arguments = [
        "b", "--file", &file, "a", "--lines", &lines, "b", "--", "--id",
    ];
    let messages: [&[u8]; 7] = [
        b"b",
        b"in a file",
        b"a",
        b"one\r",
        b"\xff",
        b"last",
        b"--id",
    ];
    let hashes = messages.map(Hash::sha1).to_vec();
    assert_eq!(said(&run(&arguments, &[])), [Heard::Available(hashes)]);
}

#[test]
fn each_offer_is_answered_by_one_request_for_what_is_new_even_if_nothing_is() {
    let (new, held) = (Hash::sha1(b"new"), Hash::sha1(b"held"));
    let mut other = Side::new(Limits::DEFAULT);
    other.provide(&[new.clone(), held.clone(), new.clone()]);
    other.provide(&[held.clone(), new.clone()]);
    let input = [&other.out, NOTHING_FOUND, NOTHING_FOUND].concat();
    let output = run(&["held"], &input);
    assert_eq!(text(&output), format!("# MISSING {new}\n"));
    assert_eq!(
        said(&output),
        [
            Heard::Available(vec![held]),
            Heard::Asked(vec![new]),
            Heard::Asked(vec![])
        ]
    );
}

#[test]
fn files_are_traded_whole_whether_empty_small_or_larger_than_what_is_kept_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    for len in [0, 1, 1000, 1 << 20] {
        let bytes = noise(len, 1);
        let file = write(directory.path(), "file", &bytes);
        let (left, right) = trade(&["--close", "--file", &file], &["--close"]);
        assert_eq!(left, CLOSED.as_bytes());
        assert_eq!(right, [body(&bytes), CLOSED.into()].concat(), "{len} bytes");
    }
}

#[test]
fn files_of_20_mib_go_both_ways_at_once_through_pipes_of_64_kib() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (noise(20 << 20, 1), noise(20 << 20, 2));
    let left = write(directory.path(), "left", &a);
    let right = write(directory.path(), "right", &b);
    let (left, right) = trade(
        &["--close", "--digest", "--file", &left],
        &["--close", "--digest", "--file", &right],
    );
    assert_eq!(left, [digest(&b), CLOSED.into()].concat());
    assert_eq!(right, [digest(&a), CLOSED.into()].concat());
}

#[test]
fn a_digest_stands_for_an_empty_body_too() {
    let (_, right) = trade(&["--close", ""], &["--close", "--digest"]);
    assert_eq!(right, [digest(b""), CLOSED.into()].concat());
}

#[test]
fn id_goes_first_then_since_then_the_offer_then_the_requests() {
    let hash = Hash::sha1(b"wanted");
    let name = hash.to_string();
    let arguments = [
        "a",
        "--request",
        &name,
        "--request",
        "other",
        "--request",
        &name,
        "--since",
        "7",
        "--id",
        "me",
    ];
    let output = run(
        &arguments,
        &[PREAMBLE, NOTHING_FOUND, NOTHING_FOUND].concat(),
    );
    assert_eq!(
        said(&output),
        [
            Heard::Id("me".into()),
            Heard::Since(Some(7)),
            Heard::Available(vec![Hash::sha1(b"a")]),
            Heard::Asked(vec![hash.clone(), Hash::new("other")]),
            Heard::Asked(vec![]),
        ]
    );
    assert_eq!(
        text(&output),
        format!("# MISSING {hash}\n# MISSING other\n")
    );
}

#[test]
fn since_goes_from_minus_one_to_what_javascript_can_tell() {
    for (argument, sequence) in [
        ("-1", None),
        ("0", Some(0)),
        ("9007199254740990", Some(9007199254740990)),
    ] {
        let output = run(&["--since", argument], &[]);
        assert_eq!(said(&output)[0], Heard::Since(sequence));
    }
}

#[test]
fn an_offer_that_waits_for_since_holds_what_is_behind_it() {
    for (since, offered) in [
        ("-1", &["a", "b", "c"][..]),
        ("0", &["a", "b", "c"]),
        ("2", &["c"]),
        ("3", &[]),
        ("9007199254740990", &[]),
    ] {
        let (left, right) = trade(
            &["--wait-since", "--close", "a", "b", "a", "c"],
            &["--since", since, "--close", "--id", "right"],
        );
        let heard = format!("# ID right\n# SINCE {since}\n{CLOSED}");
        assert_eq!(String::from_utf8(left).unwrap(), heard);
        let bodies: Vec<_> = offered.iter().flat_map(|it| body(it.as_bytes())).collect();
        assert_eq!(right, [bodies, CLOSED.into()].concat());
    }
}

#[test]
fn an_offer_waits_for_ever_for_a_since_that_never_comes_and_keeps_nobody_from_closing() {
    for close in [&[][..], &["--close"]] {
        let arguments = [close, &["--wait-since", "a"]].concat();
        assert_eq!(said(&run(&arguments, &[])), []);
    }
    let input = [PREAMBLE, ASK_NOTHING, NOTHING_FOUND, CLOSE].concat();
    let output = run(&["--wait-since", "a", "--close"], &input);
    assert_eq!((&*text(&output), output.status.code()), (CLOSED, Some(0)));
    // It opens its stream with its request, as it has no offer.
    let asked = [9, 8, 2, 0x12, 1, b'0', 0x22, 2, 0, 1];
    assert_eq!(output.stdout, [&asked, NOTHING_FOUND, CLOSE].concat());
}

#[test]
fn bodies_are_printed_as_they_are_whatever_is_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let all: Vec<u8> = (0..=255).collect();
    let bodies: [&[u8]; 4] = [&all, b"# CLOSE\n# END x", b"", b"\n"];
    let mut arguments = vec!["--close".to_owned()];
    for (n, body) in bodies.iter().enumerate() {
        let file = write(directory.path(), &n.to_string(), body);
        arguments.extend(["--file".to_owned(), file]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (_, right) = trade(&arguments, &["--close"]);
    let printed: Vec<_> = bodies.iter().flat_map(|bytes| body(bytes)).collect();
    assert_eq!(right, [printed, CLOSED.into()].concat());
}

#[test]
fn positions_are_the_sequence_numbers_if_that_is_asked_for_and_are_seen_by_the_other_side() {
    let (left, right) = trade(
        &["--seq", "--close", "--wait-since", "a", "b", "c"],
        &["--seen", "--close", "--since", "1"],
    );
    let heard = format!("# SINCE 1\n# SEEN 2\n# SEEN 3\n{CLOSED}");
    assert_eq!(String::from_utf8(left).unwrap(), heard);
    assert_eq!(right, [body(b"b"), body(b"c"), CLOSED.into()].concat());
}

#[test]
fn without_positions_bodies_are_counted_as_they_are_asked_for() {
    let (left, _) = trade(
        &["--close", "--wait-since", "a", "b", "c"],
        &["--seen", "--close", "--since", "1"],
    );
    let heard = format!("# SINCE 1\n# SEEN 1\n# SEEN 2\n{CLOSED}");
    assert_eq!(String::from_utf8(left).unwrap(), heard);
}

#[test]
fn a_hash_that_nobody_has_is_missing_and_that_is_no_failure() {
    let (left, right) = trade(&["--request", "nobody's", "--close"], &["--close", "a"]);
    let missing = [b"# MISSING nobody's\n", &*body(b"a"), CLOSED.as_bytes()].concat();
    assert_eq!(left, missing);
    assert_eq!(right, CLOSED.as_bytes());
}

#[test]
fn a_hash_asked_for_at_the_start_is_not_asked_for_again_when_it_is_offered() {
    let hash = Hash::sha1(b"a").to_string();
    let (left, _) = trade(&["--request", &hash, "--close"], &["--close", "a"]);
    assert_eq!(left, [body(b"a"), CLOSED.into()].concat());
}

#[test]
fn what_a_peer_says_is_one_line_whatever_is_in_it() {
    let mut other = Side::new(Limits::DEFAULT);
    other
        .session
        .id("a\n# CLOSE\u{1b}é", &mut other.out)
        .unwrap();
    other.session.since(None, &mut other.out).unwrap();
    other.session.seen(None, &mut other.out).unwrap();
    other.session.seen(Some(3), &mut other.out).unwrap();
    let output = run(&[], &other.out);
    let heard = "# ID a\\n# CLOSE\\u{1b}é\n# SINCE -1\n# SEEN -1\n# SEEN 3\n";
    assert_eq!(text(&output), heard);
    assert!(output.status.success());
}

/// Forty of them come at the same time, and sixteen descriptors are all that there are.
#[cfg(unix)]
#[test]
fn large_bodies_that_come_side_by_side_wait_in_one_file() {
    let bodies: Vec<Vec<u8>> = (0..40).map(|n| vec![n; 300_000]).collect();
    let hashes: Vec<Hash> = bodies.iter().map(|body| Hash::sha1(body)).collect();
    let (mut asking, mut serving) = (Session::default(), Session::default());
    let (mut asked, mut input) = (Vec::new(), Vec::new());
    asking.request(&hashes, &mut asked).unwrap();
    serving.receive(&mut &asked[..]).unwrap();
    serving.provide(&hashes, &mut input).unwrap();
    let found = hashes.into_iter().map(|hash| (hash, None));
    let answer = serving.respond(found, &mut input).unwrap();
    for at in (0..300_000).step_by(50_000) {
        for (index, body) in (0..).zip(&bodies) {
            let piece = &body[at..at + 50_000];
            let sent = serving.body(answer.served(index), piece, &mut input);
            sent.unwrap();
        }
    }
    for index in 0..40 {
        serving.finish(answer.served(index), &mut input).unwrap();
    }
    let peer = process::command::<&str>("peer", &[]);
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 16; exec \"$0\""])
        .arg(peer.get_program())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().expect("it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let printed: Vec<u8> = bodies.iter().flat_map(|it| body(it)).collect();
    assert!(output.stderr == printed, "{} bytes", output.stderr.len());
}
