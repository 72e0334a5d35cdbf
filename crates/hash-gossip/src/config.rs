use std::sync::Arc;
use std::time::Duration;

use hash_exchange::Limits;

/// How a node behaves. Nodes may share one, as an `Rc<Config>`.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a peer's answers may stand still before the next holder is asked.
    pub stall: Duration,
    /// Answers that bring less than so many bytes a second stand still, as far as [`stall`](Self::stall) is concerned: a peer could otherwise hold up what
    /// others have too, by a byte now and then. What it sends is taken nevertheless.
    pub slowest: u32,
    /// The pauses between dials of one neighbour.
    pub backoff: Backoff,
    /// How long to wait for a neighbour that used to dial us before we dial it. It may not know that its
    /// connection died: only we saw it end.
    pub patience: Duration,
    /// At most so many hashes go into one AVAILABLE or REQUEST.
    pub batch: usize,
    /// A longer body is refused: a peer could otherwise send one that has no end.
    pub max_body: usize,
    /// The bodies that one peer has begun and not ended may hold so many bytes: a peer could otherwise begin many
    /// and end none. The body that oversteps is refused, and asked for again later.
    pub max_unfinished: usize,
    /// So many hashes that are not held here may be on offer by one peer: a peer could otherwise offer names of
    /// nothing without end. A connection that oversteps is ended.
    pub max_offers: u32,
    /// So many neighbours that were not named at the start may connect: each costs memory.
    pub max_strangers: usize,
    /// Whether the node keeps what it holds on the [disk](crate::Host::disk) of its host, and holds that again when it is started anew. It then
    /// dials and accepts nobody before the disk was read.
    pub durable: bool,
    /// How long a durable node waits for a neighbour to say how much of its log it has seen, before it offers everything.
    pub greeting: Duration,
    /// How often, at most, a durable node says to a neighbour how far it has offered its log.
    pub mark: Duration,
    /// What one connection accepts.
    pub limits: Arc<Limits>,
}

/// Exponential pauses with jitter: each is between half of its nominal length and all of it, and the nominal length
/// doubles from `min` until it reaches `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The nominal length of the first pause.
    pub min: Duration,
    /// The longest nominal length.
    pub max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(5),
            slowest: 1 << 10,
            backoff: Backoff {
                min: Duration::from_millis(100),
                max: Duration::from_secs(10),
            },
            patience: Duration::from_secs(2),
            batch: 1000,
            max_body: 64 << 20,
            max_unfinished: 256 << 20,
            max_offers: 1 << 20,
            max_strangers: 0,
            durable: false,
            greeting: Duration::from_secs(1),
            mark: Duration::from_secs(1),
            limits: Arc::default(),
        }
    }
}

impl Backoff {
    /// The pause before dial number `attempt` (from 0) that failed or was lost, with jitter drawn from `rng`.
    pub fn pause(&self, attempt: u8, rng: &mut impl rand::Rng) -> Duration {
        let factor = 1_u32.checked_shl(attempt.into()).unwrap_or(u32::MAX);
        let nominal = self.min.saturating_mul(factor).min(self.max);
        // Multiplying keeps the draw's high bits, whatever the generator, and has no bias worth naming.
        let half = nominal.as_nanos() / 2;
        let drawn = (half * u128::from(rng.next_u32())) >> 32;
        nominal - Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX)).min(nominal)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A generator that gives the same number for ever.
    struct Stuck(u32);

    impl rand::TryRng for Stuck {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(self.0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(self.0.into())
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0 as u8);
            Ok(())
        }
    }

    #[test]
    fn pauses_double_until_the_longest() {
        let backoff = Config::default().backoff;
        let pauses = [0, 1, 2, 6, 7, 31, 32, 255]
            .map(|attempt| backoff.pause(attempt, &mut Stuck(0)).as_millis());
        assert_eq!(
            pauses,
            [100, 200, 400, 6400, 10_000, 10_000, 10_000, 10_000]
        );
    }

    proptest! {
        #[test]
        fn a_pause_is_between_half_and_all_of_its_length(attempt: u8, drawn: u32) {
            let backoff = Config::default().backoff;
            let nominal = backoff.pause(attempt, &mut Stuck(0));
            let pause = backoff.pause(attempt, &mut Stuck(drawn));
            prop_assert!(nominal / 2 <= pause && pause <= nominal);
        }
    }
}
