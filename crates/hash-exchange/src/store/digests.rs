use std::{hint, mem};

use crate::Hash;
use crate::hash::words;

/// A map of SHA-1s that is in order, as a tree, and fast, as a hash table: as digests are spread evenly, the first bits of one tell about where it
/// stands among the others.
///
/// Entries ascend, with gaps between them. Each has a home, the place that its first bits point at, and stands there or in the next gap behind: all
/// places from its home to itself are taken. To seek out digests that crowd at one place makes others move when one is added to them, by
/// what moving that memory costs, and makes a look-up halve its way instead of walking it.
#[derive(Clone, Debug)]
pub(super) struct Digests<T> {
    /// `homes` of them, and what stands behind the last of these.
    places: Vec<Option<Hash>>,
    /// Those of the same places, apart from them: what is looked through is small.
    values: Vec<Option<T>>,
    homes: usize,
    len: usize,
}

impl<T> Digests<T> {
    /// The value of a digest.
    #[inline]
    pub(super) fn get(&self, hash: &Hash) -> Option<&T> {
        let position = self.position(hash);
        self.is_at(hash, position)
            .then(|| self.values[position].as_ref())?
    }

    /// True if the digest has a value.
    #[inline]
    pub(super) fn contains(&self, hash: &Hash) -> bool {
        self.is_at(hash, self.position(hash))
    }

    /// Sets the value of a digest.
    pub(super) fn insert(&mut self, hash: Hash, value: T) {
        if 4 * (self.len + 1) > 3 * self.homes {
            self.grow();
        }
        let position = self.position(&hash);
        if self.is_at(&hash, position) {
            self.values[position] = Some(value);
            return;
        }
        match self.places[position..].iter().position(Option::is_none) {
            Some(steps) => {
                let moved = position..=position + steps;
                self.places[moved.clone()].rotate_right(1);
                self.values[moved].rotate_right(1);
            }
            None => {
                self.places.insert(position, None);
                self.values.insert(position, None);
            }
        }
        self.places[position] = Some(hash);
        self.values[position] = Some(value);
        self.len += 1;
    }

    /// All digests, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Hash> {
        self.places.iter().flatten()
    }

    /// Asks memory for where a digest stands. To wait for many at once takes little longer than for one.
    #[inline]
    pub(super) fn touch(&self, hash: &Hash) {
        let home = self.home(hash);
        for place in [home, home + 2] {
            let place = self.places.get(place);
            hint::black_box(place.is_some_and(Option::is_some));
        }
    }

    #[inline]
    fn is_at(&self, hash: &Hash, position: usize) -> bool {
        let place = self.places.get(position);
        place.is_some_and(|found| found.as_ref() == Some(hash))
    }

    /// Where a digest stands, or would have to.
    #[inline]
    fn position(&self, hash: &Hash) -> usize {
        let home = self.home(hash);
        let is_before = |place: &Option<Hash>| place.as_ref().is_some_and(|it| it < hash);
        let rest = &self.places[home..];
        let near = rest.iter().take(STEPS).position(|place| !is_before(place));
        home + near.unwrap_or_else(|| rest.partition_point(is_before))
    }

    #[inline]
    fn home(&self, hash: &Hash) -> usize {
        let (first, ..) = words(hash.as_sha1().expect("it is a digest"));
        ((u128::from(first) * self.homes as u128) >> u64::BITS) as usize
    }

    /// Makes room for twice as many.
    fn grow(&mut self) {
        self.homes = (2 * self.homes).max(FEWEST);
        let room = self.homes + self.homes / 64;
        let places = mem::replace(&mut self.places, Vec::with_capacity(room));
        let values = mem::replace(&mut self.values, Vec::with_capacity(room));
        for (hash, value) in places.into_iter().zip(values) {
            let Some(hash) = hash else { continue };
            self.make_places(self.home(&hash));
            self.places.push(Some(hash));
            self.values.push(value);
        }
        self.make_places(self.homes);
    }

    /// So many of them at the least.
    fn make_places(&mut self, count: usize) {
        if count > self.places.len() {
            self.places.resize_with(count, || None);
            self.values.resize_with(count, || None);
        }
    }
}

impl<T> Default for Digests<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            values: Vec::new(),
            homes: 0,
            len: 0,
        }
    }
}

/// Steps from its home to a digest, after which it is looked for in what is left.
const STEPS: usize = 8;

/// Homes of a map that is not empty, at the least.
const FEWEST: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Digests that are spread evenly, and some that crowd at the same place: at the first, in the middle, or at the last.
    fn digest() -> impl Strategy<Value = Hash> {
        let crowded = (prop_oneof![Just(0), Just(0x80), Just(0xff)], any::<u8>());
        prop_oneof![
            any::<u16>().prop_map(|n| Hash::sha1(&n.to_be_bytes())),
            crowded.prop_map(|(first, last)| {
                let mut digest = [first; 20];
                digest[19] = last;
                Hash::from_sha1(digest)
            }),
        ]
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn digests_are_a_map_in_order(
            inserted in vec((digest(), any::<u32>()), 0..400),
            others in vec(digest(), 50),
        ) {
            let mut digests = Digests::default();
            let mut tree = BTreeMap::new();
            for (hash, value) in inserted {
                digests.insert(hash.clone(), value);
                tree.insert(hash, value);
            }
            prop_assert!(digests.keys().eq(tree.keys()));
            prop_assert_eq!(digests.len, tree.len());
            for hash in tree.keys().chain(&others) {
                digests.touch(hash);
                prop_assert_eq!(digests.get(hash), tree.get(hash));
                prop_assert_eq!(digests.contains(hash), tree.contains_key(hash));
            }
        }
    }

    #[test]
    fn digests_that_are_sought_out_take_no_more_memory_than_others() {
        let mut digests = Digests::default();
        for n in 0..10_000_u32 {
            let mut digest = [0xff; 20];
            digest[16..].copy_from_slice(&n.to_be_bytes());
            digests.insert(Hash::from_sha1(digest), ());
        }
        assert_eq!(digests.keys().count(), 10_000);
        assert!(digests.places.len() < 40_000, "{}", digests.places.len());
    }
}
