//! Adam, and Adam with decoupled weight decay. Both divide by P = diag(sqrt(nu/(1 - beta2^t)) + eps)
//! as PyTorch does: epsilon stands outside the root and after the bias correction.

use super::{
    Entry, GradientAt, Hyperparameters, Memory, Optimizer, StabilityContext, StabilityOperator,
    accumulate, descend, over_rate,
};
use crate::error::Result;

const DEFAULTS: Hyperparameters = Hyperparameters {
    beta1: Some(0.9),
    beta2: Some(0.999),
    eps: Some(1e-8),
    weight_decay: Some(0.0),
    ..Hyperparameters::NONE
};

pub(super) const ADAM: Entry = Entry {
    name: "adam",
    about: "m, ν = means of g, g²; P = √(ν/(1-β₂^t)) + ε; w -= η m/((1-β₁^t) P)",
    lr: 1e-3,
    defaults: DEFAULTS,
    build: |h| Box::new(Adam::new(h.beta1(), h.beta2(), h.eps())),
};

pub(super) const ADAMW: Entry = Entry {
    name: "adamw",
    about: "w *= 1 - ηλ, then Adam's step (decoupled weight decay λ)",
    lr: 1e-3,
    defaults: Hyperparameters { weight_decay: Some(0.01), ..DEFAULTS },
    build: |h| Box::new(AdamW::new(h.beta1(), h.beta2(), h.eps(), h.weight_decay())),
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
    eps: f64,
    steps: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    /// With betas in [0, 1) and `eps` above 0, from moments of zero.
    pub fn new(beta1: f64, beta2: f64, eps: f64) -> Self {
        Self { beta1, beta2, eps, ..Self::default() }
    }

    /// The diagonal of P after the latest step.
    fn preconditioner(&self) -> Option<Vec<f64>> {
        let correction = 1.0 - self.beta2.powi(self.steps);
        let p = |nu: &f64| (nu / correction).sqrt() + self.eps;
        (self.steps > 0).then(|| self.square.iter().map(p).collect())
    }
}

impl Optimizer for Adam {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        StabilityOperator { preconditioner: self.preconditioner(), shift: 0.0 }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        over_rate(2.0 + 2.0 * self.beta1, (1.0 - self.beta1) * context.lr)
    }

    fn formula(&self) -> Option<String> {
        Some("(2+2β₁)/((1-β₁)η)".to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![("exp_avg", &mut self.mean), ("exp_avg_sq", &mut self.square)],
        }
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        self.steps = self.steps.saturating_add(1);
        accumulate(&mut self.mean, self.beta1, 1.0 - self.beta1, gradient, |g| g);
        accumulate(&mut self.square, self.beta2, 1.0 - self.beta2, gradient, |g| g * g);
        let lr = lr / (1.0 - self.beta1.powi(self.steps));
        descend(lr, theta, &self.mean, &self.preconditioner().unwrap_or_default());
        Ok(())
    }
}

/// AdamW (Loshchilov and Hutter 2019): w *= 1 - eta lambda, then Adam's step.
///
/// With P held, the roots of z^2 - z (1 - eta lambda + beta1 - eta (1 - beta1) h) + beta1 (1 - eta
/// lambda) leave the unit circle through -1 when the eigenvalue h of P^-1/2 H P^-1/2 reaches
/// (1 + beta1)(2 - eta lambda)/((1 - beta1) eta), which is Adam's threshold times
/// 1 - eta lambda/2.
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

impl Optimizer for AdamW {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        self.adam.operator()
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        self.adam.threshold(context).map(|tau| tau * (1.0 - context.lr * self.decay / 2.0))
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

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        theta.iter_mut().for_each(|w| *w *= 1.0 - lr * self.decay);
        self.adam.step(lr, theta, gradient, elsewhere)
    }
}
