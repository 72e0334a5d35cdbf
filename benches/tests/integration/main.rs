//! How many bytes of the heap a connection takes that nobody uses.

mod connection;
mod heap;
mod idle;
mod islands;
