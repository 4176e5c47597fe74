//! Where training stands.

use serde::{Deserialize, Serialize};

use crate::linalg::FollowMemory;
use crate::optim::{OptimizerState, Schedule};
use crate::record::{Event, EventKind, StepRow, WarningAction};

/// Everything that the coming updates and measurements depend on, besides the configuration: what a
/// checkpoint holds.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState {
    /// Updates taken.
    pub step: usize,
    /// The parameters (length P).
    pub theta: Vec<f64>,
    /// What the optimizer remembers.
    pub optimizer: OptimizerState,
    /// How far the minibatches are; `None` with the full batch.
    pub batches: Option<BatchPosition>,
    /// What the schedule's learning rate is multiplied by: less than 1 after a warning has lowered it.
    pub rate_factor: f64,
    /// The rate that was found for the coming update, before that factor, where rates follow curvature.
    pub sought: Option<f64>,
    /// The parameters before the latest update (length P), where the realized edge at the midpoint is
    /// measured; `None` before the first.
    pub previous: Option<Vec<f64>>,
    /// The loss of the first update, finite or not, which divergence is measured by; `None` before it.
    pub initial_loss: Option<f64>,
    /// What is known of eigenvalues that are followed, on which no update depends, but the coming
    /// measurements do; `None` where they are not followed, or begin anew.
    pub tracking: Option<FollowMemory>,
}

/// A place in the order of minibatches, whose randomness is drawn anew from the seed for each epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPosition {
    /// Passes over the training samples that are done.
    pub epoch: u32,
    /// Samples of the present pass that have been used.
    pub next: usize,
}

impl TrainingState {
    /// Before the first update.
    pub fn initial(theta: Vec<f64>) -> Self {
        Self {
            step: 0,
            theta,
            optimizer: OptimizerState::default(),
            batches: None,
            rate_factor: 1.0,
            sought: None,
            previous: None,
            initial_loss: None,
            tracking: None,
        }
    }
}

/// What a run that goes on has behind it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Its rows, one for each update taken.
    pub rows: Vec<StepRow>,
    /// Its events.
    pub events: Vec<Event>,
    /// The wall-clock time it took, in seconds.
    pub seconds: f64,
}

/// What is told of an action that has multiplied the rates from update `next_step` on by `factor`, to those of the
/// schedule times `rate_factor`.
pub fn action_taken(
    action: WarningAction,
    next_step: usize,
    schedule: &Schedule,
    [factor, rate_factor]: [f64; 2],
) -> EventKind {
    let lr = schedule.rate(next_step) * rate_factor;
    EventKind::ActionTaken { action, next_step, lr, factor: Some(factor) }
}

/// The factor on the schedule's rates after another by `factor`; rates above the schedule's are never taken.
pub fn rate_factor_after(rate_factor: f64, factor: f64) -> f64 {
    (rate_factor * factor).min(1.0)
}
