//! Stories about the network, told through one small world: see `world.rs`.

mod bandwidth;
mod datagrams;
mod determinism;
mod disk;
mod faults;
mod impairments;
mod isolation;
mod life;
mod model;
mod multiplexing;
mod regions;
mod sockets;
mod streams;
mod tasks;
mod timers;
mod traces;
mod web;
mod world;
