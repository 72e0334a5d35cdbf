//! Whole nodes in a world of a few hundred lines: a node needs nothing of its host but what the trait says.

mod durability;
mod eviction;
mod overhead;
mod peers;
mod recovery;
mod spreading;
mod world;
