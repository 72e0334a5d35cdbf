use std::{fmt, slice};

use crate::strategy::PeerIndex;

/// A set of peers in two words: one bit a peer, on the heap only beyond the first 64 peers.
///
/// A node keeps one of these for every hash it wants, so it is small before it is anything else.
///
/// ```
/// use hash_gossip::{PeerIndex, PeerSet};
///
/// let mut holders = PeerSet::default();
/// holders.insert(PeerIndex::new(3));
/// holders.insert(PeerIndex::new(70));
/// assert_eq!(holders.next_after(PeerIndex::new(3), &[]), Some(PeerIndex::new(70)));
/// assert_eq!(holders.next_after(PeerIndex::new(70), &[]), Some(PeerIndex::new(3)));
/// ```
#[derive(Clone)]
pub struct PeerSet(Words);

#[derive(Clone)]
enum Words {
    Inline(u64),
    Heap(Box<[u64]>),
}

impl PeerSet {
    /// Some of the first 32 peers, a bit each.
    pub(crate) fn of_first(peers: u32) -> Self {
        Self(Words::Inline(peers.into()))
    }

    /// Adds a peer; false if it was there before.
    pub fn insert(&mut self, peer: PeerIndex) -> bool {
        let (index, bit) = place(peer);
        let word = match &mut self.0 {
            Words::Inline(word) if index == 0 => word,
            _ => &mut self.grown_to(index + 1)[index],
        };
        let added = *word & bit == 0;
        *word |= bit;
        added
    }

    /// Takes a peer out; false if it was not there.
    pub fn remove(&mut self, peer: PeerIndex) -> bool {
        let (word, bit) = place(peer);
        let Some(word) = self.words_mut().get_mut(word) else {
            return false;
        };
        let removed = *word & bit != 0;
        *word &= !bit;
        removed
    }

    /// Whether a peer is in the set.
    pub fn contains(&self, peer: PeerIndex) -> bool {
        let (word, bit) = place(peer);
        self.word(word) & bit != 0
    }

    /// Whether nobody is in the set.
    pub fn is_empty(&self) -> bool {
        self.words().iter().all(|&word| word == 0)
    }

    /// How many peers are in the set.
    pub fn len(&self) -> usize {
        self.words()
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Takes everyone out.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds all of another set.
    pub fn insert_all(&mut self, other: &Self) {
        let words = match &mut self.0 {
            Words::Inline(word) if other.words().len() == 1 => slice::from_mut(word),
            _ => self.grown_to(other.words().len()),
        };
        for (word, other) in words.iter_mut().zip(other.words()) {
            *word |= other;
        }
    }

    /// The peers that are not in another set.
    pub fn except(&self, other: &Self) -> Self {
        match &self.0 {
            Words::Inline(word) => Self(Words::Inline(word & !other.word(0))),
            Words::Heap(words) => {
                let words = (0..words.len()).map(|index| self.word_except(index, &[other]));
                Self(Words::Heap(words.collect()))
            }
        }
    }

    /// The peers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = PeerIndex> + '_ {
        let (mut index, mut left) = (0, self.word(0));
        std::iter::from_fn(move || {
            while left == 0 {
                index += 1;
                left = *self.words().get(index)?;
            }
            let bit = left.trailing_zeros();
            left &= left - 1;
            Some(peer_at(index, bit))
        })
    }

    /// The next peer behind `after` that is in none of the sets `except`, going round: `after` itself comes last.
    pub fn next_after(&self, after: PeerIndex, except: &[&Self]) -> Option<PeerIndex> {
        let (start, bit) = place(after);
        let behind = self.word_except(start, except) & !(bit | (bit - 1));
        let count = self.words().len();
        let others = (start + 1..count).chain(0..count);
        std::iter::once((start, behind))
            .chain(others.map(|index| (index, self.word_except(index, except))))
            .find(|&(_, word)| word != 0)
            .map(|(index, word)| peer_at(index, word.trailing_zeros()))
    }

    fn word_except(&self, index: usize, except: &[&Self]) -> u64 {
        except
            .iter()
            .fold(self.word(index), |left, set| left & !set.word(index))
    }

    fn word(&self, index: usize) -> u64 {
        match &self.0 {
            Words::Inline(word) if index == 0 => *word,
            Words::Inline(_) => 0,
            Words::Heap(words) => words.get(index).copied().unwrap_or(0),
        }
    }

    fn words(&self) -> &[u64] {
        match &self.0 {
            Words::Inline(word) => slice::from_ref(word),
            Words::Heap(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.0 {
            Words::Inline(word) => slice::from_mut(word),
            Words::Heap(words) => words,
        }
    }

    #[cold]
    fn grown_to(&mut self, count: usize) -> &mut [u64] {
        if self.words().len() < count {
            let mut words = self.words().to_vec();
            words.resize(count, 0);
            self.0 = Words::Heap(words.into_boxed_slice());
        }
        self.words_mut()
    }
}

impl Default for PeerSet {
    fn default() -> Self {
        Self(Words::Inline(0))
    }
}

impl fmt::Debug for PeerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(PeerIndex::index))
            .finish()
    }
}

/// Two sets are equal when they hold the same peers, however they hold them.
impl PartialEq for PeerSet {
    fn eq(&self, other: &Self) -> bool {
        let count = self.words().len().max(other.words().len());
        (0..count).all(|index| self.word(index) == other.word(index))
    }
}

impl Eq for PeerSet {}

impl FromIterator<PeerIndex> for PeerSet {
    fn from_iter<I: IntoIterator<Item = PeerIndex>>(peers: I) -> Self {
        let mut set = Self::default();
        for peer in peers {
            set.insert(peer);
        }
        set
    }
}

fn place(peer: PeerIndex) -> (usize, u64) {
    (peer.index() / 64, 1 << (peer.index() % 64))
}

fn peer_at(word: usize, bit: u32) -> PeerIndex {
    PeerIndex::new(word * 64 + bit as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_takes_two_words() {
        assert_eq!(size_of::<PeerSet>(), 16);
    }

    #[test]
    fn an_empty_set_has_no_next_peer() {
        assert_eq!(PeerSet::default().next_after(PeerIndex::new(0), &[]), None);
        assert_eq!(
            PeerSet::default().next_after(PeerIndex::new(1000), &[]),
            None
        );
    }

    fn set(peers: &BTreeSet<usize>) -> PeerSet {
        peers.iter().copied().map(PeerIndex::new).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(changes in prop::collection::vec((0..200usize, any::<bool>()), 0..60)) {
            let (mut peers, mut model) = (PeerSet::default(), BTreeSet::new());
            for (peer, add) in changes {
                if add {
                    prop_assert_eq!(peers.insert(PeerIndex::new(peer)), model.insert(peer));
                } else {
                    prop_assert_eq!(peers.remove(PeerIndex::new(peer)), model.remove(&peer));
                }
                prop_assert_eq!(peers.contains(PeerIndex::new(peer)), add);
            }
            prop_assert_eq!(peers.len(), model.len());
            prop_assert_eq!(peers.is_empty(), model.is_empty());
            prop_assert!(peers.iter().map(PeerIndex::index).eq(model.iter().copied()));
            prop_assert_eq!(&peers, &set(&model));
        }

        #[test]
        fn sets_unite_and_part(
            one in prop::collection::btree_set(0..200usize, 0..20),
            other in prop::collection::btree_set(0..200usize, 0..20),
        ) {
            let mut both = set(&one);
            both.insert_all(&set(&other));
            prop_assert_eq!(both, set(&(&one | &other)));
            prop_assert_eq!(set(&one).except(&set(&other)), set(&(&one - &other)));
        }

        #[test]
        fn the_next_peer_goes_round(
            peers in prop::collection::btree_set(0..200usize, 0..20),
            except in prop::collection::btree_set(0..200usize, 0..20),
            after in 0..250usize,
        ) {
            let left: Vec<usize> = peers.difference(&except).copied().collect();
            let expected = left.iter().find(|&&peer| peer > after).or(left.first()).copied();
            let next = set(&peers).next_after(PeerIndex::new(after), &[&set(&except)]);
            prop_assert_eq!(next.map(PeerIndex::index), expected);
        }
    }
}
