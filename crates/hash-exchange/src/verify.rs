use sha1::Digest;

use crate::Hash;

/// Decides whether a content is that of its hash, while the content streams by.
///
/// The protocol leaves open what a hash is; this is where a session learns it. A content that does not match is
/// reported as [`Event::Failed`](crate::Event::Failed), never as complete.
pub trait Verifier {
    /// What is known of a content so far.
    type State;

    /// A content begins that is to have this hash: its first bytes have come, or its end.
    fn start(&self, hash: &Hash) -> Self::State;

    /// Its next bytes.
    fn update(&self, state: &mut Self::State, chunk: &[u8]);

    /// These were all its bytes: is it the one?
    fn matches(&self, state: Self::State, hash: &Hash) -> bool;
}

/// Checks contents whose hash reads as a SHA-1, and accepts every content of any other hash unseen.
///
/// That is what the readme of the npm package hashes with. Whoever names contents otherwise brings a [`Verifier`] of
/// their own, or accepts what peers send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sha1;

impl Verifier for Sha1 {
    type State = Sha1State;

    fn start(&self, hash: &Hash) -> Sha1State {
        Sha1State(hash.as_sha1().map(|_| sha1::Sha1::new()))
    }

    fn update(&self, state: &mut Sha1State, chunk: &[u8]) {
        if let Some(hasher) = &mut state.0 {
            hasher.update(chunk);
        }
    }

    fn matches(&self, state: Sha1State, hash: &Hash) -> bool {
        match state.0 {
            Some(hasher) => hash.as_sha1() == Some(&hasher.finalize().into()),
            None => true,
        }
    }
}

/// The running digest of one content.
#[derive(Clone, Debug)]
pub struct Sha1State(Option<sha1::Sha1>);

/// Accepts every content unseen, for those who check it themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unverified;

impl Verifier for Unverified {
    type State = ();

    fn start(&self, _: &Hash) {}

    fn update(&self, (): &mut (), _: &[u8]) {}

    fn matches(&self, (): (), _: &Hash) -> bool {
        true
    }
}
