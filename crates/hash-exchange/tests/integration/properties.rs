//! How properties are tested, here and within the crate.

use proptest::test_runner::Config;

/// A failure is printed, and becomes a test with a name; files among the sources are not written.
pub(crate) fn config() -> Config {
    Config {
        failure_persistence: None,
        ..Config::default()
    }
}
