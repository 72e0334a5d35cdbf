//! Logarithms and what follows from them, in integers alone: no float decides a history, and these are the same on every machine.
//!
//! Fixed-point numbers have [`BITS`] fractional bits unless something else is said. What is computed is exact to a few units of the last of
//! them; golden vectors in the tests pin every bit.

/// Fractional bits of a fixed-point number: six are left for the whole part, which is what the logarithm of 64 bits needs.
pub const BITS: u32 = 58;

const FRACTION: u64 = (1 << BITS) - 1;
/// ln 2 and log2 e, with 64 and 60 fractional bits.
const LN_2: u64 = 0xb172_17f7_d1cf_79ab;
const LOG2_E: u64 = 0x1715_4765_2b82_fe17;

/// The binary logarithm, digit by digit: squaring a number doubles its logarithm. That of 0 is taken for 0.
pub const fn log2(x: u64) -> u64 {
    if x == 0 {
        return 0;
    }
    let whole = 63 - x.leading_zeros();
    // In [1, 2), with 63 fractional bits.
    let mut mantissa = x << x.leading_zeros();
    let mut fraction = 0;
    let mut digits = 0;
    while digits < BITS {
        let square = (mantissa as u128 * mantissa as u128) >> 63;
        let carry = (square >> 64) as u64;
        mantissa = (square >> carry) as u64;
        fraction = fraction << 1 | carry;
        digits += 1;
    }
    (whole as u64) << BITS | fraction
}

/// The natural logarithm; that of 0 is taken for 0.
pub const fn ln(x: u64) -> u64 {
    natural(log2(x))
}

/// From a binary to a natural logarithm.
pub(crate) const fn natural(log2: u64) -> u64 {
    ((log2 as u128 * LN_2 as u128) >> 64) as u64
}

/// Minus the natural logarithm of `1 - x / 2^64`: how fast a geometric distribution falls whose chance is `x / 2^64`.
pub const fn decay(x: u64) -> u64 {
    match x {
        0 => 0,
        // 64, the logarithm of 2^64, wraps to 0.
        _ => natural(0_u64.wrapping_sub(log2(x.wrapping_neg()))),
    }
}

/// Minus the binary logarithm of a number that is uniform over `(0, 1]`.
pub fn neg_log2(raw: u64) -> u64 {
    (63 << BITS) - log2((raw >> 1) + 1)
}

/// Maps 64 random bits to an exponential variate of mean 1, by the inverse of its distribution. At most 43.7.
pub fn exponential(raw: u64) -> u64 {
    natural(neg_log2(raw))
}

/// A normal variate of mean 0 and deviation 1, by the polar method (Marsaglia and Bray 1964): a point that is uniform in the unit disc.
/// `draw` gives the bits of each attempt; three in four succeed.
pub fn normal(draw: impl Fn(u64) -> u64) -> i64 {
    const UNIT: i64 = 1 << 31;
    for attempt in 0.. {
        let raw = draw(attempt);
        let (u, v) = ((raw >> 32) as i64 - UNIT, (raw & 0xffff_ffff) as i64 - UNIT);
        // With 62 fractional bits.
        let s = (u * u) as u64 + (v * v) as u64;
        if s == 0 || s >= 1 << 62 {
            continue;
        }
        let exponential = natural((62 << BITS) - log2(s));
        // The square of the variate is u^2 * (-2 ln s) / s.
        let square = u128::from((u * u) as u64) * u128::from(exponential) * 2 / u128::from(s);
        let magnitude = (square << BITS).isqrt() as i64;
        return if u < 0 { -magnitude } else { magnitude };
    }
    0
}

/// `exponent` is a binary logarithm, and may be less than zero: `factor * 2^exponent`, rounded down, at most `u64::MAX`.
pub fn times_exp2(factor: u64, exponent: i128) -> u64 {
    let whole = exponent >> BITS;
    let mantissa = exp2((exponent & i128::from(FRACTION)) as u64);
    let product = u128::from(factor) * u128::from(mantissa);
    // The mantissa has 63 fractional bits.
    let scaled = match whole {
        ..=-64 => 0,
        _ if factor == 0 => 0,
        -63..=63 => product >> (63 - whole) as u32,
        _ => u128::MAX,
    };
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Two to the power of a fraction, in [1, 2) with 63 fractional bits: the product of the roots that its digits stand for. Digits beyond the 32nd
/// are left out.
fn exp2(fraction: u64) -> u64 {
    /// The second, fourth, eighth ... root of 2.
    const ROOTS: [u64; 32] = {
        let mut roots = [0; 32];
        let mut power: u128 = 1 << 64;
        let mut at = 0;
        while at < roots.len() {
            let root = (power << 63).isqrt();
            roots[at] = root as u64;
            power = root;
            at += 1;
        }
        roots
    };
    let mut product: u64 = 1 << 63;
    for (root, place) in ROOTS.into_iter().zip((0..BITS).rev()) {
        if fraction >> place & 1 == 1 {
            product = ((u128::from(product) * u128::from(root)) >> 63) as u64;
        }
    }
    product
}

/// `e^x` is `2^(x log2 e)`: from the one exponent to the other, which may be some 200 at most.
pub const fn exponent_of_e(x: i128) -> i128 {
    (x * LOG2_E as i128) >> 60
}

/// The value that a standard normal variable stays below with the probability `x / 2^64`; that of 0 is taken for that of 1.
///
/// Rational approximations by M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37
/// (1988), PPND7: right to seven digits, for probabilities from 10^-11.
pub fn normal_quantile(x: u64) -> i64 {
    const CENTRE: i128 = decimal(4_250_000_000);
    let x = x.max(1);
    let from_half = (i128::from(x) - (1 << 63)) >> (64 - BITS);
    let value = if from_half.abs() <= CENTRE {
        let r = times(CENTRE, CENTRE) - times(from_half, from_half);
        times(from_half, ratio(r, &CENTRAL.0, &CENTRAL.1))
    } else {
        let outside = x.min(x.wrapping_neg());
        let minus_ln = natural(0_u64.wrapping_sub(log2(outside)));
        let root = (u128::from(minus_ln) << BITS).isqrt() as i128;
        let value = ratio(root - decimal(16_000_000_000), &TAIL.0, &TAIL.1);
        if from_half < 0 { -value } else { value }
    };
    value as i64
}

/// A number given in units of 10^-10.
const fn decimal(units: i128) -> i128 {
    (units << BITS) / 10_000_000_000
}

const fn times(a: i128, b: i128) -> i128 {
    (a * b) >> BITS
}

/// The ratio of two polynomials, their highest coefficients first.
fn ratio(r: i128, above: &[i128], below: &[i128]) -> i128 {
    let at = |coefficients: &[i128]| {
        let step = |sum, coefficient: &i128| times(sum, r) + coefficient;
        coefficients.iter().fold(0, step)
    };
    (at(above) << BITS) / at(below)
}

const CENTRAL: ([i128; 4], [i128; 4]) = (
    [
        decimal(591_093_747_200),
        decimal(1_592_911_320_200),
        decimal(504_342_719_380),
        decimal(33_871_327_179),
    ],
    [
        decimal(671_875_636_000),
        decimal(787_577_576_640),
        decimal(178_951_694_690),
        decimal(10_000_000_000),
    ],
);

const TAIL: ([i128; 4], [i128; 3]) = (
    [
        decimal(1_702_382_110),
        decimal(13_067_284_816),
        decimal(27_568_153_900),
        decimal(14_234_372_777),
    ],
    [
        decimal(1_202_113_298),
        decimal(7_370_016_425),
        decimal(10_000_000_000),
    ],
);

#[cfg(test)]
mod tests {
    use crate::draw::{Purpose, draw};

    use super::*;

    fn raw(owner: u64, counter: u64) -> u64 {
        draw(1, Purpose::new("fixed"), owner, counter)
    }

    fn float(fixed: u64) -> f64 {
        fixed as f64 / (1_u64 << BITS) as f64
    }

    /// Graphs and workloads are made of these: if one changes, so do histories.
    #[test]
    fn golden_vectors_pin_every_bit() {
        assert_eq!(
            [
                log2(3),
                log2(1_000_003),
                ln(10),
                decay(1 << 44),
                decay(3 << 62)
            ],
            [
                456_834_337_769_216_542,
                5_744_884_753_513_673_489,
                663_674_967_474_997_952,
                274_878_038_016,
                399_572_145_162_582_989
            ]
        );
        assert_eq!(
            [0, u64::MAX, raw(1, 2)].map(exponential),
            [12_586_522_572_621_364_164, 0, 208_695_036_299_666_968]
        );
        assert_eq!(
            [3, 4, 5].map(|owner| normal(|attempt| raw(owner, attempt))),
            [
                -329_786_683_346_726_202,
                -139_713_410_092_668_986,
                -578_605_949_653_279_472
            ]
        );
        let half = 1_i128 << (BITS - 1);
        assert_eq!(
            [
                times_exp2(1_000_000_007, half),
                times_exp2(u64::MAX, -7 * half)
            ],
            [1_414_213_572, 1_630_477_228_166_597_776]
        );
        assert_eq!(exponent_of_e(1 << BITS), 415_828_534_307_635_077);
    }

    #[test]
    fn logarithms_agree_with_floats_as_far_as_those_go() {
        for x in (0..64).flat_map(|bit| [1 << bit, (1 << bit) | raw(bit, 0) >> (63 - bit)]) {
            assert!((float(log2(x)) - (x as f64).log2()).abs() < 1e-13, "{x}");
            assert!((float(ln(x)) - (x as f64).ln()).abs() < 1e-13, "{x}");
        }
        for x in [1, 1 << 20, 1 << 40, 1 << 63, (1 << 63) + (1 << 62)] {
            let expected = -(-(x as f64 / 2_f64.powi(64))).ln_1p();
            assert!((float(decay(x)) - expected).abs() < 1e-13, "{x}");
        }
        assert_eq!([log2(0), ln(0), decay(0)], [0; 3]);
    }

    #[test]
    fn powers_agree_with_floats_and_saturate() {
        for step in -200..200_i128 {
            let exponent = step * (1 << BITS) / 7;
            let expected = 1e6 * 2_f64.powf(step as f64 / 7.0);
            let got = times_exp2(1_000_000, exponent) as f64;
            let tolerance = expected * 1e-9 + 1.0;
            assert!(
                (got - expected).abs() < tolerance || expected > 1.8e19,
                "{step}"
            );
        }
        assert_eq!(times_exp2(3, 63 << BITS), u64::MAX);
        assert_eq!(times_exp2(3, 1_000 << BITS), u64::MAX);
        assert_eq!(times_exp2(0, 1_000 << BITS), 0);
        assert_eq!(times_exp2(u64::MAX, -1_000 << BITS), 0);
        assert_eq!(times_exp2(u64::MAX, 0), u64::MAX);
    }

    /// Mean, deviation and a tail of a sample, against what they are in theory; each within five of its standard errors.
    #[test]
    fn variates_have_their_moments_and_tails() {
        const N: u64 = 200_000;
        let moments = |sample: &[f64]| {
            let mean = sample.iter().sum::<f64>() / N as f64;
            let square = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            (mean, (square / N as f64).sqrt())
        };
        let beyond =
            |sample: &[f64], x: f64| sample.iter().filter(|&&it| it > x).count() as f64 / N as f64;

        let sample: Vec<f64> = (0..N).map(|i| float(exponential(raw(i, 0)))).collect();
        let (mean, deviation) = moments(&sample);
        assert!((mean - 1.0).abs() < 0.012 && (deviation - 1.0).abs() < 0.025);
        assert!((beyond(&sample, 3.0) - 0.0498).abs() < 0.0025);

        let normal = |i| normal(|attempt| raw(i, attempt)) as f64 / (1_u64 << BITS) as f64;
        let sample: Vec<f64> = (0..N).map(normal).collect();
        let (mean, deviation) = moments(&sample);
        assert!(mean.abs() < 0.012 && (deviation - 1.0).abs() < 0.008);
        assert!((beyond(&sample, 1.96) - 0.025).abs() < 0.0018);
        assert!((beyond(&sample, -1.0) - 0.8413).abs() < 0.0041);
    }

    #[test]
    fn normal_quantiles_are_those_of_the_bell_curve() {
        let signed = |x| normal_quantile(x) as f64 / (1_u64 << BITS) as f64;
        let small = (32..63).flat_map(|bit| [1 << bit, 5 << (bit - 2)]);
        for x in small.flat_map(|small: u64| [small, small.wrapping_neg()]) {
            let z = signed(x);
            // The area beyond |z| by Simpson's rule; what lies beyond |z| + 8 does not count.
            let (steps, width) = (20_000, 8.0);
            let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let area: f64 = (0..=steps)
                .map(|step| {
                    let weight = match step {
                        0 => 1.0,
                        _ if step == steps => 1.0,
                        _ if step % 2 == 1 => 4.0,
                        _ => 2.0,
                    };
                    weight * density(z.abs() + width * f64::from(step) / f64::from(steps))
                })
                .sum::<f64>()
                * width
                / f64::from(steps)
                / 3.0;
            let expected = x.min(x.wrapping_neg()) as f64 / 2_f64.powi(64);
            // As an error of z, which is what counts.
            let error = (area - expected).abs() / density(z);
            assert!(error < 1e-6, "{x}: {z}, {error}");
            assert_eq!(z > 0.0, x > 1 << 63);
        }
        assert_eq!(normal_quantile(1 << 63), 0);
    }
}
