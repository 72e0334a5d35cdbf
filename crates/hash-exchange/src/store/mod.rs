mod digests;
mod memory;

use futures_io::AsyncBufRead;

pub use self::memory::{MemoryBody, MemoryStore};
use crate::{Hash, Hashes, Source};

/// What most applications are: contents by hash. [`Connection::next`](crate::Connection::next) serves peers from it
/// and puts into it what they send.
///
/// Its methods are called within `next`, so they should not take long, and none can fail: a content that cannot be opened is not
/// there, and a store that could not keep one notes that down for the application, which asks for it when `next` yields
/// [`OwnedEvent::Received`](crate::OwnedEvent::Received). A directory, in tokio:
///
/// ```
/// use std::fs;
/// use std::path::PathBuf;
///
/// use hash_exchange::{Hash, Source, Store};
/// use tokio::{fs::File, io::BufReader};
/// use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
///
/// struct Directory {
///     path: PathBuf,
///     error: Option<std::io::Error>,
/// }
///
/// impl Directory {
///     /// A hash is whatever string a peer chooses: only one that reads as a SHA-1 is a name for a file.
///     fn file(&self, hash: &Hash) -> Option<PathBuf> {
///         hash.as_sha1().map(|_| self.path.join(hash.to_string()))
///     }
/// }
///
/// impl Store for Directory {
///     type Body = Compat<BufReader<File>>;
///
///     fn contains(&self, hash: &Hash) -> bool {
///         self.file(hash).is_some_and(|path| path.exists())
///     }
///
///     fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>> {
///         let file = fs::File::open(self.file(hash)?).ok()?;
///         let body = BufReader::with_capacity(64 << 10, File::from_std(file)).compat();
///         Some(Source { body, sequence: None })
///     }
///
///     fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
///         let written = self.file(hash).map(|path| fs::write(path, body));
///         self.error = written.and_then(Result::err);
///     }
/// }
/// ```
pub trait Store {
    /// How a content is read, as for an [`Application`](crate::Application).
    type Body: AsyncBufRead + Unpin;

    /// True if the content is here: then it is left out when a peer offers it.
    fn contains(&self, hash: &Hash) -> bool;

    /// What of an offer is not here, in the order of the offer. A store that finds many at once faster than one after the other
    /// has its own way.
    fn lacking(&self, offered: Hashes<'_>) -> Vec<Hash> {
        let offered = offered.iter();
        offered.filter(|hash| !self.contains(hash)).collect()
    }

    /// Opens a content for a peer; `None` if it is not here. Offered or not, a peer may ask for any hash.
    fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>>;

    /// Takes a content that came whole and verified.
    fn insert(&mut self, hash: &Hash, body: Vec<u8>);
}
