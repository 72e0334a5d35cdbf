//! Texts that are compared with what is committed. After a change that is meant, `UPDATE_SNAPSHOTS=1 cargo test` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

/// The directory of this crate's tests.
pub(crate) fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Fails unless the file holds exactly this text.
pub(crate) fn assert_snapshot(path: &Path, actual: &str) {
    #[allow(
        clippy::disallowed_methods,
        reason = "a test is asked by its environment to write"
    )]
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(path, actual).expect("the snapshot can be written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; UPDATE_SNAPSHOTS=1 writes it anew. It is now:\n{actual}",
        path.display()
    );
}
