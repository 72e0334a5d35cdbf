//! The answers of many scenarios, one a row, in Markdown.

use super::quantity::{bytes, maybe_duration};
use super::{Outcome, Report};

impl Report {
    /// A row of the table: the question and what came of it. When shares of all deliveries had come is told if all was there from one `instant` on;
    /// otherwise that tells when bodies were published.
    pub fn row(&self, instant: bool) -> String {
        let Self { scenario, .. } = self;
        let curve = format!("[{}]({scenario}.svg)", self.curve());
        let first = [
            format!("[{scenario}]({scenario}.json)"),
            self.question.clone(),
        ];
        self.cells(first, curve, instant)
    }

    /// A row beneath that of another scenario, which is the same but for these settings.
    pub fn row_beneath(&self, settings: &[String], instant: bool) -> String {
        let settings: Vec<_> = settings.iter().map(|it| format!("`{it}`")).collect();
        let first = [String::new(), format!("… with {}", settings.join(", "))];
        self.cells(first, self.curve(), instant)
    }

    fn curve(&self) -> String {
        match self.metrics.convergence.pairs {
            0 => String::new(),
            _ => format!("`{}`", self.picture().sparkline()),
        }
    }

    fn cells(&self, [name, question]: [String; 2], curve: String, instant: bool) -> String {
        let convergence = &self.metrics.convergence;
        let overhead = &self.metrics.overhead;
        let ended = match self.outcome {
            Outcome::Converged => String::new(),
            other => format!("**{}** ", other.words()),
        };
        let share = |time| match instant {
            true => maybe_duration(time),
            false => String::new(),
        };
        let cells = [
            name,
            question,
            curve,
            format!("{ended}{}", share(convergence.t50_ns)),
            share(convergence.t99_ns),
            maybe_duration(convergence.delay_p50_ns),
            maybe_duration(convergence.delay_p99_ns),
            format!("{:.2}", overhead.rmr_mean),
            format!("{:.2}", overhead.traffic_over_ideal),
            bytes(overhead.node_bytes_p50),
            bytes(overhead.node_bytes_max),
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
scenario names: `--seeds` tells how much another one would change. What was measured on machines stands in [`measured/`](measured), and a published table of rumours, reproduced, [on its own page](rumour-mongering.md).

*Curve*: the share of all deliveries over virtual time, from the start to just after the last; behind it the picture with its axes. *t50, t99*: when that share of all
deliveries had come, since the start; left out where bodies are published one after the other. *Delay*: that of a delivery since the body was published, or since its node started if that
was later, the median and the 99th percentile. *RMR*: bodies received beyond
the first, for each delivery. *Traffic*: all bytes over those of every body once to every node that lacked it. *A node sent*: bytes, the median and the most.
A row that begins with … is the scenario above it with something changed, to see the answer beside.

| scenario | question | curve | t50 | t99 | delay, p50 | p99 | RMR | traffic | a node sent, p50 | most | expected |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|
";
