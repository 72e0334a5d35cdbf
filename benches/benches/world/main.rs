//! What a message costs in the simulator: the workload W, over datagrams and over streams, beside a bare loop of the same messages in the same run.
//!
//! `cargo bench -p hx-benches --bench world` prints a table. Each run is a process of its own, so that its CPU time and its memory are those of one world; numbers behind
//! `--` are the nodes of other networks, as in `-- 300 1000000`.

use std::fmt;
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::time::Duration;

use hx_benches::flood::{self, Carrier};
use hx_benches::process;

/// Hashes that spread.
const NUMBERS: u16 = 16;

const SEED: u64 = 1;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    let ran = match words[..] {
        ["child", carrier, nodes] => child(carrier, nodes),
        // `cargo bench -- --test` asks whether it still runs.
        _ if words.contains(&"--test") => table(&[100], 1),
        _ => {
            let own: Vec<_> = words.iter().filter_map(|word| word.parse().ok()).collect();
            let all = [1_000, 10_000, 100_000];
            table(if own.is_empty() { &all } else { &own }, 5)
        }
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("world: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What one process says of itself.
#[derive(Clone, Copy, Default)]
struct Outcome {
    messages: u64,
    /// Of one run, start and end of the world included.
    cpu_ns: u64,
    /// The peak of its memory above that before the first run.
    memory_kib: u64,
}

/// Runs a world as often as it takes to measure it, and prints what that cost.
fn child(carrier: &str, nodes: &str) -> Result<(), String> {
    let nodes: u32 = nodes
        .parse()
        .map_err(|_| format!("{nodes}: not a number"))?;
    let carrier = Carrier::ALL.into_iter().find(|it| it.name() == carrier);
    let carrier = carrier.ok_or("not one of bare, datagrams, streams")?;
    let graph = Rc::new(flood::overlay(nodes, SEED));
    let expected = flood::messages(&graph, NUMBERS);
    let (start, start_kib) = (process::cpu_time(), process::peak_kib());
    let mut runs = 0;
    while runs == 0 || process::cpu_time() - start < ENOUGH {
        let sent = carrier.run(&graph, SEED, NUMBERS);
        if sent != expected {
            return Err(format!("{sent} messages instead of {expected}"));
        }
        runs += 1;
    }
    let cpu_ns = (process::cpu_time() - start).as_nanos() / runs;
    println!("{expected} {cpu_ns} {}", process::peak_kib() - start_kib);
    Ok(())
}

/// One run is measured no shorter than this.
const ENOUGH: Duration = Duration::from_millis(500);

/// All sizes one after the other, and of each all kinds in turns, so that a bad minute is bad for all of them.
fn table(sizes: &[u32], rounds: usize) -> Result<(), String> {
    println!(
        "| nodes | messages | | messages a CPU-second | of the bare loop | peak memory | a node |"
    );
    println!("|--:|--:|---|--:|--:|--:|--:|");
    for nodes in sizes {
        let mut outcomes = [const { Vec::new() }; Carrier::ALL.len()];
        for _ in 0..rounds {
            for (carrier, outcomes) in Carrier::ALL.into_iter().zip(&mut outcomes) {
                outcomes.push(outcome(carrier, *nodes)?);
            }
        }
        let [bare, ..] = outcomes.each_ref().map(|outcomes| median(outcomes));
        for (carrier, outcomes) in Carrier::ALL.iter().zip(&outcomes) {
            let outcome = median(outcomes);
            let part = 100.0 * outcome.rate() / bare.rate();
            println!(
                "| {nodes} | {} | {} | {outcome} | {part:.0} % | {} MiB | {} bytes |",
                outcome.messages,
                carrier.name(),
                outcome.memory_kib >> 10,
                (outcome.memory_kib << 10) / u64::from(*nodes)
            );
        }
    }
    Ok(())
}

/// Of one process.
fn outcome(carrier: Carrier, nodes: u32) -> Result<Outcome, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(["child", carrier.name(), &nodes.to_string()]);
    let output = command.output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut numbers = said.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(messages)), Some(Ok(cpu_ns)), Some(Ok(memory_kib))) if output.status.success() => {
            Ok(Outcome {
                messages,
                cpu_ns,
                memory_kib,
            })
        }
        _ => {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "{} of {nodes} nodes: {}, {error}",
                carrier.name(),
                output.status
            ))
        }
    }
}

impl Outcome {
    fn rate(&self) -> f64 {
        self.messages as f64 * 1e9 / self.cpu_ns as f64
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} M", self.rate() / 1e6)
    }
}

fn median(outcomes: &[Outcome]) -> Outcome {
    let mut outcomes = outcomes.to_vec();
    outcomes.sort_unstable_by_key(|it| it.cpu_ns);
    outcomes[outcomes.len() / 2]
}
