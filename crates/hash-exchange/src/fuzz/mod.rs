//! What the fuzzers run, and the tests on the corpora that they found: each target takes any bytes whatever, and panics if
//! something does not hold that should. `fuzz/README.md` of the repository tells how to run them.

mod connections;
mod pair;
#[expect(dead_code, reason = "the integration tests use all of it")]
#[path = "../../tests/integration/pipe.rs"]
mod pipe;
mod session;
mod wire;
#[expect(dead_code, reason = "the integration tests use all of it")]
#[path = "../../tests/integration/pair.rs"]
mod world;

use std::sync::LazyLock;

pub use self::connections::connections;
pub use self::pair::pair;
pub use self::session::session;
#[cfg(test)]
pub(crate) use self::wire::{Owned, decode, encode};
pub use self::wire::{frame, rpc};
use self::world::{Heard, Side};
use crate::{Hash, Misuse, ResponseId};

/// The most heap that a target may hold at once: in proportion to the bytes that have come, whatever they announce. Where a byte is what
/// has come on the wire, each may cost [`A_BYTE`], and where it is something that is done, [`AN_OPERATION`].
pub const fn most_heap(bytes: &[u8], each: u64) -> u64 {
    (16 << 10) + each * bytes.len() as u64
}

/// Bytes of heap for a byte of what is read.
pub const A_BYTE: u64 = 16;

/// Bytes of heap for one that stands for an operation, such as to ask for a content and to send it.
pub const AN_OPERATION: u64 = 512;

/// The content that this number means.
fn content(n: u8) -> &'static (Hash, Vec<u8>) {
    &CONTENTS[usize::from(n) % CONTENTS.len()]
}

/// Contents of several lengths, the empty one included, some by SHA-1 and some by a name that a fuzzer can spell.
static CONTENTS: LazyLock<[(Hash, Vec<u8>); 16]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let body = vec![n as u8; n * 5];
        match n % 3 {
            0 => (Hash::sha1(&body), body),
            _ => (Hash::new(&"abcdefghijklmnop"[n..=n]), body),
        }
    })
});

/// A side breaks off one of the contents that it was told of, whichever this number means. False: there is none, or it has come to
/// its end. The world lets nothing be heard of it from then on.
fn cancel(side: &mut Side, number: usize) -> bool {
    let is_told = |heard: &&Heard| matches!(heard, Heard::Response(..));
    let told = side.heard.iter().filter(is_told).count();
    let Some(number) = number.checked_rem(told) else {
        return false;
    };
    // They are counted.
    let response = ResponseId(number as u32);
    let cancelled = side.session.cancel(response, &mut side.out);
    if side.receiving.remove(&response).is_none() {
        assert_eq!(cancelled, Err(Misuse::NotOpen));
        return false;
    }
    side.tally.extend(cancelled.expect("it is open"));
    true
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target, u64); 5] = [
        ("frame", frame, A_BYTE),
        ("rpc", rpc, A_BYTE),
        ("session", session, A_BYTE),
        ("pair", pair, AN_OPERATION),
        ("connections", connections, AN_OPERATION),
    ];

    /// Every input that a fuzzer found worth keeping for a target, by its path.
    fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let entries = fs::read_dir(corpus.join(target)).expect("every target has a corpus");
        let paths = entries.map(|entry| entry.expect("it can be read").path());
        let inputs = paths.map(|path| {
            let input = fs::read(&path).expect("it can be read");
            (path.display().to_string(), input)
        });
        let mut inputs: Vec<_> = inputs.collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "the corpus of {target} is empty");
        inputs
    }

    #[test]
    fn all_that_the_fuzzers_kept_holds_within_bounded_memory() {
        for (name, target, each) in TARGETS {
            for (path, input) in corpus(name) {
                // Shown if it fails.
                println!("{path}");
                let heap = allocation_counter::measure(|| target(&input));
                assert!(heap.bytes_max <= most_heap(&input, each), "{heap:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_bytes_hold(bytes in vec(any::<u8>(), 0..400)) {
            for (_, target, _) in TARGETS {
                target(&bytes);
            }
        }
    }

    #[test]
    fn what_the_fuzzers_kept_holds_when_it_is_bent() {
        for (name, target, _) in TARGETS {
            let corpus = corpus(name);
            let change = (any::<prop::sample::Index>(), any::<u8>());
            let bent = (any::<prop::sample::Index>(), vec(change, 1..6));
            proptest!(crate::properties::config(), |((index, changes) in bent)| {
                let mut bytes = index.get(&corpus).1.clone();
                for (at, byte) in changes {
                    if !bytes.is_empty() {
                        *at.get_mut(&mut bytes) = byte;
                    }
                }
                target(&bytes);
            });
        }
    }
}
