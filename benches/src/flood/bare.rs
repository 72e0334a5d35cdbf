//! The workload without a simulator: a loop that takes messages out of a calendar and puts others in. No bytes, no tasks, no faults, no digest, and one thing
//! that the others have: every node sees its messages in the order of their times, and the same ones in every run.

use hxsim::topology::Graph;
use simnet::NodeId;
use simnet::draw::{Purpose, bounded, draw};

use super::{FLOOR, JITTER, Kind, Known, Reaction};

const LATENCY: Purpose = Purpose::new("hx-benches.latency");

/// A message underway.
#[derive(Clone, Copy)]
struct Message {
    time_ns: u64,
    dest: NodeId,
    source: NodeId,
    kind: Kind,
    number: u16,
}

/// Windows as long as the least latency: what is sent in one is for a later one, so its nodes can be run one after the other.
struct Calendar {
    seed: u64,
    ring: [Vec<Message>; RING],
    window: u64,
    sent: u64,
}

/// More windows than the longest latency takes.
const RING: usize = 12;

/// Runs it to its end; messages sent.
pub fn run(graph: &Graph, seed: u64, numbers: u16) -> u64 {
    let mut known = vec![Known::new(numbers, &[]); graph.nodes() as usize];
    let mut calendar = Calendar {
        seed,
        ring: Default::default(),
        window: 0,
        sent: 0,
    };
    for (node, number) in (0..graph.nodes()).zip(0..numbers) {
        known[node as usize] = Known::new(numbers, &[number]);
        calendar.announce(graph, node, number, 0);
    }
    // Once that many windows in a row were empty nothing is underway.
    let mut empty = 0;
    let mut messages = Vec::new();
    while empty < RING {
        let slot = calendar.window as usize % RING;
        std::mem::swap(&mut messages, &mut calendar.ring[slot]);
        empty = if messages.is_empty() { empty + 1 } else { 0 };
        messages.sort_unstable_by_key(|it| u128::from(it.dest) << 64 | u128::from(it.time_ns));
        for message in messages.drain(..) {
            let Message {
                time_ns,
                dest,
                number,
                ..
            } = message;
            match known[dest as usize].handle(message.kind, number) {
                Reaction::Nothing => {}
                Reaction::Answer(kind) => {
                    calendar.send(dest, message.source, kind, number, time_ns);
                }
                Reaction::Announce => calendar.announce(graph, dest, number, time_ns),
            }
        }
        calendar.window += 1;
    }
    calendar.sent
}

impl Calendar {
    fn announce(&mut self, graph: &Graph, source: NodeId, number: u16, now_ns: u64) {
        for dest in graph.neighbours(source) {
            self.send(source, *dest, Kind::Available, number, now_ns);
        }
    }

    fn send(&mut self, source: NodeId, dest: NodeId, kind: Kind, number: u16, now_ns: u64) {
        let link = u64::from(source) << 32 | u64::from(dest);
        let raw = draw(self.seed, LATENCY, link, self.sent);
        self.sent += 1;
        let jitter = bounded(raw, JITTER.as_nanos() as u64 + 1);
        let floor = FLOOR.as_nanos() as u64;
        let time_ns = now_ns + floor + jitter;
        self.ring[(time_ns / floor) as usize % RING].push(Message {
            time_ns,
            dest,
            source,
            kind,
            number,
        });
    }
}
