//! An orthonormal frame with the products of its vectors, and Rayleigh-Ritz on it.
//!
//! As in the model, vectors are coordinates.

use faer::MatRef;

use super::space::widened;
use crate::error::Result;
use crate::linalg::dense::{matrix_vector, symmetric_eigen};
use crate::linalg::{dot, norm};

/// Orthonormal vectors V (n x m) with Y = A V.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    n: usize,
    vectors: Vec<f64>,
    products: Vec<f64>,
    /// V'Y, by columns of its upper triangle: entry (i, j), i <= j, at j (j + 1) / 2 + i.
    projected: Vec<f64>,
}

/// A Ritz pair of a frame.
#[derive(Debug, Clone)]
pub(super) struct Ritz {
    pub value: f64,
    pub vector: Vec<f64>,
    /// A u - value u.
    pub residual: Vec<f64>,
}

impl Ritz {
    /// The residual's norm over the value's magnitude; an exact pair has 0 whatever its value.
    pub fn relative_residual(&self) -> f64 {
        let absolute = norm(&self.residual);
        if absolute == 0.0 { 0.0 } else { absolute / self.value.abs() }
    }
}

/// A vector of which less than this is left outside the frame is left out: dividing by so little
/// would magnify the rounding of single-precision products.
const DEPENDENT: f64 = 1e-4;

impl Frame {
    /// Without vectors.
    pub fn new(n: usize) -> Self {
        Self { n, vectors: Vec::new(), products: Vec::new(), projected: Vec::new() }
    }

    /// The same for vectors of length `n`, as long as before or longer: those held end in zeros.
    pub fn widen(&mut self, n: usize) {
        self.vectors = widened(&self.vectors, self.n, n);
        self.products = widened(&self.products, self.n, n);
        self.n = n;
    }

    /// The number of vectors m.
    pub fn len(&self) -> usize {
        self.vectors.len() / self.n
    }

    /// Vector `i` and its product.
    pub fn pair(&self, i: usize) -> (&[f64], &[f64]) {
        let range = i * self.n..(i + 1) * self.n;
        (&self.vectors[range.clone()], &self.products[range])
    }

    /// The columns of V.
    pub fn vectors(&self) -> &[f64] {
        &self.vectors
    }

    /// Takes in `x`, any vector, with `ax` = A x. Returns whether there was anything new in it.
    pub fn push(&mut self, x: &[f64], ax: &[f64]) -> bool {
        let (n, m) = (self.n, self.len());
        let length = norm(x);
        if m == n || length == 0.0 {
            return false;
        }
        let mut v: Vec<f64> = x.iter().map(|x| x / length).collect();
        let mut y: Vec<f64> = ax.iter().map(|y| y / length).collect();
        if m > 0 {
            let basis = MatRef::from_column_major_slice(&self.vectors, n, m);
            let images = MatRef::from_column_major_slice(&self.products, n, m);
            let mut h = vec![0.0; m];
            for _ in 0..2 {
                matrix_vector(&mut h, basis.transpose(), &v, 1.0, false);
                matrix_vector(&mut v, basis, &h, -1.0, true);
                matrix_vector(&mut y, images, &h, -1.0, true);
            }
            let rest = norm(&v);
            if rest < DEPENDENT {
                return false;
            }
            v.iter_mut().for_each(|v| *v /= rest);
            y.iter_mut().for_each(|y| *y /= rest);
        }
        for old in self.vectors.chunks_exact(n) {
            self.projected.push(dot(old, &y));
        }
        self.projected.push(dot(&v, &y));
        self.vectors.extend(v);
        self.products.extend(y);
        true
    }

    /// The `k` largest Ritz pairs (fewer if the frame is smaller), largest first.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn largest(&self, k: usize) -> Result<Vec<Ritz>> {
        let (n, m) = (self.n, self.len());
        let mut entries = vec![0.0; m * m];
        for j in 0..m {
            for i in 0..=j {
                let entry = self.projected[j * (j + 1) / 2 + i];
                entries[j * m + i] = entry;
                entries[i * m + j] = entry;
            }
        }
        let eigen = symmetric_eigen(m, &entries)?;
        let basis = MatRef::from_column_major_slice(&self.vectors, n, m);
        let images = MatRef::from_column_major_slice(&self.products, n, m);
        let pair = |i: usize| {
            let (value, c) = (eigen.values[i], eigen.vector(i));
            let (mut vector, mut residual) = (vec![0.0; n], vec![0.0; n]);
            matrix_vector(&mut vector, basis, c, 1.0, false);
            matrix_vector(&mut residual, images, c, 1.0, false);
            residual.iter_mut().zip(&vector).for_each(|(r, u)| *r -= value * u);
            Ritz { value, vector, residual }
        };
        Ok((m.saturating_sub(k)..m).rev().map(pair).collect())
    }
}
