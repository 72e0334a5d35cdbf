//! Connections come and go.

use std::time::Duration;

use hash_exchange::Connection;

use super::{Errand, State};
use crate::config::Backoff;
use crate::dial;
use crate::host::Host;
use crate::neighbour::{Link, Loss, Peer, Role};
use crate::strategy::{PeerIndex, Strategy};

impl<H: Host, S: Strategy> State<H, S> {
    /// Somebody has dialled us. Gives the stream back if it is refused, to be dropped outside of the cell.
    pub(crate) fn accept(&mut self, from: H::Address, stream: H::Stream) -> Option<H::Stream> {
        let Some(peer) = self.find(&from).or_else(|| self.add_stranger(&from)) else {
            return Some(stream);
        };
        let dialling = self.peers[peer.index()].dialling;
        if !dial::accepts(&self.host.address(), &from, dialling) {
            return Some(stream);
        }
        self.connect(peer, stream);
        None
    }

    /// A dial has ended. Gives the stream back if it came too late.
    pub(crate) fn dialled(
        &mut self,
        peer: PeerIndex,
        generation: u32,
        outcome: std::io::Result<H::Stream>,
    ) -> Option<H::Stream> {
        if self.links[peer.index()].generation != generation {
            return outcome.ok();
        }
        self.peers[peer.index()].dialling = false;
        match outcome {
            Ok(stream) => self.connect(peer, stream),
            Err(_) => {
                let now = self.host.now();
                self.redial_later(peer, now);
                self.arm_timer();
            }
        }
        None
    }

    /// How long to wait before accepting again after that failed.
    pub(crate) fn accept_pause(&self) -> Duration {
        self.config.backoff.pause(0, &mut self.host.rng())
    }

    /// The address that a dial is for.
    pub(crate) fn address(&self, peer: PeerIndex) -> &H::Address {
        &self.peers[peer.index()].address
    }

    pub(super) fn start_dial(&mut self, peer: PeerIndex) {
        self.peers[peer.index()].dialling = true;
        let generation = self.links[peer.index()].generation;
        self.errands.push(Errand::Dial(peer, generation));
    }

    fn connect(&mut self, peer: PeerIndex, stream: H::Stream) {
        let now = self.host.now();
        self.lose(peer, Loss::Replaced, now);
        self.peers[peer.index()].dialling = false;
        let link = &mut self.links[peer.index()];
        link.generation = link.generation.wrapping_add(1);
        link.heard = false;
        link.connection = Some(Connection::with_limits(stream, self.config.limits.clone()));
        self.errands.push(Errand::Serve(peer, link.generation));
        if self.durable.is_some() {
            self.introduce(peer, now);
        } else {
            self.strategy.handle_connected(&mut self.catalogue, peer);
        }
        self.carry_out(now);
    }

    /// Ends the connection of a peer, if there is one, and with it all that was known of that peer.
    pub(super) fn lose(&mut self, peer: PeerIndex, loss: Loss, now: Duration) {
        let state = &mut self.peers[peer.index()];
        let link = &mut self.links[peer.index()];
        let Some(connection) = link.connection.take() else {
            return;
        };
        self.errands.push(Errand::Drop(Box::new(connection)));
        self.errands.extend(link.waker.take().map(Errand::Wake));
        if link.heard && !loss.is_misconduct() {
            state.attempts = 0;
        }
        let replaced = matches!(loss, Loss::Replaced);
        state.note_loss(loss, now);
        self.unwanted.clear();
        self.downloads.drop_peer(peer);
        let closing = std::mem::take(&mut link.closing);
        self.take_backlog(peer);
        let durable = self.durable.as_mut();
        let known = durable.is_none_or(|durable| durable.end_talk(peer));
        if !closing && known {
            self.strategy
                .handle_disconnected(&mut self.catalogue, peer, now);
        }
        if !replaced {
            self.redial_later(peer, now);
        }
    }

    fn redial_later(&mut self, peer: PeerIndex, now: Duration) {
        let state = &mut self.peers[peer.index()];
        let backoff = match state.role {
            Role::Stranger => return,
            Role::Dialling if state.attempts == 0 => Backoff {
                min: self.config.patience,
                max: self.config.patience,
            },
            Role::Dialled | Role::Dialling => self.config.backoff,
        };
        let pause = backoff.pause(state.attempts, &mut self.host.rng());
        state.attempts = state.attempts.saturating_add(1);
        let redials = self.redials.get_or_insert_default();
        let generation = self.links[peer.index()].generation;
        redials.insert((now + pause, peer, generation));
    }

    /// Makes room for a neighbour that nobody named, in the place of one that has gone if there is no other.
    fn add_stranger(&mut self, address: &H::Address) -> Option<PeerIndex> {
        if *address == self.host.address() {
            return None;
        }
        if self.peers.len() - self.named < self.config.max_strangers {
            self.peers.push(Peer::new(address.clone(), Role::Stranger));
            self.links.push(Link::default());
            return Some(PeerIndex::new(self.peers.len() - 1));
        }
        let gone = self.links[self.named..]
            .iter()
            .position(|link| link.connection.is_none())?;
        let peer = self.named + gone;
        self.peers[peer] = Peer::new(address.clone(), Role::Stranger);
        self.links[peer] = Link {
            generation: self.links[peer].generation,
            ..Link::default()
        };
        Some(PeerIndex::new(peer))
    }
}
