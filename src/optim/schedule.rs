//! Learning rates over the steps.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::names::choices;

choices! {
    /// What the rate does after the warm-up.
    #[derive(Default)]
    pub enum ScheduleKind ("schedule") {
        /// Stays.
        #[default]
        Constant = "constant",
        /// Falls to the final rate along half a cosine.
        Cosine = "cosine",
        /// Falls to the final rate along a line.
        Linear = "linear",
        /// Is multiplied by a factor every so many steps.
        Step = "step",
        /// Follows the curvature, so that the edge ratio keeps a target.
        Edge = "edge",
        /// Follows the curvature along each update (CDAT).
        Cdat = "cdat",
    }
}

impl ScheduleKind {
    /// Whether its rates are found from curvature: those of a [`Schedule`] are then what it starts with.
    pub fn seeks(self) -> bool {
        matches!(self, ScheduleKind::Edge | ScheduleKind::Cdat)
    }

    /// Whether it goes to a final rate.
    pub fn falls(self) -> bool {
        matches!(self, ScheduleKind::Cosine | ScheduleKind::Linear)
    }
}

/// A learning rate for each step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it does after the warm-up.
    pub kind: ScheduleKind,
    /// The rate eta_0 that the warm-up reaches.
    pub lr: f64,
    /// Steps W of linear warm-up: eta_0 (t + 1)/W at step t < W, which is never zero.
    pub warmup: usize,
    /// Steps T of the run.
    pub steps: usize,
    /// The rate eta_1 that cosine and linear reach at step T, one after the last.
    pub final_lr: f64,
    /// What `step` multiplies by.
    pub decay_factor: f64,
    /// After how many steps it does.
    pub decay_every: usize,
}

impl Schedule {
    /// A constant rate.
    pub fn constant(lr: f64) -> Self {
        let kind = ScheduleKind::Constant;
        Self { kind, lr, warmup: 0, steps: 0, final_lr: 0.0, decay_factor: 1.0, decay_every: 1 }
    }

    /// The rate of update `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let Some(after) = step.checked_sub(self.warmup) else {
            return self.lr * ((step + 1) as f64 / self.warmup as f64);
        };
        let span = self.steps.saturating_sub(self.warmup).max(1);
        let progress = after as f64 / span as f64;
        let between = |share: f64| self.final_lr + (self.lr - self.final_lr) * share;
        match self.kind {
            ScheduleKind::Constant | ScheduleKind::Edge | ScheduleKind::Cdat => self.lr,
            ScheduleKind::Cosine => between((1.0 + (PI * progress).cos()) / 2.0),
            ScheduleKind::Linear => between(1.0 - progress),
            ScheduleKind::Step => {
                let times = after / self.decay_every.max(1);
                self.lr * self.decay_factor.powi(times as i32)
            }
        }
    }
}
