//! Scalars as a scenario writes them: `"1.5s"`, `"64KiB"`, `"5%"`, `"0..50"`.

use std::time::Duration;

use simnet::{Bandwidth, NodeId, Probability, Time};

use super::document::{Content, Value};
use super::section::Wrong;
use crate::decimal::Decimal;
use crate::diagnostic::Place;

pub(super) fn text(value: &Value) -> Result<String, Wrong> {
    match &value.content {
        Content::Text(text) => Ok(text.clone()),
        _ => Err(Wrong::kind(value, "expected a string")),
    }
}

/// Text that says something.
pub(super) fn sentence(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    if text.trim().is_empty() {
        return Err(Wrong::new("this is empty", "say in a sentence what it is"));
    }
    if text.contains(char::is_control) {
        return Err(Wrong::new(
            "this is more than one line",
            "reports show it in one",
        ));
    }
    Ok(text)
}

/// One of a few words, each with what it stands for.
pub(super) fn word<T: Copy>(
    what: &str,
    known: &[(&str, T)],
) -> impl FnOnce(&Value) -> Result<T, Wrong> {
    move |value| {
        let written = text(value)?;
        let found = known.iter().find(|(name, _)| *name == written);
        found.map(|&(_, meaning)| meaning).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|&(name, _)| name).collect();
            Wrong::unknown(what, &written, &names)
        })
    }
}

/// True or false.
pub(super) fn boolean(value: &Value) -> Result<bool, Wrong> {
    match value.content {
        Content::Boolean(boolean) => Ok(boolean),
        _ => Err(Wrong::kind(value, "expected true or false")),
    }
}

/// An integer from `least` on.
pub(super) fn integer<T: TryFrom<i128>>(least: u32) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| {
        let Content::Integer(integer) = value.content else {
            return Err(Wrong::kind(value, "expected an integer"));
        };
        if integer < i128::from(least) {
            let hint = format!("at least {least}");
            return Err(Wrong::new(format!("{integer} is too small"), hint));
        }
        T::try_from(integer).map_err(|_| {
            // What scenarios count has no sign.
            let most = (1_i128 << (8 * size_of::<T>())) - 1;
            let hint = format!("at most {most}");
            Wrong::new(format!("{integer} is too large"), hint)
        })
    }
}

/// How many nodes there are.
pub(super) fn node_count(value: &Value) -> Result<u32, Wrong> {
    let count = integer(1)(value)?;
    if count > NODES_MAX {
        let hint = format!("at most {NODES_MAX}");
        return Err(Wrong::new(format!("{count} nodes are too many"), hint));
    }
    Ok(count)
}

/// Ten times what a large machine has room for. A slip in a number shall be told, not take all memory.
const NODES_MAX: u32 = 10_000_000;

/// The number of a node that exists.
pub(super) fn node(nodes: Option<u32>) -> impl Fn(&Value) -> Result<NodeId, Wrong> {
    move |value| NODES.one(value, nodes)
}

/// Two different nodes.
pub(super) fn pair(nodes: Option<u32>) -> impl Fn(&Value) -> Result<(NodeId, NodeId), Wrong> {
    move |value| {
        let (a, b) = two(value, ["nodes", "[0, 1]"], node(nodes))?;
        if a == b {
            return Err(Wrong::new("a link has two ends", "name two nodes"));
        }
        Ok((a, b))
    }
}

/// A list of two; `what` they are and how such a list looks is for messages.
pub(super) fn two<T>(
    value: &Value,
    [what, example]: [&str; 2],
    one: impl Fn(&Value) -> Result<T, Wrong>,
) -> Result<(T, T), Wrong> {
    let Content::Array(ends) = &value.content else {
        let hint = format!("expected two {what}, as in {example}");
        return Err(Wrong::kind(value, hint));
    };
    let [a, b] = ends.as_slice() else {
        let message = format!("this names {} {what}", ends.len());
        return Err(Wrong::new(
            message,
            format!("expected two, as in {example}"),
        ));
    };
    let at = |end: &Value| {
        let place = Some(end.place.clone());
        one(end).map_err(|wrong| Wrong { place, ..wrong })
    };
    Ok((at(a)?, at(b)?))
}

/// A set of nodes: `"0..50"` (half-open), or a list of such ranges and of single nodes. The set is sorted and not empty.
pub(super) fn nodes(nodes: Option<u32>) -> impl Fn(&Value) -> Result<Vec<NodeId>, Wrong> {
    move |value| NODES.set(value, nodes)
}

/// The same of the bodies of a workload, in the order in which it has them.
pub(super) fn bodies(value: &Value) -> Result<Vec<u32>, Wrong> {
    BODIES.set(value, None)
}

/// Things that are numbered from 0.
struct Numbered {
    one: &'static str,
    all: &'static str,
    hint: &'static str,
}

const NODES: Numbered = Numbered {
    one: "node",
    all: "nodes",
    hint: "write \"0..50\" for the nodes 0 to 49, or a list such as [0, 3, \"10..20\"]",
};

const BODIES: Numbered = Numbered {
    one: "body",
    all: "bodies",
    hint: "write \"0..50\" for the bodies 0 to 49, or a list such as [0, 3, \"10..20\"]",
};

impl Numbered {
    /// One of them; of so many, if that is known.
    fn one(&self, value: &Value, count: Option<u32>) -> Result<u32, Wrong> {
        let number = integer(0)(value)?;
        self.exists(number, count)?;
        Ok(number)
    }

    fn exists(&self, number: u32, count: Option<u32>) -> Result<(), Wrong> {
        match count {
            Some(count) if number >= count => Err(Wrong::new(
                format!("there is no {} {number}", self.one),
                format!("the {} are 0..{count}", self.all),
            )),
            _ => Ok(()),
        }
    }

    fn set(&self, value: &Value, count: Option<u32>) -> Result<Vec<u32>, Wrong> {
        let mut set = Vec::new();
        match &value.content {
            Content::Array(elements) => {
                for element in elements {
                    let place = Some(element.place.clone());
                    self.collect(element, count, &mut set)
                        .map_err(|wrong| Wrong { place, ..wrong })?;
                }
            }
            _ => self.collect(value, count, &mut set)?,
        }
        set.sort_unstable();
        set.dedup();
        if set.is_empty() {
            let message = format!("this names no {}", self.one);
            return Err(Wrong::new(message, self.hint));
        }
        Ok(set)
    }

    fn collect(&self, value: &Value, count: Option<u32>, set: &mut Vec<u32>) -> Result<(), Wrong> {
        match &value.content {
            Content::Integer(_) => set.push(self.one(value, count)?),
            Content::Text(range) => {
                let ends = range.split_once("..").and_then(|(from, to)| {
                    let from: u32 = from.trim().parse().ok()?;
                    let to: u32 = to.trim().parse().ok()?;
                    (from < to).then_some((from, to))
                });
                let Some((from, to)) = ends else {
                    let message = format!("`{range}` is no range of {}", self.all);
                    return Err(Wrong::new(message, self.hint));
                };
                self.exists(to - 1, count.or(Some(NODES_MAX)))?;
                set.extend(from..to);
            }
            _ => return Err(Wrong::kind(value, self.hint)),
        }
        Ok(())
    }
}

/// A decimal number of milliseconds.
pub(super) fn milliseconds(number: &str) -> Option<Duration> {
    let ns = scaled(number, &[("", 1_000_000)])?;
    Some(Duration::from_nanos(ns))
}

/// The units of time, in nanoseconds.
pub(super) const DURATIONS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    // As durations are shown.
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A length of time: a number and its unit.
pub(super) fn duration(value: &Value) -> Result<Duration, Wrong> {
    let hint = "write \"10ms\", \"1.5s\" or \"1m\" (units: ns, us, ms, s, m, h)";
    let Content::Text(text) = &value.content else {
        return Err(Wrong::kind(value, hint));
    };
    let number = scaled_wide(text, &DURATIONS);
    let number = number.ok_or_else(|| Wrong::new(format!("`{text}` is no duration"), hint))?;
    let number = u64::try_from(number);
    let number = number.map_err(|_| Wrong::new("this is too long", "at most 584 years"))?;
    Ok(Duration::from_nanos(number))
}

/// A duration forward, or back if there is a minus before it, in nanoseconds.
pub(super) fn signed_duration(value: &Value) -> Result<i64, Wrong> {
    let hint = "write \"1h\" or \"-200ms\" (units: ns, us, ms, s, m, h)";
    let (text, sign) = signed(value, hint)?;
    let ns = scaled_wide(text, &DURATIONS).and_then(|ns| i64::try_from(ns).ok());
    let ns = ns.ok_or_else(|| {
        Wrong::new(
            format!("`{text}` is no duration of at most 292 years"),
            hint,
        )
    })?;
    match ns {
        0 => Err(Wrong::new("nothing would change", hint)),
        ns => Ok(sign * ns),
    }
}

/// By how much something is too fast, or too slow if there is a minus before it, in millionths.
pub(super) fn pace(value: &Value) -> Result<i32, Wrong> {
    const UNITS: [(&str, u64); 2] = [("ppm", 1), ("%", 10_000)];
    let hint = "write \"200ppm\" or \"-5%\"; more than -100%, and less than 2000 times as fast";
    let (text, sign) = signed(value, hint)?;
    let ppm = scaled_wide(text, &UNITS).and_then(|ppm| i32::try_from(ppm).ok());
    let ppm = ppm.map(|ppm| sign as i32 * ppm);
    let ppm = ppm.filter(|ppm| (-999_000..=1_999_000_000).contains(ppm) && *ppm != 0);
    let sign = if sign < 0 { "-" } else { "" };
    ppm.ok_or_else(|| Wrong::new(format!("`{sign}{text}` is no pace"), hint))
}

/// What is behind the sign, and that.
fn signed<'a>(value: &'a Value, hint: &str) -> Result<(&'a str, i64), Wrong> {
    let Content::Text(text) = &value.content else {
        return Err(Wrong::kind(value, hint));
    };
    let text = text.trim();
    Ok(match text.strip_prefix('-') {
        Some(text) => (text, -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    })
}

/// An instant that is written as a duration since the start.
pub(crate) fn instant(text: &str) -> Option<Time> {
    let ns = scaled_wide(text, &DURATIONS)?;
    ns.try_into().ok().map(Time::from_nanos)
}

/// A duration that is not zero.
pub(super) fn positive_duration(value: &Value) -> Result<Duration, Wrong> {
    let duration = duration(value)?;
    if duration.is_zero() {
        return Err(Wrong::new(
            "this must be more than zero",
            "for example \"1ms\"",
        ));
    }
    Ok(duration)
}

/// How often something happens, as the mean time from one to the next.
pub(super) fn rate(value: &Value) -> Result<Duration, Wrong> {
    let hint = "write \"5/s\" or \"0.5/m\" (units: ns, us, ms, s, m, h)";
    let Content::Text(text) = &value.content else {
        return Err(Wrong::kind(value, hint));
    };
    let parts = text.split_once('/').and_then(|(number, unit)| {
        let number = scaled(number, &[("", Decimal::ONE.millionths())])?;
        let &(_, ns) = DURATIONS.iter().find(|(name, _)| *name == unit.trim())?;
        Some((number, ns))
    });
    let (number, ns) = parts.ok_or_else(|| Wrong::new(format!("`{text}` is no rate"), hint))?;
    let million = u128::from(Decimal::ONE.millionths());
    let mean = (u128::from(ns) * million).checked_div(number.into());
    let mean =
        mean.ok_or_else(|| Wrong::new("this must be more than zero", "for example \"5/s\""))?;
    match u64::try_from(mean) {
        Ok(0) | Err(_) => Err(Wrong::new("time is whole nanoseconds", "at most \"1/ns\"")),
        Ok(mean) => Ok(Duration::from_nanos(mean)),
    }
}

/// An instant, as the time since the start.
pub(super) fn time(value: &Value) -> Result<Time, Wrong> {
    Ok(Time::ZERO + duration(value)?)
}

/// A number of bytes.
pub(super) fn size(value: &Value) -> Result<u32, Wrong> {
    const UNITS: [(&str, u64); 4] = [
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let hint = "write a number of bytes, or \"64KiB\" (units: B, KiB, MiB, GiB)";
    let bytes = match &value.content {
        Content::Integer(integer) => u64::try_from(*integer).ok(),
        Content::Text(text) => scaled(text, &UNITS),
        _ => return Err(Wrong::kind(value, hint)),
    };
    let bytes = bytes.ok_or_else(|| {
        let hint = meant(value, "").unwrap_or_else(|| hint.into());
        Wrong::new("this is no number of bytes", hint)
    })?;
    u32::try_from(bytes).map_err(|_| Wrong::new("this is too large", "less than 4 GiB"))
}

/// What somebody meant who wrote a unit of powers of ten, or one that looks like it.
fn meant(value: &Value, a_second: &str) -> Option<String> {
    let Content::Text(text) = &value.content else {
        return None;
    };
    let (front, rest) = text.split_at(text.find(char::is_alphabetic)?);
    let unit = rest.split('/').next().unwrap_or_default();
    let binary = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return None,
    };
    Some(format!(
        "did you mean `{}{binary}{a_second}`?",
        front.trim()
    ))
}

/// What somebody meant who wrote bits as they are told of lines: `5Mb`, `5Mbps`, `5 mbit`.
fn meant_bits(text: &str) -> Option<String> {
    let (front, unit) = text.split_at(text.find(char::is_alphabetic)?);
    let prefix = unit.chars().next()?;
    let rest = &unit[prefix.len_utf8()..];
    let is_bits = rest.starts_with('b') && !rest.starts_with("byte");
    let unit = match prefix {
        'k' | 'K' => "kbit/s",
        'm' | 'M' => "Mbit/s",
        'g' | 'G' => "Gbit/s",
        _ => return None,
    };
    is_bits.then(|| format!("did you mean `{}{unit}`?", front.trim()))
}

/// How many bytes pass in a second.
pub(super) fn bandwidth(value: &Value) -> Result<Bandwidth, Wrong> {
    const UNITS: [(&str, u64); 7] = [
        ("B/s", 1),
        ("KiB/s", 1 << 10),
        ("MiB/s", 1 << 20),
        ("GiB/s", 1 << 30),
        ("kbit/s", 125),
        ("Mbit/s", 125_000),
        ("Gbit/s", 125_000_000),
    ];
    let hint = "write \"10MiB/s\" or \"100Mbit/s\" (units: B/s, KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s, Gbit/s)";
    let Content::Text(text) = &value.content else {
        return Err(Wrong::kind(value, hint));
    };
    let bytes = scaled(text, &UNITS);
    let bytes = bytes.ok_or_else(|| {
        let bits = meant_bits(text).or_else(|| meant(value, "/s"));
        let hint = bits.unwrap_or_else(|| hint.into());
        Wrong::new(format!("`{text}` is no bandwidth"), hint)
    })?;
    let hint = "leave it out if nothing is limited";
    Bandwidth::per_second(bytes).ok_or_else(|| Wrong::new("nothing would ever pass", hint))
}

/// A size that is not zero.
pub(super) fn positive_size(value: &Value) -> Result<u32, Wrong> {
    match size(value)? {
        0 => Err(Wrong::new(
            "this must be more than zero",
            "for example 1000",
        )),
        bytes => Ok(bytes),
    }
}

/// A probability in per cent, exact to a millionth.
pub(super) fn probability(value: &Value) -> Result<Probability, Wrong> {
    let hint = "write \"5%\" or \"0.5%\", with at most four decimals";
    let Content::Text(text) = &value.content else {
        return Err(Wrong::kind(value, hint));
    };
    let ppm = scaled(text, &[("%", 10_000)]);
    let ppm = ppm.ok_or_else(|| Wrong::new(format!("`{text}` is no probability"), hint))?;
    match u32::try_from(ppm) {
        Ok(ppm) if ppm <= Probability::ONE.as_ppm() => Ok(Probability::from_ppm(ppm)),
        _ => Err(Wrong::new(
            format!("`{text}` is more than certain"),
            "at most 100%",
        )),
    }
}

/// A number that is not negative, exact to a millionth: a whole one, or one with decimals in quotes.
pub(super) fn decimal(value: &Value) -> Result<Decimal, Wrong> {
    let hint = "write 8, or \"7.5\" with at most six decimals and in quotes";
    match &value.content {
        Content::Integer(_) => Ok(Decimal::whole(integer(0)(value)?)),
        Content::Text(text) => scaled(text, &[("", Decimal::ONE.millionths())])
            .map(Decimal::from_millionths)
            .ok_or_else(|| Wrong::new(format!("`{text}` is no number"), hint)),
        _ => Err(Wrong::kind(value, hint)),
    }
}

/// A decimal number that is not zero.
pub(super) fn positive_decimal(value: &Value) -> Result<Decimal, Wrong> {
    match decimal(value)? {
        Decimal::ZERO => Err(Wrong::new("this must be more than zero", "for example 1")),
        number => Ok(number),
    }
}

/// As [`scaled_wide`]; `None` also if that is too large.
pub(super) fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    u64::try_from(scaled_wide(text, units)?).ok()
}

/// A decimal number and its unit, as a whole number of the least unit; `None` if it is not whole, or not that at all.
/// A unit that is nothing stands for a number alone.
fn scaled_wide(text: &str, units: &[(&str, u64)]) -> Option<u128> {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let split = unit.unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim_start();
    let &(_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let decimals = 10_u128.checked_pow(places)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(u128::from(factor))?;
    scaled.is_multiple_of(decimals).then_some(scaled / decimals)
}

/// What is written with a unit, as a whole number: what it counts, and how many.
pub(super) fn number(text: &str) -> Option<(&'static str, u64)> {
    let value = Value {
        place: Place::whole(0),
        content: Content::Text(text.to_owned()),
    };
    let ppm = || Some(("ppm", probability(&value).ok()?.as_ppm().into()));
    let ns = || Some(("ns", u64::try_from(duration(&value).ok()?.as_nanos()).ok()?));
    let rate = || Some(("bytes_per_s", bandwidth(&value).ok()?.as_bytes_per_second()));
    let bytes = || Some(("bytes", size(&value).ok()?.into()));
    ppm().or_else(ns).or_else(rate).or_else(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn written(text: &str) -> Value {
        Value {
            place: Place::whole(0),
            content: Content::Text(text.into()),
        }
    }

    #[test]
    fn durations_are_exact() {
        let ns = |text| duration(&written(text)).ok().map(|d| d.as_nanos());
        assert_eq!(ns("10ms"), Some(10_000_000));
        assert_eq!(ns("1.5s"), Some(1_500_000_000));
        assert_eq!((ns("2us"), ns("2µs")), (Some(2_000), Some(2_000)));
        assert_eq!(ns("1 m"), Some(60_000_000_000));
        assert_eq!(ns("0s"), Some(0));
        assert_eq!(ns("0.1ns"), None, "time is whole nanoseconds");
        for nonsense in [
            "10",
            "ms",
            ".5s",
            "5.s",
            "1.2.3s",
            "-1s",
            "1e3s",
            "",
            "9999999999999h",
        ] {
            assert_eq!(ns(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn probabilities_are_exact_to_a_millionth() {
        let ppm = |text| probability(&written(text)).ok().map(Probability::as_ppm);
        assert_eq!(ppm("5%"), Some(50_000));
        assert_eq!(ppm("0.5%"), Some(5_000));
        assert_eq!(ppm("0.0001%"), Some(1));
        assert_eq!(ppm("0.00001%"), None);
        assert_eq!(ppm("100%"), Some(1_000_000));
        assert_eq!(ppm("101%"), None);
        assert_eq!(ppm("0.05"), None);
    }

    #[test]
    fn decimals_are_exact_to_a_millionth() {
        let millionths = |text| decimal(&written(text)).ok().map(Decimal::millionths);
        assert_eq!(millionths("7.5"), Some(7_500_000));
        assert_eq!(millionths("0.000001"), Some(1));
        assert_eq!(millionths("12"), Some(12_000_000));
        for nonsense in ["0.0000001", "", ".", "1.", "-1", "1e3", "5%"] {
            assert_eq!(millionths(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(size(&written("64KiB")).ok(), Some(65_536));
        assert_eq!(size(&written("0.5MiB")).ok(), Some(524_288));
        assert_eq!(size(&written("4GiB")).ok(), None);
        assert_eq!(size(&written("64kb")).ok(), None);
    }

    #[test]
    fn bandwidths_are_bytes_or_bits_a_second() {
        let bytes = |text| {
            let bandwidth = bandwidth(&written(text)).ok();
            bandwidth.map(Bandwidth::as_bytes_per_second)
        };
        assert_eq!(bytes("10MiB/s"), Some(10 << 20));
        assert_eq!(bytes("100 Mbit/s"), Some(12_500_000));
        assert_eq!(bytes("0.5kbit/s"), None, "no whole number of bytes");
        assert_eq!(bytes("10MiB"), None);
        assert_eq!(bytes("0B/s"), None);
    }

    #[test]
    fn ranges_are_half_open() {
        assert_eq!(nodes(Some(5))(&written("2..5")).ok(), Some(vec![2, 3, 4]));
        assert!(nodes(Some(5))(&written("2..6")).is_err());
        assert!(nodes(Some(5))(&written("2..2")).is_err());
    }

    #[test]
    fn what_has_a_unit_is_a_number_of_it() {
        let numbers = ["5%", "1.5ms", "1MiB/s", "4KiB", "20/s", "100", "ring"].map(number);
        let expected = [
            Some(("ppm", 50_000)),
            Some(("ns", 1_500_000)),
            Some(("bytes_per_s", 1 << 20)),
            Some(("bytes", 4096)),
            None,
            None,
            None,
        ];
        assert_eq!(numbers, expected);
    }
}
