//! Momentum in its three common forms. The thresholds of the first two are from Cohen et al. 2021;
//! all three follow from the [`Filter`].

use super::rule::accumulate;
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, Rule};

const DEFAULTS: Hyperparameters =
    Hyperparameters { momentum: Some(0.9), weight_decay: Some(0.0), ..Hyperparameters::NONE };

pub(super) const HEAVY_BALL: Entry = Entry {
    name: "momentum",
    update: "v = β v + g; w -= η v (heavy ball)",
    remark: None,
    lr: 0.02,
    decay: Decay::Coupled,
    defaults: DEFAULTS,
    build: |h, _| Box::new(HeavyBall::new(h.momentum())),
};

pub(super) const NESTEROV: Entry = Entry {
    name: "nesterov",
    update: "v = β v + g; w -= η (g + β v)",
    remark: None,
    lr: 0.02,
    decay: Decay::Coupled,
    defaults: DEFAULTS,
    build: |h, _| Box::new(Nesterov::new(h.momentum())),
};

pub(super) const EMA: Entry = Entry {
    name: "ema-momentum",
    update: "m = β m + (1-β) g; w -= η m",
    remark: None,
    lr: 0.2,
    decay: Decay::Coupled,
    defaults: DEFAULTS,
    build: |h, _| Box::new(EmaMomentum::new(h.momentum())),
};

/// Heavy ball: v = beta v + g; w -= eta v. Stable up to (2 + 2 beta)/eta.
#[derive(Debug, Clone, Default)]
pub struct HeavyBall {
    beta: f64,
    velocity: Vec<f64>,
}

impl HeavyBall {
    /// With momentum `beta` in [0, 1), from velocity zero.
    pub fn new(beta: f64) -> Self {
        Self { beta, velocity: Vec::new() }
    }
}

impl Rule for HeavyBall {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        accumulate(&mut self.velocity, self.beta, 1.0, gradient, |g| g);
        Direction { rate: lr, numerator: (&self.velocity).into(), preconditioner: None }
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::sum(1.0, self.beta))
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β)/η".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("momentum_buffer", &mut self.velocity)] }
    }
}

/// Nesterov: v = beta v + g; w -= eta (g + beta v). Stable up to (2 + 2 beta)/(eta (1 + 2 beta)).
#[derive(Debug, Clone, Default)]
pub struct Nesterov {
    beta: f64,
    velocity: Vec<f64>,
}

impl Nesterov {
    /// With momentum `beta` in [0, 1), from velocity zero.
    pub fn new(beta: f64) -> Self {
        Self { beta, velocity: Vec::new() }
    }
}

impl Rule for Nesterov {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        accumulate(&mut self.velocity, self.beta, 1.0, gradient, |g| g);
        let ahead = gradient.iter().zip(&self.velocity).map(|(g, v)| g + self.beta * v);
        Direction { rate: lr, numerator: ahead.collect(), preconditioner: None }
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::gradient().plus(Filter::sum(self.beta, self.beta)))
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β)/((1+2β)η)".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("momentum_buffer", &mut self.velocity)] }
    }
}

/// Momentum as a mean: m = beta m + (1 - beta) g; w -= eta m. Stable up to
/// (2 + 2 beta)/((1 - beta) eta): heavy ball with eta (1 - beta) for eta.
#[derive(Debug, Clone, Default)]
pub struct EmaMomentum {
    beta: f64,
    mean: Vec<f64>,
}

impl EmaMomentum {
    /// With momentum `beta` in [0, 1), from a mean of zero.
    pub fn new(beta: f64) -> Self {
        Self { beta, mean: Vec::new() }
    }
}

impl Rule for EmaMomentum {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        accumulate(&mut self.mean, self.beta, 1.0 - self.beta, gradient, |g| g);
        Direction { rate: lr, numerator: (&self.mean).into(), preconditioner: None }
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        Some(Filter::mean(self.beta))
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β)/((1-β)η)".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("exp_avg", &mut self.mean)] }
    }
}
