//! The figures that a prediction and a measurement have in common, and what several of them come to.

use std::fmt;
use std::time::Duration;

/// How long a run took, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// When so many per cent of all pairs of a node and a body that it lacked were delivered: see [`COVERED`].
    pub covered: [Duration; COVERED.len()],
    /// Bytes that nodes wrote to streams.
    pub stream_bytes: u64,
    /// Frames by kind: see [`KINDS`].
    pub frames: [u64; KINDS.len()],
}

/// The shares of pairs, in per cent, of which it is said when they were delivered.
pub(crate) const COVERED: [usize; 4] = [50, 90, 99, 100];

/// The kinds of frames that a trade consists of.
pub(crate) const KINDS: [&str; 5] = ["available", "request", "hashes", "body", "end"];

/// The middle of several values, and the least and the greatest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread<T> {
    pub median: T,
    pub least: T,
    pub most: T,
}

impl<T: Copy + Ord> Spread<T> {
    /// Of several values; of an even number the lower middle one. `None` of none.
    pub(crate) fn of(values: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort_unstable();
        Some(Self {
            median: *values.get(values.len().checked_sub(1)? / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Spread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            least,
            most,
        } = self;
        match least == most {
            true => write!(f, "{median}"),
            false => write!(f, "{median} ({least} to {most})"),
        }
    }
}

/// The times at which the shares of [`COVERED`] were delivered, of the times of all deliveries: the nearest rank, as in the reports of `hxsim`.
/// `None` if not all `pairs` were delivered.
pub(crate) fn covered(mut times: Vec<Duration>, pairs: usize) -> Option<[Duration; COVERED.len()]> {
    if times.len() != pairs || pairs == 0 {
        return None;
    }
    times.sort_unstable();
    Some(COVERED.map(|percent| times[(pairs * percent).div_ceil(100) - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_its_median_between_its_ends() {
        assert_eq!(Spread::<u32>::of([]), None);
        assert_eq!(Spread::of([5]).unwrap().to_string(), "5");
        assert_eq!(Spread::of([9, 1, 5]).unwrap().to_string(), "5 (1 to 9)");
        assert_eq!(Spread::of([9, 1, 5, 6]).unwrap().median, 5);
    }

    #[test]
    fn coverage_is_the_nearest_rank_and_none_while_something_is_missing() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let at = covered(times.clone(), 200).unwrap();
        assert_eq!(at.map(|at| at.as_millis()), [100, 180, 198, 200]);
        assert_eq!(covered(times, 201), None);
        assert_eq!(covered(Vec::new(), 0), None);
    }
}
