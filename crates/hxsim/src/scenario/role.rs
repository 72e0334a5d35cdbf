//! `[[role]]`: who does not behave.

use std::collections::BTreeMap;

use simnet::NodeId;

use super::quantity::{nodes as node_set, word};
use super::section::{Problems, Section};

/// What a node does all the time in place of what it should. It knows what is published and when, and offers all of it, unless it is mute; what it publishes
/// by the workload it keeps to itself. Of the others it is expected that they end as if its seat were empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It reads and says nothing.
    Mute,
    /// It answers that it does not have what it offers.
    Refusing,
    /// It sends other bodies of the same lengths.
    Lying,
    /// It sends the right bodies, a byte at a time.
    Slow,
    /// It never reads, so that what is said to it piles up, and no question is answered.
    NeverReading,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Mute,
        Self::Refusing,
        Self::Lying,
        Self::Slow,
        Self::NeverReading,
    ];

    /// What scenarios call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Refusing => "refusing",
            Self::Lying => "lying",
            Self::Slow => "slow",
            Self::NeverReading => "never_reading",
        }
    }
}

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
) -> BTreeMap<NodeId, Role> {
    let kinds = Role::ALL.map(|role| (role.name(), role));
    let mut roles = BTreeMap::new();
    for mut section in root.sections(problems, "role", "`[[role]]`") {
        let kind = section.required(problems, "kind", "kind = \"mute\"", word("role", &kinds));
        let named = section.required(problems, "nodes", "nodes = [3]", node_set(nodes));
        section.close(problems);
        let (Some(kind), Some(named)) = (kind, named) else {
            continue;
        };
        for node in named.value {
            if let Some(other) = roles.insert(node, kind.value) {
                let message = format!("node {node} has a role already");
                problems.add(&named.place, message, format!("it is {}", other.name()));
                break;
            }
        }
        if nodes.is_some_and(|nodes| roles.len() == nodes as usize) {
            let hint = "leave one out";
            problems.add(
                &named.place,
                "every node has a role: nobody is left to be judged",
                hint,
            );
        }
    }
    roles
}
