//! Distributions of latencies as tables of integers: no float decides a history, and a draw costs a look-up.

use std::fmt;
use std::time::Duration;

use crate::Probability;
use crate::fixed::{BITS, exponent_of_e, log2, natural, normal_quantile, times_exp2};
use crate::time::nanos;

/// The quantiles of a distribution of durations, between which draws are interpolated.
///
/// 1024 of them are evenly spaced. Of the longest 1/32 each halving has 32 again, down to the one draw in 2^32 (four thousand million): so a heavy
/// tail is as heavy as it should be up to there. A rarer draw gives the last entry, and none is above [`Quantiles::LONGEST`].
///
/// ```
/// use std::time::Duration;
/// use simnet::Quantiles;
///
/// let quantiles = Quantiles::log_normal(Duration::from_millis(5), 500_000)?;
/// assert_eq!(quantiles.draw(u64::MAX / 2).as_millis(), 5);
/// # Ok::<(), simnet::InvalidQuantiles>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Quantiles {
    /// Nanoseconds, the longest first: the entry of the probability of a longer draw that [`exceeded`] has.
    table: Box<[u64]>,
}

/// Bits of the number of entries for each halving of the tail.
const CELL_BITS: u32 = 5;
const CELLS: usize = 1 << CELL_BITS;

/// Halvings in the tail, behind the evenly spaced entries.
const HALVINGS: u32 = 27;

/// The width of the evenly spaced cells, in parts of 2^64, as a power of two; each halving has cells of half the width of the one before.
const WIDTH_BITS: u32 = 54;

/// Entries: those of the tail, those evenly spaced, and the end of the last cell.
const ENTRIES: usize = HALVINGS as usize * CELLS + 1024 - CELLS + 1;

/// The least probability of a longer draw that has an entry, in parts of 2^64.
const RAREST: u64 = 1 << 32;

/// Certainty, in parts of 2^64.
const CERTAIN: u128 = 1 << 64;

/// Minus the binary logarithm of a probability, in parts of 2^64 and above none.
const fn minus_log2(probability: u128) -> u64 {
    match probability {
        CERTAIN => 0,
        // 64, the logarithm of certainty, wraps to 0.
        _ => 0_u64.wrapping_sub(log2(probability as u64)),
    }
}

/// The probability that a draw is longer than an entry, in parts of 2^64.
const fn exceeded(entry: usize) -> u128 {
    let even = HALVINGS as usize * CELLS;
    if entry >= even {
        return ((entry - even + CELLS) as u128) << WIDTH_BITS;
    }
    let halvings = HALVINGS - (entry / CELLS) as u32;
    ((CELLS + entry % CELLS) as u128) << (WIDTH_BITS - halvings)
}

impl Quantiles {
    /// No duration in a table is longer: one hour.
    pub const LONGEST: Duration = Duration::from_secs(3600);

    /// An exponential distribution.
    ///
    /// # Errors
    ///
    /// A mean above [`Quantiles::LONGEST`].
    pub fn exponential(mean: Duration) -> Result<Self, InvalidQuantiles> {
        let mean = bounded_nanos(mean)?;
        Ok(Self::of(|exceeded| {
            let times = natural(minus_log2(exceeded));
            ((u128::from(mean) * u128::from(times)) >> BITS) as u64
        }))
    }

    /// A log-normal distribution: the logarithm, in units of that of the median, is normal with the deviation `sigma`, in millionths.
    ///
    /// # Errors
    ///
    /// A median above [`Quantiles::LONGEST`], or a sigma above 10.
    pub fn log_normal(median: Duration, sigma: u32) -> Result<Self, InvalidQuantiles> {
        let median = bounded_nanos(median)?;
        if sigma > 10_000_000 {
            return Err(InvalidQuantiles::Sigma(sigma));
        }
        Ok(Self::of(|exceeded| {
            if exceeded == CERTAIN {
                return match sigma {
                    0 => median,
                    _ => 0,
                };
            }
            let normal = -i128::from(normal_quantile(exceeded as u64));
            let exponent = exponent_of_e(normal * i128::from(sigma) / 1_000_000);
            times_exp2(median, exponent)
        }))
    }

    /// A Pareto distribution: nothing is shorter than `scale`, and a draw is longer than `x` with the probability `(scale / x) ^ shape`. The
    /// shape is in millionths.
    ///
    /// # Errors
    ///
    /// A scale above [`Quantiles::LONGEST`], or a shape below 0.1 or above 100.
    pub fn pareto(scale: Duration, shape: u32) -> Result<Self, InvalidQuantiles> {
        let least = bounded_nanos(scale)?;
        if !(100_000..=100_000_000).contains(&shape) {
            return Err(InvalidQuantiles::Shape(shape));
        }
        Ok(Self::of(|exceeded| {
            let exponent = i128::from(minus_log2(exceeded)) * 1_000_000 / i128::from(shape);
            times_exp2(least, exponent)
        }))
    }

    /// The distribution that a sample shows, in any order: its shortest and its longest duration are the quantiles 0 and 1, the others lie
    /// evenly between.
    ///
    /// # Errors
    ///
    /// An empty sample, or a duration above [`Quantiles::LONGEST`].
    pub fn from_sample(sample: &[Duration]) -> Result<Self, InvalidQuantiles> {
        let sorted: Result<Vec<u64>, _> = sample.iter().copied().map(bounded_nanos).collect();
        let mut sorted = sorted?;
        sorted.sort_unstable();
        let steps = match sorted.len() {
            0 => return Err(InvalidQuantiles::Empty),
            1 => return Ok(Self::of(|_| sorted[0])),
            several => several as u128 - 1,
        };
        let knots = (0..).zip(&sorted);
        let knots = knots.map(|(number, ns): (u128, _)| (number * CERTAIN / steps, *ns));
        Ok(Self::between(&knots.collect::<Vec<_>>()))
    }

    /// The distribution with these quantiles, each the probability of a draw that is not longer, and straight lines between them.
    ///
    /// # Errors
    ///
    /// Quantiles that do not begin with 0 and end with 1, that do not ascend, whose durations descend, or that are above
    /// [`Quantiles::LONGEST`].
    pub fn from_points(points: &[(Probability, Duration)]) -> Result<Self, InvalidQuantiles> {
        let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else {
            return Err(InvalidQuantiles::Empty);
        };
        if *first != Probability::ZERO {
            return Err(InvalidQuantiles::First(*first));
        }
        if *last != Probability::ONE {
            return Err(InvalidQuantiles::Last(*last));
        }
        let falls =
            |pair: &[(Probability, Duration)]| pair[1].0 <= pair[0].0 || pair[1].1 < pair[0].1;
        if let Some(at) = points.windows(2).position(falls) {
            return Err(InvalidQuantiles::Order(at + 1));
        }
        let part = |quantile: Probability| u128::from(quantile.as_ppm()) * CERTAIN / 1_000_000;
        let knots = points.iter().map(|(quantile, duration)| {
            let ns = bounded_nanos(*duration)?;
            Ok((part(*quantile), ns))
        });
        let knots: Result<Vec<_>, _> = knots.collect();
        Ok(Self::between(&knots?))
    }

    /// The duration that 64 random bits stand for.
    pub const fn draw(&self, raw: u64) -> Duration {
        Duration::from_nanos(self.draw_ns(raw))
    }

    pub(crate) const fn draw_ns(&self, raw: u64) -> u64 {
        let exceeded = if raw < RAREST { RAREST } else { raw };
        let halvings = exceeded.leading_zeros().saturating_sub(CELL_BITS - 1);
        let width = WIDTH_BITS - halvings;
        let entry = (HALVINGS - halvings) as usize * CELLS + (exceeded >> width) as usize - CELLS;
        let (longer, shorter) = (self.table[entry], self.table[entry + 1]);
        let within = exceeded & ((1 << width) - 1);
        longer - (((longer - shorter) as u128 * within as u128) >> width) as u64
    }

    /// The longest duration that is drawn.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.table[0])
    }

    /// The table of a function that gives the duration which is exceeded with a probability, in parts of 2^64.
    fn of(duration: impl Fn(u128) -> u64) -> Self {
        let longest = nanos(Self::LONGEST);
        let entry = |entry| duration(exceeded(entry)).min(longest);
        let mut table: Box<[u64]> = (0..ENTRIES).map(entry).collect();
        // Where two approximations meet, a last bit might rise.
        for entry in 1..ENTRIES {
            table[entry] = table[entry].min(table[entry - 1]);
        }
        Self { table }
    }

    /// The table of straight lines between knots, the first at 0, the last at certainty.
    fn between(knots: &[(u128, u64)]) -> Self {
        Self::of(|exceeded| {
            let quantile = CERTAIN - exceeded;
            let above = knots.partition_point(|(at, _)| *at < quantile).max(1);
            let ((from, low), (to, high)) = (knots[above - 1], knots[above]);
            let risen = u128::from(high - low) * (quantile - from) / (to - from);
            low + risen as u64
        })
    }
}

fn bounded_nanos(duration: Duration) -> Result<u64, InvalidQuantiles> {
    if duration > Quantiles::LONGEST {
        return Err(InvalidQuantiles::TooLong(duration));
    }
    Ok(nanos(duration))
}

impl fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = self.draw(u64::MAX / 2);
        f.debug_struct("Quantiles")
            .field("median", &median)
            .field("longest", &self.longest())
            .finish_non_exhaustive()
    }
}

/// Why a distribution cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidQuantiles {
    /// A duration is above [`Quantiles::LONGEST`].
    TooLong(Duration),
    /// The sigma of a log-normal distribution is above 10; here in millionths.
    Sigma(u32),
    /// The shape of a Pareto distribution is below 0.1 or above 100; here in millionths.
    Shape(u32),
    /// There is nothing to interpolate.
    Empty,
    /// The first quantile is not 0.
    First(Probability),
    /// The last quantile is not 1.
    Last(Probability),
    /// This quantile, counted from 0, is not above the one before, or its duration is below.
    Order(usize),
}

impl fmt::Display for InvalidQuantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millionths = |n: u32| format!("{}.{:06}", n / 1_000_000, n % 1_000_000);
        match self {
            Self::TooLong(duration) => write!(
                f,
                "a latency of {duration:?} is above the longest of {:?}",
                Quantiles::LONGEST
            ),
            Self::Sigma(sigma) => write!(f, "a sigma of {} is above 10", millionths(*sigma)),
            Self::Shape(shape) => {
                write!(
                    f,
                    "a shape of {} is not from 0.1 to 100",
                    millionths(*shape)
                )
            }
            Self::Empty => f.write_str("there is no quantile"),
            Self::First(quantile) => {
                write!(
                    f,
                    "the first quantile is {} ppm, not zero",
                    quantile.as_ppm()
                )
            }
            Self::Last(quantile) => {
                write!(
                    f,
                    "the last quantile is {} ppm, not one million",
                    quantile.as_ppm()
                )
            }
            Self::Order(_) => f.write_str("quantiles ascend, and their durations do not descend"),
        }
    }
}

impl std::error::Error for InvalidQuantiles {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Purpose, draw};

    const MS: Duration = Duration::from_millis(1);

    fn ppm(ppm: u32) -> Probability {
        Probability::from_ppm(ppm)
    }

    /// The draw that is exceeded with this probability.
    fn at(quantiles: &Quantiles, exceeded: f64) -> f64 {
        quantiles.draw_ns((exceeded * CERTAIN as f64) as u64) as f64
    }

    #[test]
    fn golden_vectors_pin_the_tables() {
        let tables = [
            Quantiles::exponential(5 * MS),
            Quantiles::log_normal(5 * MS, 500_000),
            Quantiles::pareto(MS, 2_500_000),
            Quantiles::from_sample(&[MS, 9 * MS, 3 * MS]),
        ];
        let vectors = tables.map(|table| {
            let table = table.expect("it can be").table;
            let sum = table.iter().fold(0, |sum, ns| crate::draw::fold(sum, *ns));
            (table[0], table[864], table[1344], table[1855], sum)
        });
        assert_eq!(vectors, GOLDEN);
    }

    /// Of each table the entries of the probabilities 2^-32, 1/32, 1/2 and 1023/1024, and a digest of all.
    const GOLDEN: [(u64, u64, u64, u64, u64); 4] = [
        (
            110_903_548,
            17_328_679,
            3_465_735,
            4_885,
            0xb1de_fafd_bf12_6426,
        ),
        (
            112_681_777,
            12_689_868,
            5_000_000,
            1_062_690,
            0x72b7_9988_8fae_bfc2,
        ),
        (
            7_131_550_213,
            4_000_000,
            1_319_507,
            1_000_390,
            0x4338_5c0a_2c5b_868b,
        ),
        (
            8_999_999,
            8_625_000,
            3_000_000,
            1_003_906,
            0xe7e7_088a_ab24_a2e9,
        ),
    ];

    #[test]
    fn every_cell_begins_where_the_one_before_ends() {
        assert_eq!(exceeded(0), u128::from(RAREST));
        assert_eq!(exceeded(ENTRIES - 1), CERTAIN);
        // A table whose entries are their own numbers shows which cell a draw falls into.
        let table = (0..ENTRIES as u64).rev().collect();
        let quantiles = Quantiles { table };
        for entry in 0..ENTRIES - 1 {
            let (from, to) = (exceeded(entry) as u64, exceeded(entry + 1));
            assert!(u128::from(from) < to);
            let number = (ENTRIES - 1 - entry) as u64;
            assert_eq!(quantiles.draw_ns(from), number);
            assert_eq!(
                quantiles.draw_ns((to - 1) as u64),
                number,
                "it is all but the next"
            );
        }
        assert_eq!(quantiles.draw_ns(0), ENTRIES as u64 - 1);
    }

    /// The tables against floats, in the middle and at the end, at and between entries.
    #[test]
    fn draws_are_those_of_the_distribution_within_a_thousandth() {
        let exponential = Quantiles::exponential(5 * MS).expect("it can be");
        let pareto = Quantiles::pareto(MS, 2_500_000).expect("it can be");
        let heavy = Quantiles::pareto(MS / 100, 1_200_000).expect("it can be");
        for step in 1..4_400 {
            let exceeded = (f64::from(step) * -0.0072).exp2();
            let cases = [
                // Its least draws are nearly nothing, so near them a thousandth is nothing either.
                (&exponential, -exceeded.ln() * 5e6, 500.0),
                (&pareto, 1e6 * exceeded.powf(-1.0 / 2.5), 1.0),
                (&heavy, 1e4 * exceeded.powf(-1.0 / 1.2), 1.0),
            ];
            for (quantiles, expected, least) in cases {
                let error = (at(quantiles, exceeded) - expected).abs();
                let allowed = expected * 1e-3 + least;
                assert!(error <= allowed, "{quantiles:?} at {exceeded}: {error}");
            }
        }
    }

    /// Its quantiles are those of the normal distribution, which are tested by themselves.
    #[test]
    fn a_log_normal_draw_is_its_median_times_a_normal_power_of_e() {
        let known = [
            (0.841_344_746, -1.0),
            (0.5, 0.0),
            (0.158_655_254, 1.0),
            (0.022_750_132, 2.0),
            (1.349_898e-3, 3.0),
            (3.167_124e-5, 4.0),
            (2.866_516e-7, 5.0),
            (9.865_876e-10, 6.0),
        ];
        for sigma in [0_u32, 200_000, 500_000, 1_000_000] {
            let quantiles = Quantiles::log_normal(5 * MS, sigma).expect("it can be");
            for (exceeded, normal) in known {
                let expected = 5e6 * (normal * f64::from(sigma) / 1e6).exp();
                let error = (at(&quantiles, exceeded) / expected - 1.0).abs();
                assert!(error < 1e-3, "sigma {sigma} at {normal}: {error}");
            }
        }
    }

    #[test]
    fn a_sample_comes_back_as_it_was() {
        let sample: Vec<_> = [7, 1, 5, 3, 9].map(|ms| ms * MS).into();
        let quantiles = Quantiles::from_sample(&sample).expect("it can be");
        for (quarter, ms) in [(1, 7.0), (2, 5.0), (3, 3.0)] {
            assert_eq!(at(&quantiles, f64::from(quarter) / 4.0), ms * 1e6);
        }
        assert_eq!(at(&quantiles, 0.375), 6e6, "a straight line between two");
        assert!(quantiles.longest() > Duration::from_nanos(8_999_990));
        assert!(quantiles.draw(u64::MAX) < Duration::from_nanos(1_000_010));
        let one = Quantiles::from_sample(&[MS]).expect("it can be");
        assert_eq!((one.draw(0), one.draw(u64::MAX)), (MS, MS));
    }

    #[test]
    fn points_are_met() {
        let points = [(0, 1), (500_000, 2), (990_000, 10), (1_000_000, 100)];
        let points = points.map(|(at, ms)| (ppm(at), ms * MS));
        let quantiles = Quantiles::from_points(&points).expect("it can be");
        assert_eq!(at(&quantiles, 0.75), 1.5e6);
        assert_eq!(at(&quantiles, 0.5), 2e6);
        let error = (at(&quantiles, 0.01) / 10e6 - 1.0).abs();
        assert!(error < 0.03, "one cell of the tail: {error}");
    }

    #[test]
    fn draws_at_seeds_have_the_quantiles_of_the_table() {
        const P: Purpose = Purpose::new("quantile test");
        let quantiles = Quantiles::exponential(5 * MS).expect("it can be");
        for seed in 0..4 {
            let draws = (0..40_000).map(|counter| quantiles.draw_ns(draw(seed, P, 0, counter)));
            let mut draws: Vec<_> = draws.collect();
            draws.sort_unstable();
            let mean = draws.iter().sum::<u64>() / 40_000;
            assert!(
                (4_875_000..5_125_000).contains(&mean),
                "5 deviations: {mean}"
            );
            for percent in [1, 10, 50, 90, 99] {
                let below = at(&quantiles, 1.0 - f64::from(percent) / 100.0) as u64;
                let found = draws.partition_point(|ns| *ns < below);
                let expected = 400 * percent as usize;
                // Five deviations of a binomial count.
                let allowed =
                    (5.0 * (expected as f64 * (1.0 - f64::from(percent) / 100.0)).sqrt()) as usize;
                assert!(found.abs_diff(expected) <= allowed, "{percent}: {found}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let long = Quantiles::LONGEST + MS;
        let refused = [
            (
                Quantiles::exponential(long),
                "a latency of 3600.001s is above the longest of 3600s",
            ),
            (
                Quantiles::log_normal(MS, 10_000_001),
                "a sigma of 10.000001 is above 10",
            ),
            (
                Quantiles::pareto(MS, 99_999),
                "a shape of 0.099999 is not from 0.1 to 100",
            ),
            (Quantiles::from_sample(&[]), "there is no quantile"),
            (
                Quantiles::from_points(&[(ppm(1), MS), (ppm(1_000_000), MS)]),
                "the first quantile is 1 ppm, not zero",
            ),
            (
                Quantiles::from_points(&[(ppm(0), MS), (ppm(9), MS)]),
                "the last quantile is 9 ppm, not one million",
            ),
            (
                Quantiles::from_points(&[(ppm(0), 2 * MS), (ppm(1_000_000), MS)]),
                "quantiles ascend, and their durations do not descend",
            ),
        ];
        for (quantiles, message) in refused {
            assert_eq!(quantiles.expect_err(message).to_string(), message);
        }
        for (quantiles, longest) in [
            (Quantiles::pareto(MS, 100_000), Quantiles::LONGEST),
            (
                Quantiles::log_normal(Duration::ZERO, 10_000_000),
                Duration::ZERO,
            ),
            (Quantiles::exponential(Duration::ZERO), Duration::ZERO),
        ] {
            assert_eq!(quantiles.expect("it can be").longest(), longest);
        }
    }
}
