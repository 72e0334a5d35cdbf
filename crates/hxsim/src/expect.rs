//! What a scenario expects of its figures, and whether it came true.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::figure::Figure;
use crate::metrics::Ratio;
use crate::report::{Outcome, Report};

/// An expectation: a figure and what it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The figure.
    pub figure: &'static Figure,
    /// What it shall be.
    pub condition: Condition,
    /// The same as the scenario writes it, such as `< 5s`.
    pub text: String,
}

/// A stretch of values without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Where it begins; `None`: at zero.
    pub low: Option<Bound>,
    /// Where it ends; `None`: nowhere.
    pub high: Option<Bound>,
}

/// An end of a stretch of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// In nanoseconds, bytes or things.
    pub at: Ratio,
    /// Whether that value itself belongs to the stretch.
    pub inclusive: bool,
}

/// An expectation and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What was expected.
    pub expectation: Expectation,
    /// What was found; may be undefined.
    pub found: Ratio,
    /// Whether it is as expected. `None`: the run was not run to its end, so there is nothing to judge.
    pub met: Option<bool>,
}

impl Condition {
    /// Whether a value lies within. What is undefined does not.
    pub fn holds(&self, value: Ratio) -> bool {
        value.denominator > 0 && self.begins_before(value) && self.ends_after(value)
    }

    /// What it says of all values from zero up to the greatest there is, `None` if there is none: that it holds for each of them, for none of
    /// them, or neither.
    pub fn foregone(&self, greatest: Option<Ratio>) -> Option<bool> {
        let zero = Ratio::new(0, 1);
        let reached = greatest.is_none_or(|greatest| self.begins_before(greatest));
        let left = greatest.map_or(self.high.is_some(), |greatest| !self.ends_after(greatest));
        match self.ends_after(zero) && reached {
            false => Some(false),
            true if self.begins_before(zero) && !left => Some(true),
            true => None,
        }
    }

    fn begins_before(&self, value: Ratio) -> bool {
        self.low.is_none_or(|low| {
            let order = low.at.compare(&value);
            order.is_lt() || low.inclusive && order.is_eq()
        })
    }

    fn ends_after(&self, value: Ratio) -> bool {
        self.high.is_none_or(|high| {
            let order = high.at.compare(&value);
            order.is_gt() || high.inclusive && order.is_eq()
        })
    }
}

impl Judged {
    /// What became of an expectation in a run.
    pub fn new(expectation: &Expectation, report: &Report) -> Self {
        let found = expectation.figure.of(report);
        let ended = matches!(
            report.outcome,
            Outcome::Converged | Outcome::NotConverged | Outcome::InvariantBroken
        );
        Self {
            expectation: expectation.clone(),
            found,
            met: ended.then(|| expectation.condition.holds(found)),
        }
    }

    /// What was found, in words.
    pub fn finding(&self) -> String {
        let Expectation {
            figure, condition, ..
        } = &self.expectation;
        if self.found.denominator == 0 {
            return format!("undefined: {}", figure.needs.unmet());
        }
        let shown = figure.shown(self.found);
        let cut = self
            .found
            .ten_thousandths()
            .map(|cut| Ratio::new(cut, 10_000));
        match cut {
            // As it is written it would do: only the exact value shows why it does not.
            Some(cut) if condition.holds(cut) && !condition.holds(self.found) => {
                format!(
                    "{shown}, exactly {}/{}",
                    self.found.numerator, self.found.denominator
                )
            }
            _ => shown,
        }
    }
}

/// `t99 < 5s`
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.figure.name, self.text)
    }
}

/// `figure` is the name of its column, hence tells the unit of `found`; `why` says why that is null.
impl Serialize for Judged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Expectation { figure, text, .. } = &self.expectation;
        let undefined = self.found.denominator == 0;
        let mut fields = serializer.serialize_struct("Judged", 4 + usize::from(undefined))?;
        fields.serialize_field("figure", &figure.column())?;
        fields.serialize_field("expected", text)?;
        fields.serialize_field("found", &figure.json(self.found))?;
        fields.serialize_field("met", &self.met)?;
        if undefined {
            fields.serialize_field("why", figure.needs.unmet())?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn bound(at: u64, inclusive: bool) -> Option<Bound> {
        let at = Ratio::new(at, 1);
        Some(Bound { at, inclusive })
    }

    const BELOW_5: Condition = Condition {
        low: None,
        high: bound(5, false),
    };
    const FROM_5: Condition = Condition {
        low: bound(5, true),
        high: None,
    };
    const JUST_5: Condition = Condition {
        low: bound(5, true),
        high: bound(5, true),
    };

    #[test]
    fn values_are_compared_exactly() {
        let nearly = Ratio::new(u64::MAX - 1, u64::MAX / 5);
        assert!(BELOW_5.holds(nearly) == (nearly.compare(&Ratio::new(5, 1)).is_lt()));
        let values = [
            Ratio::new(49_999, 10_000),
            Ratio::new(10, 2),
            Ratio::new(50_001, 10_000),
        ];
        assert_eq!(
            values.map(|value| BELOW_5.holds(value)),
            [true, false, false]
        );
        assert_eq!(values.map(|value| FROM_5.holds(value)), [false, true, true]);
        assert_eq!(
            values.map(|value| JUST_5.holds(value)),
            [false, true, false]
        );
        assert!(
            !BELOW_5.holds(Ratio::UNDEFINED),
            "what is undefined is nowhere"
        );
    }

    #[test]
    fn a_foregone_conclusion_is_known_before_the_run() {
        let up_to = |greatest| Some(Ratio::new(greatest, 1));
        assert_eq!(BELOW_5.foregone(up_to(4)), Some(true));
        assert_eq!(BELOW_5.foregone(up_to(5)), None);
        assert_eq!(BELOW_5.foregone(None), None);
        assert_eq!(FROM_5.foregone(up_to(4)), Some(false));
        assert_eq!(
            FROM_5.foregone(up_to(5)),
            None,
            "the greatest itself may be met"
        );
        assert_eq!(FROM_5.foregone(None), None);
        assert_eq!(JUST_5.foregone(up_to(4)), Some(false));
        assert_eq!(JUST_5.foregone(None), None);
        let below_0 = Condition {
            low: None,
            high: bound(0, false),
        };
        let from_0 = Condition {
            low: bound(0, true),
            high: None,
        };
        assert_eq!(below_0.foregone(None), Some(false));
        assert_eq!(from_0.foregone(None), Some(true));
    }
}
