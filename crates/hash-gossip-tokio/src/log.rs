use std::fs::{self, OpenOptions};
use std::io::{self, SeekFrom};
use std::path::Path;

use hash_gossip::Disk;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// A file in which a node keeps its log; or none, which takes everything and keeps nothing.
#[derive(Debug, Default)]
pub struct LogFile {
    file: Option<File>,
}

impl LogFile {
    /// Opens a log, or begins one. It is this process's alone until the file is dropped.
    ///
    /// # Errors
    ///
    /// If the file can be neither opened nor made, or another process has it (`WouldBlock`).
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        file.try_lock()?;
        sync_parent(path)?;
        Ok(Self {
            file: Some(File::from_std(file)),
        })
    }
}

impl Disk for LogFile {
    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write_all(bytes).await?;
        file.flush().await
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        file.seek(SeekFrom::Start(offset)).await?;
        file.read(buffer).await
    }

    async fn truncate(&mut self, length: u64) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.set_len(length).await,
            None => Ok(()),
        }
    }

    async fn sync(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.sync_data().await,
            None => Ok(()),
        }
    }
}

/// Makes the name of a file durable: without it, all that is synced in the file may be gone with the name. Elsewhere than on Unix directories cannot be
/// synced, and need not be.
fn sync_parent(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
