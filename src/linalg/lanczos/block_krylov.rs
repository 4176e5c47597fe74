//! The Lanczos recurrence from several start vectors at once, with full reorthogonalisation.
//!
//! From orthonormal start vectors Q_1 (n x b) it builds an orthonormal basis Q = [Q_1 … Q_j] of the
//! block Krylov space with A Q = Q T + Q_{j+1} R E', T block tridiagonal and E the last block of unit
//! vectors (Golub and Underwood 1977; Saad, Numerical Methods for Large Eigenvalue Problems, 2011,
//! section 6.6). A direction that the products no longer leave is given up, and the block is the
//! narrower for it. Orthogonality is kept as in [`super::krylov`].
//!
//! One start vector sees of each eigenspace a single direction, and little of that if it happens to be
//! nearly orthogonal to it. Of b random ones each eigenspace is seen in as many directions as it has, up
//! to b, and all of them together are nearly orthogonal to a direction far more rarely.

use faer::MatRef;

use super::krylov::{BREAKDOWN, project_out};
use crate::error::{Error, Result};
use crate::linalg::dense::{EigenDecomposition, symmetric_eigen};
use crate::linalg::operator::check_products;
use crate::linalg::{SymmetricOperator, norm};

/// A block Krylov basis and the projection of the operator on it.
pub(super) struct BlockKrylov {
    n: usize,
    /// Q, column after column; the last [`BlockKrylov::width`] columns are Q_j.
    basis: Vec<f64>,
    /// Q_{j+1}, not yet part of the basis.
    next: Vec<f64>,
    /// The blocks of T on its diagonal, and below them, with the columns that each has.
    steps: Vec<Step>,
    /// The largest entry of T.
    scale: f64,
}

struct Step {
    width: usize,
    /// Q_i'A Q_i, width x width.
    diagonal: Vec<f64>,
    /// R, with what is left of A Q_i outside the basis: as many rows as the next block has columns.
    below: Vec<f64>,
}

/// Where less than this share of a vector lies outside of others, two passes do not leave it orthogonal to
/// them.
const SPOILT: f64 = 1e-8;

impl BlockKrylov {
    /// The basis that starts from the columns of `start` (n x b, b at least 1, of any length above zero), of which those that depend on
    /// others are left out.
    ///
    /// # Errors
    /// [`Error::Numerical`] if a column is zero or not finite.
    pub fn new(n: usize, start: &[f64]) -> Result<Self> {
        let mut next = Vec::new();
        for column in start.chunks_exact(n) {
            let length = norm(column);
            if !(length.is_finite() && length > 0.0) {
                let reason = format!("a start vector has norm {length}");
                return Err(Error::Numerical { what: "an eigensolve", reason });
            }
            let unit: Vec<f64> = column.iter().map(|x| x / length).collect();
            settle(unit, &[], &mut next, n, 1.0);
        }
        Ok(Self { n, basis: Vec::new(), next, steps: Vec::new(), scale: 0.0 })
    }

    /// Multiplies the block that comes next. Returns whether the basis now spans an invariant subspace, so
    /// that its Ritz pairs are exact and there is nothing to go on with.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a product has an infinite or undefined entry, and whatever the
    /// operator reports.
    pub fn extend(&mut self, operator: &mut dyn SymmetricOperator) -> Result<bool> {
        let n = self.n;
        let block = std::mem::take(&mut self.next);
        let width = block.len() / n;
        let mut rest = vec![0.0; block.len()];
        operator.apply_block(&block, &mut rest)?;
        check_products(&mut rest)?;
        self.basis.extend(block);
        let m = self.len();
        let inside = project_out(&mut rest, &self.basis, n);
        let diagonal: Vec<f64> = (0..width * width)
            .map(|at| (at % width, at / width))
            .map(|(i, j)| {
                let entry = |i: usize, j: usize| inside[j * m + m - width + i];
                0.5 * (entry(i, j) + entry(j, i))
            })
            .collect();
        self.scale = diagonal.iter().fold(self.scale, |scale, t| scale.max(t.abs()));
        let longest = rest.chunks_exact(n).map(norm).fold(0.0, f64::max);
        let scale = self.scale.max(longest);
        let mut coupling = Vec::new();
        for column in rest.chunks_exact(n) {
            coupling.push(settle(column.to_vec(), &self.basis, &mut self.next, n, scale));
        }
        // No more directions than the space has left.
        self.next.truncate((n - m) * n);
        let rows = self.next.len() / n;
        coupling.iter_mut().for_each(|column| column.resize(rows, 0.0));
        let below = coupling.concat();
        self.scale = below.iter().fold(self.scale, |scale, t| scale.max(t.abs()));
        self.steps.push(Step { width, diagonal, below });
        Ok(rows == 0)
    }

    /// Products taken, which is the number m of basis vectors.
    pub fn len(&self) -> usize {
        self.basis.len() / self.n
    }

    /// In how many blocks they were taken.
    pub fn passes(&self) -> usize {
        self.steps.len()
    }

    /// How many products the next step takes.
    pub fn width(&self) -> usize {
        self.next.len() / self.n
    }

    /// The eigenpairs of T (m x m), ascending: Ritz values and the Ritz vectors' coordinates.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn ritz(&self) -> Result<EigenDecomposition> {
        let m = self.len();
        let mut t = vec![0.0; m * m];
        let mut from = 0;
        for Step { width, diagonal, below } in &self.steps {
            let (width, rows) = (*width, below.len() / width);
            // What is below the last block belongs to no column yet.
            let rows = rows.min(m - from - width);
            for j in 0..width {
                for i in 0..width {
                    t[(from + j) * m + from + i] = diagonal[j * width + i];
                }
                for i in 0..rows {
                    let entry = below[j * rows + i];
                    t[(from + j) * m + from + width + i] = entry;
                    t[(from + width + i) * m + from + j] = entry;
                }
            }
            from += width;
        }
        symmetric_eigen(m, &t)
    }

    /// R E's for the coordinates `s` (length m) of a unit vector: what A Q s - Q T s is in the columns of
    /// the next block. Its norm is the residual of the Ritz pair.
    pub fn left_over(&self, s: &[f64]) -> Vec<f64> {
        let Some(Step { width, below, .. }) = self.steps.last() else { return Vec::new() };
        let rows = below.len() / width;
        let last = &s[s.len() - width..];
        let entry = |i: usize| (0..*width).map(|j| below[j * rows + i] * last[j]).sum();
        (0..rows).map(entry).collect()
    }

    /// The basis, n x m.
    pub fn basis(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.basis, self.n, self.len())
    }

    /// The block that comes next, n x [`BlockKrylov::width`].
    pub fn next(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.next, self.n, self.width())
    }
}

/// Takes `x`, what `basis` left of a vector of length `scale`, into the orthonormal `block`, unless it is
/// rounding there. Returns its coordinates in the block.
fn settle(mut x: Vec<f64>, basis: &[f64], block: &mut Vec<f64>, n: usize, scale: f64) -> Vec<f64> {
    let mut coordinates = match block.is_empty() {
        true => Vec::new(),
        false => project_out(&mut x, block, n),
    };
    let left = norm(&x);
    if left <= BREAKDOWN * scale {
        return coordinates;
    }
    coordinates.push(left);
    x.iter_mut().for_each(|x| *x /= left);
    if left < SPOILT * scale {
        // Of a short vector rounding has left something of the others.
        for others in [basis, &block[..]] {
            if !others.is_empty() {
                project_out(&mut x, others, n);
            }
        }
        let again = norm(&x);
        x.iter_mut().for_each(|x| *x /= again);
    }
    block.extend(x);
    coordinates
}
