//! A deterministic network in memory.

mod fault;
mod link;
mod time;

pub use fault::{Fault, Schedule};
pub use link::{Jitter, Link, Links, Probability, StreamModel};
pub use time::Time;

/// A node's number: nodes are numbered from 0 without gaps.
pub type NodeId = u32;
