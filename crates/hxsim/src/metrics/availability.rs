//! What nodes had while they were up, of what they could have had.

use simnet::{Lives, NodeId, Time};

use super::{Observed, Ratio, Record};

/// When which nodes were up, and the time that counts.
#[derive(Clone, Copy, Debug)]
pub struct Presence<'a> {
    /// When each node was up.
    pub lives: &'a Lives,
    /// When time began to count.
    pub from: Time,
    /// When it ended.
    pub until: Time,
}

impl Presence<'_> {
    /// Of all time for which a node was up and an item that it did not publish itself was there, the part for which the node held it. What a node let go of
    /// is taken as held until its life ended.
    pub(super) fn availability(&self, observed: &Observed<'_>) -> Ratio {
        let nodes = 0..observed.graph.nodes();
        let sessions: Vec<_> = nodes
            .map(|node| self.lives.sessions(node, self.until))
            .collect();
        let mut could = 0_u128;
        for item in observed.items {
            for (node, sessions) in (0..).zip(&sessions) {
                let is_rogue = observed.attendance.rogues.binary_search(&node).is_ok();
                if !is_rogue && !item.holders.contains(&node) {
                    let ends = sessions
                        .iter()
                        .map(|(start, end)| (*start.max(&item.at), *end));
                    could += ends
                        .map(|(start, end)| self.lasted(start, end))
                        .sum::<u128>();
                }
            }
        }
        let held = (0..).zip(observed.records);
        let held = held.flat_map(|(node, records)| records.iter().map(move |it| (node, it)));
        let past = observed.attendance.past.iter();
        let all = held.chain(past.map(|(node, record)| (*node, record)));
        let came = all.filter(|(_, record)| record.from.is_some());
        let came = came.map(|(node, record): (NodeId, &Record)| (node, record.at));
        let recovered = observed.attendance.recovered.iter();
        let recovered = recovered.filter(|(node, item, _)| {
            let item = &observed.items[*item as usize];
            !item.holders.contains(node)
        });
        let recovered = recovered.map(|(node, _, at)| (*node, *at));
        let had = came.chain(recovered).map(|(node, at)| {
            let sessions = &sessions[node as usize];
            let after = sessions.partition_point(|(start, _)| *start <= at);
            let life = after.checked_sub(1).map(|place| sessions[place]);
            life.map_or(0, |(_, end)| self.lasted(at, end))
        });
        let had = had.sum();
        // Nanoseconds of many pairs may be more than 64 bits hold.
        let spare = 64_u32.saturating_sub(could.leading_zeros());
        let narrowed = |ns: u128| u64::try_from(ns >> spare).unwrap_or(u64::MAX);
        Ratio::new(narrowed(had), narrowed(could))
    }

    /// How much of a time counts, in nanoseconds.
    fn lasted(&self, start: Time, end: Time) -> u128 {
        let (start, end) = (start.max(self.from), end.min(self.until));
        match start < end {
            true => end.since(start).as_nanos(),
            false => 0,
        }
    }
}
