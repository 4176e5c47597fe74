//! Lines of equal value over a grid, by marching squares.

/// A point of the plane.
type Point = (f64, f64);

/// The value at a point, linearly between the four around it; not a number where one of these is none. The grid has,
/// for each of `ys`, the values over all of `xs`.
pub(super) fn interpolated(xs: &[f64], ys: &[f64], values: &[f64], (x, y): Point) -> f64 {
    let cell = |places: &[f64], at: f64| {
        let next = places.partition_point(|&place| place <= at).clamp(1, places.len().max(2) - 1);
        let (from, to) = (places[next - 1], places[next]);
        (next - 1, ((at - from) / (to - from)).clamp(0.0, 1.0))
    };
    if xs.len() < 2 || ys.len() < 2 {
        return f64::NAN;
    }
    let ((i, u), (j, v)) = (cell(xs, x), cell(ys, y));
    let at = |i: usize, j: usize| values[j * xs.len() + i];
    let low = (1.0 - u) * at(i, j) + u * at(i + 1, j);
    let high = (1.0 - u) * at(i, j + 1) + u * at(i + 1, j + 1);
    (1.0 - v) * low + v * high
}

/// Pieces of the line on which the values are `level`. Cells with a corner that is not finite have none; in a cell
/// whose corners alternate, the mean of the four decides what is joined.
pub(super) fn isoline(xs: &[f64], ys: &[f64], values: &[f64], level: f64) -> Vec<[Point; 2]> {
    let mut pieces = Vec::new();
    for j in 1..ys.len() {
        for i in 1..xs.len() {
            // Around the cell.
            let corners = [(i - 1, j - 1), (i, j - 1), (i, j), (i - 1, j)]
                .map(|(i, j)| ((xs[i], ys[j]), values[j * xs.len() + i]));
            cell(&corners, level, &mut pieces);
        }
    }
    pieces
}

fn cell(corners: &[(Point, f64); 4], level: f64, pieces: &mut Vec<[Point; 2]>) {
    if corners.iter().any(|(_, value)| !value.is_finite()) {
        return;
    }
    let above = corners.map(|(_, value)| value >= level);
    // Where the line crosses the side from this corner to the next, if it does.
    let crossing = |side: usize| {
        let (from, to) = (corners[side], corners[(side + 1) % 4]);
        let share = (level - from.1) / (to.1 - from.1);
        let between = |a: f64, b: f64| a + share * (b - a);
        (above[side] != above[(side + 1) % 4])
            .then(|| (between(from.0.0, to.0.0), between(from.0.1, to.0.1)))
    };
    let crossings: Vec<Point> = (0..4).filter_map(crossing).collect();
    match crossings[..] {
        [a, b] => pieces.push([a, b]),
        [a, b, c, d] => {
            let middle = corners.iter().map(|(_, value)| value).sum::<f64>() / 4.0;
            // The sides are in order around the cell, the first leaving the first corner.
            let cut_off_first = (middle >= level) != above[0];
            let pairs = if cut_off_first { [[d, a], [b, c]] } else { [[a, b], [c, d]] };
            pieces.extend(pairs);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(f: impl Fn(f64, f64) -> f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let xs: Vec<f64> = (0..41).map(|i| f64::from(i) / 20.0 - 1.0).collect();
        let values = xs.iter().flat_map(|&y| xs.iter().map(move |&x| (x, y))).map(|(x, y)| f(x, y));
        (xs.clone(), xs.clone(), values.collect())
    }

    /// Of x^2 + y^2 at 1/4: a circle of radius 1/2, whose length is pi.
    #[test]
    fn the_line_of_a_bowl_is_a_circle() {
        let (xs, ys, values) = grid(|x, y| x * x + y * y);
        let pieces = isoline(&xs, &ys, &values, 0.25);
        let length: f64 = pieces.iter().map(|[a, b]| (a.0 - b.0).hypot(a.1 - b.1)).sum();
        assert!((length - std::f64::consts::PI).abs() < 0.01, "{length}");
        assert!(pieces.iter().flatten().all(|p| (p.0.hypot(p.1) - 0.5).abs() < 2e-3));
    }

    /// Pieces join: each end is the end of one other, also at a saddle, whose line is two hyperbolas.
    #[test]
    fn the_lines_of_a_saddle_do_not_cross() {
        let (xs, ys, values) = grid(|x, y| x * y);
        for level in [0.011, -0.011] {
            let pieces = isoline(&xs, &ys, &values, level);
            assert!(!pieces.is_empty());
            for [a, b] in &pieces {
                // Both ends are on the same branch.
                assert!(a.0 * b.0 > 0.0 && a.1 * b.1 > 0.0, "{a:?} {b:?}");
                for end in [a, b] {
                    let alike = |p: &Point| (p.0 - end.0).hypot(p.1 - end.1) < 1e-12;
                    let there = pieces.iter().flatten().filter(|p| alike(p)).count();
                    let border = end.0.abs() == 1.0 || end.1.abs() == 1.0;
                    assert_eq!(there, if border { 1 } else { 2 }, "{end:?}");
                }
            }
        }
    }

    #[test]
    fn values_between_the_grid_are_linear() {
        let (xs, ys, values) = grid(|x, y| 3.0 * x - 2.0 * y + 1.0);
        for (x, y) in [(0.01, 0.77), (-1.0, 1.0), (0.999, -0.3)] {
            let found = interpolated(&xs, &ys, &values, (x, y));
            assert!((found - (3.0 * x - 2.0 * y + 1.0)).abs() < 1e-12);
        }
    }
}
