//! Coupled weight decay (L2 regularisation) for any optimizer.

use super::{GradientAt, Memory, Optimizer, StabilityContext, StabilityOperator};
use crate::error::Result;

/// Adds lambda w to the gradient that `base` descends. The loss that is descended has the Hessian
/// H + lambda I, and the threshold stays that of `base`.
pub struct CoupledDecay {
    base: Box<dyn Optimizer>,
    lambda: f64,
}

impl CoupledDecay {
    /// `base` with weight decay `lambda`, at least 0.
    pub fn new(base: Box<dyn Optimizer>, lambda: f64) -> Self {
        Self { base, lambda }
    }
}

/// gradient + lambda theta.
fn decayed(lambda: f64, theta: &[f64], gradient: &[f64]) -> Vec<f64> {
    gradient.iter().zip(theta).map(|(g, w)| g + lambda * w).collect()
}

impl Optimizer for CoupledDecay {
    fn base(&self) -> Option<&dyn Optimizer> {
        Some(&*self.base)
    }

    fn operator(&self) -> StabilityOperator {
        let operator = self.base.operator();
        StabilityOperator { shift: operator.shift + self.lambda, ..operator }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        self.base.threshold(context)
    }

    fn batch_edges(&self, context: &StabilityContext) -> Option<[f64; 2]> {
        // Of the loss that is descended, decay and all.
        let edges = self.base.batch_edges(context)?;
        let edges = edges.map(|edge| edge - self.lambda);
        edges.iter().all(|edge| *edge > 0.0).then_some(edges)
    }

    fn formula(&self) -> Option<String> {
        self.base.formula()
    }

    fn memory(&mut self) -> Memory<'_> {
        self.base.memory()
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        let gradient = decayed(self.lambda, theta, gradient);
        let lambda = self.lambda;
        let mut elsewhere = |point: &[f64]| Ok(decayed(lambda, point, &elsewhere(point)?));
        self.base.step(lr, theta, &gradient, &mut elsewhere)
    }
}
