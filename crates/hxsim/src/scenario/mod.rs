//! A scenario: one question about a network of nodes, as plain data.
//!
//! It is read from TOML ([`Scenario::load`]) or made in Rust ([`Scenario::new`]), so that a property test can draw one.
//! This is every key there is, with what it is by default:
//!
#![doc = concat!("```toml\n", include_str!("example.toml"), "```")]
//!
//! The value of a key may be set from outside by its path, as `--set` does: `network.loss=5%`, `fault.0.at=2s`. It takes the place of all that
//! was there, a table too; `fault.0=` takes away what is there. A new `kind` takes the keys beside the old one away.
//!
//! Durations have a unit (ns, us, ms, s, m, h), sizes may have one (B, KiB, MiB, GiB), probabilities are per cent. A bandwidth is a size a second
//! (B/s, KiB/s, MiB/s, GiB/s, or kbit/s, Mbit/s, Gbit/s, which are powers of ten).

mod churn;
mod document;
mod drawn;
mod expect;
mod fault;
mod latency;
mod measure;
mod network;
mod quantity;
mod read;
mod region;
mod role;
mod section;
mod topology;
mod workload;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use simnet::{
    DiskModel, Fault, Impairment, Link, Links, NodeId, Probability, Schedule, StreamModel, Time,
};

use crate::churn::Churn;
use crate::diagnostic::{BadScenario, Diagnostic, Place, Source, nearest};
use crate::expect::Expectation;
use crate::topology::{Graph, Topology};
use crate::workload::Workload;

pub(crate) use self::quantity::instant;
pub use self::role::Role;

/// Everything that decides a run: the same scenario is the same history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What results are filed under: the file's name without its extension.
    pub name: String,
    /// What the run shall answer.
    pub question: String,
    /// What to see the answer beside, if anything.
    pub baseline: Option<Baseline>,
    /// How many nodes there are, numbered from 0.
    pub nodes: u32,
    /// The seed of every draw.
    pub seed: u64,
    /// Who is whose neighbour.
    pub topology: Topology,
    /// Latency, loss and bandwidth of each link, and the nodes' own lines.
    pub links: Links,
    /// How streams use their links.
    pub stream: StreamModel,
    /// What is published, when and where; `None` leaves it to the nodes' own program.
    pub workload: Option<Workload>,
    /// How long disks take.
    pub disk: DiskModel,
    /// What each node is told.
    pub node: NodeOptions,
    /// How long it goes on.
    pub run: RunOptions,
    /// The part of the run that the figures speak of; `None` is all of it.
    pub measure: Option<Measure>,
    /// What goes wrong.
    pub schedule: Schedule,
    /// Which `[[fault]]` of its file each fault of the schedule comes from, as one that names many nodes is a fault of each; of those beyond it
    /// is their own place.
    pub fault_numbers: Vec<u32>,
    /// What goes wrong once something has happened.
    pub reactions: Vec<Reaction>,
    /// Who comes and goes by a rule.
    pub churn: Option<Churn>,
    /// Who does not behave, and how.
    pub roles: BTreeMap<NodeId, Role>,
    /// What nodes are made to let go of.
    pub evictions: Vec<Eviction>,
    /// What the figures shall be, in the order of their names.
    pub expect: Vec<Expectation>,
}

/// What is written with a unit, as a whole number of `ppm`, `ns`, `bytes_per_s` or `bytes`: what it is called, and how many.
pub(crate) fn number(text: &str) -> Option<(&'static str, u64)> {
    quantity::number(text)
}

/// The same question asked of other circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// What is different, as `--set` takes it.
    pub settings: Vec<String>,
    /// The scenario with that, without expectations.
    pub scenario: Box<Scenario>,
}

/// Faults that wait for something to happen: the first check at which so much of the goal is reached. A run whose faults are all dated is needed to say when that is, see
/// [`reaction::date`](crate::reaction::date).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// How much of it, as a share.
    pub once: Probability,
    /// What happens then, in times since then; at the least the lookahead.
    pub faults: Vec<Fault>,
    /// Which `[[fault]]` of its file it is.
    pub number: u32,
    /// When it is; `None`: not yet known, or never.
    pub dated: Option<Time>,
}

/// Nodes let go of bodies. One that does not hold such a body then, or is not up, has nothing to let go of, and may get it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// When.
    pub at: Time,
    /// Who, sorted.
    pub nodes: Vec<NodeId>,
    /// Which, by their places among the items of the workload, sorted.
    pub bodies: Vec<u32>,
}

/// What each node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// A peer that makes no progress for this long is passed over.
    pub stall: Duration,
    /// The wait before the first redial.
    pub backoff: Duration,
    /// The longest wait between two redials.
    pub backoff_max: Duration,
    /// At most so many hashes go into one message.
    pub batch: u32,
    /// How news spreads.
    pub strategy: Strategy,
    /// Whether it keeps what it holds on its disk.
    pub durable: bool,
}

/// How news spreads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Advertise what one has, ask one peer at a time for what one lacks.
    #[default]
    Trade,
}

/// How long a run goes on, and when somebody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// The run ends here at the latest.
    pub horizon: Time,
    /// Checks look at the nodes at multiples of this.
    pub check_every: Duration,
    /// What ends the run before the horizon.
    pub stop: Stop,
    /// What the nodes shall reach.
    pub goal: Goal,
}

/// The part of a run that its figures speak of: what is before is warming up, and what is after lets the last items spread.
///
/// - Items are those that are published in `from .. until`. Deliveries, reliability, coverage, delays, redundancy and hops are theirs, whenever they are
///   delivered; instants are since the start of the run.
/// - Frames and bytes are those sent in `from .. until`, of whatever item: the difference of what was counted at both cuts. So are those of a node,
///   and those of edges that carried no body in that time. What is in flight is so at `until`, so that what was at `from` is missing where totals are
///   balanced.
/// - Figures that divide the one by the other (control bytes a delivery, traffic over ideal, frames for each item and node) mean something if as much
///   is left undone at the end as was at the beginning: while the network keeps up with what is published.
///
/// What must be reached is judged on all items, and a run does not end by that before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The first instant that counts.
    pub from: Time,
    /// The first that counts no more.
    pub until: Time,
}

/// What the nodes shall reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Goal {
    /// Each ends with every hash of its component, which is what a partition that never heals leaves of the graph.
    #[default]
    Component,
    /// Each ends with every hash there is, whatever stands between.
    Union,
}

/// What ends a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// The first check at which the goal is reached.
    #[default]
    Converged,
    /// The horizon alone.
    Horizon,
}

impl Measure {
    /// Whether an instant lies within.
    pub fn contains(self, at: Time) -> bool {
        (self.from..self.until).contains(&at)
    }
}

impl Scenario {
    /// A JSON Schema (draft 2020-12) of scenario files, with which editors complete keys and show what they mean. The reader says more and says it
    /// better; tests hold the two together, key by key.
    pub const SCHEMA: &str = include_str!("schema.json");

    /// A ring of `nodes` over links of 10 ms without loss or faults, and nothing published; a minute of virtual time.
    pub fn new(nodes: u32) -> Self {
        Self {
            name: "unnamed".into(),
            question: String::new(),
            baseline: None,
            nodes,
            seed: 1,
            topology: Topology::Ring,
            links: Links::all(Link::constant(Duration::from_millis(10))),
            stream: StreamModel::default(),
            workload: None,
            disk: DiskModel::default(),
            node: NodeOptions::default(),
            run: RunOptions::default(),
            measure: None,
            schedule: Schedule::default(),
            fault_numbers: Vec::new(),
            reactions: Vec::new(),
            churn: None,
            roles: BTreeMap::new(),
            evictions: Vec::new(),
            expect: Vec::new(),
        }
    }

    /// All that goes wrong in a run: the schedule, then the reactions that have a date, and then what comes of [`Scenario::churn`] with this seed.
    pub fn faults(&self) -> Schedule {
        let mut schedule = self.schedule.clone();
        let reactions = self.reactions.iter().filter_map(|it| Some((it, it.dated?)));
        let dated = reactions.flat_map(|(reaction, at)| {
            let faults = reaction.faults.iter().cloned();
            faults.map(move |fault| fault.later(at.elapsed()))
        });
        schedule.faults.extend(dated);
        if let Some(churn) = &self.churn {
            let faults = churn.faults(self.seed, self.run.horizon);
            schedule.faults.extend(faults);
        }
        schedule
    }

    /// The faults that are written down, dated or not.
    fn planned(&self) -> impl Iterator<Item = &Fault> {
        let reactions = self.reactions.iter();
        let waiting = reactions.flat_map(|reaction| &reaction.faults);
        self.schedule.faults.iter().chain(waiting)
    }

    /// Whether some fault is one of a disk.
    pub fn fails_disks(&self) -> bool {
        let mut faults = self.planned();
        faults.any(|fault| matches!(fault, Fault::LoseDisk { .. } | Fault::FailDisk { .. }))
    }

    /// Whether some fault is one of datagrams alone.
    pub fn changes_datagrams(&self) -> bool {
        let mut faults = self.planned();
        faults.any(|fault| match fault {
            Fault::Impair { impairment, .. } => matches!(
                impairment,
                Impairment::Duplicate(_) | Impairment::Reorder { .. } | Impairment::Corrupt(_)
            ),
            _ => false,
        })
    }

    /// The links that the scenario cuts or says something of, but that this graph does not have: what is said of them has no effect.
    pub fn absent_links(&self, graph: &Graph) -> Vec<(NodeId, NodeId)> {
        let cuts = self.planned().filter_map(|fault| match fault {
            Fault::Cut { between, .. } => Some(*between),
            _ => None,
        });
        let named = cuts.chain(self.links.exceptions.keys().copied());
        let named = named.map(|(a, b)| (a.min(b), a.max(b)));
        let mut absent: Vec<_> = named.filter(|(a, b)| !graph.has_edge(*a, *b)).collect();
        absent.sort_unstable();
        absent.dedup();
        absent
    }

    /// What a fault is called, by its place in [`Scenario::faults`]: as `--set` calls it if it can be set.
    pub fn fault_name(&self, place: usize) -> String {
        let dated = self.reactions.iter().filter(|it| it.dated.is_some());
        let mut reactions = dated.flat_map(|it| it.faults.iter().map(|_| it.number));
        let number = match place.checked_sub(self.schedule.faults.len()) {
            None => self.fault_numbers.get(place).copied(),
            Some(after) => match reactions.nth(after) {
                Some(number) => Some(number),
                None => return "churn".into(),
            },
        };
        match number {
            Some(number) => format!("fault.{number}"),
            None => format!("fault.{place}"),
        }
    }

    /// Reads a scenario file, and over it the values of `sets` (`path=value`, as `--set` takes them).
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, BadScenario> {
        let name = path.display().to_string();
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let (message, hint) = unreadable(path, &error);
                let unreadable = Diagnostic {
                    place: Place::whole(0),
                    message,
                    hint,
                };
                let text = String::new();
                let sources = vec![Source { name, text }];
                return Err(BadScenario::new(sources, vec![unreadable]));
            }
        };
        String::from_utf8(bytes)
            .map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                let diagnostic = Diagnostic {
                    place: Place::bytes(0, at..at + char::REPLACEMENT_CHARACTER.len_utf8()),
                    message: "this is no text".into(),
                    hint: "a scenario is written in UTF-8".into(),
                };
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let sources = vec![Source {
                    name: name.clone(),
                    text,
                }];
                BadScenario::new(sources, vec![diagnostic])
            })
            .and_then(|text| Self::parse(&name, text, sets))
    }

    /// Reads a scenario from its text. `path` names it in diagnostics, and paths in the scenario are relative to its directory.
    ///
    /// ```
    /// let text = r#"
    ///     question = "How long does a body take around a ring?"
    ///     nodes = 10
    ///     topology.kind = "ring"
    ///     network.latency = "10ms"
    ///     workload = { publishers = 1, size = "1KiB" }
    ///     run.horizon = "10s"
    /// "#;
    /// let sets = ["network.loss=1%".to_owned()];
    /// let scenario = hxsim::Scenario::parse("ring.toml", text.to_owned(), &sets)?;
    /// assert_eq!(scenario.name, "ring");
    /// assert_eq!(scenario.links.default.loss.as_ppm(), 10_000);
    /// # Ok::<(), hxsim::diagnostic::BadScenario>(())
    /// ```
    pub fn parse(path: &str, text: String, sets: &[String]) -> Result<Self, BadScenario> {
        let (mut problems, root) = document::parse(path, text.clone(), sets, &[])?;
        let read = read::scenario(&mut problems, &root, Path::new(path));
        let (mut scenario, settings) = problems.into_result(read)?;
        if !settings.is_empty() {
            let (mut problems, mut root) = document::parse(path, text, sets, &settings)?;
            // It is neither judged nor compared itself.
            root.remove("expect");
            root.remove("compare");
            let read = read::scenario(&mut problems, &root, Path::new(path));
            let (other, _) = problems.into_result(read)?;
            scenario.baseline = Some(Baseline {
                settings,
                scenario: Box::new(other),
            });
        }
        Ok(scenario)
    }
}

/// What is wrong with a file that cannot be read, and what was meant perhaps.
fn unreadable(path: &Path, error: &io::Error) -> (String, String) {
    let directory = path.parent().unwrap_or(Path::new(""));
    match error.kind() {
        io::ErrorKind::NotFound => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let places = [directory, Path::new("sims")];
            let meant = places.iter().find_map(|place| {
                let known = scenarios_in(place);
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                Some(place.join(nearest(&name, &known)?))
            });
            let hint = meant.map_or_else(String::new, |meant| {
                format!("did you mean {}?", meant.with_extension("toml").display())
            });
            ("there is no such file".into(), hint)
        }
        io::ErrorKind::IsADirectory => {
            let all = path.join("*.toml").display().to_string();
            (
                "this is a directory".into(),
                format!("its scenarios are {all}"),
            )
        }
        kind => (format!("cannot be read: {kind}"), String::new()),
    }
}

/// The names of a directory's scenarios, sorted; none if it cannot be read.
fn scenarios_in(directory: &Path) -> Vec<String> {
    // The path to here is empty.
    let listed = fs::read_dir(Path::new(".").join(directory));
    let paths = listed.into_iter().flatten().flatten().map(|it| it.path());
    let scenarios = paths.filter(|path| path.extension().is_some_and(|it| it == "toml"));
    let names = scenarios.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(5),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            batch: 1000,
            strategy: Strategy::default(),
            durable: false,
        }
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            horizon: Time::from_secs(60),
            check_every: Duration::from_millis(100),
            stop: Stop::default(),
            goal: Goal::default(),
        }
    }
}
