//! Losses and sharpness at the points of a path.

use crate::error::{Result, check_length};
use crate::linalg::norm;

use super::{Sharpness, SharpnessFollower, Surface, Values};

/// A point of a path, with what was measured there.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPoint {
    /// The path's parameter.
    pub t: f64,
    /// Distance along the path from its first point, in units of the weights: the length of the chords between
    /// the points.
    pub arc_length: f64,
    /// Losses and accuracies.
    pub values: Values,
    /// The largest Hessian eigenvalues; none where they were not asked for, or are not finite.
    pub sharpness: Option<Sharpness>,
}

/// Measures at `path(t)` (length P) for each `t`, in order; sharpness with a `follower`. Each point is shown to
/// `told` as soon as it is there.
///
/// # Errors
/// [`crate::Error::Length`] for points of another length than P; those of `told`; or if the device reports
/// failure.
pub fn along(
    surface: &mut Surface<'_>,
    ts: &[f64],
    path: impl Fn(f64) -> Vec<f64>,
    mut follower: Option<&mut SharpnessFollower>,
    mut told: impl FnMut(&PathPoint) -> Result<()>,
) -> Result<Vec<PathPoint>> {
    let mut points: Vec<PathPoint> = Vec::with_capacity(ts.len());
    let mut before: Option<(f64, Vec<f64>)> = None;
    for &t in ts {
        let theta = path(t);
        let arc_length = match &before {
            Some((length, last)) => length + distance(last, &theta)?,
            None => 0.0,
        };
        let (values, sharpness) = match &mut follower {
            Some(follower) => surface.values_and_sharpness(&theta, follower)?,
            None => (surface.values(&theta)?, None),
        };
        let point = PathPoint { t, arc_length, values, sharpness };
        told(&point)?;
        points.push(point);
        before = Some((arc_length, theta));
    }
    Ok(points)
}

/// `count` numbers evenly from 0 to 1, both included; `count` is at least 2.
pub fn evenly(count: usize) -> Vec<f64> {
    let last = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| i as f64 / last).collect()
}

/// The straight line (1 - t) a + t b, which at 0 and 1 is `a` and `b` exactly.
///
/// # Errors
/// [`crate::Error::Length`] where the lengths differ.
pub fn line<'a>(a: &'a [f64], b: &'a [f64]) -> Result<impl Fn(f64) -> Vec<f64> + 'a> {
    check_length("end of a line", b.len(), a.len())?;
    Ok(move |t: f64| a.iter().zip(b).map(|(a, b)| (1.0 - t) * a + t * b).collect())
}

/// The sum of vectors of one length with these weights, such as a point of a curve from its control points.
///
/// # Errors
/// [`crate::Error::Length`] where lengths differ.
pub fn combined(weights: &[f64], vectors: &[&[f64]]) -> Result<Vec<f64>> {
    check_length("weights of a sum", weights.len(), vectors.len())?;
    let mut sum = vec![0.0; vectors.first().map_or(0, |v| v.len())];
    for (weight, vector) in weights.iter().zip(vectors) {
        check_length("term of a sum", vector.len(), sum.len())?;
        sum.iter_mut().zip(*vector).for_each(|(sum, x)| *sum += weight * x);
    }
    Ok(sum)
}

/// ||a - b||.
///
/// # Errors
/// [`crate::Error::Length`] where the lengths differ.
pub fn distance(a: &[f64], b: &[f64]) -> Result<f64> {
    check_length("point", b.len(), a.len())?;
    Ok(norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>()))
}
