//! Events: moments of a run worth a line of their own.

use serde::Serialize;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The step at which it was seen.
    pub step: usize,
    /// What happened, with the numbers that decided it.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened, and the numbers that decided it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The sharpness reached the stability threshold for the first time.
    EdgeEntered {
        /// Sharpness of the operator that the threshold belongs to.
        sharpness: f64,
        /// The threshold.
        threshold: f64,
        /// Their ratio.
        edge_ratio: f64,
    },
    /// A logged eigenvalue did not meet the residual tolerance.
    CurvatureUnconverged {
        /// The largest relative residual of the row.
        residual: f64,
        /// The tolerance asked for.
        tolerance: f64,
        /// Why the eigensolver stopped.
        reason: String,
    },
    /// Curvature could not be measured, because a Hessian-vector product was not finite.
    CurvatureNonFinite {
        /// The training loss at that step.
        train_loss: Option<f64>,
    },
    /// Training diverged; the run ends here.
    Divergence {
        /// The training loss at that step, absent where it is not finite.
        train_loss: Option<f64>,
        /// What was seen.
        reason: String,
    },
}

impl EventKind {
    /// The kind's name as written in `events.jsonl`.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::EdgeEntered { .. } => "edge_entered",
            EventKind::CurvatureUnconverged { .. } => "curvature_unconverged",
            EventKind::CurvatureNonFinite { .. } => "curvature_non_finite",
            EventKind::Divergence { .. } => "divergence",
        }
    }
}
