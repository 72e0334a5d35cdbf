use std::time::Duration;

use hxsim::Scenario;
use hxsim::scenario::Stop;
use hxsim::topology::Topology;
use simnet::{Fault, Jitter, Time};

const SCENARIO: &str = r#"
question = "What can be set?"
nodes = 10
topology = { kind = "random_regular", degree = 4 }
network.latency = { floor = "10ms", uniform = "5ms" }
run.horizon = "10s"
[[fault]]
kind = "cut"
at = "1s"
between = [0, 1]
[[fault]]
kind = "partition"
at = "1s"
groups = ["0..5"]
"#;

fn parse(sets: &[&str]) -> Result<Scenario, String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Scenario::parse("x.toml", SCENARIO.to_owned(), &sets).map_err(|bad| bad.to_string())
}

#[test]
fn a_value_is_set_by_its_path_and_the_last_one_holds() {
    let scenario = parse(&["seed=7", "seed = 0x10", "run.stop=\"horizon\""]).expect("good values");
    assert_eq!(scenario.seed, 16);
    assert_eq!(scenario.run.stop, Stop::Horizon);
    assert_eq!(scenario.nodes, 10, "the rest stays");
}

#[test]
fn what_is_no_toml_is_a_string() {
    let scenario = parse(&["network.loss=5%", "network.latency = 20ms"]).expect("good values");
    assert_eq!(scenario.links.default.loss.as_ppm(), 50_000);
    assert_eq!(scenario.links.default.floor, Duration::from_millis(20));
}

#[test]
fn a_path_leads_into_tables_and_arrays() {
    let sets = ["network.latency.floor=1ms", "fault.1.until=6s"];
    let scenario = parse(&sets).expect("good values");
    assert_eq!(scenario.links.default.floor, Duration::from_millis(1));
    let Fault::Partition { at, until, .. } = &scenario.schedule.faults[1] else {
        panic!("the second fault is a partition");
    };
    assert_eq!(
        (*at, *until),
        (Time::from_secs(1), Some(Time::from_secs(6)))
    );
}

#[test]
fn another_kind_does_not_inherit_the_keys_of_the_first() {
    let scenario = parse(&["topology.kind=ring"]).expect("a ring has no degree");
    assert_eq!(scenario.topology, Topology::Ring);
}

#[test]
fn a_table_takes_the_place_of_what_was_there() {
    let scenario = parse(&["network.latency={ floor = \"1ms\" }"]).expect("a good table");
    let link = scenario.links.default;
    assert_eq!(
        (link.floor, link.jitter),
        (Duration::from_millis(1), Jitter::Constant(Duration::ZERO))
    );

    let scenario = parse(&["fault=[]"]).expect("a good array");
    assert_eq!(scenario.schedule.faults, []);
    let scenario =
        parse(&["network.latency=7ms", "network.latency.floor=1ms"]).expect("a table in the end");
    assert_eq!(scenario.links.default.floor, Duration::from_millis(1));
}

#[test]
fn a_path_without_a_value_takes_away_what_is_there() {
    let scenario =
        parse(&["fault.0=", "fault.0.until=6s", "network.latency.uniform ="]).expect("good paths");
    assert_eq!(
        scenario.links.default.jitter,
        Jitter::Constant(Duration::ZERO)
    );
    assert_eq!(
        scenario.schedule.faults.len(),
        1,
        "the partition is now the first"
    );
    assert_eq!(
        scenario.schedule.faults[0].healed(),
        Some(Time::from_secs(6))
    );

    let shown = parse(&["nodes=", "topology.file="])
        .expect_err("the first is needed, the second is not there");
    assert!(
        shown.starts_with("--set 1:1:1: error: the scenario lacks `nodes`"),
        "{shown}"
    );
    let nothing = "--set 2:1:10: error: there is no `file` to take away\n  |\n1 | topology.file=\n  |          ^^^^ there are: degree, kind\n";
    assert!(shown.ends_with(nothing), "{shown}");
}

#[test]
fn mistakes_point_into_the_argument() {
    let shown = parse(&["seed=1", "network.loss=5"]).expect_err("a bare number is no probability");
    let expected = "--set 2:1:14: error: this is an integer\n  |\n1 | network.loss=5\n  \
                    |              ^ write \"5%\" or \"0.5%\", with at most four decimals\n";
    assert_eq!(shown, expected);

    let shown =
        parse(&["network.laten=20ms", "fault.2.at=1s", "seed"]).expect_err("three mistakes");
    assert!(
        shown.contains("--set 2:1:7: error: no element `2`"),
        "{shown}"
    );
    assert!(
        shown.contains("--set 3:1:1: error: this sets nothing"),
        "{shown}"
    );
    assert!(
        shown.contains("unknown key `laten`"),
        "the rest is read all the same: {shown}"
    );
    for odd in ["nodes=3\nseed=7", "[run]=1", "a b=1", "=1", ".x=1"] {
        let shown = parse(&[odd]).expect_err("neither path nor value");
        assert!(shown.starts_with("--set 1:1:1: error: this "), "{shown}");
    }

    let shown = parse(&["network.laten=20ms", "fault.0.at=11s"]).expect_err("two mistakes");
    assert!(
        shown.contains("--set 1:1:9: error: unknown key `laten`"),
        "{shown}"
    );
    assert!(shown.contains("did you mean `latency`?"), "{shown}");
    assert!(
        shown.contains("--set 2:1:12: error: this is after the end"),
        "{shown}"
    );
}
