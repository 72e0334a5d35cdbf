//! The protocol from outside: the recorded sessions of the npm package, stories between two sessions, arbitrary bytes and
//! operations, connections over a pipe in memory, the odd cases of the npm package, limits at their edge, peers that never
//! stop asking, and the example as two processes.

mod busy;
mod connection;
mod fuzz;
mod limits;
mod pair;
mod pipe;
mod properties;
mod quirks;
mod session;
mod stdio;
mod vectors;
