use hash_exchange::{Kind, Tag, Tally};
use hxsim::metrics::{
    Attendance, EdgeBytes, Metrics, NetworkTotals, Observed, Point, Presence, Ratio, Record,
};
use hxsim::topology::{Graph, Topology};
use hxsim::workload::{Body, Item, Workload};
use proptest::prelude::*;
use simnet::{NodeId, Schedule, Time};

/// A run of which only the interesting part is told.
pub(crate) struct World {
    pub(crate) graph: Graph,
    pub(crate) items: Vec<Item>,
    pub(crate) records: Vec<Vec<Record>>,
    pub(crate) attendance: Attendance,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) node_bytes: Vec<u64>,
    pub(crate) edge_bytes: Vec<EdgeBytes>,
    pub(crate) network: NetworkTotals,
}

impl World {
    /// Bodies by (length, holders, milliseconds at which they are published).
    pub(crate) fn new(topology: &Topology, nodes: u32, bodies: &[(usize, &[NodeId], u64)]) -> Self {
        let bodies = bodies
            .iter()
            .zip(0..)
            .map(|(&(length, holders, at), tag)| Body {
                bytes: vec![tag; length],
                nodes: holders.to_vec(),
                at: Time::from_millis(at),
            });
        let workload = Workload::Bodies(bodies.collect());
        let items = workload.items(nodes, 1).expect("no I/O");
        let mut records = vec![Vec::new(); nodes as usize];
        for (item, index) in items.iter().zip(0..) {
            for &holder in &item.holders {
                records[holder as usize].push(Record {
                    item: index,
                    at: item.at,
                    from: None,
                    receipts: 0,
                });
            }
        }
        Self {
            graph: topology.graph(nodes, 1).expect("a possible graph"),
            items,
            records,
            attendance: Attendance::default(),
            tallies: vec![Tally::default(); nodes as usize],
            node_bytes: vec![0; nodes as usize],
            edge_bytes: Vec::new(),
            network: NetworkTotals::default(),
        }
    }

    /// At a millisecond an item comes from one node to another, which later receives it again so many times.
    pub(crate) fn deliver(&mut self, item: u32, at: u64, from: NodeId, to: NodeId, again: u32) {
        self.records[to as usize].push(Record {
            item,
            at: Time::from_millis(at),
            from: Some(from),
            receipts: 1 + again,
        });
    }

    pub(crate) fn metrics(&self) -> Metrics {
        self.metrics_of(None)
    }

    fn metrics_of(&self, presence: Option<Presence<'_>>) -> Metrics {
        Metrics::new(&Observed {
            graph: &self.graph,
            items: &self.items,
            records: &self.records,
            attendance: &self.attendance,
            tallies: &self.tallies,
            node_bytes: &self.node_bytes,
            edge_bytes: &self.edge_bytes,
            network: self.network,
            presence,
            first_receipts: None,
        })
    }
}

#[test]
fn availability_is_of_all_lives_and_all_their_time() {
    let mut world = World::new(&Topology::Line, 2, &[(100, &[0], 5)]);
    let ms = Time::from_millis;
    let schedule = Schedule::default().crash(ms(10), 1).restart(ms(20), 1);
    let lives = schedule.lives();
    // It came after 3 ms in the first life, which went on for 2 ms, and after 10 of 20 ms in the second.
    world.deliver(0, 30, 0, 1, 0);
    let past = Record {
        item: 0,
        at: ms(8),
        from: Some(0),
        receipts: 1,
    };
    world.attendance.past.push((1, past));
    let availability = |from, until| {
        let presence = Presence {
            lives: &lives,
            from: ms(from),
            until: ms(until),
        };
        let metrics = world.metrics_of(Some(presence));
        let availability = metrics.convergence.availability;
        availability
            .expect("somebody comes and goes")
            .ten_thousandths()
    };
    assert_eq!(availability(0, 40), Some(10_000 * (2 + 10) / (5 + 20)));
    assert_eq!(availability(25, 40), Some(10_000 * 10 / 15));
    assert_eq!(availability(0, 9), Some(10_000 / 4));
    assert_eq!(availability(0, 5), None, "nothing was there");
    assert_eq!(world.metrics().convergence.availability, None);
}

const MS: u64 = 1_000_000;

/// Nodes 0 - 1 - 2 - 3. Item 0 walks down the whole line, and node 2 gets it twice. Item 1 begins at both ends and never reaches node 2.
fn line() -> World {
    let mut world = World::new(&Topology::Line, 4, &[(100, &[0], 0), (50, &[0, 3], 5)]);
    world.deliver(0, 10, 0, 1, 0);
    world.deliver(1, 15, 0, 1, 0);
    world.deliver(0, 20, 1, 2, 1);
    world.deliver(0, 30, 2, 3, 0);
    world.network.accepted = 1_000;
    let tag = |kind, content| Tag {
        kind,
        content,
        framing: 10,
    };
    world.tallies[0].extend([tag(Kind::Body, 100), tag(Kind::Body, 50)]);
    world.tallies[1].extend([tag(Kind::Body, 200), tag(Kind::Request, 40)]);
    world.tallies[2].extend([tag(Kind::Body, 100)]);
    world.node_bytes = vec![400, 100, 300, 200];
    world
}

#[test]
fn what_a_node_published_is_no_delivery() {
    let convergence = line().metrics().convergence;
    assert_eq!(convergence.published, 3);
    assert_eq!(convergence.pairs, 3 + 2);
    assert_eq!(convergence.delivered, 4);
    assert_eq!(convergence.reliability, Ratio::new(4, 5));
}

/// The line again. Node 1 has crashed and come back at 40 ms with nothing, and got both items anew; node 3 is down; node 2 was made to
/// let go of item 0, and so of all that it ever had.
fn lively() -> World {
    let mut world = line();
    let mut past = |node: NodeId, records: &mut Vec<Record>| {
        let gone = records.drain(..).map(|record| (node, record));
        world.attendance.past.extend(gone);
    };
    for node in 1..4 {
        past(node, &mut world.records[node as usize]);
    }
    world.attendance.absent = vec![3];
    world.attendance.started = [(1, Time::from_millis(40))].into();
    world.attendance.evicted = vec![(2, 0)];
    world.deliver(0, 55, 2, 1, 0);
    world.deliver(1, 60, 0, 1, 0);
    world
}

#[test]
fn those_who_are_down_and_what_was_let_go_of_are_not_judged() {
    let convergence = lively().metrics().convergence;
    // Node 0 published both; of node 2 only item 1 is asked, which never came.
    assert_eq!((convergence.published, convergence.pairs), (2, 3));
    assert_eq!(convergence.delivered, 2);
    assert_eq!(convergence.t50_ns, Some(60 * MS), "the last time counts");
    assert_eq!(
        convergence.delay_max_ns,
        Some(20 * MS),
        "since node 1 started"
    );
}

#[test]
fn what_came_in_an_earlier_life_has_cost_what_it_cost() {
    let metrics = lively().metrics();
    let before = line().metrics();
    // Four deliveries before and two since; one body came twice.
    assert_eq!(metrics.overhead.duplicate_factor, Ratio::new(7, 6));
    assert_eq!(metrics.frames, before.frames);
    assert_eq!(
        metrics.overhead.node_bytes_max,
        before.overhead.node_bytes_max
    );
    // Item 0 went on from node 1 to 2 and 3, and from 2 back to 1.
    assert_eq!(metrics.overhead.ldh_max, 3);
    assert_eq!(
        metrics.overhead.control_bytes_per_delivery,
        Ratio::new(550, 6)
    );
    // One pair of item 0 with 100 bytes, two of item 1 with 50.
    assert_eq!(metrics.overhead.traffic_over_ideal, Ratio::new(1_000, 200));
}

#[test]
fn coverage_counts_all_pairs_and_delay_only_those_that_came() {
    let convergence = line().metrics().convergence;
    assert_eq!(convergence.t50_ns, Some(20 * MS), "the third of five pairs");
    assert_eq!(convergence.t90_ns, None, "the fifth never came");
    // Delays are 10, 10 (15 - 5), 20 and 30 ms.
    assert_eq!(convergence.delay_p50_ns, Some(10 * MS));
    assert_eq!(convergence.delay_p99_ns, Some(30 * MS));
    assert_eq!(convergence.delay_max_ns, Some(30 * MS));
}

#[test]
fn redundancy_is_what_came_beside_the_first() {
    let overhead = line().metrics().overhead;
    // Item 0: four receipts for three deliveries; item 1: one for one.
    assert_eq!(overhead.rmr_max, Ratio::new(1, 3));
    assert_eq!(overhead.rmr_mean.to_string(), "0.1666");
    assert_eq!(overhead.duplicate_factor, Ratio::new(5, 4));
}

#[test]
fn hops_are_counted_along_the_way_a_body_took() {
    let overhead = line().metrics().overhead;
    assert_eq!((overhead.ldh_max, overhead.ldh_mean), (3, Ratio::new(4, 2)));
    assert_eq!(overhead.stretch_max.to_string(), "1.0000");

    // The long way around a ring: three hops where two would do.
    let mut ring = World::new(&Topology::Ring, 4, &[(1, &[0], 0)]);
    ring.deliver(0, 10, 0, 1, 0);
    ring.deliver(0, 20, 1, 2, 0);
    ring.deliver(0, 30, 2, 3, 0);
    let overhead = ring.metrics().overhead;
    assert_eq!(
        (overhead.ldh_max, overhead.stretch_max),
        (3, Ratio::new(3, 2))
    );
}

#[test]
fn bytes_are_weighed_against_what_had_to_be_sent() {
    let metrics = line().metrics();
    let overhead = metrics.overhead;
    // 450 of the 1,000 bytes were bodies; the ideal is 3 x 100 + 2 x 50.
    assert_eq!(overhead.control_bytes_per_delivery, Ratio::new(550, 4));
    assert_eq!(overhead.traffic_over_ideal, Ratio::new(1_000, 400));
    assert_eq!(overhead.frames_per_hash_and_node, Ratio::new(5, 8));
    assert_eq!(
        [
            overhead.node_bytes_p50,
            overhead.node_bytes_p99,
            overhead.node_bytes_max
        ],
        [200, 400, 400]
    );
    let body = &metrics.frames[Kind::Body as usize];
    assert_eq!(
        (body.kind, body.frames, body.content, body.framing),
        ("body", 4, 450, 40)
    );
}

#[test]
fn an_edge_is_idle_if_no_body_ever_went_over_it() {
    let mut world = line();
    assert_eq!(
        world.metrics().overhead.idle_bytes_per_edge,
        Ratio::UNDEFINED
    );
    world.edge_bytes = [(500, 300), (60, 0), (80, 0)]
        .map(|(wire, payload)| EdgeBytes { wire, payload })
        .to_vec();
    assert_eq!(
        world.metrics().overhead.idle_bytes_per_edge,
        Ratio::new(140, 2)
    );
}

#[test]
fn a_network_of_nothing_has_figures_too() {
    let world = World::new(&Topology::Line, 1, &[]);
    let metrics = world.metrics();
    assert_eq!(metrics.convergence.reliability, Ratio::UNDEFINED);
    assert_eq!(metrics.convergence.t100_ns, None);
    assert_eq!(metrics.curve, []);
    assert_eq!(metrics.overhead.ldh_max, 0);
}

#[test]
fn the_network_accounts_for_every_byte() {
    let totals = NetworkTotals {
        accepted: 10,
        delivered: 7,
        discarded: 2,
        in_flight: 1,
        ..NetworkTotals::default()
    };
    assert!(totals.balanced());
    assert!(
        !NetworkTotals {
            in_flight: 0,
            ..totals
        }
        .balanced()
    );
}

proptest! {
    /// A short curve is exact; a long one has 200 steps and is nowhere further off than half a per cent.
    #[test]
    fn the_curve_is_exact_to_half_a_per_cent(times in prop::collection::vec(1..5_000_u64, 1..1_500)) {
        let nodes = times.len() as u32 + 1;
        let mut world = World::new(&Topology::Star, nodes, &[(1, &[0], 0)]);
        for (&at, to) in times.iter().zip(1..) {
            world.deliver(0, at, 0, to, 0);
        }
        let metrics = world.metrics();
        prop_assert!(metrics.curve.len() <= 200);
        prop_assert!(metrics.curve.is_sorted_by(|a, b| a.at_ns < b.at_ns && a.delivered < b.delivered));
        let exact = |at_ns: u64| times.iter().filter(|&&at| at * MS <= at_ns).count() as u64;
        for &Point { at_ns, delivered } in &metrics.curve {
            prop_assert_eq!(delivered, exact(at_ns));
        }
        let allowed = if times.len() <= 200 { 0 } else { times.len() as u64 / 199 + 1 };
        for at_ns in times.iter().map(|&at| at * MS) {
            let shown = metrics.curve.iter().rev().find(|point| point.at_ns <= at_ns);
            let shown = shown.map_or(0, |point| point.delivered);
            prop_assert!(exact(at_ns) - shown <= allowed);
        }
        prop_assert_eq!(metrics.convergence.t100_ns, times.iter().max().map(|&at| at * MS));
    }
}
