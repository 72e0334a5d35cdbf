//! What the benchmarks of the workspace run: `benches/workspace` measures time, `tests/integration` counts memory.
//!
//! - [`pair`] is two sessions with nothing between them.
//! - [`flood`] is the least that a node can do to spread hashes, on the same network as the real node: what a run of
//!   real nodes is compared with, and what simulators are.
//! - [`process`] says what a run has taken.

pub mod flood;
pub mod pair;
pub mod process;
