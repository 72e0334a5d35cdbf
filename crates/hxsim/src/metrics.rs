//! What a run comes to: pure functions from what the nodes and the network counted.
//!
//! The figures have the names and formulas of the literature: RMR and LDH of Plumtree (Leitão et al. 2007), cost per
//! announcement of Erlay (Naumenko et al. 2019). A *pair* is a node that is up at the end and an item that it did not publish itself: what a
//! node held from the start is no delivery. Everything is an integer until it is printed.
//!
//! If a scenario has a measuring interval, items are those that are published within it, and bytes and frames those that are sent within it: see
//! [`Measure`](crate::scenario::Measure).

mod availability;
mod ratio;

use std::collections::BTreeMap;

use hash_exchange::{Kind, Tally};
use serde::Serialize;
use simnet::{NodeId, Time};

pub use availability::Presence;
pub use ratio::Ratio;

use crate::topology::Graph;
use crate::workload::Item;

/// How a node came by an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The index of the item in the workload.
    pub item: u32,
    /// When the node had it, whole and verified.
    pub at: Time,
    /// Who it came from; `None` if the node published it itself.
    pub from: Option<NodeId>,
    /// Complete bodies of it that arrived at the node, the first one and duplicates.
    pub receipts: u32,
}

/// What went over one edge, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeBytes {
    /// All bytes.
    pub wire: u64,
    /// Bytes of bodies among them.
    pub payload: u64,
}

/// What all links together carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkTotals {
    /// Bytes that streams took from their writers.
    pub accepted: u64,
    /// Bytes that readers could read.
    pub delivered: u64,
    /// Bytes that went down with a stream.
    pub discarded: u64,
    /// Bytes under way when the run ended.
    pub in_flight: u64,
    /// Bytes sent again because they were lost.
    pub retransmitted: u64,
    /// Segments that the bytes were cut into.
    pub segments: u64,
}

impl NetworkTotals {
    /// Whether every byte is accounted for.
    pub const fn balanced(&self) -> bool {
        self.accepted == self.delivered + self.discarded + self.in_flight
    }
}

/// All that the figures derive from.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Who was whose neighbour.
    pub graph: &'a Graph,
    /// What was published.
    pub items: &'a [Item],
    /// For each node what it holds; nothing for one that is down.
    pub records: &'a [Vec<Record>],
    /// Who came and went.
    pub attendance: &'a Attendance,
    /// The frames that were sent: tallies of nodes, or of all of them together.
    pub tallies: &'a [Tally],
    /// For each node the bytes it put on the wire.
    pub node_bytes: &'a [u64],
    /// For each edge what went over it; empty if nobody counted.
    pub edge_bytes: &'a [EdgeBytes],
    /// What the network counted.
    pub network: NetworkTotals,
    /// When nodes were up; `None` if nobody came or went.
    pub presence: Option<Presence<'a>>,
    /// What came first to nodes while bytes were counted; `None`: they were counted all the time.
    pub first_receipts: Option<FirstReceipts>,
}

/// Bodies that came to nodes which did not hold them, whenever they were published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstReceipts {
    /// How many.
    pub bodies: u64,
    /// Their bytes.
    pub payload: u64,
}

/// Who came and went until the end of a run, and what they took with them. By default nobody did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attendance {
    /// The nodes that are down or play a role, sorted. They are not judged.
    pub absent: Vec<NodeId>,
    /// The nodes that play a role, sorted.
    pub rogues: Vec<NodeId>,
    /// When those have last started that are up, but were not from the start to the end.
    pub started: BTreeMap<NodeId, Time>,
    /// What a node that is up was made to let go of and does not hold. It is not judged by that.
    pub evicted: Vec<(NodeId, u32)>,
    /// What came to a node, and is not held by it any more.
    pub past: Vec<(NodeId, Record)>,
    /// What each life of a node found on its disk, and when.
    pub recovered: Vec<(NodeId, u32, Time)>,
}

/// The figures of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// How many, how fast, how complete.
    pub convergence: Convergence,
    /// The share of pairs delivered over time.
    pub curve: Vec<Point>,
    /// Frames and bytes by kind.
    pub frames: Vec<FrameCount>,
    /// What it cost.
    pub overhead: Overhead,
    /// What the links carried.
    pub network: NetworkTotals,
}

/// How far the items came, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Convergence {
    /// Pairs of a node and an item that it did not publish itself. Nodes that are down at the end are in none, and neither is what a node was made
    /// to let go of.
    pub pairs: u64,
    /// Those of them that were delivered: the node holds the item at the end. If it came several times, as a node forgets when it restarts, the
    /// last time counts.
    pub delivered: u64,
    /// Pairs of a node and an item that it published.
    pub published: u64,
    /// Delivered pairs over all pairs.
    pub reliability: Ratio,
    /// Of all time for which a node was up and an item that it did not publish itself was there, the part for which the node held it. Other figures of
    /// convergence are of those who are up at the end; this one is of all lives of all nodes. What a node was made to let go of is taken as held until its life
    /// ended. Absent if nobody came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<Ratio>,
    /// When half of all pairs were delivered, since the start of the run.
    pub t50_ns: Option<u64>,
    /// When 90 % were.
    pub t90_ns: Option<u64>,
    /// When 99 % were.
    pub t99_ns: Option<u64>,
    /// When all were.
    pub t100_ns: Option<u64>,
    /// Half of all deliveries came within this time of the item's publication, or of the node's last start if that was later.
    pub delay_p50_ns: Option<u64>,
    /// 99 % of them did.
    pub delay_p99_ns: Option<u64>,
    /// All of them did.
    pub delay_max_ns: Option<u64>,
}

/// A point of the coverage curve: from this time on so many pairs are delivered, until the next point says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Since the start of the run.
    pub at_ns: u64,
    /// Pairs.
    pub delivered: u64,
}

/// Frames of one kind that all nodes sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameCount {
    /// The kind's name.
    pub kind: &'static str,
    /// How many.
    pub frames: u64,
    /// Bytes of messages or bodies in them.
    pub content: u64,
    /// Bytes around those.
    pub framing: u64,
}

/// What the deliveries cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overhead {
    /// Relative message redundancy, receipts / deliveries - 1 of an item (with one publisher: receipts / (n - 1) - 1), mean over items. Here and
    /// below all first receipts are deliveries, those of the earlier lives of a node too.
    pub rmr_mean: Ratio,
    /// That of the worst item.
    pub rmr_max: Ratio,
    /// Complete bodies received for each delivery, over all items.
    pub duplicate_factor: Ratio,
    /// Last delivery hop: how many hops an item took to the node it reached by most, mean over items.
    pub ldh_mean: Ratio,
    /// That of the longest way.
    pub ldh_max: u32,
    /// LDH over the hops that the shortest ways would have taken (the eccentricity of the publishers), mean over the items that every node has.
    pub stretch_mean: Ratio,
    /// That of the worst item.
    pub stretch_max: Ratio,
    /// Bytes that were no bodies, for each delivery. In a measuring interval both are those of the interval, whenever the body was published.
    pub control_bytes_per_delivery: Ratio,
    /// All bytes over what would do if every node got every body once and nothing else. In a measuring interval: over the bodies that came first
    /// to nodes within it.
    pub traffic_over_ideal: Ratio,
    /// Frames for each pair of an item and a node.
    pub frames_per_hash_and_node: Ratio,
    /// The median of the bytes a node sent.
    pub node_bytes_p50: u64,
    /// 99 % of the nodes sent at most this.
    pub node_bytes_p99: u64,
    /// The most that a node sent.
    pub node_bytes_max: u64,
    /// What a connection cost that never carried a body: bytes over such edges, for each of them. Null if there was none, or nobody counted.
    pub idle_bytes_per_edge: Ratio,
}

/// The curve is an exact step function with at most so many steps.
pub const CURVE_POINTS: usize = 200;

impl Metrics {
    /// Computes all figures.
    ///
    /// # Panics
    ///
    /// If a record names an item or a node that there is not.
    pub fn new(observed: &Observed<'_>) -> Self {
        let spread = Spread::new(observed);
        Self {
            convergence: convergence(observed, &spread),
            curve: curve(&spread.times, CURVE_POINTS),
            frames: frames(observed.tallies),
            overhead: overhead(observed, &spread),
            network: observed.network,
        }
    }
}

/// What the records say, by item.
struct Spread {
    items: Vec<ItemSpread>,
    /// When each pair was delivered, sorted.
    times: Vec<u64>,
    /// How long after it could have been, sorted.
    delays: Vec<u64>,
    pairs: u64,
    published: u64,
}

#[derive(Clone, Default)]
struct ItemSpread {
    pairs: u64,
    deliveries: u64,
    receipts: u64,
    last_hop: u32,
    eccentricity: u32,
    /// Every node that is judged has it: only then its way can be measured against the shortest.
    complete: bool,
}

impl Spread {
    fn new(observed: &Observed<'_>) -> Self {
        let attendance = observed.attendance;
        let nodes = observed.graph.nodes() as usize - attendance.absent.len();
        let is_up = |node: &&NodeId| attendance.absent.binary_search(node).is_err();
        let mut evicted = vec![0; observed.items.len()];
        for (node, item) in &attendance.evicted {
            let published = observed.items[*item as usize].holders.contains(node);
            evicted[*item as usize] += u64::from(!published);
        }
        let by_item = by_item(observed);
        let mut spread = Self {
            items: Vec::with_capacity(by_item.len()),
            times: Vec::new(),
            delays: Vec::new(),
            pairs: 0,
            published: 0,
        };
        let mut eccentricities: BTreeMap<&[NodeId], u32> = BTreeMap::new();
        let mut hops = vec![0; observed.graph.nodes() as usize];
        for ((item, mut records), evicted) in observed.items.iter().zip(by_item).zip(evicted) {
            let eccentricity = *eccentricities
                .entry(&item.holders)
                .or_insert_with(|| observed.graph.eccentricity(&item.holders));
            let holders = item.holders.iter().filter(is_up).count() as u64;
            spread.published += holders;
            records.sort_unstable_by_key(|came| (came.record.at, came.node));
            let mut summary = ItemSpread {
                pairs: nodes as u64 - holders - evicted,
                last_hop: last_hop(&records, &mut hops),
                eccentricity,
                ..ItemSpread::default()
            };
            spread.pairs += summary.pairs;
            let held = records.iter().filter(|came| came.is_held).count();
            summary.complete = nodes > 0 && held == nodes;
            for Came {
                node,
                record,
                is_held,
            } in records
            {
                summary.receipts += u64::from(record.receipts);
                if record.from.is_none() {
                    continue;
                }
                summary.deliveries += 1;
                if is_held {
                    spread.times.push(record.at.as_nanos());
                    let started = attendance.started.get(&node).copied().unwrap_or_default();
                    let delay = record.at.since(item.at.max(started)).as_nanos();
                    // No more than the time at which it came.
                    spread.delays.push(delay as u64);
                }
            }
            spread.items.push(summary);
        }
        spread.times.sort_unstable();
        spread.delays.sort_unstable();
        spread
    }

    /// How often an item came to a node that did not hold it.
    fn deliveries(&self) -> u64 {
        self.items.iter().map(|item| item.deliveries).sum()
    }
}

/// An item came to a node, which still holds it or not.
struct Came {
    node: NodeId,
    record: Record,
    is_held: bool,
}

/// The records of each item, with their nodes. A large network has millions: they are counted first, so that none is moved.
fn by_item(observed: &Observed<'_>) -> Vec<Vec<Came>> {
    let held = observed.records.iter().zip(0..);
    let held =
        held.flat_map(|(records, node)| records.iter().map(move |record| (node, record, true)));
    let past = observed.attendance.past.iter();
    let past = past.map(|(node, record)| (*node, record, false));
    let all = || held.clone().chain(past.clone());
    let mut counts = vec![0; observed.items.len()];
    for (_, record, _) in all() {
        counts[record.item as usize] += 1;
    }
    let mut by_item: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
    for (node, &record, is_held) in all() {
        by_item[record.item as usize].push(Came {
            node,
            record,
            is_held,
        });
    }
    by_item
}

/// The most hops of any delivery. A body comes from a node that had it earlier, so one pass in the order of time is enough.
fn last_hop(records: &[Came], hops: &mut [u32]) -> u32 {
    let mut last = 0;
    for &Came { node, record, .. } in records {
        let hop = record.from.map_or(0, |from| hops[from as usize] + 1);
        hops[node as usize] = hop;
        last = last.max(hop);
    }
    for came in records {
        hops[came.node as usize] = 0;
    }
    last
}

fn convergence(observed: &Observed<'_>, spread: &Spread) -> Convergence {
    debug_assert_eq!(observed.records.len(), observed.graph.nodes() as usize);
    let reached = |percent: u64| {
        let rank = (u128::from(spread.pairs) * u128::from(percent)).div_ceil(100);
        let rank = usize::try_from(rank).ok()?.checked_sub(1)?;
        spread.times.get(rank).copied()
    };
    Convergence {
        pairs: spread.pairs,
        delivered: spread.times.len() as u64,
        published: spread.published,
        reliability: Ratio::new(spread.times.len() as u64, spread.pairs),
        availability: observed
            .presence
            .map(|presence| presence.availability(observed)),
        t50_ns: reached(50),
        t90_ns: reached(90),
        t99_ns: reached(99),
        t100_ns: reached(100),
        delay_p50_ns: percentile(&spread.delays, 50),
        delay_p99_ns: percentile(&spread.delays, 99),
        delay_max_ns: spread.delays.last().copied(),
    }
}

/// The nearest-rank percentile of sorted values.
pub(crate) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The step function of sorted times in at most `most` steps, which are evenly apart in what they deliver: of a curve
/// with more steps, no point is further off than one part in `most - 1`. The first and the last step are always there.
fn curve(times: &[u64], most: usize) -> Vec<Point> {
    let Some(last) = times.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut points: Vec<Point> = Vec::new();
    for k in 0..most {
        let at_ns = times[last * k / (most - 1)];
        let delivered = times.partition_point(|&time| time <= at_ns) as u64;
        if points.last().is_none_or(|point| point.at_ns < at_ns) {
            points.push(Point { at_ns, delivered });
        }
    }
    points
}

fn total(tallies: &[Tally]) -> Tally {
    let mut total = Tally::default();
    for tally in tallies {
        total.merge(tally);
    }
    total
}

fn frames(tallies: &[Tally]) -> Vec<FrameCount> {
    let total = total(tallies);
    Kind::ALL
        .into_iter()
        .map(|kind| FrameCount {
            kind: kind.name(),
            frames: total.frames(kind),
            content: total.content(kind),
            framing: total.bytes(kind) - total.content(kind),
        })
        .collect()
}

fn overhead(observed: &Observed<'_>, spread: &Spread) -> Overhead {
    let total = total(observed.tallies);
    let wire = observed.network.accepted;
    let payload = total.content(Kind::Body);
    let nodes = u64::from(observed.graph.nodes());
    let items = observed.items.len() as u64;
    let receipts = spread.items.iter().map(|item| item.receipts).sum();
    let ideal = observed.items.iter().zip(&spread.items);
    let ideal = ideal.map(|(item, spread)| item.body.len() as u64 * spread.pairs);
    // Bytes of an interval carried what came within it, and not what came later of the items published then.
    let first = observed.first_receipts.unwrap_or_else(|| FirstReceipts {
        bodies: spread.deliveries(),
        payload: ideal.sum(),
    });
    let mut node_bytes = observed.node_bytes.to_vec();
    node_bytes.sort_unstable();

    let delivered = || spread.items.iter().filter(|item| item.deliveries > 0);
    let complete = || delivered().filter(|item| item.complete);
    let rmr = |item: &ItemSpread| {
        Ratio::new(
            item.receipts.saturating_sub(item.deliveries),
            item.deliveries,
        )
    };
    let stretch = |item: &ItemSpread| Ratio::new(item.last_hop.into(), item.eccentricity.into());
    let hops = delivered().map(|item| u64::from(item.last_hop)).sum();
    let idle = observed.edge_bytes.iter().filter(|edge| edge.payload == 0);
    Overhead {
        rmr_mean: Ratio::mean(delivered().map(rmr)),
        rmr_max: Ratio::max(delivered().map(rmr)),
        duplicate_factor: Ratio::new(receipts, spread.deliveries()),
        ldh_mean: Ratio::new(hops, delivered().count() as u64),
        ldh_max: delivered().map(|item| item.last_hop).max().unwrap_or(0),
        stretch_mean: Ratio::mean(complete().map(stretch)),
        stretch_max: Ratio::max(complete().map(stretch)),
        control_bytes_per_delivery: Ratio::new(wire.saturating_sub(payload), first.bodies),
        traffic_over_ideal: Ratio::new(wire, first.payload),
        frames_per_hash_and_node: Ratio::new(total.total_frames(), items * nodes),
        node_bytes_p50: percentile(&node_bytes, 50).unwrap_or(0),
        node_bytes_p99: percentile(&node_bytes, 99).unwrap_or(0),
        node_bytes_max: node_bytes.last().copied().unwrap_or(0),
        idle_bytes_per_edge: Ratio::new(
            idle.clone().map(|edge| edge.wire).sum(),
            idle.count() as u64,
        ),
    }
}
