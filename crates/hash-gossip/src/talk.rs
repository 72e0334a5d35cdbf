//! What two durable nodes say to each other about their logs.
//!
//! The words are in the crate's documentation. Positions are those of the log of the node that offers. The one that is offered remembers how far it has
//! seen, in its own log and behind what it has seen: so whatever a crash takes of that log, what is remembered is true of the rest. Only what is durable is given a position, so no crash gives one to something else. A node
//! that has lost its log has another name, of which nothing is remembered.
//!
//! A peer that does not introduce itself so is offered everything, and so is one that says nothing for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::log::Identity;
use crate::strategy::HashIndex;

/// What was said on the connection that stands with one peer.
#[derive(Default)]
pub(crate) struct Talk {
    /// Who the peer is, if it has said so.
    pub(crate) peer: Option<Identity>,
    /// It is known what to offer the peer, and the strategy knows of the connection.
    pub(crate) is_greeted: bool,
    /// Until then it is waited for what the peer says.
    pub(crate) greet_by: Duration,
    /// The peer is to be told how much of its log is held.
    pub(crate) owes_since: bool,
    /// As far as this the peer has been offered our log, and knows it.
    pub(crate) marked: u64,
    /// It has not said yet that it has seen all of that.
    pub(crate) is_unseen: bool,
    /// What the peer has offered since it last said how far it has come, and was not held then.
    pub(crate) lacking: BTreeSet<HashIndex>,
    /// How far the peer has come.
    pub(crate) mark: Option<Mark>,
}

/// A position of a peer's log that will have been seen once these are held.
pub(crate) struct Mark {
    pub(crate) position: u64,
    pub(crate) lacking: BTreeSet<HashIndex>,
}

impl Talk {
    pub(crate) fn new(greet_by: Duration) -> Self {
        Self {
            greet_by,
            ..Self::default()
        }
    }

    /// The peer has introduced itself, or says how far it has come.
    pub(crate) fn hear(&mut self, own: Identity, text: &str) {
        let Some((identity, position)) = parse(text) else {
            return;
        };
        match position {
            // Our own log, copied: what we remember of it is not of the peer's.
            _ if identity == own => {}
            None if self.peer.is_none() => {
                self.peer = Some(identity);
                self.owes_since = true;
            }
            Some(position) if self.peer == Some(identity) => {
                let mut lacking = std::mem::take(&mut self.lacking);
                if let Some(earlier) = self.mark.take() {
                    lacking.extend(earlier.lacking);
                }
                self.mark = Some(Mark { position, lacking });
            }
            _ => {}
        }
    }

    /// The peer offers what is not held here.
    pub(crate) fn note_lacking(&mut self, hash: HashIndex) {
        if self.peer.is_some() {
            self.lacking.insert(hash);
        }
    }

    /// The peer does not hold that any more.
    pub(crate) fn forgive(&mut self, hash: HashIndex) {
        self.lacking.remove(&hash);
        if let Some(mark) = &mut self.mark {
            mark.lacking.remove(&hash);
        }
    }

    /// The position of the peer's log that has been seen by now, once.
    pub(crate) fn take_seen(
        &mut self,
        lacks: impl Fn(HashIndex) -> bool,
    ) -> Option<(Identity, u64)> {
        let mark = self.mark.as_mut()?;
        while mark.lacking.first().is_some_and(|&first| !lacks(first)) {
            mark.lacking.pop_first();
        }
        let mark = self.mark.take_if(|mark| mark.lacking.is_empty())?;
        Some((self.peer?, mark.position))
    }

    /// The peer says how far it has seen our log.
    pub(crate) fn note_seen(&mut self, position: Option<u64>) {
        self.is_unseen &= position != Some(self.marked);
    }
}

/// How a node introduces itself; with a position: how far it has come.
pub(crate) fn introduction(identity: Identity, position: Option<u64>) -> String {
    match position {
        None => format!("{PREFIX}{identity}"),
        Some(position) => format!("{PREFIX}{identity} {position}"),
    }
}

const PREFIX: &str = "hash-gossip ";

fn parse(text: &str) -> Option<(Identity, Option<u64>)> {
    let text = text.strip_prefix(PREFIX)?;
    let (identity, position) = match text.split_once(' ') {
        Some((identity, position)) => (identity, Some(position.parse().ok()?)),
        None => (text, None),
    };
    let (digits, rest) = identity.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 16];
    if digits.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(digits) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(digits[0])? << 4 | digit(digits[1])?) as u8;
    }
    Some((Identity(bytes), position))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Identity = Identity([1; 16]);
    const PEER: Identity = Identity([2; 16]);

    fn hash(index: usize) -> HashIndex {
        HashIndex::new(index)
    }

    fn introduced() -> Talk {
        let mut talk = Talk::new(Duration::ZERO);
        talk.hear(OWN, &introduction(PEER, None));
        talk
    }

    #[test]
    fn a_position_is_seen_once_all_is_held_that_was_offered_before() {
        let mut talk = introduced();
        talk.note_lacking(hash(3));
        talk.note_lacking(hash(5));
        talk.hear(OWN, &introduction(PEER, Some(7)));
        talk.note_lacking(hash(9));
        assert_eq!(talk.take_seen(|it| it == hash(5)), None);
        assert_eq!(talk.take_seen(|it| it == hash(9)), Some((PEER, 7)));
        assert_eq!(talk.take_seen(|_| false), None, "once");

        talk.hear(OWN, &introduction(PEER, Some(8)));
        assert_eq!(talk.take_seen(|it| it == hash(9)), None);
        talk.forgive(hash(9));
        assert_eq!(talk.take_seen(|_| true), Some((PEER, 8)), "nobody has it");
    }

    #[test]
    fn an_earlier_position_that_was_not_seen_yet_is_part_of_the_later() {
        let mut talk = introduced();
        talk.note_lacking(hash(3));
        talk.hear(OWN, &introduction(PEER, Some(7)));
        talk.hear(OWN, &introduction(PEER, Some(8)));
        assert_eq!(talk.take_seen(|it| it == hash(3)), None);
        assert_eq!(talk.take_seen(|_| false), Some((PEER, 8)));
    }

    #[test]
    fn nobody_is_taken_for_somebody_else() {
        let mut talk = introduced();
        assert!(std::mem::take(&mut talk.owes_since));
        talk.hear(OWN, &introduction(Identity([3; 16]), Some(7)));
        talk.hear(OWN, &introduction(Identity([3; 16]), None));
        assert!(talk.peer == Some(PEER) && talk.mark.is_none() && !talk.owes_since);

        let mut copied = Talk::new(Duration::ZERO);
        copied.hear(OWN, &introduction(OWN, None));
        assert_eq!(copied.peer, None);
        let wrong = [
            "",
            "me",
            "hash-gossip",
            "hash-gossip 0101",
            "hash-gossip  7",
            "hash-gossip 0101010101010101010101010101010g",
            "hash-gossip 01010101010101010101010101010101 -1",
            "hash-gossip 01010101010101010101010101010101 7 8",
            "hash-gossip 010101010101010101010101010101010",
        ];
        assert!(wrong.iter().all(|text| parse(text).is_none()));
    }

    #[test]
    fn only_the_last_position_counts_as_seen() {
        let mut talk = Talk {
            marked: 9,
            is_unseen: true,
            ..introduced()
        };
        talk.note_seen(None);
        talk.note_seen(Some(8));
        talk.note_seen(Some(u64::MAX));
        assert!(talk.is_unseen);
        talk.note_seen(Some(9));
        assert!(!talk.is_unseen);
    }

    proptest! {
        #[test]
        fn introductions_are_understood(identity: [u8; 16], position: Option<u64>) {
            let identity = Identity(identity);
            prop_assert_eq!(parse(&introduction(identity, position)), Some((identity, position)));
        }

        #[test]
        fn no_text_is_too_much(text: String) {
            let _ = parse(&format!("{PREFIX}{text}"));
        }
    }
}
