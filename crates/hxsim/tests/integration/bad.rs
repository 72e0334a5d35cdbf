use std::fs;

use hxsim::Scenario;

use crate::snapshot::{assert_snapshot, tests};

/// Every `tests/bad/NAME.toml` has all its mistakes shown as `NAME.txt` has them.
#[test]
fn bad_scenarios_are_told_all_their_mistakes() {
    let directory = tests().join("bad");
    let mut scenarios: Vec<_> = fs::read_dir(&directory)
        .expect("the bad scenarios are there")
        .map(|entry| entry.expect("the directory can be listed").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    scenarios.sort();
    assert!(scenarios.len() >= 20);
    for path in scenarios {
        let Err(bad) = Scenario::load(&path, &[]) else {
            panic!("{} is good", path.display());
        };
        let prefix = format!("{}/", directory.display());
        let shown = bad.to_string().replace(&prefix, "");
        assert_snapshot(&path.with_extension("txt"), &shown);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_diagnostic_too() {
    let missing = tests().join("bad/no-such.toml");
    let bad = Scenario::load(&missing, &[]).expect_err("there is no such file");
    let expected = format!(
        "{}: error: cannot be read: entity not found\n",
        missing.display()
    );
    assert_eq!(bad.to_string(), expected);
}
