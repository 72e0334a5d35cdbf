//! Scenarios of gossiping nodes in a deterministic network: what is asked, what happened, what it cost.
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenario`] | a question about a network, from TOML or made in Rust |
//! | [`decimal`] | decimal numbers that are integers within |
//! | [`diagnostic`] | what is wrong with a scenario, shown where it stands |
//! | [`topology`] | who is whose neighbour |
//! | [`workload`] | what is published, when and where |
//! | [`churn`] | nodes that come and go, as dated faults |
//! | [`reaction`] | faults that wait for something to happen, and their dates |
//! | [`protocol`] | what a node must be to be run: ours, or your own |
//! | [`run`](mod@run) | a protocol in a scenario's network, and the proof that its history is one |
//! | [`trial`] | any protocol in a scenario, told to people; and the first of many seeds that fails |
//! | [`gossip`] | our own protocol in that place |
//! | [`counters`] | what was counted up to an instant, and between two of them |
//! | [`metrics`] | the figures of a run |
//! | [`figure`] | those figures by their names |
//! | [`expect`] | what a scenario expects of them |
//! | [`report`] | those figures for people and for programs |
//! | [`template`] | what `hxsim new` writes |
//! | [`sweep`] | many runs: seeds, parameters, and what they come to together |
//! | [`progress`] | how a long run gets on |
//! | [`cli`] | what the command understands |

pub mod churn;
pub mod cli;
pub mod counters;
pub mod decimal;
pub mod diagnostic;
pub mod expect;
pub mod figure;
pub mod gossip;
pub mod metrics;
pub mod progress;
pub mod protocol;
pub mod reaction;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sweep;
pub mod template;
pub mod topology;
pub mod trial;
pub mod workload;

pub use report::{Outcome, Report};
pub use scenario::Scenario;
