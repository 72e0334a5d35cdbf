use std::collections::BTreeMap;

use hash_exchange::{Hash, ResponseId};

use crate::strategy::PeerIndex;

/// The bodies that are coming in, on all connections of a node. There is nothing while none does.
#[derive(Default)]
pub(crate) struct Downloads(Option<Box<Incoming>>);

#[derive(Default)]
struct Incoming {
    /// One of them: most of the time there is no other.
    first: Option<(Key, Download)>,
    others: BTreeMap<Key, Download>,
    /// The bytes that all of them hold.
    bytes: usize,
}

type Key = (PeerIndex, ResponseId);

/// A body of which a part is here.
pub(crate) struct Download {
    pub(crate) hash: Hash,
    pub(crate) body: Vec<u8>,
}

/// How much the bodies may grow that a peer sends.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// One of them.
    pub(crate) body: usize,
    /// All that the peer has not ended.
    pub(crate) unfinished: usize,
}

/// There is no room for what came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TooLarge {
    /// The body alone is larger than a body may be.
    Body,
    /// It may fit once others of this peer have ended.
    ForNow,
}

impl Downloads {
    /// A body begins to come in, into this buffer.
    pub(crate) fn begin(
        &mut self,
        peer: PeerIndex,
        response: ResponseId,
        hash: Hash,
        buffer: Vec<u8>,
    ) {
        let incoming = self.0.get_or_insert_default();
        incoming.begin(peer, response, hash, buffer);
    }

    /// Adds to a body, if it is still coming in.
    pub(crate) fn extend(
        &mut self,
        peer: PeerIndex,
        response: ResponseId,
        chunk: &[u8],
        room: Room,
    ) -> Result<(), TooLarge> {
        match &mut self.0 {
            Some(incoming) => incoming.extend(peer, response, chunk, room),
            None => Ok(()),
        }
    }

    /// Takes a body out, whole or not.
    pub(crate) fn end(&mut self, peer: PeerIndex, response: ResponseId) -> Option<Download> {
        let incoming = self.0.as_mut()?;
        let download = incoming.end(peer, response);
        if incoming.is_empty() {
            self.0 = None;
        }
        download
    }

    /// The responses by which a peer is sending this hash.
    pub(crate) fn find(&self, peer: PeerIndex, hash: &Hash) -> Option<ResponseId> {
        self.0.as_ref()?.find(peer, hash)
    }

    /// Drops everything of a peer.
    pub(crate) fn drop_peer(&mut self, peer: PeerIndex) {
        if let Some(incoming) = &mut self.0 {
            incoming.drop_peer(peer);
            if incoming.is_empty() {
                self.0 = None;
            }
        }
    }
}

impl Incoming {
    fn begin(&mut self, peer: PeerIndex, response: ResponseId, hash: Hash, mut body: Vec<u8>) {
        body.clear();
        let (key, download) = ((peer, response), Download { hash, body });
        assert!(self.open(&key).is_none(), "a response begins once");
        if self.first.is_none() {
            self.first = Some((key, download));
        } else {
            self.others.insert(key, download);
        }
    }

    fn extend(
        &mut self,
        peer: PeerIndex,
        response: ResponseId,
        chunk: &[u8],
        room: Room,
    ) -> Result<(), TooLarge> {
        let Some(download) = self.open(&(peer, response)) else {
            return Ok(());
        };
        if chunk.len() > room.body.saturating_sub(download.body.len()) {
            return Err(TooLarge::Body);
        }
        download.body.extend_from_slice(chunk);
        self.bytes += chunk.len();
        // What one peer holds is counted only when all of them together hold more than it may.
        if self.bytes > room.unfinished && self.held_by(peer) > room.unfinished {
            return Err(TooLarge::ForNow);
        }
        Ok(())
    }

    fn end(&mut self, peer: PeerIndex, response: ResponseId) -> Option<Download> {
        let key = (peer, response);
        let download = if let Some((_, download)) = self.first.take_if(|(first, _)| *first == key) {
            download
        } else {
            self.others.remove(&key)?
        };
        self.bytes -= download.body.len();
        Some(download)
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }

    fn find(&self, peer: PeerIndex, hash: &Hash) -> Option<ResponseId> {
        self.of(peer)
            .find(|(_, download)| download.hash == *hash)
            .map(|(response, _)| response)
    }

    fn drop_peer(&mut self, peer: PeerIndex) {
        self.first.take_if(|(key, _)| key.0 == peer);
        self.others.retain(|key, _| key.0 != peer);
        self.bytes = self.all().map(|(_, download)| download.body.len()).sum();
    }

    fn held_by(&self, peer: PeerIndex) -> usize {
        self.of(peer).map(|(_, download)| download.body.len()).sum()
    }

    fn of(&self, peer: PeerIndex) -> impl Iterator<Item = (ResponseId, &Download)> {
        self.all()
            .filter(move |((of, _), _)| *of == peer)
            .map(|((_, response), download)| (*response, download))
    }

    fn all(&self) -> impl Iterator<Item = (&Key, &Download)> {
        let first = self.first.as_ref().map(|(key, download)| (key, download));
        first.into_iter().chain(&self.others)
    }

    fn open(&mut self, key: &Key) -> Option<&mut Download> {
        match &mut self.first {
            Some((first, download)) if first == key => Some(download),
            _ => self.others.get_mut(key),
        }
    }
}
