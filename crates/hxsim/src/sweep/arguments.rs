//! What the command line says of seeds and parameters.

use std::ops::Range;

use crate::diagnostic::{BadScenario, Diagnostic, Place, Source};

/// A path of the scenario and the values that it shall have in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The path, as `--set` takes it.
    pub key: String,
    /// Its values, in the order in which they were given.
    pub values: Vec<String>,
}

impl Parameter {
    /// The same as `--set` takes it.
    pub fn set(&self, value: usize) -> String {
        format!("{}={}", self.key, self.values[value])
    }
}

/// More runs than anybody waits for: each of them keeps a row in memory.
pub const RUNS_MAX: usize = 100_000;

/// The seeds of `1..31`, which ends before 31 as ranges of nodes do, or of `1,5,9`, or of both mixed; in the order in which they are given.
///
/// # Errors
///
/// A sentence that says what is wrong.
///
/// ```
/// use hxsim::sweep::seeds;
///
/// assert_eq!(seeds("1..4,9"), Ok(vec![1, 2, 3, 9]));
/// assert!(seeds("4..4").is_err());
/// ```
pub fn seeds(text: &str) -> Result<Vec<u64>, String> {
    let mut seeds = Vec::new();
    for part in text.split(',').map(str::trim) {
        let range = match part.split_once("..") {
            Some((from, to)) => number(from).zip(number(to)).map(|(from, to)| from..to),
            // The greatest number of all stands in no range.
            None => number(part).and_then(|seed| Some(seed..seed.checked_add(1)?)),
        };
        let range = range.ok_or_else(|| {
            format!(
                "`{part}` is no seed: write 1..31 for the seeds 1 to 30, or a list such as 1,5,9"
            )
        })?;
        if range.is_empty() {
            return Err(format!(
                "there is no seed in `{part}`: a range ends before its second number"
            ));
        }
        if range.end - range.start > (RUNS_MAX - seeds.len()) as u64 {
            return Err(format!(
                "`{part}` is too much: a sweep has {RUNS_MAX} runs at most"
            ));
        }
        seeds.extend(range);
    }
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!(
            "seed {} is named twice, which would count one run as two",
            pair[0]
        )),
        None => Ok(seeds),
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The parameters of arguments `PATH=VALUE,VALUE,…`. A comma within quotes or brackets belongs to its value, and a value that stands in quotes as a
/// whole is what they enclose.
///
/// # Errors
///
/// What is wrong, at its place in the argument.
pub fn parameters(arguments: &[String]) -> Result<Vec<Parameter>, BadScenario> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let mut diagnostics = Vec::new();
    for (source, argument) in arguments.iter().enumerate() {
        let mut wrong = |span: Range<usize>, message: String, hint: &str| {
            diagnostics.push(Diagnostic {
                place: Place::bytes(source, span),
                message,
                hint: hint.into(),
            });
        };
        let Some((key, list)) = argument.split_once('=') else {
            let message = "a parameter is scanned as `path=value,value`".into();
            wrong(
                0..argument.len(),
                message,
                "for example nodes=100,1000,10000",
            );
            continue;
        };
        let begins = key.len() + 1;
        let key = key.trim();
        if key == "seed" {
            wrong(
                0..begins - 1,
                "seeds are no parameter".into(),
                "repeat the run with --seeds 1..31",
            );
        }
        if parameters.iter().any(|known| known.key == key) {
            let hint = "give all its values in one place";
            wrong(0..begins - 1, format!("`{key}` was given before"), hint);
        }
        let mut values: Vec<String> = Vec::new();
        match split(list) {
            Err(at) => {
                let message = "what is opened here is not closed".into();
                wrong(begins + at..begins + at + 1, message, "");
            }
            Ok(spans) => {
                for span in spans {
                    let place = begins + span.start..begins + span.end;
                    let value = unquoted(list[span].trim());
                    if value.is_empty() {
                        let hint = "values stand between commas";
                        wrong(place, "there is no value here".into(), hint);
                    } else if values.iter().any(|known| known == value) {
                        let hint = "each value is run once with each seed";
                        wrong(place, format!("`{value}` was given before"), hint);
                    } else {
                        values.push(value.to_owned());
                    }
                }
            }
        }
        parameters.push(Parameter {
            key: key.to_owned(),
            values,
        });
    }
    match diagnostics.is_empty() {
        true => Ok(parameters),
        false => Err(BadScenario::new(sources(arguments).collect(), diagnostics)),
    }
}

/// The arguments as texts that mistakes stand in.
pub(super) fn sources(arguments: &[String]) -> impl Iterator<Item = Source> {
    let numbered = arguments.iter().zip(1..);
    numbered.map(|(text, number)| Source {
        name: format!("-L {number}"),
        text: text.clone(),
    })
}

/// Where the values stand between the commas outside of all quotes and brackets; or where something is opened that is not closed.
fn split(list: &str) -> Result<Vec<Range<usize>>, usize> {
    let mut spans = Vec::new();
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut from = 0;
    for (at, c) in list.char_indices() {
        match (open.last(), c) {
            (Some((_, close)), c) if *close == c => {
                open.pop();
            }
            (Some((_, '"' | '\'')), _) => {}
            (_, '"' | '\'') => open.push((at, c)),
            (_, '[') => open.push((at, ']')),
            (_, '{') => open.push((at, '}')),
            (None, ',') => {
                spans.push(from..at);
                from = at + 1;
            }
            _ => {}
        }
    }
    spans.push(from..list.len());
    match open.first() {
        Some((at, _)) => Err(*at),
        None => Ok(spans),
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value
            .strip_prefix(quote)
            .and_then(|value| value.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_ranges_and_lists() {
        assert_eq!(seeds("1..4"), Ok(vec![1, 2, 3]));
        assert_eq!(seeds("9, 1"), Ok(vec![9, 1]));
        assert_eq!(seeds("7"), Ok(vec![7]));
        for nonsense in [
            "",
            "1..",
            "..3",
            "a",
            "1,,2",
            "-1",
            "1..=3",
            "3..1",
            "5..5",
            "1..999999999",
            "1,1",
            "1..5,3",
        ] {
            assert!(seeds(nonsense).is_err(), "{nonsense}");
        }
    }

    fn values(argument: &str) -> Result<Vec<String>, String> {
        let parameters = parameters(&[argument.to_owned()]).map_err(|bad| bad.to_string())?;
        Ok(parameters[0].values.clone())
    }

    #[test]
    fn values_stand_between_commas_that_nothing_encloses() {
        assert_eq!(
            values("nodes=100,1000"),
            Ok(vec!["100".into(), "1000".into()])
        );
        assert_eq!(
            values("topology={ kind = \"random_regular\", degree = 4 },{ kind = \"ring\" }"),
            Ok(vec![
                "{ kind = \"random_regular\", degree = 4 }".into(),
                "{ kind = \"ring\" }".into()
            ])
        );
        assert_eq!(
            values("a=[0, 1],'x, y', \"z\""),
            Ok(vec!["[0, 1]".into(), "x, y".into(), "z".into()])
        );
        assert_eq!(
            values("network.latency='{ floor = \"1ms\", uniform = \"2ms\" }',10ms"),
            Ok(vec![
                "{ floor = \"1ms\", uniform = \"2ms\" }".into(),
                "10ms".into()
            ])
        );
    }

    #[test]
    fn what_is_wrong_with_a_list_is_shown_in_it() {
        let shown = |argument: &str| values(argument).expect_err("it is wrong");
        assert_eq!(
            shown("nodes=10,,20"),
            "-L 1:1:10: error: there is no value here\n  |\n1 | nodes=10,,20\n  |          ^ values stand between commas\n"
        );
        assert!(shown("nodes=10,10").starts_with("-L 1:1:10: error: `10` was given before"));
        assert!(shown("nodes").contains("for example nodes=100,1000,10000"));
        assert!(shown("a=[0,1").starts_with("-L 1:1:3: error: what is opened here is not closed"));
        assert!(shown("seed=1,2").contains("--seeds 1..31"));
        let twice = ["a=1".to_owned(), "a=2".to_owned()];
        let twice = parameters(&twice).expect_err("one of them is too many");
        assert!(
            twice
                .to_string()
                .starts_with("-L 2:1:1: error: `a` was given before")
        );
    }
}
