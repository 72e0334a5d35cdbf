//! Durable nodes under everything there is at once: they come and go, lose and fill their disks, are parted, cut off and impaired, have clocks that go
//! wrong, and some of their neighbours do not behave.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hxsim::Scenario;
use hxsim::scenario::Role;
use proptest::prelude::*;
use simnet::{Bandwidth, Fault, GilbertElliott, Impairment, LinkSet, NodeId, Probability, Time};

use crate::drawn::runner;
use crate::durable::durable;
use crate::life::assert_guarantee;

const MS: Duration = Duration::from_millis(1);

/// What streams notice of all that can be wrong with a link.
fn impairment() -> impl Strategy<Value = Impairment> {
    let percent =
        |most: u32| (1..=most).prop_map(|percent| Probability::from_ppm(10_000 * percent));
    let bursts = (1..2_000_u32, 1..500_u32).prop_map(|(good, bad)| GilbertElliott {
        good: good * MS,
        bad: bad * MS,
        loss_good: Probability::ZERO,
        loss_bad: Probability::ONE,
    });
    prop_oneof![
        Just(Impairment::Block),
        Just(Impairment::Stall),
        (1..3_000_u32).prop_map(|ms| Impairment::Delay(ms * MS)),
        percent(80).prop_map(Impairment::Lose),
        bursts.prop_map(Impairment::LoseInBursts),
        (10..1_000_u64).prop_map(|bytes| {
            let bandwidth = Bandwidth::per_second(100 * bytes);
            Impairment::Throttle(bandwidth.expect("it is not zero"))
        }),
    ]
}

/// Which links, by numbers of nodes that may be any.
fn links(nodes: u32, kind: u8, a: NodeId, b: NodeId) -> LinkSet {
    let (a, b) = (a % nodes, b % nodes);
    match kind % 5 {
        0 => LinkSet::All,
        1 => LinkSet::Around(vec![a]),
        2 => LinkSet::From(vec![a]),
        3 => LinkSet::To(vec![a]),
        _ => LinkSet::Between(vec![a], vec![b]),
    }
}

fn everything() -> impl Strategy<Value = Scenario> {
    let lasting = (0..8_000_u64, 1..5_000_u64);
    let impaired = (lasting.clone(), impairment(), any::<(u8, NodeId, NodeId)>());
    let impaired = prop::collection::vec(impaired, 0..4);
    let drifts = prop::collection::vec((lasting, any::<NodeId>(), -300_000..300_000_i32), 0..3);
    let jumps = (0..8_000_u64, any::<NodeId>(), any::<i32>());
    let jumps = prop::collection::vec(jumps, 0..3);
    let roles = prop::collection::vec((any::<NodeId>(), prop::sample::select(&Role::ALL)), 0..4);
    (durable(), impaired, drifts, jumps, roles).prop_map(
        |(mut scenario, impaired, drifts, jumps, roles)| {
            let nodes = scenario.nodes;
            let span = |(at, lasts)| (Time::from_millis(at), Some(Time::from_millis(at + lasts)));
            let impaired = impaired
                .into_iter()
                .map(|(when, impairment, (kind, a, b))| {
                    let (at, until) = span(when);
                    let links = links(nodes, kind, a, b);
                    Fault::Impair {
                        at,
                        until,
                        links,
                        impairment,
                    }
                });
            let drifts = drifts.into_iter().map(|(when, node, ppm)| {
                let (at, until) = span(when);
                let node = node % nodes;
                Fault::ClockDrift {
                    at,
                    until,
                    node,
                    ppm,
                }
            });
            let jumps = jumps.into_iter().map(|(at, node, ms)| Fault::ClockJump {
                at: Time::from_millis(at),
                node: node % nodes,
                by_ns: i64::from(ms) * 1_000_000,
            });
            let faults = &mut scenario.schedule.faults;
            faults.extend(impaired.chain(drifts).chain(jumps));
            for (node, role) in roles {
                scenario.roles.insert(node % nodes, role);
            }
            if scenario.roles.len() == nodes as usize {
                scenario.roles.pop_first();
            }
            scenario
        },
    )
}

/// The guarantee holds under all faults and among all roles, and each of them is there.
#[test]
fn those_who_behave_have_all_that_one_of_them_has_whatever_goes_wrong() {
    let kinds = RefCell::new(BTreeMap::new());
    let outcome = runner(192).run(&everything(), |scenario| {
        let report = assert_guarantee(&scenario)?;
        let faults = report.faults.iter();
        let happened = faults.filter(|fault| fault.at_ns < report.ended_ns);
        let happened: BTreeSet<_> = happened.map(|fault| fault.kind).collect();
        for kind in happened {
            *kinds.borrow_mut().entry(kind).or_insert(0) += 1;
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let kinds = kinds.into_inner();
    println!("{kinds:?}");
    let expected = [
        "block",
        "bursts",
        "clock_drift",
        "clock_jump",
        "crash",
        "cut",
        "delay",
        "disk_full",
        "disk_lost",
        "disk_unreadable",
        "evict",
        "join",
        "leave",
        "loss",
        "lying",
        "mute",
        "never_reading",
        "partition",
        "refusing",
        "slow",
        "stall",
        "throttle",
    ];
    assert!(kinds.keys().eq(&expected), "{kinds:?}");
    assert!(kinds.values().all(|&times| times > 10), "{kinds:?}");
}
