use std::collections::BTreeSet;

use hash_exchange::{Hash, Misuse, Tag};

use super::world::{Heard, Pair, Side};
use super::{CONTENTS, cancel, content};

/// Reads any bytes as what two sessions say to each other, and in which pieces it gets there. What is said arrives, in order;
/// each hash asked for is settled once, as it was answered; and in the end both sides are closed.
pub fn pair(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let numbered = script.number() % 2 == 1;
    let mut pair = stocked(numbered);
    let mut said = [numbered; 2].map(Said::new);
    while let Some(operation) = script.byte() {
        let [said_a, said_b] = &mut said;
        let (side, other, said) = match operation & 1 {
            0 => (&mut pair.a, &mut pair.b, said_a),
            _ => (&mut pair.b, &mut pair.a, said_b),
        };
        said.operate(operation >> 1, side, other, &mut script);
    }
    // A REQUEST that crosses CLOSE is refused: what can be settled is settled first.
    pair.drive();
    pair.a.session.close();
    pair.b.session.close();
    pair.drive();
    let [a, b] = &said;
    for (side, other) in [((&pair.a, a), (&pair.b, b)), ((&pair.b, b), (&pair.a, a))] {
        let (session, said) = (&side.0.session, side.1);
        assert!(session.is_closed() && session.serving() == 0);
        said.arrived(other.0);
        said.settled(side.0, other);
    }
    assert_eq!(
        (pair.a.session.end(), pair.b.session.end()),
        (Ok(()), Ok(()))
    );
}

/// Two sides, each of which holds half of the contents; some may have numbers of their own, which meet those that are counted.
fn stocked(numbered: bool) -> Pair {
    let mut pair = Pair::new();
    for (n, (hash, body)) in CONTENTS.iter().enumerate() {
        let sequence = (numbered && n % 5 == 0).then_some(n as u64 / 2);
        for (side, bit) in [(&mut pair.a, 0), (&mut pair.b, 1)] {
            if n >> bit & 1 == 0 {
                side.store.insert(hash.clone(), (body.clone(), sequence));
            }
        }
    }
    pair
}

/// Operations as bytes.
pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// A number; zero when all is read.
    pub(super) fn number(&mut self) -> usize {
        self.byte().unwrap_or(0).into()
    }

    /// As many bytes as the next one says, or as there are.
    fn bytes(&mut self) -> &'a [u8] {
        let len = self.number() % CONTENTS.len();
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    pub(super) fn hashes(&mut self) -> Vec<Hash> {
        self.bytes().iter().map(|&n| content(n).0.clone()).collect()
    }

    fn sequence(&mut self) -> Option<u64> {
        (self.number() as u64).checked_sub(1)
    }
}

/// What a side has said and done: the model of what the other side hears, and of what becomes of what it asked for.
struct Said {
    /// Contents have numbers of their own, and are not broken off by their reader: that names a content by its channel and number,
    /// and where both are used again it may come too late for the one and hit the other.
    numbered: bool,
    words: Vec<Heard>,
    /// Hashes that it asked for, in order.
    asked: Vec<Hash>,
    /// Contents that it broke off, as their reader.
    cancelled: usize,
    /// Contents that it broke off, as their writer.
    failed: usize,
    closed: bool,
}

impl Said {
    const fn new(numbered: bool) -> Self {
        Self {
            numbered,
            words: Vec::new(),
            asked: Vec::new(),
            cancelled: 0,
            failed: 0,
            closed: false,
        }
    }

    fn operate(
        &mut self,
        operation: u8,
        side: &mut Side,
        other: &mut Side,
        script: &mut Script<'_>,
    ) {
        let (session, out) = (&mut side.session, &mut side.out);
        match operation % 16 {
            0 => {
                let hashes = script.hashes();
                let said = session.provide(&hashes, out);
                self.say(side, said, Heard::Available(hashes));
            }
            1 | 2 => {
                let mut hashes = script.hashes();
                let said = session.request(&hashes, out);
                let mut met = BTreeSet::new();
                hashes.retain(|hash| met.insert(hash.clone()));
                if !self.closed {
                    self.asked.extend_from_slice(&hashes);
                }
                self.say(side, said, Heard::Asked(hashes));
            }
            3 => {
                let flags = script.number();
                side.congested = flags & 1 == 1;
                side.declines = flags & 2 == 2 && !self.numbered;
            }
            4 => {
                let id = String::from_utf8_lossy(script.bytes()).into_owned();
                let said = session.id(&id, out);
                self.say(side, said, Heard::Id(id));
            }
            5 => {
                let sequence = script.sequence();
                let said = session.since(sequence, out);
                self.say(side, said, Heard::Since(sequence));
            }
            6 => {
                let sequence = script.sequence();
                let said = session.seen(sequence, out);
                self.say(side, said, Heard::Seen(sequence));
            }
            7 if !self.numbered => self.cancelled += usize::from(cancel(side, script.number())),
            8 => self.failed += usize::from(fail(side)),
            9 => drop(side.answer()),
            10 => drop((0..script.number()).all(|_| side.serve())),
            11 => side.transmit(),
            12 => side.drain(),
            13 if script.number() == 0 => {
                session.close();
                self.closed = true;
            }
            _ => side.carry(other, script.number(), script.number() + 1),
        }
    }

    /// A side has said something, which it may until it closes.
    fn say(&mut self, side: &mut Side, said: Result<Tag, Misuse>, word: Heard) {
        assert_eq!(said.is_err(), self.closed, "{said:?}");
        if let Ok(tag) = said {
            side.count(tag);
            self.words.push(word);
        }
    }

    /// The other side has heard what was said, in order, and CLOSE last. A REQUEST may have crossed its CLOSE, and been refused;
    /// then all later ones are.
    fn arrived(&self, other: &Side) {
        let is_asked = |word: &&Heard| matches!(word, Heard::Asked(_));
        let answered = other.heard.iter().filter(is_asked).count();
        let mut asked = 0;
        let words = self.words.iter().filter(|word| {
            asked += usize::from(is_asked(word));
            !is_asked(word) || asked <= answered
        });
        let heard = other.heard.iter().filter(|heard| match heard {
            Heard::Available(_) | Heard::Asked(_) | Heard::Id(_) => true,
            Heard::Since(_) | Heard::Seen(_) | Heard::Close => true,
            Heard::NotFound(_) | Heard::Response(..) => false,
            Heard::Complete(..) | Heard::Failed(..) | Heard::Cancelled(_) => false,
        });
        assert!(heard.eq(words.chain([&Heard::Close])), "{:?}", other.heard);
    }

    /// Each hash asked for was settled, in order, as the other side answered it; and each content that was to come came whole, or
    /// was broken off.
    fn settled(&self, side: &Side, other: (&Side, &Self)) {
        let (other, other_said) = other;
        let refused = other_said.closed.then_some(false);
        let found = other
            .answered
            .iter()
            .copied()
            .chain(refused.into_iter().cycle());
        let expected = self.asked.iter().zip(found);
        let (mut announced, mut ended, mut failed) = (0, 0, 0);
        let mut settled = Vec::new();
        for heard in &side.heard {
            match heard {
                Heard::NotFound(hash) => settled.push((hash, false)),
                Heard::Response(hash, _) => {
                    announced += 1;
                    settled.push((hash, true));
                }
                Heard::Complete(hash, _, body) => {
                    assert_eq!(body, &other.store[hash].0);
                    ended += 1;
                }
                Heard::Failed(..) => failed += 1,
                _ => {}
            }
        }
        assert!(settled.into_iter().eq(expected), "{:?}", side.heard);
        let cancelled = self.cancelled + side.declined;
        assert_eq!(announced, ended + failed + cancelled);
        assert!(failed <= other_said.failed);
    }
}

/// A side breaks off the content whose turn it is, if there is one, as its writer.
fn fail(side: &mut Side) -> bool {
    let Some(served) = side.session.next_response() else {
        return false;
    };
    side.serving.remove(&served).expect("it was found");
    let tag = side.session.fail(served, "unreadable", &mut side.out);
    side.count(tag.expect("it is its turn"));
    true
}
