//! The table of figures against the report that it reads.

use std::ops::ControlFlow;

use hxsim::Scenario;
use hxsim::expect::{Bound, Condition, Expectation};
use hxsim::figure::{FIGURES, Figure};
use hxsim::gossip::{self, Gossip};
use hxsim::metrics::Ratio;
use hxsim::report::{Outcome, Report};
use serde_json::Value;
use simnet::Layout;

use crate::command::RING;

fn report_of(text: &str, sets: &[&str]) -> Report {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let scenario = Scenario::parse("ring.toml", text.into(), &sets);
    let scenario = scenario.unwrap_or_else(|bad| panic!("{bad}"));
    simulate(&scenario)
}

pub(crate) fn simulate(scenario: &Scenario) -> Report {
    let graph = scenario.topology.graph(scenario.nodes, scenario.seed);
    let graph = graph.expect("a possible graph");
    let gossip = Gossip::new(scenario, &graph).expect("nothing is read");
    let watch = |_| ControlFlow::Continue(());
    let run = hxsim::run::run(&gossip, scenario, &graph, Layout::default(), watch);
    gossip::report(&gossip, scenario, &graph, &run.expect("a valid network"))
}

#[test]
fn every_number_of_a_report_is_a_figure() {
    let report = report_of(RING, &["network.loss=5%", "workload.count=40"]);
    let json: Value = serde_json::from_str(&report.json()).expect("it is JSON");
    let figure = |column: &str| {
        let figure = FIGURES.iter().find(|figure| figure.column() == column);
        let figure = figure.unwrap_or_else(|| panic!("there is no figure {column}"));
        figure.json(figure.of(&report))
    };
    let fields = |of: &str| json[of].as_object().expect("it is there").clone();
    for (name, value) in fields("convergence").into_iter().chain(fields("overhead")) {
        assert_eq!(figure(&name), value, "{name}");
    }
    for (name, value) in fields("network") {
        let column = match &*name {
            "segments" => name,
            _ => format!("bytes_{name}"),
        };
        assert_eq!(figure(&column), value, "{column}");
    }
    for frames in json["frames"].as_array().expect("they are there") {
        let kind = frames["kind"].as_str().expect("a kind has a name");
        let number = |field: &str| frames[field].as_u64().expect("a count");
        assert_eq!(figure(&format!("frames_{kind}")), number("frames"));
        let bytes = number("content") + number("framing");
        assert_eq!(figure(&format!("bytes_of_{kind}")), bytes);
    }
    assert_eq!(figure("ended_ns"), json["ended_ns"]);
    assert_eq!(figure("missing"), json["missing_total"]);
}

#[test]
fn names_and_columns_are_those_of_one_figure_each() {
    let mut names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    let mut columns: Vec<String> = FIGURES.iter().map(Figure::column).collect();
    names.sort_unstable();
    names.dedup();
    columns.sort_unstable();
    columns.dedup();
    assert_eq!((names.len(), columns.len()), (FIGURES.len(), FIGURES.len()));
    for figure in FIGURES {
        assert_eq!(Figure::named(figure.name), Some(figure));
        assert!(!figure.meaning.ends_with('.'));
    }
}

/// The lines of a summary that say what was expected.
fn expected(report: &Report) -> Vec<String> {
    let human = report.human(false);
    let lines = human.lines().filter(|line| line.contains(['✓', '✗', '?']));
    let lines = lines.skip(1).map(|line| line.trim().to_owned());
    lines.filter(|line| !line.ends_with('?')).collect()
}

#[test]
fn what_was_expected_is_shown_with_what_was_found() {
    let text = format!(
        "{RING}[expect]\nended = \"< 1s\"\nt99 = \"< 20ms\"\nreliability = \"= 100%\"\nidle_bytes_per_edge = \"< 1KiB\"\n"
    );
    let report = report_of(&text, &[]);
    assert_eq!(
        (report.outcome, report.exit_code()),
        (Outcome::Converged, 12)
    );
    assert_eq!(
        expected(&report),
        [
            "expected    ✓ ended < 1s · 200 ms",
            "✓ idle_bytes_per_edge < 1KiB · 52 B",
            "✓ reliability = 100% · 1.0000",
            "✗ t99 < 20ms · 110 ms",
        ]
    );
    assert!(
        report
            .verdict(false)
            .starts_with("✗ converged at 110 ms, but 1 of 4 expectations missed  ring · ")
    );

    let json: Value = serde_json::from_str(&report.json()).expect("it is JSON");
    let judged = serde_json::json!({"figure": "t99_ns", "expected": "< 20ms", "found": 110_000_000, "met": false});
    assert_eq!(json["expectations"][3], judged);
    let all_met = report_of(&text, &["expect.t99=< 1s"]);
    assert_eq!(all_met.exit_code(), 0);
    assert!(
        all_met
            .verdict(false)
            .starts_with("✓ converged at 110 ms  ring")
    );
}

#[test]
fn what_could_not_be_evaluated_is_missed_and_says_why() {
    let text = format!(
        "{RING}run.goal = \"union\"\n[expect]\nt99 = \"< 1s\"\nstretch_max = \"< 2\"\n[[fault]]\nkind = \"partition\"\nat = \"1ms\"\ngroups = [[3]]\n"
    );
    let report = report_of(&text, &[]);
    assert_eq!(report.exit_code(), 10, "what is missing weighs more");
    assert_eq!(
        expected(&report)[..2],
        [
            "expected    ✗ stretch_max < 2 · undefined: no hash reached every node",
            "✗ t99 < 1s · undefined: not so much was delivered before the run ended",
        ]
    );
    let json: Value = serde_json::from_str(&report.json()).expect("it is JSON");
    assert_eq!(json["expectations"][0]["why"], "no hash reached every node");
}

/// To four decimals both are 1.0000.
#[test]
fn a_miss_that_rounding_hides_is_shown_exactly() {
    let expectation = Expectation {
        figure: Figure::named("duplicate_factor").expect("there is one"),
        condition: Condition {
            low: None,
            high: Some(Bound {
                at: Ratio::new(1, 1),
                inclusive: true,
            }),
        },
        text: "<= 1".into(),
    };
    let mut report = report_of(RING, &[]);
    report.metrics.overhead.duplicate_factor = Ratio::new(100_001, 100_000);
    let report = report.judged(&[expectation]);
    assert_eq!(report.missed(), 1);
    let finding = report.expectations[0].finding();
    assert_eq!(finding, "1.0000, exactly 100001/100000");
}

#[test]
fn a_run_that_was_interrupted_is_not_judged() {
    let text = format!("{RING}[expect]\nt99 = \"< 1s\"\n");
    let scenario = Scenario::parse("ring.toml", text, &[]);
    let scenario = scenario.unwrap_or_else(|bad| panic!("{bad}"));
    let mut report = simulate(&scenario);
    report.outcome = Outcome::Interrupted;
    let report = report.judged(&scenario.expect);
    assert_eq!((report.missed(), report.exit_code()), (0, 130));
    assert_eq!(expected(&report), ["expected    ? t99 < 1s · 110 ms"]);
}
