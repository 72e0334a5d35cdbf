//! What all targets share: `hash_exchange::fuzz` is what they run.

use hash_exchange::fuzz::most_heap;

/// Runs a target on bytes, which may cost heap in proportion to them.
pub fn bounded(target: fn(&[u8]), bytes: &[u8]) {
    let heap = allocation_counter::measure(|| target(bytes));
    assert!(heap.bytes_max <= most_heap(bytes), "{heap:?}");
}
