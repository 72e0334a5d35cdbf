//! What a disk holds: as whoever reads sees it, and as it is on the platter, which is what a crash leaves.

use std::collections::BTreeMap;

use crate::draw::{Purpose, bounded, draw, fold, fold_bytes};
use crate::{NodeId, Time};

/// The files of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    files: BTreeMap<u32, File>,
    /// Which file has which name.
    names: BTreeMap<String, u32>,
    /// The same on the platter; what has changed since.
    durable_names: BTreeMap<String, u32>,
    changes: Vec<Renaming>,
    /// How many files were ever made here: the next one's number, which no other file will have, so that draws can be its own.
    made: u32,
}

/// The bytes of a file. On the platter are the first `synced` of them, followed by `cut`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    /// What a truncation has taken away that was synced, until that is synced itself.
    cut: Option<Vec<u8>>,
}

/// A change of names that is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Renaming {
    Create(String, u32),
    Rename(String, String),
    Remove(String),
}

/// The disk had not enough room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Whether a crash leaves nothing, all or a part of what was not synced, and how large a part: of a file, and of the changes of names.
const KEPT: [Purpose; 2] = [
    Purpose::new("simnet.disk_kept"),
    Purpose::new("simnet.disk_part"),
];
const KEPT_NAMES: [Purpose; 2] = [
    Purpose::new("simnet.disk_names_kept"),
    Purpose::new("simnet.disk_names_part"),
];

/// Whether a truncation that was not synced has happened.
const TRUNCATED: Purpose = Purpose::new("simnet.disk_truncated");

impl Storage {
    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        let files = self.names.values().map(|number| &self.files[number]);
        files.map(|file| file.bytes.len() as u64).sum()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        let number = self.names.get(name)?;
        Some(&self.files[number].bytes)
    }

    /// Appends as much as there is room for.
    pub(crate) fn append(&mut self, name: &str, bytes: &[u8], room: usize) -> Result<(), Full> {
        let fits = bytes.len().min(room);
        self.make(name).bytes.extend_from_slice(&bytes[..fits]);
        (fits == bytes.len()).then_some(()).ok_or(Full)
    }

    /// Cuts a file that is at least so long.
    pub(crate) fn truncate(&mut self, name: &str, length: usize) {
        let file = self.make(name);
        if length < file.synced {
            let mut cut = file.bytes[length..file.synced].to_vec();
            cut.extend(file.cut.take().into_iter().flatten());
            file.cut = Some(cut);
            file.synced = length;
        }
        file.bytes.truncate(length);
    }

    pub(crate) fn sync(&mut self, name: &str) {
        let file = self.make(name);
        file.synced = file.bytes.len();
        file.cut = None;
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        self.change(Renaming::Rename(from.to_owned(), to.to_owned()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.change(Renaming::Remove(name.to_owned()));
    }

    pub(crate) fn sync_names(&mut self) {
        self.durable_names = self.names.clone();
        self.changes.clear();
        self.drop_nameless();
    }

    /// Keeps what is on the platter, and a drawn part of what is on its way there. No draw of a file depends on other files or other crashes.
    pub(crate) fn crash(&mut self, seed: u64, node: NodeId, at: Time) {
        let kept = |purposes: [Purpose; 2], owner, most: usize| {
            let [how, part] = purposes.map(|purpose| draw(seed, purpose, owner, at.as_nanos()));
            // Mostly a system has not yet begun to write, or has written all.
            match bounded(how, 4) {
                0 => 0,
                1 => most,
                // No more than what it is a part of.
                _ => bounded(part, most as u64 + 1) as usize,
            }
        };
        let changes = kept(KEPT_NAMES, u64::from(node), self.changes.len());
        self.names = std::mem::take(&mut self.durable_names);
        for renaming in self.changes.drain(..).take(changes) {
            renaming.apply(&mut self.names);
        }
        self.sync_names();
        for (number, file) in &mut self.files {
            let owner = u64::from(node) << 32 | u64::from(*number);
            let truncated = bounded(draw(seed, TRUNCATED, owner, at.as_nanos()), 2) == 1;
            let appended = kept(KEPT, owner, file.bytes.len() - file.synced);
            match file.cut.take() {
                Some(cut) if !truncated => {
                    file.bytes.truncate(file.synced);
                    file.bytes.extend(cut);
                }
                _ => file.bytes.truncate(file.synced + appended),
            }
            file.synced = file.bytes.len();
        }
    }

    /// Another disk is in the place of this one, with nothing on it.
    pub(crate) fn lose(&mut self) {
        *self = Self {
            made: self.made,
            ..Self::default()
        };
    }

    /// What there is, in a word.
    pub(crate) fn digest(&self) -> u64 {
        let files = self.names.iter();
        files.fold(0, |digest, (name, number)| {
            let digest = fold_bytes(digest, name.as_bytes());
            fold(fold_bytes(digest, &self.files[number].bytes), 0)
        })
    }

    /// The file of this name, a new one if there is none.
    fn make(&mut self, name: &str) -> &mut File {
        let number = match self.names.get(name) {
            Some(number) => *number,
            None => {
                let number = self.made;
                self.made += 1;
                self.change(Renaming::Create(name.to_owned(), number));
                number
            }
        };
        self.files.entry(number).or_default()
    }

    fn change(&mut self, renaming: Renaming) {
        renaming.apply(&mut self.names);
        self.changes.push(renaming);
    }

    /// Drops the files that have no name any more, here or on the platter.
    fn drop_nameless(&mut self) {
        let names = &self.names;
        self.files
            .retain(|number, _| names.values().any(|named| named == number));
    }
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<String, u32>) {
        match self {
            Self::Create(name, number) => {
                names.insert(name.clone(), *number);
            }
            Self::Rename(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Time = Time::from_secs(7);

    /// What seeds leave of two appends of ten bytes behind five that were synced.
    fn left(seeds: std::ops::Range<u64>) -> Vec<usize> {
        let crash = |seed| {
            let mut disk = Storage::default();
            assert_eq!(disk.append("log", &[1; 5], usize::MAX), Ok(()));
            disk.sync("log");
            disk.sync_names();
            for _ in 0..2 {
                assert_eq!(disk.append("log", &[2; 10], usize::MAX), Ok(()));
            }
            disk.crash(seed, 3, AT);
            disk.bytes("log").expect("its name was synced").len()
        };
        seeds.map(crash).collect()
    }

    #[test]
    fn a_crash_leaves_nothing_all_or_a_torn_part_of_what_was_not_synced() {
        let left = left(0..400);
        assert!(left.iter().all(|length| (5..=25).contains(length)));
        let count = |of: fn(usize) -> bool| left.iter().filter(|it| of(**it)).count();
        // A quarter and a part of the rest, give or take five sigma.
        assert!((60..175).contains(&count(|it| it == 5)));
        assert!((60..175).contains(&count(|it| it == 25)));
        let torn = count(|it| !(it - 5).is_multiple_of(10));
        assert!((130..230).contains(&torn), "{torn}");
    }

    #[test]
    fn golden_vectors_pin_what_a_crash_leaves() {
        assert_eq!(left(0..12), [22, 5, 9, 5, 25, 5, 5, 5, 10, 25, 10, 25]);
        let names = |seed| {
            let mut disk = Storage::default();
            for name in ["a", "b", "c", "d"] {
                assert_eq!(disk.append(name, &[], 0), Ok(()));
            }
            disk.crash(seed, 3, AT);
            disk.names().len()
        };
        assert_eq!(
            (0..12).map(names).collect::<Vec<_>>(),
            [4, 4, 0, 4, 4, 0, 1, 4, 0, 4, 0, 4]
        );
    }

    #[test]
    fn what_does_not_fit_is_not_written_and_what_fits_is() {
        let mut disk = Storage::default();
        assert_eq!(disk.append("log", b"beep", 4), Ok(()));
        assert_eq!(disk.append("log", b"boop", 3), Err(Full));
        assert_eq!(disk.bytes("log"), Some(&b"beepboo"[..]));
        assert_eq!(disk.used(), 7);
        disk.truncate("log", 4);
        disk.remove("log");
        assert_eq!(disk.used(), 0);
    }

    #[test]
    fn a_file_whose_name_was_lost_is_gone_and_one_that_was_replaced_is_one_or_the_other() {
        let mut seen = Vec::new();
        for seed in 0..40 {
            let mut disk = Storage::default();
            assert_eq!(disk.append("state", b"old", usize::MAX), Ok(()));
            disk.sync("state");
            disk.sync_names();
            assert_eq!(disk.append("state.new", b"new", usize::MAX), Ok(()));
            disk.sync("state.new");
            disk.rename("state.new", "state");
            disk.crash(seed, 0, AT);
            let state = disk.bytes("state").expect("there is always one").to_vec();
            let both = disk.bytes("state.new").is_some();
            assert!(!both || state == b"old");
            seen.push((state, both));
        }
        seen.sort();
        seen.dedup();
        let all = [("new", false), ("old", false), ("old", true)];
        assert_eq!(
            seen,
            all.map(|(state, both)| (state.as_bytes().to_vec(), both))
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize, Vec<u8>),
        Truncate(usize, prop::sample::Index),
        Sync(usize),
        Rename(usize, usize),
        Remove(usize),
        SyncNames,
        Crash(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let name = || 0..3_usize;
        let step = prop_oneof![
            4 => (name(), prop::collection::vec(any::<u8>(), 0..9)).prop_map(|(name, bytes)| Step::Append(name, bytes)),
            2 => (name(), any::<prop::sample::Index>()).prop_map(|(name, at)| Step::Truncate(name, at)),
            3 => name().prop_map(Step::Sync),
            1 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
            1 => name().prop_map(Step::Remove),
            1 => Just(Step::SyncNames),
            2 => any::<u64>().prop_map(Step::Crash),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// A file as it may be found after a crash: told without the code that it is held against.
    #[derive(Clone, Debug, Default)]
    struct Model {
        durable: Vec<u8>,
        bytes: Vec<u8>,
        /// The shortest that it has been since it was synced.
        shortest: usize,
    }

    impl Model {
        fn may_be(&self, found: &[u8]) -> bool {
            let written = self.bytes.starts_with(found) && found.len() >= self.shortest;
            match self.shortest < self.durable.len() {
                true => written || found == self.durable,
                false => written,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_synced_is_there_and_what_is_there_was_written(steps in steps()) {
            const NAMES: [&str; 3] = ["a", "b", "c"];
            let mut disk = Storage::default();
            let mut files: Vec<Model> = Vec::new();
            // Which file has which name: on the platter, and after each change since.
            let mut names = vec![BTreeMap::<usize, usize>::new()];
            for step in steps {
                let mut now = names.last().expect("there is a first").clone();
                let named = |name: usize| now.get(&name).copied();
                match step {
                    Step::Append(name, bytes) => {
                        let file = named(name).unwrap_or(files.len());
                        if file == files.len() {
                            files.push(Model::default());
                            now.insert(name, file);
                            names.push(now);
                        }
                        files[file].bytes.extend(&bytes);
                        prop_assert_eq!(disk.append(NAMES[name], &bytes, usize::MAX), Ok(()));
                    }
                    Step::Truncate(name, at) => {
                        let Some(file) = named(name).map(|file| &mut files[file]) else { continue };
                        let length = at.index(file.bytes.len() + 1);
                        file.bytes.truncate(length);
                        file.shortest = file.shortest.min(length);
                        disk.truncate(NAMES[name], length);
                    }
                    Step::Sync(name) => {
                        let Some(file) = named(name).map(|file| &mut files[file]) else { continue };
                        file.durable = file.bytes.clone();
                        file.shortest = file.bytes.len();
                        disk.sync(NAMES[name]);
                    }
                    Step::Rename(from, to) => {
                        let Some(file) = now.remove(&from) else { continue };
                        now.insert(to, file);
                        names.push(now);
                        disk.rename(NAMES[from], NAMES[to]);
                    }
                    Step::Remove(name) => {
                        if now.remove(&name).is_none() { continue }
                        names.push(now);
                        disk.remove(NAMES[name]);
                    }
                    Step::SyncNames => {
                        names = vec![now];
                        disk.sync_names();
                    }
                    Step::Crash(seed) => {
                        disk.crash(seed, 0, AT);
                        let found = names.iter().rev().find(|names| {
                            let all = (0..3).all(|name| match (names.get(&name), disk.bytes(NAMES[name])) {
                                (None, None) => true,
                                (Some(file), Some(found)) => files[*file].may_be(found),
                                _ => false,
                            });
                            all && names.len() == disk.names().len()
                        });
                        prop_assert!(found.is_some(), "{disk:?} of {names:?} and {files:?}");
                        names.truncate(0);
                        let there = found_names(&disk, NAMES, &mut files);
                        names.push(there);
                    }
                }
                let now = names.last().expect("there is a last");
                for (number, name) in NAMES.iter().enumerate() {
                    let bytes = now.get(&number).map(|file| &files[*file].bytes[..]);
                    prop_assert_eq!(disk.bytes(name), bytes);
                }
                let used: usize = now.values().map(|file| files[*file].bytes.len()).sum();
                prop_assert_eq!(disk.used(), used as u64);
            }
        }
    }

    /// What a crash has left is as if it had been written and synced by the system itself.
    fn found_names(
        disk: &Storage,
        names: [&str; 3],
        files: &mut Vec<Model>,
    ) -> BTreeMap<usize, usize> {
        let found = (0..3).filter_map(|name| {
            let bytes = disk.bytes(names[name])?.to_vec();
            files.push(Model {
                durable: bytes.clone(),
                shortest: bytes.len(),
                bytes,
            });
            Some((name, files.len() - 1))
        });
        found.collect()
    }
}
