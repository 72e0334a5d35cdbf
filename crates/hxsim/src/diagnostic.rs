//! What is wrong with a scenario, shown at the place where it stands.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// A text that diagnostics point into: a scenario, an edge list, the argument of a `--set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What the reader knows it by: a path, or `--set 1`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Where something stands: bytes of one of several sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The index of the source.
    pub source: usize,
    /// Bytes of its text; `None` means the source as a whole.
    pub span: Option<Range<usize>>,
}

impl Place {
    /// A source as a whole.
    pub const fn whole(source: usize) -> Self {
        Self { source, span: None }
    }

    /// Some bytes of a source.
    pub const fn bytes(source: usize, span: Range<usize>) -> Self {
        let span = Some(span);
        Self { source, span }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it stands.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub hint: String,
}

/// All mistakes of a scenario with the texts they stand in. Displays them in the order of the texts, each with its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadScenario {
    /// The texts that were read.
    pub sources: Vec<Source>,
    /// At least one mistake, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl BadScenario {
    /// Sorts the mistakes by place; those of equal place stay in their order.
    pub fn new(sources: Vec<Source>, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| {
            let place = &diagnostic.place;
            (place.source, place.span.as_ref().map(|span| span.start))
        });
        Self {
            sources,
            diagnostics,
        }
    }

    /// Adds the mistakes of another that are not among these yet, and the texts they stand in. What begins at the same place of a text of the same name and is
    /// said in the same words is one mistake.
    pub(crate) fn merge(&mut self, other: Self) {
        for mut diagnostic in other.diagnostics {
            let source = &other.sources[diagnostic.place.source];
            let start = |place: &Place| place.span.as_ref().map(|span| span.start);
            let is_known = self.diagnostics.iter().any(|known| {
                self.sources[known.place.source].name == source.name
                    && start(&known.place) == start(&diagnostic.place)
                    && (&known.message, &known.hint) == (&diagnostic.message, &diagnostic.hint)
            });
            if is_known {
                continue;
            }
            let known = self.sources.iter().position(|known| known == source);
            diagnostic.place.source = known.unwrap_or_else(|| {
                self.sources.push(source.clone());
                self.sources.len() - 1
            });
            self.diagnostics.push(diagnostic);
        }
    }
}

impl fmt::Display for BadScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            render(f, &self.sources[diagnostic.place.source], diagnostic)?;
        }
        Ok(())
    }
}

impl Error for BadScenario {}

fn render(f: &mut fmt::Formatter<'_>, source: &Source, diagnostic: &Diagnostic) -> fmt::Result {
    let Diagnostic {
        place,
        message,
        hint,
    } = diagnostic;
    let Some(span) = &place.span else {
        writeln!(f, "{}: error: {message}", source.name)?;
        if !hint.is_empty() {
            writeln!(f, "  = {hint}")?;
        }
        return Ok(());
    };
    let line = Line::around(&source.text, span);
    let (number, column) = (line.number, line.column);
    writeln!(f, "{}:{number}:{column}: error: {message}", source.name)?;
    let gutter = " ".repeat(number.to_string().len());
    writeln!(f, "{gutter} |")?;
    writeln!(f, "{number} | {}", line.text)?;
    let indent = " ".repeat(column - 1);
    let underline = "^".repeat(line.width);
    let mark = format!("{gutter} | {indent}{underline} {hint}");
    writeln!(f, "{}", mark.trim_end())
}

/// The line on which a span begins. Columns and widths count characters, which is what editors do.
struct Line {
    number: usize,
    column: usize,
    width: usize,
    text: String,
}

impl Line {
    fn around(text: &str, span: &Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let from = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let to = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let end = floor_boundary(text, span.end).clamp(start, to);
        // A tab or an escape sequence would shift the underline, or worse: it came from a file.
        let visible = |c: char| if c.is_control() { ' ' } else { c };
        let line = text[from..to].trim_end_matches('\r');
        Self {
            number: text[..from].matches('\n').count() + 1,
            column: text[from..start].chars().count() + 1,
            width: text[start..end].chars().count().max(1),
            text: line.chars().map(visible).collect(),
        }
    }
}

/// The lines of a text that say something, and their bytes; `#` begins a comment.
pub(crate) fn code_lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut from = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let code = line.split('#').next().unwrap_or_default();
        let start = from + (code.len() - code.trim_start().len());
        from += line.len();
        let code = code.trim();
        (!code.is_empty()).then(|| (start..start + code.len(), code))
    })
}

/// Where something stands, as `file:line:column`.
pub(crate) fn position(sources: &[Source], place: &Place) -> String {
    let source = &sources[place.source];
    match &place.span {
        Some(span) => {
            let Line { number, column, .. } = Line::around(&source.text, span);
            format!("{}:{number}:{column}", source.name)
        }
        None => source.name.clone(),
    }
}

fn floor_boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index)
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0)
}

/// The known word that somebody who wrote `word` most likely meant.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let tolerance = (word.chars().count() / 3).max(1);
    known
        .iter()
        .map(|&candidate| {
            let begun = word.len() > 2 && candidate.starts_with(word);
            let distance = if begun { 1 } else { edits(word, candidate) };
            (distance, candidate)
        })
        .filter(|&(distance, _)| distance <= tolerance)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, removed, replaced or swapped with their neighbour to turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let moved = rows[i - 1][j].min(rows[i][j - 1]) + 1;
            let mut least = replaced.min(moved);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let source = Source {
            name: "x.toml".into(),
            text: text.into(),
        };
        let diagnostic = Diagnostic {
            place: Place::bytes(0, span),
            message: "wrong".into(),
            hint: "right".into(),
        };
        BadScenario::new(vec![source], vec![diagnostic]).to_string()
    }

    #[test]
    fn the_underline_stands_below_the_span() {
        let expected = "x.toml:2:5: error: wrong\n  |\n2 | b = 22\n  |     ^^ right\n";
        assert_eq!(shown("a = 1\nb = 22\n", 10..12), expected);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let expected = "x.toml:1:7: error: wrong\n  |\n1 | é = \"ü\" \n  |       ^ right\n";
        assert_eq!(shown("é = \"ü\"\t\r\n", 8..9), expected);
    }

    #[test]
    fn spans_beyond_the_text_or_over_lines_stay_on_their_line() {
        assert!(shown("ab", 7..9).starts_with("x.toml:1:3:"));
        assert!(shown("ab\ncd", 1..5).contains("|  ^ right"));
        assert!(shown("", 0..0).contains("^ right"));
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["line", "ring", "star", "complete"];
        assert_eq!(nearest("rng", &known), Some("ring"));
        assert_eq!(nearest("rign", &known), Some("ring"));
        assert_eq!(nearest("compleet", &known), Some("complete"));
        assert_eq!(nearest("comp", &known), Some("complete"));
        assert_eq!(nearest("torus", &known), None);
    }
}
