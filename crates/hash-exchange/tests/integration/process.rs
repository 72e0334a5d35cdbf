//! The examples as processes.

use std::ffi::OsStr;
use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::io::AllowStdIo;
use hash_exchange::Halves;

/// Two processes that trade are done within this time, or wait for each other for ever.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// An example with these arguments; what it prints is there to be read.
pub(crate) fn command<A: AsRef<OsStr>>(example: &str, arguments: &[A]) -> Command {
    let mut command = Command::new(path(example));
    command.args(arguments).stderr(Stdio::piped());
    command
}

/// Starts a process.
pub(crate) fn spawn(command: &mut Command) -> Child {
    command.spawn().expect("cargo test builds the examples")
}

/// Runs two of an example to their good end, joined by the pipes of the system. Returns what they print.
pub(crate) fn trade<A: AsRef<OsStr>>(example: &str, left: &[A], right: &[A]) -> (Vec<u8>, Vec<u8>) {
    let ((from_left, to_right), (from_right, to_left)) = (pipe().unwrap(), pipe().unwrap());
    let left = Side::start(command(example, left), from_right, to_right);
    let right = Side::start(command(example, right), from_left, to_left);
    (left.finish(), right.finish())
}

/// Runs one of an example to its good end, joined to a peer in a thread. Returns what it prints.
pub(crate) fn trade_with<A: AsRef<OsStr>>(
    example: &str,
    arguments: &[A],
    peer: impl FnOnce(Pipes) + Send + 'static,
) -> Vec<u8> {
    let ((reader, to_peer), (from_peer, writer)) = (pipe().unwrap(), pipe().unwrap());
    let side = Side::start(command(example, arguments), from_peer, to_peer);
    let (reader, writer) = (AllowStdIo::new(reader), AllowStdIo::new(writer));
    let peer = thread::spawn(|| peer(Halves { reader, writer }));
    let printed = side.finish();
    peer.join().expect("the peer ends well");
    printed
}

/// Both ends block, which does as long as no more is under way than they hold.
pub(crate) type Pipes = Halves<AllowStdIo<PipeReader>, AllowStdIo<PipeWriter>>;

/// A process that does not outlive the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Side {
    process: Running,
    printed: mpsc::Receiver<Vec<u8>>,
}

impl Side {
    fn start(mut command: Command, input: PipeReader, output: PipeWriter) -> Self {
        command.stdin(input).stdout(output);
        // Our copies of the pipes go with the command.
        let mut child = spawn(&mut command);
        let mut stderr = child.stderr.take().expect("it is piped");
        let (sender, printed) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).unwrap();
            // Whoever waited has gone if this is too late.
            let _ = sender.send(bytes);
        });
        let process = Running(child);
        Self { process, printed }
    }

    fn finish(mut self) -> Vec<u8> {
        let printed = self.printed.recv_timeout(LONG);
        let printed = printed.expect("both processes end in time");
        let status = self.process.0.wait().unwrap();
        let text = String::from_utf8_lossy(&printed);
        assert!(status.success(), "{status}: {text}");
        printed
    }
}

/// The tests are in `deps`, the examples beside it.
fn path(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let target = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("it lies in deps");
    target
        .join("examples")
        .join(example)
        .with_extension(std::env::consts::EXE_EXTENSION)
}
