//! How far something is that is counted.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::logging::Terminal;
use super::progress::steps_bar;

/// A bar, or a line now and then where there is no terminal.
pub(super) struct Counted<'a> {
    terminal: &'a Terminal,
    bar: Option<ProgressBar>,
    /// What is counted.
    unit: &'static str,
    all: usize,
    last: Instant,
}

impl<'a> Counted<'a> {
    /// So many of something, none done.
    pub fn start(terminal: &'a Terminal, unit: &'static str, all: usize) -> Self {
        let bar = terminal.is_interactive().then(|| steps_bar(terminal, all as u64));
        Self { terminal, bar, unit, all, last: Instant::now() }
    }

    /// So many are done.
    pub fn show(&mut self, done: usize, state: impl Fn() -> String) {
        const INTERVAL: Duration = Duration::from_secs(5);
        match &self.bar {
            Some(bar) => {
                bar.set_position(done as u64);
                bar.set_message(state());
            }
            None if self.last.elapsed() > INTERVAL => {
                self.last = Instant::now();
                self.terminal.note(&format!("{} {done}/{}: {}", self.unit, self.all, state()));
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
