//! Sign descent with momentum.

use super::rule::{accumulate, sign};
use super::{Decay, Direction, Entry, Hyperparameters, Memory, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "signum",
    update: "m = β m + (1-β) g; w -= η sign(m)",
    remark: None,
    lr: 1e-3,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        momentum: Some(0.9),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(Signum::new(h.momentum())),
};

/// Signum (Bernstein et al. 2018): m = beta m + (1 - beta) g; w -= eta sign(m). No threshold is known.
#[derive(Debug, Clone, Default)]
pub struct Signum {
    beta: f64,
    mean: Vec<f64>,
}

impl Signum {
    /// With momentum `beta` in [0, 1), from a mean of zero.
    pub fn new(beta: f64) -> Self {
        Self { beta, mean: Vec::new() }
    }
}

impl Rule for Signum {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        accumulate(&mut self.mean, self.beta, 1.0 - self.beta, gradient, |g| g);
        let numerator = self.mean.iter().map(|&m| sign(m)).collect();
        Direction { rate: lr, numerator, preconditioner: None }
    }

    fn formula(&self) -> Option<String> {
        None
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("exp_avg", &mut self.mean)] }
    }
}
