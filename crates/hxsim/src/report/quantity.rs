//! Numbers for people. Integer arithmetic: what is committed shall not depend on how a machine rounds.

/// With commas between thousands.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things and their name, in the plural where it is due.
pub(crate) fn things(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Three digits and a unit, rounded down.
pub(crate) fn duration(ns: u64) -> String {
    scaled(ns, unit(ns, &DURATIONS))
}

/// A duration in the unit that another one would have, so that the numbers along an axis can be compared.
pub(crate) fn duration_like(ns: u64, other: u64) -> String {
    scaled(ns, unit(other, &DURATIONS))
}

/// A duration, or a dash if it never came to that.
pub(crate) fn maybe_duration(ns: Option<u64>) -> String {
    ns.map_or_else(|| "–".to_owned(), duration)
}

/// Three digits and a unit, rounded down.
pub(crate) fn bytes(n: u64) -> String {
    scaled(n, unit(n, &SIZES))
}

type Unit = (&'static str, u64);

const DURATIONS: [Unit; 4] = [
    ("ns", 1),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];
const SIZES: [Unit; 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

fn unit(n: u64, units: &[Unit; 4]) -> Unit {
    let fits = units.iter().rev().find(|&&(_, factor)| n >= factor);
    *fits.unwrap_or(&units[0])
}

fn scaled(n: u64, (unit, factor): Unit) -> String {
    let whole = n / factor;
    let places = match whole {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let power = 10_u64.pow(places);
    let fraction = u128::from(n % factor) * u128::from(power) / u128::from(factor);
    if fraction == 0 {
        return format!("{} {unit}", count(whole));
    }
    let decimals = format!("{fraction:0width$}", width = places as usize);
    format!("{whole}.{} {unit}", decimals.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(things(1, "node", "nodes"), "1 node");
    }

    #[test]
    fn three_digits_are_enough() {
        assert_eq!(duration(0), "0 ns");
        assert_eq!(duration(30_000_000), "30 ms");
        assert_eq!(duration(30_010_000), "30 ms");
        assert_eq!(duration(412_345_678), "412 ms");
        assert_eq!(duration(1_234_567_890), "1.23 s");
        assert_eq!(duration(1_500_000_000), "1.5 s");
        assert_eq!(duration(61_000_000_000), "61 s");
        assert_eq!(duration_like(500_000_000, 4_000_000_000), "0.5 s");
        assert_eq!(bytes(1023), "1,023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "17,179,869,183 GiB");
    }
}
