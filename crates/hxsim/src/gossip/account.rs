use std::borrow::Cow;
use std::slice;

use simnet::{NodeId, Time, World};

use super::why::Inquest;
use super::{Gossip, Seated};
use crate::counters::Counters;
use crate::metrics::{Attendance, EdgeBytes, FirstReceipts, Metrics, Observed, Presence, Record};
use crate::report::{Lost, Measured, Missing, Outcome, Report};
use crate::run::{Run, network, snapshots, stuck};
use crate::scenario::{Measure, Scenario};
use crate::topology::Graph;
use crate::trial::outcome;
use crate::workload::Item;

/// What came of a run.
pub fn report(
    gossip: &Gossip,
    scenario: &Scenario,
    graph: &Graph,
    run: &Run<'_, Gossip>,
) -> Report {
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
    report.stuck = stuck(run, Report::LISTED_MAX);
    report.measured = measured;
    if outcome != Outcome::Converged || !gossip.is_steady {
        report = explained(gossip, scenario, graph, run, report);
    }
    report.judged(&scenario.expect)
}

/// The same report with what is lost, and what is missing, and why.
fn explained(
    gossip: &Gossip,
    scenario: &Scenario,
    graph: &Graph,
    run: &Run<'_, Gossip>,
    report: Report,
) -> Report {
    let world = &run.world;
    let holdings = snapshots(gossip, world);
    let network = network(scenario);
    let inquest = Inquest {
        gossip,
        graph,
        scenario,
        lives: network.faults.lives(),
        network,
        nodes: (0..scenario.nodes).map(|node| world.kept(node)).collect(),
        holdings: &holdings,
        at: world.now(),
    };
    let report = report.with_lost(lost(&inquest));
    if report.outcome == Outcome::Converged {
        return report;
    }
    let (listed, total) = missing(&inquest);
    report.with_missing(listed, total)
}

/// The figures of the measuring interval, or of the whole run.
fn figures(
    gossip: &Gossip,
    scenario: &Scenario,
    graph: &Graph,
    run: &Run<'_, Gossip>,
    total: &Counters,
) -> (Metrics, Option<Measured>) {
    let world = &run.world;
    let measure = scenario.measure;
    let interval = measure.map(|_| {
        // A run that was over before has counted nothing since.
        let at = |cut: usize| run.cuts.get(cut).unwrap_or(total);
        at(1).since(at(0))
    });
    let counted = interval.as_ref().unwrap_or(total);
    let records = (0..scenario.nodes).map(|node| {
        let up = world.kept(node).filter(|_| world.is_up(node));
        up.map_or_else(Vec::new, |seated| seated.records(gossip))
    });
    let mut records: Vec<_> = records.collect();
    let mut attendance = attendance(gossip, scenario, world);
    let received = received(measure, &records, &attendance);
    let edge_bytes = edge_bytes(gossip, graph, counted, &received);
    let first_receipts = measure.map(|_| first_receipts(gossip, &received));
    let items = match measure {
        Some(measure) => {
            let items = &gossip.items;
            Cow::Owned(published_within(
                measure,
                items,
                &mut records,
                &mut attendance,
            ))
        }
        None => Cow::Borrowed(&gossip.items[..]),
    };
    let lives = scenario.faults().lives();
    let ended = world.now();
    let presence = (!lives.nodes().is_empty()).then(|| Presence {
        lives: &lives,
        from: measure.map_or(Time::ZERO, |measure| measure.from),
        until: measure.map_or(ended, |measure| measure.until.min(ended)),
    });
    let metrics = Metrics::new(&Observed {
        graph,
        items: &items,
        records: &records,
        attendance: &attendance,
        tallies: slice::from_ref(&counted.sent),
        node_bytes: &counted.node_bytes,
        edge_bytes: &edge_bytes,
        network: counted.network,
        presence,
        first_receipts,
    });
    let measured = measure.map(|measure| Measured {
        from_ns: measure.from.min(ended).as_nanos(),
        until_ns: measure.until.min(ended).as_nanos(),
        items: items.len() as u64,
    });
    (metrics, measured)
}

/// The items that are published within an interval. What is said of others is dropped, and those that stay get the new numbers.
fn published_within(
    measure: Measure,
    items: &[Item],
    records: &mut [Vec<Record>],
    attendance: &mut Attendance,
) -> Vec<Item> {
    let mut measured = Vec::new();
    let mut numbers = vec![None; items.len()];
    for (item, number) in items.iter().zip(&mut numbers) {
        if measure.contains(item.at) {
            // As many as items, which a u32 counts.
            *number = Some(measured.len() as u32);
            measured.push(item.clone());
        }
    }
    let renumber = |item: &mut u32| {
        let number = numbers[*item as usize];
        *item = number.unwrap_or_default();
        number.is_some()
    };
    for records in records {
        records.retain_mut(|record| renumber(&mut record.item));
    }
    let Attendance {
        past,
        evicted,
        recovered,
        ..
    } = attendance;
    past.retain_mut(|(_, record)| renumber(&mut record.item));
    evicted.retain_mut(|(_, item)| renumber(item));
    recovered.retain_mut(|(_, item, _)| renumber(item));
    measured
}

/// Who came and went.
fn attendance(gossip: &Gossip, scenario: &Scenario, world: &World<'_, Seated>) -> Attendance {
    let lives = scenario.faults().lives();
    let mut attendance = Attendance {
        rogues: scenario.roles.keys().copied().collect(),
        absent: scenario.roles.keys().copied().collect(),
        ..Attendance::default()
    };
    let honest = |node: &NodeId| !scenario.roles.contains_key(node);
    for node in lives.nodes().into_iter().filter(honest) {
        if world.is_up(node) {
            let since = lives.up_since(node, world.now());
            attendance.started.insert(node, since);
        } else {
            attendance.absent.push(node);
        }
    }
    attendance.absent.sort_unstable();
    let evicting = gossip.evictions.keys().copied();
    let mut concerned: Vec<_> = lives.nodes().into_iter().chain(evicting).collect();
    concerned.sort_unstable();
    concerned.dedup();
    for node in concerned {
        let Some(seated) = world.kept(node) else {
            continue;
        };
        // The run may have ended between two checks.
        gossip.audit(seated);
        let is_over = !world.is_up(node);
        let past = seated.past_records(gossip, is_over).into_iter();
        attendance.past.extend(past.map(|record| (node, record)));
        let recovered = seated.all_recovered(gossip).into_iter();
        let recovered = recovered.map(|(item, at)| (node, item, at));
        attendance.recovered.extend(recovered);
        if !is_over {
            let evicted = seated.evicted().into_iter();
            attendance.evicted.extend(evicted.map(|item| (node, item)));
        }
    }
    attendance
}

/// What came from one node to another that did not hold it, in the measuring interval or the whole run.
struct Received {
    from: NodeId,
    node: NodeId,
    item: u32,
}

fn received(
    measure: Option<Measure>,
    records: &[Vec<Record>],
    attendance: &Attendance,
) -> Vec<Received> {
    let held = (0..).zip(records);
    let held = held.flat_map(|(node, records)| records.iter().map(move |record| (node, record)));
    let past = attendance.past.iter().map(|(node, record)| (*node, record));
    let counts = |record: &Record| measure.is_none_or(|measure| measure.contains(record.at));
    let counted = held.chain(past).filter(|(_, record)| counts(record));
    let received = counted.filter_map(|(node, record)| {
        Some(Received {
            from: record.from?,
            node,
            item: record.item,
        })
    });
    received.collect()
}

fn first_receipts(gossip: &Gossip, received: &[Received]) -> FirstReceipts {
    let length = |it: &Received| gossip.items[it.item as usize].body.len() as u64;
    FirstReceipts {
        bodies: received.len() as u64,
        payload: received.iter().map(length).sum(),
    }
}

/// What went over each edge. A body that was the first went from its giver to its taker; of others it is not known who sent them.
fn edge_bytes(
    gossip: &Gossip,
    graph: &Graph,
    counted: &Counters,
    received: &[Received],
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
    for it in received {
        let payload = gossip.items[it.item as usize].body.len();
        of_edge(it.from, it.node, 0, payload as u64);
    }
    edges
}

/// What nodes should have and do not: the first of it with the reason, as nobody reads it of all, and how much it is.
fn missing(inquest: &Inquest<'_>) -> (Vec<Missing>, u64) {
    let items = &inquest.gossip.items;
    let numbers = (0..).zip(items).map(|(number, _)| number);
    let can_be_had: Vec<bool> = numbers.map(|number| !inquest.is_lost(number)).collect();
    let (mut listed, mut total) = (Vec::new(), 0);
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
            for ((number, item), can_be_had) in (0..).zip(items).zip(&can_be_had) {
                if !can_be_had || !wanted.contains(number) || has(number) {
                    continue;
                }
                total += 1;
                if listed.len() < Report::LISTED_MAX {
                    listed.push(Missing {
                        node: *node,
                        hash: item.hash.to_string(),
                        name: item.name.clone(),
                        why: inquest.why(*node, number),
                    });
                }
            }
        }
    }
    (listed, total)
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
