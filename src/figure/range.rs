//! From which value to which an axis reaches.

use super::series::Point;

/// The lowest and highest value; infinity and its negative where there are none.
pub(super) fn ends(values: impl Iterator<Item = f64>) -> Point {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
}

/// Begins at 0 where the values come near it.
pub(super) fn from_zero(from: f64, to: f64) -> Point {
    (if from > 0.0 && from < 0.4 * to { 0.0 } else { from }, to)
}

/// With a margin at both ends.
pub(super) fn padded(from: f64, to: f64) -> Point {
    let margin = if to - from > 1e-9 * from.abs().max(to.abs()) {
        0.05 * (to - from)
    } else if from == 0.0 {
        1.0
    } else {
        0.1 * from.abs()
    };
    (from - margin, to + margin)
}

/// With a margin at both ends, but none below zero.
pub(super) fn with_zero(from: f64, to: f64) -> Point {
    let (low, high) = padded(from, to);
    (if from == 0.0 && to > 0.0 { 0.0 } else { low }, high)
}
