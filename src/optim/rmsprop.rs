//! RMSProp without momentum.

use super::{
    Entry, GradientAt, Hyperparameters, Memory, Optimizer, StabilityContext, StabilityOperator,
    accumulate, descend, over_rate,
};
use crate::error::Result;

pub(super) const ENTRY: Entry = Entry {
    name: "rmsprop",
    about: "ν = β₂ ν + (1-β₂) g²; w -= η g/(√ν + ε)",
    lr: 1e-3,
    defaults: Hyperparameters {
        beta2: Some(0.99),
        eps: Some(1e-8),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h| Box::new(RmsProp::new(h.beta2(), h.eps())),
};

/// nu = beta2 nu + (1 - beta2) g^2; w -= eta g / P with P = diag(sqrt(nu) + eps), nu from zero and
/// without bias correction, as in PyTorch. With P held it is gradient descent in the coordinates
/// P^1/2 w, so that P^-1/2 H P^-1/2 may grow to 2/eta (Cohen et al. 2022).
#[derive(Debug, Clone, Default)]
pub struct RmsProp {
    beta2: f64,
    eps: f64,
    square: Vec<f64>,
}

impl RmsProp {
    /// With `beta2` in [0, 1) and `eps` above 0.
    pub fn new(beta2: f64, eps: f64) -> Self {
        Self { beta2, eps, square: Vec::new() }
    }

    fn preconditioner(&self) -> Vec<f64> {
        self.square.iter().map(|nu| nu.sqrt() + self.eps).collect()
    }
}

impl Optimizer for RmsProp {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        let preconditioner = (!self.square.is_empty()).then(|| self.preconditioner());
        StabilityOperator { preconditioner, shift: 0.0 }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        over_rate(2.0, context.lr)
    }

    fn formula(&self) -> Option<String> {
        Some("2/η".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("square_avg", &mut self.square)] }
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        accumulate(&mut self.square, self.beta2, 1.0 - self.beta2, gradient, |g| g * g);
        descend(lr, theta, gradient, &self.preconditioner());
        Ok(())
    }
}
