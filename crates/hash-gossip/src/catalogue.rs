use std::num::NonZero;
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::Hash;
use hashbrown::HashTable;

use crate::nanos::Nanos;
use crate::strategy::{HashIndex, Knowledge};

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

/// The hashes that the node knows by name, numbered, what is known of each, and the bodies of those it holds.
#[repr(C)]
pub(crate) struct Catalogue<A, K> {
    numbers: Numbers,
    /// Where a hash stands in the table depends on this, so that nobody can choose names that all stand in one place.
    key: u64,
    entries: Vec<Entry<K>>,
    in_use: u32,
    /// What is or was held, in the order in which it became so.
    journal: Vec<Held<A>>,
    /// Numbers given back; hardly any node has some.
    #[expect(
        clippy::box_collection,
        reason = "an empty Vec takes three words, and a node may be one of a million"
    )]
    free: Option<Box<Vec<HashIndex>>>,
}

/// Where to look for a digest. Nothing iterates over it: its order says nothing.
enum Numbers {
    /// A byte of each of the first numbers' digests, none for a number that is not in use. It stands in the node itself,
    /// so that few hashes are found without the memory that a table takes.
    Few([Option<NonZero<u8>>; FEW]),
    Many(HashTable<HashIndex>),
}

/// What one look at a hash needs, in one line of the cache.
#[repr(align(64))]
struct Entry<K> {
    known: K,
    body: Option<Rc<[u8]>>,
    digest: [u8; SHA1_LEN],
    /// Its place in the journal, if there is a body; or that there was one, or that the number is not in use.
    held: u32,
}

/// What is rarely looked at again.
struct Held<A> {
    number: HashIndex,
    receipts: u32,
    learned_at: Nanos,
    from: Option<A>,
}

impl<A, K: Default> Catalogue<A, K> {
    pub(crate) const fn new(key: u64) -> Self {
        Self {
            numbers: Numbers::Few([None; FEW]),
            key,
            entries: Vec::new(),
            in_use: 0,
            free: None,
            journal: Vec::new(),
        }
    }

    pub(crate) fn number(&self, hash: &Hash) -> Option<HashIndex> {
        self.find(hash.as_sha1()?)
    }

    fn find(&self, digest: &[u8; SHA1_LEN]) -> Option<HashIndex> {
        let is_it = |number: &HashIndex| self.entries[number.index()].digest == *digest;
        match &self.numbers {
            Numbers::Few(tags) => {
                let tag = tag(digest);
                (0..FEW)
                    .filter(|&index| tags[index] == tag)
                    .map(HashIndex::new)
                    .find(is_it)
            }
            Numbers::Many(table) => table.find(place(self.key, digest), is_it).copied(),
        }
    }

    /// The hash's number, a new one if it has none; none for a name that is not a SHA-1, as no body can be checked
    /// against it.
    pub(crate) fn intern(&mut self, hash: &Hash) -> Option<HashIndex> {
        let digest = hash.as_sha1()?;
        Some(self.find(digest).unwrap_or_else(|| self.add(digest)))
    }

    fn add(&mut self, digest: &[u8; SHA1_LEN]) -> HashIndex {
        // What was given back at the very end is not there any more.
        let there = |number: &HashIndex| number.index() < self.entries.len();
        let free = self.free.as_mut();
        let reused = free.and_then(|free| std::iter::from_fn(|| free.pop()).find(there));
        self.in_use += 1;
        let number = reused.unwrap_or_else(|| HashIndex::new(self.entries.len()));
        let entry = Entry {
            known: K::default(),
            body: None,
            digest: *digest,
            held: 0,
        };
        match self.entries.get_mut(number.index()) {
            Some(reused) => *reused = entry,
            None => self.entries.push(entry),
        }
        let Self {
            numbers,
            key,
            entries,
            ..
        } = self;
        let place_of = |number: &HashIndex| place(*key, &entries[number.index()].digest);
        match numbers {
            Numbers::Few(tags) => match tags.get_mut(number.index()) {
                Some(free) => *free = tag(digest),
                None => {
                    // All numbers are in use, or one of them would have been used again.
                    let mut table = HashTable::with_capacity(entries.len());
                    for number in (0..entries.len()).map(HashIndex::new) {
                        table.insert_unique(place_of(&number), number, place_of);
                    }
                    *numbers = Numbers::Many(table);
                }
            },
            Numbers::Many(table) => {
                table.insert_unique(place_of(&number), number, place_of);
            }
        }
        number
    }

    /// Gives a number back, unless that was done before. What is or was held keeps its number for good, as the journal names it.
    pub(crate) fn release(&mut self, number: HashIndex) {
        assert!(!self.holds(number), "a hash that is held is not forgotten");
        if self.was_evicted(number) {
            return;
        }
        let released = match &mut self.numbers {
            Numbers::Few(tags) => tags[number.index()].take().is_some(),
            Numbers::Many(table) => {
                let place = place(self.key, &self.entries[number.index()].digest);
                let found = table.find_entry(place, |it| *it == number);
                found.map(|entry| entry.remove()).is_ok()
            }
        };
        if !released {
            return;
        }
        self.in_use -= 1;
        let entry = &mut self.entries[number.index()];
        entry.known = K::default();
        entry.held = FREE;
        self.free.get_or_insert_default().push(number);
    }

    /// Nothing is kept of a peer's many names once they are forgotten. Only for when nobody has a number in hand that is not
    /// in use any more.
    pub(crate) fn prune(&mut self) {
        if self.entries.last().is_none_or(|last| last.held != FREE) {
            return;
        }
        while self.entries.pop_if(|last| last.held == FREE).is_some() {}
        self.entries.shrink_to((2 * self.entries.len()).max(FEW));
        if self.entries.is_empty() {
            self.free = None;
        }
    }

    /// Reads something of what a lookup will need.
    pub(crate) fn touch(&self) -> usize {
        match &self.numbers {
            Numbers::Few(_) => self.entries.len(),
            Numbers::Many(table) => table.iter_hash(0).next().map_or(0, |it| it.index()),
        }
    }

    /// How many hashes have a number.
    pub(crate) fn len(&self) -> usize {
        self.in_use as usize
    }

    pub(crate) fn hash(&self, number: HashIndex) -> Hash {
        self.entries[number.index()].hash()
    }

    pub(crate) fn holds(&self, number: HashIndex) -> bool {
        self.entries[number.index()].body.is_some()
    }

    pub(crate) fn body(&self, hash: &Hash) -> Option<&Rc<[u8]>> {
        self.entries[self.number(hash)?.index()].body.as_ref()
    }

    /// Whether this hash was held, and its body was taken away.
    pub(crate) fn was_evicted(&self, number: HashIndex) -> bool {
        self.entries[number.index()].held == EVICTED
    }

    /// Whether a body of this hash would be of use: it is not held, and nobody has decided that it shall not be.
    pub(crate) fn lacks(&self, number: HashIndex) -> bool {
        !self.holds(number) && !self.was_evicted(number)
    }

    /// Takes a body away; false if there was none.
    pub(crate) fn evict(&mut self, number: HashIndex) -> bool {
        let entry = &mut self.entries[number.index()];
        let held = entry.body.take().is_some();
        if held {
            entry.held = EVICTED;
        }
        held
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
        // No more is held than is numbered, in 32 bits.
        entry.held = self.journal.len() as u32;
        self.journal.push(Held {
            number,
            receipts: from.is_some().into(),
            learned_at: now.into(),
            from,
        });
        true
    }

    /// The body came again.
    pub(crate) fn count_duplicate(&mut self, number: HashIndex) {
        let held = self.entries[number.index()].held;
        let receipts = &mut self.journal[held as usize].receipts;
        *receipts = receipts.saturating_add(1);
    }

    /// How many hashes have become held so far.
    pub(crate) const fn journal_len(&self) -> usize {
        self.journal.len()
    }

    /// How many had become held before this one, if it is held.
    pub(crate) fn place(&self, hash: &Hash) -> Option<usize> {
        let entry = &self.entries[self.number(hash)?.index()];
        entry.body.as_ref().map(|_| entry.held as usize)
    }

    /// What has become held since so many had, and still is.
    pub(crate) fn held_since(&self, since: usize) -> impl Iterator<Item = (Hash, &Rc<[u8]>)> {
        self.journal[since..].iter().filter_map(|held| {
            let entry = &self.entries[held.number.index()];
            Some((entry.hash(), entry.body.as_ref()?))
        })
    }

    /// What was among the first so many that became held, and still is.
    pub(crate) fn held_before(&self, place: usize) -> Vec<HashIndex> {
        let held = (0..).zip(&self.journal[..place]);
        let held = held.filter(|(place, held)| self.entries[held.number.index()].held == *place);
        held.map(|(_, held)| held.number).collect()
    }

    /// The hashes that are held, in order.
    pub(crate) fn held(&self) -> impl Iterator<Item = Hash> {
        self.held_in_order().map(|(hash, _)| hash)
    }

    fn held_in_order(&self) -> impl Iterator<Item = (Hash, &Held<A>)> {
        let held = (0..).zip(&self.journal);
        // What was evicted since, and what was published again after that, is not held by this line of the journal.
        let held = held.filter(|(place, held)| self.entries[held.number.index()].held == *place);
        let held = held.map(|(_, held)| (self.hash(held.number), held));
        let mut held: Vec<_> = held.collect();
        held.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        held.into_iter()
    }
}

impl<A: Clone, K: Default> Catalogue<A, K> {
    pub(crate) fn record(&self, hash: &Hash) -> Option<Record<A>> {
        let entry = &self.entries[self.number(hash)?.index()];
        entry.body.as_ref()?;
        let held = &self.journal[entry.held as usize];
        Some(held.record(hash.clone()))
    }

    /// The records of what became new since the first `since` hashes did.
    pub(crate) fn news(&self, since: usize) -> impl Iterator<Item = Record<A>> {
        let news = self.journal.get(since..).unwrap_or_default();
        news.iter().map(|held| held.record(self.hash(held.number)))
    }

    /// The records of what is held, in the order of the hashes.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<A>> {
        self.held_in_order().map(|(hash, held)| held.record(hash))
    }
}

impl<A, K> Knowledge<K> for Catalogue<A, K> {
    fn numbers(&self) -> usize {
        self.entries.len()
    }

    fn of(&self, hash: HashIndex) -> &K {
        &self.entries[hash.index()].known
    }

    fn of_mut(&mut self, hash: HashIndex) -> &mut K {
        &mut self.entries[hash.index()].known
    }
}

impl<K> Entry<K> {
    fn hash(&self) -> Hash {
        Hash::from_sha1(self.digest)
    }
}

/// In place of a place in the journal.
const FREE: u32 = u32::MAX;

/// The same, of a number that is in use.
const EVICTED: u32 = u32::MAX - 1;

/// So many hashes are found without a table.
const FEW: usize = 24;

const SHA1_LEN: usize = 20;

fn tag(digest: &[u8; SHA1_LEN]) -> Option<NonZero<u8>> {
    NonZero::new(digest[0].max(1))
}

/// Where a digest belongs in the table: all of it, folded with a key that nobody else knows.
fn place(key: u64, digest: &[u8; SHA1_LEN]) -> u64 {
    let word = |start: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[start..start + 8]);
        u64::from_le_bytes(bytes)
    };
    let first = fold(word(0) ^ key, word(8) ^ key.rotate_left(32));
    fold(first ^ word(12), key.rotate_left(16) | 1)
}

const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

impl<A: Clone> Held<A> {
    fn record(&self, hash: Hash) -> Record<A> {
        Record {
            hash,
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
        let mut catalogue = Catalogue::<u32, ()>::new(7);
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
        assert_eq!(catalogue.hash(number), boop);
    }

    #[test]
    fn names_made_to_collide_do_not() {
        // Nobody has to know a content to offer a name for it, so these differ in what is cheapest to vary.
        for varied in 0..SHA1_LEN - 1 {
            let places = (0..=u16::MAX).map(|name| {
                let mut digest = [7; SHA1_LEN];
                digest[varied..varied + 2].copy_from_slice(&name.to_le_bytes());
                place(0x1234_5678_9abc_def1, &digest)
            });
            let places: std::collections::BTreeSet<_> = places.collect();
            assert!(
                places.len() > 65_000,
                "{} from byte {varied} on",
                places.len()
            );
        }
    }

    #[test]
    fn a_flood_of_names_leaves_nothing_behind_once_they_are_forgotten() {
        let mut catalogue = Catalogue::<u32, u32>::new(7);
        let held = catalogue.intern(&Hash::sha1(b"held")).expect("a SHA-1");
        assert!(catalogue.hold(held, *b"held", None, Duration::ZERO));
        let names = |from: u32| (from..from + 1000).map(|name| Hash::sha1(&name.to_le_bytes()));
        for from in [0, 500, 5000] {
            let mut numbers: Vec<_> = names(from)
                .map(|hash| catalogue.intern(&hash).expect("a SHA-1"))
                .collect();
            assert_eq!(catalogue.len(), 1001);
            // Every other one first, then the rest from the front.
            numbers.sort_by_key(|number| number.index() % 2);
            numbers.iter().for_each(|number| catalogue.release(*number));
            // What was decided in the same breath may name them once more.
            numbers.iter().for_each(|number| catalogue.release(*number));
            assert_eq!(catalogue.of(numbers[0]), &0);
            catalogue.prune();
            assert_eq!((catalogue.len(), catalogue.entries.len()), (1, 1));
            assert!(catalogue.entries.capacity() <= FEW);
        }
        for (count, hash) in (2..).zip(names(9000)) {
            let number = catalogue.intern(&hash);
            assert_eq!(catalogue.number(&hash), number);
            assert_eq!(catalogue.len(), count);
        }
    }

    #[test]
    fn a_body_is_new_once() {
        let mut catalogue = Catalogue::<u32, ()>::new(7);
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
    fn what_was_evicted_keeps_its_number_and_its_line_in_the_journal() {
        let mut catalogue = Catalogue::<u32, ()>::new(7);
        let (beep, boop) = (Hash::sha1(b"beep"), Hash::sha1(b"boop"));
        let number = catalogue.intern(&beep).expect("a SHA-1");
        assert_eq!(catalogue.record(&beep), None, "it is only known by name");
        assert!(!catalogue.evict(number) && catalogue.lacks(number));
        catalogue.hold(number, *b"beep", Some(7), Duration::from_secs(1));
        assert!(catalogue.evict(number) && !catalogue.evict(number));
        assert!(!catalogue.lacks(number) && !catalogue.holds(number));
        assert_eq!(
            (catalogue.record(&beep), catalogue.held().count()),
            (None, 0)
        );

        catalogue.release(number);
        let other = catalogue.intern(&boop).expect("a SHA-1");
        catalogue.hold(other, *b"boop", None, Duration::from_secs(2));
        assert!(catalogue.hold(number, *b"beep", None, Duration::from_secs(3)));
        let news: Vec<_> = catalogue
            .news(0)
            .map(|record| (record.hash, record.from))
            .collect();
        assert_eq!(
            news,
            [
                (beep.clone(), Some(7)),
                (boop.clone(), None),
                (beep.clone(), None)
            ]
        );
        let mut both = [beep, boop];
        both.sort();
        assert!(catalogue.held().eq(both));
    }

    #[test]
    fn what_is_held_comes_in_the_order_of_the_hashes() {
        let mut catalogue = Catalogue::<u32, ()>::new(7);
        let mut hashes: Vec<_> = (0..100_u8).map(|byte| Hash::sha1(&[byte])).collect();
        for hash in &hashes {
            let number = catalogue.intern(hash).expect("a SHA-1");
            catalogue.hold(number, *b"", None, Duration::ZERO);
        }
        hashes.sort();
        assert!(catalogue.held().eq(hashes));
    }

    #[test]
    fn a_name_that_is_not_a_sha1_has_no_number() {
        let mut catalogue = Catalogue::<u32, ()>::new(7);
        let name = Hash::new("any name");
        assert_eq!(
            (catalogue.intern(&name), catalogue.number(&name)),
            (None, None)
        );
    }

    #[test]
    fn hashes_are_found_however_many_there_are() {
        let mut catalogue = Catalogue::<u32, ()>::new(7);
        let hashes: Vec<_> = (0..4 * FEW).map(|it| Hash::sha1(&[it as u8])).collect();
        for known in 1..=hashes.len() {
            let number = catalogue.intern(&hashes[known - 1]).expect("a SHA-1");
            catalogue.release(number);
            assert_eq!(catalogue.number(&hashes[known - 1]), None);
            assert_eq!(catalogue.intern(&hashes[known - 1]), Some(number));
            assert_eq!(catalogue.len(), known);
            for (index, hash) in hashes.iter().enumerate() {
                let expected = (index < known).then(|| HashIndex::new(index));
                assert_eq!(catalogue.number(hash), expected);
            }
        }
    }

    #[test]
    fn a_hash_takes_little_because_a_million_nodes_keep_each_of_them() {
        assert_eq!(size_of::<Entry<crate::Known>>(), 64);
        assert_eq!(size_of::<Held<u32>>(), 24);
        assert_eq!(size_of::<Numbers>(), size_of::<HashTable<HashIndex>>());
    }
}
