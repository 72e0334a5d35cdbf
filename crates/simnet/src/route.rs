use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bandwidth::{Access, Bandwidth};
use crate::draw::bounded;
use crate::quantile::Quantiles;
use crate::time::nanos;
use crate::{Jitter, Link, Links, NodeId, Probability};

/// The links of a network as shards read them: for each segment, a copy of a few words.
#[derive(Debug)]
pub(crate) struct Routes {
    default: Route,
    exceptions: BTreeMap<(NodeId, NodeId), Route>,
    regions: Option<Matrix>,
    tables: Vec<Arc<Quantiles>>,
    /// Each node's own line; empty if none is limited.
    access: Vec<Access>,
}

/// A link in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) floor: u64,
    jitter: Spread,
    pub(crate) loss: Probability,
    pub(crate) bandwidth: Option<Bandwidth>,
}

/// A jitter in nanoseconds, or the place of its table.
#[derive(Clone, Copy, Debug)]
enum Spread {
    Constant(u64),
    Uniform(u64),
    Table(usize),
}

/// The links between regions.
#[derive(Debug)]
struct Matrix {
    /// Each node's region.
    of: Vec<usize>,
    count: usize,
    /// From each region to each.
    routes: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(links: &Links, seed: u64, nodes: u32) -> Self {
        let mut tables = Vec::new();
        let mut route = |link: &Link| Route {
            floor: nanos(link.floor),
            jitter: Spread::new(&link.jitter, &mut tables),
            loss: link.loss,
            bandwidth: link.bandwidth,
        };
        let default = route(&links.default);
        let exceptions = links.exceptions.iter();
        let exceptions = exceptions.map(|(pair, link)| (*pair, route(link)));
        let exceptions = exceptions.collect();
        let count = links.regions.regions.len();
        let regions = (count > 0).then(|| {
            let mut routes = vec![default; count * count];
            for ((from, to), link) in &links.regions.links {
                routes[from * count + to] = route(link);
            }
            Matrix {
                of: links.regions.of_all(seed, nodes),
                count,
                routes,
            }
        });
        let access =
            |id: NodeId| links.access_of(id, regions.as_ref().map(|it| it.of[id as usize]));
        Self {
            access: match links.limits_access() {
                true => (0..nodes).map(access).collect(),
                false => Vec::new(),
            },
            default,
            exceptions,
            regions,
            tables,
        }
    }

    /// The link from `source` to `dest`.
    pub(crate) fn between(&self, source: NodeId, dest: NodeId) -> Route {
        if !self.exceptions.is_empty()
            && let Some(exception) = self.exceptions.get(&(source, dest))
        {
            return *exception;
        }
        match &self.regions {
            None => self.default,
            Some(Matrix { of, count, routes }) => {
                routes[of[source as usize] * count + of[dest as usize]]
            }
        }
    }

    /// A node's own line.
    pub(crate) fn access(&self, id: NodeId) -> Access {
        let access = self.access.get(id as usize).copied();
        access.unwrap_or_default()
    }

    /// The jitter of one segment, in nanoseconds.
    pub(crate) fn jitter(&self, route: &Route, raw: impl FnOnce() -> u64) -> u64 {
        match route.jitter {
            Spread::Constant(ns) => ns,
            Spread::Uniform(0) => 0,
            Spread::Uniform(most) => bounded(raw(), most.saturating_add(1)),
            Spread::Table(place) => self.tables[place].draw_ns(raw()),
        }
    }
}

impl Spread {
    fn new(jitter: &Jitter, tables: &mut Vec<Arc<Quantiles>>) -> Self {
        match jitter {
            Jitter::Constant(duration) => Self::Constant(nanos(*duration)),
            Jitter::Uniform(most) => Self::Uniform(nanos(*most)),
            Jitter::Quantiles(quantiles) => {
                tables.push(quantiles.clone());
                Self::Table(tables.len() - 1)
            }
        }
    }
}
