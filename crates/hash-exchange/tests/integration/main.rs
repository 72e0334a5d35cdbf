//! The protocol from outside: the recorded sessions of the npm package, stories between two sessions, arbitrary bytes and
//! operations, connections over a pipe in memory, and the examples as processes.

mod connection;
mod fuzz;
mod pair;
mod peer;
mod pipe;
mod properties;
mod session;
mod stdio;
mod vectors;
