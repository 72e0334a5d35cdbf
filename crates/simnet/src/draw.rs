//! Randomness as a pure function: (seed, purpose, owner, counter) to 64 bits.
//!
//! There is no generator whose state one draw could shift for another. Adding a node, removing a fault or skipping a draw leaves
//! every other draw as it was. The functions are a few integer operations of our own, because `rand`'s distributions may
//! change between versions; golden vectors in the tests pin them.

use crate::Probability;

/// The version of everything that turns a seed into a history: draws, order of events, digests. Reports carry it.
pub const SCHEMA: u32 = 1;

/// What a draw is for. Draws for different purposes never disturb each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(u64);

impl Purpose {
    /// The purpose of this name.
    pub const fn new(name: &'static str) -> Self {
        // FNV-1a, for it can be computed by the compiler.
        let bytes = name.as_bytes();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        Self(hash)
    }
}

/// The draw number `counter` of `owner` (a node, a directed link, an item: any stable number) for `purpose`.
pub const fn draw(seed: u64, purpose: Purpose, owner: u64, counter: u64) -> u64 {
    let purposed = mix(seed ^ purpose.0);
    let owned = mix(purposed.wrapping_add(owner.wrapping_mul(GOLDEN)));
    mix(owned.wrapping_add(counter.wrapping_mul(GOLDEN)))
}

/// Maps 64 random bits to `0 .. n`; to 0 if `n` is 0. The bias is below n / 2^64.
pub const fn bounded(raw: u64, n: u64) -> u64 {
    ((raw as u128 * n as u128) >> 64) as u64
}

/// Maps 64 random bits to true with this probability.
pub const fn chance(raw: u64, probability: Probability) -> bool {
    bounded(raw, 1_000_000) < probability.as_ppm() as u64
}

/// A bijection of 64 bits in which every input bit moves every output bit (SplitMix64's finalizer; Steele, Lea, Flood 2014).
pub(crate) const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Folds a word into a rolling digest.
pub(crate) const fn fold(digest: u64, word: u64) -> u64 {
    let product = (digest ^ word ^ FOLD_A) as u128 * (word.rotate_left(32) ^ FOLD_B) as u128;
    (product as u64 ^ (product >> 64) as u64).wrapping_add(digest.rotate_left(23))
}

/// Folds bytes into a rolling digest, 16 a step.
pub(crate) fn fold_bytes(mut digest: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for block in blocks {
        digest = fold_block(digest, u128::from_le_bytes(*block));
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    fold(
        fold_block(digest, u128::from_le_bytes(last)),
        bytes.len() as u64,
    )
}

const fn fold_block(digest: u64, block: u128) -> u64 {
    let product =
        (digest ^ block as u64 ^ FOLD_A) as u128 * ((block >> 64) as u64 ^ FOLD_B) as u128;
    (product as u64 ^ (product >> 64) as u64).wrapping_add(digest.rotate_left(23))
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// Two odd words of evenly mixed bits, so that folding zeros still moves the digest.
const FOLD_A: u64 = 0x2d35_8dcc_aa6c_78a5;
const FOLD_B: u64 = 0x8bb8_4b93_962e_acc9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_vectors_pin_the_schema() {
        const P: Purpose = Purpose::new("golden");
        assert_eq!(P.0, 0x2b72_c88e_fe37_d9c4);
        assert_eq!(
            [draw(0, P, 0, 0), draw(1, P, 2, 3), draw(u64::MAX, P, 7, 9)],
            [
                0x3d74_5d3c_cb06_883e,
                0xaace_6e98_2650_8279,
                0x41f3_f26c_1b23_ed69
            ]
        );
        assert_eq!(bounded(draw(1, P, 2, 3), 1000), 667);
        assert_eq!(fold(1, 2), 0x11a0_61b3_d087_0bda);
        assert_eq!(fold_bytes(1, b"seventeen bytes!!"), 0xdc77_0fac_393c_dea9);
    }

    #[test]
    fn a_draw_depends_on_each_of_its_four_arguments() {
        let base = draw(1, Purpose::new("a"), 2, 3);
        assert_ne!(base, draw(9, Purpose::new("a"), 2, 3));
        assert_ne!(base, draw(1, Purpose::new("b"), 2, 3));
        assert_ne!(base, draw(1, Purpose::new("a"), 9, 3));
        assert_ne!(base, draw(1, Purpose::new("a"), 2, 9));
    }

    #[test]
    fn bounded_covers_its_range_and_nothing_more() {
        let mut seen = [0u32; 7];
        for counter in 0..7_000 {
            seen[bounded(draw(5, Purpose::new("range"), 0, counter), 7) as usize] += 1;
        }
        assert!(
            seen.iter().all(|&n| (850..1150).contains(&n)),
            "5 sigma around 1000: {seen:?}"
        );
        assert_eq!(bounded(u64::MAX, 7), 6);
        assert_eq!(bounded(u64::MAX, 0), 0);
    }

    #[test]
    fn chance_is_exact_at_both_ends() {
        assert!(!chance(0, Probability::ZERO));
        assert!(chance(u64::MAX, Probability::ONE));
    }

    #[test]
    fn digests_see_length_and_place() {
        assert_ne!(fold_bytes(0, b""), fold_bytes(0, b"\0"));
        assert_ne!(fold_bytes(0, &[0; 16]), fold_bytes(0, &[0; 32]));
        assert_ne!(fold(fold(0, 1), 2), fold(fold(0, 2), 1));
    }
}
