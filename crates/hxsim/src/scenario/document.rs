//! A TOML document with the place of every value, and other documents laid over it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::section::Problems;
use crate::diagnostic::{BadScenario, Diagnostic, Place, Source};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    Integer(i128),
    Array(Vec<Value>),
    Table(Table),
    Boolean(bool),
    /// What no scenario has a use for, by its name.
    Other(&'static str),
}

/// Entries by key, each with the place of its key.
pub(super) type Table = BTreeMap<String, (Place, Value)>;

impl Value {
    /// Takes an entry of a table away, if there is one.
    pub(super) fn remove(&mut self, key: &str) {
        if let Content::Table(table) = &mut self.content {
            table.remove(key);
        }
    }

    /// What it is, to be put behind "found".
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Text(_) => "a string",
            Content::Integer(_) => "an integer",
            Content::Array(_) => "an array",
            Content::Table(_) => "a table",
            Content::Boolean(_) => "a boolean",
            Content::Other(kind) => kind,
        }
    }
}

/// Parses the document and lays each of `sets` over it, and then each of `compare`. Errors of syntax in the document are reported together, and nothing
/// else is.
pub(super) fn parse(
    path: &str,
    text: String,
    sets: &[String],
    compare: &[String],
) -> Result<(Problems, Value), BadScenario> {
    let mut sources = vec![Source {
        name: path.to_owned(),
        text,
    }];
    let compared = format!("{path}: compare");
    for (name, settings) in [("--set", sets), (&compared, compare)] {
        sources.extend(settings.iter().zip(1..).map(|(text, number)| Source {
            name: format!("{name} {number}"),
            text: text.clone(),
        }));
    }

    let mut diagnostics = Vec::new();
    let root = parse_source(0, &sources[0].text).map_err(|errors| diagnostics.extend(errors));
    let mut settings = Vec::new();
    for (index, source) in sources.iter().enumerate().skip(1) {
        match parse_set(index, &source.text) {
            Ok(setting) => settings.push(setting),
            Err(errors) => diagnostics.extend(errors),
        }
    }
    let Ok(mut root) = root else {
        return Err(BadScenario::new(sources, diagnostics));
    };
    for Setting { path, value } in settings {
        diagnostics.extend(set(&mut root, &path, value).err());
    }
    // A setting that is wrong keeps nobody from reading the rest.
    Ok((Problems::new(sources, diagnostics), root))
}

fn parse_source(source: usize, text: &str) -> Result<Value, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let content = Content::Table(convert_table(source, table.into_inner()));
        // What the whole lacks is told where it begins.
        let place = Place::bytes(source, 0..0);
        return Ok(Value { place, content });
    }
    let unclosed = unclosed(text, &errors);
    let misread = unclosed
        .as_ref()
        .map_or(text.len() + 1, |(span, ..)| span.start);
    let errors = errors
        .iter()
        .filter(|error| error.span().is_none_or(|span| span.start < misread))
        .map(|error| syntax(source, text, error));
    let unclosed = unclosed.map(|(span, open, close)| Diagnostic {
        place: Place::bytes(source, span),
        message: format!("this `{open}` is not closed"),
        hint: format!("it takes a `{close}` at its end"),
    });
    Err(errors.chain(unclosed).collect())
}

/// A table or an array that is not closed: where it begins, and its brackets. All that follows is taken for a part of it, and what is said of that misleads.
fn unclosed(text: &str, errors: &[Error]) -> Option<(Range<usize>, char, char)> {
    let unclosed = errors.iter().find_map(|error| match error.message() {
        message if message.starts_with("unclosed inline table") => Some(('{', '}')),
        message if message.starts_with("unclosed array") => Some(('[', ']')),
        _ => None,
    });
    let (open, close) = unclosed?;
    errors.iter().find_map(|error| {
        // What is wrong in the lines that follow is still within it.
        let line = text[..error.span()?.start].rfind('\n')?;
        let before = text[..line].trim_end();
        let count = |text: &str, bracket: char| text.matches(bracket).count();
        let mut opened = before.rmatch_indices(open);
        let (begins, _) = opened.find(|(at, _)| {
            let rest = &before[*at..];
            count(rest, open) > count(rest, close)
        })?;
        let len = before[begins..].lines().next().map_or(0, str::len);
        Some((begins..begins + len, open, close))
    })
}

/// One argument of `--set`: a path of keys, and the value that shall stand there; `None` takes away what does.
struct Setting {
    /// The keys, each with its place.
    path: Vec<(String, Place)>,
    value: Option<Value>,
}

/// Parses `path=value`. What is no TOML value is taken as a string, so that `network.loss=5%` needs no quotes inside quotes.
fn parse_set(source: usize, text: &str) -> Result<Setting, Vec<Diagnostic>> {
    let wrong = |span, message: &str| {
        vec![Diagnostic {
            place: Place::bytes(source, span),
            message: message.to_owned(),
            hint: "write `path=value`, for example network.loss=5%".into(),
        }]
    };
    let Some((keys, word)) = text.split_once('=') else {
        return Err(wrong(0..text.len(), "this sets nothing"));
    };
    if keys.contains(['\n', '[', '#']) {
        return Err(wrong(0..keys.len(), "this is no path of keys"));
    }
    let Ok(Value { content, .. }) = parse_source(source, &format!("{keys}=0")) else {
        return Err(wrong(0..keys.len(), "this is no path of keys"));
    };
    let mut path = Vec::new();
    let mut content = content;
    while let Content::Table(table) = content {
        let Some((key, (place, inner))) = table.into_iter().next() else {
            break;
        };
        path.push((key, place));
        content = inner.content;
    }
    let trimmed = word.trim();
    let value = match parse_source(source, text) {
        _ if trimmed.is_empty() => None,
        Ok(document) => Some(
            leaf(document, path.len())
                .ok_or_else(|| wrong(0..text.len(), "this sets more than one value"))?,
        ),
        // Whoever begins a string, a table or an array means one.
        Err(errors) if trimmed.starts_with(['"', '\'', '{', '[']) => return Err(errors),
        Err(_) => {
            let start = text.len() - word.trim_start().len();
            Some(Value {
                place: Place::bytes(source, start..start + trimmed.len()),
                content: Content::Text(trimmed.to_owned()),
            })
        }
    };
    Ok(Setting { path, value })
}

/// What stands so many keys deep in a document of one value.
fn leaf(mut value: Value, depth: usize) -> Option<Value> {
    for _ in 0..depth {
        let Content::Table(table) = value.content else {
            return None;
        };
        let mut entries = table.into_values();
        value = entries.next()?.1;
        if entries.next().is_some() {
            return None;
        }
    }
    Some(value)
}

/// Puts a value where its path leads, or takes away what is there. What stood there before is gone, be it a table or an array; elements of an
/// array are named by their number. A new `kind` starts its table anew, for the keys beside it belonged to the old one.
fn set(at: &mut Value, path: &[(String, Place)], value: Option<Value>) -> Result<(), Diagnostic> {
    let Some(((key, place), deeper)) = path.split_first() else {
        if let Some(value) = value {
            *at = value;
        }
        return Ok(());
    };
    let wrong = |message: String, hint: String| Diagnostic {
        place: place.clone(),
        message,
        hint,
    };
    let removed = deeper.is_empty() && value.is_none();
    match &mut at.content {
        Content::Array(elements) => {
            let length = elements.len();
            let number = key.parse().ok().filter(|number: &usize| *number < length);
            let number = number.ok_or_else(|| {
                let hint = match length {
                    0 => "there is none".into(),
                    _ => format!("there are {length}, numbered from 0"),
                };
                wrong(format!("no element `{key}`"), hint)
            })?;
            if removed {
                elements.remove(number);
                return Ok(());
            }
            set(&mut elements[number], deeper, value)
        }
        Content::Table(table) if removed => match table.remove(key) {
            Some(_) => {
                // If it is needed, this is where it got lost.
                at.place = place.clone();
                Ok(())
            }
            None => {
                let known: Vec<&str> = table.keys().map(String::as_str).collect();
                let known = known.join(", ");
                Err(wrong(
                    format!("there is no `{key}` to take away"),
                    format!("there are: {known}"),
                ))
            }
        },
        Content::Table(table) => {
            if key == "kind" && deeper.is_empty() {
                table.clear();
            }
            let numbered = deeper
                .first()
                .is_some_and(|(key, _)| key.parse::<usize>().is_ok());
            if numbered && !table.contains_key(key) {
                let message = format!("there is no `{key}` of which this could be a part");
                return Err(wrong(
                    message,
                    format!("only what the file has can be numbered: write a [[{key}]] there"),
                ));
            }
            let fresh = || Value {
                place: place.clone(),
                content: Content::Table(Table::new()),
            };
            let (_, inner) = table
                .entry(key.clone())
                .or_insert_with(|| (place.clone(), fresh()));
            set(inner, deeper, value)
        }
        // What had been a scalar becomes a table with this key.
        _ => {
            *at = Value {
                place: place.clone(),
                content: Content::Table(Table::new()),
            };
            set(at, path, value)
        }
    }
}

fn syntax(source: usize, text: &str, error: &Error) -> Diagnostic {
    let end = text.len();
    let span = error.span().unwrap_or(end..end);
    let (message, hint) = match error.message().split_once(", expected ") {
        Some((message @ "string values must be quoted", _)) => {
            let word = &text[span.clone()];
            let number = word.starts_with(|c: char| c.is_ascii_digit());
            let or = if number && word.contains(' ') {
                "write one number, or a string: "
            } else {
                "write "
            };
            (message, format!("{or}\"{word}\""))
        }
        Some((message, "nothing")) => (message, String::new()),
        Some((message, expected)) => (message, format!("expected {expected}")),
        None if error.message() == "duplicate key" => ("duplicate key", "once is enough".into()),
        None => (error.message(), String::new()),
    };
    Diagnostic {
        place: Place::bytes(source, span),
        message: message.to_owned(),
        hint,
    }
}

fn convert_table(source: usize, table: DeTable<'_>) -> Table {
    table
        .into_iter()
        .map(|(key, value)| {
            let place = Place::bytes(source, key.span());
            let value = convert(source, value);
            (Cow::into_owned(key.into_inner()), (place, value))
        })
        .collect()
}

fn convert(source: usize, value: Spanned<DeValue<'_>>) -> Value {
    let place = Place::bytes(source, value.span());
    let content = match value.into_inner() {
        DeValue::String(text) => Content::Text(text.into_owned()),
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Content::Other("an integer out of range"), Content::Integer),
        DeValue::Array(array) => Content::Array(
            array
                .into_iter()
                .map(|element| convert(source, element))
                .collect(),
        ),
        DeValue::Table(table) => Content::Table(convert_table(source, table)),
        DeValue::Float(_) => Content::Other("a float"),
        DeValue::Boolean(boolean) => Content::Boolean(boolean),
        DeValue::Datetime(_) => Content::Other("a date"),
    };
    Value { place, content }
}
