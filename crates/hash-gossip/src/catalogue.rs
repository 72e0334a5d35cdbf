use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::Hash;

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
pub(crate) struct Catalogue<A> {
    numbers: BTreeMap<Hash, HashIndex>,
    entries: Vec<Entry<A>>,
    free: Vec<HashIndex>,
    /// What is held, in the order in which it became so.
    journal: Vec<HashIndex>,
}

struct Entry<A> {
    hash: Hash,
    body: Option<Rc<[u8]>>,
    learned_at: Duration,
    from: Option<A>,
    receipts: u32,
}

impl<A> Catalogue<A> {
    pub(crate) fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            journal: Vec::new(),
        }
    }

    pub(crate) fn number(&self, hash: &Hash) -> Option<HashIndex> {
        self.numbers.get(hash).copied()
    }

    /// The hash's number, a new one if it has none.
    pub(crate) fn intern(&mut self, hash: Hash) -> HashIndex {
        if let Some(number) = self.number(&hash) {
            return number;
        }
        let entry = Entry {
            hash: hash.clone(),
            body: None,
            learned_at: Duration::ZERO,
            from: None,
            receipts: 0,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number.index()] = entry;
                number
            }
            None => {
                self.entries.push(entry);
                HashIndex::new(self.entries.len() - 1)
            }
        };
        self.numbers.insert(hash, number);
        number
    }

    /// Gives a number back, unless that was done before. What is held keeps its number for good.
    pub(crate) fn release(&mut self, number: HashIndex) {
        assert!(!self.holds(number), "a hash that is held is not forgotten");
        let hash = &self.entries[number.index()].hash;
        if self.numbers.get(hash) == Some(&number) {
            self.numbers.remove(hash);
            self.free.push(number);
        }
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
        entry.learned_at = now;
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
        self.numbers
            .values()
            .map(|number| &self.entries[number.index()])
            .filter(|entry| entry.body.is_some())
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

impl<A: Clone> Entry<A> {
    fn record(&self) -> Record<A> {
        Record {
            hash: self.hash.clone(),
            learned_at: self.learned_at,
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
        let mut catalogue = Catalogue::<u32>::new();
        let (beep, boop) = (Hash::sha1(b"beep"), Hash::sha1(b"boop"));
        let number = catalogue.intern(beep.clone());
        assert_eq!(catalogue.intern(beep.clone()), number);

        catalogue.release(number);
        catalogue.release(number);
        assert_eq!(catalogue.number(&beep), None);
        assert_eq!(catalogue.intern(boop.clone()), number);
        assert_ne!(
            catalogue.intern(beep),
            number,
            "a number given back twice is free once"
        );
        assert_eq!(catalogue.hash(number), &boop);
    }

    #[test]
    fn a_body_is_new_once() {
        let mut catalogue = Catalogue::new();
        let beep = Hash::sha1(b"beep");
        let number = catalogue.intern(beep.clone());
        assert!(catalogue.hold(number, *b"beep", Some(7), Duration::from_secs(1)));
        assert!(!catalogue.hold(number, *b"beep", Some(8), Duration::from_secs(2)));
        let record = catalogue.record(&beep).expect("it is held");
        assert_eq!(
            (record.from, record.learned_at),
            (Some(7), Duration::from_secs(1))
        );
    }
}
