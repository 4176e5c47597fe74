//! AdaGrad.

use super::{
    Entry, GradientAt, Hyperparameters, Memory, Optimizer, StabilityContext, StabilityOperator,
    accumulate, descend, over_rate,
};
use crate::error::Result;

pub(super) const ENTRY: Entry = Entry {
    name: "adagrad",
    about: "s = s + g²; w -= η g/(√s + ε)",
    lr: 0.01,
    defaults: Hyperparameters {
        eps: Some(1e-10),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h| Box::new(Adagrad::new(h.eps())),
};

/// AdaGrad (Duchi et al. 2011): s = s + g^2; w -= eta g / P with P = diag(sqrt(s) + eps), s from
/// zero. With P held it is gradient descent in the coordinates P^1/2 w, so that P^-1/2 H P^-1/2 may
/// grow to 2/eta (Cohen et al. 2022).
#[derive(Debug, Clone, Default)]
pub struct Adagrad {
    eps: f64,
    sum: Vec<f64>,
}

impl Adagrad {
    /// With `eps` above 0.
    pub fn new(eps: f64) -> Self {
        Self { eps, sum: Vec::new() }
    }

    fn preconditioner(&self) -> Vec<f64> {
        self.sum.iter().map(|s| s.sqrt() + self.eps).collect()
    }
}

impl Optimizer for Adagrad {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        let preconditioner = (!self.sum.is_empty()).then(|| self.preconditioner());
        StabilityOperator { preconditioner, shift: 0.0 }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        over_rate(2.0, context.lr)
    }

    fn formula(&self) -> Option<String> {
        Some("2/η".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("sum", &mut self.sum)] }
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        accumulate(&mut self.sum, 1.0, 1.0, gradient, |g| g * g);
        descend(lr, theta, gradient, &self.preconditioner());
        Ok(())
    }
}
