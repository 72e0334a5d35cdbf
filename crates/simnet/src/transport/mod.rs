//! What streams do with the network: from a write at one end, over segments, to a read at the other. And what datagrams do, which is less.

mod application;
mod datagram;
mod exit;
mod line;
mod receive;
mod send;
