//! Curves of low loss between two points of parameter space, given by control points of which the ends
//! stay (Garipov et al. 2018, arXiv:1802.10026).

mod band;
mod measures;
mod train;

pub use band::{Band, BandSettings, BandStep, insert_pivots, relax};
pub use measures::{CurveMeasures, measures};
pub use train::{CurveStep, CurveTraining, Descent, train_curve};

use crate::error::{Result, check_length};
use crate::names::choices;

use super::combined;

choices! {
    /// How control points make a curve.
    pub enum CurveKind ("curve") {
        /// A Bezier curve: sum_j C(n-1, j) t^j (1-t)^(n-1-j) theta_j.
        Bezier = "bezier",
        /// Straight pieces from one to the next.
        Polychain = "polychain",
    }
}

/// A curve theta(t), t from 0 to 1, through its first and last control point.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    kind: CurveKind,
    /// At least two, of length P each.
    points: Vec<Vec<f64>>,
}

impl Curve {
    /// The curve of these control points (at least two, of length P each).
    ///
    /// # Errors
    /// [`crate::Error::Length`] where there are fewer, or lengths differ.
    pub fn new(kind: CurveKind, points: Vec<Vec<f64>>) -> Result<Self> {
        let dim = points.first().map_or(0, Vec::len);
        check_length("control points of a curve", points.len(), points.len().max(2))?;
        points.iter().try_for_each(|p| check_length("control point", p.len(), dim))?;
        Ok(Self { kind, points })
    }

    /// The straight line from `a` to `b` (length P each), with `free` control points evenly on it.
    ///
    /// # Errors
    /// [`crate::Error::Length`] where the lengths differ.
    pub fn straight(kind: CurveKind, a: &[f64], b: &[f64], free: usize) -> Result<Self> {
        let point = |j: usize| {
            let t = j as f64 / (free + 1) as f64;
            combined(&[1.0 - t, t], &[a, b])
        };
        let mut points = vec![a.to_vec()];
        for j in 1..=free {
            points.push(point(j)?);
        }
        points.push(b.to_vec());
        Self::new(kind, points)
    }

    /// How its control points make it.
    pub fn kind(&self) -> CurveKind {
        self.kind
    }

    /// Its control points, the ends included.
    pub fn points(&self) -> &[Vec<f64>] {
        &self.points
    }

    /// Length P of its points.
    pub fn dim(&self) -> usize {
        self.points[0].len()
    }

    /// What each control point is weighted with at `t`; they sum to 1.
    pub fn coefficients(&self, t: f64) -> Vec<f64> {
        let last = self.points.len() - 1;
        match self.kind {
            CurveKind::Polychain => {
                let at = t * last as f64;
                (0..=last).map(|j| (1.0 - (at - j as f64).abs()).max(0.0)).collect()
            }
            CurveKind::Bezier => {
                let mut binomial = 1.0;
                let mut coefficients = Vec::with_capacity(last + 1);
                for j in 0..=last {
                    let powers = t.powi(j as i32) * (1.0 - t).powi((last - j) as i32);
                    coefficients.push(binomial * powers);
                    binomial *= (last - j) as f64 / (j + 1) as f64;
                }
                coefficients
            }
        }
    }

    /// theta(t) (length P); at 0 and 1 the ends exactly.
    pub fn at(&self, t: f64) -> Vec<f64> {
        let mut theta = vec![0.0; self.dim()];
        for (coefficient, point) in self.coefficients(t).into_iter().zip(&self.points) {
            if coefficient != 0.0 {
                theta.iter_mut().zip(point).for_each(|(sum, x)| *sum += coefficient * x);
            }
        }
        theta
    }

    /// How many control points are free.
    pub fn free_points(&self) -> usize {
        self.points.len() - 2
    }

    /// The free control points one after the other.
    pub fn free(&self) -> Vec<f64> {
        self.points[1..self.points.len() - 1].concat()
    }

    /// Moves the free control points to `free`, one after the other.
    ///
    /// # Errors
    /// [`crate::Error::Length`] for another length than theirs together.
    pub fn set_free(&mut self, free: &[f64]) -> Result<()> {
        let dim = self.dim();
        check_length("free control points", free.len(), dim * self.free_points())?;
        for (point, new) in self.points[1..].iter_mut().zip(free.chunks_exact(dim.max(1))) {
            point.copy_from_slice(new);
        }
        Ok(())
    }

    /// The derivative of a loss by the free control points, one after the other, where `gradient` (length P)
    /// is its gradient at theta(t): c_j(t) times the gradient for point j.
    pub fn free_gradient(&self, t: f64, gradient: &[f64]) -> Vec<f64> {
        let coefficients = self.coefficients(t);
        let free = &coefficients[1..coefficients.len() - 1];
        free.iter().flat_map(|c| gradient.iter().map(move |g| c * g)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(kind: CurveKind) -> Curve {
        let points = vec![vec![0.0, 0.0], vec![1.0, 3.0], vec![2.0, -1.0], vec![4.0, 1.0]];
        Curve::new(kind, points).unwrap()
    }

    /// de Casteljau's construction.
    fn casteljau(points: &[Vec<f64>], t: f64) -> Vec<f64> {
        if points.len() == 1 {
            return points[0].clone();
        }
        let between = |pair: &[Vec<f64>]| {
            pair[0].iter().zip(&pair[1]).map(|(a, b)| (1.0 - t) * a + t * b).collect()
        };
        casteljau(&points.windows(2).map(between).collect::<Vec<_>>(), t)
    }

    #[test]
    fn a_bezier_curve_is_that_of_repeated_interpolation() {
        let curve = curve(CurveKind::Bezier);
        for t in [0.0, 0.1, 0.37, 0.5, 0.99, 1.0] {
            let expected = casteljau(curve.points(), t);
            let found = curve.at(t);
            let off = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-14;
            assert!(found.iter().zip(&expected).all(off), "{t}: {found:?} and {expected:?}");
        }
        assert_eq!(curve.at(0.0), curve.points()[0]);
        assert_eq!(curve.at(1.0), curve.points()[3]);
    }

    #[test]
    fn a_polychain_goes_through_its_points() {
        let curve = curve(CurveKind::Polychain);
        for (j, point) in curve.points().iter().enumerate() {
            let found = curve.at(j as f64 / 3.0);
            assert!(found.iter().zip(point).all(|(a, b)| (a - b).abs() < 1e-14));
        }
        assert_eq!(curve.at(0.5), [1.5, 1.0]);
    }

    #[test]
    fn free_points_begin_on_the_line_and_the_ends_stay() {
        let mut curve = Curve::straight(CurveKind::Bezier, &[0.0, 2.0], &[3.0, -1.0], 2).unwrap();
        for t in [0.0, 0.2, 0.8, 1.0] {
            let expected = [3.0 * t, 2.0 - 3.0 * t];
            assert!(curve.at(t).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14));
        }
        let ends = [curve.points()[0].clone(), curve.points()[3].clone()];
        curve.set_free(&[5.0, 6.0, 7.0, 8.0]).unwrap();
        assert_eq!(curve.free(), [5.0, 6.0, 7.0, 8.0]);
        assert_eq!([&curve.points()[0], &curve.points()[3]], [&ends[0], &ends[1]]);
        assert!(curve.set_free(&[1.0]).is_err());
        assert!(Curve::new(CurveKind::Bezier, vec![vec![1.0]]).is_err());
        assert!(Curve::straight(CurveKind::Bezier, &[0.0], &[1.0, 2.0], 1).is_err());
    }
}
