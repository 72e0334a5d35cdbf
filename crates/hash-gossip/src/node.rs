use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::{Hash, Tally};

use crate::catalogue::Record;
use crate::config::Config;
use crate::host::Host;
use crate::neighbour::{Neighbour, Status};
use crate::state::{Errand, State};
use crate::strategy::{Knowledge as _, PeerIndex, Strategy};
use crate::task;
use crate::trade::Trade;

/// A node: a store of bodies, and a connection to each neighbour.
///
/// This is a handle; clones are the same node. The node lives in tasks that it spawns on its host, for as long as the
/// host runs them, so dropping handles does not end it.
pub struct Node<H: Host, S: Strategy = Trade> {
    shared: Rc<Shared<H, S>>,
}

/// What the tasks of a node and its handles hold.
#[repr(C)]
pub(crate) struct Shared<H: Host, S: Strategy> {
    state: RefCell<State<H, S>>,
    pub(crate) host: H,
}

impl<H: Host> Node<H> {
    /// Starts a node with the strategy [`Trade`]: it dials its neighbours and accepts them.
    pub fn start(
        host: H,
        config: impl Into<Rc<Config>>,
        neighbours: Vec<Neighbour<H::Address>>,
    ) -> Self {
        let config = config.into();
        let strategy = Trade::new(config.stall, config.slowest, config.max_offers);
        Self::start_with(host, config, neighbours, strategy)
    }
}

impl<H: Host, S: Strategy> Node<H, S> {
    /// Starts a node with a strategy of one's own.
    pub fn start_with(
        host: H,
        config: impl Into<Rc<Config>>,
        neighbours: Vec<Neighbour<H::Address>>,
        strategy: S,
    ) -> Self {
        let state = State::new(host.clone(), config.into(), strategy, neighbours);
        let state = RefCell::new(state);
        let shared = Rc::new(Shared { host, state });
        if shared.state.borrow().durable.is_some() {
            let disk = shared.host.disk();
            shared.host.spawn(task::keep(Rc::clone(&shared), disk));
        } else {
            shared.open();
        }
        Self { shared }
    }

    /// Is done once the node holds what its disk had kept; at once if it keeps nothing there. What is published before is held from then on.
    ///
    /// While the disk cannot be read this is tried again and again: [`disk_trouble`](Self::disk_trouble) says why it cannot.
    pub async fn ready(&self) {
        poll_fn(|cx| self.shared.with(|state| state.poll_ready(cx))).await;
    }

    /// Whether the node holds what its disk had kept, so that [`ready`](Self::ready) is done.
    pub fn is_ready(&self) -> bool {
        self.look(|state| state.is_ready())
    }

    /// Whether this hash is held, and will be after a crash: its body is durable on the disk.
    pub fn is_durable(&self, hash: &Hash) -> bool {
        self.look(|state| state.is_durable(hash))
    }

    /// Whether this hash was held, and let go of by [`evict`](Self::evict).
    pub fn has_evicted(&self, hash: &Hash) -> bool {
        self.look(|state| {
            let number = state.catalogue.number(hash);
            number.is_some_and(|number| state.catalogue.was_evicted(number))
        })
    }

    /// Why the disk could not be read or written the last time, if that is yet to be made good. A node whose disk is full goes on with what it has in
    /// memory, and tries again.
    pub fn disk_trouble(&self) -> Option<Rc<io::Error>> {
        self.look(|state| state.durable.as_ref()?.trouble.clone())
    }

    /// Holds a body from now on, and offers it to the neighbours. Returns its hash.
    pub fn publish(&self, body: impl Into<Rc<[u8]>>) -> Hash {
        let body = body.into();
        let hash = Hash::sha1(&body);
        self.publish_hashed(hash.clone(), body);
        hash
    }

    /// The same for a body whose hash the caller has computed. A wrong one makes a liar of this node: what it
    /// sends will be refused.
    ///
    /// # Panics
    /// If the hash is not a SHA-1: no node would ask for it, as none could check what it gets.
    pub fn publish_hashed(&self, hash: Hash, body: Rc<[u8]>) {
        self.publish_all([(hash, body)]);
    }

    /// The same for several bodies, which are offered together: one AVAILABLE tells a neighbour of as many of them as
    /// [`Config::batch`] allows.
    ///
    /// # Panics
    /// If a hash is not a SHA-1. Nothing is published then.
    pub fn publish_all(&self, bodies: impl IntoIterator<Item = (Hash, Rc<[u8]>)>) {
        // The iterator may look at the node, so it ends before the node is borrowed.
        let bodies: Vec<_> = bodies.into_iter().collect();
        let all_sha1 = bodies.iter().all(|(hash, _)| hash.as_sha1().is_some());
        assert!(all_sha1, "a published hash is a SHA-1");
        self.shared.with(|state| state.publish(bodies));
    }

    /// Lets go of a body; false if it was not held.
    ///
    /// The node does not ask for it again by itself, whoever offers it, for as long as it lives, so it remembers the name. The wire has no
    /// word for this: neighbours that were told of the hash learn it when they ask, and turn to another holder. A body that is being sent
    /// is sent to its end. If the hash is published again it is as any other that is published: it is held anew, and all are told who do not
    /// offer it themselves.
    pub fn evict(&self, hash: &Hash) -> bool {
        self.shared.with(|state| state.evict(hash))
    }

    /// The hashes that are held, in order.
    pub fn hashes(&self) -> Vec<Hash> {
        self.look(|state| state.catalogue.held().collect())
    }

    /// Whether this hash is held.
    pub fn holds(&self, hash: &Hash) -> bool {
        self.look(|state| state.catalogue.body(hash).is_some())
    }

    /// The body of a hash, if it is held.
    pub fn body(&self, hash: &Hash) -> Option<Rc<[u8]>> {
        self.look(|state| state.catalogue.body(hash).cloned())
    }

    /// How a hash came to be held.
    pub fn record(&self, hash: &Hash) -> Option<Record<H::Address>> {
        self.look(|state| state.catalogue.record(hash))
    }

    /// How every hash that is held came to be so, in the order of [`hashes`](Self::hashes).
    pub fn records(&self) -> Vec<Record<H::Address>> {
        self.look(|state| state.catalogue.records().collect())
    }

    /// What became new since the first `since` hashes did, in the order in which it became so. What was evicted since is still there, and comes
    /// once more if it was published again.
    pub fn news(&self, since: usize) -> Vec<Record<H::Address>> {
        self.look(|state| state.catalogue.news(since).collect())
    }

    /// How many of these, the first so many, were on the disk when the node began.
    pub fn recovered(&self) -> usize {
        self.look(|state| {
            state
                .durable
                .as_ref()
                .map_or(0, |durable| durable.recovered)
        })
    }

    /// Bytes of bodies that came in, whole or not, right or wrong. What still came of a body after it was cancelled
    /// is not counted.
    pub fn payload_bytes(&self) -> u64 {
        self.look(|state| state.counters.payload_bytes)
    }

    /// Bodies that came whole and right when they were held before.
    pub fn duplicates(&self) -> u64 {
        self.look(|state| state.counters.duplicates)
    }

    /// Bodies that came whole and were not the content of their hash.
    pub fn rejected(&self) -> u64 {
        self.look(|state| state.counters.rejected)
    }

    /// Hashes that are requested and not yet here.
    pub fn in_flight(&self) -> usize {
        self.look(|state| state.strategy.in_flight())
    }

    /// Whether nothing is under way: no hash is requested that is not yet here, all that peers have asked for and all
    /// that there is to tell them is with the transport, and what is to be durable is so.
    pub fn is_idle(&self) -> bool {
        self.look(|state| state.strategy.in_flight() == 0 && state.has_said_all())
    }

    /// Hashes that are held or were evicted, or are on offer by a neighbour: what the node spends memory on.
    pub fn known(&self) -> usize {
        self.look(|state| state.catalogue.len())
    }

    /// The frames that were sent, on all connections there were.
    pub fn sent(&self) -> Tally {
        self.look(|state| state.counters.sent.as_deref().cloned().unwrap_or_default())
    }

    /// How things stand with each neighbour, in the order of their addresses; strangers come last.
    pub fn neighbours(&self) -> Vec<Status<H::Address>> {
        self.look(|state| state.statuses().collect())
    }

    /// How things stand with one neighbour.
    pub fn neighbour(&self, address: &H::Address) -> Option<Status<H::Address>> {
        self.look(|state| Some(state.status(state.find(address)?)))
    }

    /// Whether a neighbour has offered this hash on the connection that stands, and has not taken it back.
    pub fn was_offered(&self, by: &H::Address, hash: &Hash) -> bool {
        self.look(|state| {
            let (Some(peer), Some(hash)) = (state.find(by), state.catalogue.number(hash)) else {
                return false;
            };
            state.strategy.was_offered(peer, state.catalogue.of(hash))
        })
    }

    /// Whether a neighbour was told on the connection that stands that this hash is held here.
    pub fn was_told(&self, neighbour: &H::Address, hash: &Hash) -> bool {
        self.look(|state| {
            let (Some(peer), Some(hash)) = (state.find(neighbour), state.catalogue.number(hash))
            else {
                return false;
            };
            state.strategy.was_told(peer, state.catalogue.of(hash))
        })
    }

    /// When the node will next act of its own accord, on the clock of its host; none if only others can make it act.
    pub fn deadline(&self) -> Option<Duration> {
        self.look(State::due)
    }

    fn look<T>(&self, with: impl FnOnce(&State<H, S>) -> T) -> T {
        with(&self.shared.state.borrow())
    }
}

impl<H: Host, S: Strategy> Clone for Node<H, S> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<H: Host, S: Strategy> fmt::Debug for Node<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("address", &self.shared.host.address())
            .field("held", &self.look(|state| state.catalogue.held().count()))
            .finish_non_exhaustive()
    }
}

impl<H: Host, S: Strategy> Shared<H, S> {
    /// Dials neighbours and accepts them from now on.
    pub(crate) fn open(self: &Rc<Self>) {
        self.host.spawn(task::accept(Rc::clone(self)));
        self.host.spawn(task::time(Rc::clone(self)));
        self.with(State::dial_all);
    }

    /// Works on the state, and then does what must not be done while it is borrowed: streams that are dropped and
    /// foreign wakers may run any code, and a host may look at the node when it is given a task.
    pub(crate) fn with<T>(self: &Rc<Self>, work: impl FnOnce(&mut State<H, S>) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let outcome = work(&mut state);
        if !state.has_errands() {
            return outcome;
        }
        let errands = state.take_errands();
        drop(state);
        for errand in errands {
            self.run(errand);
        }
        outcome
    }

    fn run(self: &Rc<Self>, errand: Errand<H>) {
        match errand {
            Errand::Wake(waker) => waker.wake(),
            Errand::Drop(connection) => drop(connection),
            Errand::Serve(peer, generation) => {
                let shared = Rc::clone(self);
                self.host.spawn(task::Serve::new(shared, peer, generation));
            }
            Errand::Dial(peer, generation) => {
                let connecting = self.host.connect(&self.address(peer));
                let shared = Rc::clone(self);
                self.host
                    .spawn(task::dial(shared, peer, generation, connecting));
            }
        }
    }

    fn address(&self, peer: PeerIndex) -> H::Address {
        self.state.borrow().address(peer).clone()
    }
}
