//! The example of the npm package's readme, as two processes.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

#[test]
fn two_processes_trade_what_they_lack() {
    let mut left = start(&["beep", "boop", "hey yo"]);
    let mut right = start(&["hey yo", "WHATEVER", "beep"]);
    let there = copy(&mut left, &mut right);
    let back = copy(&mut right, &mut left);
    assert_eq!(
        finish(left),
        "# BEGIN fdb608cccac07c273ab532bb41eea07e2ddccf4e\nWHATEVER\n# END fdb608cccac07c273ab532bb41eea07e2ddccf4e\n"
    );
    assert_eq!(
        finish(right),
        "# BEGIN ae8d904cebfd629cdb1cc773a5bce8aca1dc1eee\nboop\n# END ae8d904cebfd629cdb1cc773a5bce8aca1dc1eee\n"
    );
    there.join().unwrap();
    back.join().unwrap();
}

#[test]
fn two_processes_that_lack_nothing_end_as_well() {
    for messages in [&["a"][..], &[]] {
        let (mut left, mut right) = (start(messages), start(messages));
        let there = copy(&mut left, &mut right);
        let back = copy(&mut right, &mut left);
        assert_eq!(
            (finish(left), finish(right)),
            (String::new(), String::new())
        );
        there.join().unwrap();
        back.join().unwrap();
    }
}

fn start(messages: &[&str]) -> Child {
    let mut command = Command::new(example());
    command
        .args(messages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("cargo test builds the examples")
}

/// Carries the output of one to the input of the other, to its end.
fn copy(from: &mut Child, to: &mut Child) -> std::thread::JoinHandle<()> {
    let (mut output, mut input) = (from.stdout.take().unwrap(), to.stdin.take().unwrap());
    std::thread::spawn(move || {
        // Whoever is done first stops reading: what the other says then is not missed.
        let _ = std::io::copy(&mut output, &mut input);
    })
}

fn finish(mut child: Child) -> String {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
    text
}

/// The tests are in `deps`, the examples beside it.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let target = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("it lies in deps");
    target
        .join("examples")
        .join("stdio")
        .with_extension(std::env::consts::EXE_EXTENSION)
}
