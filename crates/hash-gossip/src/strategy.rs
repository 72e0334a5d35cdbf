use std::time::Duration;

/// A neighbour's number at one node: dense, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIndex(u32);

/// A hash's number at one node: dense, and used again once the hash was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HashIndex(u32);

/// Decides what a node says to whom: a state machine without I/O and without a clock.
///
/// The node tells it what happened (`handle_*`), as many events as one reading of a connection gave, and then takes
/// actions with [`poll_actions`](Self::poll_actions) until there are none. It carries all of them out before the next
/// event: *one input, then drain*. Times are those of the host's clock and never go back.
///
/// What a strategy may rely on:
/// - an event names a peer only between [`handle_connected`](Self::handle_connected) and
///   [`handle_disconnected`](Self::handle_disconnected);
/// - every request on a connection ends in at most one of [`handle_held`](Self::handle_held),
///   [`handle_refused`](Self::handle_refused) and [`handle_failed`](Self::handle_failed), or with that connection;
/// - a hash that is [held](Self::handle_held) is not held again before it was [evicted](Self::handle_evicted).
///
/// What it keeps of each hash, the node keeps for it beside the hash's name, and lends it: one look at the memory finds
/// both, where two would cost twice.
///
/// A strategy in turn must bound what peers can make it remember, and must answer for it: a hash which it does not
/// hold and no longer [remembers](Self::remembers) is to be let go with [`Action::Forget`].
pub trait Strategy: 'static {
    /// What is known of a hash. A hash that has just got its number has the default.
    type Known: Default + 'static;

    /// A connection to this peer stands; nothing was said on it yet.
    fn handle_connected(&mut self, hashes: &mut impl Knowledge<Self::Known>, peer: PeerIndex);

    /// The peer, which is about to be connected, is known to hold this hash, which is held here: it need not be told. A strategy that does not care tells it again.
    fn handle_told(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        peer: PeerIndex,
        hash: HashIndex,
    ) {
        let _ = (hashes, peer, hash);
    }

    /// The connection to this peer is lost, or the peer takes no more messages.
    fn handle_disconnected(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        peer: PeerIndex,
        now: Duration,
    );

    /// The peer says that it holds this hash. Unless the strategy [remembers](Self::remembers) it from then on, its
    /// number is used for another one.
    fn handle_offered(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        peer: PeerIndex,
        hash: HashIndex,
        now: Duration,
    );

    /// The node holds this hash from now on: published here (`from` is none), or brought by a peer and checked.
    fn handle_held(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        hash: HashIndex,
        from: Option<PeerIndex>,
        now: Duration,
    );

    /// The node holds this hash no longer, because somebody wants it so: it is not to be asked for again. It keeps its number for good.
    fn handle_evicted(&mut self, hashes: &mut impl Knowledge<Self::Known>, hash: HashIndex);

    /// The peer has begun to answer a request: it will send the content.
    fn handle_begun(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        peer: PeerIndex,
        hash: HashIndex,
        now: Duration,
    );

    /// The peer answered a request, or sent a part of an answer, of so many bytes.
    fn handle_progress(&mut self, peer: PeerIndex, bytes: u64, now: Duration);

    /// The peer answered that it does not hold what it was asked for.
    fn handle_refused(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        peer: PeerIndex,
        hash: HashIndex,
        now: Duration,
    );

    /// The peer's answer to a request came to nothing.
    fn handle_failed(
        &mut self,
        hashes: &mut impl Knowledge<Self::Known>,
        peer: PeerIndex,
        hash: HashIndex,
        fault: Fault,
        now: Duration,
    );

    /// Time went on: called when [`deadline`](Self::deadline) is reached, and possibly at other times.
    fn handle_time(&mut self, hashes: &mut impl Knowledge<Self::Known>, now: Duration);

    /// When [`handle_time`](Self::handle_time) may have something to do; too early costs a call, none means never.
    fn deadline(&self) -> Option<Duration>;

    /// Appends all that is to be done. The order does not matter: the node sorts it into few messages.
    fn poll_actions(&mut self, actions: &mut Vec<Action>);

    /// Whether this is more than nothing.
    fn remembers(&self, known: &Self::Known) -> bool;

    /// Whether the peer offered this hash on its present connection and did not take it back.
    fn was_offered(&self, peer: PeerIndex, known: &Self::Known) -> bool;

    /// Whether this hash was advertised to the peer on its present connection, or need not be.
    fn was_told(&self, peer: PeerIndex, known: &Self::Known) -> bool;

    /// How many hashes are requested and not yet here.
    fn in_flight(&self) -> usize;
}

/// What a [`Strategy`] knows of the hashes, by their numbers.
///
/// A vector that is long enough will do where there is no node, as in the test of a strategy.
pub trait Knowledge<K> {
    /// All numbers are below this. Of those not in use, nothing is known.
    fn numbers(&self) -> usize;

    /// What is known of a hash.
    fn of(&self, hash: HashIndex) -> &K;

    /// The same, to be changed.
    fn of_mut(&mut self, hash: HashIndex) -> &mut K;
}

impl<K> Knowledge<K> for Vec<K> {
    fn numbers(&self) -> usize {
        self.len()
    }

    fn of(&self, hash: HashIndex) -> &K {
        &self[hash.index()]
    }

    fn of_mut(&mut self, hash: HashIndex) -> &mut K {
        &mut self[hash.index()]
    }
}

/// What a [`Strategy`] wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// No peer offers this hash any more and it is not held: its number may be used for another one.
    Forget {
        /// Which number.
        hash: HashIndex,
    },
    /// The peer has overstepped a bound: end its connection.
    Disconnect {
        /// Whose connection.
        peer: PeerIndex,
    },
    /// The peer's answer to a request is of no more use: stop it if it has begun.
    Cancel {
        /// Who was asked.
        peer: PeerIndex,
        /// What is no longer wanted.
        hash: HashIndex,
    },
    /// Tell the peer that this hash is held here.
    Advertise {
        /// Whom to tell.
        peer: PeerIndex,
        /// What is held.
        hash: HashIndex,
    },
    /// Ask the peer for this hash.
    Request {
        /// Whom to ask.
        peer: PeerIndex,
        /// What is wanted.
        hash: HashIndex,
    },
}

/// Why an answer came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ended early, or grew beyond what is accepted: another try may succeed.
    Broken,
    /// It was whole, and not the content of its hash: the peer is not to be trusted with it.
    Wrong,
}

impl PeerIndex {
    /// The peer with this number.
    ///
    /// # Panics
    /// Beyond 2^32 peers.
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a node has fewer than 2^32 neighbours"))
    }

    /// The number, to index with.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl HashIndex {
    /// The hash with this number.
    ///
    /// # Panics
    /// Beyond 2^32 hashes.
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a node knows fewer than 2^32 hashes"))
    }

    /// The number, to index with.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Action {
    /// Whom it concerns.
    pub(crate) fn peer(&self) -> Option<PeerIndex> {
        match *self {
            Self::Forget { .. } => None,
            Self::Disconnect { peer }
            | Self::Cancel { peer, .. }
            | Self::Advertise { peer, .. }
            | Self::Request { peer, .. } => Some(peer),
        }
    }

    /// Which hash it is about; the first one if it is about none.
    pub(crate) fn hash(&self) -> HashIndex {
        match *self {
            Self::Disconnect { .. } => HashIndex::default(),
            Self::Forget { hash }
            | Self::Cancel { hash, .. }
            | Self::Advertise { hash, .. }
            | Self::Request { hash, .. } => hash,
        }
    }

    /// Sorts actions so that those which become one message stand together: by peer, then by kind. One number, as
    /// every action is sorted.
    pub(crate) fn order(&self) -> u128 {
        let kind = match self {
            Self::Forget { .. } => 0,
            Self::Disconnect { .. } => 1,
            Self::Cancel { .. } => 2,
            Self::Advertise { .. } => 3,
            Self::Request { .. } => 4,
        };
        let peer = self.peer().map_or(0, |peer| u64::from(peer.0) + 1);
        u128::from(peer << 8 | kind) << 32 | u128::from(self.hash().0)
    }
}
