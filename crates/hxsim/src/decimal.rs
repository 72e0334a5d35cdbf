//! Decimal numbers that are integers within.

use std::fmt;

/// A number that is not negative, exact to a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(u64);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1_000_000);

    /// So many millionths.
    pub const fn from_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// A whole number.
    pub const fn whole(number: u32) -> Self {
        Self(number as u64 * Self::ONE.0)
    }

    /// How many millionths it is.
    pub const fn millionths(self) -> u64 {
        self.0
    }
}

/// As a scenario writes it, without zeros at the end.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:06}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_read_as_they_are_written() {
        let shown = [0, 1, 1_500_000, 12_000_000, 6_907_755].map(|it| Decimal(it).to_string());
        assert_eq!(shown, ["0", "0.000001", "1.5", "12", "6.907755"]);
        assert_eq!(Decimal::whole(7), Decimal::from_millionths(7_000_000));
    }
}
