//! The command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use hash_exchange::Hash;

use crate::offered::Message;

/// What the command line asks for.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) messages: Vec<Message>,
    /// Where each message stands among them.
    pub(crate) positions: BTreeMap<Hash, usize>,
    pub(crate) digest: bool,
    pub(crate) id: Option<String>,
    pub(crate) since: Option<Option<u64>>,
    pub(crate) wait_since: bool,
    pub(crate) seq: bool,
    pub(crate) seen: bool,
    pub(crate) requests: Vec<Hash>,
    /// Longer contents are given up.
    pub(crate) limit: Option<u64>,
    pub(crate) close: bool,
}

impl Setup {
    /// `None`: help is wanted.
    pub(crate) fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, String> {
        use lexopt::Arg::{Long, Short, Value};

        let mut setup = Self::default();
        while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
            let mut flag = match argument {
                Value(message) => {
                    setup.add(Message::memory(message.into_encoded_bytes()));
                    continue;
                }
                Short(flag) => format!("-{flag}"),
                Long(flag) => format!("--{flag}"),
            };
            let mut value = |what: &str| {
                let value = arguments.value();
                value.map_err(|_| format!("{flag} lacks its value: {flag} {what}"))
            };
            match flag.as_str() {
                "--help" => return Ok(None),
                "--file" => setup.add_file(Path::new(&value("PATH")?))?,
                "--lines" => setup.add_lines(Path::new(&value("PATH")?))?,
                "--id" => once("--id", &mut setup.id, text("--id", value("ID")?)?)?,
                "--since" => once("--since", &mut setup.since, position(&value("N")?)?)?,
                "--limit" => once("--limit", &mut setup.limit, size(&value("BYTES")?)?)?,
                "--request" => {
                    let hash = Hash::from(text("--request", value("HASH")?)?);
                    if !setup.requests.contains(&hash) {
                        setup.requests.push(hash);
                    }
                }
                "--digest" => setup.digest = true,
                "--wait-since" => setup.wait_since = true,
                "--seq" => setup.seq = true,
                "--seen" => setup.seen = true,
                "--close" => setup.close = true,
                _ => {
                    flag.push_str(" is no flag; a message that begins with - goes behind --");
                    return Err(flag);
                }
            }
        }
        Ok(Some(setup))
    }

    fn add(&mut self, message: Message) {
        if !self.positions.contains_key(&message.hash) {
            let position = self.messages.len();
            self.positions.insert(message.hash.clone(), position);
            self.messages.push(message);
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let message = Message::file(path);
        self.add(message.map_err(|error| format!("--file {}: {error}", path.display()))?);
        Ok(())
    }

    fn add_lines(&mut self, path: &Path) -> Result<(), String> {
        let at = |error| format!("--lines {}: {error}", path.display());
        for line in BufReader::new(File::open(path).map_err(at)?).split(b'\n') {
            let line = line.map_err(at)?;
            if !line.is_empty() {
                self.add(Message::memory(line));
            }
        }
        Ok(())
    }
}

/// A flag that says one thing.
fn once<T>(flag: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{flag} is given twice, and says one thing")),
    }
}

fn text(flag: &str, value: OsString) -> Result<String, String> {
    let text = value.into_string();
    text.map_err(|value| format!("{flag} takes UTF-8, not {}", value.display()))
}

fn position(value: &OsString) -> Result<Option<u64>, String> {
    match digits(value).filter(|&number| number <= MAX_SEQUENCE) {
        Some(number) => Ok(Some(number)),
        None if value == "-1" => Ok(None),
        None => Err(format!(
            "--since takes a number from -1 to {MAX_SEQUENCE}, not {}",
            value.display()
        )),
    }
}

fn size(value: &OsString) -> Result<u64, String> {
    let number = digits(value);
    number.ok_or_else(|| format!("--limit takes a number of bytes, not {}", value.display()))
}

/// A number of digits and nothing else.
fn digits(value: &OsString) -> Option<u64> {
    let text = value.to_str()?;
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// The greatest sequence number that a JavaScript peer can tell from its neighbours.
const MAX_SEQUENCE: u64 = (1 << 53) - 2;
