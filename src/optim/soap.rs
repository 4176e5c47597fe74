//! SOAP: Adam in the eigenvectors of Shampoo's factors.

use super::kronecker::{Sides, eigenbasis, iterated};
use super::rule::{SecondMoment, accumulate};
use super::{
    Decay, Entry, Filter, GradientAt, Hyperparameters, Memory, Optimizer, StabilityContext,
    StabilityOperator,
};
use crate::autodiff::ParameterLayout;
use crate::error::{Result, check_length};

pub(super) const ENTRY: Entry = Entry {
    name: "soap",
    update: "Adam in the bases of L, R = means of G G', G' G: G → Q_L' G Q_R; w *= 1 - ηλ; \
             vectors, and sides above 1024, stay as they are",
    remark: None,
    lr: 3e-3,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        beta1: Some(0.95),
        beta2: Some(0.95),
        eps: Some(1e-8),
        refresh: Some(10.0),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| {
        let soap = Soap::new(h.beta1(), h.beta2(), h.eps(), h.weight_decay(), layout);
        Box::new(soap.refreshed_every(h.refresh()))
    },
};

/// SOAP (Vyas et al. 2024): Adam's second moment and step in the coordinates Q_L' G Q_R. The bases are the
/// eigenvectors of the first gradient's factors, and at each refresh one QR step of orthogonal iteration
/// on from there; L and R are means with decay beta2. Adam's biases are corrected, and the first step is
/// taken too.
///
/// P = Q diag(sqrt(nu/(1 - beta2^t)) + eps) Q'. With P held, P^-1/2 H P^-1/2 may grow to AdamW's
/// threshold (1 + beta1)(2 - eta lambda)/((1 - beta1) eta).
#[derive(Debug, Clone)]
pub struct Soap {
    beta1: f64,
    beta2: f64,
    decay: f64,
    refresh: f64,
    sides: Sides,
    steps: i32,
    /// In the parameters' own coordinates.
    mean: Vec<f64>,
    /// In those of the bases.
    square: SecondMoment,
    factors: Vec<f64>,
    bases: Vec<f64>,
}

impl Soap {
    /// With betas in [0, 1), `eps` above 0 and decoupled weight decay `decay` (at least 0), for parameters of that
    /// layout, refreshed every ten steps.
    pub fn new(beta1: f64, beta2: f64, eps: f64, decay: f64, layout: &ParameterLayout) -> Self {
        let (mean, factors, bases) = Default::default();
        let (sides, square) = (Sides::new(layout, false), SecondMoment::new(eps));
        Self { beta1, beta2, decay, refresh: 10.0, sides, steps: 0, mean, square, factors, bases }
    }

    /// The same, refreshed every so many steps.
    pub fn refreshed_every(self, refresh: f64) -> Self {
        Self { refresh, ..self }
    }

    /// What the second moment is divided by after the steps so far.
    fn correction(&self) -> f64 {
        1.0 - self.beta2.powi(self.steps)
    }

    /// Brings the bases to the gradients before this step; at the first one to this gradient itself.
    fn turn(&mut self, gradient: &[f64]) -> Result<()> {
        if self.factors.is_empty() {
            self.factors = self.sides.identity(0.0);
            self.sides.accumulate(&mut self.factors, gradient, self.beta2, 1.0 - self.beta2);
            self.bases =
                self.sides.mapped(&self.factors, |factor| Ok(eigenbasis(factor.as_ref())?.1))?;
        } else if f64::from(self.steps) % self.refresh == 0.0 {
            let mut at = 0;
            let bases = &self.bases;
            self.bases = self.sides.mapped(&self.factors, |factor| {
                let basis = super::blocks::square(bases, factor.nrows(), &mut at);
                Ok(iterated(factor, &basis))
            })?;
        }
        Ok(())
    }
}

impl Optimizer for Soap {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        let diagonal = self.square.diagonal(self.correction());
        let basis = diagonal.is_some().then(|| self.sides.basis(&self.bases));
        let preconditioner = diagonal.map(|p| p.into_owned());
        StabilityOperator { preconditioner, basis, shift: 0.0 }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        Filter::mean(self.beta1).threshold(context.lr, self.decay)
    }

    fn early_factor(&self) -> Option<f64> {
        (self.steps > 0).then(|| 1.0 - self.beta1.powi(self.steps))
    }

    fn formula(&self) -> Option<String> {
        let text = match self.decay {
            0.0 => "(2+2β₁)/((1-β₁)η)",
            _ => "(1+β₁)(2-ηλ)/((1-β₁)η)",
        };
        Some(text.to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![
                ("exp_avg", &mut self.mean),
                ("exp_avg_sq", self.square.memory()),
                ("factors", &mut self.factors),
                ("bases", &mut self.bases),
            ],
        }
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        let dim = theta.len();
        check_length("parameters of the layout", dim, self.sides.parameters())?;
        let first = self.factors.is_empty();
        self.turn(gradient)?;
        self.steps = self.steps.saturating_add(1);
        accumulate(&mut self.mean, self.beta1, 1.0 - self.beta1, gradient, |g| g);
        let basis = self.sides.basis(&self.bases);
        let (mut turned, mut moves) = (gradient.to_vec(), self.mean.clone());
        basis.enter(&mut turned, dim);
        basis.enter(&mut moves, dim);
        let correction = self.correction();
        let p = self.square.take(self.beta2, 1.0 - self.beta2, &turned, correction);
        moves.iter_mut().zip(p).for_each(|(m, p)| *m /= p);
        basis.leave(&mut moves, dim);
        let rate = lr / (1.0 - self.beta1.powi(self.steps));
        for (w, m) in theta.iter_mut().zip(moves) {
            *w = *w * (1.0 - lr * self.decay) - rate * m;
        }
        if !first {
            self.sides.accumulate(&mut self.factors, gradient, self.beta2, 1.0 - self.beta2);
        }
        Ok(())
    }
}
