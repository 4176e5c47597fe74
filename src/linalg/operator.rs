//! What an eigensolver needs to know of a matrix.

use faer::MatRef;

use super::dense::matrix_vector;
use crate::error::{Error, Result, check_length};

/// A real symmetric operator on R^n, given by its product with a vector.
pub trait SymmetricOperator {
    /// The dimension n.
    fn dim(&self) -> usize;

    /// Writes `A x` into `y`; both have length n.
    ///
    /// # Errors
    /// Whatever keeps the product from being computed; `y` is then unspecified.
    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()>;

    /// Writes `A x` into `y` for each column of `x`; both are n x k, column after column. An operator
    /// whose products share work does it here.
    ///
    /// # Errors
    /// As [`SymmetricOperator::apply`].
    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        each_column(self, x, y)
    }
}

/// [`SymmetricOperator::apply_block`] by one product for each column.
///
/// # Errors
/// As [`SymmetricOperator::apply`].
pub fn each_column<A: SymmetricOperator + ?Sized>(
    operator: &mut A,
    x: &[f64],
    y: &mut [f64],
) -> Result<()> {
    let n = operator.dim();
    if n == 0 {
        return Ok(());
    }
    x.chunks_exact(n).zip(y.chunks_exact_mut(n)).try_for_each(|(x, y)| operator.apply(x, y))
}

/// Far below all that a single precision holds, and so far above the least normal number that what rounding
/// leaves of such an entry still is one.
pub(super) const NOTHING: f64 = 1e-280;

/// Refuses products with an infinite or undefined entry.
pub(super) fn check_finite(products: &[f64]) -> Result<()> {
    match products.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(Error::NonFinite { what: "a product with the operator" }),
    }
}

/// As [`check_finite`]; and what is next to nothing is made nothing. Of denormal numbers too few digits are left
/// for vectors to be made orthogonal.
pub(super) fn check_products(products: &mut [f64]) -> Result<()> {
    check_finite(products)?;
    products.iter_mut().filter(|x| x.abs() < NOTHING).for_each(|x| *x = 0.0);
    Ok(())
}

/// A symmetric matrix held as its n * n entries.
#[derive(Debug, Clone)]
pub struct DenseOperator {
    n: usize,
    entries: Vec<f64>,
}

impl DenseOperator {
    /// Wraps the `n * n` entries of a symmetric matrix (row and column order are the same thing).
    ///
    /// # Errors
    /// [`crate::Error::Length`] if there are not `n * n` entries.
    pub fn new(n: usize, entries: Vec<f64>) -> Result<Self> {
        check_length("matrix", entries.len(), n * n)?;
        Ok(Self { n, entries })
    }

    /// The entries, `n * n` of them.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }
}

impl SymmetricOperator for DenseOperator {
    fn dim(&self) -> usize {
        self.n
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let matrix = MatRef::from_column_major_slice(&self.entries, self.n, self.n);
        matrix_vector(y, matrix, x, 1.0, false);
        Ok(())
    }
}
