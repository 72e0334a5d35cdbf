use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use crate::Hash;
use crate::wire::rpc;

/// REQUESTs, oldest first, one after the other.
#[derive(Debug, Default)]
pub(super) enum Requests {
    #[default]
    None,
    /// What remains of a single one, behind which its end goes without saying.
    One(Wanted),
    Many(Box<Queue>),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    wanted: VecDeque<Wanted>,
    /// Hashes among them.
    hashes: usize,
}

#[derive(Debug)]
pub(in crate::session) enum Wanted {
    /// Asked for.
    Hash(Hash),
    /// Announced under this sequence number.
    Announced(u64),
    /// Here a REQUEST ends.
    End,
}

/// Encodes a REQUEST for at most `room` hashes, each once: what there is to remember of it; `None` if they are more.
pub(in crate::session) fn write_request<'h>(
    hashes: impl IntoIterator<Item = &'h Hash>,
    room: usize,
    out: &mut Vec<u8>,
) -> Option<Vec<Wanted>> {
    let mut asked = BTreeSet::new();
    let mut wanted = Vec::new();
    for hash in hashes {
        if !asked.insert(hash) {
            continue;
        }
        if wanted.len() == room {
            return None;
        }
        rpc::write_hash(hash, out);
        wanted.push(Wanted::Hash(hash.clone()));
    }
    wanted.push(Wanted::End);
    Some(wanted)
}

impl Requests {
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Hashes that are asked for.
    pub(super) fn hashes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(wanted) => usize::from(matches!(wanted, Wanted::Hash(_))),
            Self::Many(queue) => queue.hashes,
        }
    }

    /// Adds a REQUEST, with its end.
    pub(super) fn push(&mut self, request: Vec<Wanted>) {
        let hashes = request.len() - 1;
        match self {
            Self::None => {
                let wanted = VecDeque::from(request);
                *self = Self::Many(Box::new(Queue { wanted, hashes }));
            }
            Self::One(_) | Self::Many(_) => self.extend(request, hashes),
        }
    }

    /// Adds a REQUEST for one hash.
    pub(super) fn push_single(&mut self, hash: Hash) {
        match self {
            Self::None => *self = Self::One(Wanted::Hash(hash)),
            Self::One(_) | Self::Many(_) => self.extend([Wanted::Hash(hash), Wanted::End], 1),
        }
    }

    fn extend(
        &mut self,
        request: impl IntoIterator<Item = Wanted, IntoIter: ExactSizeIterator>,
        hashes: usize,
    ) {
        let request = request.into_iter();
        let mut queue = match mem::take(self) {
            Self::None => Box::default(),
            Self::One(oldest) => {
                let hashes = usize::from(matches!(oldest, Wanted::Hash(_)));
                let end = (!matches!(oldest, Wanted::End)).then_some(Wanted::End);
                let mut wanted = VecDeque::with_capacity(2 + request.len());
                wanted.push_back(oldest);
                wanted.extend(end);
                Box::new(Queue { wanted, hashes })
            }
            Self::Many(queue) => queue,
        };
        queue.wanted.extend(request);
        queue.hashes += hashes;
        *self = Self::Many(queue);
    }

    /// Takes the oldest away.
    pub(super) fn pop(&mut self) -> Option<Wanted> {
        match self {
            Self::None => None,
            Self::One(Wanted::End) => {
                *self = Self::None;
                Some(Wanted::End)
            }
            Self::One(wanted) => Some(mem::replace(wanted, Wanted::End)),
            Self::Many(queue) => {
                let oldest = queue.wanted.pop_front();
                if let Some(Wanted::Hash(_)) = oldest {
                    queue.hashes -= 1;
                }
                if queue.wanted.is_empty() {
                    *self = Self::None;
                }
                oldest
            }
        }
    }

    /// The hash at this place of the oldest REQUEST, or a later one, has a sequence number now.
    pub(super) fn announce(&mut self, place: usize, sequence: u64) {
        match self {
            Self::None => {}
            Self::One(wanted) => *wanted = Wanted::Announced(sequence),
            Self::Many(queue) => {
                queue.wanted[place] = Wanted::Announced(sequence);
                queue.hashes -= 1;
            }
        }
    }

    fn get(&self, place: usize) -> Option<&Wanted> {
        match self {
            Self::None => None,
            Self::One(wanted) => (place == 0).then_some(wanted),
            Self::Many(queue) => queue.wanted.get(place),
        }
    }
}

/// Finds hashes in the oldest REQUEST, which an answer names in any order, though nearly always in that of the REQUEST.
#[derive(Default)]
pub(super) struct Places {
    next: usize,
    /// Made when the order is another, lest an answer cost the square of its length.
    index: Option<BTreeMap<Hash, usize>>,
}

impl Places {
    pub(super) fn find(&mut self, hash: &Hash, wanted: &Requests) -> Option<usize> {
        let is_at =
            |place: usize| matches!(wanted.get(place), Some(Wanted::Hash(at)) if at == hash);
        let place = if is_at(self.next) {
            self.next
        } else {
            let index = self.index.get_or_insert_with(|| {
                let request = (0..).map_while(|place| wanted.get(place));
                let request = request.take_while(|wanted| !matches!(wanted, Wanted::End));
                let places = request
                    .enumerate()
                    .filter_map(|(place, wanted)| match wanted {
                        Wanted::Hash(hash) => Some((hash.clone(), place)),
                        Wanted::Announced(_) | Wanted::End => None,
                    });
                places.collect()
            });
            index.get(hash).copied().filter(|&place| is_at(place))?
        };
        self.next = place + 1;
        Some(place)
    }
}
