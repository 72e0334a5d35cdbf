//! The example `replica`: servers as processes, over TCP.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use hash_exchange::Hash;

use crate::process::{self, LONG, Running};

struct Replica {
    process: Running,
    lines: mpsc::Receiver<String>,
    address: String,
}

impl Replica {
    fn start(peers: &[&str]) -> Self {
        let arguments = [&["127.0.0.1:0"], peers].concat();
        let mut command = process::command("replica", &arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Running(process::spawn(&mut command));
        let stdout = BufReader::new(process.0.stdout.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                // Whoever waited has gone if this is too late.
                let _ = sender.send(line.unwrap());
            }
        });
        let address = lines.recv_timeout(LONG).expect("it says where it listens");
        Self {
            process,
            lines,
            address,
        }
    }

    fn add(&mut self, line: &str) {
        let stdin = self.process.0.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{line}").unwrap();
    }

    fn gets(&self, line: &str) {
        let got = self.lines.recv_timeout(LONG).expect("it comes in time");
        assert_eq!(got, format!("{} {line}", Hash::sha1(line.as_bytes())));
    }

    /// It ends in good order with its input.
    fn end(mut self) {
        drop(self.process.0.stdin.take());
        // Its output ends with it.
        assert!(self.lines.recv_timeout(LONG).is_err(), "nothing more comes");
        let status = self.process.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn replicas_get_what_was_there_and_what_is_new_and_end_one_after_the_other() {
    let mut first = Replica::start(&[]);
    first.add("beep");
    let mut second = Replica::start(&[&first.address]);
    second.gets("beep");
    second.add("boop");
    first.gets("boop");
    // What the first has learnt it passes on, at once and later.
    let third = Replica::start(&[&second.address]);
    let mut both = [
        third.lines.recv_timeout(LONG),
        third.lines.recv_timeout(LONG),
    ]
    .map(|line| line.unwrap()[41..].to_owned());
    both.sort();
    assert_eq!(both, ["beep", "boop"]);
    first.add("hey yo");
    second.gets("hey yo");
    third.gets("hey yo");
    second.end();
    first.end();
    third.end();
}
