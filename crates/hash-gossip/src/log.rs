//! What a node keeps on its disk: a log of records, of which only the end ever changes.
//!
//! ```text
//! record   = checksum kind length sequence digest payload    ; numbers are little-endian
//! checksum = 8 bytes    ; the first of the SHA-1 of what follows, as far as the digest
//! kind     = 1 byte     ; 1 identity, 2 body, 3 evicted, 4 cursor
//! length   = 4 bytes    ; of the payload
//! sequence = 8 bytes    ; how many bodies there are as far as here
//! digest   = 20 bytes   ; the SHA-1 of the payload; of what was evicted its name
//! payload  = an identity of 16 bytes / a body / nothing / an identity and a position of 8 bytes
//! ```
//!
//! A log that ends within a record was torn by a crash: that record is cut off, and it was not durable. A record that is whole and wrong was damaged later,
//! with what follows it, and some of that may have been durable: the node takes another identity then, so that no peer relies on what it had of the old one.
//! The log is never compacted: what was evicted stays in it, and is only marked so.

use std::fmt;
use std::io;
use std::rc::Rc;

use hash_exchange::Hash;

use crate::host::Disk;

/// Who a log belongs to: drawn when it is begun, so that a node which has lost its disk is somebody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity(pub(crate) [u8; 16]);

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The log is this one's from here on.
    Identity(Identity),
    /// This body is held. The number of such entries before is its place in the order in which bodies became held.
    Body(Hash, Rc<[u8]>),
    /// The body of this hash is held no longer, and shall not be unless it is published again.
    Evicted(Hash),
    /// All that the log of this peer has up to this position is held.
    Cursor(Identity, u64),
}

/// A log that is open, at its end.
pub(crate) struct Log<D> {
    disk: D,
    /// As far as this all is durable.
    length: u64,
    /// How many bodies that are.
    bodies: u64,
    /// Something may stand behind it.
    is_torn: bool,
}

/// What a log was found to have.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// A record was whole and wrong: what is missing behind it may once have been durable.
    pub(crate) is_damaged: bool,
    length: u64,
    is_torn: bool,
}

impl Found {
    /// Who the log belongs to; `None` if that is to be drawn anew.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let mut entries = self.entries.iter().rev();
        let found = entries.find_map(|entry| match entry {
            Entry::Identity(identity) => Some(*identity),
            _ => None,
        });
        found.filter(|_| !self.is_damaged)
    }
}

/// Reads a log from its beginning. Nothing is written.
pub(crate) async fn read(disk: &mut impl Disk) -> io::Result<Found> {
    let mut reader = Reader::new(disk);
    let mut found = Found {
        entries: Vec::new(),
        is_damaged: false,
        length: 0,
        is_torn: false,
    };
    let mut bodies = 0;
    while reader.fill(HEADER).await? {
        let Some(header) = Header::decode(reader.bytes(HEADER)) else {
            found.is_damaged = true;
            break;
        };
        let length = HEADER + header.length as usize;
        if !reader.fill(length).await? {
            break;
        }
        let entry = header.entry(&reader.bytes(length)[HEADER..]);
        bodies += u64::from(matches!(entry, Some(Entry::Body(..))));
        let Some(entry) = entry.filter(|_| header.sequence == bodies) else {
            found.is_damaged = true;
            break;
        };
        found.entries.push(entry);
        found.length += length as u64;
        reader.consume(length);
    }
    found.is_torn = !reader.is_empty();
    Ok(found)
}

impl<D: Disk> Log<D> {
    /// The log on a disk, behind what was found there.
    pub(crate) fn new(disk: D, found: &Found) -> Self {
        let bodies = found.entries.iter();
        Self {
            disk,
            length: found.length,
            bodies: bodies.filter(|it| matches!(it, Entry::Body(..))).count() as u64,
            is_torn: found.is_torn,
        }
    }

    /// Makes entries durable, all or, if this fails, none that anybody may rely on: they are to be written again.
    pub(crate) async fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        if self.is_torn {
            self.disk.truncate(self.length).await?;
        }
        let (mut bytes, mut bodies) = (Vec::new(), self.bodies);
        for entry in entries {
            bodies += u64::from(matches!(entry, Entry::Body(..)));
            encode(entry, bodies, &mut bytes);
        }
        // A failed sync may have dropped what was appended, so it is appended again then.
        self.is_torn = true;
        self.disk.append(&bytes).await?;
        self.disk.sync().await?;
        self.is_torn = false;
        self.length += bytes.len() as u64;
        self.bodies = bodies;
        Ok(())
    }
}

impl Entry {
    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        HEADER + self.payload().len()
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Identity(_) => IDENTITY,
            Self::Body(..) => BODY,
            Self::Evicted(_) => EVICTED,
            Self::Cursor(..) => CURSOR,
        }
    }

    fn payload(&self) -> Payload<'_> {
        match self {
            Self::Identity(identity) => Payload::Few(identity.0.to_vec()),
            Self::Body(_, body) => Payload::Body(body),
            Self::Evicted(_) => Payload::Few(Vec::new()),
            Self::Cursor(peer, position) => {
                Payload::Few([&peer.0[..], &position.to_le_bytes()].concat())
            }
        }
    }
}

/// The payload of a record: copied if it is short.
enum Payload<'a> {
    Few(Vec<u8>),
    Body(&'a [u8]),
}

impl std::ops::Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Few(bytes) => bytes,
            Self::Body(bytes) => bytes,
        }
    }
}

const IDENTITY: u8 = 1;
const BODY: u8 = 2;
const EVICTED: u8 = 3;
const CURSOR: u8 = 4;

/// Bytes of a record before its payload.
const HEADER: usize = CHECKSUM + 1 + 4 + 8 + DIGEST;
const CHECKSUM: usize = 8;
const DIGEST: usize = 20;

/// So much is read at a time.
const PIECE: usize = 64 << 10;

fn encode(entry: &Entry, bodies: u64, out: &mut Vec<u8>) {
    let payload = entry.payload();
    let hash = match entry {
        Entry::Body(hash, _) | Entry::Evicted(hash) => hash.clone(),
        Entry::Identity(_) | Entry::Cursor(..) => Hash::sha1(&payload),
    };
    let digest = hash.as_sha1().expect("what is held has a SHA-1");
    let length = u32::try_from(payload.len()).expect("a body is shorter than 4 GiB");
    let mut checked = [0; HEADER - CHECKSUM];
    checked[0] = entry.kind();
    checked[1..5].copy_from_slice(&length.to_le_bytes());
    checked[5..13].copy_from_slice(&bodies.to_le_bytes());
    checked[13..].copy_from_slice(digest);
    out.extend_from_slice(&checksum(&checked));
    out.extend_from_slice(&checked);
    out.extend_from_slice(&payload);
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    array(Hash::sha1(bytes).as_sha1().expect("it was just made"))
}

/// The first bytes of a slice that has as many.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// What stands before a payload.
struct Header {
    kind: u8,
    length: u32,
    sequence: u64,
    digest: [u8; DIGEST],
}

impl Header {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sum, checked) = bytes.split_at(CHECKSUM);
        (checksum(checked) == *sum).then(|| Self {
            kind: checked[0],
            length: u32::from_le_bytes(array(&checked[1..])),
            sequence: u64::from_le_bytes(array(&checked[5..])),
            digest: array(&checked[13..]),
        })
    }

    /// What the record says; `None` if that is nothing.
    fn entry(&self, payload: &[u8]) -> Option<Entry> {
        let hash = Hash::from_sha1(self.digest);
        if self.kind == EVICTED {
            return payload.is_empty().then_some(Entry::Evicted(hash));
        }
        if Hash::sha1(payload) != hash {
            return None;
        }
        match (self.kind, payload.len()) {
            (IDENTITY, 16) => Some(Entry::Identity(Identity(array(payload)))),
            (BODY, _) => Some(Entry::Body(hash, payload.into())),
            (CURSOR, 24) => {
                let position = u64::from_le_bytes(array(&payload[16..]));
                Some(Entry::Cursor(Identity(array(payload)), position))
            }
            _ => None,
        }
    }
}

/// Reads a disk from its beginning on. What is not there takes no memory, however long a record says that it is.
struct Reader<'a, D> {
    disk: &'a mut D,
    offset: u64,
    buffer: Vec<u8>,
    consumed: usize,
}

impl<'a, D: Disk> Reader<'a, D> {
    const fn new(disk: &'a mut D) -> Self {
        Self {
            disk,
            offset: 0,
            buffer: Vec::new(),
            consumed: 0,
        }
    }

    /// Has so many bytes ready; false if there are not so many.
    async fn fill(&mut self, count: usize) -> io::Result<bool> {
        while self.buffer.len() - self.consumed < count {
            self.buffer.drain(..self.consumed);
            self.consumed = 0;
            let start = self.buffer.len();
            self.buffer.resize(start + PIECE, 0);
            let read = self.disk.read(self.offset, &mut self.buffer[start..]).await;
            self.buffer.truncate(start + *read.as_ref().unwrap_or(&0));
            match read? {
                0 => return Ok(false),
                read => self.offset += read as u64,
            }
        }
        Ok(true)
    }

    fn bytes(&self, count: usize) -> &[u8] {
        &self.buffer[self.consumed..self.consumed + count]
    }

    const fn consume(&mut self, count: usize) {
        self.consumed += count;
    }

    const fn is_empty(&self) -> bool {
        self.consumed == self.buffer.len()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::*;

    /// A disk in memory, which fails when told to.
    #[derive(Clone, Default)]
    struct Platter {
        bytes: Vec<u8>,
        /// How many appends are to be cut short.
        full: u32,
        /// How many syncs are to fail, and to drop what was not synced.
        failing: u32,
        synced: usize,
    }

    impl Disk for Platter {
        async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            if self.full > 0 {
                self.full -= 1;
                self.bytes.extend_from_slice(&bytes[..bytes.len() / 2]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend_from_slice(bytes);
            Ok(())
        }

        async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let bytes = self.bytes.get(offset as usize..).unwrap_or_default();
            // A disk may give less than there is.
            let length = bytes.len().min(buffer.len()).min(1000);
            buffer[..length].copy_from_slice(&bytes[..length]);
            Ok(length)
        }

        async fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.bytes.truncate(length as usize);
            Ok(())
        }

        async fn sync(&mut self) -> io::Result<()> {
            if self.failing > 0 {
                self.failing -= 1;
                self.bytes[self.synced..].fill(0);
                return Err(io::Error::other("the disk has bad sectors"));
            }
            self.synced = self.bytes.len();
            Ok(())
        }
    }

    fn open(disk: Platter) -> (Log<Platter>, Found) {
        let mut disk = disk;
        let found = block_on(read(&mut disk)).expect("it can be read");
        (Log::new(disk, &found), found)
    }

    fn written(batches: &[Vec<Entry>]) -> Platter {
        let (mut log, _) = open(Platter::default());
        for batch in batches {
            block_on(log.write(batch)).expect("nothing fails");
        }
        log.disk
    }

    fn body(bytes: &[u8]) -> Entry {
        Entry::Body(Hash::sha1(bytes), bytes.into())
    }

    fn entries() -> impl Strategy<Value = Vec<Vec<Entry>>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..3000);
        let entry = prop_oneof![
            any::<[u8; 16]>().prop_map(|bytes| Entry::Identity(Identity(bytes))),
            bytes().prop_map(|bytes| body(&bytes)),
            bytes().prop_map(|bytes| Entry::Evicted(Hash::sha1(&bytes))),
            (any::<[u8; 16]>(), any::<u64>())
                .prop_map(|(peer, position)| Entry::Cursor(Identity(peer), position)),
        ];
        prop::collection::vec(prop::collection::vec(entry, 0..4), 0..6)
    }

    #[test]
    fn the_bytes_of_a_record_are_these() {
        let disk = written(&[vec![
            body(b"beep"),
            Entry::Cursor(Identity([7; 16]), 0x0102),
        ]]);
        let hex: String = disk.bytes.iter().map(|it| format!("{it:02x}")).collect();
        let expected = [
            "51b7c18d9a2eae1b",
            "02",
            "04000000",
            "0100000000000000",
            "38d8fe5c3796e1b93ceb59dcdb879c010507e64a",
            "62656570",
            "6ea2e098d186cd80",
            "04",
            "18000000",
            "0100000000000000",
            "13baa5f6707ad71b26bf88b13ab8298cbdbb7c32",
            "07070707070707070707070707070707",
            "0201000000000000",
        ];
        assert_eq!(hex, expected.concat());
    }

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let all = [
            body(b"beep"),
            body(b"boop"),
            Entry::Evicted(Hash::sha1(b"beep")),
        ];
        let (mut log, _) = open(Platter::default());
        block_on(log.write(&all[..1])).expect("nothing fails yet");
        (log.disk.full, log.disk.failing) = (1, 1);
        let [full, failing] =
            [(); 2].map(|()| block_on(log.write(&all[1..])).map_err(|it| it.kind()));
        assert_eq!(full, Err(io::ErrorKind::StorageFull));
        assert_eq!(failing, Err(io::ErrorKind::Other));
        block_on(log.write(&all[1..])).expect("nothing fails any more");
        let (_, found) = open(log.disk);
        assert_eq!(found.entries, all);
        assert!(!found.is_damaged && !found.is_torn);
    }

    #[test]
    fn who_was_damaged_is_somebody_else() {
        let [old, new] = [1, 2].map(|byte| Entry::Identity(Identity([byte; 16])));
        let mut disk = written(&[vec![old, body(b"beep"), body(b"boop")]]);
        assert_eq!(open(disk.clone()).1.identity(), Some(Identity([1; 16])));
        let last = disk.bytes.len() - 1;
        disk.bytes[last] ^= 1;
        let (mut log, found) = open(disk);
        assert_eq!((found.identity(), found.entries.len()), (None, 2));
        block_on(log.write(&[new, body(b"bop")])).expect("nothing fails");
        let (_, found) = open(log.disk);
        assert_eq!(found.identity(), Some(Identity([2; 16])));
        assert_eq!((found.entries.len(), found.is_damaged), (4, false));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_written_is_read_and_what_was_torn_is_cut_off(batches in entries(), at: prop::sample::Index, more in entries()) {
            let mut disk = written(&batches);
            let all = batches.concat();
            prop_assert_eq!(&open(disk.clone()).1.entries, &all);

            disk.bytes.truncate(at.index(disk.bytes.len() + 1));
            let (mut log, found) = open(disk);
            prop_assert!(all.starts_with(&found.entries) && !found.is_damaged);
            let whole: usize = found.entries.iter().map(Entry::size).sum();
            let next = all.get(found.entries.len()).map_or(usize::MAX, Entry::size);
            prop_assert!(log.disk.bytes.len() - whole < next, "a record that is whole is not cut off");
            for batch in &more {
                block_on(log.write(batch)).expect("nothing fails");
            }
            let (_, again) = open(log.disk);
            prop_assert_eq!(again.entries, [found.entries, more.concat()].concat());
        }

        #[test]
        fn what_was_damaged_is_noticed(batches in entries(), at: prop::sample::Index, bit in 0..8_u8) {
            let mut disk = written(&batches);
            prop_assume!(!disk.bytes.is_empty());
            let at = at.index(disk.bytes.len());
            disk.bytes[at] ^= 1_u8 << bit;
            let (_, found) = open(disk);
            let all = batches.concat();
            prop_assert!(found.is_damaged && all.starts_with(&found.entries));
            let ends = all.iter().scan(0, |end, entry| {
                *end += entry.size();
                Some(*end)
            });
            prop_assert_eq!(found.entries.len(), ends.filter(|end| *end <= at).count());
        }

        #[test]
        fn garbage_is_no_log(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
            let (_, found) = open(Platter { bytes, ..Platter::default() });
            prop_assert_eq!(found.entries, []);
        }
    }
}
