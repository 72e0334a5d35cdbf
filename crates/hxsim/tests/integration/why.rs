//! A run that does not converge says which node lacks what, and why.

use std::ops::ControlFlow;

use hxsim::scenario::Goal;
use hxsim::topology::Topology;
use hxsim::workload::{Body, Workload};
use hxsim::{Outcome, Report, Scenario, gossip, run};
use simnet::{Layout, Time};

use crate::drawn::prepare;

/// Runs four nodes in a line with 10 ms between neighbours; node 0 publishes "beep" at one second. `more` comes on top.
fn line(more: &str) -> Report {
    run(&four_in_line(more))
}

pub(crate) fn four_in_line(more: &str) -> Scenario {
    let text = format!(
        "question = \"Why not?\"\n\
         nodes = 4\n\
         topology.kind = \"line\"\n\
         network.latency = \"10ms\"\n\
         [[workload.body]]\n\
         text = \"beep\"\n\
         nodes = [0]\n\
         at = \"1s\"\n\
         {more}"
    );
    Scenario::parse("line.toml", text, &[]).unwrap_or_else(|bad| panic!("{bad}"))
}

fn run(scenario: &Scenario) -> Report {
    let (graph, gossip) = prepare(scenario);
    let watch = |_| ControlFlow::Continue(());
    let run = run::run(&gossip, scenario, &graph, Layout::default(), watch);
    let run = run.expect("a valid network");
    gossip::report(&gossip, scenario, &graph, &run)
}

fn partition(at: &str, until: &str, first: &str) -> String {
    format!("[[fault]]\nkind = \"partition\"\nat = \"{at}\"\n{until}\ngroups = [\"{first}\"]\n")
}

fn horizon(at: &str) -> String {
    format!("[run]\nhorizon = \"{at}\"\ngoal = \"union\"\ncheck_every = \"1ms\"\n")
}

/// Who lacks "beep", and why.
fn reasons(report: &Report) -> Vec<(u32, &str)> {
    assert_eq!(report.outcome, Outcome::NotConverged);
    let reasons = report.missing.iter().map(|missing| {
        assert!(missing.hash.starts_with("38d8fe5c"), "{}", missing.hash);
        (missing.node, &*missing.why)
    });
    reasons.collect()
}

#[test]
fn a_horizon_that_is_too_short() {
    let report = line(&horizon("1005ms"));
    assert_eq!(
        reasons(&report),
        [
            (1, "offered by node 0, but not received yet"),
            (
                2,
                "never offered: no neighbour has it yet, the nearest holder is node 0, 2 hops away; more time may help"
            ),
            (
                3,
                "never offered: no neighbour has it yet, the nearest holder is node 0, 3 hops away; more time may help"
            ),
        ]
    );
    let report = line(&horizon("1025ms"));
    let (_, why) = reasons(&report)[0];
    assert_eq!(why, "offered by node 0, but not delivered yet");
}

#[test]
fn what_the_run_did_not_live_to_see() {
    let report = line(&horizon("1s"));
    let never = "not published: the run ended before 1s";
    assert_eq!(reasons(&report), [0, 1, 2, 3].map(|node| (node, never)));
    assert_eq!(report.lost.len(), 0, "it was not there to be lost");
}

#[test]
fn an_offer_that_was_lost_in_a_partition() {
    let split = partition("500ms", "", "0..2");
    let report = line(&format!("{}{split}", horizon("5s")));
    assert_eq!(
        reasons(&report),
        [
            (
                2,
                "offered by node 1, but lost to fault.0, a partition from 500ms for ever, and not received since"
            ),
            (
                3,
                "never offered: the nearest holder is node 1, and fault.0, a partition from 500ms for ever, \
                 stands between nodes 2 and 1 on the way"
            ),
        ]
    );
}

#[test]
fn a_link_of_which_one_direction_is_blocked_for_ever_joins_nobody() {
    let block = "[[fault]]\nkind = \"block\"\nat = \"500ms\"\nfrom = 2\nto = 1\n";
    let report = line(&format!("{}{block}", horizon("5s")));
    assert_eq!(
        reasons(&report),
        [
            (
                2,
                "offered by node 1, but not delivered yet, and fault.0, a block from 500ms for ever, stands between them"
            ),
            (
                3,
                "never offered: the nearest holder is node 1, and fault.0, a block from 500ms for ever, \
                 stands between nodes 2 and 1 on the way"
            ),
        ]
    );
    let apart = line(&format!("[run]\nhorizon = \"5s\"\n{block}"));
    assert_eq!(
        apart.outcome,
        Outcome::Converged,
        "nodes 2 and 3 are on their own"
    );
}

#[test]
fn an_offer_that_was_not_yet_repeated_when_the_partition_had_healed() {
    let split = partition("500ms", "until = \"2s\"", "0..2");
    let report = line(&format!("{}{split}", horizon("2300ms")));
    let (node, why) = reasons(&report)[0];
    assert_eq!(node, 2);
    assert_eq!(
        why,
        "offered by node 1, but lost to fault.0, a partition from 500ms to 2s, and not received since"
    );
}

#[test]
fn a_request_that_was_lost_in_a_partition() {
    let split = partition("1035ms", "", "0..2");
    let report = line(&format!("{}{split}", horizon("5s")));
    assert_eq!(
        reasons(&report)[0],
        (
            2,
            "offered by node 1, but not delivered yet, and fault.0, a partition from 1.035s for ever, stands between them"
        )
    );
}

#[test]
fn a_stream_that_gave_up_in_a_partition() {
    let split = partition("500ms", "", "0..2");
    let report = line(&format!("{}{split}", horizon("60s")));
    assert_eq!(
        reasons(&report)[0],
        (
            2,
            "never offered: held by node 1, where the connection ended at 31.03s (transport: timed out), \
             and fault.0, a partition from 500ms for ever, stands between them"
        )
    );
}

#[test]
fn a_connection_that_was_never_made() {
    let split = partition("0s", "", "0..2");
    let report = line(&format!("{}{split}", horizon("5s")));
    assert_eq!(
        reasons(&report)[0],
        (
            2,
            "never offered: held by node 1, but there was never a connection, \
             and fault.0, a partition from the start for ever, stands between them"
        )
    );
}

#[test]
fn an_offer_that_went_down_with_a_cut_connection() {
    let cut = "[[fault]]\nkind = \"cut\"\nat = \"1035ms\"\nbetween = [2, 1]\n";
    let report = line(&format!("{}{cut}", horizon("1050ms")));
    assert_eq!(
        reasons(&report)[0],
        (
            2,
            "never offered: held by node 1, but the connection was cut by fault.0 at 1.035s"
        )
    );
}

#[test]
fn a_node_that_no_path_leads_to() {
    let mut scenario = Scenario::new(3);
    scenario.topology = Topology::Edges(vec![(0, 1)]);
    scenario.workload = Some(Workload::Bodies(vec![Body {
        bytes: b"beep".to_vec(),
        nodes: vec![0],
        at: Time::ZERO,
    }]));
    assert_eq!(
        run(&scenario).outcome,
        Outcome::Converged,
        "a component of its own wants nothing"
    );

    scenario.run.goal = Goal::Union;
    let report = run(&scenario);
    assert_eq!(
        reasons(&report),
        [(2, "never offered: no path leads to a node that has it")]
    );
}

#[test]
fn every_holder_around_is_accounted_for() {
    // Both neighbours of node 2 have it.
    let ring = "[topology]\nkind = \"ring\"\n";
    let from_one = "[[fault]]\nkind = \"partition\"\nat = \"500ms\"\ngroups = [[2]]\n";
    let text = format!(
        "question = \"Why not?\"\nnodes = 3\nnetwork.latency = \"10ms\"\n\
         [[workload.body]]\ntext = \"beep\"\nnodes = [0]\nat = \"1s\"\n{}{ring}{from_one}",
        horizon("5s")
    );
    let scenario = Scenario::parse("ring.toml", text, &[]).unwrap_or_else(|bad| panic!("{bad}"));
    let why = "offered by nodes 0 and 1, but lost to fault.0, a partition from 500ms for ever, and not received since";
    assert_eq!(reasons(&run(&scenario)), [(2, why)]);
}

#[test]
fn somebody_on_the_way_who_does_not_behave() {
    let role = "[[role]]\nkind = \"mute\"\nnodes = 1\n";
    let report = line(&format!("{}{role}", horizon("3s")));
    let why = "never offered: the nearest holder is node 0, and node 1 on the way is mute";
    assert_eq!(reasons(&report), [(2, why), (3, why)]);
}
