use std::collections::BTreeMap;
use std::task::Waker;

use crate::Time;
use crate::node::{StaleAnswer, grow_gently};

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
    /// The node's downlink has passed a segment.
    Downlink,
}

/// When a timer is due, and its number, which keeps two timers of one instant apart and in order.
pub(crate) type TimerKey = (Time, u32);

/// The timers of one node.
#[derive(Default)]
pub(crate) struct Timers {
    /// The earliest: it is asked for at every event.
    next: Option<TimerKey>,
    set: Set,
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
        self.next = Some(self.next.map_or(key, |next| next.min(key)));
        self.set.insert(key, due)
    }

    /// Takes a timer out.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Due> {
        let due = self.set.remove(key);
        self.next = self.set.first();
        due
    }

    /// All of them, the earliest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TimerKey, &Due)> {
        self.set.iter()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes out what wakes tasks, and leaves what streams have set.
    pub(crate) fn take_wakes(&mut self) -> Self {
        let mut wakes = Self::default();
        for (key, due) in std::mem::take(self).set.into_list() {
            let wakes_task = matches!(due, Due::WakeTask(_) | Due::Wake(_));
            let belongs = if wakes_task { &mut wakes } else { &mut *self };
            belongs.insert(key, due);
        }
        wakes
    }
}

/// Most nodes have a timer or two at a time, and a map would take half a kilobyte for them.
enum Set {
    /// The earliest last.
    Few(Vec<(TimerKey, Due)>),
    #[expect(clippy::box_collection, reason = "one word less in every node")]
    Many(Box<BTreeMap<TimerKey, Due>>),
}

/// From so many timers on a map is cheaper than a list.
const MANY: usize = 32;

impl Default for Set {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Set {
    fn iter(&self) -> impl Iterator<Item = (&TimerKey, &Due)> {
        let (few, many) = match self {
            Self::Few(few) => (few.as_slice(), None),
            Self::Many(many) => (&[][..], Some(many)),
        };
        let few = few.iter().rev().map(|(key, due)| (key, due));
        few.chain(many.into_iter().flat_map(|many| many.iter()))
    }

    fn into_list(self) -> Vec<(TimerKey, Due)> {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many.into_iter().collect(),
        }
    }

    fn first(&self) -> Option<TimerKey> {
        match self {
            Self::Few(few) => few.last().map(|(key, _)| *key),
            Self::Many(many) => many.keys().next().copied(),
        }
    }

    fn insert(&mut self, key: TimerKey, due: Due) -> Option<Due> {
        match self {
            Self::Few(few) => match few.binary_search_by(|(it, _)| key.cmp(it)) {
                Ok(at) => Some(std::mem::replace(&mut few[at].1, due)),
                Err(at) if few.len() < MANY => {
                    grow_gently(few);
                    few.insert(at, (key, due));
                    None
                }
                Err(_) => {
                    let all = few.drain(..).chain([(key, due)]).collect();
                    *self = Self::Many(Box::new(all));
                    None
                }
            },
            Self::Many(many) => many.insert(key, due),
        }
    }

    fn remove(&mut self, key: TimerKey) -> Option<Due> {
        let (due, is_empty) = match self {
            Self::Few(few) => {
                let at = few.binary_search_by(|(it, _)| key.cmp(it)).ok()?;
                (few.remove(at).1, few.is_empty())
            }
            Self::Many(many) => (many.remove(&key)?, many.is_empty()),
        };
        if is_empty {
            *self = Self::default();
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(at: u64) -> TimerKey {
        (Time::from_nanos(at % 7), at as u32)
    }

    fn task(due: Option<Due>) -> Option<u32> {
        due.map(|due| match due {
            Due::WakeTask(slot) => slot,
            _ => panic!("only tasks were set"),
        })
    }

    #[test]
    fn few_and_many_come_in_order_and_can_be_taken_out() {
        for count in [1, 2, 31, 32, 33, 100] {
            let mut timers = Timers::default();
            for at in 0..count {
                assert!(timers.insert(key(at), Due::WakeTask(0)).is_none());
                let replaced = timers.insert(key(at), Due::WakeTask(at as u32));
                assert_eq!(task(replaced), Some(0));
            }
            let mut left: Vec<_> = (0..count).map(key).collect();
            left.sort_unstable();
            let cancelled = left.remove(left.len() / 2);
            assert_eq!(task(timers.remove(cancelled)), Some(cancelled.1));
            assert_eq!(task(timers.remove(cancelled)), None);
            for key in left {
                assert_eq!(timers.next(), Some(key));
                assert_eq!(task(timers.remove(key)), Some(key.1));
            }
            assert!(timers.is_empty());
        }
    }
}
