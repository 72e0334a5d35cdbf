//! Contents on their way out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::io::AllowStdIo;
use hash_exchange::Hash;
use sha1::{Digest, Sha1};

use crate::PIECE;
use crate::notice::complain;

/// How a message is read by whoever asks for it. What it reads does not wait for the peer, so it may block.
pub(crate) type Body = AllowStdIo<Box<dyn BufRead>>;

/// What we offer.
pub(crate) struct Message {
    pub(crate) hash: Hash,
    content: Content,
}

enum Content {
    Memory(Arc<[u8]>),
    File(PathBuf),
}

impl Message {
    pub(crate) fn memory(body: Vec<u8>) -> Self {
        Self {
            hash: Hash::sha1(&body),
            content: Content::Memory(body.into()),
        }
    }

    /// What is in a file now.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        if !path.metadata()?.is_file() {
            // It is read once for its hash, and then once for each who asks.
            return Err(io::Error::other(
                "it takes a regular file, which can be read more than once",
            ));
        }
        let mut file = OfferedFile::open(path)?;
        while !file.reader.fill_buf()?.is_empty() {
            file.consume(file.reader.buffer().len());
        }
        Ok(Self {
            hash: file.hash(),
            content: Content::File(path.to_owned()),
        })
    }

    /// `None`: it is there no more.
    pub(crate) fn open(&self) -> Option<Body> {
        Some(AllowStdIo::new(match &self.content {
            Content::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
            Content::File(path) if path.is_file() => Box::new(LateFile {
                path: path.clone(),
                hash: self.hash.clone(),
                file: None,
            }),
            Content::File(path) => {
                complain(&format!("{}: the file is gone", path.display()));
                return None;
            }
        }))
    }
}

/// A file, and the hash of what was read of it.
struct OfferedFile {
    reader: BufReader<File>,
    hasher: Sha1,
}

impl OfferedFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::with_capacity(PIECE, File::open(path)?),
            hasher: Sha1::new(),
        })
    }

    fn consume(&mut self, amount: usize) {
        self.hasher.update(&self.reader.buffer()[..amount]);
        self.reader.consume(amount);
    }

    fn hash(&self) -> Hash {
        Hash::from_sha1(self.hasher.clone().finalize().into())
    }
}

/// A file that is opened when its turn has come: a peer may ask for more of them than can be open at once. Its end is an
/// error if it is not what was offered, as not every peer looks.
struct LateFile {
    path: PathBuf,
    hash: Hash,
    file: Option<OfferedFile>,
}

impl LateFile {
    /// Reads on, unless something is left of what was read.
    fn fill(&mut self) -> io::Result<&[u8]> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(OfferedFile::open(&self.path)?),
        };
        if file.reader.fill_buf()?.is_empty() && file.hash() != self.hash {
            return Err(io::Error::other(
                "the file has changed since it was offered",
            ));
        }
        Ok(file.reader.buffer())
    }
}

impl BufRead for LateFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let path = self.path.display().to_string();
        self.fill()
            .inspect_err(|error| complain(&format!("{path}: {error}")))
    }

    fn consume(&mut self, amount: usize) {
        if let Some(file) = &mut self.file {
            file.consume(amount);
        }
    }
}

impl Read for LateFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(buffer)?;
        self.consume(len);
        Ok(len)
    }
}
