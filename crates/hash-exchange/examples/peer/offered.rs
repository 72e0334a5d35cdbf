//! Contents on their way out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::io::AllowStdIo;
use hash_exchange::{Hash, Lazy};
use sha1::{Digest, Sha1};

use crate::PIECE;
use crate::notice::complain;

/// How a message is read by whoever asks for it: opened when its turn has come, as a peer may ask for more files than can be open at
/// once. What it reads does not wait for the peer, so it may block.
pub(crate) type Body = Lazy<Reader>;

pub(crate) type Reader = AllowStdIo<Box<dyn BufRead>>;

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
        match &self.content {
            Content::Memory(bytes) => {
                let reader = Cursor::new(Arc::clone(bytes));
                Some(Lazy::new(|| Ok(reader_of(reader))))
            }
            Content::File(path) if path.is_file() => {
                let (path, hash) = (path.clone(), self.hash.clone());
                Some(Lazy::new(move || {
                    let file =
                        OfferedFile::open(&path).inspect_err(|error| lament(&path, error))?;
                    let file = UnchangedFile { path, hash, file };
                    Ok(reader_of(file))
                }))
            }
            Content::File(path) => {
                complain(&format!("{}: the file is gone", path.display()));
                None
            }
        }
    }
}

fn reader_of(content: impl BufRead + 'static) -> Reader {
    AllowStdIo::new(Box::new(content))
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

/// A file whose end is an error if it is not what was offered, as not every peer looks.
struct UnchangedFile {
    path: PathBuf,
    hash: Hash,
    file: OfferedFile,
}

impl UnchangedFile {
    /// Reads on, unless something is left of what was read.
    fn fill(&mut self) -> io::Result<()> {
        if self.file.reader.fill_buf()?.is_empty() && self.file.hash() != self.hash {
            return Err(io::Error::other(
                "the file has changed since it was offered",
            ));
        }
        Ok(())
    }
}

impl BufRead for UnchangedFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill().inspect_err(|error| lament(&self.path, error))?;
        Ok(self.file.reader.buffer())
    }

    fn consume(&mut self, amount: usize) {
        self.file.consume(amount);
    }
}

impl Read for UnchangedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(buffer)?;
        self.consume(len);
        Ok(len)
    }
}

fn lament(path: &Path, error: &io::Error) {
    complain(&format!("{}: {error}", path.display()));
}
