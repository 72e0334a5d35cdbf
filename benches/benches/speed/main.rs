//! How fast two processes trade over a pair of pipes: this crate, the npm package, and the same bytes without any protocol, in turns within one
//! run, as only ratios survive a change of machine.
//!
//! `cargo bench -p hx-benches --bench speed` prints the table of the crate's README; words behind `--` select workloads, as in `-- held`. For the npm package it needs Node and what `interop/run`
//! installs; without them it says so and leaves the package out. It fails if a transfer of one large body takes more memory than it may.

mod bare;
mod exchange;
mod measure;
mod workload;

use std::process::ExitCode;

use self::measure::{Rounds, Subject};
use self::workload::{Side, Workload};

/// Peak of a process above its start, while it sends or takes the large body.
const MEMORY_KIB: u64 = 16 << 10;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    let ran = match words[..] {
        ["child", subject, side, workload, ref rest @ ..] => {
            child(subject, side, workload, rest).map(|()| true)
        }
        // `cargo bench -- --test` asks whether it still runs.
        _ if words.contains(&"--test") => compare(&Workload::small(), Rounds::ONE),
        _ => {
            let mut workloads = Workload::full();
            let selected = |name: &str| {
                words
                    .iter()
                    .all(|word| word.starts_with("--") || name.contains(word))
            };
            workloads.retain(|workload| selected(&workload.to_string()));
            compare(&workloads, Rounds::SEVERAL)
        }
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("speed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One side of a trade, in a process of its own: its peer is on standard input and output, what it measured goes to standard error.
fn child(subject: &str, side: &str, workload: &str, rest: &[&str]) -> Result<(), String> {
    let (side, workload) = (Side::parse(side)?, Workload::parse(workload, rest)?);
    match subject {
        "bare" => bare::run(side, &workload),
        "rust" => exchange::run(side, &workload),
        _ => Err(format!("{subject}: not bare, not rust")),
    }
}

/// False if more memory was taken than may be.
fn compare(workloads: &[Workload], rounds: Rounds) -> Result<bool, String> {
    let npm = measure::npm();
    if npm.is_none() {
        println!("The npm package is not installed: `interop/run` does that. It is left out.\n");
    }
    println!("| | ours | npm | ratio | bare pipe | of it | memory, giver and taker |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let mut fits = true;
    for workload in workloads {
        let content = workload.content().map_err(|error| error.to_string())?;
        let mut subjects = vec![Subject::Rust];
        subjects.extend(npm.clone().map(Subject::Npm));
        subjects.extend(workload.has_bare().then_some(Subject::Bare));
        let figures = measure::in_turns(&subjects, workload, content.as_ref(), rounds)?;
        println!("{}", figures.row(workload));
        fits &= !workload.has_bare()
            || figures
                .memory_kib()
                .into_iter()
                .all(|kib| kib <= MEMORY_KIB);
    }
    if !fits {
        println!("\nA process took more than {} MiB.", MEMORY_KIB >> 10);
    }
    Ok(fits)
}
