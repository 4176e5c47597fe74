//! Adam with Nesterov's momentum.

use std::borrow::Cow;

use super::rule::{SecondMoment, accumulate};
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, OscillationGrowth, Rule};

/// How fast mu goes from beta1/2 to beta1.
const MOMENTUM_DECAY: f64 = 4e-3;

pub(super) const ENTRY: Entry = Entry {
    name: "nadam",
    update: "m, P Adam's; μ_t = β₁(1 - 0.96^(t/250)/2); w -= η (μ_(t+1) m/(1-μ_1…μ_(t+1)) + \
             (1-μ_t) g/(1-μ_1…μ_t))/P",
    remark: None,
    lr: 2e-3,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        beta1: Some(0.9),
        beta2: Some(0.999),
        eps: Some(1e-8),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(NAdam::new(h.beta1(), h.beta2(), h.eps(), MOMENTUM_DECAY)),
};

/// NAdam (Dozat 2016) as PyTorch has it: m, nu and P as Adam's;
/// w -= eta (mu_(t+1) m/(1 - mu_1 … mu_(t+1)) + (1 - mu_t) g/(1 - mu_1 … mu_t)) / P with
/// mu_t = beta1 (1 - 0.96^(t d)/2), d being the momentum decay.
///
/// With P held, mu standing still and the corrections gone, the step is the [`Filter`] of (1 - mu) times
/// the gradient and mu times its mean, so that P^-1/2 H P^-1/2 may grow to
/// (2 + 2 beta1)/((1 + beta1 - 2 mu beta1) eta). Without momentum this is 2/eta; with mu = beta1 it is
/// Nesterov's threshold for the rate (1 - beta1) eta, (2 + 2 beta1)/((1 - beta1)(1 + 2 beta1) eta).
///
/// The corrections are gone after the first 1/(1 - beta1) steps or so, the products falling at least
/// as fast as beta1^t. mu stands still only in late steps, some 100,000 on, but moves by less than
/// 1e-4 in a step: the threshold is that of mu as it is at the step to come, which is mu_1, about
/// beta1/2, for an optimizer that has taken none.
#[derive(Debug, Clone, Default)]
pub struct NAdam {
    beta1: f64,
    beta2: f64,
    momentum_decay: f64,
    steps: i32,
    mean: Vec<f64>,
    square: SecondMoment,
    /// mu_1 … mu_t, and the t that it is for.
    product: (f64, i32),
}

impl NAdam {
    /// With betas in [0, 1), `eps` above 0 and `momentum_decay` at least 0, from moments of zero.
    pub fn new(beta1: f64, beta2: f64, eps: f64, momentum_decay: f64) -> Self {
        let square = SecondMoment::new(eps);
        Self { beta1, beta2, momentum_decay, square, product: (1.0, 0), ..Self::default() }
    }

    /// mu of that step, counted from 1.
    fn mu(&self, step: i32) -> f64 {
        self.beta1 * (1.0 - 0.5 * 0.96_f64.powf(f64::from(step) * self.momentum_decay))
    }

    /// Without the corrections, mu standing still.
    fn filter_at(&self, mu: f64) -> Filter {
        let gradient = Filter::gradient().times(1.0 - mu);
        gradient.plus(Filter::mean(self.beta1).times(mu))
    }

    /// What the second moment is divided by after the steps so far.
    fn correction(&self) -> f64 {
        1.0 - self.beta2.powi(self.steps)
    }

    /// mu_1 … mu_t, from the product before, or anew where the state is another's.
    fn product_at(&self, step: i32) -> f64 {
        match self.product {
            (product, before) if before == step - 1 => product * self.mu(step),
            _ => {
                let mut product = 1.0;
                for step in 1..=step {
                    product *= self.mu(step);
                    if product == 0.0 {
                        break;
                    }
                }
                product
            }
        }
    }
}

impl Rule for NAdam {
    const PRECONDITIONED: bool = true;

    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        self.steps = self.steps.saturating_add(1);
        let step = self.steps;
        let product = self.product_at(step);
        self.product = (product, step);
        accumulate(&mut self.mean, self.beta1, 1.0 - self.beta1, gradient, |g| g);
        let (mu, next) = (self.mu(step), self.mu(step.saturating_add(1)));
        let of_gradient = (1.0 - mu) / (1.0 - product);
        let of_mean = next / (1.0 - product * next);
        let correction = self.correction();
        let p = self.square.take(self.beta2, 1.0 - self.beta2, gradient, correction);
        let pairs = gradient.iter().zip(&self.mean);
        let numerator = pairs.map(|(g, m)| of_gradient * g + of_mean * m).collect();
        Direction { rate: lr, numerator, preconditioner: Some(p) }
    }

    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        self.square.diagonal(self.correction())
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(self.filter_at(self.mu(self.steps.saturating_add(1))))
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β₁)/((1+β₁-2μβ₁)η)".to_string())
    }

    /// With mu at its end, beta1: that of early steps grows a little less.
    fn growth(&self) -> Option<OscillationGrowth> {
        Some(self.filter_at(self.beta1).growth())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![("exp_avg", &mut self.mean), ("exp_avg_sq", self.square.memory())],
        }
    }
}
