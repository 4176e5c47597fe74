//! Generalized sharpness: the largest curvature within the unit ball of a norm, which is to steepest descent
//! under that norm what the largest eigenvalue is to gradient descent (Islamov et al. 2026).

use super::Group;
use crate::autodiff::ParameterLayout;
use crate::error::{Error, Result};
use crate::linalg::{SymmetricOperator, dot, symmetric_eigen};

/// The unit ball of the norm of an update.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitBall {
    /// |d_i| at most 1 for each parameter: sign descent.
    Signs,
    /// Each matrix with singular values of at most 1: spectral descent. Parameters are in one of them each.
    Spectral(Vec<MatrixOfParameters>),
}

/// Parameters that make a matrix, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixOfParameters {
    /// Place of the first.
    pub offset: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// The largest curvature that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Generalized {
    /// d'Hd, a lower bound of the largest.
    pub sharpness: f64,
    /// Products that it took.
    pub products: usize,
}

impl UnitBall {
    /// That of spectral descent on these parameters: a tensor is a matrix of its first size by the rest, one
    /// of a single size a column.
    pub fn spectral(layout: &ParameterLayout) -> Self {
        let matrix = |entry: &crate::autodiff::ParameterEntry| {
            let rows = entry.shape.first().copied().unwrap_or(1).max(1);
            MatrixOfParameters { offset: entry.offset, rows, columns: entry.len / rows }
        };
        Self::Spectral(layout.entries().iter().map(matrix).collect())
    }

    /// The point of the ball farthest along `direction` (length P): its signs, or the polar factor of
    /// each of its matrices. Where the direction is zero so is the point.
    ///
    /// # Errors
    /// [`Error::Numerical`] if a number is not finite.
    pub fn farthest(&self, direction: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Signs => {
                Ok(direction.iter().map(|&x| if x == 0.0 { 0.0 } else { x.signum() }).collect())
            }
            Self::Spectral(matrices) => {
                let mut point = vec![0.0; direction.len()];
                for matrix in matrices {
                    let range = matrix.offset..matrix.offset + matrix.rows * matrix.columns;
                    matrix.polar(&direction[range.clone()], &mut point[range])?;
                }
                Ok(point)
            }
        }
    }

    /// The dual norm of `direction`: how far it reaches within the ball.
    ///
    /// # Errors
    /// As [`UnitBall::farthest`].
    pub fn dual_norm(&self, direction: &[f64]) -> Result<f64> {
        Ok(dot(direction, &self.farthest(direction)?))
    }

    /// max d'Hd over the ball, from each of `starts` (length P each, one after the other): the
    /// conditional-gradient iteration with full steps, d = argmax <Hd, .> over the ball, which does not
    /// descend where H is positive semidefinite, up to `most` times or until none of them rises any more.
    /// The largest value met is a lower bound of the maximum, which is hard to find exactly.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a product is not finite; those of `hessian`.
    pub fn sharpness(
        &self,
        hessian: &mut dyn SymmetricOperator,
        starts: &[f64],
        most: usize,
    ) -> Result<Generalized> {
        let dim = hessian.dim().max(1);
        let (mut best, mut products) = (f64::NEG_INFINITY, 0);
        let mut climbers: Vec<(Vec<f64>, f64)> = Vec::new();
        for start in starts.chunks(dim) {
            climbers.push((self.farthest(start)?, f64::NEG_INFINITY));
        }
        climbers.retain(|(point, _)| point.iter().any(|d| *d != 0.0));
        for _ in 0..most.max(1) {
            if climbers.is_empty() {
                break;
            }
            let block: Vec<f64> = climbers.iter().flat_map(|(d, _)| d.iter().copied()).collect();
            let mut multiplied = vec![0.0; block.len()];
            hessian.apply_block(&block, &mut multiplied)?;
            products += climbers.len();
            let mut risen = Vec::new();
            for ((point, before), product) in climbers.into_iter().zip(multiplied.chunks(dim)) {
                let value = dot(&point, product);
                if !value.is_finite() {
                    return Err(Error::NonFinite { what: "generalized sharpness" });
                }
                best = best.max(value);
                if value > before + 1e-9 * before.abs() || before == f64::NEG_INFINITY {
                    risen.push((self.farthest(product)?, value));
                }
            }
            climbers = risen;
        }
        // The ball holds the origin.
        Ok(Generalized { sharpness: best.max(0.0), products })
    }
}

impl MatrixOfParameters {
    /// Writes U V' of the singular value decomposition U S V' of `entries`, over the singular values above
    /// rounding, into `into`: G (G'G)^-1/2, by the smaller of G'G and G G'.
    fn polar(&self, entries: &[f64], into: &mut [f64]) -> Result<()> {
        let Self { rows, columns, .. } = *self;
        let wide = columns > rows;
        let (long, short) = if wide { (columns, rows) } else { (rows, columns) };
        // G as long rows of the short size.
        let at = |i: usize, j: usize| {
            if wide { entries[j * columns + i] } else { entries[i * columns + j] }
        };
        let mut gram = vec![0.0; short * short];
        for i in 0..long {
            for j in 0..short {
                for k in 0..short {
                    gram[j * short + k] += at(i, j) * at(i, k);
                }
            }
        }
        let eigen = symmetric_eigen(short, &gram)?;
        let least = 1e-14 * eigen.values.last().copied().unwrap_or(0.0).max(0.0);
        let mut root = vec![0.0; short * short];
        for (n, &value) in eigen.values.iter().enumerate().filter(|(_, value)| **value > least) {
            let vector = eigen.vector(n);
            for j in 0..short {
                for k in 0..short {
                    root[j * short + k] += vector[j] * vector[k] / value.sqrt();
                }
            }
        }
        for i in 0..long {
            for j in 0..short {
                let entry = (0..short).map(|k| at(i, k) * root[k * short + j]).sum();
                let place = if wide { j * columns + i } else { i * columns + j };
                into[place] = entry;
            }
        }
        Ok(())
    }
}

/// ||u_l||^2 of each of these groups of parameters, for a unit vector u (length P).
pub fn shares(vector: &[f64], groups: &[Group]) -> Vec<f64> {
    let square = |group: &Group| {
        group
            .coordinates
            .iter()
            .map(|range| dot(&vector[range.clone()], &vector[range.clone()]))
            .sum()
    };
    groups.iter().map(square).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::linalg::DenseOperator;

    /// A A'/n of random entries.
    fn psd(n: usize, seed: u64) -> (DenseOperator, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let a: Vec<f64> = (0..n * n).map(|_| rng.random::<f64>() - 0.5).collect();
        let entry = |i: usize, j: usize| dot(&a[i * n..][..n], &a[j * n..][..n]);
        let entries: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
        (DenseOperator::new(n, entries.clone()).unwrap(), entries)
    }

    fn form(entries: &[f64], d: &[f64]) -> f64 {
        let n = d.len();
        (0..n).map(|i| d[i] * dot(&entries[i * n..][..n], d)).sum()
    }

    fn starts(n: usize, count: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n * count).map(|_| rng.random::<f64>() - 0.5).collect()
    }

    /// From every corner it is the maximum; from a few points it is one of the rises that end below or there.
    #[test]
    fn over_signs_it_is_what_enumeration_finds() {
        let mut met = 0;
        for seed in 0..20 {
            let (mut operator, entries) = psd(10, seed);
            let corner = |bits: u32| -> Vec<f64> {
                (0..10).map(|i| if bits >> i & 1 == 1 { 1.0 } else { -1.0 }).collect()
            };
            let exact = (0..1_u32 << 10).map(|bits| form(&entries, &corner(bits)));
            let exact = exact.fold(0.0, f64::max);
            let all: Vec<f64> = (0..1_u32 << 10).flat_map(corner).collect();
            let found = UnitBall::Signs.sharpness(&mut operator, &all, 50).unwrap();
            assert!((found.sharpness / exact - 1.0).abs() < 1e-12, "{seed}: {found:?} of {exact}");
            let few = UnitBall::Signs.sharpness(&mut operator, &starts(10, 12, seed), 50).unwrap();
            let share = few.sharpness / exact;
            assert!(share > 0.9 && share < 1.0 + 1e-12, "{seed}: {few:?} of {exact}");
            met += usize::from(share > 1.0 - 1e-12);
            // A single start is a lower bound, and may stop below.
            let one = UnitBall::Signs.sharpness(&mut operator, &starts(10, 1, seed), 50).unwrap();
            assert!(one.sharpness <= exact * (1.0 + 1e-12) && one.products <= 50);
        }
        assert!(met >= 10, "{met} of 20");
    }

    /// The corners of the spectral ball are the orthogonal matrices: rotations and reflections of the plane,
    /// beside them the two signs of a single number.
    #[test]
    fn over_two_by_two_matrices_it_is_what_a_fine_grid_finds() {
        let matrix = |offset, rows, columns| MatrixOfParameters { offset, rows, columns };
        let ball = UnitBall::Spectral(vec![matrix(0, 2, 2), matrix(4, 1, 1)]);
        for seed in 0..10 {
            let (mut operator, entries) = psd(5, seed);
            let mut exact = 0.0_f64;
            for step in 0..20_000 {
                let angle = std::f64::consts::TAU * f64::from(step) / 20_000.0;
                let (s, c) = angle.sin_cos();
                for last in [1.0, -1.0] {
                    exact = exact.max(form(&entries, &[c, -s, s, c, last]));
                    exact = exact.max(form(&entries, &[c, s, s, -c, last]));
                }
            }
            let found = ball.sharpness(&mut operator, &starts(5, 12, seed), 400).unwrap();
            assert!((found.sharpness / exact - 1.0).abs() < 1e-5, "{seed}: {found:?} of {exact}");
        }
    }

    #[test]
    fn the_farthest_point_of_a_spectral_ball_is_the_polar_factor() {
        for (rows, columns) in [(3, 2), (2, 3), (3, 3), (4, 1)] {
            let ball = UnitBall::Spectral(vec![MatrixOfParameters { offset: 0, rows, columns }]);
            let g = starts(rows * columns, 1, 7);
            let point = ball.farthest(&g).unwrap();
            // Orthonormal along the shorter side.
            let short = rows.min(columns);
            let side = |i: usize, j: usize| match rows >= columns {
                true => {
                    (0..rows).map(|k| point[k * columns + i] * point[k * columns + j]).sum::<f64>()
                }
                false => dot(&point[i * columns..][..columns], &point[j * columns..][..columns]),
            };
            for i in 0..short {
                for j in 0..short {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((side(i, j) - expected).abs() < 1e-10, "{rows} x {columns}");
                }
            }
            // No other point of the ball is farther: of rotations of it, none.
            assert!(ball.dual_norm(&g).unwrap() >= dot(&g, &g).sqrt() * (1.0 - 1e-12));
        }
        let ones = UnitBall::Signs.dual_norm(&[1.0, -2.0, 0.0]).unwrap();
        assert!((ones - 3.0).abs() < 1e-15);
    }
}
