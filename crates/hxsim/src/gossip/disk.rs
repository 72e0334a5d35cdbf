use std::io;

use simnet::Host;

/// The disk of a simulated host as a `hash-gossip` node sees it: one file.
pub struct SimDisk {
    disk: simnet::Disk,
    /// Whether the file's name is durable, so that it does not go with a crash.
    is_named: bool,
}

const LOG: &str = "log";

impl SimDisk {
    pub(super) fn new(host: &Host) -> Self {
        Self {
            disk: host.disk(),
            is_named: false,
        }
    }
}

impl hash_gossip::Disk for SimDisk {
    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.append(LOG, bytes).await
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.disk.read_at(LOG, offset, buffer).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            read => read,
        }
    }

    async fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.truncate(LOG, length).await
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.disk.sync(LOG).await?;
        if !self.is_named {
            self.disk.sync_names().await?;
            self.is_named = true;
        }
        Ok(())
    }
}
