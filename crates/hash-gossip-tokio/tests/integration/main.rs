//! Nodes on real sockets: several in one thread, and the example as processes.

mod processes;
mod sockets;
