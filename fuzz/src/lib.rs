//! What all targets share: `hash_exchange::fuzz` is what they run.

use hash_exchange::fuzz::most_heap;

/// Runs a target on bytes, each of which may cost so many bytes of heap.
pub fn bounded(target: fn(&[u8]), each: u64, bytes: &[u8]) {
    let heap = allocation_counter::measure(|| target(bytes));
    assert!(heap.bytes_max <= most_heap(bytes, each), "{heap:?}");
}
