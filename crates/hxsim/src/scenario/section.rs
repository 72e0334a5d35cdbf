//! Reads the entries of one table, and remembers what was asked for, so that what nobody asked for can be told as unknown.

use std::fs;
use std::io;
use std::path::Path;

use super::document::{Content, Table, Value};
use crate::diagnostic::{BadScenario, Diagnostic, Place, Source, nearest, position};

/// The mistakes found so far, and the texts they stand in.
pub(super) struct Problems {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
}

/// Why a value does not serve.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Where; `None` is the whole value.
    pub(super) place: Option<Place>,
    pub(super) message: String,
    pub(super) hint: String,
}

/// A value that was read, and where it stood.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Located<T> {
    /// What is made of the value stands where the value stood.
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Located<U> {
        Located {
            value: make(self.value),
            place: self.place,
        }
    }
}

/// One table of the scenario while it is read.
pub(super) struct Section<'t> {
    table: &'t Table,
    place: Place,
    /// How messages call it, such as "`[network]`" or "the scenario".
    title: String,
    asked: Vec<&'static str>,
}

impl Problems {
    pub(super) const fn new(sources: Vec<Source>, diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            sources,
            diagnostics,
        }
    }

    pub(super) fn add(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic {
            place: place.clone(),
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Where something stands, for messages about something else.
    pub(super) fn position(&self, place: &Place) -> String {
        position(&self.sources, place)
    }

    /// One more text that mistakes can stand in.
    pub(super) fn add_source(&mut self, name: String, text: String) -> usize {
        self.sources.push(Source { name, text });
        self.sources.len() - 1
    }

    pub(super) fn text(&self, source: usize) -> &str {
        &self.sources[source].text
    }

    /// The path and the text of a file that the scenario names relative to its directory.
    pub(super) fn read_file(
        &mut self,
        file: &Located<String>,
        directory: &Path,
    ) -> Option<(String, String)> {
        let path = directory.join(&file.value);
        match fs::read_to_string(&path) {
            Ok(text) => Some((path.display().to_string(), text)),
            Err(error) => {
                let message = match error.kind() {
                    io::ErrorKind::NotFound => format!("there is no file `{}`", path.display()),
                    kind => format!("`{}` cannot be read: {kind}", path.display()),
                };
                let hint = "paths are relative to the scenario's directory";
                self.add(&file.place, message, hint);
                None
            }
        }
    }

    /// What was read, if nothing was wrong with it.
    pub(super) fn into_result<T>(self, read: Option<T>) -> Result<T, BadScenario> {
        match read {
            Some(value) if self.diagnostics.is_empty() => Ok(value),
            _ => {
                assert!(
                    !self.diagnostics.is_empty(),
                    "a value that could not be read has a diagnostic"
                );
                Err(BadScenario::new(self.sources, self.diagnostics))
            }
        }
    }

    /// The value, or a diagnostic.
    pub(super) fn accept<T>(
        &mut self,
        value: &Value,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let place = value.place.clone();
        match read(value) {
            Ok(value) => Some(Located { value, place }),
            Err(wrong) => {
                let place = wrong.place.unwrap_or(place);
                self.add(&place, wrong.message, wrong.hint);
                None
            }
        }
    }
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            place: None,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The value is of another type.
    pub(super) fn kind(value: &Value, hint: impl Into<String>) -> Self {
        Self::new(format!("this is {}", value.kind()), hint)
    }

    /// The word is none of those that are known here.
    pub(super) fn unknown(what: &str, word: &str, known: &[&str]) -> Self {
        let list = known.join(", ");
        let hint = match nearest(word, known) {
            Some(candidate) => format!("did you mean `{candidate}`? (known: {list})"),
            None => format!("known: {list}"),
        };
        Self::new(format!("unknown {what} `{word}`"), hint)
    }
}

impl<'t> Section<'t> {
    /// The table that `value` is; `None`, with a diagnostic, if it is something else.
    pub(super) fn open(
        problems: &mut Problems,
        value: &'t Value,
        title: impl Into<String>,
    ) -> Option<Self> {
        let title = title.into();
        let Content::Table(table) = &value.content else {
            let wrong = Wrong::kind(value, format!("{title} is a table"));
            problems.add(&value.place, wrong.message, wrong.hint);
            return None;
        };
        Some(Self {
            table,
            place: value.place.clone(),
            title,
            asked: Vec::new(),
        })
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the key is there; this does not count as asking for it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of a key as it stands.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'t Value> {
        self.ask(key);
        self.table.get(key).map(|(_, value)| value)
    }

    pub(super) fn optional<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let value = self.value(key)?;
        problems.accept(value, read)
    }

    pub(super) fn or<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> T {
        self.optional(problems, key, read)
            .map_or(default, |located| located.value)
    }

    /// The value of a key, or the default, which then stands where the section does; `None` if what is there is wrong.
    pub(super) fn given<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        match self.value(key) {
            Some(value) => problems.accept(value, read),
            None => Some(Located {
                value: default,
                place: self.place.clone(),
            }),
        }
    }

    /// A key without which the section makes no sense; `example` is a line that would be right.
    pub(super) fn required<T>(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let value = self.required_value(problems, key, example)?;
        problems.accept(value, read)
    }

    /// The value, as it stands, of a key without which the section makes no sense.
    pub(super) fn required_value(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        example: &str,
    ) -> Option<&'t Value> {
        let value = self.value(key);
        if value.is_none() {
            self.lacks(problems, key, example);
        }
        value
    }

    fn ask(&mut self, key: &'static str) {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
    }

    pub(super) fn lacks(&self, problems: &mut Problems, key: &str, example: &str) {
        let message = format!("{} lacks `{key}`", self.title);
        problems.add(&self.place, message, format!("for example: {example}"));
    }

    /// A table within this one.
    pub(super) fn section(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        title: &str,
    ) -> Option<Self> {
        let value = self.value(key)?;
        Self::open(problems, value, title)
    }

    /// A table within this one without which it makes no sense.
    pub(super) fn required_section(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        title: &str,
        example: &str,
    ) -> Option<Self> {
        if self.has(key) {
            return self.section(problems, key, title);
        }
        self.ask(key);
        self.lacks(problems, key, example);
        None
    }

    /// Every key with its value, where keys are not known beforehand.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'t str, &'t Place, &'t Value)> {
        let entries = self.table.iter();
        entries.map(|(key, (place, value))| (key.as_str(), place, value))
    }

    /// The tables of an array of tables, `[[key]]`.
    pub(super) fn sections(
        &mut self,
        problems: &mut Problems,
        key: &'static str,
        title: &str,
    ) -> Vec<Self> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Content::Array(elements) = &value.content else {
            let wrong = Wrong::kind(value, format!("{title} is an array of tables"));
            problems.add(&value.place, wrong.message, wrong.hint);
            return Vec::new();
        };
        elements
            .iter()
            .filter_map(|element| Self::open(problems, element, title))
            .collect()
    }

    /// Reports every key that nobody asked for.
    pub(super) fn close(self, problems: &mut Problems) {
        for (key, (place, _)) in self.table {
            if !self.asked.contains(&key.as_str()) {
                let wrong = Wrong::unknown("key", key, &self.asked);
                let message = format!("{} in {}", wrong.message, self.title);
                problems.add(place, message, wrong.hint);
            }
        }
    }
}
