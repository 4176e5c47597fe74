//! LAMB: Adam with a rate of its own for each tensor.

use super::{
    Adam, Decay, Entry, GradientAt, Hyperparameters, Memory, Optimizer, Rule, StabilityContext,
    StabilityOperator,
};
use crate::autodiff::ParameterLayout;
use crate::error::{Result, check_length};
use crate::linalg::norm;

pub(super) const ENTRY: Entry = Entry {
    name: "lamb",
    update: "u = Adam's m/((1-β₁^t) P) + λ w; w -= η (‖w‖/‖u‖) u in each tensor; \
             no threshold is known with a decay λ",
    remark: None,
    lr: 0.01,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        beta1: Some(0.9),
        beta2: Some(0.999),
        eps: Some(1e-6),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| {
        let adam = Adam::new(h.beta1(), h.beta2(), h.eps());
        Box::new(Lamb::new(adam, h.weight_decay(), layout.clone()))
    },
};

/// LAMB (You et al. 2020): u = (m/(1 - beta1^t))/P + lambda w with Adam's m and P;
/// w -= eta phi u with phi = ||w||/||u|| in each tensor, or 1 where either is zero.
///
/// With P and phi held it is Adam with P/phi for P, and P/phi is what the operator has. A decay shrinks each
/// tensor at a rate of its own, eta phi lambda; no formula is known then.
#[derive(Debug, Clone)]
pub struct Lamb {
    adam: Adam,
    decay: f64,
    layout: ParameterLayout,
    /// phi of each tensor at the latest step; empty where that is not known.
    ratios: Vec<f64>,
}

impl Lamb {
    /// Around `adam`, with weight decay `decay` (at least 0), for parameters of that layout.
    pub fn new(adam: Adam, decay: f64, layout: ParameterLayout) -> Self {
        Self { adam, decay, layout, ratios: Vec::new() }
    }

    /// P/phi of the latest step.
    fn diagonal(&self) -> Option<Vec<f64>> {
        let mut p = self.adam.preconditioner()?.into_owned();
        if self.ratios.len() != self.layout.entries().len() {
            return None;
        }
        for (entry, ratio) in self.layout.entries().iter().zip(&self.ratios) {
            p[entry.offset..][..entry.len].iter_mut().for_each(|p| *p /= ratio);
        }
        Some(p)
    }
}

/// ||w||/||u||, or 1 where that is no rate.
fn trust_ratio(w: &[f64], u: &[f64]) -> f64 {
    let ratio = norm(w) / norm(u);
    if ratio > 0.0 && ratio.is_finite() { ratio } else { 1.0 }
}

impl Optimizer for Lamb {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        StabilityOperator { preconditioner: self.diagonal(), ..StabilityOperator::default() }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        Rule::threshold(&self.adam, context).filter(|_| self.decay == 0.0)
    }

    fn early_factor(&self) -> Option<f64> {
        Rule::early_factor(&self.adam)
    }

    fn formula(&self) -> Option<String> {
        Rule::formula(&self.adam).filter(|_| self.decay == 0.0)
    }

    fn memory(&mut self) -> Memory<'_> {
        self.ratios.clear();
        Rule::memory(&mut self.adam)
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        check_length("parameters of the layout", theta.len(), self.layout.len())?;
        let direction = self.adam.direction(1.0, gradient);
        let p = direction.preconditioner.unwrap_or_default();
        let moves = direction.numerator.iter().zip(p).zip(&*theta);
        let u: Vec<f64> =
            moves.map(|((m, p), w)| direction.rate * m / p + self.decay * w).collect();
        self.ratios.clear();
        for entry in self.layout.entries() {
            let w = &mut theta[entry.offset..][..entry.len];
            let u = &u[entry.offset..][..entry.len];
            let ratio = trust_ratio(w, u);
            w.iter_mut().zip(u).for_each(|(w, u)| *w -= lr * ratio * u);
            self.ratios.push(ratio);
        }
        Ok(())
    }
}
