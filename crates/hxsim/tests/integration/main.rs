//! Stories about scenarios and what is made of them.

mod bad;
mod good;
mod metrics;
mod report;
mod sets;
mod snapshot;
mod topology;
