//! Stories about the network, told through one small world: see `world.rs`.

mod determinism;
mod faults;
mod life;
mod streams;
mod timers;
mod world;
