//! Lion.

use super::rule::{accumulate, sign};
use super::{Decay, Direction, Entry, Hyperparameters, Memory, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "lion",
    update: "w *= 1 - ηλ; w -= η sign(β₁ m + (1-β₁) g); m = β₂ m + (1-β₂) g",
    remark: None,
    lr: 1e-3,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        beta1: Some(0.9),
        beta2: Some(0.99),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(Lion::new(h.beta1(), h.beta2(), h.weight_decay())),
};

/// Lion (Chen et al. 2023): w -= eta (sign(beta1 m + (1 - beta1) g) + lambda w);
/// m = beta2 m + (1 - beta2) g. No threshold is known.
#[derive(Debug, Clone, Default)]
pub struct Lion {
    beta1: f64,
    beta2: f64,
    decay: f64,
    mean: Vec<f64>,
}

impl Lion {
    /// With betas in [0, 1) and decoupled weight decay `decay`, at least 0, from a mean of zero.
    pub fn new(beta1: f64, beta2: f64, decay: f64) -> Self {
        Self { beta1, beta2, decay, mean: Vec::new() }
    }
}

impl Rule for Lion {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        self.mean.resize(gradient.len(), 0.0);
        let pairs = gradient.iter().zip(&self.mean);
        let mixed = pairs.map(|(g, m)| sign(self.beta1 * m + (1.0 - self.beta1) * g));
        let numerator = mixed.collect();
        accumulate(&mut self.mean, self.beta2, 1.0 - self.beta2, gradient, |g| g);
        Direction { rate: lr, numerator, preconditioner: None }
    }

    fn decoupled_decay(&self) -> f64 {
        self.decay
    }

    fn formula(&self) -> Option<String> {
        None
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("exp_avg", &mut self.mean)] }
    }
}
