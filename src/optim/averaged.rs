//! Stochastic weight averaging while training (Izmailov et al. 2018, 1803.05407): beside any update, the running mean of
//! the points that it passes through.

use super::{GradientAt, Memory, Optimizer, StabilityContext};
use crate::error::Result;

/// The accumulator that is the mean.
pub const SWA: &str = "swa";

/// An update rule that is as before, and remembers the mean of w_start, w_(start + every), w_(start + 2 every), … in an
/// accumulator of its own, so that checkpoints hold it.
pub struct Averaged {
    inner: Box<dyn Optimizer>,
    start: usize,
    every: usize,
    /// Steps taken, where the rule does not count them.
    taken: i32,
    /// The mean; before there is one, the present point.
    mean: Vec<f64>,
}

impl Averaged {
    /// Around a rule, from the point after `start` updates on, `every` so many updates (at least 1).
    pub fn new(inner: Box<dyn Optimizer>, start: usize, every: usize) -> Self {
        Self { inner, start, every: every.max(1), taken: 0, mean: Vec::new() }
    }
}

/// How many points are in the mean after `step` updates.
pub fn averaged_points(step: usize, start: usize, every: usize) -> usize {
    step.checked_sub(start).map_or(0, |after| after / every.max(1) + 1)
}

impl Optimizer for Averaged {
    fn base(&self) -> Option<&dyn Optimizer> {
        Some(&*self.inner)
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        self.inner.threshold(context)
    }

    fn formula(&self) -> Option<String> {
        self.inner.formula()
    }

    fn memory(&mut self) -> Memory<'_> {
        let mut memory = self.inner.memory();
        memory.steps.get_or_insert(&mut self.taken);
        memory.accumulators.push((SWA, &mut self.mean));
        memory
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        self.inner.step(lr, theta, gradient, elsewhere)?;
        self.taken += 1;
        if let Some(&mut counted) = self.inner.memory().steps {
            self.taken = counted;
        }
        let taken = self.taken.max(0) as usize;
        let count = averaged_points(taken, self.start, self.every);
        if count <= 1 && taken <= self.start {
            self.mean = theta.to_vec();
        } else if (taken - self.start).is_multiple_of(self.every) {
            let share = 1.0 / count as f64;
            self.mean.iter_mut().zip(&*theta).for_each(|(mean, w)| *mean += (w - *mean) * share);
        }
        Ok(())
    }
}
