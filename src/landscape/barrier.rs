//! How much worse a path is than its ends. Four definitions are in use under one name.

use serde::Serialize;

use super::PathPoint;

/// A barrier, and where on the path it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Barrier {
    /// Its height; below 0 where the path is better than what it is compared with. Infinite where a loss on the path
    /// is not finite.
    pub value: f64,
    /// The path's parameter there.
    pub t: f64,
}

/// The barriers of a path whose parameter runs from 0 to 1, over the points that were measured. The first three are
/// maxima over the points between the ends, where there are any: with the ends among them none could be below 0, and
/// a path that is better than its ends would look like one that is flat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Barriers {
    /// max_t E(t) - (E(0) + E(1))/2, E being the share of samples answered wrongly (Frankle et al. 2020, 1912.05671;
    /// ends are called stable where it is below 0.02); none in regression.
    pub error: Option<Barrier>,
    /// max_t L(t) - ((1 - t) L(0) + t L(1)) (Entezari et al. 2022, 2110.06296).
    pub loss: Barrier,
    /// max_t L(t) - max(L(0), L(1)).
    pub over_worse_end: Barrier,
    /// max_t L(t) itself, the ends included (Draxler et al. 2018, 1803.00885).
    pub saddle: Barrier,
}

/// One set of samples' loss and accuracy.
type Of = fn(&PathPoint) -> Option<crate::autodiff::Evaluation>;

/// The barriers of a measured path, over its training samples and, where there are any, its validation samples. None
/// for an empty path.
pub fn barriers(points: &[PathPoint]) -> (Option<Barriers>, Option<Barriers>) {
    (of(points, |p| Some(p.values.train)), of(points, |p| p.values.validation))
}

fn of(points: &[PathPoint], of: Of) -> Option<Barriers> {
    let losses: Vec<(f64, f64)> = points.iter().filter_map(|p| Some((p.t, of(p)?.loss))).collect();
    let errors: Vec<(f64, f64)> =
        points.iter().filter_map(|p| Some((p.t, 1.0 - of(p)?.accuracy?))).collect();
    let (&(_, first), &(_, last)) = (losses.first()?, losses.last()?);
    let above_line = |&(t, loss): &(f64, f64)| (t, loss - ((1.0 - t) * first + t * last));
    let mean_error = errors.first().zip(errors.last()).map(|(a, b)| 0.5 * (a.1 + b.1));
    let over_worse = |&(t, loss): &(f64, f64)| (t, loss - first.max(last));
    Some(Barriers {
        error: mean_error
            .and_then(|mean| highest(inner(&errors).iter().map(|&(t, e)| (t, e - mean)))),
        loss: highest(inner(&losses).iter().map(above_line))?,
        over_worse_end: highest(inner(&losses).iter().map(over_worse))?,
        saddle: highest(losses.iter().copied())?,
    })
}

/// The points between the ends; the ends where there are no others.
fn inner(points: &[(f64, f64)]) -> &[(f64, f64)] {
    if points.len() > 2 { &points[1..points.len() - 1] } else { points }
}

/// The first of the highest; what is not a number is higher than everything.
fn highest(values: impl Iterator<Item = (f64, f64)>) -> Option<Barrier> {
    let value = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
    values
        .map(|(t, x)| Barrier { t, value: value(x) })
        .reduce(|best, next| if next.value > best.value { next } else { best })
}

/// Whether losses only fall, or stand still within `slack` (in units of the loss), and the largest rise above the
/// lowest before it: Goodfellow, Vinyals and Saxe's question of a line from where training starts to where it ends (2015,
/// 1412.6544).
pub fn is_monotone(losses: &[f64], slack: f64) -> (bool, f64) {
    let mut lowest = f64::INFINITY;
    let mut rise: f64 = 0.0;
    for &loss in losses {
        if !loss.is_finite() {
            return (false, f64::INFINITY);
        }
        lowest = lowest.min(loss);
        rise = rise.max(loss - lowest);
    }
    (rise <= slack, rise)
}
