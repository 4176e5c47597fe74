//! Clipping of the gradient by its norm, for any optimizer.

use super::{GradientAt, Memory, Optimizer, StabilityContext};
use crate::error::Result;
use crate::linalg::norm;

/// Multiplies the gradient that `base` descends by min(1, most/||g||). SAM's ascent goes by the
/// gradient's direction, so that only the gradient that it descends is changed.
///
/// The threshold stays that of `base`, and is that of steps that are not clipped. A clipped step of gradient
/// descent is one at the rate eta times the factor, so that on a quadratic beyond the threshold iterates do not
/// diverge: they oscillate where the factor is one over the edge ratio, the gradient's norm being `most` times
/// that ratio.
pub struct Clipped {
    base: Box<dyn Optimizer>,
    most: f64,
    factor: Option<f64>,
}

impl Clipped {
    /// `base` with gradients of norm `most`, above 0, at most.
    pub fn new(base: Box<dyn Optimizer>, most: f64) -> Self {
        Self { base, most, factor: None }
    }
}

/// The gradient of norm `most` at most, and what it was multiplied by.
fn clipped(mut gradient: Vec<f64>, most: f64) -> (Vec<f64>, f64) {
    let length = norm(&gradient);
    if length <= most || !length.is_finite() {
        return (gradient, 1.0);
    }
    let factor = most / length;
    gradient.iter_mut().for_each(|g| *g *= factor);
    (gradient, factor)
}

impl Optimizer for Clipped {
    fn base(&self) -> Option<&dyn Optimizer> {
        Some(&*self.base)
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        self.base.threshold(context)
    }

    fn formula(&self) -> Option<String> {
        self.base.formula()
    }

    fn clip_factor(&self) -> Option<f64> {
        self.factor
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
        let most = self.most;
        let (gradient, mut factor) = clipped(gradient.to_vec(), most);
        let mut there = |point: &[f64]| {
            let (gradient, own) = clipped(elsewhere(point)?, most);
            // What is evaluated last is what is descended.
            factor = own;
            Ok(gradient)
        };
        self.base.step(lr, theta, &gradient, &mut there)?;
        self.factor = Some(factor);
        Ok(())
    }
}
