//! The protocol from outside: the recorded sessions of the npm package, stories between two sessions, arbitrary bytes and
//! operations, connections over a pipe in memory and in the runtimes that people use, and the example as two processes.

mod connection;
mod fuzz;
mod pair;
mod pipe;
mod properties;
mod runtimes;
mod session;
mod stdio;
mod vectors;
