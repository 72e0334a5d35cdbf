#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hash_exchange_fuzz::bounded(hash_exchange::fuzz::frame, bytes));
