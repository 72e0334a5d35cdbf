//! How large bodies are.

use simnet::draw::{Purpose, bounded, draw};

use crate::decimal::Decimal;
use simnet::fixed::{exponent_of_e, neg_log2, normal, times_exp2};

/// How many bytes a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// All the same.
    Fixed(u32),
    /// Any of these with the same chance.
    Uniform {
        /// The least.
        least: u32,
        /// The most, included.
        most: u32,
    },
    /// The logarithm is normal, as that of the sizes of most files is (Downey 2001). At least [`Size::LOG_NORMAL_LEAST`].
    LogNormal {
        /// Half of them are smaller.
        median: u32,
        /// The deviation of the natural logarithm, at most [`Size::SIGMA_MAX`].
        sigma: Decimal,
        /// What is larger counts as this.
        most: u32,
    },
    /// The chance to be larger than x is `(least / x)^shape`, as that of the largest files (Crovella and Bestavros 1997).
    Pareto {
        /// The least.
        least: u32,
        /// The tail is the heavier the less this is; up to 1 it has no mean but for `most`.
        shape: Decimal,
        /// What is larger counts as this.
        most: u32,
    },
}

impl Size {
    /// Bodies of so many bytes all differ, however many there are.
    pub const LOG_NORMAL_LEAST: u32 = 8;
    /// A deviation more is 485 million times as large.
    pub const SIGMA_MAX: Decimal = Decimal::whole(20);

    /// The size of the body of this number.
    pub(super) fn draw(self, seed: u64, serial: u64) -> u32 {
        const SIZE: Purpose = Purpose::new("hxsim/workload/size");
        let raw = |attempt| draw(seed, SIZE, serial, attempt);
        let million = i128::from(Decimal::ONE.millionths());
        match self {
            Self::Fixed(size) => size,
            Self::Uniform { least, most } => {
                let sizes = u64::from(most.saturating_sub(least)) + 1;
                // At most `most - least`, which is a u32.
                least + bounded(raw(0), sizes) as u32
            }
            Self::LogNormal {
                median,
                sigma,
                most,
            } => {
                let sigma = i128::from(sigma.min(Self::SIGMA_MAX).millionths());
                let exponent = exponent_of_e(i128::from(normal(raw)) * sigma / million);
                let size = times_exp2(median.into(), exponent);
                within(size, Self::LOG_NORMAL_LEAST, most)
            }
            Self::Pareto { least, shape, most } => {
                let shape = i128::from(shape.millionths()).max(1);
                let exponent = i128::from(neg_log2(raw(0))) * million / shape;
                within(times_exp2(least.into(), exponent), least, most)
            }
        }
    }

    /// No body is smaller.
    pub(crate) const fn least(self) -> u32 {
        match self {
            Self::Fixed(size) => size,
            Self::Uniform { least, .. } | Self::Pareto { least, .. } => least,
            Self::LogNormal { .. } => Self::LOG_NORMAL_LEAST,
        }
    }

    /// What bodies have on average, near enough to tell whether they fit into memory.
    pub(crate) fn mean(self) -> u32 {
        const SAMPLE: u64 = 1_000;
        let sum: u64 = (0..SAMPLE)
            .map(|serial| u64::from(self.draw(0, serial)))
            .sum();
        // A mean of numbers that are u32.
        (sum / SAMPLE) as u32
    }
}

fn within(size: u64, least: u32, most: u32) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX).min(most).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u64 = 100_000;

    fn share(size: Size, holds: impl Fn(u32) -> bool) -> f64 {
        let sizes = (0..N).map(|serial| size.draw(1, serial));
        sizes.filter(|&size| holds(size)).count() as f64 / N as f64
    }

    /// Five standard errors of a share of so many.
    fn close(share: f64, expected: f64) -> bool {
        (share - expected).abs() < 5.0 * (expected * (1.0 - expected) / N as f64).sqrt()
    }

    #[test]
    fn uniform_sizes_have_both_their_ends() {
        let size = Size::Uniform { least: 3, most: 6 };
        for expected in 3..=6 {
            assert!(close(share(size, |size| size == expected), 0.25));
        }
        assert_eq!((size.least(), size.mean()), (3, 4));
    }

    #[test]
    fn log_normal_sizes_have_their_median_and_their_tail() {
        let size = Size::LogNormal {
            median: 8_192,
            sigma: Decimal::from_millionths(1_500_000),
            most: 1 << 30,
        };
        assert!(close(share(size, |size| size < 8_192), 0.5));
        // One deviation up and two down, which is a factor of e^1.5 and e^3.
        assert!(close(share(size, |size| size > 36_713), 0.158_655));
        assert!(close(share(size, |size| size < 408), 0.022_75));
        let cut = Size::LogNormal {
            median: 8,
            sigma: Size::SIGMA_MAX,
            most: 100,
        };
        assert!(close(share(cut, |size| size == 8), 0.5));
        assert!(share(cut, |size| size == 100) > 0.4);
    }

    #[test]
    fn pareto_sizes_fall_by_a_power() {
        let size = Size::Pareto {
            least: 1_000,
            shape: Decimal::from_millionths(1_200_000),
            most: 100_000,
        };
        assert!(share(size, |size| size < 1_000) == 0.0);
        assert!(close(share(size, |size| size >= 2_000), 0.5_f64.powf(1.2)));
        assert!(close(share(size, |size| size >= 10_000), 0.1_f64.powf(1.2)));
        // What would be larger than the most counts as that.
        assert!(close(
            share(size, |size| size == 100_000),
            0.01_f64.powf(1.2)
        ));
    }

    #[test]
    fn the_draws_are_pinned() {
        let sigma = Decimal::ONE;
        let (least, most) = (1_000, 1_000_000);
        let sizes = [
            Size::Uniform { least, most },
            Size::LogNormal {
                median: 8_192,
                sigma,
                most,
            },
            Size::Pareto {
                least,
                shape: sigma,
                most,
            },
        ];
        assert_eq!(
            sizes.map(|size| [0, 1, 2].map(|serial| size.draw(1, serial))),
            [
                [147_378, 512_071, 342_528],
                [1_819, 8_784, 4_037],
                [6_824, 1_954, 2_925]
            ]
        );
    }
}
