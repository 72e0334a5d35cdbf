//! The protocol from outside: the recorded sessions of the npm package, stories between two sessions, connections over a pipe
//! in memory and in the runtimes that people use, what they wait for, the odd cases of the npm package, limits at their edge,
//! contents that are assembled within them, peers that never stop asking, the examples as processes, and the README. Arbitrary bytes and operations are in the crate's `src/fuzz`.

mod assemble;
mod busy;
mod connection;
mod early;
mod limits;
mod pair;
mod peer;
mod pipe;
mod process;
mod properties;
mod quick_start;
mod quirks;
mod readme;
mod replica;
mod runtimes;
mod session;
mod sources;
mod stdio;
mod vectors;
mod waiting;
mod woken;
