/// A set of items, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ItemSet {
    words: Vec<u64>,
    count: u32,
}

impl ItemSet {
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        let word = self.words.get(number as usize / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// False if it was there.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        let at = number as usize / 64;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let bit = 1 << (number % 64);
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        self.count += u32::from(new);
        new
    }

    pub(super) fn remove(&mut self, number: u32) {
        if self.contains(number) {
            self.words[number as usize / 64] &= !(1 << (number % 64));
            self.count -= 1;
        }
    }

    pub(super) fn unite(&mut self, other: &Self) {
        self.words
            .resize(self.words.len().max(other.words.len()), 0);
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
        self.count = self.words.iter().map(|word| word.count_ones()).sum();
    }

    /// How many of these are in `other`.
    pub(super) fn count_in(&self, other: &Self) -> u32 {
        let words = self.words.iter().zip(&other.words);
        words.map(|(own, other)| (own & other).count_ones()).sum()
    }

    /// In ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let words = (0..).zip(&self.words);
        words.flat_map(|(at, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        })
    }
}
