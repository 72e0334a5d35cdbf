//! Nodes come and go: what the schedule says of it, and what becomes of a node's tasks.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::Core;
use crate::datagram::Bound;
use crate::event::Kind;
use crate::executor::TaskSlot;
use crate::node::Listening;
use crate::timers::Timers;
use crate::{Fault, NodeId, Schedule, Time};

/// When each node is up, as a schedule has it. A node that it does not name is up from the start to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lives {
    turns: BTreeMap<NodeId, Vec<Turn>>,
}

/// A node starts or stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    at: Time,
    kind: TurnKind,
    /// The place of the fault in the schedule.
    fault: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TurnKind {
    Join,
    Leave,
    Crash,
    Restart,
}

/// A fault that starts a node that is up, or stops one that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The place of the fault in the schedule.
    pub fault: usize,
    /// The node.
    pub node: NodeId,
    /// When.
    pub at: Time,
    /// What it cannot do: "join", "leave", "crash" or "restart".
    pub verb: &'static str,
    /// Why: what the node is or was, as in "it is up then".
    pub reason: &'static str,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            at,
            verb,
            reason,
            ..
        } = self;
        write!(f, "node {node} cannot {verb} at {at}: {reason}")
    }
}

impl Schedule {
    /// When each node is up.
    pub fn lives(&self) -> Lives {
        let mut turns: BTreeMap<NodeId, Vec<Turn>> = BTreeMap::new();
        for (place, fault) in self.faults.iter().enumerate() {
            if let Some((node, kind)) = TurnKind::of(fault) {
                turns.entry(node).or_default().push(Turn {
                    at: fault.at(),
                    kind,
                    fault: place,
                });
            }
        }
        for turns in turns.values_mut() {
            turns.sort_by_key(|turn| turn.at);
        }
        Lives { turns }
    }
}

impl Lives {
    /// The fault because of which the node is not up at `time`, by its place in the schedule: the one that stopped it, or its joining that is
    /// yet to come. At the instant of a fault it has happened.
    pub fn down(&self, node: NodeId, time: Time) -> Option<usize> {
        let turns = self.turns.get(&node)?;
        match Self::last(turns, time) {
            Some(turn) => turn.kind.stops().then_some(turn.fault),
            None => turns
                .first()
                .filter(|turn| turn.kind == TurnKind::Join)
                .map(|turn| turn.fault),
        }
    }

    /// Since when a node that is up at `time` is so.
    pub fn up_since(&self, node: NodeId, time: Time) -> Time {
        let turns = self.turns.get(&node);
        let last = turns.and_then(|turns| Self::last(turns, time));
        last.map_or(Time::ZERO, |turn| turn.at)
    }

    /// From when to when the node is up, in order; what goes on at `end` ends there.
    pub fn sessions(&self, node: NodeId, end: Time) -> Vec<(Time, Time)> {
        let turns = self.turns.get(&node).map_or(&[][..], Vec::as_slice);
        let mut sessions = Vec::new();
        let mut up = (!self.joins(node)).then_some(Time::ZERO);
        for turn in turns.iter().take_while(|turn| turn.at < end) {
            match turn.kind.stops() {
                true => sessions.extend(up.take().map(|start| (start, turn.at))),
                false => up = Some(turn.at),
            }
        }
        sessions.extend(up.map(|start| (start, end)));
        sessions
    }

    /// When the node next starts after `time`, if ever.
    pub fn starts_after(&self, node: NodeId, time: Time) -> Option<Time> {
        let turns = self.turns.get(&node)?.iter();
        let mut starts = turns.filter(|turn| !turn.kind.stops() && turn.at > time);
        starts.next().map(|turn| turn.at)
    }

    /// The nodes that are not up all the time, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.turns.keys().copied().collect()
    }

    /// When nodes come or go for the last time; `None` if they never do.
    pub fn settled(&self) -> Option<Time> {
        let last = self.turns.values().filter_map(|turns| turns.last());
        last.map(|turn| turn.at).max()
    }

    /// What does not fit together, node by node.
    pub fn misfits(&self) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        for (node, turns) in &self.turns {
            let mut before: Option<TurnKind> = None;
            for turn in turns {
                if let Some(reason) = turn.kind.misfit(before) {
                    misfits.push(Misfit {
                        fault: turn.fault,
                        node: *node,
                        at: turn.at,
                        verb: turn.kind.verb(),
                        reason,
                    });
                    continue;
                }
                before = Some(turn.kind);
            }
        }
        misfits
    }

    /// Whether nothing that arrives at the node's machine at `time` is heard: it is without power, or not there yet.
    pub(crate) fn is_deaf(&self, node: NodeId, time: Time) -> bool {
        let Some(turns) = self.turns.get(&node) else {
            return false;
        };
        match Self::last(turns, time) {
            Some(turn) => turn.kind == TurnKind::Crash,
            None => self.joins(node),
        }
    }

    /// Whether the node loses its power later than `from`, and not later than `until`: what would leave it then does not.
    pub(crate) fn crashes_within(&self, node: NodeId, from: Time, until: Time) -> bool {
        let Some(turns) = self.turns.get(&node) else {
            return false;
        };
        let after = |time| turns.partition_point(|turn| turn.at <= time);
        let mut within = turns[after(from)..after(until)].iter();
        within.any(|turn| turn.kind == TurnKind::Crash)
    }

    /// Whether the node is not there from the start.
    pub(crate) fn joins(&self, node: NodeId) -> bool {
        let turns = self.turns.get(&node);
        turns.is_some_and(|turns| turns[0].kind == TurnKind::Join)
    }

    fn last(turns: &[Turn], time: Time) -> Option<&Turn> {
        let after = turns.partition_point(|turn| turn.at <= time);
        turns[..after].last()
    }
}

impl TurnKind {
    const fn of(fault: &Fault) -> Option<(NodeId, Self)> {
        match fault {
            Fault::Partition { .. }
            | Fault::Cut { .. }
            | Fault::Impair { .. }
            | Fault::LoseDisk { .. }
            | Fault::FailDisk { .. }
            | Fault::ClockJump { .. }
            | Fault::ClockDrift { .. } => None,
            Fault::Join { node, .. } => Some((*node, Self::Join)),
            Fault::Leave { node, .. } => Some((*node, Self::Leave)),
            Fault::Crash { node, .. } => Some((*node, Self::Crash)),
            Fault::Restart { node, .. } => Some((*node, Self::Restart)),
        }
    }

    const fn stops(self) -> bool {
        matches!(self, Self::Leave | Self::Crash)
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Crash => "crash",
            Self::Restart => "restart",
        }
    }

    /// Why this cannot follow what was before; `None` before the first turn, when only one that joins is not up.
    fn misfit(self, before: Option<Self>) -> Option<&'static str> {
        let down = before.is_some_and(Self::stops);
        match self {
            Self::Join => before.map(|_| "it was there before"),
            Self::Restart if !down => Some("it is up then"),
            Self::Leave | Self::Crash if down => Some("it is down then"),
            _ => None,
        }
    }
}

/// Counts the starts and stops of a node. What belongs to one life of it says so by this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life(u32);

impl Life {
    /// Up from the start.
    pub(crate) const FIRST: Self = Self(0);
    /// Yet to join: the next one is the first.
    pub(crate) const ABSENT: Self = Self(u32::MAX);

    pub(crate) const fn is_up(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// How many lives came before.
    pub(crate) const fn incarnation(self) -> u32 {
        self.0 / 2
    }

    const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What a node's last life leaves behind, to be dropped while nothing is borrowed: any code may run then.
#[expect(dead_code, reason = "it is only dropped")]
pub(crate) struct Remains {
    tasks: Vec<TaskSlot>,
    timers: Timers,
    listeners: Vec<Listening>,
    sockets: Vec<Bound>,
}

impl Core {
    /// Begins the node's next life.
    pub(crate) fn begin_life(&mut self, id: NodeId) -> Life {
        let node = self.node(id);
        node.life = node.life.next();
        node.life
    }

    /// Ends the node's life. From here on nothing that it has left behind can do anything. Its counters go on, so that no draw is ever repeated.
    pub(crate) fn end_life(&mut self, id: NodeId, how: Kind) -> Remains {
        let node = self.node(id);
        node.life = node.life.next();
        let listeners = std::mem::take(&mut node.listeners);
        let tasks = node.take_tasks();
        let backlog = listeners.iter().flat_map(|it| it.backlog.iter().copied());
        let timers = if how == Kind::Crash {
            self.crash_disk(id);
            self.lose_streams(id, backlog);
            std::mem::take(&mut self.node(id).timers)
        } else {
            self.close_streams(id, backlog);
            // The machine goes on sending what was written.
            self.node(id).timers.take_wakes()
        };
        Remains {
            tasks,
            timers,
            listeners,
            sockets: self.close_sockets(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(faults: &[Fault]) -> Lives {
        let faults = faults.to_vec();
        Schedule { faults }.lives()
    }

    const fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    #[test]
    fn a_node_is_down_from_the_instant_of_its_stop_to_that_of_its_start() {
        let lives = lives(&[
            Fault::Restart { at: at(5), node: 1 },
            Fault::Crash { at: at(3), node: 1 },
            Fault::Join { at: at(2), node: 2 },
            Fault::Leave { at: at(4), node: 2 },
        ]);
        let down = |node, ns: u64| lives.down(node, Time::from_nanos(ns));
        const S: u64 = 1_000_000_000;
        assert_eq!([down(1, 0), down(1, 3 * S - 1)], [None, None]);
        assert_eq!([down(1, 3 * S), down(1, 5 * S - 1)], [Some(1), Some(1)]);
        assert_eq!([down(1, 5 * S), down(1, u64::MAX)], [None, None]);
        assert_eq!([down(2, 0), down(2, 2 * S - 1)], [Some(2), Some(2)]);
        assert_eq!([down(2, 2 * S), down(2, 4 * S)], [None, Some(3)]);
        assert_eq!(down(0, 0), None);
        assert_eq!(
            [lives.starts_after(1, at(3)), lives.starts_after(1, at(5))],
            [Some(at(5)), None]
        );
        assert_eq!(lives.settled(), Some(at(5)));
        let sessions = |node| lives.sessions(node, at(9));
        assert_eq!(sessions(0), [(at(0), at(9))]);
        assert_eq!(sessions(1), [(at(0), at(3)), (at(5), at(9))]);
        assert_eq!(sessions(2), [(at(2), at(4))]);
        let deaf = |node, time| lives.is_deaf(node, at(time));
        assert_eq!(
            [deaf(1, 4), deaf(2, 1), deaf(2, 9)],
            [true, true, false],
            "a machine stays when its process exits"
        );
        let crashes = |node, from, until| lives.crashes_within(node, at(from), at(until));
        assert_eq!(
            [crashes(1, 2, 3), crashes(1, 0, 9)],
            [true, true],
            "at the very instant, too"
        );
        assert_eq!(
            [crashes(1, 2, 2), crashes(1, 3, 9), crashes(2, 0, 9)],
            [false; 3]
        );
        assert!(lives.misfits().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_told_once_each() {
        let lives = lives(&[
            Fault::Restart { at: at(1), node: 0 },
            Fault::Crash { at: at(2), node: 0 },
            Fault::Leave { at: at(3), node: 0 },
            Fault::Join { at: at(4), node: 0 },
            Fault::Restart { at: at(5), node: 0 },
        ]);
        let misfits: Vec<_> = lives.misfits().iter().map(ToString::to_string).collect();
        assert_eq!(
            misfits,
            [
                "node 0 cannot restart at 1s: it is up then",
                "node 0 cannot leave at 3s: it is down then",
                "node 0 cannot join at 4s: it was there before",
            ]
        );
    }

    #[test]
    fn lives_are_counted() {
        assert!(!Life::ABSENT.is_up());
        assert_eq!(Life::ABSENT.next(), Life::FIRST);
        let second = Life::FIRST.next().next();
        assert!(Life::FIRST.is_up() && second.is_up() && !Life::FIRST.next().is_up());
        assert_eq!((Life::FIRST.incarnation(), second.incarnation()), (0, 1));
    }
}
