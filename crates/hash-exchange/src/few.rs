use std::collections::BTreeMap;
use std::mem;

/// A map that nearly always has one entry or none: a single one stands in the map itself, and takes no heap.
#[derive(Debug, Default)]
pub(crate) enum Few<K, V> {
    #[default]
    None,
    One(K, V),
    /// Never empty: the heap is given back with the last entry.
    Many(BTreeMap<K, V>),
}

impl<K: Ord, V> Few<K, V> {
    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::One(one, value) if one == key => Some(value),
            Self::None | Self::One(..) => None,
            Self::Many(many) => many.get(key),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            Self::One(one, value) if one == key => Some(value),
            Self::None | Self::One(..) => None,
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
            Self::One(..) => {
                let Self::One(one, old) = mem::take(self) else {
                    unreachable!("it was just looked at")
                };
                *self = Self::Many(BTreeMap::from([(one, old), (key, value)]));
                None
            }
            Self::Many(many) => many.insert(key, value),
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::One(one, _) if one == key => match mem::take(self) {
                Self::One(_, value) => Some(value),
                Self::None | Self::Many(_) => unreachable!("it was just looked at"),
            },
            Self::None | Self::One(..) => None,
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
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key, value) => (Some((key, value)), None),
            Self::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The same, to change the values.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key, value) => (Some((&*key, value)), None),
            Self::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn it_is_a_map(operations in vec((any::<bool>(), 0_u8..4, any::<u8>()), 0..40)) {
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for (inserts, key, value) in operations {
                if inserts {
                    prop_assert_eq!(few.insert(key, value), map.insert(key, value));
                } else {
                    prop_assert_eq!(few.remove(&key), map.remove(&key));
                }
                prop_assert!(few.iter().eq(map.iter()));
                prop_assert!(few.iter_mut().eq(map.iter_mut()));
                prop_assert_eq!((few.len(), few.is_empty()), (map.len(), map.is_empty()));
                for key in 0..4 {
                    prop_assert_eq!(few.get(&key), map.get(&key));
                    prop_assert_eq!(few.get_mut(&key), map.get_mut(&key));
                    prop_assert_eq!(few.contains_key(&key), map.contains_key(&key));
                }
            }
        }
    }
}
