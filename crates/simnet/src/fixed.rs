//! Logarithms and the normal distribution in integers, so that a table made of them is the same on every machine.

/// Bits behind the point of a fixed-point number.
pub(crate) const BITS: u32 = 40;

/// Certainty, for probabilities in parts of 2^64.
pub(crate) const CERTAIN: u128 = 1 << 64;

/// The natural logarithm of two, and its inverse.
pub(crate) const LN_2: i128 = decimal(6_931_471_806);
pub(crate) const LOG2_E: i128 = decimal(14_426_950_409);

/// A number given in units of 10^-10.
const fn decimal(units: i128) -> i128 {
    (units << BITS) / 10_000_000_000
}

const fn times(a: i128, b: i128) -> i128 {
    (a * b) >> BITS
}

/// The binary logarithm of a probability that is not zero: zero for certainty, else negative.
pub(crate) fn log2(probability: u128) -> i128 {
    let exponent = probability.ilog2();
    // One bit before the point; each squaring yields one bit of the logarithm.
    let mut mantissa = (probability << (u128::BITS - 1 - exponent)) >> 64;
    let mut log = i128::from(exponent) - 64;
    for _ in 0..BITS {
        mantissa = (mantissa * mantissa) >> 63;
        let bit = mantissa >> 64;
        mantissa >>= bit;
        log = log << 1 | bit as i128;
    }
    log
}

/// `value` times two to the power of `exponent`, rounded, and at most `most`, which is below 2^62.
pub(crate) fn scale(value: u64, exponent: i128, most: u64) -> u64 {
    let shift = 62 - (exponent >> BITS);
    if value == 0 || shift >= 127 {
        return 0;
    }
    if shift <= 0 {
        return most;
    }
    let mut mantissa = 1_u128 << 62;
    for (bit, root) in (0..BITS).rev().zip(ROOTS) {
        if exponent >> bit & 1 == 1 {
            mantissa = (mantissa * root) >> 62;
        }
    }
    let half = 1 << (shift - 1);
    let scaled = (u128::from(value) * mantissa + half) >> shift;
    u64::try_from(scaled).map_or(most, |scaled| scaled.min(most))
}

/// Two to the powers of 1/2, 1/4, 1/8 and so on, with 62 bits behind the point.
const ROOTS: [u128; BITS as usize] = {
    let mut roots = [0; BITS as usize];
    let mut square: u128 = 2 << 62;
    let mut at = 0;
    while at < roots.len() {
        square = (square << 62).isqrt();
        roots[at] = square;
        at += 1;
    }
    roots
};

/// The value that a standard normal variable stays below with this probability, which is neither zero nor certainty.
///
/// Rational approximations by M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37
/// (1988), PPND7: right to seven digits. His third one is for probabilities below 10^-11, which no table has.
pub(crate) fn normal_quantile(probability: u128) -> i128 {
    const CENTRE: i128 = decimal(4_250_000_000);
    let from_half = (probability as i128 - (CERTAIN / 2) as i128) >> (64 - BITS);
    if from_half.abs() <= CENTRE {
        let r = times(CENTRE, CENTRE) - times(from_half, from_half);
        return times(from_half, ratio(r, &CENTRAL.0, &CENTRAL.1));
    }
    let outside = probability.min(CERTAIN - probability);
    let minus_ln = times(-log2(outside), LN_2);
    let root = (minus_ln.unsigned_abs() << BITS).isqrt() as i128;
    let value = ratio(root - decimal(16_000_000_000), &TAIL.0, &TAIL.1);
    if from_half < 0 { -value } else { value }
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
    use super::*;

    fn float(fixed: i128) -> f64 {
        fixed as f64 / (1_u64 << BITS) as f64
    }

    /// Probabilities from 2^-40 to 1 - 2^-40.
    fn probabilities() -> impl Iterator<Item = u128> {
        let small = (24..63).flat_map(|bit| [1 << bit, 5 << (bit - 2)]);
        small.flat_map(|small: u128| [small, CERTAIN - small])
    }

    #[test]
    fn logarithms_are_right_to_eleven_decimals() {
        for probability in probabilities().chain([CERTAIN, 1, 3]) {
            let expected = (probability as f64).log2() - 64.0;
            let error = (float(log2(probability)) - expected).abs();
            assert!(error < 1e-11, "{probability}: {error}");
        }
        assert_eq!(log2(CERTAIN), 0);
        assert_eq!(log2(1), -64 << BITS);
    }

    #[test]
    fn powers_are_right_to_a_unit_and_bounded() {
        for eighths in -400..80 {
            let scaled = scale(1_000_000_000, eighths << (BITS - 3), 1 << 61);
            let expected = (1e9 * (eighths as f64 / 8.0).exp2()).round();
            let error = (scaled as f64 - expected).abs();
            assert!(error <= 1.0 + expected * 1e-11, "{eighths}/8: {scaled}");
        }
        let most = 5_000_000_000;
        assert_eq!(scale(1_000_000_000, 3 << BITS, most), most);
        assert_eq!(scale(1, 1000 << BITS, most), most);
        assert_eq!(scale(0, 1000 << BITS, most), 0);
        assert_eq!(scale(1_000_000_000, -(1000 << BITS), most), 0);
    }

    #[test]
    fn normal_quantiles_are_those_of_the_bell_curve() {
        for probability in probabilities().filter(|p| (1 << 32..CERTAIN - (1 << 32)).contains(p)) {
            let z = float(normal_quantile(probability));
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
            let expected = probability.min(CERTAIN - probability) as f64 / CERTAIN as f64;
            // As an error of z, which is what counts.
            let error = (area - expected).abs() / density(z);
            assert!(error < 1e-6, "{probability}: {z}, {error}");
            assert_eq!(z > 0.0, probability > CERTAIN / 2);
        }
        assert_eq!(normal_quantile(CERTAIN / 2), 0);
    }
}
