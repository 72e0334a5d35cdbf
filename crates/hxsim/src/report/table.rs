//! The answers of many scenarios, one a row, in Markdown.

use super::quantity::maybe_duration;
use super::{Outcome, Report};

impl Report {
    /// A row of the table: the question and what came of it.
    pub fn row(&self) -> String {
        let Self { scenario, .. } = self;
        let convergence = &self.metrics.convergence;
        let overhead = &self.metrics.overhead;
        let curve = match convergence.pairs {
            0 => String::new(),
            _ => format!("`{}`", self.picture().sparkline()),
        };
        let ended = match self.outcome {
            Outcome::Converged => String::new(),
            other => format!("**{}** ", other.words()),
        };
        let cells = [
            format!("[{scenario}]({scenario}.json)"),
            self.question.clone(),
            format!("[{curve}]({scenario}.svg)"),
            format!("{ended}{}", maybe_duration(convergence.t50_ns)),
            maybe_duration(convergence.t99_ns),
            maybe_duration(convergence.delay_p50_ns),
            maybe_duration(convergence.delay_p99_ns),
            format!("{:.2}", overhead.rmr_mean),
            format!("{:.2}", overhead.traffic_over_ideal),
            self.expected().join("<br>"),
        ];
        format!("| {} |\n", cells.join(" | "))
    }
}

/// The document around the rows.
pub fn table(rows: &str) -> String {
    format!("{HEAD}{rows}")
}

const HEAD: &str = "\
# What the scenarios answer

`cargo run --release -- report` writes this table from [`sims/`](../sims), byte for byte the same on every machine. A row is one run with the seed that its
scenario names: `--seeds` tells how much another one would change. What was measured on machines stands in [`measured/`](measured).

*Curve*: the share of all deliveries over virtual time, from the start to just after the last; behind it the picture with its axes. *t50, t99*: when that share of all
deliveries had come, since the start. *Delay*: that of a delivery since the body was published, or since its node started if that
was later, the median and the 99th percentile. *RMR*: bodies received beyond
the first, for each delivery. *Traffic*: all bytes over those of every body once to every node that lacked it.

| scenario | question | curve | t50 | t99 | delay, p50 | p99 | RMR | traffic | expected |
|---|---|---|--:|--:|--:|--:|--:|--:|---|
";
