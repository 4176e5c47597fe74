//! Adam with a second, slower mean of gradients.

use std::borrow::Cow;

use super::rule::{SecondMoment, accumulate};
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, OscillationGrowth, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "ademamix",
    update: "m₁, m₂, ν = means of g, g, g² with β₁, β₃, β₂; P Adam's; w *= 1 - ηλ; \
             w -= η (m₁/(1-β₁^t) + α m₂)/P; \
             α and β₃ stand from the first step on; α = 0 is adamw",
    remark: None,
    lr: 1e-3,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        beta1: Some(0.9),
        beta2: Some(0.999),
        beta3: Some(0.9999),
        alpha: Some(8.0),
        eps: Some(1e-8),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| {
        let betas = [h.beta1(), h.beta2(), h.beta3()];
        Box::new(AdEmaMix::new(betas, h.alpha(), h.eps(), h.weight_decay()))
    },
};

/// AdEMAMix (Pagliardini et al. 2024), without the schedulers that bring alpha and beta3 up over the first
/// steps: the numerator is Adam's corrected mean m1/(1 - beta1^t) and alpha times a slow mean m2 with decay
/// beta3, which is not corrected; P is Adam's, and the decay AdamW's.
///
/// With P held and the correction gone, P^-1/2 H P^-1/2 may grow to
/// (2 - eta lambda)/(eta [(1 - beta1)/(1 + beta1) + alpha (1 - beta3)/(1 + beta3)]): see [`Filter`].
#[derive(Debug, Clone, Default)]
pub struct AdEmaMix {
    beta1: f64,
    beta2: f64,
    beta3: f64,
    alpha: f64,
    decay: f64,
    steps: i32,
    mean: Vec<f64>,
    slow: Vec<f64>,
    square: SecondMoment,
}

impl AdEmaMix {
    /// With `betas` beta1, beta2 and beta3 in [0, 1), `alpha` and `decay` at least 0, `eps` above 0, from
    /// moments of zero.
    pub fn new([beta1, beta2, beta3]: [f64; 3], alpha: f64, eps: f64, decay: f64) -> Self {
        let square = SecondMoment::new(eps);
        Self { beta1, beta2, beta3, alpha, decay, square, ..Self::default() }
    }

    /// What the second moment is divided by after the steps so far.
    fn correction(&self) -> f64 {
        1.0 - self.beta2.powi(self.steps)
    }
}

impl Rule for AdEmaMix {
    const PRECONDITIONED: bool = true;

    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        self.steps = self.steps.saturating_add(1);
        accumulate(&mut self.mean, self.beta1, 1.0 - self.beta1, gradient, |g| g);
        accumulate(&mut self.slow, self.beta3, 1.0 - self.beta3, gradient, |g| g);
        let correction = self.correction();
        let p = self.square.take(self.beta2, 1.0 - self.beta2, gradient, correction);
        let corrected = 1.0 - self.beta1.powi(self.steps);
        let pairs = self.mean.iter().zip(&self.slow);
        let numerator = pairs.map(|(m, slow)| m / corrected + self.alpha * slow).collect();
        Direction { rate: lr, numerator, preconditioner: Some(p) }
    }

    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        self.square.diagonal(self.correction())
    }

    fn decoupled_decay(&self) -> f64 {
        self.decay
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::mean(self.beta1).plus(Filter::mean(self.beta3).times(self.alpha)))
    }

    fn formula(&self) -> Option<String> {
        let numerator = if self.decay == 0.0 { "2" } else { "(2-ηλ)" };
        Some(format!("{numerator}/([(1-β₁)/(1+β₁) + α(1-β₃)/(1+β₃)]η)"))
    }

    fn growth(&self) -> Option<OscillationGrowth> {
        self.filter(1.0).map(Filter::growth)
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![
                ("exp_avg", &mut self.mean),
                ("exp_avg_slow", &mut self.slow),
                ("exp_avg_sq", self.square.memory()),
            ],
        }
    }
}
