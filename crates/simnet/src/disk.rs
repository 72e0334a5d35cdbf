//! Disks: files as applications see them, and what is left of them after a crash.

use std::io;
use std::time::Duration;

use crate::core::Core;
use crate::draw::{fold, fold_bytes};
use crate::storage::{Full, Storage};
use crate::{Host, NodeId, Time};

/// How long disks take. Operations that are underway at once do not wait for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskModel {
    /// How long a read takes.
    pub read: Duration,
    /// How long a change takes, which the system then keeps in memory: [`Disk::append`], [`Disk::truncate`], [`Disk::rename`] and [`Disk::remove`].
    pub write: Duration,
    /// How long it takes until what was changed is durable: [`Disk::sync`] and [`Disk::sync_names`].
    pub sync: Duration,
}

/// What [`Fault::FailDisk`](crate::Fault::FailDisk) does to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFailure {
    /// The files have room for so many bytes together. What they hold already stays.
    Full {
        /// In bytes.
        capacity: u64,
    },
    /// Nothing can be read.
    Unreadable,
}

/// The disk of a node: files by name, in one directory. Clones are the same disk, and so are those of the node's later lives.
///
/// What is changed is at once there for whoever reads, and durable once it was synced: [`Disk::sync`] for the bytes of a file,
/// [`Disk::sync_names`] for which files there are and what they are called. The machine keeps what was not synced in memory, so it outlives a process
/// that leaves ([`Fault::Leave`](crate::Fault::Leave)) and not a loss of power. A [`Fault::Crash`](crate::Fault::Crash) leaves:
///
/// - of each file what was synced, and of what was appended since a beginning whose length is drawn: nothing, all, or anything between, in the midst of an
///   append too. A truncation that was not synced has happened or not; if it has not, what was appended after it is gone;
/// - of the creations, renames and removals that were not synced the first so many, drawn in the same way. Each is atomic: a file that is renamed over
///   another is there under the old name or the new one. A file whose creation was lost is gone, whether its bytes were synced or not.
///
/// That is what a journalling file system promises, and no more: whoever counts on a name syncs the names.
///
/// ```
/// # use std::time::Duration;
/// # use simnet::{Host, Layout, Link, Network, Time, World};
/// # async fn note(host: Host) -> std::io::Result<()> {
/// let disk = host.disk();
/// disk.append("diary.new", b"dear diary").await?;
/// disk.sync("diary.new").await?;
/// disk.rename("diary.new", "diary").await?;
/// disk.sync_names().await?;
///
/// let mut bytes = [0; 4];
/// assert_eq!(disk.read_at("diary", 5, &mut bytes).await?, 4);
/// assert_eq!(&bytes, b"diar");
/// assert_eq!(disk.list()?, ["diary"]);
/// # Ok(())
/// # }
/// # let network = Network::new(1, 1, Link::constant(Duration::from_millis(1)));
/// # let start = |host: Host, _: Option<()>| {
/// #     let clone = host.clone();
/// #     host.spawn(async { note(clone).await.expect("nothing fails") });
/// # };
/// # let mut world = World::new(&network, Layout::default(), start)?;
/// # world.run_until(Time::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Disk {
    host: Host,
}

impl Host {
    /// The node's disk.
    pub fn disk(&self) -> Disk {
        Disk { host: self.clone() }
    }
}

/// Every operation of a disk whose node has stopped since fails as `NotConnected`.
impl Disk {
    /// Adds bytes at the end of a file. If there is none of this name there is then.
    ///
    /// # Errors
    ///
    /// `StorageFull` if the disk has no room for all of it; what it has room for is written.
    pub async fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Append, &[name.as_bytes(), bytes], |disk, room| {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            disk.append(name, bytes, room)
                .map_err(|Full| io::ErrorKind::StorageFull.into())
        })?;
        self.take(|model| model.write).await
    }

    /// Copies what a file has from `offset` on into the buffer. How many bytes that were; fewer than there is room for only at the end of the file.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file, `Other` while the disk cannot be read.
    pub async fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(|model| model.read).await?;
        self.look(|core, id| {
            let now = core.now;
            let failures = core.plan.disk_failures(id, now);
            if failures.into_iter().any(|it| it == DiskFailure::Unreadable) {
                return Err(io::Error::other("the disk cannot be read"));
            }
            let bytes = core.disk(id).and_then(|disk| disk.bytes(name));
            let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
            let start = usize::try_from(offset).map_or(bytes.len(), |it| it.min(bytes.len()));
            let length = buffer.len().min(bytes.len() - start);
            buffer[..length].copy_from_slice(&bytes[start..start + length]);
            Ok(length)
        })
    }

    /// The length of a file in bytes.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    pub fn len(&self, name: &str) -> io::Result<u64> {
        self.look(|core, id| {
            let bytes = core.disk(id).and_then(|disk| disk.bytes(name));
            Ok(bytes.ok_or(io::ErrorKind::NotFound)?.len() as u64)
        })
    }

    /// The names of all files, in order.
    ///
    /// # Errors
    ///
    /// Only that of a node that has stopped.
    pub fn list(&self) -> io::Result<Vec<String>> {
        self.look(|core, id| Ok(core.disk(id).map_or_else(Vec::new, |disk| disk.names())))
    }

    /// Cuts a file off behind so many bytes.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file, `InvalidInput` if it is shorter.
    pub async fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let told = length.to_le_bytes();
        self.change(Change::Truncate, &[name.as_bytes(), &told], |disk, _| {
            let file = disk.bytes(name).ok_or(io::ErrorKind::NotFound)?;
            if length > file.len() as u64 {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{name} has {} bytes, not {length}", file.len()),
                ));
            }
            disk.truncate(name, length as usize);
            Ok(())
        })?;
        self.take(|model| model.write).await
    }

    /// Is done once all that the file held at the call is durable. What changes meanwhile may be so too.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    pub async fn sync(&self, name: &str) -> io::Result<()> {
        self.take(|model| model.sync).await?;
        self.change(Change::Sync, &[name.as_bytes()], |disk, _| {
            disk.bytes(name).ok_or(io::ErrorKind::NotFound)?;
            disk.sync(name);
            Ok(())
        })
    }

    /// Is done once all creations, renames and removals before the call are durable.
    ///
    /// # Errors
    ///
    /// Only that of a node that has stopped.
    pub async fn sync_names(&self) -> io::Result<()> {
        self.take(|model| model.sync).await?;
        self.change(Change::SyncNames, &[], |disk, _| {
            disk.sync_names();
            Ok(())
        })
    }

    /// Gives a file another name. A file that had that name is gone.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    pub async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let names = [from.as_bytes(), to.as_bytes()];
        self.change(Change::Rename, &names, |disk, _| {
            disk.bytes(from).ok_or(io::ErrorKind::NotFound)?;
            disk.rename(from, to);
            Ok(())
        })?;
        self.take(|model| model.write).await
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    pub async fn remove(&self, name: &str) -> io::Result<()> {
        self.change(Change::Remove, &[name.as_bytes()], |disk, _| {
            disk.bytes(name).ok_or(io::ErrorKind::NotFound)?;
            disk.remove(name);
            Ok(())
        })?;
        self.take(|model| model.write).await
    }

    /// Changes the disk, given how many bytes it has room for beside what it holds. The change becomes part of the node's history.
    fn change<T>(
        &self,
        what: Change,
        of: &[&[u8]],
        change: impl FnOnce(&mut Storage, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        self.look(|core, id| {
            let digest = fold(core.node(id).digest, what as u64);
            core.node(id).digest = of.iter().fold(digest, |digest, it| fold_bytes(digest, it));
            let failures = core.plan.disk_failures(id, core.now);
            let capacities = failures.into_iter().filter_map(|failure| match failure {
                DiskFailure::Full { capacity } => Some(capacity),
                DiskFailure::Unreadable => None,
            });
            let capacity = capacities.min().unwrap_or(u64::MAX);
            let disk = core.disks.entry(id).or_default();
            let room = capacity.saturating_sub(disk.used());
            change(disk, room)
        })
    }

    /// Lets the time of an operation pass.
    async fn take(&self, time: fn(&DiskModel) -> Duration) -> io::Result<()> {
        let time = self.look(|core, _| Ok(time(&core.plan.disks)))?;
        self.host.sleep(time).await;
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&mut Core, NodeId) -> io::Result<T>) -> io::Result<T> {
        let core = self.host.living_core();
        let mut core = core.ok_or(io::ErrorKind::NotConnected)?;
        look(&mut core, self.host.id)
    }
}

/// What is done to a disk, as histories have it.
#[derive(Clone, Copy)]
enum Change {
    Append = 1,
    Truncate,
    Sync,
    SyncNames,
    Rename,
    Remove,
}

impl Core {
    fn disk(&self, id: NodeId) -> Option<&Storage> {
        self.disks.get(&id)
    }

    /// The node's machine loses its power.
    pub(crate) fn crash_disk(&mut self, id: NodeId) {
        let (seed, now) = (self.plan.seed, self.now);
        if let Some(disk) = self.disks.get_mut(&id) {
            disk.crash(seed, id, now);
            let digest = disk.digest();
            let node = self.node(id);
            node.digest = fold(node.digest, digest);
        }
    }

    /// All that the node's disk held is gone.
    pub(crate) fn lose_disk(&mut self, id: NodeId) {
        if let Some(disk) = self.disks.get_mut(&id) {
            disk.lose();
        }
    }
}

/// What happens to the disks of some nodes from `at` to `until`.
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) at: Time,
    pub(crate) until: Time,
    /// Sorted.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) failure: DiskFailure,
}
