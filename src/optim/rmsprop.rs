//! RMSProp without momentum.

use std::borrow::Cow;

use super::rule::SecondMoment;
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "rmsprop",
    update: "ν = β₂ ν + (1-β₂) g²; w -= η g/(√ν + ε)",
    remark: None,
    lr: 1e-3,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        beta2: Some(0.99),
        eps: Some(1e-8),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(RmsProp::new(h.beta2(), h.eps())),
};

/// nu = beta2 nu + (1 - beta2) g^2; w -= eta g / P with P = diag(sqrt(nu) + eps), nu from zero and
/// without bias correction, as in PyTorch. With P held it is gradient descent in the coordinates
/// P^1/2 w, so that P^-1/2 H P^-1/2 may grow to 2/eta (Cohen et al. 2022).
#[derive(Debug, Clone, Default)]
pub struct RmsProp {
    beta2: f64,
    square: SecondMoment,
}

impl RmsProp {
    /// With `beta2` in [0, 1) and `eps` above 0.
    pub fn new(beta2: f64, eps: f64) -> Self {
        Self { beta2, square: SecondMoment::new(eps) }
    }
}

impl Rule for RmsProp {
    const PRECONDITIONED: bool = true;

    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        let p = self.square.take(self.beta2, 1.0 - self.beta2, gradient, 1.0);
        Direction { rate: lr, numerator: gradient.into(), preconditioner: Some(p) }
    }

    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        self.square.diagonal(1.0)
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::gradient())
    }

    fn formula(&self) -> Option<String> {
        Some("2/η".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("square_avg", self.square.memory())] }
    }
}
