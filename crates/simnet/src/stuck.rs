//! What tasks wait for, read off the places where they would be woken.

use std::collections::BTreeMap;

use crate::core::Core;
use crate::end::{State, Waiter};
use crate::node::{Node, Waiting};
use crate::timers::Due;
use crate::{WaitingTask, WaitsFor};

impl Core {
    pub(crate) fn waiting_tasks(&self) -> Vec<WaitingTask> {
        let nodes = (self.first()..).zip(self.nodes());
        let tasks = nodes.flat_map(|(id, node)| {
            let mut known = known(node);
            for socket in self.sockets_of(id) {
                if let Some(Waiting::Task(slot)) = socket.waiting {
                    let waits = known.entry(slot).or_default();
                    waits.push(WaitsFor::Datagram(socket.port));
                }
            }
            let tasks = (0..).zip(&node.tasks);
            tasks.filter_map(move |(slot, task)| {
                Some(WaitingTask {
                    node: id,
                    name: task.running.as_ref()?.future.name(),
                    waits_for: known.remove(&slot).unwrap_or_default(),
                })
            })
        });
        tasks.collect()
    }
}

/// What is known of a node's tasks, by their slots. What waits through a combinator has a waker of its own, which tells nothing.
fn known(node: &Node) -> BTreeMap<u32, Vec<WaitsFor>> {
    let mut known: BTreeMap<u32, Vec<WaitsFor>> = BTreeMap::new();
    let mut add = |slot: u32, what| known.entry(slot).or_default().push(what);
    for ((time, _), due) in node.timers.iter() {
        if let Due::WakeTask(slot) = due {
            add(*slot, WaitsFor::Time(*time));
        }
    }
    for listening in &node.listeners {
        if let Some(Waiting::Task(slot)) = listening.waiting {
            add(slot, WaitsFor::Accept(listening.port));
        }
    }
    for end in node.ends.iter().filter(|end| end.state != State::Free) {
        let write = match end.state {
            State::Connecting => WaitsFor::Connect(end.peer),
            _ => WaitsFor::Write(end.peer),
        };
        for (waiter, what) in [(end.reader, WaitsFor::Read(end.peer)), (end.writer, write)] {
            if ![Waiter::NOBODY, Waiter::FOREIGN].contains(&waiter) {
                add(waiter.slot(), what);
            }
        }
    }
    let rare = node.rare.as_ref();
    for (slot, joining) in rare.iter().flat_map(|rare| &rare.joining) {
        let task = node.tasks[*slot as usize].running.as_ref();
        let name = task.map_or("a task", |task| task.future.name());
        if let Waiting::Task(slot) = joining {
            add(*slot, WaitsFor::Task(name));
        }
    }
    known
}
