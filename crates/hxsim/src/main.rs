//! The command `hxsim`: the only place of the workspace that reads a clock, and asks what it is connected to.
#![expect(
    clippy::disallowed_methods,
    reason = "progress and wall time are for people, and decide no history"
)]

use std::fmt::Display;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser as _;
use hxsim::cli::{self, Cli, Command, Format};
use hxsim::gossip::{self, Gossip};
use hxsim::report::{Env, Outcome, Report};
use hxsim::run::{self, Run, Status};
use hxsim::scenario::Scenario;
use hxsim::topology::Graph;
use simnet::Layout;

/// Nodes are many small allocations: this allocator keeps them together, which makes a run of a thousand nodes a sixth faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut watcher = Watcher::new();
    let code = match Cli::parse().command {
        Command::Run(args) => run_one(&args, &mut watcher),
        Command::Report(args) => report_all(&args, &mut watcher),
        Command::Check(args) => check(&args),
    };
    ExitCode::from(code.unwrap_or_else(|failure| {
        eprintln!("{}", failure.message);
        failure.code
    }))
}

/// Why the command cannot do its work, and what it exits with.
struct Failure {
    code: u8,
    message: String,
}

const INTERNAL: u8 = 1;
const USAGE: u8 = 2;
const NOTHING_SELECTED: u8 = 4;
const NOT_DETERMINISTIC: u8 = 13;

impl Failure {
    fn usage(message: impl Display) -> Self {
        let message = message.to_string();
        Self {
            code: USAGE,
            message,
        }
    }

    fn scenario(path: &Path, error: &dyn Display) -> Self {
        Self::usage(format_args!("error: {}: {error}", path.display()))
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        Self {
            code: INTERNAL,
            message: format!("error: {}: {error}", path.display()),
        }
    }
}

fn run_one(args: &cli::Run, watcher: &mut Watcher) -> Result<u8, Failure> {
    let mut scenario = Scenario::load(&args.scenario, &args.set).map_err(Failure::usage)?;
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    let (graph, gossip) = prepare(&args.scenario, &scenario)?;
    let began = Instant::now();
    let (mut report, run) = watcher.simulate(&args.scenario, &scenario, &graph, &gossip)?;
    let wall = began.elapsed();
    if let Some(directory) = &args.out {
        for (path, text) in results(directory, &report) {
            write(&path, &text)?;
        }
    }
    let text = match args.format {
        Format::Human => report.human(io::stdout().is_terminal()),
        Format::Json => {
            report.env = Some(Env {
                wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
                machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            });
            report.json()
        }
    };
    print(&text)?;
    if args.verify && report.outcome != Outcome::Interrupted {
        drop(run);
        verify(&args.scenario, &scenario, &graph, &gossip, &report)?;
    } else {
        // The process ends here, and the system takes a million nodes back faster than they could be dropped one by one.
        std::mem::forget(run);
    }
    Ok(report.outcome.exit_code())
}

fn report_all(args: &cli::Report, watcher: &mut Watcher) -> Result<u8, Failure> {
    let mut paths = Vec::new();
    let entries = fs::read_dir(&args.sims).map_err(|error| Failure::io(&args.sims, &error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| Failure::io(&args.sims, &error))?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Failure {
            code: NOTHING_SELECTED,
            message: format!("error: {}: no scenario is here", args.sims.display()),
        });
    }
    let mut code = 0;
    for path in &paths {
        let scenario = Scenario::load(path, &[]).map_err(Failure::usage)?;
        let (graph, gossip) = prepare(path, &scenario)?;
        let (report, _) = watcher.simulate(path, &scenario, &graph, &gossip)?;
        print(&format!("{}\n", report.verdict(io::stdout().is_terminal())))?;
        if report.outcome != Outcome::Converged {
            code = report.outcome.exit_code();
        }
        if report.outcome == Outcome::Interrupted {
            break;
        }
        for (path, text) in results(&args.out, &report) {
            if !args.check {
                write(&path, &text)?;
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                eprintln!(
                    "error: {}: differs from what the scenario answers now; `hxsim report` writes it anew",
                    path.display()
                );
                code = NOT_DETERMINISTIC;
            }
        }
    }
    Ok(code)
}

fn check(args: &cli::Check) -> Result<u8, Failure> {
    let mut code = 0;
    for path in &args.scenarios {
        let checked = Scenario::load(path, &[]).map_err(Failure::usage);
        match checked.and_then(|scenario| prepare(path, &scenario)) {
            Ok(_) => print(&format!("{}: ok\n", path.display()))?,
            Err(failure) => {
                eprintln!("{}", failure.message);
                code = failure.code;
            }
        }
    }
    Ok(code)
}

/// The network of a scenario and its nodes.
fn prepare(path: &Path, scenario: &Scenario) -> Result<(Graph, Gossip), Failure> {
    let graph = scenario.topology.graph(scenario.nodes, scenario.seed);
    let graph = graph.map_err(|error| Failure::scenario(path, &error))?;
    let gossip = Gossip::new(scenario, &graph).map_err(|error| Failure::io(path, &error))?;
    Ok((graph, gossip))
}

/// Runs the scenario in two worlds, and says whether they agree.
fn verify(
    path: &Path,
    scenario: &Scenario,
    graph: &Graph,
    gossip: &Gossip,
    report: &Report,
) -> Result<(), Failure> {
    let verdict = run::verify(gossip, scenario, graph);
    let verdict = verdict.map_err(|error| Failure::scenario(path, &error))?;
    match verdict {
        Ok(digest) if format!("{digest:016x}") != report.digest => Err(Failure {
            code: NOT_DETERMINISTIC,
            message: format!(
                "error: not deterministic: the run above has digest {}, and two runs since have {digest:016x}",
                report.digest
            ),
        }),
        Ok(digest) => {
            eprintln!(
                "verified: run again in one piece and in three shards, backwards, the digest is {digest:016x} in both"
            );
            Ok(())
        }
        Err(difference) => Err(Failure {
            code: NOT_DETERMINISTIC,
            message: format!("error: not deterministic: {difference}"),
        }),
    }
}

/// The files of a report, with what belongs into them.
fn results(directory: &Path, report: &Report) -> [(PathBuf, String); 2] {
    let path = |extension| directory.join(format!("{}.{extension}", report.scenario));
    [(path("json"), report.json()), (path("svg"), report.svg())]
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| Failure::io(path, &error))
}

/// Prints to standard output. A reader that has gone away, as `head` does, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io(Path::new("standard output"), &error))
        }
        _ => Ok(()),
    }
}

/// Runs scenarios; shows how they get on, to a terminal and only if it takes a while, and stops them on Ctrl-C.
struct Watcher {
    terminal: bool,
    began: Instant,
    shown: Option<Instant>,
    interrupted: Arc<AtomicBool>,
}

impl Watcher {
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
            terminal: io::stderr().is_terminal(),
            began: Instant::now(),
            shown: None,
            interrupted,
        }
    }

    fn simulate<'a>(
        &mut self,
        path: &Path,
        scenario: &Scenario,
        graph: &'a Graph,
        gossip: &'a Gossip,
    ) -> Result<(Report, Run<'a, Gossip>), Failure> {
        self.began = Instant::now();
        let watch = |status| self.watch(&scenario.name, status);
        let run = run::run(gossip, scenario, graph, Layout::default(), watch);
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
        let run = run.map_err(|error| Failure::scenario(path, &error))?;
        Ok((gossip::report(gossip, scenario, graph, &run), run))
    }

    fn watch(&mut self, name: &str, status: Status) -> ControlFlow<()> {
        let silent = match self.shown {
            None => self.began.elapsed() < Duration::from_secs(1),
            Some(shown) => shown.elapsed() < Duration::from_millis(200),
        };
        if self.terminal && !silent {
            self.shown = Some(Instant::now());
            let percent =
                100 * u128::from(status.progress.have) / u128::from(status.progress.of.max(1));
            let rate = status.events as f64 / self.began.elapsed().as_secs_f64() / 1e6;
            eprint!(
                "\r\x1b[K{name}: {} of {} simulated, {percent} % covered, {rate:.2} M events/s",
                status.now, status.horizon
            );
        }
        match self.interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}
