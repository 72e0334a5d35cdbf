use crate::peer_set::PeerSet;

/// What is known about one hash, on the connections that stand now.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Who said that they hold it.
    pub(super) offered: PeerSet,
    /// Who was told that it is held here.
    pub(super) told: PeerSet,
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody offers it.
    #[default]
    Unknown,
    /// Somebody offers it: the index of its want.
    Wanted(u32),
    Held,
}

impl Standing {
    pub(super) fn wanted(want: usize) -> Self {
        // There are no more wants than hashes, and those are numbered in 32 bits.
        Self::Wanted(want as u32)
    }
}
