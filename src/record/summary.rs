//! `summary.json`: a run in a few numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// All steps were taken.
    Completed,
    /// The run failed on the way.
    #[default]
    Failed,
    /// The training diverged.
    Diverged,
    /// The user stopped it.
    Interrupted,
    /// A warning ended it, as it was told to.
    StoppedOnWarning,
}

impl ExitStatus {
    /// The process exit code that reports it.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Completed | ExitStatus::StoppedOnWarning => 0,
            ExitStatus::Failed => 1,
            ExitStatus::Diverged => 3,
            ExitStatus::Interrupted => 130,
        }
    }
}

/// Last values, extremes, edge, event counts and what was spent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How the run ended.
    pub status: ExitStatus,
    /// Rows written.
    pub steps: usize,
    /// Training loss of the last row that has one.
    pub final_train_loss: Option<f64>,
    /// Training accuracy of the last row that has one.
    pub final_train_accuracy: Option<f64>,
    /// Validation loss of the last row that has one.
    pub final_val_loss: Option<f64>,
    /// Validation accuracy of the last row that has one.
    pub final_val_accuracy: Option<f64>,
    /// Loss over the test samples at the end, of the weights after the last update; absent without a test.
    pub test_loss: Option<f64>,
    /// Share of the test samples classified correctly, likewise.
    pub test_accuracy: Option<f64>,
    /// Least training loss seen.
    pub min_train_loss: Option<f64>,
    /// Sharpness of the first row that has one.
    pub initial_sharpness: Option<f64>,
    /// Sharpness of the last row that has one.
    pub final_sharpness: Option<f64>,
    /// Largest sharpness seen.
    pub peak_sharpness: Option<f64>,
    /// The step of the largest sharpness.
    pub peak_sharpness_step: Option<usize>,
    /// `preconditioned_sharpness` of the last row that has one.
    pub final_preconditioned_sharpness: Option<f64>,
    /// Largest `preconditioned_sharpness` seen.
    pub peak_preconditioned_sharpness: Option<f64>,
    /// Stability threshold of the last row that has one.
    pub final_threshold: Option<f64>,
    /// Edge ratio of the last row that has one.
    pub final_edge_ratio: Option<f64>,
    /// First step whose sharpness reached the threshold.
    pub first_step_at_edge: Option<usize>,
    /// Share of the rows with an edge ratio whose ratio is at the edge, in [0, 1].
    pub share_at_edge: Option<f64>,
    /// Realized ratio of the last row that has one.
    #[serde(default)]
    pub final_realized_ratio: Option<f64>,
    /// Share of the rows with a realized ratio whose ratio is 1 or more, in [0, 1].
    #[serde(default)]
    pub share_realized_above: Option<f64>,
    /// Measured updates along which the loss of their samples ascends at first.
    #[serde(default)]
    pub ascents: usize,
    /// Rows with curvature.
    pub curvature_rows: usize,
    /// Rows with curvature that did not meet the residual tolerance.
    pub unconverged_rows: usize,
    /// Largest residual logged.
    pub max_residual: Option<f64>,
    /// Number of events of each kind.
    pub events: BTreeMap<String, usize>,
    /// Hessian-vector products spent.
    pub hvps: usize,
    /// Wall-clock time of evaluation and updates, in seconds.
    pub training_seconds: f64,
    /// Wall-clock time of curvature, in seconds.
    pub curvature_seconds: f64,
    /// Wall-clock time of the whole run, in seconds.
    pub total_seconds: f64,
}
