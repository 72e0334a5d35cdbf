//! Scenarios of gossiping nodes in a deterministic network: what is asked, what happened, what it cost.
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenario`] | a question about a network, from TOML or made in Rust |
//! | [`diagnostic`] | what is wrong with a scenario, shown where it stands |
//! | [`topology`] | who is whose neighbour |
//! | [`workload`] | what is published, when and where |
//! | [`churn`] | nodes that come and go, as dated faults |
//! | [`protocol`] | what a node must be to be run: ours, or your own |
//! | [`run`](mod@run) | a protocol in a scenario's network, and the proof that its history is one |
//! | [`gossip`] | our own protocol in that place |
//! | [`metrics`] | the figures of a run |
//! | [`report`] | those figures for people and for programs |
//! | [`cli`] | what the command understands |

pub mod churn;
pub mod cli;
pub mod diagnostic;
pub mod gossip;
pub mod metrics;
pub mod protocol;
pub mod report;
pub mod run;
pub mod scenario;
pub mod topology;
pub mod workload;

pub use report::{Outcome, Report};
pub use scenario::Scenario;
