//! How many bytes of the heap things take that nobody uses: nodes, sockets, streams, connections.

mod connection;
mod heap;
mod idle;
mod islands;
mod network;
