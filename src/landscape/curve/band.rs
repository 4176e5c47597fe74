//! The nudged elastic band with automatic insertion of pivots (Draxler et al. 2018, arXiv:1803.00885),
//! springs being infinitely stiff: pivots are put at equal distances before each update.

use super::train::update;
use super::{Curve, CurveKind, Descent};
use crate::autodiff::{Objective, Samples};
use crate::error::Result;
use crate::linalg::{dot, norm};
use crate::optim::Optimizer;

use super::super::{combined, distance};

/// Pivots from one end to the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// The chain: straight pieces from pivot to pivot.
    pub chain: Curve,
}

/// How a band is relaxed between two insertions.
pub struct BandSettings<'a> {
    /// The update rule of the inner pivots, new, without weight decay of its own.
    pub optimizer: &'a mut dyn Optimizer,
    /// The learning rate of each update.
    pub rate: &'a dyn Fn(usize) -> f64,
    /// The updates, by their numbers in the whole.
    pub steps: std::ops::Range<usize>,
    /// Weight decay lambda of the pivots.
    pub decay: f64,
    /// The samples of the next update; `None` for all.
    pub batch: &'a mut dyn FnMut() -> Option<Vec<usize>>,
    /// What a pivot is rounded to after an update.
    pub round: &'a dyn Fn(f64) -> f64,
}

/// An update of a band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandStep {
    /// Its number, from 0.
    pub step: usize,
    /// Its learning rate.
    pub lr: f64,
    /// The largest loss at a pivot before it, without decay.
    pub max_loss: f64,
    /// The mean loss of the inner pivots.
    pub mean_loss: f64,
    /// Norm of the gradient across the band.
    pub grad_norm: f64,
    /// Inner pivots.
    pub pivots: usize,
}

impl Band {
    /// On the straight line from `a` to `b` (length P each) with that many inner pivots.
    ///
    /// # Errors
    /// [`crate::Error::Length`] where the lengths differ.
    pub fn straight(a: &[f64], b: &[f64], pivots: usize) -> Result<Self> {
        Ok(Self { chain: Curve::straight(CurveKind::Polychain, a, b, pivots)? })
    }

    /// The same chain with its inner pivots at equal distances along it.
    ///
    /// # Errors
    /// None but for lengths that differ, which they do not.
    pub fn spread(&mut self) -> Result<()> {
        let points = self.chain.points();
        let mut along = vec![0.0];
        for pair in points.windows(2) {
            along.push(along[along.len() - 1] + distance(&pair[0], &pair[1])?);
        }
        let (pieces, length) = (points.len() - 1, along[along.len() - 1]);
        if length <= 0.0 {
            return Ok(());
        }
        let mut free = Vec::with_capacity(self.chain.dim() * self.chain.free_points());
        for j in 1..pieces {
            let wanted = length * j as f64 / pieces as f64;
            let piece = along.partition_point(|&s| s < wanted).clamp(1, pieces);
            let share = (wanted - along[piece - 1]) / (along[piece] - along[piece - 1]);
            free.extend(combined(&[1.0 - share, share], &[&points[piece - 1], &points[piece]])?);
        }
        self.chain.set_free(&free)
    }
}

/// Relaxes the inner pivots: each descends the part of its gradient across the band. `told` is told of each
/// update and answers whether to go on.
///
/// # Errors
/// Those of `told`; [`crate::Error::Length`] for an objective of another length than P; or if the device
/// reports failure.
pub fn relax(
    band: &mut Band,
    objective: &mut dyn Objective,
    settings: BandSettings<'_>,
    mut told: impl FnMut(&BandStep) -> Result<bool>,
) -> Result<Descent> {
    let BandSettings { optimizer, rate, steps, decay, batch, round } = settings;
    for step in steps {
        band.spread()?;
        let lr = rate(step);
        let samples = batch();
        let samples = samples.as_deref().map_or(Samples::All, Samples::Batch);
        let mut at = |chain: &Curve| across(chain, objective, samples, decay);
        let (losses, gradient) = at(&band.chain)?;
        let grad_norm = norm(&gradient);
        if !(losses.iter().all(|loss| loss.is_finite()) && grad_norm.is_finite()) {
            return Ok(Descent::Diverged);
        }
        let pivots = band.chain.free_points();
        let inner = &losses[1..=pivots];
        let told_of = BandStep {
            step,
            lr,
            max_loss: losses.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mean_loss: inner.iter().sum::<f64>() / pivots as f64,
            grad_norm,
            pivots,
        };
        if !told(&told_of)? {
            return Ok(Descent::Stopped);
        }
        let gradient_at = |other: &Curve| Ok(at(other)?.1);
        if !update(&mut band.chain, optimizer, lr, &gradient, gradient_at, round)? {
            return Ok(Descent::Diverged);
        }
    }
    band.spread()?;
    Ok(Descent::Completed)
}

/// The losses at all pivots, and the gradients at the inner ones, with decay, less their parts along the
/// band.
fn across(
    chain: &Curve,
    objective: &mut dyn Objective,
    samples: Samples<'_>,
    decay: f64,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let points = chain.points();
    let mut losses = Vec::with_capacity(points.len());
    let mut gradients = Vec::with_capacity(points.len());
    for point in points {
        objective.set_parameters(point)?;
        let at = objective.gradient(samples)?;
        losses.push(at.evaluation.loss);
        gradients.push(at.gradient);
    }
    let mut flat = Vec::with_capacity(chain.dim() * chain.free_points());
    for i in 1..points.len() - 1 {
        let tangent = tangent([&points[i - 1], &points[i], &points[i + 1]], &losses[i - 1..=i + 1]);
        let gradient = &mut gradients[i];
        gradient.iter_mut().zip(&points[i]).for_each(|(g, w)| *g += decay * w);
        let along = dot(gradient, &tangent);
        gradient.iter_mut().zip(&tangent).for_each(|(g, u)| *g -= along * u);
        flat.extend_from_slice(gradient);
    }
    Ok((losses, flat))
}

/// The unit tangent at the middle one of three pivots: towards the higher neighbour where losses rise or
/// fall, at extrema both directions weighted by the larger and the smaller difference (Henkelman & Jonsson
/// 2000, doi 10.1063/1.1323224, eqs. 8 to 11).
fn tangent(points: [&Vec<f64>; 3], losses: &[f64]) -> Vec<f64> {
    let towards = |from: &[f64], to: &[f64]| {
        let step: Vec<f64> = to.iter().zip(from).map(|(b, a)| b - a).collect();
        unit(step)
    };
    let (back, forth) = (towards(points[0], points[1]), towards(points[1], points[2]));
    let (before, here, after) = (losses[0], losses[1], losses[2]);
    if after > here && here > before {
        return forth;
    }
    if before > here && here > after {
        return back;
    }
    let (up, down) = ((after - here).abs(), (before - here).abs());
    let (larger, smaller) = (up.max(down), up.min(down));
    let (forward, backward) = if after > before { (larger, smaller) } else { (smaller, larger) };
    // Three equal losses say nothing.
    let (forward, backward) = if larger > 0.0 { (forward, backward) } else { (1.0, 1.0) };
    unit(forth.iter().zip(&back).map(|(f, b)| forward * f + backward * b).collect())
}

fn unit(mut v: Vec<f64>) -> Vec<f64> {
    let length = norm(&v);
    if length > 0.0 {
        v.iter_mut().for_each(|x| *x /= length);
    }
    v
}

/// Puts pivots where the loss between two of them exceeds the line between their losses by more than a
/// tenth of the chain's range: the places of the largest excess, at most `most`, seen at `between` points of
/// each piece. Returns how many.
///
/// # Errors
/// Those of the objective.
pub fn insert_pivots(
    band: &mut Band,
    objective: &mut dyn Objective,
    between: usize,
    most: usize,
) -> Result<usize> {
    const EXCESS: f64 = 0.1;
    let points = band.chain.points().to_vec();
    let mut loss_at = |theta: &[f64]| {
        objective.set_parameters(theta)?;
        Ok::<f64, crate::error::Error>(objective.evaluate()?.loss)
    };
    let pivots = points.iter().map(|p| loss_at(p)).collect::<Result<Vec<f64>>>()?;
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut excesses = Vec::new();
    for piece in 0..points.len() - 1 {
        let mut worst = (f64::NEG_INFINITY, 0.0);
        for k in 1..=between {
            let share = k as f64 / (between + 1) as f64;
            let loss =
                loss_at(&combined(&[1.0 - share, share], &[&points[piece], &points[piece + 1]])?)?;
            let line = (1.0 - share) * pivots[piece] + share * pivots[piece + 1];
            if loss - line > worst.0 {
                worst = (loss - line, share);
            }
            (low, high) = (low.min(loss), high.max(loss));
        }
        excesses.push((worst.0, piece, worst.1));
    }
    for loss in pivots {
        (low, high) = (low.min(loss), high.max(loss));
    }
    excesses.retain(|(excess, ..)| *excess > EXCESS * (high - low));
    excesses.sort_by(|a, b| b.0.total_cmp(&a.0));
    excesses.truncate(most);
    // From the back, so that places before stay what they are.
    excesses.sort_by_key(|(_, piece, _)| std::cmp::Reverse(*piece));
    let mut points = points;
    for &(_, piece, share) in &excesses {
        let new = combined(&[1.0 - share, share], &[&points[piece], &points[piece + 1]])?;
        points.insert(piece + 1, new);
    }
    band.chain = Curve::new(CurveKind::Polychain, points)?;
    Ok(excesses.len())
}
