//! The protocol from outside: the recorded sessions of the npm package, stories between two sessions, arbitrary bytes and
//! operations, connections over a pipe in memory and in the runtimes that people use, the odd cases of the npm package,
//! limits at their edge, peers that never stop asking, and the examples as processes.

mod busy;
mod connection;
mod fuzz;
mod limits;
mod pair;
mod peer;
mod pipe;
mod process;
mod properties;
mod quirks;
mod runtimes;
mod session;
mod stdio;
mod vectors;
