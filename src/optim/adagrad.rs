//! AdaGrad.

use std::borrow::Cow;

use super::rule::SecondMoment;
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "adagrad",
    update: "s = s + g²; w -= η g/(√s + ε)",
    remark: None,
    lr: 0.01,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        eps: Some(1e-10),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(Adagrad::new(h.eps())),
};

/// AdaGrad (Duchi et al. 2011): s = s + g^2; w -= eta g / P with P = diag(sqrt(s) + eps), s from
/// zero. With P held it is gradient descent in the coordinates P^1/2 w, so that P^-1/2 H P^-1/2 may
/// grow to 2/eta (Cohen et al. 2022).
#[derive(Debug, Clone, Default)]
pub struct Adagrad {
    sum: SecondMoment,
}

impl Adagrad {
    /// With `eps` above 0.
    pub fn new(eps: f64) -> Self {
        Self { sum: SecondMoment::new(eps) }
    }
}

impl Rule for Adagrad {
    const PRECONDITIONED: bool = true;

    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        let p = self.sum.take(1.0, 1.0, gradient, 1.0);
        Direction { rate: lr, numerator: gradient.into(), preconditioner: Some(p) }
    }

    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        self.sum.diagonal(1.0)
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::gradient())
    }

    fn formula(&self) -> Option<String> {
        Some("2/η".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("sum", self.sum.memory())] }
    }
}
