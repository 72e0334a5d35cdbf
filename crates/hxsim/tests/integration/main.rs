//! Stories about scenarios and what is made of them.

mod bad;
mod command;
mod determinism;
mod drawn;
mod endings;
mod good;
mod guarantee;
mod latency;
mod life;
mod metrics;
mod planted;
mod redundancy;
mod report;
mod sets;
mod snapshot;
mod topology;
mod why;
