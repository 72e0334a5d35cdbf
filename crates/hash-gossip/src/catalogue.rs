use std::rc::Rc;
use std::time::Duration;

use hash_exchange::Hash;
use hashbrown::hash_table::{self, HashTable};

use crate::nanos::Nanos;
use crate::strategy::HashIndex;

/// How a hash came to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<A> {
    /// The hash.
    pub hash: Hash,
    /// When its body was here and checked, on the clock of the host.
    pub learned_at: Duration,
    /// Who sent it; none if it was published here.
    pub from: Option<A>,
    /// How often its body came, whole and right. What goes beyond the first was wasted.
    pub receipts: u32,
}

/// The hashes that the node knows by name, numbered, and the bodies of those it holds.
#[repr(C)]
pub(crate) struct Catalogue<A> {
    /// Nothing iterates over it: its order says nothing.
    numbers: HashTable<HashIndex>,
    /// Where a hash stands in the table depends on this, so that nobody can choose names that all stand in one place.
    key: u64,
    entries: Vec<Entry<A>>,
    /// Numbers given back; hardly any node has some.
    #[expect(
        clippy::box_collection,
        reason = "an empty Vec takes three words, and a node may be one of a million"
    )]
    free: Option<Box<Vec<HashIndex>>>,
    /// What is held, in the order in which it became so.
    journal: Vec<HashIndex>,
}

struct Entry<A> {
    hash: Hash,
    body: Option<Rc<[u8]>>,
    learned_at: Nanos,
    from: Option<A>,
    receipts: u32,
}

impl<A> Catalogue<A> {
    pub(crate) const fn new(key: u64) -> Self {
        Self {
            numbers: HashTable::new(),
            key,
            entries: Vec::new(),
            free: None,
            journal: Vec::new(),
        }
    }

    pub(crate) fn number(&self, hash: &Hash) -> Option<HashIndex> {
        let digest = hash.as_sha1()?;
        let is_it = |number: &HashIndex| self.entries[number.index()].digest() == digest;
        let place = place(self.key, digest);
        self.numbers.find(place, is_it).copied()
    }

    /// The hash's number, a new one if it has none; none for a name that is not a SHA-1, as no body can be checked
    /// against it.
    pub(crate) fn intern(&mut self, hash: &Hash) -> Option<HashIndex> {
        let digest = hash.as_sha1()?;
        let Self {
            numbers,
            key,
            entries,
            free,
            ..
        } = self;
        let is_it = |number: &HashIndex| entries[number.index()].digest() == digest;
        let place_of = |number: &HashIndex| place(*key, entries[number.index()].digest());
        let vacant = match numbers.entry(place(*key, digest), is_it, place_of) {
            hash_table::Entry::Occupied(number) => return Some(*number.get()),
            hash_table::Entry::Vacant(vacant) => vacant,
        };
        let reused = free.as_mut().and_then(|free| free.pop());
        let number = reused.unwrap_or_else(|| HashIndex::new(entries.len()));
        vacant.insert(number);
        let entry = Entry {
            hash: hash.clone(),
            body: None,
            learned_at: Nanos::default(),
            from: None,
            receipts: 0,
        };
        match entries.get_mut(number.index()) {
            Some(reused) => *reused = entry,
            None => entries.push(entry),
        }
        Some(number)
    }

    /// Gives a number back, unless that was done before. What is held keeps its number for good.
    pub(crate) fn release(&mut self, number: HashIndex) {
        assert!(!self.holds(number), "a hash that is held is not forgotten");
        let place = place(self.key, self.entries[number.index()].digest());
        if let Ok(entry) = self.numbers.find_entry(place, |it| *it == number) {
            entry.remove();
            self.free.get_or_insert_default().push(number);
        }
    }

    /// Reads something of what a lookup will need.
    pub(crate) fn touch(&self) -> usize {
        let some = self.numbers.iter_hash(0).next();
        some.map_or(0, |number| number.index())
    }

    /// How many hashes have a number.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(crate) fn hash(&self, number: HashIndex) -> &Hash {
        &self.entries[number.index()].hash
    }

    pub(crate) fn holds(&self, number: HashIndex) -> bool {
        self.entries[number.index()].body.is_some()
    }

    pub(crate) fn body(&self, hash: &Hash) -> Option<&Rc<[u8]>> {
        self.entries[self.number(hash)?.index()].body.as_ref()
    }

    /// Puts a body on the shelf; false if it stood there before.
    pub(crate) fn hold(
        &mut self,
        number: HashIndex,
        body: impl Into<Rc<[u8]>>,
        from: Option<A>,
        now: Duration,
    ) -> bool {
        let entry = &mut self.entries[number.index()];
        if entry.body.is_some() {
            return false;
        }
        entry.body = Some(body.into());
        entry.learned_at = now.into();
        entry.from = from;
        self.journal.push(number);
        true
    }

    pub(crate) fn count_receipt(&mut self, number: HashIndex) {
        let receipts = &mut self.entries[number.index()].receipts;
        *receipts = receipts.saturating_add(1);
    }

    /// The hashes that are held, in order.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Hash> {
        self.held_entries().map(|entry| &entry.hash)
    }

    fn held_entries(&self) -> impl Iterator<Item = &Entry<A>> {
        let held = self.journal.iter();
        let mut held: Vec<_> = held.map(|number| &self.entries[number.index()]).collect();
        held.sort_unstable_by_key(|entry| &entry.hash);
        held.into_iter()
    }
}

impl<A: Clone> Catalogue<A> {
    pub(crate) fn record(&self, hash: &Hash) -> Option<Record<A>> {
        let entry = &self.entries[self.number(hash)?.index()];
        entry.body.is_some().then(|| entry.record())
    }

    /// The records of what became new since the first `since` hashes did.
    pub(crate) fn news(&self, since: usize) -> impl Iterator<Item = Record<A>> {
        let news = self.journal.get(since..).unwrap_or_default();
        news.iter()
            .map(|number| self.entries[number.index()].record())
    }

    /// The records of what is held, in the order of the hashes.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<A>> {
        self.held_entries().map(Entry::record)
    }
}

impl<A> Entry<A> {
    fn digest(&self) -> &[u8; 20] {
        let digest = self.hash.as_sha1();
        digest.expect("only what has a SHA-1 gets a number")
    }
}

/// Where a digest belongs in the table: its first sixteen bytes, folded with a key that nobody else knows.
fn place(key: u64, digest: &[u8; 20]) -> u64 {
    let word = |start: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[start..start + 8]);
        u64::from_le_bytes(bytes)
    };
    let product = u128::from(word(0) ^ key) * u128::from(word(8) ^ key.rotate_left(32) | 1);
    product as u64 ^ (product >> 64) as u64
}

impl<A: Clone> Entry<A> {
    fn record(&self) -> Record<A> {
        Record {
            hash: self.hash.clone(),
            learned_at: self.learned_at.into(),
            from: self.from.clone(),
            receipts: self.receipts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_again_once_its_hash_is_forgotten() {
        let mut catalogue = Catalogue::<u32>::new(7);
        let (beep, boop) = (Hash::sha1(b"beep"), Hash::sha1(b"boop"));
        let number = catalogue.intern(&beep).expect("a SHA-1");
        assert_eq!(catalogue.intern(&beep), Some(number));

        catalogue.release(number);
        catalogue.release(number);
        assert_eq!(catalogue.number(&beep), None);
        assert_eq!(catalogue.intern(&boop), Some(number));
        assert_ne!(
            catalogue.intern(&beep),
            Some(number),
            "a number given back twice is free once"
        );
        assert_eq!(catalogue.hash(number), &boop);
    }

    #[test]
    fn a_body_is_new_once() {
        let mut catalogue = Catalogue::new(7);
        let beep = Hash::sha1(b"beep");
        let number = catalogue.intern(&beep).expect("a SHA-1");
        assert!(catalogue.hold(number, *b"beep", Some(7), Duration::from_secs(1)));
        assert!(!catalogue.hold(number, *b"beep", Some(8), Duration::from_secs(2)));
        let record = catalogue.record(&beep).expect("it is held");
        assert_eq!(
            (record.from, record.learned_at),
            (Some(7), Duration::from_secs(1))
        );
    }

    #[test]
    fn what_is_held_comes_in_the_order_of_the_hashes() {
        let mut catalogue = Catalogue::<u32>::new(7);
        let mut hashes: Vec<_> = (0..100_u8).map(|byte| Hash::sha1(&[byte])).collect();
        for hash in &hashes {
            let number = catalogue.intern(hash).expect("a SHA-1");
            catalogue.hold(number, *b"", None, Duration::ZERO);
        }
        hashes.sort();
        assert!(catalogue.held().eq(&hashes));
    }

    #[test]
    fn a_name_that_is_not_a_sha1_has_no_number() {
        let mut catalogue = Catalogue::<u32>::new(7);
        let name = Hash::new("any name");
        assert_eq!(
            (catalogue.intern(&name), catalogue.number(&name)),
            (None, None)
        );
    }

    #[test]
    fn a_hash_takes_little_because_a_million_nodes_keep_each_of_them() {
        assert_eq!(size_of::<Entry<u32>>(), 64);
    }
}
