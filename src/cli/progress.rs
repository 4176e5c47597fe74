//! The run as the terminal sees it: a bar, or plain lines where there is no terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::logging::Terminal;
use crate::error::Result;
use crate::profile::Observer;
use crate::record::{Event, StepRow, short};

/// Shows rows and events of one run.
pub(super) struct Progress {
    terminal: Terminal,
    bar: Option<ProgressBar>,
    steps: usize,
    formula: Option<String>,
    last_line: Instant,
    /// Latest values, kept over steps at which they were not measured.
    latest: StepRow,
}

/// Without a terminal, at most one line in this time.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// A bar over steps, with room for a message below.
pub(super) fn steps_bar(terminal: &Terminal, steps: u64) -> ProgressBar {
    let bar = terminal.bars().add(ProgressBar::new(steps));
    // Two lines, so that everything fits into 80 columns.
    let template = "{bar:40.cyan/dim} {pos}/{len}  {per_sec}  ETA {eta}\n{wide_msg}";
    bar.set_style(
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("per_sec", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{:.1} steps/s", state.per_sec());
            })
            .progress_chars("━━─"),
    );
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

impl Progress {
    pub fn start(terminal: &Terminal, steps: usize, formula: Option<&str>) -> Self {
        let bar = terminal.is_interactive().then(|| steps_bar(terminal, steps as u64));
        Self {
            terminal: terminal.clone(),
            bar,
            steps,
            formula: formula.map(str::to_string),
            last_line: Instant::now(),
            latest: StepRow::default(),
        }
    }

    fn state(&self) -> String {
        let value = |x: Option<f64>| x.map_or_else(|| "-".to_string(), short);
        let row = &self.latest;
        let unconverged = if row.converged == Some(false) { " (not converged)" } else { "" };
        let mut state = format!(
            "loss {}  sharpness {}{unconverged}",
            value(row.train_loss),
            value(row.operator_sharpness()),
        );
        if let Some(formula) = &self.formula {
            let ratio = row.edge_ratio.map_or_else(|| "-".to_string(), |r| format!("{r:.3}"));
            state += &format!("  {formula} {}  ratio {ratio}", value(row.threshold));
        }
        state
    }
}

impl Observer for Progress {
    fn row(&mut self, row: &StepRow) -> Result<()> {
        tracing::trace!(
            step = row.step,
            loss = row.train_loss,
            sharpness = row.sharpness,
            residual = row.residual,
            hvps = row.hvps,
            "step"
        );
        let latest = &mut self.latest;
        // Not measured at each step; but there is none where nothing moves.
        latest.threshold = row.threshold.or(latest.threshold).filter(|_| row.lr > 0.0);
        latest.train_loss = row.train_loss.or(latest.train_loss);
        if row.sharpness.is_some() {
            latest.sharpness = row.sharpness;
            latest.preconditioned_sharpness = row.preconditioned_sharpness;
            latest.edge_ratio = row.edge_ratio;
            latest.converged = row.converged;
        }
        match &self.bar {
            Some(bar) => {
                bar.set_position(row.step as u64 + 1);
                bar.set_message(self.state());
            }
            None => {
                let last = row.step + 1 == self.steps;
                if row.step == 0 || last || self.last_line.elapsed() >= LINE_INTERVAL {
                    self.last_line = Instant::now();
                    let line = format!("step {}/{}  {}", row.step, self.steps, self.state());
                    self.terminal.note(&line);
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let threshold = self.formula.as_deref().unwrap_or("threshold");
        let text = event.kind.sentence(threshold);
        self.terminal.note(&format!("step {}: {text}", event.step));
        Ok(())
    }
}
