use hash_exchange::Tally;
use simnet::NodeId;

use super::why::Inquest;
use super::{Gossip, Seated};
use crate::metrics::{EdgeBytes, Metrics, NetworkTotals, Observed, Record};
use crate::protocol::Protocol;
use crate::report::{Failure, Lost, Missing, Outcome, Report};
use crate::run::{End, Run, network};
use crate::scenario::Scenario;
use crate::topology::Graph;

/// What came of a run.
pub fn report(gossip: &Gossip, scenario: &Scenario, graph: &Graph, run: &Run<Gossip>) -> Report {
    let world = &run.world;
    let nodes: Vec<&Seated> = world.nodes().collect();
    let records: Vec<_> = nodes.iter().map(|seated| records(gossip, seated)).collect();
    let tallies: Vec<Tally> = nodes.iter().map(|seated| seated.node.sent()).collect();
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
        tallies: &tallies,
        node_bytes: &node_bytes,
        edge_bytes: &edge_bytes(gossip, graph, run, &records),
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
    if outcome != Outcome::Converged {
        report = explained(gossip, scenario, graph, run, report);
    }
    report.judged(&scenario.expect)
}

/// The same report with what is missing, and why.
fn explained(
    gossip: &Gossip,
    scenario: &Scenario,
    graph: &Graph,
    run: &Run<Gossip>,
    report: Report,
) -> Report {
    let nodes: Vec<&Seated> = run.world.nodes().collect();
    let holdings: Vec<_> = nodes.iter().map(|seated| gossip.snapshot(seated)).collect();
    let inquest = Inquest {
        gossip,
        graph,
        network: network(scenario),
        nodes,
        holdings: &holdings,
        at: run.world.now(),
    };
    report
        .with_missing(missing(&inquest))
        .with_lost(lost(&inquest))
}

fn outcome(run: &Run<Gossip>, totals: &NetworkTotals) -> (Outcome, Option<Failure>) {
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

fn records(gossip: &Gossip, seated: &Seated) -> Vec<Record> {
    let records = seated.node.records().into_iter().filter_map(|record| {
        Some(Record {
            item: *gossip.numbers.get(&record.hash)?,
            at: simnet::Time::ZERO + record.learned_at,
            from: record.from,
            receipts: record.receipts,
        })
    });
    records.collect()
}

/// What went over each edge. A body that was the first went from its giver to its taker; of others it is not known who sent them.
fn edge_bytes(
    gossip: &Gossip,
    graph: &Graph,
    run: &Run<Gossip>,
    records: &[Vec<Record>],
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
    for (node, records) in (0..).zip(records) {
        for record in records {
            if let Some(from) = record.from {
                let payload = gossip.items[record.item as usize].body.len();
                of_edge(from, node, 0, payload as u64);
            }
        }
    }
    edges
}

fn missing(inquest: &Inquest<'_>) -> Vec<Missing> {
    let mut missing = Vec::new();
    for group in &inquest.gossip.groups {
        let wanted = inquest.gossip.wanted(group, inquest.holdings);
        for node in group {
            let held = &inquest.holdings[*node as usize].held;
            if held.count == wanted.count {
                continue;
            }
            for (number, item) in (0..).zip(&inquest.gossip.items) {
                if wanted.contains(number) && !held.contains(number) && !inquest.is_lost(number) {
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
