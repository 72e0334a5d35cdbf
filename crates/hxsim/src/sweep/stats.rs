//! What the values of a figure over seeds come to.
//!
//! Percentiles are values that occurred, by nearest rank, and exact. The mean, its interval and nothing else are computed in floating point: with
//! additions, products, quotients and square roots alone, which IEEE 754 rounds the same on every machine.

use crate::metrics::{Ratio, percentile};

/// What some values come to. All is in the unit of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many values there are: runs in which the figure is defined.
    pub count: usize,
    /// The least value.
    pub min: Ratio,
    /// The 5th percentile.
    pub p5: Ratio,
    /// The median.
    pub median: Ratio,
    /// The 95th percentile.
    pub p95: Ratio,
    /// The greatest value.
    pub max: Ratio,
    /// The 95 % confidence interval of the median: between two values that lie as far from both ends, by their ranks alone, whatever the
    /// distribution. `None` of fewer than six values, for which there is none.
    pub median_interval: Option<(Ratio, Ratio)>,
    /// The mean, to a ten-thousandth; of values above a hundred trillion to one.
    pub mean: Ratio,
    /// Half the width of the 95 % confidence interval of the mean by Student's t, over the same denominator: it supposes that means over seeds are nearly
    /// normal. `None` of one value.
    pub mean_margin: Option<Ratio>,
}

impl Summary {
    /// Sums up values, those left out that are undefined; `None` if there are no others.
    pub fn new(values: impl IntoIterator<Item = Ratio>) -> Option<Self> {
        let defined = values.into_iter().filter(|value| value.denominator > 0);
        let mut sorted: Vec<Ratio> = defined.collect();
        sorted.sort_by(Ratio::compare);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (mean, mean_margin) = mean(&sorted);
        let ranks = median_ranks(sorted.len());
        Some(Self {
            count: sorted.len(),
            min,
            p5: percentile(&sorted, 5)?,
            median: percentile(&sorted, 50)?,
            p95: percentile(&sorted, 95)?,
            max,
            median_interval: ranks.map(|(low, high)| (sorted[low - 1], sorted[high - 1])),
            mean,
            mean_margin,
        })
    }

    /// The 95 % confidence interval of the mean. It does not go below zero, as no figure does.
    pub fn mean_interval(&self) -> Option<(Ratio, Ratio)> {
        let margin = self.mean_margin?;
        let scale = self.mean.denominator;
        let (mean, margin) = (self.mean.numerator, margin.numerator);
        let low = Ratio::new(mean.saturating_sub(margin), scale);
        Some((low, Ratio::new(mean.saturating_add(margin), scale)))
    }
}

const SCALE: u64 = 10_000;

fn mean(sorted: &[Ratio]) -> (Ratio, Option<Ratio>) {
    let float = |value: &Ratio| value.numerator as f64 / value.denominator as f64;
    let count = sorted.len() as f64;
    let mean = sorted.iter().map(float).sum::<f64>() / count;
    let squares = sorted.iter().map(|value| {
        let distance = float(value) - mean;
        distance * distance
    });
    let squares: f64 = squares.sum();
    let margin = (sorted.len() > 1).then(|| {
        let deviation = (squares / (count - 1.0)).sqrt();
        student(sorted.len() - 1) * deviation / count.sqrt()
    });
    // Floats have no more digits than that, and integers no more room.
    let scale = if mean < 1e14 { SCALE } else { 1 };
    let cut = |value: f64| Ratio::new((value * scale as f64 + 0.5) as u64, scale);
    (cut(mean), margin.map(cut))
}

/// The 97.5 % quantile of Student's t: for as many degrees of freedom, or for the next fewer that the table has, which makes the interval a little
/// wider than it must be.
fn student(freedom: usize) -> f64 {
    let row = TABLE.iter().rev().find(|(row, _)| *row <= freedom);
    row.map_or(f64::INFINITY, |(_, quantile)| *quantile)
}

#[rustfmt::skip]
const TABLE: [(usize, f64); 40] = [
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365), (8, 2.306), (9, 2.262), (10, 2.228),
    (11, 2.201), (12, 2.179), (13, 2.160), (14, 2.145), (15, 2.131), (16, 2.120), (17, 2.110), (18, 2.101), (19, 2.093), (20, 2.086),
    (21, 2.080), (22, 2.074), (23, 2.069), (24, 2.064), (25, 2.060), (26, 2.056), (27, 2.052), (28, 2.048), (29, 2.045), (30, 2.042),
    (40, 2.021), (50, 2.009), (60, 2.000), (80, 1.990), (100, 1.984), (150, 1.976), (200, 1.972), (300, 1.968), (500, 1.965), (1000, 1.962),
];

/// The ranks, from 1, between which the median lies with a probability of 95 % at least: as many of so many values lie below it as heads come of so
/// many coins.
fn median_ranks(count: usize) -> Option<(usize, usize)> {
    let low = if count <= EXACT {
        exact_rank(count)
    } else {
        normal_rank(count)
    };
    (low > 0).then(|| (low, count + 1 - low))
}

/// Up to here the binomial coefficients of so many values and their sum fit into 128 bits.
const EXACT: usize = 120;

/// The greatest rank below which the median lies with a probability of 2.5 % at most.
fn exact_rank(count: usize) -> usize {
    let all = 1_u128 << count;
    let (mut coefficient, mut below) = (1_u128, 0_u128);
    for rank in 0..count {
        below += coefficient;
        // Below 2^120, hence 40 times it is 2^126 at most.
        if below * 40 > all {
            return rank;
        }
        let (k, n) = (rank as u128, count as u128);
        coefficient = coefficient * (n - k) / (k + 1);
    }
    0
}

/// The same by the normal distribution, to which the binomial one of many is near: count / 2 - 1.96 sqrt(count) / 2.
const fn normal_rank(count: usize) -> usize {
    let width = (count * 1_960 * 1_960).isqrt().div_ceil(1_000);
    count.saturating_sub(width) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(values: impl IntoIterator<Item = u64>) -> Option<Summary> {
        Summary::new(values.into_iter().map(|value| Ratio::new(value, 1)))
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let summary = whole((1..=100).rev()).expect("there are values");
        let of = |value| Ratio::new(value, 1);
        assert_eq!(
            (summary.count, summary.min, summary.max),
            (100, of(1), of(100))
        );
        assert_eq!(
            [summary.p5, summary.median, summary.p95],
            [5, 50, 95].map(of)
        );
        // By Conover's tables: of a hundred values the 40th and the 61st.
        assert_eq!(summary.median_interval, Some((of(40), of(61))));
    }

    /// The textbook's eight: mean 5, sample deviation 2.138, t = 2.365, hence 5 ± 1.7878.
    #[test]
    fn the_mean_has_the_interval_of_student() {
        let summary = whole([2, 4, 4, 4, 5, 5, 7, 9]).expect("there are values");
        assert_eq!(summary.mean.to_string(), "5.0000");
        let margin = summary.mean_margin.expect("there is more than one value");
        assert_eq!(margin.to_string(), "1.7878");
        let (low, high) = summary.mean_interval().expect("as before");
        assert_eq!(
            (low.to_string(), high.to_string()),
            ("3.2122".into(), "6.7878".into())
        );
    }

    #[test]
    fn equal_values_leave_no_doubt_and_wild_ones_stop_at_zero() {
        let equal = whole([7; 10]).expect("there are values");
        assert_eq!(equal.mean_margin.map(|it| it.numerator), Some(0));
        let wild = whole([0, 0, 100]).and_then(|it| it.mean_interval());
        assert_eq!(wild.expect("three values").0.numerator, 0);
    }

    #[test]
    fn few_values_say_little_and_none_nothing() {
        let one = whole([3]).expect("one value");
        assert_eq!((one.mean_margin, one.median_interval), (None, None));
        assert_eq!(one.mean_interval(), None);
        let five = whole(1..=5).expect("five values");
        assert_eq!(
            five.median_interval, None,
            "the chance that all lie on one side is 6 %"
        );
        let six = whole(1..=6).and_then(|it| it.median_interval);
        assert_eq!(
            six,
            Some((Ratio::new(1, 1), Ratio::new(6, 1))),
            "and of six 3 %"
        );
        assert_eq!(Summary::new([Ratio::UNDEFINED]), None);
        let some = Summary::new([Ratio::UNDEFINED, Ratio::new(1, 2)]);
        assert_eq!(
            some.map(|it| (it.count, it.median)),
            Some((1, Ratio::new(1, 2)))
        );
    }

    /// From the tables of order statistics (Conover, Practical Nonparametric Statistics).
    #[test]
    fn the_ranks_of_the_median_are_those_of_the_tables() {
        let known = [
            (6, 1),
            (9, 2),
            (12, 3),
            (15, 4),
            (20, 6),
            (25, 8),
            (30, 10),
            (40, 14),
            (50, 18),
        ];
        for (count, low) in known {
            assert_eq!(
                median_ranks(count),
                Some((low, count + 1 - low)),
                "of {count}"
            );
        }
        for count in 60..=EXACT {
            let (exact, normal) = (exact_rank(count), normal_rank(count));
            assert!(
                exact == normal || exact == normal + 1,
                "{exact} and {normal} of {count}"
            );
        }
        assert_eq!(median_ranks(1_000), Some((469, 532)));
    }

    #[test]
    fn between_two_rows_the_table_is_cautious() {
        assert_eq!(
            [1, 30, 35, 40, 99, 100_000].map(student),
            [12.706, 2.042, 2.042, 2.021, 1.990, 1.962]
        );
        assert!(
            TABLE
                .windows(2)
                .all(|rows| rows[0].0 < rows[1].0 && rows[0].1 > rows[1].1)
        );
    }

    #[test]
    fn times_of_many_hours_keep_their_digits() {
        let hours = 3_600_000_000_000_u64;
        let summary = whole([hours, hours + 2, hours + 4]).expect("there are values");
        assert_eq!(summary.mean.numerator / SCALE, hours + 2);
        let century = whole([u64::MAX / 4; 3]).expect("there are values");
        assert_eq!(century.mean, Ratio::new(1 << 62, 1));
    }
}
