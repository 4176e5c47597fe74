//! One row of `steps.csv`.

/// What was measured at one step. A row describes the parameters `theta_t` **before** update `t`;
/// `update_norm` and `relative_update` belong to the update taken from it. `None` means that the
/// quantity was not measured at this step, and becomes an empty cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepRow {
    /// The step `t`; 0 is the initial point.
    pub step: usize,
    /// The learning rate eta of update `t`.
    pub lr: f64,
    /// Loss over the whole training set (mean over samples).
    pub train_loss: Option<f64>,
    /// Share of training samples classified correctly, in [0, 1].
    pub train_accuracy: Option<f64>,
    /// Loss over the validation set (mean over samples).
    pub val_loss: Option<f64>,
    /// Share of validation samples classified correctly, in [0, 1].
    pub val_accuracy: Option<f64>,
    /// Euclidean norm of the gradient of the training loss.
    pub grad_norm: Option<f64>,
    /// Euclidean norm of `theta_{t+1} - theta_t`.
    pub update_norm: Option<f64>,
    /// Euclidean norm of `theta_t`.
    pub param_norm: Option<f64>,
    /// `update_norm / param_norm`.
    pub relative_update: Option<f64>,
    /// Largest algebraic eigenvalue of the Hessian.
    pub sharpness: Option<f64>,
    /// Largest algebraic eigenvalue of the operator that the threshold bounds, where that is not the
    /// Hessian: P^-1/2 (H + lambda I) P^-1/2 with the optimizer's preconditioner P and coupled
    /// weight decay lambda.
    pub preconditioned_sharpness: Option<f64>,
    /// E_B\[g_B' H_B g_B\] / E_B\[||g_B||^2\] over minibatches B, estimated.
    pub batch_sharpness: Option<f64>,
    /// Stability threshold of the optimizer, for the operator it belongs to.
    pub threshold: Option<f64>,
    /// Sharpness of that operator over `threshold`.
    pub edge_ratio: Option<f64>,
    /// The largest relative residual among the eigenvalues in this row.
    pub residual: Option<f64>,
    /// Whether every eigenvalue in this row met the tolerance.
    pub converged: Option<bool>,
    /// The K largest algebraic eigenvalues of the Hessian, largest first; fewer where the operator
    /// has fewer.
    pub lambda: Vec<f64>,
    /// Smallest algebraic eigenvalue of the Hessian.
    pub lambda_min: Option<f64>,
    /// `|<g, u1>| / ||g||`: how far the gradient points along the top eigenvector.
    pub gradient_alignment: Option<f64>,
    /// Hessian-vector products spent at this step.
    pub hvps: usize,
    /// Phase of training, where a detector named one.
    pub phase: Option<String>,
    /// Wall-clock time of evaluation and update, in milliseconds.
    pub step_ms: f64,
    /// Wall-clock time of the curvature measurement, in milliseconds.
    pub curvature_ms: Option<f64>,
    /// Standard error of `batch_sharpness`, two of which cover 95%; absent where the batches are too few
    /// to tell one.
    pub batch_sharpness_se: Option<f64>,
    /// Largest algebraic eigenvalue of the Hessian where SAM took the gradient that it descended.
    pub perturbed_sharpness: Option<f64>,
}

impl StepRow {
    /// Sharpness of the operator that `threshold` bounds.
    pub fn operator_sharpness(&self) -> Option<f64> {
        self.preconditioned_sharpness.or(self.sharpness)
    }
}

/// Which columns a table has besides those that every table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Columns {
    /// How many of the largest eigenvalues are logged.
    pub top: usize,
    /// Whether the standard error of batch sharpness is, in a last column.
    pub batch_sharpness_se: bool,
    /// Whether the sharpness at the perturbed point is, in a last column.
    pub perturbed_sharpness: bool,
}

/// The columns of `steps.csv` in order.
pub fn column_names(columns: Columns) -> Vec<String> {
    const BEFORE: [&str; 17] = [
        "step",
        "lr",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "grad_norm",
        "update_norm",
        "param_norm",
        "relative_update",
        "sharpness",
        "preconditioned_sharpness",
        "batch_sharpness",
        "threshold",
        "edge_ratio",
        "residual",
        "converged",
    ];
    const AFTER: [&str; 6] =
        ["lambda_min", "gradient_alignment", "hvps", "phase", "step_ms", "curvature_ms"];
    BEFORE
        .iter()
        .map(|name| name.to_string())
        .chain((1..=columns.top).map(|k| format!("lambda_{k}")))
        .chain(AFTER.iter().map(|name| name.to_string()))
        .chain(columns.batch_sharpness_se.then(|| "batch_sharpness_se".to_string()))
        .chain(columns.perturbed_sharpness.then(|| "perturbed_sharpness".to_string()))
        .collect()
}
