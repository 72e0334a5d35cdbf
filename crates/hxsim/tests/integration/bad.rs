use std::fs;

use hxsim::Scenario;
use hxsim::diagnostic::Diagnostic;

use crate::snapshot::{assert_snapshot, tests};

/// Every `tests/bad/NAME.toml` has all its mistakes shown as `NAME.txt` has them. Lines `# --set PATH=VALUE` at its beginning are arguments.
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
    assert!(scenarios.len() >= 60, "{} are here", scenarios.len());
    for path in scenarios {
        let text = fs::read(&path).expect("the scenario can be read");
        let text = String::from_utf8_lossy(&text);
        let sets = text.lines().map_while(|line| line.strip_prefix("# --set "));
        let sets: Vec<String> = sets.map(str::to_owned).collect();
        let Err(bad) = Scenario::load(&path, &sets) else {
            panic!("{} is good", path.display());
        };
        let placed = |it: &Diagnostic| it.place.span.is_some();
        assert!(bad.diagnostics.iter().all(placed), "{bad}");
        let prefix = format!("{}/", directory.display());
        let shown = bad.to_string().replace(&prefix, "");
        assert_snapshot(&path.with_extension("txt"), &shown);
    }
}

#[test]
fn a_file_that_is_not_there_is_a_diagnostic_too() {
    let missing = tests().join("bad/no-such.toml");
    let bad = Scenario::load(&missing, &[]).expect_err("there is no such file");
    let expected = format!("{}: error: there is no such file\n", missing.display());
    assert_eq!(bad.to_string(), expected);

    let near = tests().join("bad/chrun-span");
    let bad = Scenario::load(&near, &[]).expect_err("there is no such file");
    let meant = tests().join("bad/churn-span.toml");
    let expected = format!("  = did you mean {}?\n", meant.display());
    assert!(bad.to_string().ends_with(&expected), "{bad}");

    let bad = Scenario::load(&tests().join("bad"), &[]).expect_err("it is a directory");
    let expected = ": error: this is a directory\n  = its scenarios are ";
    assert!(bad.to_string().contains(expected), "{bad}");
}
