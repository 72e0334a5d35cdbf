//! What is published: bodies, who holds them, and from when on.

mod arrivals;
mod size;
mod synthetic;
mod zipf;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hash_exchange::Hash;
use simnet::draw::{Purpose, bounded, draw};
use simnet::{NodeId, Time};

pub use arrivals::{Arrivals, Process};
pub use size::Size;
pub(crate) use synthetic::fewest_bytes;
pub use synthetic::{Publishers, Share, Synthetic, Turns};

/// Where bodies come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Bodies of seeded pseudo-random bytes, no two alike.
    Synthetic(Synthetic),
    /// Every file below a directory in the order of their paths, dealt out among the nodes by the seed. Hidden files and
    /// directories are passed over, and symbolic links are not followed.
    Directory {
        /// The directory.
        path: PathBuf,
        /// When they are published.
        arrivals: Arrivals,
    },
    /// These bodies.
    Bodies(Vec<Body>),
    /// All of these, each with draws of its own.
    Several(Vec<Self>),
}

/// A body that the scenario spells out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Who holds it, sorted.
    pub nodes: Vec<NodeId>,
    /// From when on.
    pub at: Time,
}

/// One hash of a run. No two items have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The SHA-1 of the body.
    pub hash: Hash,
    /// The content, shared by all who hold it.
    pub body: Rc<[u8]>,
    /// The path of the file it came from, below the directory of the workload and with `/` between its parts.
    pub name: Option<String>,
    /// Who publishes it, sorted; not empty.
    pub holders: Vec<NodeId>,
    /// When they do.
    pub at: Time,
}

impl Workload {
    /// More bodies than this are taken for a mistake.
    pub const BODIES_MAX: u64 = 10_000_000;

    /// The bodies of a network of so many nodes, in the order of publishers, times, paths or mention. Reads files, hence may fail.
    pub fn items(&self, nodes: u32, seed: u64) -> io::Result<Vec<Item>> {
        const NUMBER: Purpose = Purpose::new("hxsim/workload");
        match self {
            Self::Synthetic(synthetic) => Ok(synthetic.items(nodes, seed)),
            Self::Directory { path, arrivals } => directory(path, *arrivals, nodes, seed),
            Self::Bodies(bodies) => Ok(unique(bodies.iter().map(|body| Item {
                hash: Hash::sha1(&body.bytes),
                body: body.bytes.as_slice().into(),
                name: None,
                holders: body.nodes.clone(),
                at: body.at,
            }))),
            Self::Several(workloads) => {
                let mut items = Vec::new();
                for (number, workload) in (0..).zip(workloads) {
                    let own = match number {
                        0 => seed,
                        _ => draw(seed, NUMBER, number, 0),
                    };
                    items.extend(workload.items(nodes, own)?);
                }
                Ok(unique(items))
            }
        }
    }

    /// Whether anything can be published in `from .. until`.
    pub fn publishes_within(&self, from: Time, until: Time) -> bool {
        match self {
            Self::Synthetic(synthetic) => synthetic.arrivals.meet(from, until),
            Self::Directory { arrivals, .. } => arrivals.meet(from, until),
            Self::Bodies(bodies) => bodies.iter().any(|body| (from..until).contains(&body.at)),
            Self::Several(workloads) => workloads
                .iter()
                .any(|workload| workload.publishes_within(from, until)),
        }
    }
}

fn directory(path: &Path, arrivals: Arrivals, nodes: u32, seed: u64) -> io::Result<Vec<Item>> {
    const DEAL: Purpose = Purpose::new("hxsim/workload/deal");
    let files = files_below(path)?;
    let mut items = Vec::with_capacity(files.len());
    for ((name, path), at) in files.into_iter().zip(arrivals.times(seed)) {
        let body = fs::read(path)?;
        let hash = Hash::sha1(&body);
        // A file stays with its node while others come and go: the draw is that of its content.
        let owner = hash.as_sha1().map_or(0, |digest| {
            digest[..8]
                .iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte))
        });
        let node = bounded(draw(seed, DEAL, owner, 0), nodes.into());
        items.push(Item {
            hash,
            body: body.into(),
            name: Some(name),
            // Below `nodes`, which is a u32.
            holders: vec![node as NodeId],
            at,
        });
    }
    Ok(unique(items))
}

/// The files of a directory workload by the names of their items, with their paths.
pub(crate) fn files_below(directory: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    find_files(directory, "", &mut files)?;
    Ok(files)
}

fn find_files(
    directory: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let file_name = file_name.to_string_lossy();
        if file_name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{file_name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find_files(&entry.path(), &format!("{name}/"), files)?;
        } else if kind.is_file() {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

/// Bodies of equal content are one item, held by all their holders since the earliest of their times.
fn unique(items: impl IntoIterator<Item = Item>) -> Vec<Item> {
    let mut unique: Vec<Item> = Vec::new();
    let mut by_hash = BTreeMap::new();
    for item in items {
        let index = *by_hash.entry(item.hash.clone()).or_insert(unique.len());
        let Some(first) = unique.get_mut(index) else {
            unique.push(item);
            continue;
        };
        first.holders.extend(item.holders);
        first.holders.sort_unstable();
        first.holders.dedup();
        first.at = first.at.min(item.at);
    }
    unique
}

#[cfg(test)]
mod tests {
    use simnet::Probability;

    use super::*;

    fn synthetic(publishers: u32, count: u32, size: u32, share: u32) -> Workload {
        Workload::Synthetic(Synthetic {
            share: Share::Each(Probability::from_ppm(share)),
            ..Synthetic::held(publishers, count, size)
        })
    }

    #[test]
    fn synthetic_bodies_differ_at_every_size_that_allows_it() {
        assert_eq!(
            [1, 2, 256, 257, 65_536, 65_537].map(fewest_bytes),
            [0, 1, 1, 2, 2, 3]
        );
        for (bodies, size) in [(1, 0), (256, 1), (300, 2), (300, 7), (300, 8), (300, 1000)] {
            let items = synthetic(bodies, 1, size, 0)
                .items(bodies, 7)
                .expect("no I/O");
            assert_eq!(items.len(), bodies as usize, "size {size}");
            assert!(items.iter().all(|item| item.body.len() == size as usize));
        }
    }

    #[test]
    fn a_body_is_that_of_its_seed_whatever_the_network() {
        let small = synthetic(2, 3, 100, 0).items(2, 7).expect("no I/O");
        let large = synthetic(2, 3, 100, 0).items(9, 7).expect("no I/O");
        let other = synthetic(2, 3, 100, 0).items(2, 8).expect("no I/O");
        assert_eq!(small, large);
        assert!(small.iter().zip(&other).all(|(a, b)| a.hash != b.hash));
        assert_eq!(
            small[4].holders,
            [1],
            "three of node 0, then three of node 1"
        );
        assert_eq!(small[4].hash, Hash::sha1(&small[4].body));
    }

    #[test]
    fn a_share_of_the_others_holds_each_body() {
        let items = synthetic(10, 1, 100, 300_000)
            .items(1000, 7)
            .expect("no I/O");
        for (item, publisher) in items.iter().zip(0..) {
            assert!(item.holders.contains(&publisher));
            assert!(item.holders.is_sorted());
            // Binomial with mean 300 and deviation 14.5: six deviations.
            assert!((213..387).contains(&item.holders.len()));
        }
    }

    #[test]
    fn several_workloads_have_bodies_of_their_own() {
        let one = synthetic(2, 3, 100, 0);
        let several = Workload::Several(vec![one.clone(), one.clone()]);
        let items = several.items(4, 7).expect("no I/O");
        assert_eq!(items.len(), 12);
        assert_eq!(
            items[..6],
            one.items(4, 7).expect("no I/O"),
            "the first is as if alone"
        );
    }

    #[test]
    fn equal_bodies_are_one_item_of_all_their_holders() {
        let body = |bytes: &[u8], node| Body {
            bytes: bytes.to_vec(),
            nodes: vec![node],
            at: Time::from_secs(u64::from(node)),
        };
        let bodies = Workload::Bodies(vec![body(b"beep", 3), body(b"boop", 2), body(b"beep", 1)]);
        let items = bodies.items(4, 1).expect("no I/O");
        assert_eq!(items.len(), 2);
        assert_eq!(
            (&items[0].holders[..], items[0].at),
            (&[1, 3][..], Time::from_secs(1))
        );
    }
}
