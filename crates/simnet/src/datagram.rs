//! Datagrams as applications and networks see them; what the network does with them stands in `transport/datagram.rs`.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use crate::node::Waiting;
use crate::{Host, NodeId, Time};

/// How datagrams use their links: what UDP looks like from outside. What links do to them beyond delaying and losing them is said by faults:
/// [`Impairment::Duplicate`](crate::Impairment::Duplicate) and those that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatagramModel {
    /// The longest payload that is sent, in bytes.
    pub longest: u32,
    /// How many datagrams wait at a socket; when so many do, what arrives is dropped. At least 1.
    pub queue: u32,
}

impl Default for DatagramModel {
    fn default() -> Self {
        Self {
            // What is left of an IPv4 packet behind the headers of IP and UDP.
            longest: 65_507,
            // About as many short ones as Linux lets wait.
            queue: 256,
        }
    }
}

/// Datagrams, by what became of them.
///
/// At every cut `sent + duplicated = delivered + lost + overflowed + unheard + in flight`, summed over all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedDatagrams {
    /// Those that applications handed over.
    pub sent: u64,
    /// Payload bytes of these.
    pub sent_bytes: u64,
    /// Those that came to a socket with room for them.
    pub delivered: u64,
    /// Second ones, which links made.
    pub duplicated: u64,
    /// Those of which a link flipped a bit.
    pub corrupted: u64,
    /// Those that a link lost, that ran into a partition, or that came to a machine without power.
    pub lost: u64,
    /// Those that came to a socket whose queue was full.
    pub overflowed: u64,
    /// Those that came to a port that no socket was bound to, or were held by a downlink when its node lost its power.
    pub unheard: u64,
}

impl std::ops::AddAssign for CarriedDatagrams {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.delivered += other.delivered;
        self.duplicated += other.duplicated;
        self.corrupted += other.corrupted;
        self.lost += other.lost;
        self.overflowed += other.overflowed;
        self.unheard += other.unheard;
    }
}

/// A port of a node that sends and receives datagrams: what a UDP socket is from outside. Nothing is promised of a datagram but that it takes at
/// least its link's floor, and that what arrives is one whole datagram, unless the link flips bits.
///
/// When the socket is dropped, or its node stops, what waits in it is gone.
#[derive(Debug)]
pub struct DatagramSocket {
    host: Host,
    port: u16,
}

impl Host {
    /// Sends and receives datagrams on a port from now on. Ports of datagrams are not those of streams.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the node has such a socket already, `NetworkDown` if it has stopped.
    pub fn bind(&self, port: u16) -> io::Result<DatagramSocket> {
        let Some(mut core) = self.living_core() else {
            return Err(io::ErrorKind::NetworkDown.into());
        };
        if !core.bind(self.id, port) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        drop(core);
        Ok(DatagramSocket {
            host: self.clone(),
            port,
        })
    }
}

impl DatagramSocket {
    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Sends a datagram to a port of a node. It is on its way at once, or waits for a bandwidth: nobody has to wait for room here, and nobody
    /// learns what becomes of it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is longer than [`DatagramModel::longest`], `AddrNotAvailable` if there is no such node, `NetworkDown` if this one has
    /// stopped.
    pub fn send_to(&self, dest: NodeId, port: u16, payload: &[u8]) -> io::Result<()> {
        let Some(mut core) = self.host.living_core() else {
            return Err(io::ErrorKind::NetworkDown.into());
        };
        if dest >= core.plan.nodes {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let (length, longest) = (payload.len(), core.plan.datagrams.longest);
        if length > longest as usize {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a datagram of {length} bytes is longer than the longest of {longest}"),
            ));
        }
        let ports = Ports {
            source: self.port,
            dest: port,
        };
        core.send_datagram(self.host.id, dest, ports, payload);
        Ok(())
    }

    /// The next datagram, copied into the buffer; what does not fit is gone.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Received {
        poll_fn(|cx| self.poll_recv_from(cx, buffer)).await
    }

    /// Polls for the next datagram. Of several tasks that poll one socket the last is woken.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Received> {
        let Some(mut core) = self.host.living_core() else {
            return Poll::Pending;
        };
        if let Some(received) = core.take_datagram(self.host.id, self.port, buffer) {
            return Poll::Ready(received);
        }
        let waiting = Waiting::of(core.polled, cx);
        let replaced = core.wait_for_datagram(self.host.id, self.port, waiting);
        drop(core);
        // A replaced waker may run foreign code when it is dropped.
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for DatagramSocket {
    fn drop(&mut self) {
        // The world itself may be going down, in the middle of whatever it does.
        let Ok(mut core) = self.host.core.try_borrow_mut() else {
            return;
        };
        if core.node(self.host.id).life == self.host.life {
            let closed = core.unbind(self.host.id, self.port);
            drop(core);
            drop(closed);
        }
    }
}

/// What code needs of a socket for datagrams, so that it runs on simulated ones and, behind a few lines of yours, on those of a machine.
///
/// ```
/// use std::future::poll_fn;
/// use simnet::DatagramIo;
///
/// /// Sends everything back where it came from.
/// async fn echo(socket: impl DatagramIo) -> std::io::Result<()> {
///     let mut buffer = [0; 1500];
///     loop {
///         let (length, from) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await?;
///         socket.send(&buffer[..length], from)?;
///     }
/// }
/// ```
pub trait DatagramIo {
    /// Where a datagram goes, and comes from.
    type Address: Copy + PartialEq;

    /// Sends a datagram, if there is room: nobody waits here, and nobody learns what becomes of it.
    ///
    /// # Errors
    ///
    /// What the socket says of the datagram or of itself: too long, no such address, not there any more.
    fn send(&self, payload: &[u8], to: Self::Address) -> io::Result<()>;

    /// The next datagram: how many bytes of the buffer it fills, and whose it is. What does not fit is gone.
    ///
    /// # Errors
    ///
    /// What the socket says of itself.
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Self::Address)>>;
}

impl DatagramIo for DatagramSocket {
    /// A node and its port.
    type Address = (NodeId, u16);

    fn send(&self, payload: &[u8], (node, port): (NodeId, u16)) -> io::Result<()> {
        self.send_to(node, port, payload)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, (NodeId, u16))>> {
        let received = self.poll_recv_from(cx, buffer);
        received.map(|it| Ok((it.length, (it.source, it.port))))
    }
}

/// A datagram that a socket has given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// The node that sent it.
    pub source: NodeId,
    /// The port from which it did.
    pub port: u16,
}

/// What a shard keeps of the datagrams of one of its nodes.
#[derive(Default)]
pub(crate) struct Datagrams {
    pub(crate) sockets: Vec<Bound>,
    pub(crate) carried: CarriedDatagrams,
}

/// A port that a socket is bound to.
pub(crate) struct Bound {
    pub(crate) port: u16,
    pub(crate) waiting: Option<Waiting>,
    /// What has arrived and was not taken at once.
    pub(crate) queue: VecDeque<Queued>,
}

/// A datagram that waits for its reader.
pub(crate) struct Queued {
    pub(crate) source: NodeId,
    pub(crate) port: u16,
    pub(crate) payload: Box<[u8]>,
}

/// From which port to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) dest: u16,
}

impl Ports {
    pub(crate) const fn encode(self) -> u32 {
        (self.source as u32) << 16 | self.dest as u32
    }

    pub(crate) const fn decode(word: u32) -> Self {
        Self {
            source: (word >> 16) as u16,
            dest: word as u16,
        }
    }
}

/// What has been sent at one instant, so that no two datagrams of a link are one to the draws: their own place among those of their link and instant
/// tells them apart, which no other link and no other instant can shift. No link has to remember anything for that.
#[derive(Default)]
pub(crate) struct Moment {
    time: Time,
    /// The node that runs; code outside the world sends while none does.
    running: Option<NodeId>,
    /// By link, in order: how many it has taken.
    sent: Vec<(u64, u32)>,
}

impl Moment {
    /// How many datagrams the link has taken before at this instant. What is sent from outside is not counted with what nodes send.
    pub(crate) fn place(&mut self, time: Time, running: Option<NodeId>, link: u64) -> u32 {
        if (self.time, self.running) != (time, running) {
            (self.time, self.running) = (time, running);
            self.sent.clear();
        }
        match self.sent.binary_search_by_key(&link, |(link, _)| *link) {
            Ok(at) => {
                self.sent[at].1 += 1;
                self.sent[at].1
            }
            Err(at) => {
                self.sent.insert(at, (link, 0));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_back_out_of_their_word() {
        let (source, dest) = (0xfedc, 0x1234);
        let ports = Ports { source, dest };
        assert_eq!(Ports::decode(ports.encode()), ports);
        assert_eq!(ports.encode(), 0xfedc_1234);
    }

    #[test]
    fn a_datagram_is_named_by_its_link_its_instant_and_its_place_there() {
        let mut moment = Moment::default();
        let [one, two] = [1, 2].map(Time::from_secs);
        let mut places = |at, running, links: &[u64]| -> Vec<u32> {
            let links = links.iter();
            links.map(|link| moment.place(at, running, *link)).collect()
        };
        assert_eq!(
            places(one, Some(0), &[7, 3, 7, 5, 3, 7]),
            [0, 0, 1, 0, 1, 2]
        );
        assert_eq!(places(one, Some(0), &[7]), [3]);
        assert_eq!(places(one, Some(4), &[7]), [0], "another node runs");
        assert_eq!(places(two, Some(4), &[7, 7]), [0, 1], "time has passed");
        assert_eq!(places(two, None, &[7, 9, 7]), [0, 0, 1], "from outside");
    }
}
