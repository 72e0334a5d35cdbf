use std::collections::BTreeMap;
use std::task::Waker;

use crate::Time;
use crate::node::StaleAnswer;

/// What a timer does.
pub(crate) enum Due {
    WakeTask(u32),
    Wake(Waker),
    /// Sends what a stream end has lost again.
    Retransmit {
        slot: u32,
        generation: u32,
    },
    /// Tells a peer once more that a stream is gone.
    AnswerStale(Box<StaleAnswer>),
}

/// When a timer is due, and its number, which keeps two timers of one instant apart and in order.
pub(crate) type TimerKey = (Time, u32);

/// The timers of one node.
#[derive(Default)]
pub(crate) struct Timers {
    /// The earliest: it is asked for at every event.
    next: Option<TimerKey>,
    due: BTreeMap<TimerKey, Due>,
}

impl Timers {
    pub(crate) const fn next(&self) -> Option<TimerKey> {
        self.next
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.next.is_none()
    }

    /// Sets a timer; what it did before, if it was set.
    pub(crate) fn insert(&mut self, key: TimerKey, due: Due) -> Option<Due> {
        let replaced = self.due.insert(key, due);
        self.next = Some(self.next.map_or(key, |next| next.min(key)));
        replaced
    }

    /// Takes a timer out. An empty map would keep the memory of its last entry: of the nodes of a large network most have no timer.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Due> {
        let due = self.due.remove(&key);
        self.next = self.due.keys().next().copied();
        if self.next.is_none() {
            self.due = BTreeMap::new();
        }
        due
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
