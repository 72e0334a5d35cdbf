//! One row a run, for pandas, DuckDB and R: as CSV and as JSON Lines.
//!
//! The columns are `scenario`, each parameter that was scanned (with a number beside it, such as `network.loss_ppm`, where it is written with a unit), `seed`, `outcome`, `digest`, `nodes`, `edges`, `hashes`, every figure of
//! [`FIGURES`](crate::figure::FIGURES), and `expect_FIGURE` for each expectation. Durations are whole nanoseconds (`_ns`), ratios have four decimals at most,
//! and what is undefined is empty in CSV and null in JSON Lines.

use std::fmt::Write as _;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Plan, Row};
use crate::figure::FIGURES;
use crate::scenario;

/// A parameter that was scanned, as a row has it.
struct Setting<'a> {
    key: &'a str,
    value: &'a str,
    /// What some of its values count. Others have an empty cell.
    unit: Option<&'static str>,
}

/// A row with its columns in order.
pub(super) struct Cells(Vec<(String, Value)>);

impl Cells {
    fn new(row: &Row, settings: &[Setting<'_>]) -> Self {
        let (nodes, edges, hashes) = row.size;
        let mut cells = vec![("scenario".to_owned(), row.scenario.clone().into())];
        // The number of nodes has a column in any case.
        let settings = settings.iter().filter(|setting| setting.key != "nodes");
        for Setting { key, value, unit } in settings {
            cells.push(((*key).to_owned(), typed(value)));
            if let Some(unit) = unit {
                let number = scenario::number(value).filter(|(own, _)| own == unit);
                let number = number.map(|(_, number)| number);
                cells.push((format!("{key}_{unit}"), number.into()));
            }
        }
        let own: [(&str, Value); 6] = [
            ("seed", row.seed.into()),
            ("outcome", row.outcome.word().into()),
            ("digest", row.digest.clone().into()),
            ("nodes", nodes.into()),
            ("edges", edges.into()),
            ("hashes", hashes.into()),
        ];
        cells.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let figures = FIGURES.iter().zip(&row.values);
        cells.extend(figures.map(|(figure, value)| (figure.column(), figure.json(*value))));
        cells.extend(row.met.iter().map(|(expectation, met)| {
            let name = format!("expect_{}", expectation.figure.name);
            (name, (*met).into())
        }));
        Self(cells)
    }

    pub(super) fn of(plan: &Plan, row: &Row) -> Self {
        let settings = plan.parameters.iter().enumerate();
        let settings = settings.map(|(place, parameter)| {
            let units = plan.points.iter().map(|point| &point.values[place]);
            let mut units = units.filter_map(|value| Some(scenario::number(value)?.0));
            Setting {
                key: &parameter.key,
                value: &plan.points[row.point].values[place],
                unit: units.next(),
            }
        });
        Self::new(row, &settings.collect::<Vec<_>>())
    }

    fn value(&self, name: &str) -> &Value {
        let cell = self.0.iter().find(|(known, _)| known == name);
        cell.map_or(&Value::Null, |(_, value)| value)
    }
}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A value of a parameter: a number if it looks like one, so that programs can plot over it.
fn typed(value: &str) -> Value {
    value
        .parse::<u64>()
        .map_or_else(|_| value.into(), Value::from)
}

/// A header and one line for each row. `plan` names the parameters; `None` for runs that belong to no sweep.
pub fn csv(plan: Option<&Plan>, rows: &[Row]) -> String {
    // A sweep's header does not depend on which of its runs were made.
    let planned = plan.map_or_else(Vec::new, Plan::blank_rows);
    let planned = cells(plan, &planned);
    let rows = cells(plan, rows);
    let mut header: Vec<&str> = Vec::new();
    for cells in planned.iter().chain(&rows) {
        // Where expectations themselves are scanned, later rows may have more of them.
        let more = cells.0.iter().map(|(name, _)| name.as_str());
        let more: Vec<&str> = more.filter(|name| !header.contains(name)).collect();
        header.extend(more);
    }
    let mut csv = String::new();
    for (number, name) in header.iter().enumerate() {
        csv.push_str(if number > 0 { "," } else { "" });
        csv.push_str(&escaped(name));
    }
    csv.push('\n');
    for cells in &rows {
        for (number, name) in header.iter().enumerate() {
            csv.push_str(if number > 0 { "," } else { "" });
            // Writing to a string does not fail.
            let _ = match cells.value(name) {
                Value::Null => Ok(()),
                Value::String(text) => write!(csv, "{}", escaped(text)),
                other => write!(csv, "{other}"),
            };
        }
        csv.push('\n');
    }
    csv
}

/// One JSON object a line for each row.
pub fn jsonl(plan: Option<&Plan>, rows: &[Row]) -> String {
    let lines = cells(plan, rows)
        .into_iter()
        .map(|cells| line(&cells) + "\n");
    lines.collect()
}

pub(super) fn line(cells: &Cells) -> String {
    serde_json::to_string(cells).expect("a row has string keys and finite numbers alone")
}

fn cells(plan: Option<&Plan>, rows: &[Row]) -> Vec<Cells> {
    let cells = rows.iter().map(|row| match plan {
        Some(plan) => Cells::of(plan, row),
        None => Cells::new(row, &[]),
    });
    cells.collect()
}

fn escaped(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_is_quoted() {
        assert_eq!(escaped("10ms"), "10ms");
        assert_eq!(
            escaped("{ floor = \"1ms\", x }"),
            "\"{ floor = \"\"1ms\"\", x }\""
        );
    }

    #[test]
    fn values_that_are_numbers_are_numbers() {
        assert_eq!(typed("100"), Value::from(100));
        assert_eq!(typed("5%"), Value::from("5%"));
    }
}
