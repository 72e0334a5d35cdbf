//! Bodies that are made up: `publishers`, `count`, `size`, `share` and `turns`.

use simnet::{NodeId, Probability, Time};

use super::super::document::{Content, Value};
use super::super::quantity::{
    decimal, integer, nodes as node_set, positive_decimal, positive_size, probability, size, word,
};
use super::super::section::{Located, Problems, Section, Wrong};
use super::arrivals;
use crate::decimal::Decimal;
use crate::workload::{
    Arrivals, Publishers, Share, Size, Synthetic, Turns, Workload, fewest_bytes,
};

pub(super) fn read(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
    horizon: Option<Time>,
) -> Option<Synthetic> {
    let publishers = publishers(problems, section, nodes);
    let count = section.optional(problems, "count", integer(1));
    let example = "size = 100; or name a `directory`, or each `[[workload.body]]`";
    let size = match section.has("size") {
        true => self::size_of_bodies(problems, section),
        false => {
            section.required(problems, "size", example, size);
            None
        }
    };
    let share = share(problems, section);
    let arrivals = arrivals::read(problems, section, horizon);
    let turns = turns(problems, section, arrivals.as_ref());
    let (publishers, size, arrivals) = (publishers?, size?, arrivals?);

    let each: u32 = match (&count, arrivals.value) {
        (Some(count), _) => count.value,
        (None, Arrivals::At(_)) => 1,
        (None, Arrivals::Over { .. }) => u32::MAX,
    };
    if each == u32::MAX && !arrivals.ends {
        let hint = "say `count`, or `until`, and leave time for the last ones to spread";
        problems.add(&arrivals.place, "this goes on to the end of the run", hint);
        return None;
    }
    let asked = u64::from(publishers.count()) * u64::from(each);
    if each != u32::MAX {
        arrivals.suffice(problems, asked);
    }
    let bodies = asked.min(arrivals.value.most());
    affordable(problems, &size, bodies);
    Some(Synthetic {
        publishers,
        count: each,
        size: size.value,
        share: share?,
        arrivals: arrivals.value,
        turns: turns?,
    })
}

/// Whether so many bodies can differ, and can be held in memory.
fn affordable(problems: &mut Problems, size: &Located<Size>, bodies: u64) {
    let Located { value, place } = size;
    if bodies > Workload::BODIES_MAX {
        let hint = format!("at most {}", Workload::BODIES_MAX);
        problems.add(place, format!("{bodies} bodies are too many"), hint);
        return;
    }
    let fewest = fewest_bytes(bodies);
    if value.least() < fewest {
        let message = format!("{bodies} bodies cannot all differ at this size");
        problems.add(place, message, format!("at least {fewest}"));
    }
    let mean = value.mean();
    if bodies * u64::from(mean) > BYTES_MAX {
        let message = format!("{bodies} bodies of {mean} bytes do not fit into memory");
        problems.add(place, message, "4 GiB together at most");
    }
}

/// Bodies stand in memory once, whoever holds them; a slip in `count` shall not take all of it.
const BYTES_MAX: u64 = 4 << 30;

fn publishers(
    problems: &mut Problems,
    section: &mut Section<'_>,
    nodes: Option<u32>,
) -> Option<Publishers> {
    let Some(value) = section.value("publishers") else {
        return nodes.map(Publishers::First);
    };
    let (count, publishers): (_, fn(u32) -> Publishers) = match &value.content {
        Content::Table(_) => {
            let mut drawn = Section::open(problems, value, "`publishers`")?;
            let count = drawn.required(problems, "random", "random = 5", integer::<NodeId>(1));
            drawn.close(problems);
            (count?, Publishers::Drawn)
        }
        Content::Text(_) | Content::Array(_) => {
            let set = problems.accept(value, node_set(nodes))?;
            return Some(Publishers::Nodes(set.value));
        }
        _ => (problems.accept(value, integer(1))?, Publishers::First),
    };
    if let Some(nodes) = nodes
        && count.value > nodes
    {
        let message = format!("{} publishers are more than all nodes", count.value);
        problems.add(&count.place, message, format!("at most {nodes}"));
    }
    Some(publishers(count.value))
}

fn size_of_bodies(problems: &mut Problems, section: &mut Section<'_>) -> Option<Located<Size>> {
    let value = section.value("size")?;
    if !matches!(value.content, Content::Table(_)) {
        let size = problems.accept(value, size)?;
        return Some(size.map(Size::Fixed));
    }
    let mut section = Section::open(problems, value, "`size`")?;
    let names = ["uniform", "log_normal", "pareto"];
    if names.iter().filter(|name| section.has(name)).count() != 1 {
        let hint = "choose between `uniform`, `log_normal` and `pareto`";
        problems.add(&value.place, "a size has one distribution", hint);
        return None;
    }
    let uniform = section.optional(problems, "uniform", interval);
    let log_normal = section.section(problems, "log_normal", "`log_normal`");
    let pareto = section.section(problems, "pareto", "`pareto`");
    let size = match (uniform, log_normal, pareto) {
        (Some(Located { value, .. }), ..) => {
            let (least, most) = value;
            Some(Size::Uniform { least, most })
        }
        (None, Some(parameters), _) => {
            let (median, deviation) = (
                ("median", "median = \"8KiB\""),
                ("sigma", "sigma = \"1.5\""),
            );
            let read = tailed(problems, parameters, &mut section, median, deviation, sigma);
            read.map(|(median, sigma, most)| Size::LogNormal {
                median,
                sigma,
                most,
            })
        }
        (None, None, Some(parameters)) => {
            let (least, shape) = (("least", "least = \"1KiB\""), ("shape", "shape = \"1.2\""));
            let read = tailed(
                problems,
                parameters,
                &mut section,
                least,
                shape,
                positive_decimal,
            );
            read.map(|(least, shape, most)| Size::Pareto { least, shape, most })
        }
        (None, None, None) => None,
    };
    section.close(problems);
    let place = value.place.clone();
    size.map(|value| Located { value, place })
}

/// Two sizes, the first of which is not the greater one.
fn interval(value: &Value) -> Result<(u32, u32), Wrong> {
    let hint = "expected the least and the most, as in [\"1KiB\", \"64KiB\"]";
    let Content::Array(ends) = &value.content else {
        return Err(Wrong::kind(value, hint));
    };
    let [least, most] = ends.as_slice() else {
        return Err(Wrong::new(format!("this names {} sizes", ends.len()), hint));
    };
    let at = |end: &Value| {
        let place = Some(end.place.clone());
        size(end).map_err(|wrong| Wrong { place, ..wrong })
    };
    let (least, most) = (at(least)?, at(most)?);
    if most < least {
        return Err(Wrong::new("the least is more than the most", hint));
    }
    Ok((least, most))
}

/// The parameters of a distribution with a tail, each with an example: a size, a number, and the size that none exceeds.
fn tailed(
    problems: &mut Problems,
    mut parameters: Section<'_>,
    section: &mut Section<'_>,
    (scale, scale_example): (&'static str, &str),
    (number, number_example): (&'static str, &str),
    read: impl FnOnce(&Value) -> Result<Decimal, Wrong>,
) -> Option<(u32, Decimal, u32)> {
    let scale = parameters.required(problems, scale, scale_example, positive_size);
    let number = parameters.required(problems, number, number_example, read);
    parameters.close(problems);
    let most = most(problems, section, scale.as_ref());
    Some((scale?.value, number?.value, most?))
}

fn sigma(value: &Value) -> Result<Decimal, Wrong> {
    let sigma = decimal(value)?;
    if sigma > Size::SIGMA_MAX {
        let hint = format!("at most {}", Size::SIGMA_MAX);
        return Err(Wrong::new("no size is within such a deviation", hint));
    }
    Ok(sigma)
}

/// The size that none exceeds, for what has a tail; not less than another.
fn most(
    problems: &mut Problems,
    section: &mut Section<'_>,
    other: Option<&Located<u32>>,
) -> Option<u32> {
    let most = section.required(problems, "most", "most = \"10MiB\"", size)?;
    if let Some(other) = other
        && most.value < other.value
    {
        let hint = format!("at least {}", other.value);
        problems.add(&most.place, "this cuts off the greater half", hint);
    }
    Some(most.value)
}

fn share(problems: &mut Problems, section: &mut Section<'_>) -> Option<Share> {
    let Some(value) = section.value("share") else {
        return Some(Share::Each(Probability::ZERO));
    };
    if !matches!(value.content, Content::Table(_)) {
        let share = problems.accept(value, probability)?;
        return Some(Share::Each(share.value));
    }
    let mut section = Section::open(problems, value, "`share`")?;
    let exponent = section.required(problems, "zipf", "zipf = \"1.0\"", decimal);
    let most = section.or(problems, "most", Probability::ONE, probability);
    section.close(problems);
    Some(Share::Zipf {
        exponent: exponent?.value,
        most,
    })
}

fn turns(
    problems: &mut Problems,
    section: &mut Section<'_>,
    arrivals: Option<&arrivals::Read>,
) -> Option<Turns> {
    let Some(value) = section.value("turns") else {
        return Some(Turns::default());
    };
    if arrivals.is_some_and(|read| matches!(read.value, Arrivals::At(_))) {
        let message = "`turns` is about bodies that come one after the other";
        problems.add(
            &value.place,
            message,
            "leave it out, or add `rate`, `every` or `burst`",
        );
    }
    if !matches!(value.content, Content::Table(_)) {
        let known = [("round_robin", Turns::RoundRobin), ("drawn", Turns::Drawn)];
        let turns = problems.accept(value, |value| {
            word("turns", &known)(value).map_err(|wrong| Wrong {
                hint: format!("or {{ zipf = \"1.0\" }}; {}", wrong.hint),
                ..wrong
            })
        })?;
        return Some(turns.value);
    }
    let mut section = Section::open(problems, value, "`turns`")?;
    let exponent = section.required(problems, "zipf", "zipf = \"1.0\"", decimal);
    section.close(problems);
    exponent.map(|exponent| Turns::Zipf(exponent.value))
}
