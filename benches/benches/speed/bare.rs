//! The bound: a file copied through the pipe and hashed, by blocking reads and writes.

use std::fs::File;
use std::io::{self, Read, Write};

use sha1::{Digest as _, Sha1};

use crate::measure::Meter;
use crate::workload::{Side, Workload};

/// What a pipe holds.
const PIECE: usize = 64 << 10;

pub(crate) fn run(side: Side, workload: &Workload) -> Result<(), String> {
    let Workload::Body { path, .. } = workload else {
        return Err("only a body can go without a protocol".to_owned());
    };
    let ran = match side {
        Side::Give => File::open(path).and_then(give),
        Side::Take => take(),
    };
    ran.map_err(|error| format!("bare: {error}"))
}

/// Waits until it is asked to; then sends the hash, and the file behind it.
fn give(mut file: File) -> io::Result<()> {
    let (mut piece, mut hasher) = (vec![0; PIECE], Sha1::new());
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    io::Seek::rewind(&mut file)?;
    let meter = Meter::start();
    io::stdin().read_exact(&mut piece[..1])?;
    let mut out = io::stdout().lock();
    out.write_all(&hasher.finalize())?;
    out.flush()?;
    let mut out = crate::exchange::descriptor(&out)?;
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => out.write_all(&piece[..read])?,
        }
    }
    meter.report();
    Ok(())
}

fn take() -> io::Result<()> {
    let (mut piece, mut hasher) = (vec![0; PIECE], Sha1::new());
    let mut expected = [0; 20];
    let mut incoming = crate::exchange::descriptor(&io::stdin())?;
    let mut out = io::stdout().lock();
    // The other side hashes its file before it reads this.
    out.write_all(&[0])?;
    out.flush()?;
    incoming.read_exact(&mut expected)?;
    let meter = Meter::start();
    loop {
        match incoming.read(&mut piece)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    let found: [u8; 20] = hasher.finalize().into();
    if found != expected {
        return Err(io::Error::other("the body is not that of its hash"));
    }
    meter.report();
    Ok(())
}
