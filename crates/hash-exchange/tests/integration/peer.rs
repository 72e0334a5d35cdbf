//! The example `peer`: two of them joined by pipes, or one that hears what was recorded or made up beforehand.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use hash_exchange::{Hash, Limits};
use serde_json::Value;

use crate::pair::{Heard, Side};
use crate::process;

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
fn an_offer_waits_for_ever_for_a_since_that_never_comes() {
    assert_eq!(said(&run(&["--wait-since", "a"], &[])), []);
    assert_eq!(
        said(&run(&["--wait-since", "a", "--close"], &[])),
        [Heard::Close]
    );
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

#[test]
fn a_peer_that_wants_to_close_does_so_as_well_when_its_input_ends_without_a_close() {
    let output = run(&["--close", "a"], &[]);
    assert_eq!(
        (text(&output), output.status.code()),
        (String::new(), Some(0))
    );
    let offer = Heard::Available(vec![Hash::sha1(b"a")]);
    assert_eq!(said(&output), [offer.clone(), Heard::Close]);
    // One that does not just ends.
    assert_eq!(said(&run(&["a"], &[])), [offer]);
}

#[test]
fn what_the_peer_asked_for_is_written_whole_after_its_stream_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = noise(1 << 20, 1);
    let file = write(directory.path(), "file", &bytes);
    for close in [&[][..], &["--close"]] {
        let mut other = Side::new(Limits::DEFAULT);
        other.request(&[Hash::sha1(&bytes)]);
        let output = run(&[close, &["--file", &file, "--seq"]].concat(), &other.out);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        other.receive(&output.stdout).unwrap();
        let hash = Hash::sha1(&bytes);
        assert!(
            other
                .heard
                .contains(&Heard::Complete(hash, 1, bytes.clone()))
        );
        assert_eq!(other.heard.contains(&Heard::Close), !close.is_empty());
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_gives_no_body_and_is_an_error_unless_nothing_is_open() {
    let frames = recorded();
    let bytes = frames.concat();
    // Before anything was offered, and once all that was asked for has come.
    let mut ends: Vec<_> = (1..=frames.len())
        .map(|end| frames[..end].concat().len())
        .collect();
    let complete = ends[frames.len() - 2];
    ends.retain(|&end| end >= complete);
    ends.insert(0, 0);
    for cut in 0..=bytes.len() {
        for flags in [&[][..], &["--digest"]] {
            let output = run(&[flags, &["beep"]].concat(), &bytes[..cut]);
            let text = text(&output);
            let whole = ends.contains(&cut);
            assert_eq!(
                output.status.code(),
                Some(i32::from(!whole)),
                "{cut}: {text}"
            );
            assert_eq!(text.contains("# BEGIN"), cut >= complete, "{cut}: {text}");
            assert_eq!(
                text.contains("peer: standard input"),
                !whole,
                "{cut}: {text}"
            );
        }
    }
}

#[test]
fn a_body_that_is_another_or_is_broken_off_is_not_printed_and_fails() {
    let bytes = recorded().concat();
    let hash = Hash::sha1(b"boop");
    for (right, wrong, reason) in [
        (
            &b"boop"[..],
            &b"BOOP"[..],
            "the content is not that of its hash",
        ),
        (&[8, 4, 0x18, 2], &[8, 4, 0x18, 3], "the peer broke it off"),
    ] {
        for flags in [&[][..], &["--digest"]] {
            let input = replace(&bytes, right, wrong);
            let output = run(&[flags, &["beep"]].concat(), &input);
            assert_eq!(text(&output), format!("# FAILED {hash} {reason}\n"));
            assert_eq!(output.status.code(), Some(1));
        }
    }
}

#[test]
fn a_body_whose_hash_is_no_sha1_cannot_be_verified_hence_is_none() {
    let hash = "AE8D904CEBFD629CDB1CC773A5BCE8ACA1DC1EEE";
    let input = recorded().concat();
    let input = replace(&input, hash.to_lowercase().as_bytes(), hash.as_bytes());
    let output = run(&[], &input);
    assert!(
        text(&output).contains(&format!("# FAILED {hash} ")),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn garbage_is_an_error_that_says_where_and_what() {
    for garbage in [
        &b"garbage\n"[..],
        &[3, 8, 2, 0x80],
        &[0xff; 64],
        &[6, 8, 2, 0x22, 2, 0, 9],
        NOTHING_FOUND,
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        for flags in [&[][..], &["--close"]] {
            let output = run(flags, garbage);
            let text = text(&output);
            assert_eq!(output.status.code(), Some(1), "{garbage:x?}: {text}");
            assert!(
                text.starts_with("peer: standard input, within its first "),
                "{text}"
            );
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[test]
fn wrong_arguments_have_a_status_of_their_own_and_a_word_about_right_ones() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    for (arguments, word) in [
        (&["--nonsense"][..], "--nonsense is no flag"),
        (&["-x"], "goes behind --"),
        (&["--id"], "--id ID"),
        (&["--since"], "--since N"),
        (&["--since", "-2"], "from -1 to 9007199254740990"),
        (
            &["--since", "9007199254740991"],
            "from -1 to 9007199254740990",
        ),
        (&["--since", "soon"], "not soon"),
        (&["--request"], "--request HASH"),
        (&["--file"], "--file PATH"),
        (&["--file", "no such file"], "--file no such file: "),
        (&["--file", directory], "it takes a regular file"),
        (&["--lines", "no such file"], "--lines no such file: "),
        (&["--close=yes"], "--close"),
    ] {
        let output = run(arguments, &[]);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(
            text.contains(word) && text.contains("peer --help"),
            "{text}"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_names_every_flag_and_every_notice() {
    let output = run(&["--help"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "--file",
        "--lines",
        "--digest",
        "--id",
        "--since",
        "--wait-since",
        "--seq",
        "--seen",
        "--request",
        "--close",
        "--help",
        "--  ",
        "# BEGIN",
        "# END",
        "# FAILED",
        "# MISSING",
        "# ID",
        "# SINCE",
        "# SEEN",
        "# CLOSE",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_file_that_is_gone_when_it_is_asked_for_is_missing_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "file", b"soon gone");
    let mut child = start(&["--file", &file]);
    let offered = read(&mut child, OFFER_LEN);
    std::fs::remove_file(&file).unwrap();
    let mut other = Side::new(Limits::DEFAULT);
    other.request(&[Hash::sha1(b"soon gone")]);
    child.stdin.take().unwrap().write_all(&other.out).unwrap();
    let output = child.wait_with_output().unwrap();
    other
        .receive(&[offered, output.stdout.clone()].concat())
        .unwrap();
    assert_eq!(other.heard[1], Heard::NotFound(Hash::sha1(b"soon gone")));
    assert_eq!(text(&output), format!("peer: {file}: the file is gone\n"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_has_changed_since_it_was_offered_fails_at_the_reader() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "file", b"before");
    let mut child = start(&["--file", &file]);
    let offered = read(&mut child, OFFER_LEN);
    write(directory.path(), "file", b"behind");
    let mut other = Side::new(Limits::DEFAULT);
    other.request(&[Hash::sha1(b"before")]);
    child.stdin.take().unwrap().write_all(&other.out).unwrap();
    let output = child.wait_with_output().unwrap();
    other.receive(&[offered, output.stdout].concat()).unwrap();
    assert!(matches!(other.heard.last(), Some(Heard::Failed(..))));
}

#[test]
fn a_peer_that_reads_no_more_is_an_error_of_the_output() {
    let mut child = start(&["a"]);
    let mut stdin = child.stdin.take().unwrap();
    read(&mut child, OFFER_LEN);
    drop(child.stdout.take());
    // It has to answer; its input goes on.
    stdin.write_all(PREAMBLE).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert!(text.starts_with("peer: standard output: "), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_peer_that_reads_no_more_once_both_have_closed_is_none() {
    let mut child = start(&["--close"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[PREAMBLE, ASK_NOTHING].concat()).unwrap();
    // The empty offer with the name of the stream, an empty request, and an empty answer.
    read(&mut child, 10 + 7 + 7);
    drop(child.stdout.take());
    // Its answer is what our CLOSE has waited for, and its own comes along.
    stdin.write_all(&[NOTHING_FOUND, CLOSE].concat()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((&*text(&output), output.status.code()), (CLOSED, Some(0)));
}

const CLOSED: &str = "# CLOSE\n";

/// An empty AVAILABLE, which opens the stream of messages.
const PREAMBLE: &[u8] = &[9, 8, 2, 0x12, 1, b'0', 0x22, 2, 0, 0];

/// Messages without hashes, behind that: REQUEST, HASHES, and CLOSE.
const ASK_NOTHING: &[u8] = &[6, 8, 2, 0x22, 2, 0, 1];
const NOTHING_FOUND: &[u8] = &[6, 8, 2, 0x22, 2, 0, 2];
const CLOSE: &[u8] = &[6, 8, 2, 0x22, 2, 0, 4];

/// An AVAILABLE with one SHA-1, as the first message.
const OFFER_LEN: usize = 52;

/// What a peer prints of a body.
fn body(bytes: &[u8]) -> Vec<u8> {
    let hash = Hash::sha1(bytes);
    let (begin, end) = (format!("# BEGIN {hash}\n"), format!("\n# END {hash}\n"));
    [begin.as_bytes(), bytes, end.as_bytes()].concat()
}

fn digest(bytes: &[u8]) -> Vec<u8> {
    let (hash, len) = (Hash::sha1(bytes), bytes.len());
    format!("# BEGIN {hash}\n{len} {hash}\n# END {hash}\n").into()
}

/// Bytes without a pattern, in which all 256 occur.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> String {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// What the npm package wrote to a peer that holds beep: it offered boop too, was asked for it, sent it, and closed.
fn recorded() -> Vec<Vec<u8>> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let frames = vectors["scenarios"][0]["frames"].as_array().unwrap();
    let frames = frames.iter().filter(|frame| frame["from"] == "B");
    let hex = frames.filter_map(|frame| frame["hex"].as_str());
    hex.map(|hex| {
        let bytes = (0..hex.len()).step_by(2);
        bytes
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    })
    .collect()
}

/// All occurrences of one sequence of bytes, of which there are some, by another as long.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let found = |at: &usize| bytes[*at..].starts_with(from);
    let places: Vec<_> = (0..bytes.len()).filter(found).collect();
    assert!(!places.is_empty() && from.len() == to.len());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

fn start(arguments: &[&str]) -> Child {
    let mut command = process::command("peer", arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("cargo test builds the examples")
}

/// Runs a peer that hears this and then the end. What it does not hear, as it has failed before, does not matter.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = start(arguments);
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Runs two peers to their good end. Returns what they print.
fn trade(left: &[&str], right: &[&str]) -> (Vec<u8>, Vec<u8>) {
    process::trade("peer", left, right)
}

fn read(child: &mut Child, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    bytes
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a peer said to another that says nothing.
fn said(output: &Output) -> Vec<Heard> {
    let mut other = Side::new(Limits::DEFAULT);
    other.receive(&output.stdout).unwrap();
    other.heard
}
