//! The run as the terminal sees it: a bar, or plain lines where there is no terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::logging::Terminal;
use crate::error::Result;
use crate::profile::Observer;
use crate::record::{Event, EventKind, PrecisionReason, StepRow, WarningAction};

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
        let text = match &event.kind {
            EventKind::EdgeEntered { sharpness, threshold, .. } => format!(
                "sharpness {} reached the edge of stability ({} = {})",
                short(*sharpness),
                self.formula.as_deref().unwrap_or("threshold"),
                short(*threshold)
            ),
            EventKind::EdgeLeft { edge_ratio, .. } => {
                format!("left the edge of stability: {} of the threshold", short(*edge_ratio))
            }
            EventKind::RealizedEdgeEntered { realized_ratio, .. } => format!(
                "realized edge ratio {}: on a local quadratic this update raises the loss",
                short(*realized_ratio)
            ),
            EventKind::RealizedEdgeLeft { realized_ratio, .. } => {
                format!("updates lower the loss again: realized edge ratio {}", short(*realized_ratio))
            }
            EventKind::EdgeForecast { at_step, earliest, latest, .. } => format!(
                "on its way to the edge of stability, about step {at_step:.0} ({earliest:.0} to {})",
                latest.map_or("never".to_string(), |latest| format!("{latest:.0}"))
            ),
            EventKind::SpikeWarning { probability, horizon, .. } => format!(
                "a loss spike is likely within {horizon} steps ({:.0}%)",
                100.0 * probability
            ),
            EventKind::LossSpike { start, peak, height, recovered, .. } => format!(
                "a loss spike began at step {start}: {} at step {peak}{}",
                height.map_or("no finite loss".to_string(), |height| {
                    format!("{} times the loss before", short(height))
                }),
                if *recovered { ", recovered" } else { ", not recovered" }
            ),
            EventKind::Catapult { sharpness_before, sharpness_after, .. } => format!(
                "the spike left the sharpness at {}, down from {}",
                short(*sharpness_after),
                short(*sharpness_before)
            ),
            EventKind::Plateau { .. } => "the loss stands still".to_string(),
            EventKind::Saddle { lambda_min, .. } => {
                format!("near a saddle: the smallest eigenvalue is {}", short(*lambda_min))
            }
            EventKind::MinimumSuspected { .. } => "perhaps at a minimum".to_string(),
            EventKind::PrecisionSuspect { reason, .. } => match reason {
                PrecisionReason::UpdateBelowResolution => {
                    "updates are below what the precision can tell apart; try --precision f64"
                }
                PrecisionReason::MeasurementsDisagree => {
                    "a sharpness far below those before and after it: perhaps the top eigenvalue was \
                     missed"
                }
                PrecisionReason::ResidualFloor => {
                    "a residual is as small as the precision allows; try --precision f64"
                }
            }
            .to_string(),
            EventKind::CurvatureUnconverged { residual, tolerance } => format!(
                "an eigenvalue has not converged: residual {residual:.1e} above {tolerance:.1e}; \
                 raise --max-iterations"
            ),
            EventKind::CurvatureRepaired { followed, found } => format!(
                "an audit found the largest eigenvalue at {}, which had been followed as {}",
                short(*found),
                short(*followed)
            ),
            EventKind::ActionTaken { action, next_step, lr } => match action {
                WarningAction::Stop => "stopped, as --on-warning says".to_string(),
                WarningAction::HalveLr => {
                    format!("learning rate halved: {} from step {next_step} on", short(*lr))
                }
                WarningAction::Checkpoint => format!("checkpoint of step {next_step} written"),
            },
            EventKind::CurvatureNonFinite { .. } => {
                "curvature is not finite; not measured".to_string()
            }
            EventKind::Divergence { reason, .. } => format!("training diverged: {reason}"),
            // One without a sentence of its own says its name.
            other => other.name().replace('_', " "),
        };
        self.terminal.note(&format!("step {}: {text}", event.step));
        Ok(())
    }
}

/// Four significant digits, in plain or exponent form, whichever is shorter to read.
pub(super) fn short(x: f64) -> String {
    let magnitude = x.abs();
    if x == 0.0 || (1e-3..1e5).contains(&magnitude) {
        let digits_before = if magnitude >= 1.0 { magnitude.log10() as usize + 1 } else { 1 };
        format!("{x:.*}", 5_usize.saturating_sub(digits_before).max(1))
    } else {
        format!("{x:.3e}")
    }
}
