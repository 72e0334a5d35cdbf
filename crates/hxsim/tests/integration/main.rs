//! Stories about scenarios and what is made of them.

mod bad;
mod command;
mod determinism;
mod drawn;
mod durable;
mod endings;
mod everything;
mod families;
mod figures;
mod good;
mod guarantee;
mod latency;
mod life;
mod measuring;
mod metrics;
mod planted;
mod reaction;
mod redundancy;
mod repetition;
mod report;
mod schema;
mod sets;
mod small;
mod snapshot;
#[cfg(unix)]
mod terminal;
mod topology;
mod trial;
mod why;
