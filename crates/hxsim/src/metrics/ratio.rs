use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// A quotient of two counts, divided only when it is printed: with four decimals, rounded down, by integer arithmetic, so
/// that it reads the same on every machine. It is undefined if the denominator is 0; that is null in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratio {
    /// What is divided.
    pub numerator: u64,
    /// By what.
    pub denominator: u64,
}

impl Ratio {
    /// What no division gives, for there was nothing to divide by.
    pub const UNDEFINED: Self = Self::new(0, 0);

    /// A quotient.
    pub const fn new(numerator: u64, denominator: u64) -> Self {
        Self {
            numerator,
            denominator,
        }
    }

    /// The quotient in ten-thousandths, rounded down; `None` if it is undefined. At most `u64::MAX`.
    pub fn ten_thousandths(self) -> Option<u64> {
        let scaled = u128::from(self.numerator) * u128::from(SCALE);
        let quotient = scaled.checked_div(self.denominator.into())?;
        Some(u64::try_from(quotient).unwrap_or(u64::MAX))
    }

    /// The mean of those that are defined, each taken to a millionth.
    pub fn mean(ratios: impl Iterator<Item = Self>) -> Self {
        let mut sum = 0_u64;
        let mut count = 0;
        for ratio in ratios {
            let scaled = u128::from(ratio.numerator) * u128::from(MEAN_SCALE);
            if let Some(quotient) = scaled.checked_div(ratio.denominator.into()) {
                sum = sum.saturating_add(u64::try_from(quotient).unwrap_or(u64::MAX));
                count += MEAN_SCALE;
            }
        }
        Self::new(sum, count)
    }

    /// The greatest of those that are defined.
    pub fn max(ratios: impl Iterator<Item = Self>) -> Self {
        ratios
            .filter(|ratio| ratio.denominator > 0)
            .max_by(Self::compare)
            .unwrap_or(Self::UNDEFINED)
    }

    /// Which of two quotients is the greater, exactly; both must be defined.
    pub fn compare(&self, other: &Self) -> Ordering {
        let cross = |a: u64, b: u64| u128::from(a) * u128::from(b);
        cross(self.numerator, other.denominator).cmp(&cross(other.numerator, self.denominator))
    }
}

const SCALE: u64 = 10_000;
const MEAN_SCALE: u64 = 1_000_000;

/// With as many decimals as the precision asks for, at most four; a dash if it is undefined.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(scaled) = self.ten_thousandths() else {
            return f.pad("–");
        };
        let whole = scaled / SCALE;
        let decimals = format!("{:04}", scaled % SCALE);
        match f.precision().unwrap_or(4).min(4) {
            0 => write!(f, "{whole}"),
            places => write!(f, "{whole}.{}", &decimals[..places]),
        }
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.ten_thousandths() {
            // IEEE 754 rounds a quotient of two integers the same everywhere, and its shortest decimal has at most four places.
            Some(scaled) => serializer.serialize_f64(scaled as f64 / SCALE as f64),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_cut_not_rounded() {
        assert_eq!(Ratio::new(2, 3).to_string(), "0.6666");
        assert_eq!(format!("{:.2}", Ratio::new(10, 3)), "3.33");
        assert_eq!(format!("{:.0}", Ratio::new(10, 3)), "3");
        assert_eq!(Ratio::UNDEFINED.to_string(), "–");
        assert_eq!(Ratio::new(u64::MAX, 1).ten_thousandths(), Some(u64::MAX));
    }

    #[test]
    fn json_has_at_most_four_decimals() {
        let json = |ratio: Ratio| serde_json::to_string(&ratio).expect("a number");
        assert_eq!(json(Ratio::new(1, 3)), "0.3333");
        assert_eq!(json(Ratio::new(301, 100)), "3.01");
        assert_eq!(json(Ratio::new(4, 4)), "1.0");
        assert_eq!(json(Ratio::UNDEFINED), "null");
        // Every quotient below ten million prints as the decimal it is.
        for scaled in (0..100_000_000_000_u64).step_by(7_654_321) {
            let ratio = Ratio::new(scaled, SCALE);
            let padded = format!("{}.{:04}", scaled / SCALE, scaled % SCALE);
            let trimmed = padded.trim_end_matches('0');
            let expected = if trimmed.ends_with('.') {
                format!("{trimmed}0")
            } else {
                trimmed.into()
            };
            assert_eq!(json(ratio), expected);
        }
    }

    #[test]
    fn means_and_maxima_skip_what_is_undefined() {
        let ratios = [Ratio::new(1, 2), Ratio::UNDEFINED, Ratio::new(3, 2)];
        assert_eq!(Ratio::mean(ratios.into_iter()).to_string(), "1.0000");
        assert_eq!(Ratio::max(ratios.into_iter()), Ratio::new(3, 2));
        assert_eq!(Ratio::max([].into_iter()), Ratio::UNDEFINED);
        assert_eq!(Ratio::mean([].into_iter()).to_string(), "–");
    }
}
