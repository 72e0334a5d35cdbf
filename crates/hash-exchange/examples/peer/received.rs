//! Contents on their way in.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use hash_exchange::Hash;

/// What has come of a content; nothing of it is printed before all of it is verified.
pub(crate) enum Received {
    Size(u64),
    Memory(Vec<u8>),
    /// Where its pieces lie in the spool.
    Spooled(Vec<Piece>),
}

/// Where the pieces of large contents wait: one file for all of them, as descriptors are few, without a name, so that it goes when we do.
#[derive(Default)]
pub(crate) struct Spool {
    file: Option<File>,
    end: u64,
    /// Contents that lie in it. When none does it begins anew.
    contents: usize,
}

pub(crate) struct Piece {
    at: u64,
    len: u64,
}

impl Spool {
    fn put(&mut self, pieces: &mut Vec<Piece>, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(bytes)?;
        let (at, len) = (self.end, bytes.len() as u64);
        self.end += len;
        match pieces.last_mut() {
            Some(last) if last.at + last.len == at => last.len += len,
            _ => pieces.push(Piece { at, len }),
        }
        Ok(())
    }

    fn copy(&mut self, pieces: &[Piece], to: &mut impl Write) -> io::Result<()> {
        let file = self.file.as_mut().expect("something lies in it");
        for piece in pieces {
            file.seek(SeekFrom::Start(piece.at))?;
            io::copy(&mut file.take(piece.len), to)?;
        }
        Ok(())
    }

    /// One of the contents is not needed any more.
    fn forget(&mut self) {
        self.contents -= 1;
        if self.contents == 0 {
            self.end = 0;
        }
    }
}

impl Received {
    /// Bytes that have come.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Size(size) => *size,
            Self::Memory(body) => body.len() as u64,
            Self::Spooled(pieces) => pieces.iter().map(|piece| piece.len).sum(),
        }
    }

    pub(crate) fn append(&mut self, chunk: &[u8], spool: &mut Spool) -> io::Result<()> {
        match self {
            Self::Size(size) => *size += chunk.len() as u64,
            Self::Memory(body) if body.len() + chunk.len() <= SMALL => {
                body.extend_from_slice(chunk);
            }
            Self::Memory(body) => {
                let mut pieces = Vec::new();
                spool.contents += 1;
                spool.put(&mut pieces, body)?;
                spool.put(&mut pieces, chunk)?;
                *self = Self::Spooled(pieces);
            }
            Self::Spooled(pieces) => spool.put(pieces, chunk)?,
        }
        Ok(())
    }

    pub(crate) fn print(self, hash: &Hash, spool: &mut Spool) -> io::Result<()> {
        let (begin, end) = (format!("# BEGIN {hash}\n"), format!("\n# END {hash}\n"));
        let mut stderr = io::stderr().lock();
        match &self {
            Self::Size(size) => {
                stderr.write_all(format!("{begin}{size} {hash}{end}").as_bytes())?;
            }
            // In one piece, as two of these may share a terminal.
            Self::Memory(body) => {
                stderr.write_all(&[begin.as_bytes(), body, end.as_bytes()].concat())?;
            }
            Self::Spooled(pieces) => {
                stderr.write_all(begin.as_bytes())?;
                spool.copy(pieces, &mut stderr)?;
                stderr.write_all(end.as_bytes())?;
            }
        }
        self.forget(spool);
        Ok(())
    }

    /// It is not needed any more.
    pub(crate) fn forget(self, spool: &mut Spool) {
        if let Self::Spooled(_) = self {
            spool.forget();
        }
    }
}

/// Larger contents wait in a file.
const SMALL: usize = 256 << 10;
