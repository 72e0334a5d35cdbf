//! The protocol from outside: the recorded sessions of the npm package, stories between two sessions, arbitrary bytes and
//! operations, connections over a pipe in memory, and the example as two processes.

mod connection;
mod fuzz;
mod pair;
mod pipe;
mod properties;
mod session;
mod stdio;
mod vectors;
