//! Training a curve: the expected loss at a position drawn uniformly, one position a step.

use rand::RngExt;

use super::Curve;
use crate::autodiff::{Objective, Samples};
use crate::error::Result;
use crate::linalg::norm;
use crate::optim::Optimizer;
use crate::rng::{self, Stream};

/// How control points are moved.
pub struct CurveTraining<'a> {
    /// The update rule, without weight decay of its own: that of the curve is `decay`.
    pub optimizer: &'a mut dyn Optimizer,
    /// The learning rate of each update.
    pub rate: &'a dyn Fn(usize) -> f64,
    /// Updates.
    pub steps: usize,
    /// Weight decay lambda of the curve's own weights: lambda ||theta(t)||^2 / 2 beside the loss.
    pub decay: f64,
    /// Seed of the positions.
    pub seed: u64,
    /// The samples of the next update; `None` for all.
    pub batch: &'a mut dyn FnMut() -> Option<Vec<usize>>,
    /// What a control point is rounded to after an update.
    pub round: &'a dyn Fn(f64) -> f64,
}

/// An update of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveStep {
    /// Its number, from 0.
    pub step: usize,
    /// Its learning rate.
    pub lr: f64,
    /// The position on the curve.
    pub t: f64,
    /// The loss there before it, without decay.
    pub loss: f64,
    /// Norm of its gradient by the free control points, with decay.
    pub grad_norm: f64,
}

/// How a descent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descent {
    /// All updates were taken.
    Completed,
    /// A loss or a gradient was not finite; the points are those before it.
    Diverged,
    /// Whoever was told ended it.
    Stopped,
}

/// Trains the free control points of `curve`, telling of each update; `told` answers whether to go on.
///
/// # Errors
/// Those of `told`; [`crate::Error::Length`] for an objective of another length than P; or if the device
/// reports failure.
pub fn train_curve(
    curve: &mut Curve,
    objective: &mut dyn Objective,
    training: CurveTraining<'_>,
    mut told: impl FnMut(&CurveStep) -> Result<bool>,
) -> Result<Descent> {
    let CurveTraining { optimizer, rate, steps, decay, seed, batch, round } = training;
    let mut positions = rng::stream(seed, Stream::Curve);
    for step in 0..steps {
        let (t, lr): (f64, f64) = (positions.random(), rate(step));
        let samples = batch();
        let samples = samples.as_deref().map_or(Samples::All, Samples::Batch);
        let mut at = |curve: &Curve| gradient(curve, objective, t, samples, decay);
        let (loss, gradient) = at(curve)?;
        let grad_norm = norm(&gradient);
        if !(loss.is_finite() && grad_norm.is_finite()) {
            return Ok(Descent::Diverged);
        }
        if !told(&CurveStep { step, lr, t, loss, grad_norm })? {
            return Ok(Descent::Stopped);
        }
        let gradient_at = |other: &Curve| Ok(at(other)?.1);
        if !update(curve, optimizer, lr, &gradient, gradient_at, round)? {
            return Ok(Descent::Diverged);
        }
    }
    Ok(Descent::Completed)
}

/// Moves the free points by one update from their gradient; `gradient_at` evaluates it for other points. False, the
/// points being those before it, where one would not be finite.
pub(super) fn update(
    curve: &mut Curve,
    optimizer: &mut dyn Optimizer,
    lr: f64,
    gradient: &[f64],
    mut gradient_at: impl FnMut(&Curve) -> Result<Vec<f64>>,
    round: &dyn Fn(f64) -> f64,
) -> Result<bool> {
    let mut free = curve.free();
    let mut other = curve.clone();
    let mut elsewhere = |free: &[f64]| {
        other.set_free(free)?;
        gradient_at(&other)
    };
    optimizer.step(lr, &mut free, gradient, &mut elsewhere)?;
    if free.iter().any(|w| !w.is_finite()) {
        return Ok(false);
    }
    free.iter_mut().for_each(|w| *w = round(*w));
    curve.set_free(&free)?;
    Ok(true)
}

/// The loss at theta(t), and the gradient of it and of the decay by the free control points.
fn gradient(
    curve: &Curve,
    objective: &mut dyn Objective,
    t: f64,
    samples: Samples<'_>,
    decay: f64,
) -> Result<(f64, Vec<f64>)> {
    let theta = curve.at(t);
    objective.set_parameters(&theta)?;
    let mut at = objective.gradient(samples)?;
    if decay != 0.0 {
        at.gradient.iter_mut().zip(&theta).for_each(|(g, w)| *g += decay * w);
    }
    Ok((at.evaluation.loss, curve.free_gradient(t, &at.gradient)))
}
