use crate::NodeId;
use crate::calendar::Span;
use crate::core::{Arrival, Core};
use crate::end::{State, WriterIs, owner};
use crate::event::{Event, Header, Kind};
use crate::node::{Listening, Side, StaleAnswer, Waiting};

/// Connections that wait to be accepted on one port. A further one is refused, so that a deaf listener costs bounded memory.
const BACKLOG: usize = 1024;

/// What happens to a segment that has arrived.
impl Core {
    /// Handles an event, whose payload lies in the window.
    pub(crate) fn receive(&mut self, event: &Event, payload: Span) {
        if !self.is_kept_by_downlink(event, payload) {
            self.deliver(event, payload);
        }
    }

    /// Handles an event that has come through the node's downlink.
    pub(super) fn deliver(&mut self, event: &Event, payload: Span) {
        let (id, header) = (event.dest, &event.record.header);
        match event.record.kind {
            Kind::Cut => self.cut(id, header.word),
            // The shard sees to these: they are about more than streams.
            Kind::Start | Kind::Leave | Kind::Crash => {}
            Kind::LoseDisk => self.lose_disk(id),
            Kind::Syn => self.receive_dial(event, payload),
            Kind::Datagram => self.receive_datagram(event, payload),
            _ if !self.is_live(id, header) => self.receive_stale(event),
            Kind::Reset => self.fail(id, header.slot, State::Reset),
            Kind::SynAck | Kind::Refuse | Kind::Data | Kind::Fin | Kind::Credit => {
                self.receive_in_order(event, payload);
            }
        }
    }

    fn is_live(&mut self, id: NodeId, header: &Header) -> bool {
        let end = self.node(id).ends.get(header.slot as usize);
        end.is_some_and(|end| {
            end.generation == header.generation
                && matches!(end.state, State::Open | State::Connecting)
        })
    }

    /// A segment for a stream that is no more.
    fn receive_stale(&mut self, event: &Event) {
        let (kind, header) = (event.record.kind, &event.record.header);
        let node = self.node(event.dest);
        if kind == Kind::Data {
            node.carried.discarded += u64::from(event.record.length);
        }
        let cut = node
            .ends
            .get(header.slot as usize)
            .is_some_and(|end| end.generation == header.generation);
        // The sender of data does not know yet. Whoever ends, refuses or gives credit needs no answer.
        if !cut && matches!(kind, Kind::Data | Kind::SynAck) {
            let answer = Header {
                slot: header.from_slot,
                generation: header.from_generation,
                ..Header::default()
            };
            let answer = StaleAnswer {
                peer: event.source,
                header: answer,
                since: event.time,
                wait: self.plan.streams.retransmit,
            };
            self.answer_stale(event.dest, answer);
        }
    }

    fn receive_dial(&mut self, event: &Event, payload: Span) {
        let (id, dialler, header) = (event.dest, event.source, &event.record.header);
        let mut dial = [0; 8];
        dial.copy_from_slice(self.window.bytes(payload));
        let owner = owner(
            self.plan.seed,
            id,
            dialler,
            dialler,
            u64::from_le_bytes(dial),
        );
        let listening = self.node(id).listeners.iter();
        let free = |it: &Listening| u32::from(it.port) == header.word && it.backlog.len() < BACKLOG;
        let listener = listening.clone().position(free);
        let slot = self.allocate(id, dialler, State::Open, owner);
        let end = &mut self.node(id).ends[slot as usize];
        end.peer_slot = header.from_slot;
        end.peer_generation = header.from_generation;
        end.receive_sequence = 1;
        let Some(listener) = listener else {
            end.state = State::Refused;
            end.writer_is = WriterIs::Gone;
            self.send(id, slot, Kind::Refuse, 0, &[]);
            if self.node(id).is_settled(slot) {
                self.free(id, slot);
            }
            return;
        };
        self.send(id, slot, Kind::SynAck, 0, &[]);
        let node = self.node(id);
        let listening = &mut node.listeners[listener];
        listening.backlog.push_back(slot);
        match listening.waiting.take() {
            Some(Waiting::Task(task)) => node.wake(task),
            Some(Waiting::Waker(waker)) => self.wakers.push(waker),
            None => {}
        }
    }

    fn receive_in_order(&mut self, event: &Event, payload: Span) {
        let (id, kind, header) = (event.dest, event.record.kind, &event.record.header);
        let slot = header.slot;
        let end = &mut self.node(id).ends[slot as usize];
        let in_order = header.sequence == end.receive_sequence;
        if in_order {
            end.receive_sequence = end.receive_sequence.wrapping_add(1);
        }
        if kind == Kind::Credit {
            // Credit acts at once: it only keeps its place in the order.
            end.credit += header.word;
            self.wake_side(id, slot, Side::Write);
        }
        if !in_order {
            let payload = self.window.bytes(payload).to_vec();
            let trouble = self.node(id).make_trouble(slot);
            trouble.early.insert(header.sequence, (kind, payload));
            return;
        }
        match kind {
            Kind::SynAck => {
                let end = &mut self.node(id).ends[slot as usize];
                end.state = State::Open;
                end.peer_slot = header.from_slot;
                end.peer_generation = header.from_generation;
                self.wake_side(id, slot, Side::Write);
            }
            Kind::Data => self.receive_data(id, slot, payload),
            kind => self.receive_control(id, slot, kind),
        }
        if self.node(id).trouble(slot).is_some() {
            self.receive_early(id, slot);
        }
    }

    fn receive_data(&mut self, id: NodeId, slot: u32, payload: Span) {
        let length = u64::from(payload.len());
        let node = self.node(id);
        let end = &mut node.ends[slot as usize];
        if end.is_let_go() {
            node.carried.discarded += length;
            return;
        }
        node.carried.delivered += length;
        let behind_others = node.unread(slot).is_some();
        self.arrival = Some(Arrival::Segment {
            slot,
            bytes: payload,
        });
        if behind_others {
            self.spill_arrival(id);
        }
        self.wake_side(id, slot, Side::Read);
    }

    fn receive_control(&mut self, id: NodeId, slot: u32, kind: Kind) {
        match kind {
            Kind::Fin => {
                self.node(id).ends[slot as usize].ended = true;
                self.wake_side(id, slot, Side::Read);
            }
            Kind::Refuse => self.fail(id, slot, State::Refused),
            _ => {}
        }
    }

    /// Takes the segments that had arrived before the one just handled.
    fn receive_early(&mut self, id: NodeId, slot: u32) {
        loop {
            let node = self.node(id);
            let sequence = node.ends[slot as usize].receive_sequence;
            let Some(trouble) = node.trouble(slot) else {
                return;
            };
            let Some((kind, payload)) = trouble.early.remove(&sequence) else {
                node.forget_trouble_that_is_over(slot);
                return;
            };
            node.ends[slot as usize].receive_sequence = sequence.wrapping_add(1);
            if kind != Kind::Data {
                self.receive_control(id, slot, kind);
                continue;
            }
            self.spill_arrival(id);
            let node = self.node(id);
            if node.ends[slot as usize].is_let_go() {
                node.carried.discarded += payload.len() as u64;
                continue;
            }
            node.carried.delivered += payload.len() as u64;
            node.make_unread(slot).bytes.extend_from_slice(&payload);
            self.wake_side(id, slot, Side::Read);
        }
    }

    /// The schedule cuts every stream between this node and `other`.
    fn cut(&mut self, id: NodeId, other: NodeId) {
        for slot in 0..self.node(id).ends.len() as u32 {
            let end = &self.node(id).ends[slot as usize];
            if end.peer == other && matches!(end.state, State::Open | State::Connecting) {
                self.fail(id, slot, State::Reset);
            }
        }
    }
}
