//! Gradient descent, on the full batch or on minibatches.

use super::{Entry, GradientAt, Hyperparameters, Optimizer, StabilityContext, over_rate};
use crate::error::Result;

/// w -= eta g. On a quadratic of curvature lambda the iterate is multiplied by 1 - eta lambda at
/// each step, so that it is stable up to 2/eta (Cohen et al. 2021).
#[derive(Debug, Clone, Copy, Default)]
pub struct Sgd;

pub(super) const ENTRY: Entry = Entry {
    name: "sgd",
    about: "w -= η g; gradient descent when the batch is full",
    lr: 0.2,
    defaults: Hyperparameters { weight_decay: Some(0.0), ..Hyperparameters::NONE },
    build: |_| Box::new(Sgd),
};

impl Optimizer for Sgd {
    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        over_rate(2.0, context.lr)
    }

    fn formula(&self) -> Option<String> {
        Some("2/η".to_string())
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        for (w, g) in theta.iter_mut().zip(gradient) {
            *w -= lr * g;
        }
        Ok(())
    }
}
