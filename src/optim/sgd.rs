//! Gradient descent, on the full batch or on minibatches.

use super::{Optimizer, StabilityContext};

/// w -= eta g. On a quadratic of curvature lambda the iterate is multiplied by 1 - eta lambda at
/// each step, so that it is stable up to 2 / eta (Cohen et al. 2021).
#[derive(Debug, Clone, Copy, Default)]
pub struct Sgd;

impl Sgd {
    pub(super) const NAME: &'static str = "sgd";
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        Some(2.0 / context.lr)
    }

    fn threshold_formula(&self) -> &'static str {
        "2/η"
    }

    fn step(&mut self, lr: f64, theta: &mut [f64], gradient: &[f64]) {
        for (w, g) in theta.iter_mut().zip(gradient) {
            *w -= lr * g;
        }
    }
}
