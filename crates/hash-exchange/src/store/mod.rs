mod digests;
mod memory;

use futures_io::AsyncBufRead;

pub use self::memory::{MemoryBody, MemoryStore};
use crate::{Hash, Hashes, Source};

/// What most applications are: contents by hash. [`Connection::next`](crate::Connection::next) serves peers from it
/// and puts into it what they send.
///
/// Its methods are called within `next`, so they should not take long, and none can fail. A content that cannot be opened, though it is
/// here, is a [`Source`] that fails when it is read, as a [`Lazy`](crate::Lazy) does: the peer may ask for it again, whereas it takes
/// `None` for the truth. A store that could not keep a content notes that down for the application, which asks for it when `next` yields
/// [`OwnedEvent::Received`](crate::OwnedEvent::Received). A directory, in tokio:
///
/// ```
/// use std::path::PathBuf;
/// use std::{fs, io};
///
/// use hash_exchange::{Hash, Lazy, Source, Store};
/// use tokio::{fs::File, io::BufReader};
/// use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
///
/// struct Directory {
///     path: PathBuf,
///     /// The first content that could not be kept says why.
///     error: Option<io::Error>,
/// }
///
/// impl Directory {
///     /// A hash is whatever string a peer chooses: only one that reads as a SHA-1 is a name for a file.
///     fn file(&self, hash: &Hash) -> Option<PathBuf> {
///         hash.as_sha1().map(|_| self.path.join(hash.to_string()))
///     }
///
///     /// What is here, to be provided.
///     fn hashes(&self) -> io::Result<Vec<Hash>> {
///         let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name()));
///         let names = names.collect::<io::Result<Vec<_>>>()?;
///         let hashes = names.iter().filter_map(|name| name.to_str()).map(Hash::from);
///         Ok(hashes.filter(|hash| hash.as_sha1().is_some()).collect())
///     }
///
///     /// Under its hash there is all of a content, or nothing.
///     fn write(&self, hash: &Hash, body: &[u8]) -> io::Result<()> {
///         let file = self.file(hash);
///         let file = file.ok_or_else(|| io::Error::other(format!("{hash} names no file")))?;
///         let part = file.with_extension("part");
///         fs::write(&part, body)?;
///         fs::rename(&part, &file)
///     }
/// }
///
/// impl Store for Directory {
///     type Body = Lazy<Compat<BufReader<File>>>;
///
///     fn contains(&self, hash: &Hash) -> bool {
///         self.file(hash).is_some_and(|file| file.exists())
///     }
///
///     fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>> {
///         let file = self.file(hash).filter(|file| file.exists())?;
///         let open = move || {
///             let file = File::from_std(fs::File::open(file)?);
///             Ok(BufReader::with_capacity(64 << 10, file).compat())
///         };
///         Some(Source { body: Lazy::new(open), sequence: None })
///     }
///
///     fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
///         if let Err(error) = self.write(hash, &body) {
///             self.error.get_or_insert(error);
///         }
///     }
/// }
/// # let directory = tempfile::tempdir()?;
/// # let mut store = Directory { path: directory.path().to_owned(), error: None };
/// # let hash = Hash::sha1(b"beep");
/// # assert!(!store.contains(&hash) && store.open(&hash).is_none());
/// # store.insert(&hash, b"beep".to_vec());
/// # assert!(store.contains(&hash) && store.error.is_none());
/// # assert_eq!(store.hashes()?, [hash.clone()]);
/// # let mut source = store.open(&hash).expect("it is here");
/// # let mut body = Vec::new();
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(futures::io::AsyncReadExt::read_to_end(&mut source.body, &mut body))?;
/// # assert_eq!(body, b"beep");
/// # store.insert(&Hash::new("../beep"), b"beep".to_vec());
/// # store.insert(&Hash::new("/beep"), b"beep".to_vec());
/// # assert_eq!(store.error.expect("it is none").to_string(), "../beep names no file");
/// # Ok::<(), io::Error>(())
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

    /// Opens a content for a peer; `None` if it is not here. Offered or not, a peer may ask for any hash, and one REQUEST opens up to
    /// [`Limits::served`](crate::Limits::served) contents at once: what is scarce, as open files are, is best left to a
    /// [`Lazy`](crate::Lazy).
    fn open(&mut self, hash: &Hash) -> Option<Source<Self::Body>>;

    /// Takes a content that came whole and verified.
    fn insert(&mut self, hash: &Hash, body: Vec<u8>);
}
