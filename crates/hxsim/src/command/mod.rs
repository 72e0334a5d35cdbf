//! The subcommands, which share how they fail and where they write.

pub(crate) mod check;
pub(crate) mod new;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sweep;
pub(crate) mod trace;
mod watch;

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hxsim::gossip::{Gossip, footprint};
use hxsim::progress;
use hxsim::reaction::{self, Undated};
use hxsim::report::Report;
use hxsim::run::Status;
use hxsim::scenario::Scenario;
use hxsim::topology::Graph;
use simnet::Probability;

use crate::Console;

/// Why the command cannot do its work, and what it exits with.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

const INTERNAL: u8 = 1;
const USAGE: u8 = 2;
const NOTHING_SELECTED: u8 = 4;
const NOT_DETERMINISTIC: u8 = hxsim::run::Difference::EXIT_CODE;

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

/// The network of a scenario and its nodes.
fn prepare(path: &Path, scenario: &Scenario) -> Result<(Graph, Gossip), Failure> {
    let graph = scenario.topology.graph(scenario.nodes, scenario.seed);
    let graph = graph.map_err(|error| Failure::scenario(path, &error))?;
    let gossip = Gossip::new(scenario, &graph).map_err(|error| Failure::io(path, &error))?;
    Ok((graph, gossip))
}

/// The same with the dates of all that waits for something to happen, which takes a run or more.
fn dated(
    path: &Path,
    scenario: Scenario,
    watch: impl FnMut(Status) -> ControlFlow<()>,
) -> Result<(Scenario, Graph, Gossip), Failure> {
    let (graph, gossip) = prepare(path, &scenario)?;
    if scenario.reactions.is_empty() {
        return Ok((scenario, graph, gossip));
    }
    let protocol = |scenario: &Scenario| Gossip::new(scenario, &graph);
    let dated = reaction::date::<Gossip, _, _>(&scenario, &graph, protocol, watch);
    let dated = dated.map_err(|error| match &error {
        Undated::Protocol(error) => Failure::io(path, error),
        Undated::Network(_) | Undated::TooSoon { .. } => Failure::scenario(path, &error),
    })?;
    let gossip = protocol(&dated).map_err(|error| Failure::io(path, &error))?;
    Ok((dated, graph, gossip))
}

/// Warns of what a run would not tell: links that this seed has not drawn, faults without effect, nothing to do, and too little memory for so many such
/// runs at once. True: there was something to warn of.
fn warn(
    path: &Path,
    scenario: &Scenario,
    (graph, gossip): (&Graph, &Gossip),
    at_once: u64,
    console: &Console,
) -> bool {
    let absent = scenario.absent_links(graph);
    for (a, b) in &absent {
        eprintln!(
            "warning: {}: with seed {} nodes {a} and {b} are no neighbours, so that what is said of the link between them has no effect",
            path.display(),
            scenario.seed
        );
    }
    let mut is_idle = false;
    for (is_so, what) in [
        (
            gossip.items().is_empty(),
            "nothing is published, so that there is nothing to spread: a [workload] says what is",
        ),
        (
            scenario.fails_disks() && !scenario.node.durable,
            "nodes keep nothing on their disks, so that what happens to disks has no effect: `node.durable = true` lets them",
        ),
        (
            gossip.items().iter().any(|item| {
                let mut holders = item.holders.iter();
                holders.all(|holder| scenario.roles.contains_key(holder))
            }),
            "some bodies are published by nodes with roles alone, which keep them to themselves",
        ),
        (
            scenario.changes_datagrams(),
            "nodes send no datagrams, so that what duplicates, reorders or corrupts them has no effect",
        ),
        (
            scenario.links.default.loss == Probability::ONE,
            "`network.loss` is 100%: nothing that is sent ever arrives",
        ),
    ] {
        if is_so {
            eprintln!("warning: {}: {what}", path.display());
            is_idle = true;
        }
    }
    let needed = footprint(gossip, graph).saturating_mul(at_once);
    let warning = console
        .free()
        .and_then(|free| progress::too_large(&path.display(), needed, free));
    if let Some(warning) = &warning {
        eprintln!("{warning}");
    }
    warning.is_some() || !absent.is_empty() || is_idle
}

/// The files of a report, with what belongs into them.
fn results(directory: &Path, report: &Report) -> [(PathBuf, String); 2] {
    let path = |extension| directory.join(format!("{}.{extension}", report.scenario));
    [(path("json"), report.json()), (path("svg"), report.svg())]
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, content))
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
