//! Bodies traded between two sessions in memory, with all that is said about them. The bound is the SHA-1 of the body,
//! which the protocol demands, and one copy of all bytes.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use hash_exchange::{Hash, Sha1, Unverified, Verifier};
use hx_benches::pair::{FRAME, Pair};
use sha1::Digest;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    for (name, length) in [("small", 100), ("large", 4 << 20)] {
        let body: Vec<u8> = (0..length)
            .map(|at: usize| (at * 7 + at / 251) as u8)
            .collect();
        let hash = Hash::sha1(&body);
        trade(&mut group, name, Sha1, &hash, &body);
        bound(
            &mut group,
            &format!("{name}: bound (SHA-1, copy)"),
            &body,
            true,
        );
        trade(
            &mut group,
            &format!("{name}, unverified"),
            Unverified,
            &hash,
            &body,
        );
        bound(
            &mut group,
            &format!("{name}, unverified: bound (copy)"),
            &body,
            false,
        );
    }
    group.finish();
}

fn trade<V: Verifier + Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    verifier: V,
    hash: &Hash,
    body: &[u8],
) {
    let mut pair = Pair::new(verifier);
    pair.trade(hash, body);
    group.throughput(Throughput::ElementsAndBytes {
        elements: pair.tally().total_frames(),
        bytes: pair.tally().total_bytes(),
    });
    group.bench_function(name, |bencher| bencher.iter(|| pair.trade(hash, body)));
}

/// The same bytes without a protocol, frame by frame. It inherits the throughput of the trade before it.
fn bound(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, body: &[u8], hashed: bool) {
    let mut pair = Pair::new(Unverified);
    pair.trade(&Hash::sha1(body), body);
    let messages = vec![0; pair.tally().total_bytes() as usize - body.len()];
    let mut out = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let mut hasher = sha1::Sha1::new();
            out.clear();
            out.extend_from_slice(black_box(&messages));
            black_box(&out);
            for chunk in body.chunks(FRAME) {
                out.clear();
                out.extend_from_slice(black_box(&HEADER));
                out.extend_from_slice(black_box(chunk));
                if hashed {
                    hasher.update(black_box(&out[HEADER.len()..]));
                }
            }
            if hashed {
                Some(hasher.finalize())
            } else {
                None
            }
        });
    });
}

/// As long as what stands before the data of a frame; a copy that happens to be aligned would be another one.
const HEADER: [u8; 5] = [0; 5];
