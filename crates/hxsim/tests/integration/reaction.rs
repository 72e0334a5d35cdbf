//! Faults that wait for something to happen, and the dates that come of them.

use std::ops::ControlFlow;
use std::time::Duration;

use hxsim::gossip::{Gossip, Holdings};
use hxsim::reaction::{self, Reacts, Sight, Undated};
use hxsim::{Outcome, Scenario, trial};
use simnet::{Fault, Time};

use crate::drawn::prepare;
use crate::life::{lively, run};
use crate::why::four_in_line;

const MS: Duration = Duration::from_millis(1);

/// Four nodes in a line, of which node 2 crashes half a second after half of them have "beep", and is back a second later.
fn crash_once_half_is_reached() -> Scenario {
    let crash = "[[fault]]\nkind = \"crash\"\nonce = \"50%\"\nat = \"500ms\"\nnodes = 2\n";
    let restart = "[[fault]]\nkind = \"restart\"\nonce = \"50%\"\nat = \"1500ms\"\nnodes = 2\n";
    let run = "[run]\nhorizon = \"60s\"\nstop = \"horizon\"\ncheck_every = \"1ms\"\n";
    four_in_line(&format!("{run}{crash}{restart}"))
}

pub(crate) fn dated(scenario: &Scenario) -> Scenario {
    let (graph, _) = prepare(scenario);
    let protocol = |scenario: &Scenario| Gossip::new(scenario, &graph);
    let goes_on = |_| ControlFlow::Continue(());
    let dated = reaction::date::<Gossip, _, _>(scenario, &graph, protocol, goes_on);
    dated.expect("every date can be found")
}

/// The same with all that goes wrong written down, and nothing that waits.
fn written_down(dated: &Scenario) -> Scenario {
    Scenario {
        schedule: dated.faults(),
        churn: None,
        reactions: Vec::new(),
        ..dated.clone()
    }
}

#[test]
fn what_waits_for_something_gets_the_date_of_it_and_is_as_if_it_had_been_written_down() {
    let waiting = crash_once_half_is_reached();
    let dated = dated(&waiting);
    // Node 1 has it 30 ms after the publication.
    let half = Time::from_millis(1031);
    let at = |ms: u64| half + Duration::from_millis(ms);
    let (crash, restart) = (at(500), at(1500));
    assert_eq!(
        dated.faults().faults,
        [
            Fault::Crash { at: crash, node: 2 },
            Fault::Restart {
                at: restart,
                node: 2
            }
        ]
    );
    assert_eq!(
        [0, 1].map(|place| dated.fault_name(place)),
        ["fault.0", "fault.1"]
    );
    let report = run(&dated);
    assert_eq!(report.outcome, Outcome::Converged);
    assert_eq!(report.digest, run(&written_down(&dated)).digest);
    let told = report.human(false);
    let row = "reactions   fault.0 from 1.03 s on, as 50% was reached";
    assert!(told.contains(row), "{told}");

    // A trial does the same by itself.
    let (_, gossip) = prepare(&waiting);
    let trial = trial::run(&gossip, &waiting).expect("a possible scenario");
    assert_eq!(trial.reactions, report.reactions);
    let verified = trial::verify(&gossip, &waiting).expect("a possible scenario");
    assert_eq!(
        verified.map(|digest| format!("{digest:016x}")),
        Ok(trial.digest)
    );
}

#[test]
fn what_never_happens_has_no_date() {
    let mut waiting = crash_once_half_is_reached();
    waiting.run.horizon = Time::from_millis(1020);
    let dated = dated(&waiting);
    assert_eq!(dated, waiting);
    let told = run(&dated).human(false);
    assert!(
        told.contains("fault.0 never, as 50% was not reached"),
        "{told}"
    );
}

/// Whoever is the first to get something crashes, and so does whoever is the first of the others.
#[test]
fn whoever_answers_first_crashes() {
    let scenario = four_in_line("[run]\nhorizon = \"60s\"\ncheck_every = \"1ms\"\n");
    let (graph, _) = prepare(&scenario);
    let protocol = |scenario: &Scenario| Gossip::new(scenario, &graph);
    let first_but = |spared: &'static [u32]| {
        move |sight: &Sight<'_, Holdings>| {
            let mut holders = sight.nodes.iter().filter(|(_, held)| held.count() > 0);
            let first = holders.find(|(node, _)| !spared.contains(node));
            let Some(&(node, _)) = first else {
                return Vec::new();
            };
            let (at, back) = (sight.now + 10 * MS, sight.now + 900 * MS);
            vec![Fault::Crash { at, node }, Fault::Restart { at: back, node }]
        }
    };
    let (first, second) = (first_but(&[0]), first_but(&[0, 1]));
    let reacts: [Reacts<'_, Holdings>; 2] = [&first, &second];
    let dated = reaction::react::<Gossip, _, _>(&scenario, &graph, protocol, &reacts);
    let dated = dated.expect("every date can be found");
    let nodes = dated
        .schedule
        .faults
        .iter()
        .filter_map(|fault| match fault {
            Fault::Crash { at, node } => Some((*node, at.as_nanos() / 1_000_000)),
            _ => None,
        });
    // Node 1 had it at 1030 ms, and is gone when node 2 asks for it.
    let nodes: Vec<_> = nodes.collect();
    assert!(
        matches!(nodes[..], [(1, 1041), (2, 2000..4000)]),
        "{nodes:?}"
    );
    let report = run(&dated);
    assert_eq!(report.outcome, Outcome::Converged);
    let written_down = written_down(&dated);
    assert_eq!(written_down.schedule, dated.schedule);
    assert_eq!(report.digest, run(&written_down).digest);
}

#[test]
fn reactions_that_cannot_be_are_told() {
    let scenario = four_in_line("[run]\nhorizon = \"60s\"\n");
    let (graph, _) = prepare(&scenario);
    let protocol = |scenario: &Scenario| Gossip::new(scenario, &graph);
    let react = |reacts: Reacts<'_, Holdings>| {
        let dated = reaction::react::<Gossip, _, _>(&scenario, &graph, protocol, &[reacts]);
        dated.expect_err("it cannot be").to_string()
    };
    let at_once = |sight: &Sight<'_, Holdings>| {
        vec![Fault::Crash {
            at: sight.now,
            node: 1,
        }]
    };
    let told = "a reaction begins at 100ms, too soon: it may at 110ms, which is the lookahead behind what it reacts to";
    assert_eq!(react(&at_once), told);
    let restart = |sight: &Sight<'_, Holdings>| {
        let at = sight.now + 10 * MS;
        vec![Fault::Restart { at, node: 1 }]
    };
    assert_eq!(
        react(&restart),
        "node 1 cannot restart at 110ms: it is up then"
    );
    let undated = Undated::<std::io::Error>::Protocol(std::io::Error::other("no nodes"));
    assert_eq!(undated.to_string(), "no nodes");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        failure_persistence: None,
        cases: 32,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..Default::default()
    })]

    /// Whatever else goes wrong, a history with reactions is that of their dates.
    #[test]
    fn a_replay_needs_no_reaction(
        scenario in lively(),
        node in proptest::prelude::any::<u32>(),
        once in 1..=100_u32,
    ) {
        let (at, until) = (Time::from_millis(50), Some(Time::from_secs(2)));
        let parted = Fault::Partition { at, until, groups: vec![vec![node % scenario.nodes]] };
        let waiting = Scenario {
            reactions: vec![hxsim::scenario::Reaction {
                once: simnet::Probability::from_ppm(10_000 * once),
                faults: vec![parted],
                number: 0,
                dated: None,
            }],
            ..scenario
        };
        let dated = dated(&waiting);
        proptest::prop_assert_eq!(run(&dated).digest, run(&written_down(&dated)).digest);
    }
}
