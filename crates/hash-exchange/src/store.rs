use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead};

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

/// Contents in memory, in the order of their hashes. Their sequence numbers are counted by each connection.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    bodies: BTreeMap<Hash, Arc<[u8]>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a content under its SHA-1, which is returned.
    pub fn add(&mut self, body: impl Into<Arc<[u8]>>) -> Hash {
        let body = body.into();
        let hash = Hash::sha1(&body);
        self.bodies.insert(hash.clone(), body);
        hash
    }

    /// A content, if it is here.
    pub fn read(&self, hash: &Hash) -> Option<&Arc<[u8]>> {
        self.bodies.get(hash)
    }

    /// All hashes, in order.
    pub fn hashes(&self) -> impl Iterator<Item = &Hash> {
        self.bodies.keys()
    }
}

impl Store for MemoryStore {
    type Body = MemoryBody;

    fn contains(&self, hash: &Hash) -> bool {
        self.bodies.contains_key(hash)
    }

    /// The offer is walked through in the order of the store, for to look for each of many hashes by itself waits for memory at
    /// every level of the tree. One that seems to be in that order is not sorted, which would cost as much again.
    fn lacking(&self, offered: Hashes<'_>) -> Vec<Hash> {
        let mut walk = Walk::new(&self.bodies);
        if offered.iter().take(SAMPLE).is_sorted() {
            return offered.iter().filter(|hash| !walk.finds(hash)).collect();
        }
        let mut numbered: Vec<_> = offered.iter().zip(0_usize..).collect();
        numbered.sort_unstable();
        numbered.retain(|(hash, _)| !walk.finds(hash));
        numbered.sort_unstable_by_key(|&(_, number)| number);
        numbered.into_iter().map(|(hash, _)| hash).collect()
    }

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        let body = self.bodies.get(hash)?;
        Some(Source {
            body: MemoryBody::new(Arc::clone(body)),
            sequence: None,
        })
    }

    fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
        self.bodies.insert(hash.clone(), body.into());
    }
}

/// Finds one hash after the other in a tree: fast if they ascend and lie close together.
struct Walk<'s> {
    bodies: &'s BTreeMap<Hash, Arc<[u8]>>,
    /// The lowest hash that is not below the last one looked for, and what is above it.
    at: Option<&'s Hash>,
    above: Range<'s, Hash, Arc<[u8]>>,
}

impl<'s> Walk<'s> {
    fn new(bodies: &'s BTreeMap<Hash, Arc<[u8]>>) -> Self {
        let mut above = bodies.range::<Hash, _>(..);
        let at = above.next().map(|(hash, _)| hash);
        Self { bodies, at, above }
    }

    fn finds(&mut self, hash: &Hash) -> bool {
        let mut steps = 0;
        while let Some(at) = self.at {
            match at.cmp(hash) {
                Ordering::Equal => return true,
                Ordering::Less if steps < STEPS => {
                    steps += 1;
                    self.at = self.above.next().map(|(hash, _)| hash);
                }
                // It may lie far ahead, or behind.
                Ordering::Less | Ordering::Greater => break,
            }
        }
        if steps > 0 && steps < STEPS {
            return false;
        }
        self.above = self.bodies.range(hash..);
        self.at = self.above.next().map(|(hash, _)| hash);
        self.at == Some(hash)
    }
}

/// Steps to the next hash, after which it is looked for from the root of the tree.
const STEPS: usize = 8;

/// So many hashes tell whether an offer is in order.
const SAMPLE: usize = 16;

/// Reads a shared content from memory, without copying it first: `Arc<[u8]>`, `Rc<[u8]>` or whatever else holds bytes.
#[derive(Clone, Debug)]
pub struct MemoryBody<T = Arc<[u8]>> {
    bytes: T,
    position: usize,
}

impl<T: AsRef<[u8]>> MemoryBody<T> {
    /// Reads these bytes from their start.
    pub const fn new(bytes: T) -> Self {
        Self { bytes, position: 0 }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes.as_ref()[self.position..]
    }
}

impl<T: AsRef<[u8]> + Unpin> AsyncRead for MemoryBody<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = io::Read::read(&mut self.rest(), buf)?;
        self.position += read;
        Poll::Ready(Ok(read))
    }
}

impl<T: AsRef<[u8]> + Unpin> AsyncBufRead for MemoryBody<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(self.get_mut().rest()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.position = self.bytes.as_ref().len().min(self.position + amount);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::{Event, Session};

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn what_is_lacking_is_what_would_be_found_lacking_one_by_one(
            held in vec(0_u16..300, 0..300),
            offered in vec(0_u16..300, 0..100),
            sorted in any::<bool>(),
        ) {
            let hash = |n: &u16| match n % 10 {
                0 => Hash::new(&format!("name {n}")),
                _ => Hash::sha1(&n.to_be_bytes()),
            };
            let mut store = MemoryStore::new();
            held.iter().for_each(|n| store.insert(&hash(n), Vec::new()));
            let mut offered: Vec<_> = offered.iter().map(hash).collect();
            if sorted {
                offered.sort();
            }
            let one_by_one = offered.iter().filter(|hash| !store.contains(hash));
            let one_by_one: Vec<_> = one_by_one.cloned().collect();
            let mut message = Vec::new();
            Session::default().provide(&offered, &mut message).expect("it is open");
            let (mut session, mut message) = (Session::default(), &message[..]);
            let Ok(Some(Event::Available(hashes))) = session.receive(&mut message) else {
                panic!("it is an offer");
            };
            prop_assert_eq!(store.lacking(hashes), one_by_one);
        }
    }
}
