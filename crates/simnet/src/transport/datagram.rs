use std::time::Duration;

use super::send::chance_of;
use crate::NodeId;
use crate::calendar::Span;
use crate::core::{Arrival, Core};
use crate::datagram::{Bound, CarriedDatagrams, Ports, Queued, Received};
use crate::draw::{Purpose, bounded, draw, mix};
use crate::event::{Event, Header, Kind};
use crate::impairment::{Mangling, Passage};
use crate::node::Waiting;
use crate::route::Route;
use crate::time::nanos;
use crate::trace::What;

const LOSS: Purpose = Purpose::new("simnet.datagram_loss");
const JITTER: Purpose = Purpose::new("simnet.datagram_jitter");
const DUPLICATE: Purpose = Purpose::new("simnet.datagram_duplicate");
const REORDER: Purpose = Purpose::new("simnet.datagram_reorder");
const DETOUR: Purpose = Purpose::new("simnet.datagram_detour");
const CORRUPT: Purpose = Purpose::new("simnet.datagram_corrupt");
const CORRUPT_AT: Purpose = Purpose::new("simnet.datagram_corrupt_at");

/// A datagram that has left its node, and what decides what becomes of it.
struct Transit<'a> {
    source: NodeId,
    dest: NodeId,
    ports: Ports,
    payload: &'a [u8],
    route: Route,
    passage: Passage,
    mangling: Mangling,
    /// The draws' owner, and the number of this datagram among the owner's.
    link: u64,
    number: u64,
}

/// Datagrams on their way: each on its own, never repeated, never put in order.
impl Core {
    /// Takes a port; false if it is taken.
    pub(crate) fn bind(&mut self, id: NodeId, port: u16) -> bool {
        let sockets = &mut self.make_datagrams(id).sockets;
        if sockets.iter().any(|it| it.port == port) {
            return false;
        }
        // Few nodes have a second one.
        sockets.reserve_exact(1);
        sockets.push(Bound {
            port,
            waiting: None,
            queue: Default::default(),
        });
        true
    }

    /// Lets go of a port, and of what waits there.
    pub(crate) fn unbind(&mut self, id: NodeId, port: u16) -> Option<Bound> {
        let is_there = |arrival: &mut Arrival| matches!(arrival, Arrival::Datagram { ports, .. } if ports.dest == port);
        self.arrival.take_if(is_there);
        let sockets = &mut self.datagrams(id)?.sockets;
        let at = sockets.iter().position(|it| it.port == port)?;
        Some(sockets.swap_remove(at))
    }

    /// The node's process has stopped: nobody hears at its ports any more.
    pub(crate) fn close_sockets(&mut self, id: NodeId) -> Vec<Bound> {
        let datagrams = self.datagrams(id);
        datagrams.map_or(Vec::new(), |it| std::mem::take(&mut it.sockets))
    }

    /// The node's downlink has lost its power, and the datagrams that it held.
    pub(super) fn lose_datagrams(&mut self, id: NodeId, count: u64) {
        if count > 0 {
            self.make_datagrams(id).carried.unheard += count;
        }
    }

    /// Sends a datagram; what becomes of it is decided here, but for whether somebody hears it.
    pub(crate) fn send_datagram(
        &mut self,
        source: NodeId,
        dest: NodeId,
        ports: Ports,
        payload: &[u8],
    ) {
        let (seed, now) = (self.plan.seed, self.now);
        let link = u64::from(source) << 32 | u64::from(dest);
        let place = self.moment.place(now, self.running, link);
        let from_outside = u64::from(self.running.is_none());
        let number = mix(now.as_nanos()) ^ (u64::from(place) << 2 | from_outside << 1);
        let carried = &mut self.make_datagrams(source).carried;
        carried.sent += 1;
        carried.sent_bytes += payload.len() as u64;

        let route = self.plan.route(source, dest, now);
        let left = self.depart(source, dest, &route, payload.len() as u32);
        let powerless = self.plan.lives.crashes_within(source, now, left);
        let passage = self.plan.passage(source, dest, left);
        let passage = passage.filter(|passage| {
            let loss = route.loss.or(passage.loss);
            !powerless && !chance_of(loss, || draw(seed, LOSS, link, number))
        });
        let Some(passage) = passage else {
            self.lose_datagram(source, dest, payload);
            return;
        };
        let mangling = self.plan.mangling(source, dest, passage.left);
        let mut transit = Transit {
            source,
            dest,
            ports,
            payload,
            route,
            passage,
            mangling,
            link,
            number,
        };
        self.pass(&transit);
        if chance_of(mangling.duplicate, || draw(seed, DUPLICATE, link, number)) {
            self.make_datagrams(source).carried.duplicated += 1;
            // The copy is a datagram of its own to all further draws.
            transit.number ^= 1;
            self.pass(&transit);
        }
    }

    /// Brings a datagram to its node's machine.
    fn pass(&mut self, transit: &Transit<'_>) {
        let (seed, link, number) = (self.plan.seed, transit.link, transit.number);
        let (route, passage, mangling) = (&transit.route, &transit.passage, &transit.mangling);
        let jitter = || draw(seed, JITTER, link, number);
        let mut delay = route.floor + self.plan.routes.jitter(route, jitter);
        if chance_of(mangling.reorder, || draw(seed, REORDER, link, number)) {
            let longest = nanos(mangling.detour).saturating_add(1);
            delay += bounded(draw(seed, DETOUR, link, number), longest);
        }
        let arrival = passage.left + passage.delay + Duration::from_nanos(delay);
        if self.plan.lives.is_deaf(transit.dest, arrival) {
            self.lose_datagram(transit.source, transit.dest, transit.payload);
            return;
        }
        let header = Header {
            word: transit.ports.encode(),
            ..Header::default()
        };
        let (source, dest, payload) = (transit.source, transit.dest, transit.payload);
        let bits = payload.len() as u64 * 8;
        if bits > 0 && chance_of(mangling.corrupt, || draw(seed, CORRUPT, link, number)) {
            let bit = bounded(draw(seed, CORRUPT_AT, link, number), bits);
            let mut payload = payload.to_vec();
            payload[(bit / 8) as usize] ^= 1 << (bit % 8);
            self.make_datagrams(source).carried.corrupted += 1;
            self.emit(arrival, dest, source, Kind::Datagram, header, &payload);
        } else {
            self.emit(arrival, dest, source, Kind::Datagram, header, payload);
        }
    }

    fn lose_datagram(&mut self, source: NodeId, dest: NodeId, payload: &[u8]) {
        self.make_datagrams(source).carried.lost += 1;
        let bytes = payload.len() as u32;
        self.note(source, || What::Lost { to: dest, bytes });
    }

    /// A datagram has arrived.
    pub(super) fn receive_datagram(&mut self, event: &Event, payload: Span) {
        let room = self.plan.datagrams.queue as usize;
        let (id, source) = (event.dest, event.source);
        let ports = Ports::decode(event.record.header.word);
        let datagrams = self.make_datagrams(id);
        let bound = datagrams
            .sockets
            .iter_mut()
            .find(|it| it.port == ports.dest);
        let Some(bound) = bound else {
            datagrams.carried.unheard += 1;
            return;
        };
        if bound.queue.len() >= room {
            datagrams.carried.overflowed += 1;
            return;
        }
        datagrams.carried.delivered += 1;
        let behind_others = !bound.queue.is_empty();
        let waiting = bound.waiting.take();
        self.arrival = Some(Arrival::Datagram {
            source,
            ports,
            bytes: payload,
        });
        if behind_others {
            self.spill_arrival(id);
        }
        match waiting {
            Some(Waiting::Task(task)) => self.node(id).wake(task),
            Some(Waiting::Waker(waker)) => self.wakers.push(waker),
            None => {}
        }
    }

    /// Puts a datagram that was not taken at once into the queue of its socket.
    pub(crate) fn queue_datagram(&mut self, id: NodeId, source: NodeId, ports: Ports, bytes: Span) {
        let payload = self.window.bytes(bytes).into();
        if let Some(bound) = self.bound(id, ports.dest) {
            bound.queue.push_back(Queued {
                source,
                port: ports.source,
                payload,
            });
        }
    }

    /// Copies the next datagram of a socket, if there is one.
    pub(crate) fn take_datagram(
        &mut self,
        id: NodeId,
        port: u16,
        buffer: &mut [u8],
    ) -> Option<Received> {
        if let Some(Arrival::Datagram {
            source,
            ports,
            mut bytes,
        }) = self.arrival
            && ports.dest == port
        {
            self.arrival = None;
            let bytes = self.window.bytes(bytes.take(buffer.len()));
            buffer[..bytes.len()].copy_from_slice(bytes);
            return Some(Received {
                length: bytes.len(),
                source,
                port: ports.source,
            });
        }
        let queue = &mut self.bound(id, port)?.queue;
        let first = queue.pop_front()?;
        if queue.is_empty() {
            *queue = Default::default();
        }
        let length = first.payload.len().min(buffer.len());
        buffer[..length].copy_from_slice(&first.payload[..length]);
        Some(Received {
            length,
            source: first.source,
            port: first.port,
        })
    }

    /// Remembers who waits for a socket's next datagram; who did so before.
    pub(crate) fn wait_for_datagram(
        &mut self,
        id: NodeId,
        port: u16,
        waiting: Waiting,
    ) -> Option<Waiting> {
        self.bound(id, port)?.waiting.replace(waiting)
    }

    fn bound(&mut self, id: NodeId, port: u16) -> Option<&mut Bound> {
        let mut sockets = self.datagrams(id)?.sockets.iter_mut();
        sockets.find(|it| it.port == port)
    }

    /// What each node's sockets have carried, in order.
    pub(crate) fn carried_datagrams(&self) -> impl Iterator<Item = CarriedDatagrams> {
        let nodes = 0..self.nodes().len();
        nodes.map(|at| {
            self.datagrams
                .get(at)
                .map_or_else(Default::default, |it| it.carried)
        })
    }
}
