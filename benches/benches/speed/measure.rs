//! Runs two processes against each other and takes down what they say of themselves.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use hx_benches::process::{forget_peak, peak_kib};
use tempfile::NamedTempFile;

use crate::workload::{Side, Workload};

/// Who trades with one of its own kind.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Rust,
    /// By the script that runs the package.
    Npm(PathBuf),
    Bare,
}

/// How often each subject has its turn. A slow one has fewer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    most: usize,
    /// A subject whose turn took longer has no further one.
    patience_ns: u64,
}

impl Rounds {
    pub(crate) const ONE: Self = Self {
        most: 1,
        patience_ns: 0,
    };
    pub(crate) const SEVERAL: Self = Self {
        most: 7,
        patience_ns: 5_000_000_000,
    };
}

/// Median time of each subject, and the greatest peaks of ours.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rust: Vec<Turn>,
    npm: Vec<Turn>,
    bare: Vec<Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    time_ns: u64,
    /// Peaks above the start, of the giver and of the taker.
    memory_kib: [u64; 2],
}

/// The script that runs the npm package, if that is installed.
pub(crate) fn npm() -> Option<PathBuf> {
    let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop");
    let installed = interop.join("node_modules/hash-exchange").is_dir();
    installed.then(|| interop.join("speed.js"))
}

/// All subjects one after the other, again and again, so that a bad minute is bad for all of them.
pub(crate) fn in_turns(
    subjects: &[Subject],
    workload: &Workload,
    content: Option<&NamedTempFile>,
    rounds: Rounds,
) -> Result<Figures, String> {
    let arguments = workload.arguments(content.map(NamedTempFile::path));
    let mut figures = Figures::default();
    for round in 0..rounds.most {
        for subject in subjects {
            let turns = figures.of(subject);
            let slow = turns
                .last()
                .is_some_and(|turn| turn.time_ns > rounds.patience_ns);
            if round == 0 || !slow {
                turns.push(turn(subject, &arguments)?);
            }
        }
    }
    Ok(figures)
}

impl Figures {
    const fn of(&mut self, subject: &Subject) -> &mut Vec<Turn> {
        match subject {
            Subject::Rust => &mut self.rust,
            Subject::Npm(_) => &mut self.npm,
            Subject::Bare => &mut self.bare,
        }
    }

    pub(crate) fn memory_kib(&self) -> [u64; 2] {
        [0, 1].map(|side| {
            self.rust
                .iter()
                .map(|turn| turn.memory_kib[side])
                .max()
                .unwrap_or(0)
        })
    }

    /// A row of the table: rates, and by how much ours is greater.
    pub(crate) fn row(&self, workload: &Workload) -> String {
        let rate = |turns: &[Turn]| median(turns).map(|time_ns| workload.rate(time_ns));
        let ours = rate(&self.rust).expect("ours has run");
        let told = |rate: Option<f64>| match rate {
            Some(rate) if rate < 100.0 => format!("{rate:.1} {}", workload.unit()),
            Some(rate) => format!("{rate:.0} {}", workload.unit()),
            None => String::new(),
        };
        let [npm, bare] = [&self.npm, &self.bare].map(|turns| rate(turns));
        let times = npm.map_or(String::new(), |npm| format!("**{:.1} x**", ours / npm));
        let part = bare.map_or(String::new(), |bare| {
            format!("**{:.0} %**", 100.0 * ours / bare)
        });
        let [giver, taker] = self.memory_kib().map(|kib| kib as f64 / 1024.0);
        format!(
            "| {workload} | {} | {} | {times} | {} | {part} | {giver:.1} and {taker:.1} MiB |",
            told(Some(ours)),
            told(npm),
            told(bare),
        )
    }
}

fn median(turns: &[Turn]) -> Option<u64> {
    let mut times: Vec<_> = turns.iter().map(|turn| turn.time_ns).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// One trade between two processes.
fn turn(subject: &Subject, arguments: &[String]) -> Result<Turn, String> {
    let failed = |error: io::Error| format!("{subject:?}: {error}");
    let (to_giver, from_taker) = io::pipe().map_err(failed)?;
    let (to_taker, from_giver) = io::pipe().map_err(failed)?;
    let giver = start(subject, Side::Give, arguments, to_giver, from_giver).map_err(failed)?;
    let taker = start(subject, Side::Take, arguments, to_taker, from_taker).map_err(failed)?;
    let (_, giver_kib) = outcome(giver, subject, Side::Give)?;
    let (time_ns, taker_kib) = outcome(taker, subject, Side::Take)?;
    Ok(Turn {
        time_ns,
        memory_kib: [giver_kib, taker_kib],
    })
}

fn start(
    subject: &Subject,
    side: Side,
    arguments: &[String],
    input: impl Into<Stdio>,
    output: impl Into<Stdio>,
) -> io::Result<Child> {
    let mut command = match subject {
        Subject::Npm(script) => {
            let mut command = Command::new("node");
            command.arg(script);
            command
        }
        Subject::Rust | Subject::Bare => {
            let mut command = Command::new(std::env::current_exe()?);
            let name = if matches!(subject, Subject::Bare) {
                "bare"
            } else {
                "rust"
            };
            command.args(["child", name]);
            command
        }
    };
    command.arg(side.word()).args(arguments);
    command.stdin(input).stdout(output).stderr(Stdio::piped());
    command.spawn()
}

/// Nanoseconds and KiB, as a [`Meter`] reports them.
fn outcome(child: Child, subject: &Subject, side: Side) -> Result<(u64, u64), String> {
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut numbers = said.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(time_ns)), Some(Ok(kib)), None) if output.status.success() => Ok((time_ns, kib)),
        _ => Err(format!("{subject:?}, {side:?}: {}, {said}", output.status)),
    }
}

/// Time, and peak memory above that at the start.
pub(crate) struct Meter {
    start: Instant,
    start_kib: u64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        forget_peak();
        Self {
            start_kib: peak_kib(),
            start: now(),
        }
    }

    pub(crate) fn report(self) {
        let time_ns = (now() - self.start).as_nanos();
        eprintln!("{time_ns} {}", peak_kib() - self.start_kib);
    }
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured here")]
fn now() -> Instant {
    Instant::now()
}
