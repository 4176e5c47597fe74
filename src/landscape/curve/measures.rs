//! A measured curve in a few numbers.

use serde::Serialize;

use super::super::PathPoint;

/// A measured curve in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurveMeasures {
    /// Its length, in units of the weights.
    pub length: f64,
    /// The distance of its ends.
    pub chord: f64,
    /// The largest training loss on it.
    pub max_loss: f64,
    /// The position of that.
    pub max_at: f64,
    /// The smallest training loss on it.
    pub min_loss: f64,
    /// The mean training loss over the positions t.
    pub mean_over_t: f64,
    /// The mean training loss over arc length.
    pub mean_over_length: f64,
    /// The largest training loss over the larger of the ends' two.
    pub over_ends: f64,
    /// The largest sharpness on it, where it was measured.
    pub max_sharpness: Option<f64>,
    /// The mean sharpness over arc length, where it was measured everywhere.
    pub sharpness_over_length: Option<f64>,
}

/// Those of a path that was measured at two points or more, whose ends are so far apart; `None` for fewer.
/// Means are by the trapezium rule.
pub fn measures(points: &[PathPoint], chord: f64) -> Option<CurveMeasures> {
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let loss = |p: &PathPoint| p.values.train.loss;
    let largest = |a: f64, b: f64| if b > a || b.is_nan() { b } else { a };
    let highest = points
        .iter()
        .fold(first, |best, p| if loss(p) > loss(best) || loss(p).is_nan() { p } else { best });
    let sharpness: Option<Vec<f64>> =
        points.iter().map(|p| p.sharpness.as_ref()?.lambda.first().copied()).collect();
    let losses: Vec<f64> = points.iter().map(loss).collect();
    let of = |place: fn(&PathPoint) -> f64| points.iter().map(place).collect::<Vec<f64>>();
    let (t, arc) = (of(|p| p.t), of(|p| p.arc_length));
    Some(CurveMeasures {
        length: last.arc_length,
        chord,
        max_loss: loss(highest),
        max_at: highest.t,
        min_loss: losses.iter().copied().fold(f64::INFINITY, f64::min),
        mean_over_t: mean(&t, &losses),
        mean_over_length: mean(&arc, &losses),
        over_ends: loss(highest) / loss(first).max(loss(last)),
        max_sharpness: points
            .iter()
            .filter_map(|p| p.sharpness.as_ref()?.lambda.first().copied())
            .reduce(largest),
        sharpness_over_length: sharpness.map(|values| mean(&arc, &values)),
    })
}

/// The mean of `values` over the interval of `places`, by the trapezium rule; the plain mean where that
/// has no length.
fn mean(places: &[f64], values: &[f64]) -> f64 {
    let span = places[places.len() - 1] - places[0];
    if span <= 0.0 {
        return values.iter().sum::<f64>() / values.len() as f64;
    }
    let pieces = places.windows(2).zip(values.windows(2));
    pieces.map(|(at, v)| 0.5 * (v[0] + v[1]) * (at[1] - at[0])).sum::<f64>() / span
}
