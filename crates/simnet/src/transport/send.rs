use std::collections::VecDeque;
use std::time::Duration;

use crate::core::Core;
use crate::draw::{Purpose, chance, draw};
use crate::end::{End, Segment, State, Waiter, WriterIs};
use crate::event::{Header, Kind};
use crate::node::{Side, StaleAnswer};
use crate::timers::Due;
use crate::trace::What;
use crate::{NodeId, Probability, Time};

const JITTER: Purpose = Purpose::new("simnet.jitter");
const LOSS: Purpose = Purpose::new("simnet.loss");
const RESET_LOSS: Purpose = Purpose::new("simnet.reset_loss");
const RESET_JITTER: Purpose = Purpose::new("simnet.reset_jitter");

/// What the network does with segments on their way out.
impl Core {
    /// A free slot that holds a new end.
    pub(super) fn allocate(&mut self, id: NodeId, peer: NodeId, state: State, owner: u64) -> u32 {
        let plan = self.plan.clone();
        let node = self.node(id);
        let slot = node.free_end;
        if let Some(end) = node.ends.get_mut(slot as usize) {
            node.free_end = end.peer_slot;
            *end = End::new(peer, end.generation, state, &plan.streams, owner);
            return slot;
        }
        let slot = u32::try_from(node.ends.len()).expect("a node has less than 2^32 streams");
        crate::node::grow_gently(&mut node.ends);
        node.ends
            .push(End::new(peer, 0, state, &plan.streams, owner));
        slot
    }

    /// Ends the life of an end: what is underway to it finds another generation. The slot is free then, unless somebody still has a handle.
    pub(super) fn free(&mut self, id: NodeId, slot: u32) {
        let node = self.node(id);
        node.discard_trouble(slot);
        node.forget_unread(slot);
        if let Some(rare) = &mut node.rare {
            let sides = [Side::Read, Side::Write];
            let gone = sides.map(|side| rare.wakers.remove(&(slot, side)));
            self.retired.extend(gone.into_iter().flatten());
        }
        let node = self.node(id);
        let end = &mut node.ends[slot as usize];
        end.generation = end.generation.wrapping_add(1);
        end.reader = Waiter::NOBODY;
        end.writer = Waiter::NOBODY;
        if end.writer_is == WriterIs::Orphaned {
            end.state = State::Reset;
            return;
        }
        let (peer, accepted) = (end.peer, std::mem::take(&mut end.accepted));
        end.state = State::Free;
        end.peer_slot = std::mem::replace(&mut node.free_end, slot);
        if accepted > 0 {
            *node.rare().past.entry(peer).or_default() += u64::from(accepted);
        }
    }

    /// Sends the next segment of a stream; if it is lost, it is kept for another transmission.
    pub(super) fn send(&mut self, id: NodeId, slot: u32, kind: Kind, word: u32, payload: &[u8]) {
        let end = &mut self.node(id).ends[slot as usize];
        let sequence = end.send_sequence;
        end.send_sequence = sequence.wrapping_add(1);
        let Err(left) = self.transmit(id, slot, kind, sequence, word, payload, 0) else {
            return;
        };
        let trouble = self.node(id).make_trouble(slot);
        if trouble.lost.is_empty() {
            trouble.since = left;
            trouble.left = left;
            trouble.attempts = 1;
        }
        trouble.lost.push_back(Segment {
            kind,
            sequence,
            word,
            payload: payload.into(),
            attempt: 1,
        });
        self.arm_retransmission(id, slot);
    }

    /// One transmission of a segment. The error is that it was lost, and when it had left.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one segment, in order"
    )]
    fn transmit(
        &mut self,
        id: NodeId,
        slot: u32,
        kind: Kind,
        sequence: u32,
        word: u32,
        payload: &[u8],
        attempt: u32,
    ) -> Result<(), Time> {
        let seed = self.plan.seed;
        let End {
            peer,
            owner,
            last_arrival,
            ..
        } = self.node(id).ends[slot as usize];
        let route = self.plan.route(id, peer, self.now);
        let bytes = match kind {
            Kind::Data => payload.len() as u32,
            _ => 0,
        };
        let left = self.depart(id, peer, &route, bytes);
        let powerless = self.plan.lives.crashes_within(id, self.now, left);
        let passage = self.plan.passage(id, peer, left);
        let passage = passage.filter(|_| !powerless);
        if attempt > 0 {
            self.note(id, || What::SentAgain { to: peer, bytes });
        }
        let node = self.node(id);
        let counter = (u64::from(sequence) << 16) | u64::from(attempt.min(0xffff));
        if kind == Kind::Data {
            node.carried.segments += 1;
            if attempt > 0 {
                node.carried.retransmitted += payload.len() as u64;
            }
        }
        let lost = |loss| chance_of(loss, || draw(seed, LOSS, owner, counter));
        let Some(passage) = passage.filter(|it| !lost(route.loss.or(it.loss))) else {
            node.carried.lost += 1;
            self.note(id, || What::Lost { to: peer, bytes });
            return Err(left);
        };
        let jitter = || draw(seed, JITTER, owner, counter);
        let jitter = self.plan.routes.jitter(&route, jitter);
        let arrival = passage.left + passage.delay + Duration::from_nanos(route.floor + jitter);
        let arrival = last_arrival.max(arrival);
        if self.plan.lives.is_deaf(peer, arrival) {
            self.node(id).carried.lost += 1;
            self.note(id, || What::Lost { to: peer, bytes });
            return Err(left);
        }
        let end = &mut self.node(id).ends[slot as usize];
        end.last_arrival = arrival;
        let header = Header {
            slot: end.peer_slot,
            generation: end.peer_generation,
            sequence,
            word,
            from_slot: slot,
            from_generation: end.generation,
        };
        self.emit(arrival, peer, id, kind, header, payload);
        Ok(())
    }

    fn arm_retransmission(&mut self, id: NodeId, slot: u32) {
        let model = &self.plan.streams;
        let (first, cap, timeout) = (model.retransmit, model.retransmit_cap, model.timeout);
        let now = self.now;
        let node = self.node(id);
        let generation = node.ends[slot as usize].generation;
        let Some(trouble) = node.trouble(slot) else {
            return;
        };
        if trouble.armed || trouble.lost.is_empty() {
            return;
        }
        trouble.armed = true;
        let doubled = 1u32.checked_shl(trouble.attempts - 1).unwrap_or(u32::MAX);
        let wait = first.saturating_mul(doubled).min(cap);
        let at = (trouble.left + wait).min((trouble.since + timeout).max(now));
        self.set_timer(id, at, Due::Retransmit { slot, generation });
    }

    /// The wait is over: sends the earliest lost segment again, and if it gets through all others that were lost.
    pub(crate) fn retransmit(&mut self, id: NodeId, slot: u32, generation: u32) {
        let (now, timeout) = (self.now, self.plan.streams.timeout);
        let node = self.node(id);
        if node.ends[slot as usize].generation != generation {
            return;
        }
        let Some(trouble) = node.trouble(slot) else {
            return;
        };
        trouble.armed = false;
        if trouble.lost.is_empty() {
            return;
        }
        if now >= trouble.since + timeout {
            self.give_up(id, slot);
            return;
        }
        let mut waiting = std::mem::take(&mut trouble.lost);
        let mut lost = VecDeque::new();
        let mut first_left = None;
        let mut first = true;
        let mut through = false;
        while let Some(mut segment) = waiting.pop_front() {
            let Segment {
                kind,
                sequence,
                word,
                attempt,
                ..
            } = segment;
            match self.transmit(id, slot, kind, sequence, word, &segment.payload, attempt) {
                Ok(()) => through |= first,
                Err(left) => {
                    first_left = first_left.or(Some(left));
                    segment.attempt += 1;
                    lost.push_back(segment);
                }
            }
            if first && !through {
                break;
            }
            first = false;
        }
        lost.append(&mut waiting);
        let node = self.node(id);
        let settled = lost.is_empty();
        if let Some(trouble) = node.trouble(slot) {
            trouble.lost = lost;
            trouble.left = first_left.unwrap_or(now);
            if through {
                trouble.since = trouble.left;
                trouble.attempts = 1;
            } else {
                trouble.attempts += 1;
            }
        }
        if settled {
            node.forget_trouble_that_is_over(slot);
            if node.ends[slot as usize].is_let_go() {
                self.free(id, slot);
            }
        } else {
            self.arm_retransmission(id, slot);
        }
    }

    /// Nothing got through for too long: the stream is reset, and the peer told if that gets through.
    fn give_up(&mut self, id: NodeId, slot: u32) {
        let end = &self.node(id).ends[slot as usize];
        let (peer, header) = (
            end.peer,
            Header {
                slot: end.peer_slot,
                generation: end.peer_generation,
                from_slot: slot,
                from_generation: end.generation,
                ..Header::default()
            },
        );
        let knows_peer = end.state == State::Open;
        self.fail(id, slot, State::TimedOut);
        if knows_peer {
            self.send_reset(id, peer, header);
        }
    }

    /// Tells a peer, once and without a promise, that its stream is gone. False: it was lost.
    fn send_reset(&mut self, id: NodeId, peer: NodeId, header: Header) -> bool {
        let (seed, now) = (self.plan.seed, self.now);
        let route = self.plan.routes.between(id, peer);
        let counter = now.as_nanos();
        let link = (u64::from(id) << 32) | u64::from(peer);
        let lost = |loss| chance_of(loss, || draw(seed, RESET_LOSS, link, counter));
        let passage = self.plan.passage(id, peer, now);
        let passes = passage.is_some_and(|it| !lost(route.loss.or(it.loss)));
        if !passes || !self.emit_reset(id, peer, header) {
            self.node(id).carried.lost += 1;
            self.note(id, || What::Lost { to: peer, bytes: 0 });
            return false;
        }
        true
    }

    /// Puts a reset on its way. False: it does not leave before the power goes, or the peer is deaf when it arrives.
    fn emit_reset(&mut self, id: NodeId, peer: NodeId, header: Header) -> bool {
        let (seed, now) = (self.plan.seed, self.now);
        let route = self.plan.route(id, peer, now);
        let counter = now.as_nanos();
        let link = (u64::from(id) << 32) | u64::from(peer);
        let jitter = || draw(seed, RESET_JITTER, link, counter);
        let jitter = self.plan.routes.jitter(&route, jitter);
        let left = self.depart(id, peer, &route, 0);
        let passage = self.plan.passage(id, peer, left);
        let (goes_on, delay) = passage.map_or((left, Duration::ZERO), |it| (it.left, it.delay));
        let arrival = goes_on + delay + Duration::from_nanos(route.floor + jitter);
        let lives = &self.plan.lives;
        if lives.crashes_within(id, now, left) || lives.is_deaf(peer, arrival) {
            return false;
        }
        self.emit(arrival, peer, id, Kind::Reset, header, &[]);
        true
    }

    /// Tells a peer that the stream on which it has sent something is gone.
    ///
    /// Unlike [`Core::send_reset`] this gets there: as nobody acknowledges what the peer has sent, it would send it again and again and be
    /// answered each time, until an answer gets through or it gives up. Either way its stream is reset within the timeout.
    pub(crate) fn answer_stale(&mut self, id: NodeId, answer: StaleAnswer) {
        let StaleAnswer {
            peer,
            header,
            since,
            wait,
        } = answer;
        let gives_up = since + self.plan.streams.timeout;
        if self.now >= gives_up {
            self.emit_reset(id, peer, header);
        } else if !self.send_reset(id, peer, header) {
            let at = (self.now + wait).min(gives_up);
            let wait = (wait * 2).min(self.plan.streams.retransmit_cap);
            let again = StaleAnswer { wait, ..answer };
            self.set_timer(id, at, Due::AnswerStale(Box::new(again)));
        }
    }

    /// Ends a stream at this end with an error, and what it kept with it.
    pub(super) fn fail(&mut self, id: NodeId, slot: u32, state: State) {
        let node = self.node(id);
        node.discard_trouble(slot);
        let end = &mut node.ends[slot as usize];
        end.state = state;
        if end.is_let_go() {
            self.free(id, slot);
            return;
        }
        self.wake_side(id, slot, Side::Read);
        self.wake_side(id, slot, Side::Write);
    }
}

pub(super) fn chance_of(probability: Probability, raw: impl FnOnce() -> u64) -> bool {
    probability > Probability::ZERO && chance(raw(), probability)
}
