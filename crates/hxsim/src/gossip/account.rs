use std::borrow::Cow;
use std::slice;

use simnet::NodeId;

use super::why::Inquest;
use super::{Gossip, Seated};
use crate::counters::Counters;
use crate::metrics::{EdgeBytes, Metrics, Observed, Record};
use crate::protocol::Protocol;
use crate::report::{Lost, Measured, Missing, Outcome, Report};
use crate::run::{Run, network};
use crate::scenario::{Measure, Scenario};
use crate::topology::Graph;
use crate::trial::outcome;
use crate::workload::Item;

/// What came of a run.
pub fn report(gossip: &Gossip, scenario: &Scenario, graph: &Graph, run: &Run<Gossip>) -> Report {
    let world = &run.world;
    let total = Counters::new(gossip, world);
    let (metrics, measured) = figures(gossip, scenario, graph, run, &total);
    let (outcome, failure) = outcome(run, &total.network);
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
    report.measured = measured;
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

/// The figures of the measuring interval, or of the whole run.
fn figures(
    gossip: &Gossip,
    scenario: &Scenario,
    graph: &Graph,
    run: &Run<Gossip>,
    total: &Counters,
) -> (Metrics, Option<Measured>) {
    let measure = scenario.measure;
    let interval = measure.map(|_| {
        // A run that was over before has counted nothing since.
        let at = |cut: usize| run.cuts.get(cut).unwrap_or(total);
        at(1).since(at(0))
    });
    let counted = interval.as_ref().unwrap_or(total);
    let nodes = run.world.nodes();
    let mut records: Vec<_> = nodes.map(|seated| records(gossip, seated)).collect();
    let edge_bytes = edge_bytes(gossip, graph, counted, measure, &records);
    let items = match measure {
        Some(measure) => Cow::Owned(published_within(measure, &gossip.items, &mut records)),
        None => Cow::Borrowed(&gossip.items[..]),
    };
    let metrics = Metrics::new(&Observed {
        graph,
        items: &items,
        records: &records,
        tallies: slice::from_ref(&counted.sent),
        node_bytes: &counted.node_bytes,
        edge_bytes: &edge_bytes,
        network: counted.network,
    });
    let ended = run.world.now();
    let measured = measure.map(|measure| Measured {
        from_ns: measure.from.min(ended).as_nanos(),
        until_ns: measure.until.min(ended).as_nanos(),
        items: items.len() as u64,
    });
    (metrics, measured)
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

/// The items that are published within an interval. Records of others are dropped, and those that stay get the new numbers.
fn published_within(measure: Measure, items: &[Item], records: &mut [Vec<Record>]) -> Vec<Item> {
    let mut measured = Vec::new();
    let mut numbers = vec![None; items.len()];
    for (item, number) in items.iter().zip(&mut numbers) {
        if measure.contains(item.at) {
            // As many as items, which a u32 counts.
            *number = Some(measured.len() as u32);
            measured.push(item.clone());
        }
    }
    for records in records {
        records.retain_mut(|record| {
            let number = numbers[record.item as usize];
            record.item = number.unwrap_or_default();
            number.is_some()
        });
    }
    measured
}

/// What went over each edge. A body that was the first went from its giver to its taker; of others it is not known who sent them.
fn edge_bytes(
    gossip: &Gossip,
    graph: &Graph,
    counted: &Counters,
    measure: Option<Measure>,
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
    for &(source, dest, wire) in &counted.between {
        of_edge(source, dest, wire, 0);
    }
    let counts = |record: &&Record| measure.is_none_or(|measure| measure.contains(record.at));
    for (node, records) in (0..).zip(records) {
        for record in records.iter().filter(counts) {
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
