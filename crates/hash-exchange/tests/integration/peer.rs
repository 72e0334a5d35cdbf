//! The example `peer`: two of them joined by pipes, or one that hears what was recorded or made up beforehand.

mod arguments;
mod end;
#[cfg(unix)]
mod hang_up;
mod trade;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use hash_exchange::{Hash, Limits};
use serde_json::Value;

use crate::pair::{Heard, Side};
use crate::process;

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
    process::spawn(&mut command)
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

fn read(output: &mut impl Read, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    output.read_exact(&mut bytes).unwrap();
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
