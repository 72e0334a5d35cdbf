use std::borrow::Cow;

use crate::peer_set::PeerSet;
use crate::strategy::PeerIndex;

/// What [`Trade`](crate::Trade) knows about one hash, on the connections that stand now.
#[derive(Clone, Debug, Default)]
pub struct Known {
    sets: Sets,
    pub(super) standing: Standing,
}

/// Two sets in two words: most nodes have few peers, and a node keeps this for every hash.
#[derive(Clone, Debug)]
enum Sets {
    /// Of the first 32 peers.
    Few([u32; 2]),
    Many(Box<[PeerSet; 2]>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody offers it.
    #[default]
    Unknown,
    /// Somebody offers it: the index of its want.
    Wanted(u32),
    Held,
    /// It was held, and shall not be again unless it is published.
    Evicted,
}

/// Who said that they hold the hash.
const OFFERED: usize = 0;

/// Who was told that it is held here.
const TOLD: usize = 1;

impl Known {
    pub(super) fn offered(&self) -> Cow<'_, PeerSet> {
        match &self.sets {
            Sets::Few(sets) => Cow::Owned(PeerSet::of_first(sets[OFFERED])),
            Sets::Many(sets) => Cow::Borrowed(&sets[OFFERED]),
        }
    }

    pub(super) fn was_offered(&self, by: PeerIndex) -> bool {
        self.sets.contains(OFFERED, by)
    }

    pub(super) fn was_told(&self, peer: PeerIndex) -> bool {
        self.sets.contains(TOLD, peer)
    }

    /// False if the peer had offered it before.
    pub(super) fn note_offer(&mut self, by: PeerIndex) -> bool {
        self.sets.insert(OFFERED, by)
    }

    /// False if the peer had not offered it.
    pub(super) fn take_offer_back(&mut self, by: PeerIndex) -> bool {
        self.sets.remove(OFFERED, by)
    }

    /// False if the peer was told before.
    pub(super) fn note_told(&mut self, peer: PeerIndex) -> bool {
        self.sets.insert(TOLD, peer)
    }

    pub(super) fn forget_told(&mut self, peer: PeerIndex) {
        self.sets.remove(TOLD, peer);
    }

    /// What anybody was told is no longer so.
    pub(super) fn forget_all_told(&mut self) {
        match &mut self.sets {
            Sets::Few(sets) => sets[TOLD] = 0,
            Sets::Many(sets) => sets[TOLD] = PeerSet::default(),
        }
    }
}

impl Sets {
    fn contains(&self, set: usize, peer: PeerIndex) -> bool {
        match self {
            Self::Few(sets) => bit(peer).is_some_and(|bit| sets[set] & bit != 0),
            Self::Many(sets) => sets[set].contains(peer),
        }
    }

    fn insert(&mut self, set: usize, peer: PeerIndex) -> bool {
        match (&mut *self, bit(peer)) {
            (Self::Few(sets), Some(bit)) => {
                let added = sets[set] & bit == 0;
                sets[set] |= bit;
                added
            }
            _ => self.many()[set].insert(peer),
        }
    }

    fn remove(&mut self, set: usize, peer: PeerIndex) -> bool {
        match self {
            Self::Few(sets) => bit(peer).is_some_and(|bit| {
                let removed = sets[set] & bit != 0;
                sets[set] &= !bit;
                removed
            }),
            Self::Many(sets) => sets[set].remove(peer),
        }
    }

    #[cold]
    fn many(&mut self) -> &mut [PeerSet; 2] {
        if let Self::Few(sets) = *self {
            *self = Self::Many(Box::new(sets.map(PeerSet::of_first)));
        }
        match self {
            Self::Many(sets) => sets,
            Self::Few(_) => unreachable!("few have become many"),
        }
    }
}

impl Default for Sets {
    fn default() -> Self {
        Self::Few([0; 2])
    }
}

impl Standing {
    /// Whether nobody needs to be asked for it, whoever offers it.
    pub(super) const fn is_settled(self) -> bool {
        matches!(self, Self::Held | Self::Evicted)
    }

    pub(super) fn wanted(want: usize) -> Self {
        // There are no more wants than hashes, and those are numbered in 32 bits.
        Self::Wanted(want as u32)
    }
}

fn bit(peer: PeerIndex) -> Option<u32> {
    1_u32.checked_shl(u32::try_from(peer.index()).ok()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_of_a_hash_takes_three_words() {
        assert_eq!(size_of::<Known>(), 24);
    }

    proptest! {
        #[test]
        fn few_peers_or_many_these_are_two_sets(
            changes in prop::collection::vec((0..2usize, 0..40usize, any::<bool>()), 0..60),
        ) {
            let (mut sets, mut model) = (Sets::default(), BTreeSet::new());
            for (set, index, add) in changes {
                let peer = PeerIndex::new(index);
                if add {
                    prop_assert_eq!(sets.insert(set, peer), model.insert((set, index)));
                } else {
                    prop_assert_eq!(sets.remove(set, peer), model.remove(&(set, index)));
                }
                for (set, index) in (0..2).flat_map(|set| (0..40).map(move |index| (set, index))) {
                    let contains = sets.contains(set, PeerIndex::new(index));
                    prop_assert_eq!(contains, model.contains(&(set, index)));
                }
            }
        }
    }
}
