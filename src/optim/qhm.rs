//! Quasi-hyperbolic momentum.

use super::rule::accumulate;
use super::{Decay, Direction, Entry, Filter, Hyperparameters, Memory, OscillationGrowth, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "qhm",
    update: "m = β m + (1-β) g; w -= η ((1-ν) g + ν m)",
    remark: None,
    lr: 0.2,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        momentum: Some(0.999),
        nu: Some(0.7),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(Qhm::new(h.momentum(), h.nu())),
};

/// Quasi-hyperbolic momentum (Ma and Yarats 2019): m = beta m + (1 - beta) g;
/// w -= eta ((1 - nu) g + nu m), stable up to 2/(eta [(1 - nu) + nu (1 - beta)/(1 + beta)]). Without nu it
/// is gradient descent, with nu = 1 momentum as a mean, with nu = beta Nesterov's at the rate
/// (1 - beta) eta.
#[derive(Debug, Clone, Default)]
pub struct Qhm {
    beta: f64,
    nu: f64,
    mean: Vec<f64>,
}

impl Qhm {
    /// With momentum `beta` in [0, 1) and `nu`, the share of the mean, in [0, 1].
    pub fn new(beta: f64, nu: f64) -> Self {
        Self { beta, nu, mean: Vec::new() }
    }
}

impl Rule for Qhm {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        accumulate(&mut self.mean, self.beta, 1.0 - self.beta, gradient, |g| g);
        let pairs = gradient.iter().zip(&self.mean);
        let numerator = pairs.map(|(g, m)| (1.0 - self.nu) * g + self.nu * m).collect();
        Direction { rate: lr, numerator, preconditioner: None }
    }

    fn filter(&self, _: f64) -> Option<Filter> {
        let gradient = Filter::gradient().times(1.0 - self.nu);
        Some(gradient.plus(Filter::mean(self.beta).times(self.nu)))
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β)/((1+β-2νβ)η)".to_string())
    }

    fn growth(&self) -> Option<OscillationGrowth> {
        self.filter(1.0).map(Filter::growth)
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { steps: None, accumulators: vec![("exp_avg", &mut self.mean)] }
    }
}
