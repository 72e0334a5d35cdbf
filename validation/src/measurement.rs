//! Real nodes in the network of a setting: what they did, and how long it took.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::counters::Counters;
use crate::figures::{Figures, KINDS, covered};
use crate::router::{Lateness, Router};
use crate::setting::Setting;
use crate::testbed::{self, Means, Namespace, Tcp, address};

/// What one run came to.
pub(crate) struct Measurement {
    /// What a prediction says too.
    pub figures: Figures,
    /// What the kernel counted at all nodes together, from their beginning until soon after the last delivery.
    pub kernel: Counters,
    /// How far apart the first and the last node began.
    pub apart: Duration,
    /// How late the router was, if there is one.
    pub lateness: Option<Lateness>,
}

/// What is needed for runs.
pub(crate) struct Laboratory<'a> {
    /// The example `node` of hash-gossip-tokio.
    pub program: &'a Path,
    pub means: Means,
    /// A directory of our own.
    pub scratch: &'a Path,
}

/// What a node says of itself when it ends.
#[derive(Deserialize)]
struct Report {
    began_unix_ns: u64,
    bodies: Vec<Body>,
    frames: Vec<Frames>,
    sent_bytes: u64,
}

#[derive(Deserialize)]
struct Body {
    from: Option<String>,
    after_ns: u64,
}

#[derive(Deserialize)]
struct Frames {
    kind: String,
    frames: u64,
}

/// A line that a node printed, or none: it has ended.
type Said = (usize, Option<String>);

const PORT: u16 = 4000;

/// All nodes have to be ready within this time, and to end within this time once they are told to.
const PATIENCE: Duration = Duration::from_secs(20);

/// So long after the last delivery the last acknowledgements and announcements have arrived.
const AFTERMATH: Duration = Duration::from_secs(1);

impl Laboratory<'_> {
    /// Runs the nodes of a setting once.
    ///
    /// # Errors
    ///
    /// In words: what a node or the network failed to do.
    pub(crate) fn run(
        &self,
        setting: &Setting,
        tcp: &Tcp,
        seed: u64,
    ) -> Result<Measurement, String> {
        let directories = self
            .deal(setting)
            .map_err(|error| format!("error: {}: {error}", self.scratch.display()))?;
        let (sender, said) = mpsc::channel();
        let mut namespaces = Vec::new();
        for (node, directory) in (0..).zip(&directories) {
            let mut namespace = Namespace::new(node, &self.node(setting, node, directory))?;
            listen(node as usize, &mut namespace, &sender);
            namespaces.push(namespace);
        }
        let nodes = namespaces.len();
        // Each is in its namespace; then each has its network, listens, and has said what it holds.
        hear(&said, nodes, PATIENCE)?;
        let links = &setting.scenario.links;
        let router = testbed::join(&mut namespaces, self.means, tcp, links, seed)?;
        let held: usize = setting.items().iter().map(|item| item.holders.len()).sum();
        hear(&said, nodes + held, PATIENCE)?;

        let before = counters(&namespaces)?;
        for (node, namespace) in namespaces.iter_mut().enumerate() {
            let begins = namespace.say("");
            begins.map_err(|error| format!("error: node {node} ended early: {error}"))?;
        }
        let horizon = setting.scenario.run.horizon.elapsed();
        hear(&said, setting.pairs(), horizon)?;
        thread::sleep(AFTERMATH);
        let kernel = counters(&namespaces)?.since(&before);
        // Connections that end with their processes might wait for minutes for a last word that is lost, and their namespaces with them.
        namespaces.iter().try_for_each(Namespace::cut)?;
        let lateness = router.map(Router::join);
        end(&mut namespaces, &said)?;
        let (figures, apart) = figures(setting, &directories)?;
        Ok(Measurement {
            figures,
            kernel,
            apart,
            lateness,
        })
    }

    /// A directory for each node with what it publishes.
    fn deal(&self, setting: &Setting) -> std::io::Result<Vec<PathBuf>> {
        let mut directories = Vec::new();
        for node in 0..setting.scenario.nodes {
            let directory = self.scratch.join(format!("node{node}"));
            if directory.exists() {
                fs::remove_dir_all(&directory)?;
            }
            fs::create_dir(&directory)?;
            for item in setting
                .items()
                .iter()
                .filter(|item| item.holders.contains(&node))
            {
                fs::write(directory.join(item.hash.to_string()), &item.body)?;
            }
            directories.push(directory);
        }
        Ok(directories)
    }

    /// The program of a node, which dials its neighbours of higher numbers, as simulated nodes do.
    fn node(&self, setting: &Setting, node: u32, directory: &Path) -> Command {
        let mut command = Command::new(self.program);
        command.args(["--listen", &format!("{}:{PORT}", address(node))]);
        for neighbour in setting
            .graph
            .neighbours(node)
            .iter()
            .filter(|neighbour| node < **neighbour)
        {
            command.args(["--peer", &format!("{}:{PORT}", address(*neighbour))]);
        }
        command.arg("--dir").arg(directory);
        command
            .arg("--stdin")
            .arg("--report")
            .arg(report(directory));
        command
    }
}

fn report(directory: &Path) -> PathBuf {
    directory.join(".report")
}

/// Passes on what a node prints.
fn listen(node: usize, namespace: &mut Namespace, said: &Sender<Said>) {
    let Some(output) = namespace.child.stdout.take() else {
        return;
    };
    let said = said.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if said.send((node, Some(line))).is_err() {
                return;
            }
        }
        let _ = said.send((node, None));
    });
}

/// Waits until the nodes together have printed so many lines.
fn hear(said: &Receiver<Said>, lines: usize, patience: Duration) -> Result<(), String> {
    let end = Instant::now() + patience;
    for heard in 0..lines {
        match said.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((_, Some(_))) => {}
            Ok((node, None)) => return Err(format!("error: node {node} ended early")),
            Err(_) => {
                return Err(format!(
                    "error: {heard} of {lines} lines came from the nodes within {patience:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Ends the nodes, which write their reports then.
fn end(namespaces: &mut [Namespace], said: &Receiver<Said>) -> Result<(), String> {
    for namespace in namespaces.iter_mut() {
        drop(namespace.child.stdin.take());
    }
    let end = Instant::now() + PATIENCE;
    for _ in 0..namespaces.len() {
        let wait = end.saturating_duration_since(Instant::now());
        match said.recv_timeout(wait) {
            Ok((_, None)) => {}
            Ok((node, Some(line))) => {
                return Err(format!("error: node {node} said too much: {line}"));
            }
            Err(_) => return Err(format!("error: the nodes did not end within {PATIENCE:?}")),
        }
    }
    for (node, namespace) in namespaces.iter_mut().enumerate() {
        match namespace.child.wait() {
            Ok(status) if status.success() => {}
            outcome => return Err(format!("error: node {node} failed: {outcome:?}")),
        }
    }
    Ok(())
}

fn counters(namespaces: &[Namespace]) -> Result<Counters, String> {
    let mut sum = Counters::default();
    for namespace in namespaces {
        let counters = namespace
            .counters()
            .map_err(|error| format!("error: /proc/{}/net: {error}", namespace.child.id()))?;
        sum = sum.plus(&counters);
    }
    Ok(sum)
}

/// What the nodes reported, on one clock that begins with the first of them; and how much later the last one began.
fn figures(setting: &Setting, directories: &[PathBuf]) -> Result<(Figures, Duration), String> {
    let mut reports = Vec::new();
    for directory in directories {
        let path = report(directory);
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("error: {}: {error}", path.display()))?;
        let report: Report = serde_json::from_str(&text)
            .map_err(|error| format!("error: {}: {error}", path.display()))?;
        reports.push(report);
    }
    let began = || reports.iter().map(|report| report.began_unix_ns);
    let (first, last) = (began().min().unwrap_or(0), began().max().unwrap_or(0));
    let mut times = Vec::new();
    let mut frames = BTreeMap::<&str, u64>::new();
    for report in &reports {
        let late = report.began_unix_ns - first;
        let came = report.bodies.iter().filter(|body| body.from.is_some());
        times.extend(came.map(|body| Duration::from_nanos(late + body.after_ns)));
        for count in &report.frames {
            *frames.entry(&count.kind).or_default() += count.frames;
        }
    }
    let delivered = times.len();
    let covered = covered(times, setting.pairs())
        .ok_or_else(|| format!("error: {delivered} of {} bodies came", setting.pairs()))?;
    let figures = Figures {
        covered,
        stream_bytes: reports.iter().map(|report| report.sent_bytes).sum(),
        frames: KINDS.map(|kind| frames.get(kind).copied().unwrap_or(0)),
    };
    Ok((figures, Duration::from_nanos(last - first)))
}
