//! A flow beside a stored run: the run is taken again step by step from its start or a checkpoint, and at each step
//! the flow is measured against it.

mod findings;
mod follow;
mod law;
mod output;
mod replay;

use crate::device::BackendChoice;
use crate::error::{Error, Result};
use crate::names::choices;
use crate::rundir::StoredRun;

pub use findings::{Edge, Findings};
pub use follow::{FlowRow, Followed, follow};
pub use output::{check_output, files, numbers, write};

choices! {
    /// A flow.
    pub enum FlowKind ("flow") {
        /// Gradient descent with infinitely small steps.
        Gradient = "gradient",
        /// The optimizer without its oscillation.
        Stable = "stable",
        /// The mean over the oscillation.
        Central = "central",
        /// The middle of two iterates, and half of what is between them.
        Rod = "rod",
    }
}

impl FlowKind {
    /// Whether it says what the iterates' oscillation is.
    pub fn oscillates(self) -> bool {
        matches!(self, Self::Central | Self::Rod)
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which flow.
    pub kind: FlowKind,
    /// Updates taken where it starts; `None` for the checkpoint that the run was opened at, or 0.
    pub from: Option<usize>,
    /// Steps of the optimizer that it goes beside; `None` for as many as the run has from there.
    pub steps: Option<usize>,
    /// It has left the run where it stays farther from it than this share of the way that the run has gone.
    pub share: f64,
    /// Device; `None` for the run's.
    pub backend: Option<BackendChoice>,
}

impl Request {
    /// Checks what can be checked without the run's data.
    ///
    /// # Errors
    /// [`Error::Setting`] for what cannot be asked, or not of this run.
    pub fn check(&self, run: &StoredRun) -> Result<()> {
        if self.steps == Some(0) {
            return Err(Error::setting("--steps", 0, "there is no step", "give 1 or more"));
        }
        if !(self.share.is_finite() && self.share > 0.0) {
            let shown = format!("{:?}", self.share);
            let remedy = "give a number above 0, such as 0.05";
            return Err(Error::setting("--share", shown, "not a share", remedy));
        }
        let config = run.config()?;
        law::check(&config, self.kind)?;
        let start = self.start(run)?;
        if start > 0 && !run.directory().checkpoint_is_complete(start) {
            let problem = "the checkpoint lacks some of its parts";
            return Err(Error::setting("--from", start, problem, "name another"));
        }
        let steps = self.count(run)?;
        let rows = run.directory().steps()?.cells.len();
        if config.schedule.seeks() && start + steps > rows {
            let problem =
                format!("the run's rates followed its curvature, and it has {rows} steps");
            let remedy = format!("give at most {}", rows.saturating_sub(start));
            return Err(Error::setting("--steps", steps, problem, remedy));
        }
        Ok(())
    }

    /// Updates taken where the flow starts.
    ///
    /// # Errors
    /// [`Error::Setting`] for a step without a checkpoint.
    pub fn start(&self, run: &StoredRun) -> Result<usize> {
        let named = run.named_step();
        match (self.from, named) {
            (Some(from), Some(named)) if from != named => {
                let problem = format!("the run is named at step {named}");
                Err(Error::setting("--from", from, problem, "give one of the two"))
            }
            (from, named) => {
                let start = from.or(named).unwrap_or(0);
                let there = run.directory().checkpoints();
                if start == 0 || there.contains(&start) {
                    return Ok(start);
                }
                let shown: Vec<String> = [0]
                    .iter()
                    .chain(there.iter().filter(|&&s| s > 0))
                    .map(usize::to_string)
                    .collect();
                let problem = "the run has no checkpoint there";
                let remedy = format!(
                    "give one of {}, or run again with --checkpoint-every",
                    shown.join(", ")
                );
                Err(Error::setting("--from", start, problem, remedy))
            }
        }
    }

    /// Steps that it goes.
    ///
    /// # Errors
    /// [`Error::Setting`] where the run has none from there and none are asked for.
    pub fn count(&self, run: &StoredRun) -> Result<usize> {
        // Of the run as a whole, wherever it is opened.
        let rows = run.directory().steps()?.cells.len();
        let start = self.start(run)?;
        match self.steps.unwrap_or(rows.saturating_sub(start)) {
            0 => {
                let problem = format!("the run ended after {rows} steps");
                Err(Error::setting(
                    "--from",
                    start,
                    problem,
                    "name an earlier one, or give --steps",
                ))
            }
            steps => Ok(steps),
        }
    }
}
