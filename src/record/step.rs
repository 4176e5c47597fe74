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
    /// Largest algebraic eigenvalue of the preconditioned Hessian.
    pub preconditioned_sharpness: Option<f64>,
    /// Expected directional curvature along minibatch gradients.
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
}

/// The columns of `steps.csv` in order, for `top` logged eigenvalues.
pub fn column_names(top: usize) -> Vec<String> {
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
        .chain((1..=top).map(|k| format!("lambda_{k}")))
        .chain(AFTER.iter().map(|name| name.to_string()))
        .collect()
}
