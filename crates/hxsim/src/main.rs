//! The command `hxsim`: the only place of the workspace that reads a clock, and asks what it is connected to.

mod command;

use std::io::{self, IsTerminal as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser as _;
use hxsim::cli::{Cli, Command};
use hxsim::report::Outcome;

/// Nodes are many small allocations: this allocator keeps them together, which makes a run of a thousand nodes a sixth faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let console = Console::new();
    let code = match Cli::parse().command {
        Command::Run(args) if command::sweep::is_meant(&args) => {
            command::sweep::run(&args, &console)
        }
        Command::Run(args) => command::run::run(&args, &console),
        Command::Trace(args) => command::trace::trace(&args),
        Command::Report(args) => command::report::report(&args, &console),
        Command::Check(args) => command::check::check(&args, &console),
        Command::Figures => command::check::figures(),
        Command::New(args) => command::new::new(&args),
        Command::Schema => command::new::schema(),
        Command::Completions(args) => command::new::completions(&args),
        Command::Man(args) => command::new::man(&args),
    };
    ExitCode::from(code.unwrap_or_else(|failure| {
        eprintln!("{}", failure.message);
        failure.code
    }))
}

/// What the command learns from the machine it runs on: the time, how it is connected, and whether somebody wants it to stop.
struct Console {
    began: Instant,
    interrupted: Arc<AtomicBool>,
}

impl Console {
    #[expect(
        clippy::disallowed_methods,
        reason = "progress and wall time are for people, and decide no history"
    )]
    fn new() -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = interrupted.clone();
        let handler = ctrlc::set_handler(move || {
            // The second Ctrl-C does not wait for the run to notice.
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(Outcome::Interrupted.exit_code()));
            }
        });
        if handler.is_err() {
            eprintln!("warning: Ctrl-C will end the command without a report");
        }
        Self {
            began: Instant::now(),
            interrupted,
        }
    }

    /// Time since the start of the command.
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether somebody pressed Ctrl-C.
    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Bytes of memory that the process has. Linux tells; `None` elsewhere.
    fn resident(&self) -> Option<u64> {
        told("/proc/self/status", "VmRSS:")
    }

    /// Bytes of memory that the process could still get, told in the same way.
    fn free(&self) -> Option<u64> {
        told("/proc/meminfo", "MemAvailable:")
    }

    /// How many runs can be made at a time.
    fn cores(&self) -> NonZeroUsize {
        thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// Whether results are read by somebody who likes colours.
    fn is_coloured(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The columns of a terminal on which a line of progress can be drawn over; `None` if it goes elsewhere.
    fn columns(&self) -> Option<usize> {
        let size = terminal_size::terminal_size_of(io::stderr());
        let columns = size.map_or(COLUMNS, |(columns, _)| usize::from(columns.0).max(1));
        io::stderr().is_terminal().then_some(columns)
    }
}

/// Bytes that a line of such a file tells in KiB.
fn told(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// What a terminal has that does not say.
const COLUMNS: usize = 80;
