//! How it ends: well, or with a reason and a status.

use futures::executor::block_on;

use super::*;
use crate::quick_start::give;

#[test]
fn a_peer_that_has_heard_an_offer_closes_when_its_input_ends_before_anything_was_asked_for() {
    let offer = Heard::Available(vec![Hash::sha1(b"a")]);
    let heard = [offer.clone(), Heard::Asked(vec![]), Heard::Close];
    for (input, said_then) in [
        (&[PREAMBLE, NOTHING_FOUND].concat()[..], &heard[..]),
        // Nothing was offered: it waits for that no more, and has nothing to close.
        (&[], &heard[..1]),
    ] {
        let output = run(&["--close", "a"], input);
        let status = output.status.code();
        assert_eq!((text(&output), status), (String::new(), Some(0)));
        assert_eq!(said(&output), said_then);
    }
    // One that does not want to just ends.
    let output = run(&["a"], &[PREAMBLE, NOTHING_FOUND].concat());
    assert_eq!(said(&output), heard[..2]);
}

#[test]
fn it_closes_when_a_peer_that_never_asks_for_anything_has_closed() {
    let printed = process::trade_with("peer", &["--close", "boop"], |io| {
        block_on(give(io, b"beep"));
    });
    assert_eq!(printed, [&body(b"beep"), CLOSED.as_bytes()].concat());
}

#[test]
fn what_the_peer_asked_for_is_written_whole_after_its_stream_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = noise(1 << 20, 1);
    let file = write(directory.path(), "file", &bytes);
    for close in [&[][..], &["--close"]] {
        let mut other = Side::new(Limits::DEFAULT);
        other.provide(&[]);
        other.request(&[Hash::sha1(&bytes)]);
        let arguments = [close, &["--file", &file, "--seq"]].concat();
        let output = run(&arguments, &[&other.out, NOTHING_FOUND].concat());
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
fn a_body_longer_than_the_limit_is_given_up_and_the_sender_is_told() {
    let input = recorded().concat();
    let output = run(&["--limit", "4", "beep"], &input);
    assert_eq!(output.stderr, body(b"boop"));
    let output = run(&["--limit", "3", "beep"], &input);
    let hash = Hash::sha1(b"boop");
    let failed = format!("# FAILED {hash} it has more than 3 bytes, the limit\n");
    assert_eq!(text(&output), failed);
    assert_eq!(output.status.code(), Some(1));
    // ERROR on -2, named as the npm package names it.
    let cancel = [7, 8, 3, 0x12, 1, b'2', 0x18, 3];
    assert!(output.stdout.ends_with(&cancel), "{:?}", output.stdout);

    // One that has come to its end before its HASHES came is given up as well, and there is nobody to be told.
    let mut frames = recorded();
    frames[2..5].rotate_left(1);
    let output = run(&["--limit", "3", "beep"], &frames.concat());
    assert_eq!(text(&output), failed);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.ends_with(&cancel), "{:?}", output.stdout);
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

/// It ends before the frame that its first byte announces does, which says less than that it is no frame.
#[test]
fn a_peer_that_speaks_something_else_is_told_what_is_spoken_here() {
    let output = run(&[], b"GET / HTTP/1.1\r\n\r\n");
    let says = "peer: standard input, within its first 18 bytes: field 10 has wire type 4, which it cannot have; \
                a peer speaks hash-exchange, version 4\n";
    assert_eq!((&text(&output)[..], output.status.code()), (says, Some(1)));
}

#[test]
fn a_file_that_is_gone_when_it_is_asked_for_is_missing_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "file", b"soon gone");
    let mut child = start(&["--file", &file]);
    let offered = read(child.stdout.as_mut().unwrap(), OFFER_LEN);
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
fn a_file_that_is_not_what_was_offered_any_more_fails_at_both_sides() {
    let directory = tempfile::tempdir().unwrap();
    for changed in [&b"behind"[..], b"bef", b"before and behind", b""] {
        let file = write(directory.path(), "file", b"before");
        let mut child = start(&["--file", &file]);
        let offered = read(child.stdout.as_mut().unwrap(), OFFER_LEN);
        write(directory.path(), "file", changed);
        let mut other = Side::new(Limits::DEFAULT);
        other.request(&[Hash::sha1(b"before")]);
        child.stdin.take().unwrap().write_all(&other.out).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = format!("peer: {file}: the file has changed since it was offered\n");
        assert_eq!((text(&output), output.status.code()), (said, Some(1)));
        other.receive(&[offered, output.stdout].concat()).unwrap();
        let failed = Heard::Failed(
            Hash::sha1(b"before"),
            "the peer broke it off: the file has changed since it was offered".into(),
        );
        assert_eq!(other.heard.last(), Some(&failed));
    }
}

#[test]
fn a_peer_that_closes_and_reads_no_more_of_what_it_asked_for_is_an_error_of_the_output() {
    let directory = tempfile::tempdir().unwrap();
    // The last of it is encoded, along with our CLOSE, when the pipe breaks.
    let bytes = noise(100_000, 1);
    let file = write(directory.path(), "file", &bytes);
    let mut child = start(&["--close", "--file", &file]);
    read(child.stdout.as_mut().unwrap(), OFFER_LEN);
    let mut other = Side::new(Limits::DEFAULT);
    other.provide(&[]);
    other.request(&[Hash::sha1(&bytes)]);
    let mut stdin = child.stdin.take().unwrap();
    let input = [&other.out, NOTHING_FOUND, CLOSE].concat();
    stdin.write_all(&input).unwrap();
    // It has begun, and there is more of it than the pipe holds.
    read(child.stdout.as_mut().unwrap(), 1000);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert!(text.starts_with("peer: standard output: "), "{text}");
    assert_eq!(output.status.code(), Some(1));
}
