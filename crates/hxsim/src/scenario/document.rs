//! A TOML document with the place of every value, and other documents laid over it.

use std::borrow::Cow;
use std::collections::BTreeMap;

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
    /// What no scenario has a use for, by its name.
    Other(&'static str),
}

/// Entries by key, each with the place of its key.
pub(super) type Table = BTreeMap<String, (Place, Value)>;

impl Value {
    /// What it is, to be put behind "found".
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Text(_) => "a string",
            Content::Integer(_) => "an integer",
            Content::Array(_) => "an array",
            Content::Table(_) => "a table",
            Content::Other(kind) => kind,
        }
    }
}

/// Parses the document and lays each of `sets` over it. All errors of syntax are reported together.
pub(super) fn parse(
    path: &str,
    text: String,
    sets: &[String],
) -> Result<(Problems, Value), BadScenario> {
    let mut sources = vec![Source {
        name: path.to_owned(),
        text,
    }];
    sources.extend(sets.iter().zip(1..).map(|(text, number)| Source {
        name: format!("--set {number}"),
        text: text.clone(),
    }));

    let mut diagnostics = Vec::new();
    let mut root = None;
    for (index, source) in sources.iter().enumerate() {
        let parsed = if index == 0 {
            parse_source(index, &source.text)
        } else {
            parse_set(index, &source.text)
        };
        match (parsed, &mut root) {
            (Err(errors), _) => diagnostics.extend(errors),
            (Ok(table), None) => root = Some(table),
            (Ok(table), Some(root)) => diagnostics.extend(lay_over(root, table).err()),
        }
    }
    match root {
        Some(root) if diagnostics.is_empty() => Ok((Problems::new(sources), root)),
        _ => Err(BadScenario::new(sources, diagnostics)),
    }
}

fn parse_source(source: usize, text: &str) -> Result<Value, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let content = Content::Table(convert_table(source, table.into_inner()));
        let place = Place::whole(source);
        return Ok(Value { place, content });
    }
    Err(errors
        .iter()
        .map(|error| syntax(source, text, error))
        .collect())
}

/// Parses `path=value`. What is no TOML value is taken as a string, so that `network.loss=5%` needs no quotes inside quotes.
fn parse_set(source: usize, text: &str) -> Result<Value, Vec<Diagnostic>> {
    let parsed = parse_source(source, text);
    let Some((path, word)) = text.split_once('=') else {
        return Err(vec![Diagnostic {
            place: Place::bytes(source, 0..text.len()),
            message: "a value is set as `path=value`".into(),
            hint: "for example network.loss=5%".into(),
        }]);
    };
    parsed.or_else(|errors| {
        let Ok(mut value) = parse_source(source, &format!("{path}=0")) else {
            return Err(errors);
        };
        let trimmed = word.trim();
        let start = text.len() - word.trim_start().len();
        let place = Place::bytes(source, start..start + trimmed.len());
        replace_leaf(&mut value, &place, trimmed);
        Ok(value)
    })
}

fn replace_leaf(value: &mut Value, place: &Place, word: &str) {
    match &mut value.content {
        Content::Table(table) => {
            for (_, inner) in table.values_mut() {
                replace_leaf(inner, place, word);
            }
        }
        leaf => {
            *leaf = Content::Text(word.to_owned());
            value.place = place.clone();
        }
    }
}

/// Tables are merged, elements of an array are named by their number, everything else is replaced.
/// A new `kind` starts its table anew, for the keys beside it belonged to the old one.
fn lay_over(base: &mut Value, over: Value) -> Result<(), Diagnostic> {
    match (&mut base.content, over.content) {
        (Content::Table(base), Content::Table(over)) => {
            if over.contains_key("kind") {
                base.clear();
            }
            for (key, (place, value)) in over {
                match base.get_mut(&key) {
                    Some((_, inner)) => lay_over(inner, value)?,
                    None => {
                        base.insert(key, (place, value));
                    }
                }
            }
            Ok(())
        }
        (Content::Array(base), Content::Table(over)) => {
            let length = base.len();
            for (key, (place, value)) in over {
                let element = key.parse().ok().and_then(|n: usize| base.get_mut(n));
                let Some(element) = element else {
                    return Err(Diagnostic {
                        place,
                        message: format!("no element `{key}`"),
                        hint: format!("there are {length}, numbered from 0"),
                    });
                };
                lay_over(element, value)?;
            }
            Ok(())
        }
        (_, content) => {
            base.content = content;
            base.place = over.place;
            Ok(())
        }
    }
}

fn syntax(source: usize, text: &str, error: &Error) -> Diagnostic {
    let end = text.len();
    let span = error.span().unwrap_or(end..end);
    let (message, hint) = match error.message().split_once(", expected ") {
        Some((message, expected)) => (message, format!("expected {expected}")),
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
        DeValue::Boolean(_) => Content::Other("a boolean"),
        DeValue::Datetime(_) => Content::Other("a date"),
    };
    Value { place, content }
}
