//! When training counts as diverged.

/// A loss this many times the initial loss counts as divergence, finite or not.
pub const DIVERGENCE_FACTOR: f64 = 1e6;

/// Why a run with this loss and gradient norm has diverged, if it has.
pub fn divergence(loss: f64, grad_norm: f64, initial_loss: f64) -> Option<String> {
    if !loss.is_finite() {
        Some("the loss is not finite".to_string())
    } else if !grad_norm.is_finite() {
        Some("the gradient is not finite".to_string())
    } else if loss > DIVERGENCE_FACTOR * initial_loss && initial_loss > 0.0 {
        Some(format!("the loss exceeds {DIVERGENCE_FACTOR:e} times its initial value"))
    } else {
        None
    }
}
