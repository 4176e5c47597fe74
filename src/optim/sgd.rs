//! Gradient descent, on the full batch or on minibatches.

use super::{Decay, Direction, Entry, Filter, Hyperparameters, Rule};

/// w -= eta g. On a quadratic of curvature lambda the iterate is multiplied by 1 - eta lambda at
/// each step, so that it is stable up to 2/eta (Cohen et al. 2021).
#[derive(Debug, Clone, Copy, Default)]
pub struct Sgd;

pub(super) const ENTRY: Entry = Entry {
    name: "sgd",
    update: "w -= η g",
    remark: Some("gradient descent when the batch is full"),
    lr: 0.2,
    decay: Decay::Coupled,
    defaults: Hyperparameters { weight_decay: Some(0.0), ..Hyperparameters::NONE },
    build: |_, _| Box::new(Sgd),
};

impl Rule for Sgd {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        Direction { rate: lr, numerator: gradient.into(), preconditioner: None }
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::gradient())
    }

    fn formula(&self) -> Option<String> {
        Some("2/η".to_string())
    }
}
