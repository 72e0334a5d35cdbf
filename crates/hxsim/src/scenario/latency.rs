//! `latency`: a floor and what is added to it, by one of several distributions.

use std::path::Path;
use std::time::Duration;

use simnet::{InvalidQuantiles, Jitter, Link, Probability, Quantiles};

use super::document::{Content, Value};
use super::quantity::{decimal, duration, probability, text};
use super::section::{Located, Problems, Section, Wrong};
use crate::decimal::Decimal;
use crate::diagnostic::{Place, code_lines};

/// The floor of a latency and its jitter.
pub(super) fn read(
    problems: &mut Problems,
    value: &Value,
    directory: &Path,
) -> Option<(Duration, Jitter)> {
    let none = Jitter::Constant(Duration::ZERO);
    if !matches!(value.content, Content::Table(_)) {
        let latency = problems.accept(value, duration)?;
        return Some((floor(problems, latency)?, none));
    }
    let mut section = Section::open(problems, value, "`latency`")?;
    let least = section.required(problems, "floor", "floor = \"10ms\"", duration);
    let jitter = jitter(problems, &mut section, directory);
    section.close(problems);
    Some((floor(problems, least?)?, jitter.unwrap_or(none)))
}

fn floor(problems: &mut Problems, latency: Located<Duration>) -> Option<Duration> {
    let Located { value, place } = latency;
    if value < Link::LEAST_FLOOR {
        let hint = format!(
            "at least {:?}: time is cut into windows of it",
            Link::LEAST_FLOOR
        );
        problems.add(&place, "no link is as fast as this", hint);
        return None;
    }
    Some(value)
}

/// The distribution that the section names; `None` if that is none, or wrong.
fn jitter(problems: &mut Problems, section: &mut Section<'_>, directory: &Path) -> Option<Jitter> {
    const DISTRIBUTIONS: [&str; 6] = [
        "uniform",
        "constant",
        "exponential",
        "log_normal",
        "pareto",
        "quantiles",
    ];
    let named = DISTRIBUTIONS.map(|name| section.value(name).map(|value| (name, value)));
    let mut named = named.into_iter().flatten();
    let (name, value) = named.next()?;
    for (other, value) in named {
        let hint = format!("choose between `{name}` and `{other}`");
        problems.add(&value.place, "a latency has one distribution", hint);
    }
    let quantiles = match name {
        "uniform" => {
            let most = problems.accept(value, duration)?;
            return Some(Jitter::Uniform(most.value));
        }
        "constant" => {
            let always = problems.accept(value, duration)?;
            return Some(Jitter::Constant(always.value));
        }
        "exponential" => {
            let mean = problems.accept(value, duration)?;
            let quantiles = Quantiles::exponential(mean.value);
            possible(problems, quantiles, &mean.place, &mean.place)
        }
        _ => self::quantiles(problems, name, value, directory),
    };
    Some(Jitter::Quantiles(quantiles?.into()))
}

/// The distributions that [`quantiles`] reads.
pub(super) const TABLES: [&str; 3] = ["log_normal", "pareto", "quantiles"];

/// The table of a distribution, by its name.
pub(super) fn quantiles(
    problems: &mut Problems,
    name: &str,
    value: &Value,
    directory: &Path,
) -> Option<Quantiles> {
    match name {
        "log_normal" => {
            let keys = [("median", "median = \"5ms\""), ("sigma", "sigma = \"0.5\"")];
            let (median, sigma) = parameters(problems, value, "`log_normal`", keys)?;
            let quantiles = Quantiles::log_normal(median.value, sigma.value);
            possible(problems, quantiles, &median.place, &sigma.place)
        }
        "pareto" => {
            let keys = [("scale", "scale = \"1ms\""), ("shape", "shape = \"2.5\"")];
            let (scale, shape) = parameters(problems, value, "`pareto`", keys)?;
            let quantiles = Quantiles::pareto(scale.value, shape.value);
            possible(problems, quantiles, &scale.place, &shape.place)
        }
        _ => {
            let file = problems.accept(value, text)?;
            table(problems, &file, directory)
        }
    }
}

/// A duration and a number, in millionths.
fn parameters(
    problems: &mut Problems,
    value: &Value,
    title: &str,
    [(scale, a_scale), (shape, a_shape)]: [(&'static str, &str); 2],
) -> Option<(Located<Duration>, Located<u32>)> {
    let mut section = Section::open(problems, value, title)?;
    let scale = section.required(problems, scale, a_scale, duration);
    let shape = section.required(problems, shape, a_shape, decimal);
    section.close(problems);
    // What does not fit is far beyond what any distribution takes.
    let millionths = |number: Decimal| u32::try_from(number.millionths()).unwrap_or(u32::MAX);
    Some((scale?, shape?.map(millionths)))
}

/// The table, or a diagnostic at the place of the duration or of the number that does not serve.
fn possible(
    problems: &mut Problems,
    quantiles: Result<Quantiles, InvalidQuantiles>,
    duration: &Place,
    number: &Place,
) -> Option<Quantiles> {
    let error = match quantiles {
        Ok(quantiles) => return Some(quantiles),
        Err(error) => error,
    };
    let (place, message, hint) = match error {
        InvalidQuantiles::Sigma(_) => (number, "this varies too much", "at most 10"),
        InvalidQuantiles::Shape(_) => (number, "no tail is like this", "from 0.1 to 100"),
        _ => (duration, "this is too long", LONGEST_HINT),
    };
    problems.add(place, message, hint);
    None
}

const LONGEST_HINT: &str = "at most 1h";

/// One line of a quantile table.
struct Row {
    place: Place,
    quantile: Option<Probability>,
    duration: Duration,
}

/// Reads a table: a duration a line, which is a sample, or a quantile and a duration a line. What is wrong with it is shown in that file.
fn table(problems: &mut Problems, file: &Located<String>, directory: &Path) -> Option<Quantiles> {
    let (path, content) = problems.read_file(file, directory)?;
    let source = problems.add_source(path, content.clone());
    let mut rows: Vec<Row> = Vec::new();
    let mut complete = true;
    for (span, line) in code_lines(&content) {
        let place = Place::bytes(source, span);
        let row = problems.accept(&written(&place, line), |value| row(value, rows.first()));
        complete &= row.is_some();
        rows.extend(row.map(|row| row.value));
    }
    if !complete {
        return None;
    }
    let points: Option<Vec<_>> = rows
        .iter()
        .map(|row| Some((row.quantile?, row.duration)))
        .collect();
    let quantiles = match &points {
        Some(points) => Quantiles::from_points(points),
        None => Quantiles::from_sample(&rows.iter().map(|row| row.duration).collect::<Vec<_>>()),
    };
    let error = match quantiles {
        Ok(quantiles) => return Some(quantiles),
        Err(error) => error,
    };
    let (row, message, hint) = match error {
        InvalidQuantiles::First(_) => (
            rows.first(),
            "the first quantile is not 0%",
            "say the shortest duration first, as in `0% 1ms`",
        ),
        InvalidQuantiles::Last(_) => (
            rows.last(),
            "the last quantile is not 100%",
            "say the longest duration last, as in `100% 1s`",
        ),
        InvalidQuantiles::Order(at) => (
            rows.get(at),
            "this falls behind the line before",
            "quantiles ascend, and their durations do not descend",
        ),
        _ => (None, "this file has no line", TABLE_HINT),
    };
    problems.add(row.map_or(&file.place, |row| &row.place), message, hint);
    None
}

const TABLE_HINT: &str = "write a duration a line, or a quantile and a duration, as in `50% 3ms`";

fn row(value: &Value, first: Option<&Row>) -> Result<Row, Wrong> {
    let line = text(value)?;
    let words: Vec<_> = line.split_whitespace().collect();
    let word = |word: &str| written(&value.place, word);
    let (quantile, long) = match words[..] {
        [long] => (None, duration(&word(long))?),
        [quantile, long] => (Some(probability(&word(quantile))?), duration(&word(long))?),
        _ => return Err(Wrong::new("this is no row of a table", TABLE_HINT)),
    };
    if first.is_some_and(|first| first.quantile.is_some() != quantile.is_some()) {
        let message = "this is not written as the first line is";
        return Err(Wrong::new(message, TABLE_HINT));
    }
    if long > Quantiles::LONGEST {
        return Err(Wrong::new("this is too long", LONGEST_HINT));
    }
    Ok(Row {
        place: value.place.clone(),
        quantile,
        duration: long,
    })
}

fn written(place: &Place, word: &str) -> Value {
    Value {
        place: place.clone(),
        content: Content::Text(word.to_owned()),
    }
}
