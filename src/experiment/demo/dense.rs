//! Whole spectra of tiny networks: a matrix of curvature written out and decomposed.

use crate::autodiff::Objective;
use crate::curvature::{CurvatureOperator, Matrix};
use crate::error::Result;
use crate::linalg::{EigenDecomposition, SymmetricOperator, symmetric_eigen};

/// Columns that are multiplied at a time.
const AT_ONCE: usize = 64;

/// All eigenpairs of a matrix of the objective at its point, by a product with each unit vector.
pub(super) fn decomposed(objective: &dyn Objective, matrix: Matrix) -> Result<EigenDecomposition> {
    decomposed_operator(&mut CurvatureOperator::new(objective, matrix, 0))
}

/// All eigenpairs of an operator, of which the symmetric part is taken.
pub(super) fn decomposed_operator(
    operator: &mut dyn SymmetricOperator,
) -> Result<EigenDecomposition> {
    let n = operator.dim();
    let columns: Vec<usize> = (0..n).collect();
    let mut entries = Vec::with_capacity(n * n);
    for columns in columns.chunks(AT_ONCE) {
        let mut block = vec![0.0; columns.len() * n];
        columns.iter().enumerate().for_each(|(row, &column)| block[row * n + column] = 1.0);
        let mut products = vec![0.0; block.len()];
        operator.apply_block(&block, &mut products)?;
        entries.extend(products);
    }
    let mean = |at: usize| 0.5 * (entries[at] + entries[at % n * n + at / n]);
    symmetric_eigen(n, &(0..n * n).map(mean).collect::<Vec<f64>>())
}

/// Eigenvalues, ascending, that are zero but for rounding: at most 1e-11 of the largest magnitude.
pub(super) fn zeros(values: &[f64]) -> f64 {
    let most = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    values.iter().filter(|value| value.abs() <= 1e-11 * most).count() as f64
}
