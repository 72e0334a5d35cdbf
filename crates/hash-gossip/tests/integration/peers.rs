//! Peers that do not behave.

use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::io::AsyncWriteExt;
use hash_exchange::{Connection, Hash, Kind, Limits, MemoryBody, MemoryStore};
use hash_gossip::{Config, Host, Loss, Neighbour, Node};

use crate::world::{Address, Site, Stream, TestNode, World};

const SECOND: Duration = Duration::from_secs(1);

type Raw = Connection<Stream, MemoryBody>;

/// A node that knows peers only as those who dial it.
fn dialled(world: &World, config: Config, peers: impl IntoIterator<Item = Address>) -> TestNode {
    let neighbours = peers
        .into_iter()
        .map(|address| Neighbour {
            address,
            dial: false,
        })
        .collect();
    Node::start(world.site(0), config, neighbours)
}

/// A peer that dials node 0, says something and then never does anything any more.
fn mute_after(world: &World, site: Site, say: impl FnOnce(&mut Raw) + 'static) {
    world.spawn(async move {
        let stream = site.connect(&0).await.expect("node 0 is there");
        let mut connection = Raw::new(stream);
        say(&mut connection);
        let flushed = connection.poll_flush(&mut Context::from_waker(Waker::noop()));
        assert!(flushed.is_ready());
        std::future::pending().await
    });
}

#[test]
fn a_mute_peer_costs_one_stall() {
    let mut world = World::new();
    let node = dialled(&world, Config::default(), [1, 2]);
    let body = b"wanted";
    mute_after(&world, world.site(1), |connection| {
        connection.provide([&Hash::sha1(body)]).expect("it is open");
    });
    world.run_for(SECOND);
    assert_eq!(node.in_flight(), 1);
    let honest = Node::start(
        world.site(2),
        Config::default(),
        vec![Neighbour {
            address: 0,
            dial: true,
        }],
    );
    let hash = honest.publish(*body);
    world.run_for(3 * SECOND);
    assert!(!node.holds(&hash), "the mute peer still has its chance");
    world.run_for(2 * SECOND);
    assert_eq!(node.record(&hash).expect("it came").from, Some(2));
    assert!(
        node.neighbour(&1).expect("a neighbour").up,
        "silence is no crime"
    );
    assert_eq!((node.in_flight(), node.deadline()), (0, None));
}

#[test]
fn a_lie_is_refused_and_the_truth_is_found() {
    let mut world = World::new();
    let nodes = world.nodes(&[(0, 1), (1, 2)]);
    let truth = Hash::sha1(b"the truth");
    nodes[0].publish_hashed(truth.clone(), Rc::from(*b"something else"));
    world.run_for(20 * SECOND);
    assert!(!nodes[1].holds(&truth) && !nodes[2].holds(&truth));
    assert_eq!(nodes[1].rejected(), 1, "a liar is not asked again");
    assert!(nodes[1].neighbour(&0).expect("a neighbour").up);

    nodes[2].publish_hashed(truth.clone(), Rc::from(*b"the truth"));
    world.run_for(SECOND);
    assert_eq!(nodes[1].body(&truth).as_deref(), Some(&b"the truth"[..]));
    assert_eq!(nodes[1].record(&truth).expect("it came").from, Some(2));
    assert_eq!(nodes[1].rejected(), 1);
}

#[test]
fn garbage_ends_the_connection_and_no_more() {
    let mut world = World::new();
    let node = dialled(&world, Config::default(), [1, 2]);
    let site = world.site(1);
    world.spawn(async move {
        let mut stream = site.connect(&0).await.expect("node 0 is there");
        stream
            .write_all(&[3, 8, 2, 0x80])
            .await
            .expect("it is open");
        std::future::pending().await
    });
    world.run_for(SECOND);
    let status = node.neighbour(&1).expect("a neighbour");
    assert!(!status.up);
    assert!(
        matches!(status.last_loss, Some((_, Loss::Failed(_)))),
        "{status:?}"
    );
}

#[test]
fn a_flood_of_offers_ends_the_connection() {
    let mut world = World::new();
    let config = Config {
        max_offers: 10,
        ..Config::default()
    };
    let node = dialled(&world, config, [1]);
    mute_after(&world, world.site(1), |connection| {
        let hashes: Vec<_> = (0..11_u8).map(|byte| Hash::sha1(&[byte])).collect();
        connection.provide(&hashes).expect("it is open");
    });
    world.run_for(SECOND);
    let status = node.neighbour(&1).expect("a neighbour");
    assert!(!status.up && matches!(status.last_loss, Some((_, Loss::Flooded))));
    assert_eq!(
        (node.in_flight(), node.known()),
        (0, 0),
        "what only that peer offered is forgotten"
    );
}

#[test]
fn names_that_cannot_be_checked_are_not_wanted() {
    let mut world = World::new();
    let node = dialled(&world, Config::default(), [1]);
    mute_after(&world, world.site(1), |connection| {
        connection
            .provide([&Hash::new("any name")])
            .expect("it is open");
    });
    world.run_for(SECOND);
    assert!(node.neighbour(&1).expect("a neighbour").up);
    assert_eq!(node.in_flight(), 0);
}

#[test]
fn a_body_beyond_the_bound_is_cancelled() {
    let mut world = World::new();
    world.set_window(4000);
    let config = Config {
        max_body: 10_000,
        ..Config::default()
    };
    let node = dialled(&world, config, [1]);
    let sender = Node::start(
        world.site(1),
        Config::default(),
        vec![Neighbour {
            address: 0,
            dial: true,
        }],
    );
    let large = sender.publish(vec![0; 1_000_000]);
    let small = sender.publish(vec![1; 10_000]);
    world.run_for(4 * SECOND);
    assert!(node.holds(&small) && !node.holds(&large));
    assert!(node.payload_bytes() < 300_000, "the rest was not sent");
    assert!(node.neighbour(&1).expect("a neighbour").up);
}

#[test]
fn strangers_are_accepted_only_if_there_is_room_for_them() {
    let mut world = World::new();
    let config = Config {
        max_strangers: 1,
        ..Config::default()
    };
    let node = dialled(&world, config, []);
    let news = node.publish(*b"news");
    let strangers: Vec<_> = [1, 2]
        .map(|own| {
            let neighbours = vec![Neighbour {
                address: 0,
                dial: true,
            }];
            Node::start(world.site(own), Config::default(), neighbours)
        })
        .into();
    world.run_for(SECOND);
    assert!(strangers[0].holds(&news) && !strangers[1].holds(&news));
    world.wall(0, 1);
    world.cut(0, 1);
    world.run_for(20 * SECOND);
    assert!(
        strangers[1].holds(&news),
        "the place of one who has gone is free"
    );
}

#[test]
fn a_peer_that_closes_is_served_and_let_go() {
    let mut world = World::new();
    let node = dialled(&world, Config::default(), [1]);
    let news = node.publish(*b"news");
    let site = world.site(1);
    world.spawn(async move {
        let stream = site.connect(&0).await.expect("node 0 is there");
        let mut connection = Raw::new(stream);
        let mut store = MemoryStore::new();
        let old = store.add(*b"old");
        connection.provide([&old]).expect("it is open");
        connection.request([&news]).expect("it is open");
        connection.close();
        while let Some(_event) = connection.next(&mut store).await.expect("all is well") {}
        assert_eq!(store.read(&news).map(|body| &**body), Some(&b"news"[..]));
    });
    world.run_for(SECOND);
    let status = node.neighbour(&1).expect("a neighbour");
    assert!(
        !status.up && matches!(status.last_loss, Some((_, Loss::Ended))),
        "{status:?}"
    );
}

#[test]
fn requests_wait_until_the_connection_has_room_for_them() {
    let mut world = World::new();
    let limits = Limits {
        requested: 7,
        ..Limits::default()
    };
    let config = Config {
        limits: limits.into(),
        ..Config::default()
    };
    let node = dialled(&world, config, [1]);
    let neighbours = vec![Neighbour {
        address: 0,
        dial: true,
    }];
    let sender = Node::start(world.site(1), Config::default(), neighbours);
    for number in 0..100_u8 {
        sender.publish([number]);
    }
    world.run_for(5 * SECOND);
    assert_eq!(node.hashes().len(), 100);
    assert_eq!(node.duplicates(), 0);
}

#[test]
fn what_came_while_its_request_waited_is_not_asked_for() {
    let mut world = World::new();
    let limits = Limits {
        requested: 1,
        ..Limits::default()
    };
    let config = Config {
        limits: limits.into(),
        ..Config::default()
    };
    let node = dialled(&world, config, [1]);
    let neighbours = vec![Neighbour {
        address: 0,
        dial: true,
    }];
    let sender = Node::start(world.site(1), Config::default(), neighbours);
    for number in 0..10_u8 {
        sender.publish([number]);
    }
    // The offers have arrived, and no answer.
    world.run_for(SECOND / 40);
    assert_eq!(node.in_flight(), 10);
    for number in 0..10_u8 {
        node.publish([number]);
    }
    world.run_for(SECOND);
    assert_eq!(node.sent().frames(Kind::Request), 1);
    assert_eq!(node.in_flight(), 0);
}
