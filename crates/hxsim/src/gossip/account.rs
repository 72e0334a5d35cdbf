use hash_exchange::Tally;
use simnet::NodeId;

use super::why::Inquest;
use super::{Gossip, Seated};
use crate::metrics::{Attendance, EdgeBytes, Metrics, NetworkTotals, Observed, Record};
use crate::protocol::Protocol;
use crate::report::{Failure, Lost, Missing, Outcome, Report};
use crate::run::{End, Run, network};
use crate::scenario::Scenario;
use crate::topology::Graph;

/// What came of a run.
pub fn report(
    gossip: &Gossip,
    scenario: &Scenario,
    graph: &Graph,
    run: &Run<'_, Gossip>,
) -> Report {
    let world = &run.world;
    let nodes: Vec<Option<&Seated>> = (0..scenario.nodes).map(|node| world.kept(node)).collect();
    let records = (0..).zip(&nodes).map(|(node, seated)| {
        let up = seated.filter(|_| world.is_up(node));
        up.map_or_else(Vec::new, |seated| seated.records(&gossip.numbers))
    });
    let records: Vec<_> = records.collect();
    let attendance = attendance(gossip, scenario, run);
    let sent = |seated: &Option<&Seated>| seated.map_or_else(Tally::default, Seated::sent);
    let tallies: Vec<Tally> = nodes.iter().map(sent).collect();
    let carried = world.carried_by_node();
    let node_bytes: Vec<_> = carried.iter().map(|carried| carried.accepted).collect();
    let total = world.carried();
    let totals = NetworkTotals {
        accepted: total.accepted,
        delivered: total.delivered,
        discarded: total.discarded,
        in_flight: world.in_flight(),
        retransmitted: total.retransmitted,
        segments: total.segments,
    };
    let metrics = Metrics::new(&Observed {
        graph,
        items: &gossip.items,
        records: &records,
        attendance: &attendance,
        tallies: &tallies,
        node_bytes: &node_bytes,
        edge_bytes: &edge_bytes(gossip, graph, run, &records, &attendance),
        network: totals,
    });
    let (outcome, failure) = outcome(run, &totals);
    let size = (graph.edges().len() as u64, gossip.items.len() as u64);
    let mut report = Report::new(
        scenario,
        world.digest(),
        outcome,
        world.now(),
        size,
        metrics,
    );
    report.failure = failure;
    if outcome == Outcome::Converged && gossip.is_steady {
        return report;
    }
    let holdings: Vec<_> = world
        .nodes_up()
        .map(|(_, seated)| gossip.snapshot(seated))
        .collect();
    let network = network(scenario);
    let inquest = Inquest {
        gossip,
        graph,
        scenario,
        lives: network.faults.lives(),
        network,
        nodes,
        holdings: &holdings,
        at: world.now(),
    };
    let report = report.with_lost(lost(&inquest));
    if outcome == Outcome::Converged {
        return report;
    }
    report.with_missing(missing(&inquest))
}

/// Who came and went.
fn attendance(gossip: &Gossip, scenario: &Scenario, run: &Run<'_, Gossip>) -> Attendance {
    let world = &run.world;
    let lives = scenario.faults().lives();
    let mut attendance = Attendance::default();
    for node in lives.nodes() {
        if world.is_up(node) {
            let since = lives.up_since(node, world.now());
            attendance.started.insert(node, since);
        } else {
            attendance.absent.push(node);
        }
    }
    let concerned = lives
        .nodes()
        .into_iter()
        .chain(gossip.evictions.keys().copied());
    let mut concerned: Vec<_> = concerned.collect();
    concerned.sort_unstable();
    concerned.dedup();
    for node in concerned {
        let Some(seated) = world.kept(node) else {
            continue;
        };
        // The run may have ended between two checks.
        gossip.audit(seated);
        let is_over = !world.is_up(node);
        let past = seated.past_records(&gossip.numbers, is_over).into_iter();
        attendance.past.extend(past.map(|record| (node, record)));
        if !is_over {
            let evicted = seated.evicted().into_iter();
            attendance.evicted.extend(evicted.map(|item| (node, item)));
        }
    }
    attendance
}

fn outcome(run: &Run<'_, Gossip>, totals: &NetworkTotals) -> (Outcome, Option<Failure>) {
    if let End::Broken(at, violation) = &run.end {
        let failure = Failure {
            check: violation.check.into(),
            node: Some(violation.node),
            at_ns: at.as_nanos(),
            detail: violation.what.clone(),
        };
        return (Outcome::InvariantBroken, Some(failure));
    }
    if !totals.balanced() {
        let failure = Failure {
            check: "accepted = delivered + discarded + in flight".into(),
            node: None,
            at_ns: run.world.now().as_nanos(),
            detail: format!(
                "{} bytes were accepted, but {} + {} + {} are accounted for",
                totals.accepted, totals.delivered, totals.discarded, totals.in_flight
            ),
        };
        return (Outcome::InvariantBroken, Some(failure));
    }
    let outcome = match run.end {
        End::Converged(_) => Outcome::Converged,
        End::Interrupted(_) => Outcome::Interrupted,
        End::Horizon | End::Broken(..) => Outcome::NotConverged,
    };
    (outcome, None)
}

/// What went over each edge. A body that was the first went from its giver to its taker; of others it is not known who sent them.
fn edge_bytes(
    gossip: &Gossip,
    graph: &Graph,
    run: &Run<'_, Gossip>,
    records: &[Vec<Record>],
    attendance: &Attendance,
) -> Vec<EdgeBytes> {
    let mut edges = vec![EdgeBytes::default(); graph.edges().len()];
    let mut of_edge = |a: NodeId, b: NodeId, wire: u64, payload: u64| {
        let edge = graph.edges().binary_search(&(a.min(b), a.max(b)));
        if let Ok(at) = edge {
            edges[at].wire += wire;
            edges[at].payload += payload;
        }
    };
    for (source, dest, wire) in run.world.accepted_between() {
        of_edge(source, dest, wire, 0);
    }
    let held = (0..).zip(records);
    let held = held.flat_map(|(node, records)| records.iter().map(move |record| (node, record)));
    let past = attendance.past.iter().map(|(node, record)| (*node, record));
    for (node, record) in held.chain(past) {
        if let Some(from) = record.from {
            let payload = gossip.items[record.item as usize].body.len();
            of_edge(from, node, 0, payload as u64);
        }
    }
    edges
}

fn missing(inquest: &Inquest<'_>) -> Vec<Missing> {
    let mut missing = Vec::new();
    for group in &inquest.gossip.groups {
        let wanted = inquest.gossip.wanted(group, inquest.holdings);
        for node in group {
            let holdings = inquest.holdings(*node);
            let has = |number| {
                holdings.is_some_and(|it| it.held.contains(number) || it.has_evicted(number))
            };
            if holdings.is_some_and(|it| it.held.count() == wanted.count()) {
                continue;
            }
            for (number, item) in (0..).zip(&inquest.gossip.items) {
                if wanted.contains(number) && !has(number) && !inquest.is_lost(number) {
                    // Beyond the list nobody reads the reason.
                    let listed = missing.len() < Report::LISTED_MAX;
                    missing.push(Missing {
                        node: *node,
                        hash: item.hash.to_string(),
                        name: item.name.clone(),
                        why: if listed {
                            inquest.why(*node, number)
                        } else {
                            String::new()
                        },
                    });
                }
            }
        }
    }
    missing
}

/// What nobody could have got: it was published, and no node holds it any more.
fn lost(inquest: &Inquest<'_>) -> Vec<Lost> {
    let lost = (0..).zip(&inquest.gossip.items);
    let lost = lost.filter(|(number, _)| inquest.is_lost(*number));
    lost.map(|(_, item)| Lost {
        hash: item.hash.to_string(),
        name: item.name.clone(),
    })
    .collect()
}
