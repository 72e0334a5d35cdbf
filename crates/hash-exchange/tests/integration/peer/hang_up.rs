//! Peers that read no more while little is to be written. They read from a socket, on which one can hang up for sure: a pipe stays
//! open for as long as a process that is just being started has a copy of it.

use std::io::{BufRead, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ChildStderr;

use super::*;

#[test]
fn a_peer_that_reads_no_more_is_an_error_of_the_output() {
    let (mut child, mut output) = start(&["a"]);
    let mut stdin = child.stdin.take().unwrap();
    read(&mut output, OFFER_LEN);
    output.shutdown(Shutdown::Read).unwrap();
    // It has to answer; its input goes on.
    stdin.write_all(PREAMBLE).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert!(text.starts_with("peer: standard output: "), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_peer_that_reads_no_more_once_it_has_closed_is_none() {
    // In one piece, or in two: our CLOSE fails before its CLOSE is read.
    for pieces in [
        &[&[NOTHING_FOUND, CLOSE].concat()[..]][..],
        &[NOTHING_FOUND, CLOSE],
    ] {
        let mut closing = Closing::start();
        closing.hang_up();
        pieces.iter().for_each(|piece| closing.say(piece));
        assert_eq!(closing.end(), (CLOSED.into(), Some(0)));
    }
}

#[test]
fn a_request_that_crosses_our_close_is_no_trouble_if_the_peer_is_gone_when_it_is_refused() {
    let mut closing = Closing::start();
    closing.say(NOTHING_FOUND);
    assert_eq!(read(&mut closing.output, CLOSE.len()), CLOSE);
    closing.hang_up();
    for _ in 0..10 {
        closing.say(ASK_NOTHING);
    }
    closing.say(CLOSE);
    assert_eq!(closing.end(), (CLOSED.into(), Some(0)));
}

#[test]
fn a_peer_that_reads_no_more_and_never_closes_is_an_error_of_the_output() {
    let mut closing = Closing::start();
    closing.hang_up();
    closing.say(NOTHING_FOUND);
    let (text, status) = closing.end();
    assert!(text.starts_with("peer: standard output: "), "{text}");
    assert_eq!(status, Some(1));
}

/// A peer that has offered nothing, asked for nothing and found nothing. It closes when it hears NOTHING_FOUND.
struct Closing {
    child: Child,
    output: UnixStream,
    printed: BufReader<ChildStderr>,
    said: u8,
}

impl Closing {
    fn start() -> Self {
        let (mut child, output) = start(&["--close"]);
        let printed = BufReader::new(child.stderr.take().unwrap());
        let mut closing = Self {
            child,
            output,
            printed,
            said: 0,
        };
        closing.say(&[PREAMBLE, ASK_NOTHING].concat());
        read(
            &mut closing.output,
            PREAMBLE.len() + ASK_NOTHING.len() + NOTHING_FOUND.len(),
        );
        closing
    }

    fn hang_up(&self) {
        self.output.shutdown(Shutdown::Read).unwrap();
    }

    /// Says something, and waits until it is heard.
    fn say(&mut self, bytes: &[u8]) {
        let since = [8, 8, 2, 0x22, 4, 0, 3, 0x18, 1 + self.said];
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(&[bytes, &since].concat()).unwrap();
        let mut line = String::new();
        self.printed.read_line(&mut line).unwrap();
        assert_eq!(line, format!("# SINCE {}\n", self.said));
        self.said += 1;
    }

    /// Says nothing more. What else it prints, and its status.
    fn end(mut self) -> (String, Option<i32>) {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.printed.read_to_string(&mut text).unwrap();
        (text, self.child.wait().unwrap().code())
    }
}

/// Starts a peer, and gives the other end of its standard output.
fn start(arguments: &[&str]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = process::command("peer", arguments);
    command.stdin(Stdio::piped()).stdout(OwnedFd::from(theirs));
    (process::spawn(&mut command), ours)
}
