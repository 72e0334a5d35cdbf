use std::fs;

use hxsim::cli;
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

/// A line an event.
pub(super) fn text<'a>(events: impl Iterator<Item = &'a TraceEvent>) -> String {
    events.map(|event| format!("{event}\n")).collect()
}
