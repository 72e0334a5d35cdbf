//! Shows how runs get on if they take a while, and passes it on if somebody wants to stop them.

use std::ops::ControlFlow;
use std::time::Duration;

use hxsim::progress::{Machine, Rhythm, fitted};

use crate::Console;

pub(super) struct Watcher<'a> {
    console: &'a Console,
    began: Duration,
    rhythm: Rhythm,
}

impl<'a> Watcher<'a> {
    /// Begins to watch something.
    pub(super) fn new(console: &'a Console) -> Self {
        Self {
            console,
            began: console.elapsed(),
            rhythm: Rhythm::new(console.columns().is_some()),
        }
    }

    /// Shows the line if one is due.
    pub(super) fn look(&mut self, line: impl FnOnce(Machine) -> String) -> ControlFlow<()> {
        let elapsed = self.elapsed();
        if self.rhythm.is_due(elapsed) {
            let resident = self.console.resident();
            let line = line(Machine { elapsed, resident });
            match self.console.columns() {
                // The last column stays free: whoever writes there may be on the next line.
                Some(columns) => eprint!("\r\x1b[K{}", fitted(&line, columns - 1)),
                None => eprintln!("{line}"),
            }
        }
        match self.console.is_interrupted() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Time since it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.console.elapsed().saturating_sub(self.began)
    }

    /// Takes away the line that a terminal still shows.
    pub(super) fn clear(self) {
        if self.rhythm.has_shown() && self.console.columns().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
