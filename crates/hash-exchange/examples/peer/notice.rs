//! Lines on standard error.

use std::io::{self, Write};

/// Prints a line in one piece.
pub(crate) fn notice(line: &str) -> io::Result<()> {
    let written = io::stderr().write_all(format!("{line}\n").as_bytes());
    written.map_err(|error| at("standard error", &error))
}

/// As a notice, where nothing can be done if nobody hears it.
pub(crate) fn complain(what: &str) {
    let _ = notice(&format!("peer: {what}"));
}

/// What a peer says must not look like a line of ours.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// An error that says where it happened.
pub(crate) fn at(place: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}
