//! Shampoo.

use super::kronecker::{Side, Sides, eigenbasis};
use super::rule::accumulate;
use super::{
    Decay, Entry, Filter, GradientAt, Hyperparameters, Memory, Optimizer, OscillationGrowth,
    StabilityContext, StabilityOperator,
};
use crate::autodiff::ParameterLayout;
use crate::error::{Result, check_length};

pub(super) const ENTRY: Entry = Entry {
    name: "shampoo",
    update: "L = L + G G', R = R + G' G from ε I; m = β m + (1-β) G; w -= η L^-1/4 m R^-1/4 for \
             matrices, η L^-1/2 m for vectors; \
             a side above 1024 has no factor, and the other -1/2",
    remark: None,
    lr: 0.05,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        momentum: Some(0.0),
        eps: Some(1e-4),
        refresh: Some(1.0),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| Box::new(Shampoo::new(h.momentum(), h.eps(), h.refresh(), layout)),
};

/// Shampoo (Gupta et al. 2018) of order 1 and 2, with momentum as a mean. L and R are sums over all steps; their
/// roots are those of the latest refresh.
///
/// P is L^1/4 (x) R^1/4, diagonal in the eigenvectors of both. With P held, P^-1/2 H P^-1/2 may grow to
/// (2 + 2 beta)/((1 - beta) eta): see [`Filter`].
#[derive(Debug, Clone)]
pub struct Shampoo {
    beta: f64,
    eps: f64,
    refresh: f64,
    sides: Sides,
    steps: i32,
    mean: Vec<f64>,
    factors: Vec<f64>,
    /// Eigenvectors of the factors at the latest refresh.
    bases: Vec<f64>,
    /// P of the latest refresh in their coordinates (length P).
    diagonal: Vec<f64>,
}

impl Shampoo {
    /// With momentum `beta` in [0, 1), `eps` above 0 and a refresh every `refresh` steps, for parameters of that
    /// layout.
    pub fn new(beta: f64, eps: f64, refresh: f64, layout: &ParameterLayout) -> Self {
        let sides = Sides::new(layout, true);
        let (mean, factors, bases, diagonal) = Default::default();
        Self { beta, eps, refresh, sides, steps: 0, mean, factors, bases, diagonal }
    }

    /// Eigenvectors of the factors, and P.
    fn decompose(&mut self) -> Result<()> {
        let mut values = Vec::new();
        self.bases = self.sides.mapped(&self.factors, |factor| {
            let (own, vectors) = eigenbasis(factor.as_ref())?;
            values.push(own);
            Ok(vectors)
        })?;
        let mut values = values.into_iter();
        self.diagonal = Vec::with_capacity(self.sides.parameters());
        for block in &self.sides.blocks {
            let (mut left, mut right) = (vec![1.0; block.rows], vec![1.0; block.columns]);
            let sides = self.sides.of(block);
            let exponent = 0.5 / sides.len().max(1) as f64;
            for (side, _) in sides {
                let own = values.next().unwrap_or_default();
                // Rounding may bring the least below the eps that all began with.
                let root = |value: &f64| value.max(self.eps).powf(exponent);
                let roots = own.iter().map(root).collect();
                *(if side == Side::Left { &mut left } else { &mut right }) = roots;
            }
            self.diagonal.extend(left.iter().flat_map(|l| right.iter().map(move |r| l * r)));
        }
        Ok(())
    }
}

impl Optimizer for Shampoo {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        if self.diagonal.is_empty() {
            return StabilityOperator::default();
        }
        StabilityOperator {
            preconditioner: Some(self.diagonal.clone()),
            basis: Some(self.sides.basis(&self.bases)),
            shift: 0.0,
        }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        Filter::mean(self.beta).threshold(context.lr, 0.0)
    }

    fn formula(&self) -> Option<String> {
        Some(if self.beta == 0.0 { "2/η" } else { "(2+2β)/((1-β)η)" }.to_string())
    }

    fn growth(&self) -> Option<OscillationGrowth> {
        Some(Filter::mean(self.beta).growth())
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![
                ("exp_avg", &mut self.mean),
                ("factors", &mut self.factors),
                ("bases", &mut self.bases),
                ("preconditioner", &mut self.diagonal),
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
        check_length("parameters of the layout", theta.len(), self.sides.parameters())?;
        if self.factors.is_empty() {
            self.factors = self.sides.identity(self.eps);
        }
        self.sides.accumulate(&mut self.factors, gradient, 1.0, 1.0);
        if self.diagonal.is_empty() || f64::from(self.steps) % self.refresh == 0.0 {
            self.decompose()?;
        }
        self.steps = self.steps.saturating_add(1);
        accumulate(&mut self.mean, self.beta, 1.0 - self.beta, gradient, |g| g);
        let basis = self.sides.basis(&self.bases);
        let mut moves = self.mean.clone();
        basis.enter(&mut moves, theta.len());
        moves.iter_mut().zip(&self.diagonal).for_each(|(m, p)| *m /= p);
        basis.leave(&mut moves, theta.len());
        theta.iter_mut().zip(moves).for_each(|(w, m)| *w -= lr * m);
        Ok(())
    }
}
