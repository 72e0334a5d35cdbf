//! What somebody sees who waits at a terminal, and what Ctrl-C does at any time.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::command::{RING, code, hxsim, interrupt, scenario, stderr, stdout};

/// A node that is cut off redials a hundred times a second for so long.
fn redialling(horizon: &str) -> String {
    RING.replace("10s", horizon)
        + "run.stop = \"horizon\"
run.check_every = \"1h\"
network.stream = { retransmit = \"20ms\", timeout = \"50ms\" }
node = { backoff = \"10ms\", backoff_max = \"10ms\" }
[[fault]]
kind = \"partition\"
at = \"0s\"
groups = [[3]]
"
}

/// Both ends of a terminal of so many columns: that of the person, and that of the command.
fn terminal(columns: u16) -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&person).expect("it is ours");
    unlockpt(&person).expect("it is ours");
    let name = ptsname(&person, Vec::new()).expect("it has a name");
    let name = name.to_str().expect("in ASCII").to_owned();
    let command = File::options().read(true).write(true).open(name);
    let command = command.expect("the other end can be opened");
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&command, size).expect("its size can be set");
    (person.into(), command)
}

/// What stands before each line of progress and takes away the one before.
const OVER: &str = "\r\x1b[K";

#[test]
fn a_terminal_shows_one_line_that_fits_and_is_taken_away() {
    let path = scenario("terminal", &redialling("1000000h"));
    let (mut person, command) = terminal(40);
    let mut child = hxsim()
        .arg("run")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(command)
        .spawn()
        .expect("the command runs");
    let mut shown = Vec::new();
    let mut more = [0; 1024];
    while String::from_utf8_lossy(&shown).matches(OVER).count() < 3 {
        let length = person.read(&mut more).expect("it says how it gets on");
        shown.extend_from_slice(&more[..length]);
    }
    interrupt(&child);
    let mut report = String::new();
    let mut out = child.stdout.take().expect("its output is a pipe");
    out.read_to_string(&mut report).expect("it is text");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(report.starts_with("? interrupted at "), "{report}");
    // The command has let go of its end, which is no end of file but an error to some systems.
    let _ = person.read_to_end(&mut shown);
    let shown = String::from_utf8(shown).expect("it is text");
    let lines: Vec<_> = shown.split(OVER).collect();
    let [before, lines @ .., after] = &lines[..] else {
        panic!("{shown:?}");
    };
    assert_eq!((*before, *after), ("", ""), "the last one is taken away");
    for line in lines {
        assert!(line.starts_with("ring: at "), "{line}");
        assert!(line.chars().count() < 40 && !line.contains('\n'), "{line}");
    }
}

#[test]
fn a_verification_can_be_interrupted() {
    let path = scenario("verifying", &redialling("2h"));
    let mut child = hxsim()
        .arg("run")
        .arg(&path)
        .arg("--verify")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    // The report of the run itself comes first.
    let mut first = [0; 1];
    let out = child.stdout.as_mut().expect("its output is a pipe");
    out.read_exact(&mut first).expect("it reports");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(code(&output), Some(130), "{}", stdout(&output));
    assert!(
        stderr(&output).starts_with("interrupted: not verified; up to "),
        "{}",
        stderr(&output)
    );
}
