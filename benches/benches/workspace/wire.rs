//! One message or frame at a time, written and read. The bound is a copy of its bytes.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use hash_exchange::{Event, Hash, Misuse, Session, Tag, Unverified};
use hx_benches::pair::FRAME;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire");
    let hashes: Vec<_> = (0..1000_u32)
        .map(|number| Hash::sha1(&number.to_le_bytes()))
        .collect();
    for count in [1, 1000] {
        message(
            &mut group,
            &format!("available of {count}"),
            |session, out| session.provide(&hashes[..count], out),
        );
    }
    message(&mut group, "seen", |session, out| {
        session.seen(Some(1 << 40), out)
    });
    for length in [100, FRAME] {
        body(&mut group, length);
    }
    group.finish();
}

/// A message that leaves nothing behind, so that it can be said and heard again and again.
fn message(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    say: impl Fn(&mut Session, &mut Vec<u8>) -> Result<Tag, Misuse>,
) {
    let (mut speaker, mut listener) = (Session::default(), Session::default());
    let mut first = Vec::new();
    say(&mut speaker, &mut first).expect(SOUND);
    hear(&mut listener, &first);
    let mut out = Vec::new();
    say(&mut speaker, &mut out).expect(SOUND);
    let bytes = out.clone();

    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(format!("{name}: write"), |bencher| {
        bencher.iter(|| {
            out.clear();
            say(&mut speaker, &mut out).expect(SOUND)
        });
    });
    group.bench_function(format!("{name}: read"), |bencher| {
        bencher.iter(|| hear(&mut listener, &bytes));
    });
    bound(group, name, &bytes);
}

/// A frame in the midst of a body.
fn body(group: &mut BenchmarkGroup<'_, WallTime>, length: usize) {
    let (mut giver, mut taker) = (unverified(), unverified());
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let hash = Hash::sha1(b"");
    taker.request([&hash], &mut back).expect(SOUND);
    hear(&mut giver, &back);
    let answer = giver.respond([(hash, None)], &mut there).expect(SOUND);
    let chunk = vec![7; length];
    giver
        .body(answer.served(0), &chunk, &mut there)
        .expect(SOUND);
    hear(&mut taker, &there);
    there.clear();
    giver
        .body(answer.served(0), &chunk, &mut there)
        .expect(SOUND);
    let bytes = there.clone();

    let name = format!("body of {length}");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(format!("{name}: write"), |bencher| {
        bencher.iter(|| {
            there.clear();
            giver
                .body(answer.served(0), &chunk, &mut there)
                .expect(SOUND)
        });
    });
    group.bench_function(format!("{name}: read"), |bencher| {
        bencher.iter(|| hear(&mut taker, &bytes));
    });
    bound(group, &name, &bytes);
}

fn bound(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, bytes: &[u8]) {
    let mut out = Vec::new();
    group.bench_function(format!("{name}: bound (copy)"), |bencher| {
        bencher.iter(|| {
            out.clear();
            out.extend_from_slice(black_box(bytes));
            black_box(&out);
        });
    });
}

/// Reads everything, the hashes of a message too.
fn hear<V: hash_exchange::Verifier>(session: &mut Session<V>, mut bytes: &[u8]) {
    while let Some(event) = session.receive(&mut bytes).expect(SOUND) {
        match event {
            Event::Available(hashes) => hashes.iter().for_each(|hash| drop(black_box(hash))),
            event => drop(black_box(event)),
        }
    }
}

fn unverified() -> Session<Unverified> {
    Session::with_verifier(Unverified)
}

const SOUND: &str = "both sides keep to the protocol";
