//! The workload over datagrams: one socket and one task a node.

use std::cell::Cell;
use std::rc::Rc;

use hxsim::topology::Graph;
use simnet::{DatagramSocket, Host, NodeId};

use super::{BODY, HEAD, Kind, Known, PORT, Reaction, SOUND, decode, encode};

/// A node of the workload, as its world keeps it.
pub struct Flooder(Rc<Cell<u64>>);

impl Flooder {
    /// Starts a node that holds these numbers, all below `numbers`.
    ///
    /// # Panics
    ///
    /// If the host has stopped, or another such node runs on it.
    pub fn start(host: &Host, graph: Rc<Graph>, numbers: u16, holds: &[u16]) -> Self {
        let sent = Rc::new(Cell::new(0));
        let node = Task {
            id: host.id(),
            socket: host.bind(PORT).expect("one node runs on a host"),
            graph,
            known: Known::new(numbers, holds),
            sent: sent.clone(),
        };
        host.spawn(node.run());
        Self(sent)
    }

    /// Messages that the node has sent.
    pub fn sent(&self) -> u64 {
        self.0.get()
    }
}

struct Task {
    id: NodeId,
    socket: DatagramSocket,
    graph: Rc<Graph>,
    known: Known,
    sent: Rc<Cell<u64>>,
}

impl Task {
    async fn run(mut self) {
        for number in self.known.held() {
            self.announce(number);
        }
        let mut buffer = [0; HEAD + BODY];
        loop {
            let received = self.socket.recv_from(&mut buffer).await;
            let head = buffer.first_chunk().expect("a message is longer");
            let (kind, number) = decode(head);
            match self.known.handle(kind, number) {
                Reaction::Nothing => {}
                Reaction::Answer(kind) => self.send(received.source, kind, number),
                Reaction::Announce => self.announce(number),
            }
        }
    }

    fn announce(&self, number: u16) {
        for peer in self.graph.neighbours(self.id) {
            self.send(*peer, Kind::Available, number);
        }
    }

    fn send(&self, dest: NodeId, kind: Kind, number: u16) {
        let message = &encode(kind, number)[..kind.length()];
        self.socket.send_to(dest, PORT, message).expect(SOUND);
        self.sent.set(self.sent.get() + 1);
    }
}
