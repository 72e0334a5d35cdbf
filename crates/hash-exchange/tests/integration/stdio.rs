//! The example of the npm package's readme, as two processes.

use std::io::{Read, Write};
use std::process::Stdio;

use futures::executor::block_on;
use hash_exchange::Hash;

use crate::process::{self, Running, command, spawn};
use crate::quick_start::give;
use crate::quirks::{END, available, close, data, ending, hashes, request};

#[test]
fn two_processes_trade_what_they_lack() {
    let (left, right) = trade(&["beep", "boop", "hey yo"], &["hey yo", "WHATEVER", "beep"]);
    assert_eq!(
        left,
        "# BEGIN fdb608cccac07c273ab532bb41eea07e2ddccf4e\nWHATEVER\n# END fdb608cccac07c273ab532bb41eea07e2ddccf4e\n"
    );
    assert_eq!(
        right,
        "# BEGIN ae8d904cebfd629cdb1cc773a5bce8aca1dc1eee\nboop\n# END ae8d904cebfd629cdb1cc773a5bce8aca1dc1eee\n"
    );
}

#[test]
fn two_processes_that_lack_nothing_end_as_well() {
    for messages in [&["a"][..], &[]] {
        assert_eq!(trade(messages, messages), (String::new(), String::new()));
    }
}

#[test]
fn a_process_ends_with_a_peer_that_only_gives() {
    let printed = process::trade_with("stdio", &["boop"], |io| block_on(give(io, b"beep")));
    let hash = Hash::sha1(b"beep");
    let said = format!("# BEGIN {hash}\nbeep\n# END {hash}\n");
    assert_eq!(String::from_utf8(printed).unwrap(), said);
}

#[test]
fn two_processes_trade_more_than_all_buffers_between_them_hold() {
    // As much as a command line may have: one argument is at most 128 KiB long, and all are 2 MiB.
    let [left, right] = ["l", "r"].map(|side| {
        let fill = side.repeat(100_000);
        (0..15).map(|n| format!("{n} {fill}")).collect::<Vec<_>>()
    });
    for (left, right) in [(&left, &right), (&left, &vec![])] {
        let traded = trade(&refs(left), &refs(right));
        for (text, bodies) in [(traded.0, right), (traded.1, left)] {
            for body in bodies {
                let hash = Hash::sha1(body.as_bytes());
                let printed = format!("# BEGIN {hash}\n{body}\n# END {hash}\n");
                assert!(text.contains(&printed), "{hash} came");
            }
        }
    }
}

fn refs(messages: &[String]) -> Vec<&str> {
    messages.iter().map(String::as_str).collect()
}

fn trade(left: &[&str], right: &[&str]) -> (String, String) {
    let (left, right) = process::trade("stdio", left, right);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(left), text(right))
}

#[test]
fn a_content_that_is_another_is_said_and_makes_for_a_bad_status() {
    let child = spawn(
        command("stdio", &["boop"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped()),
    );
    let mut child = Running(child);
    let beep = Hash::sha1(b"beep").to_string();
    let said = [
        available(&[&beep]),
        hashes(&[(&beep, 1)]),
        data(2, Some("2"), b"boop"),
        ending(2, None, END),
        request(&["nothing"]),
        close(),
    ];
    let mut input = child.0.stdin.take().expect("it is piped");
    input.write_all(&said[0]).unwrap();
    let mut output = child.0.stdout.take().expect("it is piped");
    // An offer and a REQUEST of one hash each, of which the first has the name of its stream.
    let mut asked = [0; 52 + 49];
    output.read_exact(&mut asked).unwrap();
    input.write_all(&said[1..].concat()).unwrap();
    drop(input);
    let mut text = String::new();
    let mut errors = child.0.stderr.take().expect("it is piped");
    errors.read_to_string(&mut text).unwrap();
    assert_eq!(
        text,
        format!("stdio: {beep}: the content is not that of its hash\n")
    );
    assert_eq!(child.0.wait().unwrap().code(), Some(1));
}

#[test]
fn it_has_forty_lines() {
    let example = include_str!("../../examples/stdio.rs");
    assert!(example.lines().count() <= 40);
}
