use std::fs;

use hxsim::cli;
use hxsim::report::FaultSpan;
use simnet::Time;
use simnet::trace::{self, TraceEvent};

use super::{Failure, print};

/// `hxsim trace`: shows a file that `hxsim run --trace-file` wrote.
pub(crate) fn trace(args: &cli::Trace) -> Result<u8, Failure> {
    let path = &args.file;
    let file = fs::read(path).map_err(|error| Failure::io(path, &error))?;
    let events = trace::decode(&file)
        .map_err(|error| Failure::usage(format_args!("error: {}: {error}", path.display())))?;
    let of_node = |event: &&TraceEvent| args.node.is_none_or(|node| node == event.node);
    let text = text(events.iter().filter(of_node));
    if text.is_empty() {
        let whose = args.node.map(|node| format!(" of node {node}"));
        let whose = whose.unwrap_or_default();
        eprintln!(
            "note: {}: there is nothing{whose} among its {} events",
            path.display(),
            events.len()
        );
    }
    print(&text)?;
    Ok(0)
}

/// A line an event, and one where what goes wrong with the network begins, and where it is over, as far as that is among the events.
pub(super) fn text_among(events: &[TraceEvent], faults: &[FaultSpan]) -> String {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return String::new();
    };
    let lasting = faults.iter().filter(|fault| fault.node.is_none());
    let lasting = lasting.filter(|fault| fault.until_ns != Some(fault.at_ns));
    let turns = lasting.flat_map(|fault| {
        let begins = (fault.at_ns, format!("{} begins", fault.kind));
        let ends = fault
            .until_ns
            .map(|until| (until, format!("{} is over", fault.kind)));
        [Some(begins), ends].into_iter().flatten()
    });
    let turns = turns.map(|(at_ns, what)| (Time::from_nanos(at_ns), what));
    let mut turns: Vec<_> = turns
        .filter(|(at, _)| (first.time..=last.time).contains(at))
        .collect();
    turns.sort();
    let mut turns = turns.into_iter().peekable();
    let mut lines = String::new();
    for event in events {
        // Faults of an instant come before its events.
        while let Some((at, what)) = turns.next_if(|(at, _)| *at <= event.time) {
            lines.push_str(&format!("{at} network: {what}\n"));
        }
        lines.push_str(&format!("{event}\n"));
    }
    lines
}

/// A line an event.
fn text<'a>(events: impl Iterator<Item = &'a TraceEvent>) -> String {
    events.map(|event| format!("{event}\n")).collect()
}
