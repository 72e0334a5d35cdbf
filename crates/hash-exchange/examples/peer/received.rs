//! Contents on their way in.

use std::fs::File;
use std::io::{self, Seek, Write};

use hash_exchange::Hash;

/// What has come of a content; nothing of it is printed before all of it is verified.
pub(crate) enum Received {
    Size(u64),
    Memory(Vec<u8>),
    /// A file without a name, which goes when we do.
    File(File),
}

impl Received {
    pub(crate) fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Size(size) => *size += chunk.len() as u64,
            Self::Memory(body) if body.len() + chunk.len() <= SMALL => {
                body.extend_from_slice(chunk);
            }
            Self::Memory(body) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(body)?;
                file.write_all(chunk)?;
                *self = Self::File(file);
            }
            Self::File(file) => file.write_all(chunk)?,
        }
        Ok(())
    }

    pub(crate) fn print(self, hash: &Hash) -> io::Result<()> {
        let (begin, end) = (format!("# BEGIN {hash}\n"), format!("\n# END {hash}\n"));
        let mut stderr = io::stderr().lock();
        match self {
            Self::Size(size) => stderr.write_all(format!("{begin}{size} {hash}{end}").as_bytes()),
            // In one piece, as two of these may share a terminal.
            Self::Memory(body) => {
                stderr.write_all(&[begin.as_bytes(), &body, end.as_bytes()].concat())
            }
            Self::File(mut file) => {
                file.rewind()?;
                stderr.write_all(begin.as_bytes())?;
                io::copy(&mut file, &mut stderr)?;
                stderr.write_all(end.as_bytes())
            }
        }
    }
}

/// Larger contents wait in a file.
const SMALL: usize = 256 << 10;
