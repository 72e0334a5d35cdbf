//! A protocol that is not ours, and what is said of it. It is the one that `hxsim new protocol` writes, compiled where its template lies.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hxsim::protocol::{Progress, Protocol, Seat, Violation};
use hxsim::{Outcome, Scenario, template, trial};
use simnet::{Host, NodeId, Time};

use crate::snapshot::{assert_snapshot, tests};

#[path = "../../templates/protocol/src/lib.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "here the template is a module, and its scenario lies elsewhere"
)]
mod template_node;

use template_node::MyProtocol;

fn scenario(seed: u64) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/protocol/scenario.toml");
    let mut scenario = Scenario::load(&path, &[]).expect("the template's scenario is good");
    scenario.seed = seed;
    scenario.draw_faults(Time::from_secs(10));
    scenario
}

#[test]
fn the_protocol_of_the_template_converges_whatever_is_drawn() {
    trial::prove(&MyProtocol, 0..20, scenario, "replay").unwrap_or_else(|found| panic!("{found}"));
    let digest = trial::verify(&MyProtocol, &scenario(7)).expect("a possible scenario");
    let trial = trial::run(&MyProtocol, &scenario(7)).expect("a possible scenario");
    let digest = digest.expect("one seed is one history");
    assert_eq!(trial.digest, format!("{digest:016x}"));
    assert_snapshot(&tests().join("snapshots/trial.txt"), &trial.human(false));
    assert_snapshot(&tests().join("snapshots/trial.json"), &trial.json());
}

/// As the template, but one node keeps to itself what it hears from others.
struct Mute;

impl Protocol for Mute {
    type Node = <MyProtocol as Protocol>::Node;
    type Snapshot = <MyProtocol as Protocol>::Snapshot;

    fn start(&self, host: Host, seat: Seat<'_>) -> Self::Node {
        match seat.id {
            3 => MyProtocol.start(
                host,
                Seat {
                    neighbours: &[],
                    ..seat
                },
            ),
            _ => MyProtocol.start(host, seat),
        }
    }

    fn snapshot(&self, node: &Self::Node) -> Self::Snapshot {
        MyProtocol.snapshot(node)
    }

    fn progress(&self, nodes: &[(NodeId, Self::Snapshot)]) -> Progress {
        MyProtocol.progress(nodes)
    }

    fn missing(&self, nodes: &[(NodeId, Self::Snapshot)]) -> Vec<String> {
        MyProtocol.missing(nodes)
    }
}

#[test]
fn what_fails_is_told_with_its_seed_first_and_how_to_see_it_again() {
    // A line, in which node 3 does not dial the end of it.
    let alone = |seed| {
        let mut scenario = Scenario::new(5);
        scenario.topology = hxsim::topology::Topology::Line;
        scenario.seed = seed;
        scenario.run.horizon = Time::from_secs(9);
        scenario
    };
    let found =
        trial::prove(&Mute, 5..9, alone, "cargo run -- --seed").expect_err("node 4 is alone");
    assert_eq!((found.seed, found.passed), (5, 0));
    let told = found.to_string();
    let begins = "seed 5 fails, after 0 that did not. To see it again:\n\n    cargo run -- --seed 5\n\n✗ not converged at 9 s  ";
    assert!(told.starts_with(begins), "{told}");
    let missing = "  missing\n    node 0 lacks [4]\n    node 1 lacks [4]\n    node 2 lacks [4]\n    node 3 lacks [4]\n    node 4 lacks [0, 1, 2, 3]\n";
    assert!(told.ends_with(missing), "{told}");

    let mut none = alone(1);
    none.topology = hxsim::topology::Topology::RandomRegular { degree: 7 };
    let found =
        trial::prove(&Mute, 0..1, |_| none.clone(), "replay").expect_err("an impossible degree");
    assert!(
        found
            .to_string()
            .ends_with("it cannot be run: 5 nodes cannot have 7 neighbours each\n")
    );
}

/// Breaks its rule as soon as somebody looks, and goes on for ever.
struct Broken;

impl Protocol for Broken {
    type Node = ();
    type Snapshot = ();

    fn start(&self, host: Host, _: Seat<'_>) {
        host.clone().spawn(async move {
            loop {
                host.sleep(Duration::from_millis(1)).await;
            }
        });
    }

    fn snapshot(&self, (): &()) {}

    fn progress(&self, nodes: &[(NodeId, ())]) -> Progress {
        Progress {
            have: 0,
            of: nodes.len() as u64,
        }
    }

    fn invariant(&self, _: &[(NodeId, ())]) -> Result<(), Violation> {
        let what = "is empty".into();
        Err(Violation {
            node: 2,
            check: "holds something",
            what,
        })
    }
}

/// What a scenario asks of figures that a trial does not have is not passed over in silence.
#[test]
fn what_a_trial_cannot_answer_is_refused() {
    let asked = [
        ("expect", "expect.t99 = \"< 5s\""),
        ("measure", "measure.until = \"1s\""),
        ("compare", "compare = [\"network.loss=0%\"]"),
    ];
    for (section, line) in asked {
        let text = format!(
            "{line}\n{}",
            include_str!("../../templates/protocol/scenario.toml")
        );
        let sets = ["workload.publishers=1", "workload.size=1B"].map(str::to_owned);
        let scenario = Scenario::parse("asked.toml", text, &sets).expect("a good scenario");
        let found = trial::run(&MyProtocol, &scenario);
        assert_eq!(found, Err(trial::Impossible::Unjudged(section)), "{line}");
        let told = found.expect_err("it is refused").to_string();
        assert!(told.starts_with(&format!("[{section}] is about")), "{told}");
    }
}

#[test]
fn a_broken_rule_is_named() {
    let trial = trial::run(&Broken, &Scenario::new(3)).expect("a possible scenario");
    assert_eq!(
        (trial.outcome, trial.have, trial.of),
        (Outcome::InvariantBroken, 0, 3)
    );
    let told = trial.human(false);
    assert!(
        told.ends_with("  check `holds something` failed at 100 ms, node 2: is empty\n"),
        "{told}"
    );
    // It is verified as far as it went, and no further.
    let digest = trial::verify(&Broken, &Scenario::new(3)).expect("a possible scenario");
    let digest = digest.expect("one seed is one history");
    assert_eq!(trial.digest, format!("{digest:016x}"));
}

#[test]
fn nothing_is_written_over() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("template");
    let _ = fs::remove_dir_all(&directory);
    let files = template::protocol("rumour", Path::new("/here")).expect("a good name");
    fs::create_dir_all(directory.join("src")).expect("a directory can be made");
    fs::write(directory.join("src/main.rs"), "mine").expect("it can be written");
    let error = template::write(&directory, &files).expect_err("a file is there");
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(
        error.to_string().ends_with("src/main.rs is there already"),
        "{error}"
    );
    assert!(
        !directory.join("Cargo.toml").exists(),
        "then nothing is written"
    );
}

/// One of its nodes panics.
struct Panics;

impl Protocol for Panics {
    type Node = ();
    type Snapshot = ();

    fn start(&self, host: Host, seat: Seat<'_>) {
        let panics = seat.id == 2;
        host.clone().spawn(async move {
            host.sleep(Duration::from_millis(30)).await;
            assert!(!panics, "out of ideas");
        });
    }

    fn snapshot(&self, (): &()) {}

    fn progress(&self, _: &[(NodeId, ())]) -> Progress {
        Progress::default()
    }
}

#[test]
#[ignore = "it panics, and the test after this one looks at how"]
fn a_node_that_panics() {
    let of = |seed| Scenario {
        seed,
        ..Scenario::new(3)
    };
    trial::prove(&Panics, 7..9, of, "cargo run -- --seed").expect("it does not come to that");
}

#[test]
fn whoever_panics_is_named_with_the_seed_and_how_to_see_it_again() {
    let this = std::env::current_exe().expect("a test has a path");
    let test = [
        "--ignored",
        "--exact",
        "trial::a_node_that_panics",
        "--nocapture",
    ];
    let run = Command::new(this).args(test).output().expect("it runs");
    assert!(!run.status.success());
    let told = String::from_utf8(run.stderr).expect("it is text");
    let (_, told) = told.split_once("out of ideas\n").expect("it panics");
    let seed = "that was node 2 at 30ms, in the world of seed 7\nseed 7 fails, after 0 that did not. To see it again:\n\n    cargo run -- --seed 7\n\n";
    assert!(told.ends_with(seed), "{told}");
}

/// Its tasks wait for each other, or wake themselves for ever.
struct Hangs {
    spins: bool,
}

impl Protocol for Hangs {
    type Node = ();
    type Snapshot = ();

    fn start(&self, host: Host, _: Seat<'_>) {
        let spins = self.spins;
        let task = async move {
            std::future::poll_fn(|cx| {
                if spins {
                    cx.waker().wake_by_ref();
                }
                std::task::Poll::Pending
            })
            .await
        };
        host.spawn(task);
    }

    fn snapshot(&self, (): &()) {}

    fn progress(&self, nodes: &[(NodeId, ())]) -> Progress {
        Progress {
            have: 0,
            of: nodes.len() as u64,
        }
    }
}

#[test]
fn a_run_that_is_stuck_says_what_its_tasks_wait_for() {
    let trial = trial::run(&Hangs { spins: false }, &Scenario::new(7)).expect("it is possible");
    assert_eq!(trial.outcome, Outcome::NotConverged);
    assert_eq!(trial.stuck.len(), 7);
    let told = trial.human(false);
    let (_, stuck) = told
        .split_once("\n  stuck: nothing will ever happen again\n")
        .expect("it is told");
    assert_eq!(stuck.lines().count(), 6, "{stuck}");
    let ends = "::start::{{closure}} waits for code of its own node";
    assert!(
        stuck.lines().take(5).all(|line| line.ends_with(ends)),
        "{stuck}"
    );
    assert!(stuck.ends_with("    and 2 more\n"), "{stuck}");
}

#[test]
fn a_run_whose_time_stands_still_breaks_a_rule() {
    let trial = trial::run(&Hangs { spins: true }, &Scenario::new(7)).expect("it is possible");
    assert_eq!(trial.outcome, Outcome::InvariantBroken);
    let failure = trial.failure.expect("it says why");
    assert_eq!((&*failure.check, failure.node), ("time passes", Some(0)));
    let begins = "its tasks were polled 100000 times at one instant, the last time ";
    assert!(failure.detail.starts_with(begins), "{}", failure.detail);
    let digest = trial::verify(&Hangs { spins: true }, &Scenario::new(7)).expect("it is possible");
    let digest = digest.expect("both come to no end alike");
    assert_eq!(trial.digest, format!("{digest:016x}"));
}
