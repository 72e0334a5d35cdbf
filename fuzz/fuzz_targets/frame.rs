#![no_main]

use hash_exchange::fuzz;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hash_exchange_fuzz::bounded(
    fuzz::frame,
    fuzz::A_BYTE,
    bytes
));
