//! A TUN device: an interface whose packets a program reads and writes.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

/// A network interface whose other end is this value. It vanishes with it, or with the namespace that it was moved to.
#[derive(Debug)]
pub(crate) struct Tun {
    file: File,
}

impl Tun {
    /// A new interface of this name in the network namespace of this process.
    ///
    /// # Errors
    ///
    /// If this system has no such devices, or does not let us make one.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let device = File::options()
            .read(true)
            .write(true)
            .open("/dev/net/tun")?;
        attach(&device, name)?;
        Ok(Self { file: device })
    }

    /// The next IP packet that was sent to the interface, and its length.
    ///
    /// # Errors
    ///
    /// If the interface is gone.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buffer)
    }

    /// Gives the interface an IP packet, as if it had come over a wire.
    ///
    /// # Errors
    ///
    /// If the interface is gone, or not yet up.
    pub(crate) fn send(&self, packet: &[u8]) -> io::Result<()> {
        (&self.file).write_all(packet)
    }
}

#[cfg(target_os = "linux")]
fn attach(device: &File, name: &str) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    /// The kernel's `struct ifreq`.
    #[repr(C)]
    struct Request {
        name: [u8; libc::IFNAMSIZ],
        flags: libc::c_short,
        rest: [u8; 22],
    }

    const FLAGS: libc::c_int = libc::IFF_TUN | libc::IFF_NO_PI;
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        flags: FLAGS as libc::c_short,
        rest: [0; 22],
    };
    // The last byte stays zero.
    for (to, from) in request.name[..libc::IFNAMSIZ - 1]
        .iter_mut()
        .zip(name.bytes())
    {
        *to = from;
    }
    #[expect(
        unsafe_code,
        reason = "the standard library has no ioctl; this one reads and writes a struct ifreq, which the request is and which outlives the call"
    )]
    let outcome =
        unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    match outcome {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn attach(_: &File, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
