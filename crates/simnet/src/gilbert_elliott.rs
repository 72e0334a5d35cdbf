use std::time::Duration;

use crate::draw::{Purpose, bounded, draw};
use crate::time::nanos;
use crate::{NodeId, Probability, Time};

/// A link that is good and bad by turns, and loses differently in each state: the model of Gilbert (1960) and Elliott (1963). All that leaves while the link is
/// bad suffers with each other, whatever stream or socket it is of.
///
/// A link has no memory here. Time is cut into slots of a quarter of the relaxation time, `1 / (1 / good + 1 / bad)`; in each slot, with a chance of a
/// quarter, the state is drawn anew, bad with the chance `bad / (good + bad)`, and otherwise stays what it was. That is the two-state Markov chain with these mean
/// times, and its state at any time is found by going back to the last slot that drew.
///
/// ```
/// use std::time::Duration;
/// use simnet::{GilbertElliott, Impairment, LinkSet, Probability, Schedule, Time};
///
/// let bursts = GilbertElliott::bursts(Duration::from_secs(9), Duration::from_secs(1));
/// assert_eq!(bursts.mean_loss(), Probability::from_ppm(100_000));
/// let schedule = Schedule::default().impair(Time::ZERO.., LinkSet::All, Impairment::LoseInBursts(bursts));
/// assert_eq!(schedule.faults.len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GilbertElliott {
    /// How long the link is good on average, at least 1 us.
    pub good: Duration,
    /// How long it is bad on average, at least 1 us.
    pub bad: Duration,
    /// The chance of a loss while it is good.
    pub loss_good: Probability,
    /// The chance of a loss while it is bad.
    pub loss_bad: Probability,
}

const REDRAW: Purpose = Purpose::new("simnet.gilbert_elliott_redraw");
const STATE: Purpose = Purpose::new("simnet.gilbert_elliott_state");

/// One slot in so many draws the state anew. More slots would follow the exponential times of the model closer, and take longer to go back over.
const SLOTS: u64 = 4;

impl GilbertElliott {
    /// The shortest mean time.
    pub const SHORTEST: Duration = Duration::from_micros(1);

    /// Gilbert's model: nothing is lost while the link is good, and all while it is bad.
    pub const fn bursts(good: Duration, bad: Duration) -> Self {
        Self {
            good,
            bad,
            loss_good: Probability::ZERO,
            loss_bad: Probability::ONE,
        }
    }

    /// The chance of a loss at a time of which nothing is known, rounded down to a millionth.
    pub fn mean_loss(&self) -> Probability {
        let (good, bad) = (self.good.as_nanos(), self.bad.as_nanos());
        let loss = |loss: Probability, time: u128| u128::from(loss.as_ppm()) * time;
        let mean = (loss(self.loss_good, good) + loss(self.loss_bad, bad)) / (good + bad).max(1);
        // No more than the greater of the two.
        Probability::from_ppm(mean as u32)
    }

    /// The chance of a loss of what leaves `source` for `dest` at `time`.
    pub(crate) fn loss_at(
        &self,
        seed: u64,
        source: NodeId,
        dest: NodeId,
        time: Time,
    ) -> Probability {
        let link = u64::from(source) << 32 | u64::from(dest);
        match self.is_bad(seed, link, time) {
            true => self.loss_bad,
            false => self.loss_good,
        }
    }

    fn is_bad(&self, seed: u64, link: u64, time: Time) -> bool {
        // A century, so that the two have a sum.
        let limited = |time| nanos(time).clamp(1000, 1 << 61);
        let (good, bad) = (limited(self.good), limited(self.bad));
        let product = u128::from(good) * u128::from(bad);
        let slot = product / u128::from(good + bad) / u128::from(SLOTS);
        let now = u128::from(time.as_nanos()) / slot.max(1);
        // Slots are no shorter than 125 ns, and the first one draws.
        let mut last = now as u64;
        while last > 0 && bounded(draw(seed, REDRAW, link, last), SLOTS) != 0 {
            last -= 1;
        }
        bounded(draw(seed, STATE, link, last), good + bad) < bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The state at each millisecond.
    fn states(model: &GilbertElliott, link: NodeId, count: u64) -> Vec<bool> {
        let at = |ms| model.loss_at(3, link, 0, Time::from_millis(ms)) == Probability::ONE;
        (0..count).map(at).collect()
    }

    #[test]
    fn each_state_lasts_as_long_as_it_should_on_average() {
        let model = GilbertElliott::bursts(900 * MS, 100 * MS);
        let states = states(&model, 1, 2_000_000);
        let turns: Vec<_> = states.chunk_by(|a, b| a == b).collect();
        for (bad, mean) in [(false, 900.0), (true, 100.0)] {
            let turns = turns.iter().filter(|turn| turn[0] == bad);
            let (count, total) = (
                turns.clone().count(),
                turns.map(|turn| turn.len()).sum::<usize>(),
            );
            let found = total as f64 / count as f64;
            // Some 2,000 geometric turns: five sigma are 11 %.
            assert!((found / mean - 1.0).abs() < 0.11, "{found} of {mean}");
        }
    }

    #[test]
    fn links_and_directions_have_turns_of_their_own() {
        let model = GilbertElliott::bursts(50 * MS, 50 * MS);
        let [one, two] = [1, 2].map(|link| states(&model, link, 100_000));
        let same = one.iter().zip(&two).filter(|(a, b)| a == b).count();
        // Five sigma around 50,000, of some 2,000 independent turns.
        assert!((45_000..55_000).contains(&same), "{same}");
    }

    #[test]
    fn the_extremes_are_possible() {
        let longest = GilbertElliott::bursts(Duration::MAX, Duration::MAX);
        let shortest = GilbertElliott::bursts(Duration::ZERO, Duration::ZERO);
        for model in [longest, shortest] {
            model.loss_at(1, 0, 1, Time::MAX);
        }
        let always = GilbertElliott {
            loss_good: Probability::ONE,
            ..longest
        };
        assert_eq!(always.loss_at(1, 0, 1, Time::ZERO), Probability::ONE);
    }

    #[test]
    fn golden_turns_pin_the_draws() {
        let model = GilbertElliott::bursts(30 * MS, 10 * MS);
        let states = states(&model, 1, 64);
        let word = states
            .iter()
            .fold(0, |word, bad| word << 1 | u64::from(*bad));
        assert_eq!(format!("{word:016x}"), "003c000000000060");
    }
}
