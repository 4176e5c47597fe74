//! What warns, by name.

use super::series::{ScoredRun, Watched};
use super::{baselines, ours};

/// A way to give a score to rows.
pub struct Method {
    /// In a few words.
    pub name: &'static str,
    /// A run's scores.
    pub scored: fn(&Watched<'_>) -> ScoredRun,
}

/// Our own.
pub const OURS: Method = Method { name: "this one", scored: ours::scored };

/// The simpler ones beside which it is scored.
pub const BASELINES: &[Method] = &[
    Method {
        name: "deviation of the gradient norm",
        scored: |run| run.scored(baselines::deviation(run.rows, |row| row.grad_norm)),
    },
    Method {
        name: "deviation of the loss",
        scored: |run| run.scored(baselines::deviation(run.rows, |row| row.train_loss)),
    },
    Method {
        name: "CUSUM of the loss",
        scored: |run| run.scored(baselines::cumulative_sum(run.rows, &run.in_spike)),
    },
    Method {
        name: "trend of the gradient norm",
        scored: |run| run.scored(baselines::log_trend(run.rows, |row| row.grad_norm)),
    },
    Method {
        name: "curvature along the step",
        scored: |run| run.scored(baselines::value(run.rows, |row| row.realized_ratio)),
    },
    Method {
        name: "curvature along the step before",
        scored: |run| run.scored(baselines::value_before(run.rows, |row| row.realized_ratio)),
    },
    Method {
        name: "λ₁ over the threshold",
        scored: |run| run.scored(baselines::value(run.rows, |row| row.edge_ratio)),
    },
];

/// What may tell of a spike from afar.
pub const FROM_AFAR: &[Method] = &[
    OURS,
    Method {
        name: "λ₁ over the threshold",
        scored: |run| run.scored(baselines::value(run.rows, |row| row.edge_ratio)),
    },
    Method {
        name: "curvature along the step",
        scored: |run| run.scored(baselines::value(run.rows, |row| row.realized_ratio)),
    },
    Method {
        name: "steps until the threshold",
        scored: |run| run.scored(baselines::sharpening(run.rows)),
    },
    Method {
        name: "noise scale",
        scored: |run| run.scored(baselines::value(run.rows, |row| row.noise_scale)),
    },
];
