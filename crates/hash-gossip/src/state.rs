//! What all tasks of a node share: its neighbours and their connections, its bodies, and what is yet to be done.

mod actions;
mod links;
mod recovery;
pub(crate) mod resuming;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hash_exchange::{Connection, Hash, Progress, ResponseId};
use rand::Rng as _;

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::download::{Downloads, Room};
use crate::durable::Durable;
use crate::host::Host;
use crate::log::Entry;
use crate::neighbour::{Body, Link, Loss, Neighbour, Peer, Role, Status};
use crate::reader::{Counters, Reader};
use crate::scratch::Scratch;
use crate::strategy::{PeerIndex, Strategy};

use actions::Backlog;

/// The one cell of a node.
///
/// Every method that may change anything ends with [`carry_out`](Self::carry_out), and leaves in `errands` what must
/// wait until the cell is free again.
///
/// What every poll looks at stands first and together, as nothing of a node is in the cache when its turn comes.
#[repr(C)]
pub(crate) struct State<H: Host, S: Strategy> {
    /// The connections to the peers, in the order of those.
    links: Vec<Link<H>>,
    scratch: Rc<Scratch>,
    config: Rc<Config>,
    host: H,
    errands: Vec<Errand<H>>,
    unwanted: Vec<ResponseId>,
    /// What there is to say to peers that do not read fast enough.
    backlogs: Rarely<BTreeMap<PeerIndex, Backlog>>,
    /// When to dial whom, unless the generation has changed.
    redials: Rarely<BTreeSet<(Duration, PeerIndex, u32)>>,
    timer: Timer,
    pub(crate) strategy: S,
    pub(crate) catalogue: Catalogue<H::Address, S::Known>,
    downloads: Downloads,
    pub(crate) counters: Counters,
    /// First those named at the start, in the order of their addresses, then the strangers.
    peers: Vec<Peer<H::Address>>,
    named: usize,
    /// None if the node keeps nothing on its disk.
    pub(crate) durable: Rarely<Durable>,
}

/// What most nodes do not have most of the time: none, rather than empty.
type Rarely<T> = Option<Box<T>>;

/// Something that may call back into the node, so it is done when nobody holds the cell.
pub(crate) enum Errand<H: Host> {
    Wake(Waker),
    Drop(Box<Connection<H::Stream, Body>>),
    /// Run the task of a connection.
    Serve(PeerIndex, u32),
    /// Run a dial.
    Dial(PeerIndex, u32),
}

/// The timer task: asleep until `armed`, or for as long as there is nothing to time.
struct Timer {
    armed: Duration,
    waker: Option<Waker>,
}

impl<H: Host, S: Strategy> State<H, S> {
    pub(crate) fn new(
        host: H,
        config: Rc<Config>,
        strategy: S,
        mut neighbours: Vec<Neighbour<H::Address>>,
    ) -> Self {
        let own = host.address();
        // A neighbour that is named twice is dialled if either says so.
        neighbours.sort_by(|a, b| (&a.address, b.dial).cmp(&(&b.address, a.dial)));
        neighbours.dedup_by(|a, b| a.address == b.address);
        neighbours.retain(|neighbour| neighbour.address != own);
        // No more room than is needed: one more peer takes as much as all else of it.
        let mut peers = Vec::with_capacity(neighbours.len());
        peers.extend(neighbours.into_iter().map(|Neighbour { address, dial }| {
            Peer::new(address, if dial { Role::Dialled } else { Role::Dialling })
        }));
        let key = host.rng().next_u64();
        Self {
            durable: config.durable.then(Box::default),
            scratch: host.scratch(),
            host,
            config,
            named: peers.len(),
            links: peers.iter().map(|_| Link::default()).collect(),
            peers,
            catalogue: Catalogue::new(key),
            downloads: Downloads::default(),
            strategy,
            counters: Counters::default(),
            backlogs: None,
            redials: None,
            timer: Timer {
                armed: Duration::MAX,
                waker: None,
            },
            unwanted: Vec::new(),
            errands: Vec::new(),
        }
    }

    /// Dials those whom it is for us to dial.
    pub(crate) fn dial_all(&mut self) {
        for index in 0..self.peers.len() {
            if self.peers[index].role == Role::Dialled {
                self.start_dial(PeerIndex::new(index));
            }
        }
    }

    pub(crate) fn has_errands(&self) -> bool {
        !self.errands.is_empty()
    }

    pub(crate) fn take_errands(&mut self) -> Vec<Errand<H>> {
        std::mem::take(&mut self.errands)
    }

    /// Nothing waits to be written to any peer or to the disk, and no body to be sent.
    pub(crate) fn has_said_all(&self) -> bool {
        let mut connections = self.links.iter().filter_map(|it| it.connection.as_ref());
        let durable = self.durable.as_ref();
        self.backlogs.is_none()
            && durable.is_none_or(|durable| durable.has_written_all() && durable.has_greeted_all())
            && connections.all(|it| it.unwritten() == 0 && it.serving() == 0)
    }

    pub(crate) fn status(&self, peer: PeerIndex) -> Status<H::Address> {
        let up = self.links[peer.index()].connection.is_some();
        self.peers[peer.index()].status(up)
    }

    pub(crate) fn statuses(&self) -> impl Iterator<Item = Status<H::Address>> {
        (0..self.peers.len()).map(|index| self.status(PeerIndex::new(index)))
    }

    /// The neighbour with this address.
    pub(crate) fn find(&self, address: &H::Address) -> Option<PeerIndex> {
        let (named, strangers) = self.peers.split_at(self.named);
        named
            .binary_search_by(|peer| peer.address.cmp(address))
            .ok()
            .or_else(|| {
                let stranger = strangers.iter().position(|peer| peer.address == *address)?;
                Some(self.named + stranger)
            })
            .map(PeerIndex::new)
    }

    /// Holds bodies from now on and tells the neighbours of those that are new.
    pub(crate) fn publish(&mut self, bodies: impl IntoIterator<Item = (Hash, Rc<[u8]>)>) {
        if !self.is_ready()
            && let Some(durable) = &mut self.durable
        {
            durable.early.extend(bodies);
            return;
        }
        let now = self.host.now();
        for (hash, body) in bodies {
            self.hold(&hash, body, now);
        }
        self.carry_out(now);
    }

    /// Holds a body that came from no peer.
    fn hold(&mut self, hash: &Hash, body: Rc<[u8]>, now: Duration) {
        let hash = self.catalogue.intern(hash);
        let hash = hash.expect("a published hash is a SHA-1");
        if self.catalogue.hold(hash, body, None, now) {
            self.strategy
                .handle_held(&mut self.catalogue, hash, None, now);
        }
    }

    /// Holds a hash no longer; false if it was not held.
    pub(crate) fn evict(&mut self, hash: &Hash) -> bool {
        let number = self.catalogue.number(hash);
        let Some(number) = number.filter(|&number| self.catalogue.evict(number)) else {
            return false;
        };
        self.strategy.handle_evicted(&mut self.catalogue, number);
        self.write_later(Entry::Evicted(hash.clone()));
        self.carry_out(self.host.now());
        true
    }

    /// Polls one connection, for its task. Ready once the task has no connection any more.
    pub(crate) fn poll_connection(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerIndex,
        generation: u32,
    ) -> Poll<()> {
        // Nothing of this is in the cache when a node's turn comes: all is looked for at once, not one after the other.
        let link = self.links[peer.index()].touch();
        black_box((link, self.catalogue.touch(), self.counters.touch()));
        let link = &mut self.links[peer.index()];
        let Some(connection) = &mut link.connection else {
            return Poll::Ready(());
        };
        if link.generation != generation {
            return Poll::Ready(());
        }
        match &mut link.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => link.waker = Some(cx.waker().clone()),
        }
        let now = self.host.now();
        let was_closing = link.closing;
        let mut reader = Reader {
            peer,
            address: &self.peers[peer.index()].address,
            now,
            room: Room {
                body: self.config.max_body,
                unfinished: self.config.max_unfinished,
            },
            catalogue: &mut self.catalogue,
            downloads: &mut self.downloads,
            scratch: &self.scratch,
            strategy: &mut self.strategy,
            counters: &mut self.counters,
            unwanted: &mut self.unwanted,
            durable: self.durable.as_deref_mut(),
            mark: self.config.mark,
            heard: &mut link.heard,
            closing: &mut link.closing,
        };
        let mut frames = self.scratch.take_frames();
        connection.lend(&mut frames);
        let outcome = connection.poll(cx, &mut reader);
        connection.reclaim(&mut frames);
        self.scratch.put_frames(frames);
        let agrees = link.closing && !was_closing;
        match outcome {
            Poll::Ready(Ok(Progress::Ended)) => self.lose(peer, Loss::Ended, now),
            Poll::Ready(Err(error)) => self.lose(peer, Loss::Failed(Rc::new(error)), now),
            Poll::Ready(Ok(Progress::Paused)) | Poll::Pending => {
                if agrees {
                    self.close(peer);
                }
                if !self.unwanted.is_empty() || self.backlogs.is_some() {
                    self.catch_up(peer, now);
                }
                if self.durable.is_some() {
                    self.resume(peer, now);
                }
                // CLOSE goes out on the next poll; and were the reader ever to pause, that would be the way to go on.
                if agrees || outcome.is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
        }
        self.carry_out(now);
        match self.links[peer.index()].connection {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    }

    /// Agrees with a peer that wants nothing more: the connection ends once what is under way is done.
    fn close(&mut self, peer: PeerIndex) {
        self.take_backlog(peer);
        if let Some(connection) = &mut self.links[peer.index()].connection {
            connection.close();
        }
    }

    /// Says to a peer what its last poll gave cause to, and what had to wait for that.
    fn catch_up(&mut self, peer: PeerIndex, now: Duration) {
        let link = &mut self.links[peer.index()];
        let Some(connection) = &mut link.connection else {
            return;
        };
        let blocked = connection.unwritten() > 0;
        for response in self.unwanted.drain(..) {
            self.downloads.end(peer, response);
            // What has ended by now needs no cancelling.
            if let Ok(Some(tag)) = connection.cancel(response) {
                self.counters.count(tag);
            }
        }
        self.say_backlog(peer);
        let link = &mut self.links[peer.index()];
        if !blocked
            && let Some(connection) = &mut link.connection
            && let Err(error) = actions::flush(connection, link.waker.as_ref())
        {
            self.lose(peer, Loss::Failed(Rc::new(error)), now);
        }
    }

    /// What is due by now: dials, and requests that have stalled.
    pub(crate) fn handle_time(&mut self) {
        let now = self.host.now();
        while let Some(redials) = &mut self.redials
            && let Some(&(at, peer, generation)) = redials.first()
            && at <= now
        {
            redials.pop_first();
            if redials.is_empty() {
                self.redials = None;
            }
            let link = &self.links[peer.index()];
            let dialling = self.peers[peer.index()].dialling;
            if link.generation == generation && link.connection.is_none() && !dialling {
                self.start_dial(peer);
            }
        }
        self.strategy.handle_time(&mut self.catalogue, now);
        if self.durable.is_some() {
            self.handle_time_of_talks(now);
        }
        self.carry_out(now);
    }

    /// When [`handle_time`](Self::handle_time) has something to do, pending while it has nothing.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        self.timer.waker = Some(cx.waker().clone());
        match self.due() {
            Some(due) => {
                self.timer.armed = due;
                Poll::Ready(due)
            }
            None => {
                self.timer.armed = Duration::MAX;
                Poll::Pending
            }
        }
    }

    /// Ready once there is something to do before the time for which the timer was armed.
    pub(crate) fn poll_sooner(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.waker = Some(cx.waker().clone());
        if self.due().is_some_and(|due| due < self.timer.armed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    pub(crate) fn due(&self) -> Option<Duration> {
        let redials = self.redials.as_ref();
        let redial = redials.and_then(|redials| redials.first().map(|&(at, ..)| at));
        let due = match (redial, self.strategy.deadline()) {
            (Some(redial), Some(deadline)) => Some(redial.min(deadline)),
            (redial, deadline) => redial.or(deadline),
        };
        match &self.durable {
            Some(durable) => durable.due_or(due),
            None => due,
        }
    }

    /// Wakes the timer if it would oversleep. It is not told of what became later: it looks when it wakes.
    fn arm_timer(&mut self) {
        if self.due().is_some_and(|due| due < self.timer.armed)
            && let Some(waker) = self.timer.waker.take()
        {
            self.errands.push(Errand::Wake(waker));
        }
    }
}
