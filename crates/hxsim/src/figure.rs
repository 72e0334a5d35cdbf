//! Every figure of a run in one table: what expectations may name, what rows of CSV and JSON Lines have for columns, and what `hxsim figures` lists.

use std::fmt;

use hash_exchange::Kind;

use crate::metrics::{FrameCount, Ratio};
use crate::report::{Report, quantity};

/// A number that every run comes to, by its name.
pub struct Figure {
    /// What scenarios call it.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it says, as half a sentence.
    pub meaning: &'static str,
    /// Whether summaries for people show it.
    pub headline: bool,
    /// What it takes to be defined.
    pub needs: Needs,
    /// The greatest that it can be.
    pub limit: Limit,
    source: Source,
}

/// What a figure counts, and hence what it may be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// Bytes, or bytes for each of something.
    Bytes,
    /// Things, or things for each of something.
    Count,
    /// A part of a whole, or one quantity over another of its kind.
    Ratio,
}

/// What it takes for a figure to be defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it always is.
    Nothing,
    /// That something was published.
    Hashes,
    /// That there was something to deliver.
    Pairs,
    /// That so much was delivered as its name says.
    Coverage,
    /// That something was delivered.
    Delivery,
    /// That something was delivered to a node that is up at the end and holds it.
    Kept,
    /// That some hash reached every node.
    Complete,
    /// That some of what was to be delivered was not empty.
    Payload,
    /// That some edge carried no body.
    IdleEdge,
    /// That some node comes or goes.
    Absences,
}

/// The greatest that a figure can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// There is none.
    Unlimited,
    /// All of a whole.
    Whole,
    /// The horizon of the run.
    Horizon,
    /// All nodes but one in a row, where none gets a hash twice.
    Hops,
}

/// Where it comes from. A whole number stays one wherever it is written.
enum Source {
    Whole(fn(&Report) -> Option<u64>),
    Quotient(fn(&Report) -> Ratio),
    Frames(Kind, fn(&FrameCount) -> u64),
}

impl Figure {
    /// The figure of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FIGURES.iter().find(|figure| figure.name == name)
    }

    /// What columns and fields call it: durations end in `_ns`.
    pub fn column(&self) -> String {
        match self.unit {
            Unit::Time => format!("{}_ns", self.name),
            _ => self.name.to_owned(),
        }
    }

    /// What a run came to, in nanoseconds, bytes or things; undefined if the run lacks what it needs.
    pub fn of(&self, report: &Report) -> Ratio {
        let whole = match self.source {
            Source::Quotient(ratio) => return ratio(report),
            Source::Whole(whole) => whole(report),
            Source::Frames(kind, count) => {
                let mut frames = report.metrics.frames.iter();
                let of_kind = frames.find(|frames| frames.kind == kind.name());
                Some(of_kind.map_or(0, count))
            }
        };
        whole.map_or(Ratio::UNDEFINED, |whole| Ratio::new(whole, 1))
    }

    /// Whether it is a whole number, always.
    pub const fn is_whole(&self) -> bool {
        !matches!(self.source, Source::Quotient(_))
    }

    /// A value of it as a number of JSON; null if it is undefined. Times are whole nanoseconds, and so are means of them.
    pub fn json(&self, value: Ratio) -> serde_json::Value {
        match (value.denominator, self.unit) {
            (1, _) if self.is_whole() => value.numerator.into(),
            (1.., Unit::Time) => (value.numerator / value.denominator).into(),
            _ => serde_json::to_value(value).expect("a ratio is a finite number or null"),
        }
    }

    /// A value of it for people.
    pub fn shown(&self, value: Ratio) -> String {
        let Some(whole) = value.numerator.checked_div(value.denominator) else {
            return "–".into();
        };
        match self.unit {
            Unit::Time => quantity::duration(whole),
            Unit::Bytes if value.denominator == 1 || whole >= 1 << 10 => quantity::bytes(whole),
            Unit::Bytes => format!("{value:.1} B"),
            Unit::Count if value.denominator == 1 => quantity::count(whole),
            Unit::Count => format!("{value:.2}"),
            Unit::Ratio => value.to_string(),
        }
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Figure").field(&self.name).finish()
    }
}

impl PartialEq for Figure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Figure {}

impl Unit {
    /// What it is, with its article.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Time => "a time",
            Self::Bytes => "a number of bytes",
            Self::Count => "a number",
            Self::Ratio => "a ratio",
        }
    }

    /// What an expectation of it looks like.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Time => "\"< 5s\"",
            Self::Bytes => "\"<= 64KiB\"",
            Self::Count => "\"<= 10\"",
            Self::Ratio => "\"<= 0.1\" or \"= 100%\"",
        }
    }
}

impl Needs {
    /// Why a figure is undefined: what was not there.
    pub const fn unmet(self) -> &'static str {
        match self {
            Self::Nothing => "nobody counted it",
            Self::Hashes => "nothing was published",
            Self::Pairs => "there was nothing to deliver",
            Self::Coverage => "not so much was delivered before the run ended",
            Self::Delivery => "nothing was delivered",
            Self::Kept => "nothing was delivered that is still there",
            Self::Complete => "no hash reached every node",
            Self::Payload => "no byte was to be delivered",
            Self::IdleEdge => "every edge carried a body",
            Self::Absences => "nobody came or went",
        }
    }
}

impl Limit {
    const fn of(unit: Unit) -> Self {
        match unit {
            Unit::Time => Self::Horizon,
            _ => Self::Unlimited,
        }
    }
}

const fn figure(name: &'static str, unit: Unit, source: Source, meaning: &'static str) -> Figure {
    Figure {
        name,
        unit,
        meaning,
        headline: false,
        needs: Needs::Nothing,
        limit: Limit::of(unit),
        source,
    }
}

type Whole = fn(&Report) -> Option<u64>;

const fn time(name: &'static str, needs: Needs, get: Whole, meaning: &'static str) -> Figure {
    Figure {
        needs,
        ..figure(name, Unit::Time, Source::Whole(get), meaning)
    }
}

const fn bytes(name: &'static str, get: Whole, meaning: &'static str) -> Figure {
    figure(name, Unit::Bytes, Source::Whole(get), meaning)
}

const fn count(name: &'static str, get: Whole, meaning: &'static str) -> Figure {
    figure(name, Unit::Count, Source::Whole(get), meaning)
}

const fn hops(figure: Figure) -> Figure {
    Figure {
        limit: Limit::Hops,
        ..figure
    }
}

const fn quotient(
    name: &'static str,
    unit: Unit,
    needs: Needs,
    get: fn(&Report) -> Ratio,
    meaning: &'static str,
) -> Figure {
    Figure {
        needs,
        ..figure(name, unit, Source::Quotient(get), meaning)
    }
}

const fn ratio(
    name: &'static str,
    needs: Needs,
    get: fn(&Report) -> Ratio,
    meaning: &'static str,
) -> Figure {
    quotient(name, Unit::Ratio, needs, get, meaning)
}

const fn frames(name: &'static str, kind: Kind) -> Figure {
    let source = Source::Frames(kind, |count| count.frames);
    figure(name, Unit::Count, source, "frames of this kind")
}

const fn frame_bytes(name: &'static str, kind: Kind) -> Figure {
    let source = Source::Frames(kind, |count| count.content + count.framing);
    figure(name, Unit::Bytes, source, "bytes of these frames")
}

/// Summaries for people show it.
const fn headline(figure: Figure) -> Figure {
    Figure {
        headline: true,
        ..figure
    }
}

/// The figure is a part of a whole.
const fn share(figure: Figure) -> Figure {
    Figure {
        limit: Limit::Whole,
        ..figure
    }
}

/// Every figure, in the order of the columns.
#[rustfmt::skip] // A table, of which each line is a row.
pub static FIGURES: &[Figure] = &[
    time("ended", Needs::Nothing, |r| Some(r.ended_ns), "when the run ended"),
    count("pairs", |r| Some(r.metrics.convergence.pairs), "pairs of a node that is up at the end and a hash that it did not publish itself"),
    count("delivered", |r| Some(r.metrics.convergence.delivered), "those of them that were delivered"),
    count("published", |r| Some(r.metrics.convergence.published), "pairs of a node and a hash that it published"),
    count("missing", |r| Some(r.missing_total), "pairs of a node and a hash that it should have and does not"),
    share(ratio("reliability", Needs::Pairs, |r| r.metrics.convergence.reliability, "delivered pairs over all pairs")),
    share(ratio("availability", Needs::Absences, |r| r.metrics.convergence.availability.unwrap_or_default(), "of the time for which nodes were up and a hash was published elsewhere, the part for which they had it")),
    headline(time("t50", Needs::Coverage, |r| r.metrics.convergence.t50_ns, "when half of all pairs were delivered, since the start")),
    time("t90", Needs::Coverage, |r| r.metrics.convergence.t90_ns, "when 90 % were"),
    headline(time("t99", Needs::Coverage, |r| r.metrics.convergence.t99_ns, "when 99 % were")),
    headline(time("t100", Needs::Coverage, |r| r.metrics.convergence.t100_ns, "when all were")),
    time("delay_p50", Needs::Kept, |r| r.metrics.convergence.delay_p50_ns, "within which, since its publication or the node's later start, half of all deliveries came"),
    time("delay_p99", Needs::Kept, |r| r.metrics.convergence.delay_p99_ns, "within which 99 % of them came"),
    time("delay_max", Needs::Kept, |r| r.metrics.convergence.delay_max_ns, "within which all of them came"),
    headline(ratio("rmr_mean", Needs::Delivery, |r| r.metrics.overhead.rmr_mean, "relative message redundancy, receipts / deliveries - 1 of a hash, mean")),
    ratio("rmr_max", Needs::Delivery, |r| r.metrics.overhead.rmr_max, "that of the worst hash"),
    ratio("duplicate_factor", Needs::Delivery, |r| r.metrics.overhead.duplicate_factor, "complete bodies received for each delivery"),
    hops(headline(quotient("ldh_mean", Unit::Count, Needs::Delivery, |r| r.metrics.overhead.ldh_mean, "last delivery hop: the most hops that a hash took, mean"))),
    hops(count("ldh_max", |r| Some(r.metrics.overhead.ldh_max.into()), "that of the longest way")),
    ratio("stretch_mean", Needs::Complete, |r| r.metrics.overhead.stretch_mean, "last delivery hop over the hops of the shortest ways, mean"),
    ratio("stretch_max", Needs::Complete, |r| r.metrics.overhead.stretch_max, "that of the worst hash"),
    headline(quotient("control_bytes_per_delivery", Unit::Bytes, Needs::Delivery, |r| r.metrics.overhead.control_bytes_per_delivery, "bytes that were no bodies, for each delivery")),
    headline(ratio("traffic_over_ideal", Needs::Payload, |r| r.metrics.overhead.traffic_over_ideal, "all bytes over every body once to every node")),
    quotient("frames_per_hash_and_node", Unit::Count, Needs::Hashes, |r| r.metrics.overhead.frames_per_hash_and_node, "frames for each pair of a hash and a node"),
    bytes("node_bytes_p50", |r| Some(r.metrics.overhead.node_bytes_p50), "the median of the bytes a node sent"),
    headline(bytes("node_bytes_p99", |r| Some(r.metrics.overhead.node_bytes_p99), "99 % of the nodes sent at most this")),
    bytes("node_bytes_max", |r| Some(r.metrics.overhead.node_bytes_max), "the most that a node sent"),
    quotient("idle_bytes_per_edge", Unit::Bytes, Needs::IdleEdge, |r| r.metrics.overhead.idle_bytes_per_edge, "what an edge cost that never carried a body"),
    headline(bytes("bytes_accepted", |r| Some(r.metrics.network.accepted), "what streams took from their writers")),
    bytes("bytes_delivered", |r| Some(r.metrics.network.delivered), "what readers could read"),
    bytes("bytes_discarded", |r| Some(r.metrics.network.discarded), "what went down with a stream"),
    bytes("bytes_in_flight", |r| Some(r.metrics.network.in_flight), "what was under way when the run ended"),
    bytes("bytes_retransmitted", |r| Some(r.metrics.network.retransmitted), "what was sent again because it was lost"),
    count("segments", |r| Some(r.metrics.network.segments), "what the bytes were cut into"),
    frames("frames_available", Kind::Available),
    frames("frames_request", Kind::Request),
    frames("frames_hashes", Kind::Hashes),
    frames("frames_since", Kind::Since),
    frames("frames_close", Kind::Close),
    frames("frames_seen", Kind::Seen),
    frames("frames_id", Kind::Id),
    frames("frames_body", Kind::Body),
    frames("frames_end", Kind::End),
    frames("frames_error", Kind::Error),
    frame_bytes("bytes_of_available", Kind::Available),
    frame_bytes("bytes_of_request", Kind::Request),
    frame_bytes("bytes_of_hashes", Kind::Hashes),
    frame_bytes("bytes_of_since", Kind::Since),
    frame_bytes("bytes_of_close", Kind::Close),
    frame_bytes("bytes_of_seen", Kind::Seen),
    frame_bytes("bytes_of_id", Kind::Id),
    frame_bytes("bytes_of_body", Kind::Body),
    frame_bytes("bytes_of_end", Kind::End),
    frame_bytes("bytes_of_error", Kind::Error),
];
