//! Benchmarks of the workspace: see `benches/benches` and `benches/tests`.
