use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hash_exchange::Hash;
use serde_json::Value;

/// All three have to be done within this time.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn three_processes_in_a_line_end_with_the_files_of_all() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("three-processes");
    // It may be left of a run before.
    let _ = fs::remove_dir_all(&home);
    let files = [
        ("a", "beep", b"beep".to_vec()),
        ("a", "large", vec![7; 3 << 20]),
        ("a", "empty", Vec::new()),
        ("b", "boop", b"boop".to_vec()),
        ("b", "also beep", b"beep".to_vec()),
        ("c", "hey yo", b"hey yo".to_vec()),
        ("c", "zeros", vec![0; 100_000]),
    ];
    let mut union = BTreeMap::new();
    for (dir, name, body) in files {
        let dir = home.join(dir);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), &body).unwrap();
        union.insert(Hash::sha1(&body), body);
    }

    let until = union.len().to_string();
    let mut before = None;
    let nodes = ["a", "b", "c"].map(|name| {
        let node = Running::start(&home.join(name), before.as_deref(), &until);
        before = Some(node.address.clone());
        node
    });
    let (done, ends) = mpsc::channel();
    let mut guards = Vec::new();
    for Running {
        child, mut output, ..
    } in nodes
    {
        guards.push(child);
        let done = done.clone();
        thread::spawn(move || {
            let mut lines = String::new();
            output.read_to_string(&mut lines).unwrap();
            // Whoever waited has gone if this is too late.
            let _ = done.send(lines);
        });
    }
    for _ in &guards {
        let lines = ends.recv_timeout(LONG).expect("every node ends in time");
        let hashes = lines.lines().map(|line| line.split(' ').next().unwrap());
        let known = hashes.filter(|hash| union.contains_key(&Hash::new(hash)));
        assert!(
            known.count() >= union.len(),
            "a line for each body: {lines}"
        );
    }
    for Guard(child) in &mut guards {
        assert!(child.wait().unwrap().success());
    }
    for name in ["a", "b", "c"] {
        assert_eq!(held(&home.join(name)), union, "at {name}");
    }
}

#[test]
fn a_node_that_is_led_begins_and_ends_as_told_and_reports_what_it_did() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("led");
    // It may be left of a run before.
    let _ = fs::remove_dir_all(&home);
    let (giver, taker) = (home.join("giver"), home.join("taker"));
    for dir in [&giver, &taker] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(giver.join("beep"), "beep").unwrap();
    let report = home.join("report.json");
    let giving = Running::start(&giver, None, "1");
    let mut command = Command::new(example());
    command.args(["--listen", "127.0.0.1:0", "--peer", &giving.address]);
    command.args(["--stdin", "--report"]).arg(&report);
    command.arg("--dir").arg(&taker);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut taking = Guard(command.spawn().unwrap());
    let mut input = taking.0.stdin.take().unwrap();
    let output = BufReader::new(taking.0.stdout.take().unwrap());
    let (say, said) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines() {
            let _ = say.send(line.unwrap());
        }
    });

    said.recv_timeout(LONG).expect("it listens");
    let before = said.recv_timeout(Duration::from_millis(200));
    assert!(before.is_err(), "it has not begun: {before:?}");
    input.write_all(b"begin\n").unwrap();
    let hash = Hash::sha1(b"beep");
    let came = said.recv_timeout(LONG).expect("it has begun");
    assert_eq!(came, format!("{hash} from {}", giving.address));
    drop(input);
    assert!(taking.0.wait().unwrap().success());

    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let [body] = &report["bodies"].as_array().unwrap()[..] else {
        panic!("one body came: {report}");
    };
    assert_eq!(body["hash"], hash.to_string());
    assert_eq!(body["from"], giving.address);
    assert_eq!(body["receipts"], 1);
    let frames = report["frames"].as_array().unwrap();
    let requests = frames.iter().find(|count| count["kind"] == "request");
    assert_eq!(requests.unwrap()["frames"], 1);
    let both = ["content", "framing"];
    let fields = frames
        .iter()
        .flat_map(|count| both.map(|field| &count[field]));
    let bytes: u64 = fields.map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(report["sent_bytes"], bytes);
}

#[test]
fn a_node_with_a_log_holds_in_its_next_life_what_came() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logged");
    // It may be left of a run before.
    let _ = fs::remove_dir_all(&home);
    let (giver, taker, log) = (home.join("giver"), home.join("taker"), home.join("log"));
    for dir in [&giver, &taker] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(giver.join("large"), vec![7; 300_000]).unwrap();
    fs::write(giver.join("beep"), "beep").unwrap();
    let giving = Running::start(&giver, None, "9");
    let log_option = ["--log", log.to_str().unwrap()];
    // It ends by itself once it holds both, and all is durable by then.
    let taking = Running::start_with(&taker, Some(&giving.address), "2", &log_option);
    let (mut child, mut output) = (taking.child, taking.output);
    let mut lines = String::new();
    output.read_to_string(&mut lines).unwrap();
    assert!(child.0.wait().unwrap().success(), "{lines}");
    drop(giving);
    assert!(!taker.join(".received").exists());

    // What a loss of power may leave behind what was synced.
    let path = log.join("log");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&bytes.clone()[..30]);
    fs::write(&path, &bytes).unwrap();
    let again = Running::start_with(&taker, None, "2", &log_option);
    let (mut child, mut output) = (again.child, again.output);
    let mut held = [String::new(), String::new()];
    for line in &mut held {
        output.read_line(line).unwrap();
    }
    held.sort();
    let bodies = [&b"beep"[..], &[7; 300_000]];
    let mut expected = bodies.map(|body| format!("{} is in the log\n", Hash::sha1(body)));
    expected.sort();
    assert_eq!(held, expected);

    let mut second = Command::new(example());
    second
        .args(["--listen", "127.0.0.1:0", "--dir"])
        .arg(&taker);
    let Output { status, stderr, .. } = second.args(log_option).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(
        !status.success() && stderr.contains("log: cannot open"),
        "{stderr}"
    );
    child.0.kill().unwrap();
}

#[test]
fn a_directory_that_is_not_there_is_no_new_one() {
    let mistyped = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistyped");
    let mut node = Command::new(example());
    node.args(["--listen", "127.0.0.1:0", "--dir"])
        .arg(&mistyped);
    let Output { status, stderr, .. } = node.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && stderr.contains("--dir takes a directory that is there"));
    assert!(!mistyped.exists());
}

#[test]
fn a_wrong_option_is_named_with_what_would_be_right() {
    for (args, says) in [
        (&["--dir", "."][..], "--listen ADDR is missing"),
        (
            &["--listen", "here"],
            "--listen here: not an address, such as 127.0.0.1:4000",
        ),
        (
            &["--listen", "127.0.0.1:0", "--until", "x"],
            "--until x: not a number",
        ),
        (&["--hear"], "--hear is no option"),
        (&["--peer"], "--peer lacks its value"),
    ] {
        let Output { status, stderr, .. } = Command::new(example()).args(args).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2));
        assert!(
            stderr.contains(says) && stderr.contains("usage: node"),
            "{stderr}"
        );
    }
}

#[test]
fn it_says_what_its_options_are() {
    let output = Command::new(example()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    for option in [
        "--listen", "--peer", "--dir", "--log", "--until", "--help", "Ctrl-C",
    ] {
        assert!(help.contains(option), "{option} is not in {help}");
    }
}

/// A process that does not outlive the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Running {
    child: Guard,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Running {
    fn start(dir: &Path, peer: Option<&str>, until: &str) -> Self {
        Self::start_with(dir, peer, until, &[])
    }

    fn start_with(dir: &Path, peer: Option<&str>, until: &str, options: &[&str]) -> Self {
        let mut command = Command::new(example());
        command.args(options);
        command.args(["--listen", "127.0.0.1:0", "--until", until]);
        command.arg("--dir").arg(dir).stdout(Stdio::piped());
        command.args(peer.map(|_| "--peer")).args(peer);
        let mut child = Guard(command.spawn().expect("cargo test builds the examples"));
        let mut output = BufReader::new(child.0.stdout.take().unwrap());
        let mut address = String::new();
        output.read_line(&mut address).unwrap();
        let address = address.trim_end().to_owned();
        Self {
            child,
            output,
            address,
        }
    }
}

/// All bodies in a node's directory, of which those that came are named as they should be.
fn held(dir: &Path) -> BTreeMap<Hash, Vec<u8>> {
    let mut held = BTreeMap::new();
    for (dir, came) in [(dir.to_owned(), false), (dir.join(".received"), true)] {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let body = fs::read(&path).unwrap();
                let hash = Hash::sha1(&body);
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(!came || hash.to_string() == name, "{name} holds {hash}");
                held.insert(hash, body);
            }
        }
    }
    held
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
        .join("node")
        .with_extension(std::env::consts::EXE_EXTENSION)
}
