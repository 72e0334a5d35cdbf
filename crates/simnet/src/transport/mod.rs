//! What streams do with the network: from a write at one end, over segments, to a read at the other.

mod application;
mod exit;
mod line;
mod receive;
mod send;
