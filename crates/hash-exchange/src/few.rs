use std::collections::BTreeMap;
use std::mem;

/// A map that nearly always has one entry or none: a single one stands in the map itself, and takes no heap. A few take
/// what they need and no more.
#[derive(Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "a tree in its place would make the single entry, which is the usual one, larger"
)]
pub(crate) enum Few<K, V> {
    #[default]
    None,
    One(K, V),
    /// From two to [`SEVERAL`], in the order of their keys.
    Several(Box<[(K, V)]>),
    /// Never empty: the heap is given back with the last entry.
    Many(Box<BTreeMap<K, V>>),
}

/// With more entries than that, they are looked for and moved in a tree.
const SEVERAL: usize = 8;

impl<K: Ord, V> Few<K, V> {
    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::One(one, value) if one == key => Some(value),
            Self::None | Self::One(..) => None,
            Self::Several(several) => {
                let place = place(several, key).ok()?;
                Some(&several[place].1)
            }
            Self::Many(many) => many.get(key),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            Self::One(one, value) if one == key => Some(value),
            Self::None | Self::One(..) => None,
            Self::Several(several) => {
                let place = place(several, key).ok()?;
                Some(&mut several[place].1)
            }
            Self::Many(many) => many.get_mut(key),
        }
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Puts a value in, and gives back the one that it replaces.
    #[inline]
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::None => {
                *self = Self::One(key, value);
                None
            }
            Self::One(one, old) if *one == key => Some(mem::replace(old, value)),
            Self::One(..) | Self::Several(_) => self.insert_further(key, value),
            Self::Many(many) => many.insert(key, value),
        }
    }

    fn insert_further(&mut self, key: K, value: V) -> Option<V> {
        if let Self::Several(several) = self
            && let Ok(place) = place(several, &key)
        {
            return Some(mem::replace(&mut several[place].1, value));
        }
        let mut entries = Vec::new();
        match mem::take(self) {
            Self::One(one, old) => {
                entries.reserve_exact(2);
                entries.push((one, old));
            }
            Self::Several(several) => {
                entries = several.into_vec();
                entries.reserve_exact(1);
            }
            Self::None | Self::Many(_) => unreachable!("it has one entry or several"),
        }
        let place = entries.partition_point(|(other, _)| *other < key);
        entries.insert(place, (key, value));
        *self = if entries.len() <= SEVERAL {
            Self::Several(entries.into_boxed_slice())
        } else {
            Self::Many(Box::new(entries.into_iter().collect()))
        };
        None
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::One(one, _) if one == key => match mem::take(self) {
                Self::One(_, value) => Some(value),
                Self::None | Self::Several(_) | Self::Many(_) => {
                    unreachable!("it was just looked at")
                }
            },
            Self::None | Self::One(..) => None,
            Self::Several(several) => {
                let place = place(several, key).ok()?;
                let mut entries = mem::take(several).into_vec();
                let (_, value) = entries.remove(place);
                *self = if entries.len() == 1 {
                    let (key, value) = entries.remove(0);
                    Self::One(key, value)
                } else {
                    Self::Several(entries.into_boxed_slice())
                };
                Some(value)
            }
            Self::Many(many) => {
                let value = many.remove(key);
                if many.is_empty() {
                    *self = Self::None;
                }
                value
            }
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(..) => 1,
            Self::Several(several) => several.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (mut one, mut several, mut many) = (None, &[][..], None);
        match self {
            Self::None => {}
            Self::One(key, value) => one = Some((key, value)),
            Self::Several(entries) => several = entries,
            Self::Many(entries) => many = Some(entries.iter()),
        }
        let several = several.iter().map(|(key, value)| (key, value));
        one.into_iter()
            .chain(several)
            .chain(many.into_iter().flatten())
    }
}

fn place<K: Ord, V>(entries: &[(K, V)], key: &K) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| other.cmp(key))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn it_is_a_map(operations in vec((any::<bool>(), 0_u8..16, any::<u8>()), 0..80)) {
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for (inserts, key, value) in operations {
                if inserts {
                    prop_assert_eq!(few.insert(key, value), map.insert(key, value));
                } else {
                    prop_assert_eq!(few.remove(&key), map.remove(&key));
                }
                prop_assert!(few.iter().eq(map.iter()));
                prop_assert_eq!((few.len(), few.is_empty()), (map.len(), map.is_empty()));
                for key in 0..16 {
                    prop_assert_eq!(few.get(&key), map.get(&key));
                    prop_assert_eq!(few.get_mut(&key), map.get_mut(&key));
                    prop_assert_eq!(few.contains_key(&key), map.contains_key(&key));
                }
            }
        }
    }
}
