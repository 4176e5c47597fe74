//! The Lanczos recurrence with full reorthogonalisation.
//!
//! From a start vector q_1 it builds an orthonormal basis Q of the Krylov space with
//! A Q = Q T + beta_m q_{m+1} e_m', T tridiagonal (Parlett, The Symmetric Eigenvalue Problem, 1998,
//! section 13.2). Orthogonality is kept by classical Gram-Schmidt against the whole basis, twice,
//! each time as two matrix-vector products ("twice is enough": Giraud et al. 2005).

use faer::MatRef;

use crate::error::{Error, Result, check_length};
use crate::linalg::dense::{add_product, matrix_product};
use crate::linalg::norm;
use crate::linalg::operator::{check_finite, check_products};

/// A Krylov basis and the projection of the operator on it.
pub(in crate::linalg) struct Krylov {
    n: usize,
    basis: Vec<f64>,
    alphas: Vec<f64>,
    betas: Vec<f64>,
    /// What the latest product left over, not yet part of the basis, and its norm.
    rest: Vec<f64>,
    beta: f64,
}

/// beta below this multiple of the operator's scale is rounding: the basis is invariant.
pub(in crate::linalg) const BREAKDOWN: f64 = 64.0 * f64::EPSILON;

impl Krylov {
    /// The basis that holds `start` (any non-zero length) alone, for an operator of dimension `n`.
    ///
    /// # Errors
    /// [`Error::Length`] if `start` does not fit, [`Error::Numerical`] if it is zero or not finite.
    pub fn new(n: usize, start: &[f64]) -> Result<Self> {
        check_length("start vector", start.len(), n)?;
        let length = norm(start);
        if !(length.is_finite() && length > 0.0) {
            let reason = format!("the start vector has norm {length}");
            return Err(Error::Numerical { what: "an eigensolve", reason });
        }
        Ok(Self {
            n,
            basis: start.iter().map(|x| x / length).collect(),
            alphas: Vec::new(),
            betas: Vec::new(),
            rest: vec![0.0; n],
            beta: 0.0,
        })
    }

    /// Takes what the latest product left over into the basis, as its last vector.
    pub fn advance(&mut self) {
        if !self.alphas.is_empty() {
            self.betas.push(self.beta);
            self.basis.extend(self.rest.iter().map(|x| x / self.beta));
        }
    }

    /// The basis vector whose product comes next.
    pub fn last(&self) -> &[f64] {
        &self.basis[self.basis.len() - self.n..]
    }

    /// Takes the product with [`Krylov::last`]. Returns whether the basis now spans an invariant subspace, so
    /// that its Ritz pairs are exact and there is nothing to go on with.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the product has an infinite or undefined entry.
    pub fn absorb(&mut self, product: Vec<f64>) -> Result<bool> {
        self.rest = product;
        check_products(&mut self.rest)?;
        let n = self.n;
        let m = self.alphas.len() + 1;
        let (alpha, beta) = orthogonalise(&mut self.rest, &self.basis, n);
        check_finite(&[alpha, beta])?;
        self.alphas.push(alpha);
        let scale = self.alphas.iter().chain(&self.betas).fold(0.0, |s: f64, x| s.max(x.abs()));
        let exhausted = m == n || beta <= BREAKDOWN * scale;
        self.beta = if exhausted { 0.0 } else { beta };
        Ok(exhausted)
    }

    /// Products taken, which is the number of basis vectors.
    pub fn len(&self) -> usize {
        self.alphas.len()
    }

    /// The diagonal of T, of length m.
    pub fn diagonal(&self) -> &[f64] {
        &self.alphas
    }

    /// Its subdiagonal, of length m - 1.
    pub fn subdiagonal(&self) -> &[f64] {
        &self.betas
    }

    /// beta_m: how far the basis is from invariant; 0 where it is.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// beta_m q_{m+1}, of length n: what A Q leaves beyond Q T, in its last column. Without meaning
    /// where the basis is invariant.
    pub fn rest(&self) -> &[f64] {
        &self.rest
    }

    /// The basis, n x m.
    pub fn basis(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.basis, self.n, self.len())
    }
}

/// Makes `w` orthogonal to every vector of `basis` (columns of length n). Returns its coefficient along
/// the last of them and the norm of what is left.
pub(in crate::linalg) fn orthogonalise(w: &mut [f64], basis: &[f64], n: usize) -> (f64, f64) {
    let coefficients = project_out(w, basis, n);
    (coefficients.last().copied().unwrap_or(0.0), norm(w))
}

/// Makes the columns of `x` (n x k) orthogonal to every vector of `basis` (n x m, m at least 1) by
/// classical Gram-Schmidt applied twice. Returns their coefficients (m x k).
pub(in crate::linalg) fn project_out(x: &mut [f64], basis: &[f64], n: usize) -> Vec<f64> {
    let (m, k) = (basis.len() / n, x.len() / n);
    let q = MatRef::from_column_major_slice(basis, n, m);
    let mut coefficients = vec![0.0; m * k];
    for _ in 0..2 {
        let h = matrix_product(q.transpose(), MatRef::from_column_major_slice(x, n, k));
        add_product(x, q, &h, -1.0);
        coefficients.iter_mut().zip(&h).for_each(|(sum, h)| *sum += h);
    }
    coefficients
}
