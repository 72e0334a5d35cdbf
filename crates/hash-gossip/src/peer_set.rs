use std::fmt;

use crate::strategy::PeerIndex;

/// A set of peers in two words: one bit a peer, on the heap only beyond the first 64 peers.
///
/// A node keeps a few of these for every hash it knows of, so they are small before they are anything else.
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
    /// Adds a peer; false if it was there before.
    pub fn insert(&mut self, peer: PeerIndex) -> bool {
        let (word, bit) = place(peer);
        let words = self.grown_to(word + 1);
        let added = words[word] & bit == 0;
        words[word] |= bit;
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

    /// The peers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = PeerIndex> + '_ {
        self.iter_except(&[])
    }

    /// The peers that are in none of the sets `except`, in ascending order.
    pub fn iter_except<'a>(
        &'a self,
        except: &'a [&'a Self],
    ) -> impl Iterator<Item = PeerIndex> + 'a {
        (0..self.words().len()).flat_map(move |index| {
            let mut left = self.word_except(index, except);
            std::iter::from_fn(move || {
                let bit = lowest(left)?;
                left &= left - 1;
                Some(peer_at(index, bit))
            })
        })
    }

    /// The next peer behind `after` that is in none of the sets `except`, going round: `after` itself comes last.
    pub fn next_after(&self, after: PeerIndex, except: &[&Self]) -> Option<PeerIndex> {
        let count = self.words().len();
        let (word, bit) = place(after);
        let (start, behind) = if word < count {
            (word, !(bit | (bit - 1)))
        } else {
            (0, u64::MAX)
        };
        (0..=count).find_map(|step| {
            let index = (start + step) % count;
            let mut left = self.word_except(index, except);
            if step == 0 {
                left &= behind;
            }
            lowest(left).map(|bit| peer_at(index, bit))
        })
    }

    fn word_except(&self, index: usize, except: &[&Self]) -> u64 {
        except
            .iter()
            .fold(self.word(index), |left, set| left & !set.word(index))
    }

    fn word(&self, index: usize) -> u64 {
        self.words().get(index).copied().unwrap_or(0)
    }

    fn words(&self) -> &[u64] {
        match &self.0 {
            Words::Inline(word) => std::slice::from_ref(word),
            Words::Heap(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.0 {
            Words::Inline(word) => std::slice::from_mut(word),
            Words::Heap(words) => words,
        }
    }

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

fn lowest(word: u64) -> Option<u32> {
    (word != 0).then(|| word.trailing_zeros())
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
