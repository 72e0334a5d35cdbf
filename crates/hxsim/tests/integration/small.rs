//! Small scenarios, one for each kind of fault.

use std::fs;

use hxsim::{Outcome, Scenario, trial};

use crate::drawn::prepare;
use crate::life::run;
use crate::reaction::dated;
use crate::snapshot::{assert_snapshot, tests};

/// Every `tests/DIRECTORY/NAME.toml` is answered as `NAME.txt` has it, and has one history.
fn assert_answers(directory: &str, count: usize) {
    let directory = tests().join(directory);
    let entries = fs::read_dir(&directory).expect("the scenarios are there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the directory can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), count);
    for path in paths {
        let scenario = Scenario::load(&path, &[]).unwrap_or_else(|bad| panic!("{bad}"));
        let scenario = dated(&scenario);
        let report = run(&scenario);
        assert_eq!(report.outcome, Outcome::Converged, "{}", scenario.name);
        assert_snapshot(&path.with_extension("txt"), &report.human(false));
        let (_, gossip) = prepare(&scenario);
        let digest = trial::verify(&gossip, &scenario).expect("a valid network");
        assert_eq!(digest.map(|it| format!("{it:016x}")), Ok(report.digest));
    }
}

#[test]
fn nodes_come_and_go() {
    assert_answers("life", 7);
}

#[test]
fn disks_have_what_was_synced() {
    assert_answers("disks", 4);
}

#[test]
fn faults_wait_for_their_moment() {
    assert_answers("reactions", 1);
}

#[test]
fn nodes_do_not_behave() {
    assert_answers("roles", 5);
}

#[test]
fn links_are_worse_for_a_while() {
    assert_answers("impaired", 8);
}
