use std::time::Duration;

use simnet::{Host, Jitter, Layout, Link, Members, Network, Quantiles, Region, Time};

use crate::world::{MS, PORT, network, world};

fn named(nodes: &[u32]) -> Region {
    Region {
        members: Members::Nodes(nodes.to_vec()),
        access: None,
    }
}

/// How long a dial from the first node to the second takes.
fn round_trip(network: &Network, from: u32, to: u32) -> Duration {
    let mut world = world(
        network,
        Layout::default(),
        move |host: Host, notes| async move {
            if host.id() == to {
                host.listen(PORT)
                    .expect("nobody listens yet")
                    .accept()
                    .await;
            } else if host.id() == from {
                let before = host.now();
                drop(host.connect(to, PORT).await.expect("it listens"));
                notes.borrow_mut().push(host.now().since(before));
            }
        },
    );
    world.run_until(Time::from_secs(10)).expect("time passes");
    world.node(from).borrow()[0]
}

#[test]
fn a_link_is_that_of_its_regions_unless_it_is_named_itself() {
    let mut network = network(5);
    let links = &mut network.links;
    links.regions.regions = vec![named(&[0, 1]), named(&[2, 3, 4])];
    let constant = |ms| Link::constant(ms * MS);
    links.regions.links.insert((0, 0), constant(1));
    links.regions.links.insert((0, 1), constant(40));
    links.regions.links.insert((1, 0), constant(60));
    links.exceptions.insert((1, 4), constant(2));
    links.exceptions.insert((4, 1), constant(3));
    let expected = [
        (0, 1, 1 + 1),
        (0, 2, 40 + 60),
        (3, 1, 60 + 40),
        (2, 3, 10 + 10),
        (1, 4, 2 + 3),
    ];
    for (from, to, ms) in expected {
        assert_eq!(round_trip(&network, from, to), ms * MS, "{from} to {to}");
        let links = &network.links;
        let one_way = links.between(1, from, to).floor + links.between(1, to, from).floor;
        assert_eq!(one_way, ms * MS);
    }
    assert_eq!(network.links.lookahead(), MS);
    network.links.regions.links.insert((0, 0), constant(5));
    assert_eq!(network.links.lookahead(), 2 * MS, "the single link");
    network.links.exceptions.clear();
    assert_eq!(network.links.lookahead(), 5 * MS);
    network.links.regions.links.insert((1, 1), constant(50));
    network.links.default = constant(1);
    assert_eq!(network.links.lookahead(), 5 * MS, "no pair has the default");
}

/// One way has the table, the other a constant latency, so a round trip shows the draw.
#[test]
fn latencies_come_from_the_table_of_their_link() {
    let quantiles = Quantiles::pareto(10 * MS, 1_000_000).expect("it can be");
    let mut network = network(2);
    let answer = Link::constant(MS);
    network.links.default = Link {
        jitter: Jitter::Quantiles(quantiles.into()),
        ..Link::constant(5 * MS)
    };
    network.links.exceptions.insert((1, 0), answer);
    let mut latencies: Vec<_> = (0..1_000)
        .map(|seed| {
            network.seed = seed;
            round_trip(&network, 0, 1) - 6 * MS
        })
        .collect();
    latencies.sort_unstable();
    assert!(latencies[0] >= 10 * MS, "the scale");
    // A draw is longer than x with probability 10 ms / x; five deviations of a binomial count of a thousand.
    for (longer_than, share) in [(20, 500_usize), (100, 100), (500, 20)] {
        let shorter = latencies.partition_point(|it| *it <= longer_than * MS);
        let allowed = 5 * (share * (1_000 - share) / 1_000).isqrt() + 1;
        assert!(
            (1_000 - shorter).abs_diff(share) <= allowed,
            "{longer_than}: {shorter}"
        );
    }
}
