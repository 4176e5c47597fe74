//! Adam, and Adam with decoupled weight decay. Both divide by P = diag(sqrt(nu/(1 - beta2^t)) + eps)
//! as PyTorch does: epsilon stands outside the root and after the bias correction.

use std::borrow::Cow;

use super::rule::{SecondMoment, accumulate};
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, Rule};

const DEFAULTS: Hyperparameters = Hyperparameters {
    beta1: Some(0.9),
    beta2: Some(0.999),
    eps: Some(1e-8),
    weight_decay: Some(0.0),
    ..Hyperparameters::NONE
};

pub(super) const ADAM: Entry = Entry {
    name: "adam",
    update: "m, ν = means of g, g²; P = √(ν/(1-β₂^t)) + ε; w -= η m/((1-β₁^t) P)",
    remark: None,
    lr: 1e-3,
    decay: Decay::Coupled,
    defaults: DEFAULTS,
    build: |h, _| Box::new(Adam::new(h.beta1(), h.beta2(), h.eps())),
};

pub(super) const ADAMW: Entry = Entry {
    name: "adamw",
    update: "w *= 1 - ηλ, then Adam's step (decoupled weight decay λ)",
    remark: None,
    lr: 1e-3,
    decay: Decay::Decoupled,
    defaults: Hyperparameters { weight_decay: Some(0.01), ..DEFAULTS },
    build: |h, _| Box::new(AdamW::new(h.beta1(), h.beta2(), h.eps(), h.weight_decay())),
};

/// Adam (Kingma and Ba 2015): m = beta1 m + (1 - beta1) g; nu = beta2 nu + (1 - beta2) g^2;
/// w -= eta (m/(1 - beta1^t)) / P.
///
/// With P held, the update is momentum as a mean in the coordinates P^1/2 w, so that
/// P^-1/2 H P^-1/2 may grow to (2 + 2 beta1)/((1 - beta1) eta) (Cohen et al. 2022). That is the
/// threshold of late steps: the bias correction makes the rate of step t eta/(1 - beta1^t), so that
/// the first 1/(1 - beta1) steps or so overshoot at it.
#[derive(Debug, Clone, Default)]
pub struct Adam {
    beta1: f64,
    beta2: f64,
    steps: i32,
    mean: Vec<f64>,
    square: SecondMoment,
}

impl Adam {
    /// With betas in [0, 1) and `eps` above 0, from moments of zero.
    pub fn new(beta1: f64, beta2: f64, eps: f64) -> Self {
        Self { beta1, beta2, square: SecondMoment::new(eps), ..Self::default() }
    }

    /// What the second moment is divided by after the steps so far.
    fn correction(&self) -> f64 {
        1.0 - self.beta2.powi(self.steps)
    }
}

impl Rule for Adam {
    const PRECONDITIONED: bool = true;

    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        self.steps = self.steps.saturating_add(1);
        accumulate(&mut self.mean, self.beta1, 1.0 - self.beta1, gradient, |g| g);
        let correction = self.correction();
        let p = self.square.take(self.beta2, 1.0 - self.beta2, gradient, correction);
        let rate = lr / (1.0 - self.beta1.powi(self.steps));
        Direction { rate, numerator: (&self.mean).into(), preconditioner: Some(p) }
    }

    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        self.square.diagonal(self.correction())
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::mean(self.beta1))
    }

    fn early_factor(&self) -> Option<f64> {
        (self.steps > 0).then(|| 1.0 - self.beta1.powi(self.steps))
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β₁)/((1-β₁)η)".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![("exp_avg", &mut self.mean), ("exp_avg_sq", self.square.memory())],
        }
    }
}

/// AdamW (Loshchilov and Hutter 2019): w *= 1 - eta lambda, then Adam's step.
///
/// With P held, P^-1/2 H P^-1/2 may grow to (1 + beta1)(2 - eta lambda)/((1 - beta1) eta), which is
/// Adam's threshold times 1 - eta lambda/2: see [`Filter`].
#[derive(Debug, Clone, Default)]
pub struct AdamW {
    adam: Adam,
    decay: f64,
}

impl AdamW {
    /// As [`Adam::new`], with decoupled weight decay `decay`, at least 0.
    pub fn new(beta1: f64, beta2: f64, eps: f64, decay: f64) -> Self {
        Self { adam: Adam::new(beta1, beta2, eps), decay }
    }
}

impl Rule for AdamW {
    const PRECONDITIONED: bool = true;

    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        self.adam.direction(lr, gradient)
    }

    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        self.adam.preconditioner()
    }

    fn decoupled_decay(&self) -> f64 {
        self.decay
    }

    fn filter(&self, lr: f64) -> Option<Filter> {
        self.adam.filter(lr)
    }

    fn early_factor(&self) -> Option<f64> {
        Rule::early_factor(&self.adam)
    }

    fn formula(&self) -> Option<String> {
        match self.decay {
            0.0 => self.adam.formula(),
            _ => Some("(1+β₁)(2-ηλ)/((1-β₁)η)".to_string()),
        }
    }

    fn memory(&mut self) -> Memory<'_> {
        self.adam.memory()
    }
}
