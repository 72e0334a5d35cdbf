//! A scenario that real nodes can run too, and what the simulator predicts of it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use hxsim::gossip::{self, Gossip};
use hxsim::run;
use hxsim::scenario::{NodeOptions, Scenario};
use hxsim::topology::Graph;
use hxsim::workload::Item;
use simnet::{Access, Jitter, Layout, Link, Links, Probability, Time};

use crate::figures::{COVERED, Figures, KINDS};

/// A scenario with its graph, and what its nodes publish.
pub(crate) struct Setting {
    /// What was asked.
    pub scenario: Scenario,
    /// Who is whose neighbour.
    pub graph: Graph,
    gossip: Gossip,
}

/// The bytes of a stream in one packet of Ethernet's size: 1,500 without the headers of IP and TCP and its timestamps.
pub(crate) const PACKET: u32 = 1448;

/// How the simulator models streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// As the scenario says.
    AsIs,
    /// As near to TCP as its knobs go: segments of a packet, a window that is never full, and lost segments sent again after a round trip.
    Near,
}

impl Setting {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// If it is wrong, or asks for what real nodes are not made to do here.
    pub(crate) fn load(path: &Path, sets: &[String]) -> Result<Self, String> {
        let scenario = Scenario::load(path, sets).map_err(|error| error.to_string())?;
        let wrong = |what: &str| format!("error: {}: {what}", path.display());
        let graph = scenario.topology.graph(scenario.nodes, scenario.seed);
        let graph = graph.map_err(|error| wrong(&error.to_string()))?;
        if !scenario.schedule.faults.is_empty() || scenario.churn.is_some() {
            return Err(wrong("real nodes are given no faults here"));
        }
        if scenario.measure.is_some() {
            return Err(wrong(
                "real nodes are measured from start to end: leave out [measure]",
            ));
        }
        if !is_feasible(&scenario.links) {
            return Err(wrong(
                "real links have a constant or uniform latency here, no regions, and nodes no bandwidth of their own",
            ));
        }
        if scenario.node != NodeOptions::default() {
            return Err(wrong(
                "real nodes are as they are by default: [node] would not reach them",
            ));
        }
        if scenario.nodes > NODES_MAX {
            return Err(wrong(&format!("real nodes are {NODES_MAX} at most")));
        }
        let gossip = Gossip::new(&scenario, &graph).map_err(|error| wrong(&error.to_string()))?;
        let setting = Self {
            scenario,
            graph,
            gossip,
        };
        if setting.items().iter().any(|item| item.at != Time::ZERO) {
            return Err(wrong(
                "real nodes publish all at the start: `at` would not reach them",
            ));
        }
        if setting.pairs() == 0 {
            return Err(wrong("nothing is published that somebody lacks"));
        }
        Ok(setting)
    }

    /// What is published.
    pub(crate) fn items(&self) -> &[Item] {
        self.gossip.items()
    }

    /// How many deliveries there will be: pairs of a node and an item that it does not publish.
    pub(crate) fn pairs(&self) -> usize {
        let nodes = self.scenario.nodes as usize;
        self.items()
            .iter()
            .map(|item| nodes - item.holders.len())
            .sum()
    }

    /// What the simulator says, for so many seeds of the network. The graph, and who holds what, are always the scenario's.
    ///
    /// # Errors
    ///
    /// If some run does not converge.
    pub(crate) fn predict(&self, model: Model, seeds: u64) -> Result<Vec<Figures>, String> {
        let mut scenario = self.scenario.clone();
        if model == Model::Near {
            let stream = &mut scenario.stream;
            stream.segment = PACKET;
            stream.split = Probability::ZERO;
            stream.window = 16 << 20;
            stream.retransmit = round_trip(&scenario.links.default);
        }
        let first = scenario.seed;
        let seeds = first..first + seeds;
        seeds
            .map(|seed| {
                scenario.seed = seed;
                self.simulate(&scenario)
            })
            .collect()
    }

    fn simulate(&self, scenario: &Scenario) -> Result<Figures, String> {
        let watch = |_| ControlFlow::Continue(());
        let run = run::run(
            &self.gossip,
            scenario,
            &self.graph,
            Layout::default(),
            watch,
        );
        let run = run.map_err(|error| error.to_string())?;
        let metrics = gossip::report(&self.gossip, scenario, &self.graph, &run).metrics;
        let times = metrics.convergence;
        let times = [times.t50_ns, times.t90_ns, times.t99_ns, times.t100_ns];
        let mut covered = [Duration::ZERO; COVERED.len()];
        for (covered, time) in covered.iter_mut().zip(times) {
            let unfinished = || {
                format!(
                    "error: {}: not converged with seed {}",
                    scenario.name, scenario.seed
                )
            };
            *covered = Duration::from_nanos(time.ok_or_else(unfinished)?);
        }
        let frames = |kind| metrics.frames.iter().find(|count| count.kind == kind);
        Ok(Figures {
            covered,
            stream_bytes: metrics.network.accepted,
            frames: KINDS.map(|kind| frames(kind).map_or(0, |count| count.frames)),
        })
    }
}

/// Whether packets can be led so.
fn is_feasible(links: &Links) -> bool {
    let is_plain = |link: &Link| !matches!(link.jitter, Jitter::Quantiles(_));
    let Links {
        default,
        regions,
        exceptions,
        access,
        access_exceptions,
    } = links;
    is_plain(default)
        && exceptions.values().all(is_plain)
        && regions.regions.is_empty()
        && *access == Access::default()
        && access_exceptions.is_empty()
}

/// The longest, there and back.
fn round_trip(link: &Link) -> Duration {
    (link.floor + link.jitter.most()) * 2
}

/// Each is a process, with an address of one byte.
const NODES_MAX: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn load(sets: &[&str]) -> Result<Setting, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("files.toml");
        let sets: Vec<_> = sets.iter().map(|&set| set.to_owned()).collect();
        Setting::load(&path, &sets)
    }

    #[test]
    fn what_does_not_reach_real_nodes_is_refused() {
        for (set, says) in [
            ("node.stall=1s", "[node] would not reach them"),
            ("workload.at=1s", "`at` would not reach them"),
            ("nodes=400", "real nodes are 200 at most"),
            ("network.los=1%", "unknown key"),
            ("network.upload=1MiB/s", "no bandwidth of their own"),
            (
                "network.latency={ floor = \"1ms\", exponential = \"5ms\" }",
                "a constant or uniform latency",
            ),
            ("measure.until=1s", "leave out [measure]"),
            ("churn={ session = \"1s\", absence = \"1s\" }", "no faults"),
            (
                "fault=[{ kind = \"cut\", at = \"1s\", between = [0, 1] }]",
                "no faults",
            ),
        ] {
            let error = load(&[set]).map(|_| ()).unwrap_err();
            assert!(error.contains(says), "{set}: {error}");
        }
    }

    #[test]
    fn seeds_change_the_network_and_neither_the_graph_nor_who_holds_what() {
        let setting = load(&["network.loss=1%"]).unwrap();
        let predicted = setting.predict(Model::Near, 3).unwrap();
        let bodies = KINDS.iter().position(|kind| *kind == "end").unwrap();
        assert!(
            predicted
                .iter()
                .all(|figures| figures.frames[bodies] == setting.pairs() as u64)
        );
        assert_ne!(predicted[0].covered, predicted[1].covered);
        assert_eq!(predicted, setting.predict(Model::Near, 3).unwrap());
    }
}
