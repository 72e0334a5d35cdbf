//! Zipf's law: what is first in rank is twice as frequent as what is second, at an exponent of 1.

use simnet::draw::bounded;

use crate::decimal::Decimal;
use simnet::fixed::{log2, times_exp2};

/// `first / rank^exponent`. Ranks begin with 1.
pub(super) fn weight(first: u64, rank: u64, exponent: Decimal) -> u64 {
    let power = i128::from(log2(rank)).saturating_mul(exponent.millionths().into());
    times_exp2(first, -power / i128::from(Decimal::ONE.millionths()))
}

/// Ranks to be drawn, each as often as the law has it.
pub(super) struct Ranks {
    /// Up to each rank, the sum of weights.
    sums: Vec<u64>,
}

impl Ranks {
    pub(super) fn new(ranks: u32, exponent: Decimal) -> Self {
        // Fewer than 2^32 ranks, so that the sum fits.
        const FIRST: u64 = 1 << 31;
        let mut sum = 0;
        let sums = (1..=u64::from(ranks)).map(|rank| {
            sum += weight(FIRST, rank, exponent);
            sum
        });
        Self {
            sums: sums.collect(),
        }
    }

    /// The place of a rank, from 0 on.
    pub(super) fn place(&self, raw: u64) -> usize {
        let sum = self.sums.last().copied().unwrap_or(0);
        let drawn = bounded(raw, sum);
        self.sums.partition_point(|&sum| sum <= drawn)
    }
}

#[cfg(test)]
mod tests {
    use simnet::draw::{Purpose, draw};

    use super::*;

    #[test]
    fn weights_fall_by_a_power() {
        let weights = |exponent| [1, 2, 3, 10, 1_000].map(|rank| weight(1_000_000, rank, exponent));
        assert_eq!(
            weights(Decimal::ONE),
            [1_000_000, 500_000, 333_333, 99_999, 999]
        );
        assert_eq!(
            weights(Decimal::whole(2)),
            [1_000_000, 250_000, 111_111, 9_999, 0]
        );
        assert_eq!(weights(Decimal::ZERO), [1_000_000; 5]);
        assert_eq!(
            weight(u64::MAX, u64::MAX, Decimal::from_millionths(u64::MAX)),
            0
        );
    }

    #[test]
    fn ranks_are_drawn_as_often_as_the_law_has_it() {
        let ranks = Ranks::new(10, Decimal::ONE);
        let mut seen = [0_u32; 10];
        for counter in 0..29_290 {
            seen[ranks.place(draw(1, Purpose::new("ranks"), 0, counter))] += 1;
        }
        // The tenth harmonic number is 2.929: the first rank has 10,000 of them.
        for (rank, times) in (1..).zip(seen) {
            let expected = 10_000.0 / f64::from(rank);
            let apart = (f64::from(times) - expected).abs();
            assert!(apart < 5.0 * expected.sqrt(), "{seen:?}");
        }
    }
}
