//! A router in user space: it takes the packets of each node from a TUN device and gives them to another node's, later or never.
//!
//! What it does to a packet is what the scenario's link does to a segment: the floor plus a draw, behind all that went over the same link before, or
//! lost. Where the link has a bandwidth, packets pass it one after the other first, and the queue before it is as long as it takes. The kernel's TCP sees a
//! network of that bandwidth, latency and loss; nothing else of it is simulated.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use simnet::draw::{Purpose, bounded, chance, draw};
use simnet::{Jitter, Link, Links, NodeId};

use crate::tun::Tun;

/// Forwards packets until the devices are gone.
pub(crate) struct Router {
    forwarding: JoinHandle<Lateness>,
}

/// How much later than due packets were handed over: what the router adds to the latency that it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lateness(/** Sorted. */ Vec<Duration>);

/// A packet under way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    due: Instant,
    /// The place in the order of arrival at the router, so that packets of one link that are due at once keep their order.
    number: u64,
    dest: NodeId,
    bytes: Vec<u8>,
}

impl Router {
    /// Starts to forward between the devices of the nodes, which have the addresses of `addresses`.
    pub(crate) fn start(
        tuns: Vec<Tun>,
        addresses: Vec<Ipv4Addr>,
        links: &Links,
        seed: u64,
    ) -> Self {
        let tuns: Arc<[Tun]> = tuns.into();
        let addresses: Arc<[Ipv4Addr]> = addresses.into();
        let (sender, packets) = mpsc::channel();
        for source in 0..tuns.len() as NodeId {
            let (tuns, addresses) = (Arc::clone(&tuns), Arc::clone(&addresses));
            let outgoing = (0..tuns.len() as NodeId)
                .map(|dest| {
                    Wire::new(
                        links.between(seed, source, dest).clone(),
                        seed,
                        source,
                        dest,
                    )
                })
                .collect();
            let sender = sender.clone();
            thread::spawn(move || take(&tuns[source as usize], &addresses, outgoing, &sender));
        }
        Self {
            forwarding: thread::spawn(move || forward(&tuns, &packets)),
        }
    }

    /// Waits until the devices are gone.
    pub(crate) fn join(self) -> Lateness {
        self.forwarding.join().unwrap_or_default()
    }
}

impl Lateness {
    /// What so many per cent of the packets did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

/// One direction between two nodes: a link, and what has gone over it.
struct Wire {
    link: Link,
    seed: u64,
    owner: u64,
    packets: u64,
    /// When the bandwidth has passed all that has come.
    free: Option<Instant>,
    last_due: Option<Instant>,
}

impl Wire {
    fn new(link: Link, seed: u64, source: NodeId, dest: NodeId) -> Self {
        Self {
            link,
            seed,
            owner: (u64::from(source) << 32) | u64::from(dest),
            packets: 0,
            free: None,
            last_due: None,
        }
    }

    /// When the next packet, sent now, arrives; `None`: never. What is lost is lost behind the bandwidth.
    fn carry(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        const LOSS: Purpose = Purpose::new("validation/loss");
        const JITTER: Purpose = Purpose::new("validation/jitter");
        let raw = |purpose| draw(self.seed, purpose, self.owner, self.packets);
        let (loss, jitter) = (raw(LOSS), raw(JITTER));
        self.packets += 1;
        let left = match self.link.bandwidth {
            Some(bandwidth) => {
                let begins = self.free.map_or(now, |free| free.max(now));
                let bytes = u32::try_from(bytes).expect("a packet has at most 64 KiB");
                let left = begins + bandwidth.time_of(bytes);
                self.free = Some(left);
                left
            }
            None => now,
        };
        if chance(loss, self.link.loss) {
            return None;
        }
        let due = left + latency(&self.link, jitter);
        let due = self.last_due.map_or(due, |last| last.max(due));
        self.last_due = Some(due);
        Some(due)
    }
}

fn latency(link: &Link, raw: u64) -> Duration {
    let jitter = match link.jitter {
        Jitter::Quantiles(_) => unreachable!("no such setting is loaded"),
        Jitter::Constant(jitter) => jitter,
        Jitter::Uniform(most) => {
            let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
            Duration::from_nanos(bounded(raw, most.saturating_add(1)))
        }
    };
    link.floor + jitter
}

/// Takes what a node sends, until its device is gone.
fn take(tun: &Tun, addresses: &[Ipv4Addr], mut outgoing: Vec<Wire>, packets: &Sender<Packet>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = tun.receive(&mut buffer) {
        let now = Instant::now();
        let bytes = &buffer[..length];
        let to = destination(bytes);
        // What is for nobody here, such as the kernel's own words of IPv6, goes nowhere.
        let Some(dest) = addresses.iter().position(|address| Some(*address) == to) else {
            continue;
        };
        let Some(due) = outgoing[dest].carry(now, length) else {
            continue;
        };
        let packet = Packet {
            due,
            number: 0,
            dest: dest as NodeId,
            bytes: bytes.to_vec(),
        };
        if packets.send(packet).is_err() {
            return;
        }
    }
}

/// The destination of an IPv4 packet.
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let header = packet.first_chunk::<20>()?;
    let [.., a, b, c, d] = *header;
    (header[0] >> 4 == 4).then(|| Ipv4Addr::new(a, b, c, d))
}

/// Hands packets over when they are due, until nobody takes any more.
fn forward(tuns: &[Tun], packets: &Receiver<Packet>) -> Lateness {
    let mut lateness = Vec::new();
    let mut under_way = BinaryHeap::<Reverse<Packet>>::new();
    let mut number = 0;
    loop {
        let now = Instant::now();
        while let Some(first) = under_way.peek_mut()
            && first.0.due <= now
        {
            let Reverse(packet) = PeekMut::pop(first);
            lateness.push(now - packet.due);
            // A node that has ended takes no packets any more, and nobody waits for that one's answer.
            let _ = tuns[packet.dest as usize].send(&packet.bytes);
        }
        let received = match under_way.peek() {
            Some(first) => packets.recv_timeout(first.0.due - now),
            None => packets.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Ok(packet) => {
                under_way.push(Reverse(Packet { number, ..packet }));
                number += 1;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    lateness.sort_unstable();
    Lateness(lateness)
}

#[cfg(test)]
mod tests {
    use simnet::{Bandwidth, Probability};

    use super::*;

    fn wire(link: Link) -> Wire {
        Wire::new(link, 7, 0, 1)
    }

    #[test]
    fn packets_of_a_wire_keep_their_order_and_their_latency() {
        let (floor, jitter) = (Duration::from_millis(20), Duration::from_millis(10));
        let mut wire = wire(Link::uniform(floor, jitter));
        let start = Instant::now();
        let mut last = start;
        for number in 0..1000 {
            let sent = start + Duration::from_millis(number);
            let due = wire.carry(sent, 1500).expect("nothing is lost");
            assert!(due >= last, "no packet overtakes another");
            assert!(due >= sent + floor && due <= sent + floor + jitter);
            last = due;
        }
    }

    #[test]
    fn so_many_packets_are_lost_as_the_link_says_and_the_same_for_the_same_seed() {
        let lossy =
            Link::constant(Duration::from_millis(1)).with_loss(Probability::from_ppm(10_000));
        let start = Instant::now();
        let fates = |mut wire: Wire| {
            (0..100_000)
                .map(|_| wire.carry(start, 1500).is_none())
                .collect::<Vec<_>>()
        };
        let first = fates(wire(lossy.clone()));
        let lost = first.iter().filter(|lost| **lost).count();
        // Binomial with mean 1000 and deviation 31.5: six deviations.
        assert!((811..1189).contains(&lost), "{lost}");
        assert_eq!(first, fates(wire(lossy)));
    }

    #[test]
    fn packets_leave_a_wire_no_faster_than_its_bandwidth() {
        let bandwidth = Bandwidth::per_second(1_500_000).expect("it is not zero");
        let floor = Duration::from_millis(20);
        let mut wire = wire(Link::constant(floor).with_bandwidth(bandwidth));
        let start = Instant::now();
        let ms = Duration::from_millis(1);
        let at_once = [1, 2, 3].map(|nth| (start, start + nth * ms + floor));
        let after_a_pause = (start + 9 * ms, start + 10 * ms + floor);
        for (sent, due) in at_once.into_iter().chain([after_a_pause]) {
            assert_eq!(wire.carry(sent, 1500), Some(due));
        }
    }

    #[test]
    fn the_destination_is_read_of_ipv4_alone() {
        let mut packet = [0; 40];
        packet[0] = 0x45;
        packet[16..20].copy_from_slice(&[10, 0, 0, 3]);
        assert_eq!(destination(&packet), Some(Ipv4Addr::new(10, 0, 0, 3)));
        packet[0] = 0x60;
        assert_eq!(destination(&packet), None);
        assert_eq!(destination(&packet[..19]), None);
    }
}
