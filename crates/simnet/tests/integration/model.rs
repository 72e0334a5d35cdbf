//! Streams beside a model of a few lines: each direction is a queue of bytes with an end.
//!
//! Both nodes dial each other at the same time, and play a script on each end of the two streams. Whatever they do and whatever befalls them, what is
//! read is a prefix of what was written, and an end is an end that was said.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use simnet::{Host, Layout, NodeId, Schedule, Stream, Time, World};

use crate::world::{PORT, assert_conserved, lossy, network, pattern, world};

/// What a node does with its end of a stream, one after the other. After the last it keeps the end.
#[derive(Clone, Debug)]
enum Step {
    /// Writes so many bytes, or as many of them as are taken within ten seconds.
    Write(usize),
    /// Reads so many, or as many as come within ten seconds.
    Read(usize),
    /// Says that there is no more to come.
    Close,
    Wait(u64),
    /// Lets go of it.
    Drop,
}

/// What an end has seen.
#[derive(Clone, Debug, Default)]
struct Seen {
    connected: bool,
    /// Bytes that the stream took.
    written: usize,
    read: Vec<u8>,
    /// Whether the other end has said that there is no more.
    heard_end: bool,
    /// Whether this end has.
    closed: bool,
    dropped: bool,
    write_error: Option<ErrorKind>,
    read_error: Option<ErrorKind>,
}

/// The end of the stream that this node dialled, and of the one that the other did.
type Ends = Rc<RefCell<[Seen; 2]>>;

const DIALLED: usize = 0;
const ACCEPTED: usize = 1;

const PATIENCE: Duration = Duration::from_secs(10);

async fn play(host: Host, ends: Ends, which: usize, mut stream: Stream, script: Vec<Step>) {
    let seen = |change: &mut dyn FnMut(&mut Seen)| change(&mut ends.borrow_mut()[which]);
    seen(&mut |seen| seen.connected = true);
    for step in script {
        match step {
            Step::Wait(ms) => host.sleep(Duration::from_millis(ms)).await,
            Step::Close => {
                if stream.close().await.is_ok() {
                    seen(&mut |seen| seen.closed = true);
                }
            }
            Step::Drop => {
                seen(&mut |seen| seen.dropped = true);
                return;
            }
            Step::Write(length) => {
                let end = host.now() + PATIENCE;
                let mut left = length;
                while left > 0 {
                    let at = ends.borrow()[which].written;
                    let bytes = pattern(at + left);
                    let write = host.timeout(end.since(host.now()), stream.write(&bytes[at..]));
                    match write.await {
                        Err(_) => break,
                        Ok(Ok(taken)) => {
                            left -= taken;
                            seen(&mut |seen| seen.written += taken);
                        }
                        Ok(Err(error)) => {
                            seen(&mut |seen| seen.write_error = Some(error.kind()));
                            break;
                        }
                    }
                }
            }
            Step::Read(length) => {
                let end = host.now() + PATIENCE;
                let mut buffer = vec![0; length];
                let mut left = length;
                while left > 0 {
                    let read =
                        host.timeout(end.since(host.now()), stream.read(&mut buffer[..left]));
                    match read.await {
                        Err(_) => break,
                        Ok(Ok(0)) => {
                            seen(&mut |seen| seen.heard_end = true);
                            break;
                        }
                        Ok(Ok(read)) => {
                            left -= read;
                            let heard = &buffer[..read];
                            seen(&mut |seen| {
                                assert!(!seen.heard_end, "nothing comes behind the end");
                                seen.read.extend_from_slice(heard);
                            });
                        }
                        Ok(Err(error)) => {
                            seen(&mut |seen| seen.read_error = Some(error.kind()));
                            break;
                        }
                    }
                }
            }
        }
    }
    // Whoever has no more to do keeps its end.
    host.sleep(Duration::from_secs(100_000)).await;
    drop(stream);
}

/// By node, and for each its end of the stream that it dialled and of the other.
type Scripts = [[Vec<Step>; 2]; 2];

fn both_dial<'a>(seed: u64, faults: Schedule, scripts: Scripts, layout: Layout) -> World<'a, Ends> {
    let mut network = lossy(2, seed);
    network.streams.window = 3_000;
    network.faults = faults;
    World::new(&network, layout, move |host, before: Option<Ends>| {
        let ends = Ends::default();
        // A node that has come back does nothing: what was seen in its first life is what counts.
        if let Some(before) = before {
            return before;
        }
        let [dialled, accepted] = scripts[host.id() as usize].clone();
        let (answerer, answered) = (host.clone(), ends.clone());
        let serve = move |stream, _: NodeId| {
            play(
                answerer.clone(),
                answered.clone(),
                ACCEPTED,
                stream,
                accepted.clone(),
            )
        };
        host.serve(PORT, serve).expect("nobody listens yet");
        let (dialler, seen) = (host.clone(), ends.clone());
        host.spawn(async move {
            if let Ok(stream) = dialler.connect(1 - dialler.id(), PORT).await {
                play(dialler, seen, DIALLED, stream, dialled).await;
            }
        });
        ends
    })
    .expect("the network is valid")
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..20_000).prop_map(Step::Write),
        4 => (1usize..20_000).prop_map(Step::Read),
        1 => Just(Step::Close),
        1 => (1u64..3_000).prop_map(Step::Wait),
        1 => Just(Step::Drop),
    ];
    prop::collection::vec(step, 0..8)
}

fn scripts() -> impl Strategy<Value = Scripts> {
    [[script(), script()], [script(), script()]]
}

fn faults() -> impl Strategy<Value = Schedule> {
    let at = || (0u64..20_000).prop_map(Time::from_millis);
    prop_oneof![
        2 => Just(Schedule::default()),
        1 => at().prop_map(|at| Schedule::default().cut(at, (0, 1))),
        1 => (at(), 0u32..2, 1u64..60).prop_map(|(at, node, seconds)| {
            let back = at + Duration::from_secs(seconds);
            Schedule::default().crash(at, node).restart(back, node)
        }),
        1 => (at(), 1u64..60).prop_map(|(at, seconds)| {
            let healed = at + Duration::from_secs(seconds);
            Schedule::default().partition(at..healed, [vec![1]])
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_direction_is_a_queue_of_bytes_with_an_end(
        seed: u64,
        faults in faults(),
        scripts in scripts(),
    ) {
        let mut histories = Vec::new();
        let layouts = [Layout::default(), Layout { shards: 2, reverse: true, windows: 2, ..Layout::default() }];
        for layout in layouts {
            let mut world = both_dial(seed, faults.clone(), scripts.clone(), layout);
            for second in [1, 5, 20, 1_000] {
                world.run_until(Time::from_secs(second)).expect("time passes");
                assert_conserved(&world);
            }
            histories.push(world.node_digests());
            let calm = faults.faults.is_empty();
            for dialler in [0, 1] {
                let one = world.node(dialler).borrow()[DIALLED].clone();
                let other = world.node(1 - dialler).borrow()[ACCEPTED].clone();
                prop_assert!(!calm || (one.connected && other.connected), "they find each other");
                for (reader, writer) in [(&one, &other), (&other, &one)] {
                    let said = pattern(writer.written);
                    prop_assert!(said.starts_with(&reader.read), "a prefix of what was written");
                    if reader.heard_end {
                        prop_assert!(writer.closed || writer.dropped || !calm, "the end was said");
                        prop_assert_eq!(&reader.read, &said, "and it is behind all that was written");
                    }
                    if calm && !writer.dropped && !reader.dropped {
                        prop_assert_eq!(reader.read_error, None);
                        let own_end = writer.closed.then_some(writer.write_error).flatten();
                        prop_assert_eq!(writer.write_error, own_end, "nothing breaks, but what is closed");
                    }
                }
            }
        }
        prop_assert_eq!(&histories[0], &histories[1]);
    }
}

#[test]
fn two_who_write_more_than_windows_hold_and_then_read_are_both_stuck_until_one_reads() {
    // As with TCP: who only writes is held up once the other's window is full, in both directions at once; neither loses anything by that.
    let both = || vec![Step::Write(10_000), Step::Read(20_000)];
    let scripts = [[both(), vec![]], [vec![], both()]];
    let mut world = both_dial(1, Schedule::default(), scripts, Layout::default());
    world.run_until(Time::from_secs(100)).expect("time passes");
    let one = world.node(0).borrow()[DIALLED].clone();
    let other = world.node(1).borrow()[ACCEPTED].clone();
    assert_eq!(
        [one.written, other.written],
        [3_000, 3_000],
        "a window each"
    );
    assert_eq!([one.read.len(), other.read.len()], [3_000, 3_000]);
}

#[test]
fn whoever_dials_where_nobody_listens_any_more_is_refused() {
    let network = network(2);
    let mut world = world(
        &network,
        Layout::default(),
        |host: Host, notes| async move {
            if host.id() == 0 {
                let listener = host.listen(PORT).expect("nobody listens yet");
                host.sleep(Duration::from_secs(1)).await;
                drop(listener);
                return;
            }
            let mut first = host.connect(0, PORT).await.expect("it listens");
            host.sleep(Duration::from_secs(2)).await;
            let refused = host.connect(0, PORT).await.map_err(|error| error.kind());
            notes.borrow_mut().push(refused.map(|_| 1));
            // What was waiting to be accepted ended with the listener, as if it had been accepted and dropped.
            let read = first.read(&mut [0]).await.map_err(|error| error.kind());
            notes.borrow_mut().push(read);
        },
    );
    world.run_until(Time::from_secs(60)).expect("time passes");
    let notes = world.node(1).borrow().clone();
    assert_eq!(notes, [Err(ErrorKind::ConnectionRefused), Ok(0)]);
}
