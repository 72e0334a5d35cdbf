use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead};

use super::Store;
use super::digests::Digests;
use crate::{Hash, Hashes, Source};

/// Contents in memory, in the order of their hashes. Their sequence numbers are counted by each connection.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    digests: Digests<Arc<[u8]>>,
    /// What is named by anything else.
    named: BTreeMap<Hash, Arc<[u8]>>,
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
        self.digests.insert(hash.clone(), body);
        hash
    }

    /// A content, if it is here.
    pub fn read(&self, hash: &Hash) -> Option<&Arc<[u8]>> {
        match hash.as_sha1() {
            Some(_) => self.digests.get(hash),
            None => self.named.get(hash),
        }
    }

    /// All hashes, in order.
    pub fn hashes(&self) -> impl Iterator<Item = &Hash> {
        self.digests.keys().chain(self.named.keys())
    }
}

/// Contents under their SHA-1s.
impl<B: Into<Arc<[u8]>>> FromIterator<B> for MemoryStore {
    fn from_iter<I: IntoIterator<Item = B>>(bodies: I) -> Self {
        let mut store = Self::new();
        for body in bodies {
            store.add(body);
        }
        store
    }
}

impl Store for MemoryStore {
    type Body = MemoryBody;

    fn contains(&self, hash: &Hash) -> bool {
        match hash.as_sha1() {
            Some(_) => self.digests.contains(hash),
            None => self.named.contains_key(hash),
        }
    }

    /// Some hashes at a time, as to wait for memory is nearly all that it costs to look for one of many.
    fn lacking(&self, offered: Hashes<'_>) -> Vec<Hash> {
        let mut offered = offered.iter();
        let mut lacking = Vec::new();
        let mut some = Vec::with_capacity(AT_ONCE);
        loop {
            some.extend(offered.by_ref().take(AT_ONCE));
            if some.is_empty() {
                return lacking;
            }
            let digests = some.iter().filter(|hash| hash.as_sha1().is_some());
            digests.for_each(|hash| self.digests.touch(hash));
            lacking.extend(some.drain(..).filter(|hash| !self.contains(hash)));
        }
    }

    fn open(&mut self, hash: &Hash) -> Option<Source<MemoryBody>> {
        let body = self.read(hash)?;
        Some(Source {
            body: MemoryBody::new(Arc::clone(body)),
            sequence: None,
        })
    }

    fn insert(&mut self, hash: &Hash, body: Vec<u8>) {
        match hash.as_sha1() {
            Some(_) => self.digests.insert(hash.clone(), body.into()),
            None => {
                self.named.insert(hash.clone(), body.into());
            }
        }
    }
}

/// Hashes of an offer that are looked for at the same time.
const AT_ONCE: usize = 64;

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
