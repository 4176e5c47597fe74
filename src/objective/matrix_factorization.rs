//! A matrix of low rank as the product of two factors.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region};
use crate::error::Result;

/// f(U, V) = 1/2 |UV' - M|^2 (Frobenius), M rectangular with the singular values on its diagonal. The lowest
/// value is half the sum of the squares of the singular values beyond the rank (Eckart and Young 1936); UA and
/// V inv(A)' give the same loss for any invertible A.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MatrixFactorization {
    /// Rows of M and of U.
    pub rows: usize,
    /// Columns of M, rows of V.
    pub columns: usize,
    /// Columns of U and V.
    pub rank: usize,
    /// The singular values of M.
    pub singular_values: Vec<f64>,
}

impl Default for MatrixFactorization {
    fn default() -> Self {
        Self { rows: 4, columns: 3, rank: 2, singular_values: vec![3.0, 2.0] }
    }
}

impl Facts for MatrixFactorization {
    fn about(&self) -> &'static str {
        "|UV' - M|^2/2: unchanged by U to UA, V to V inv(A)'; at an exact minimum rank^2 zero eigenvalues by that"
    }

    fn check(&self) -> Result<()> {
        check::size("rows", self.rows, 1)?;
        check::size("columns", self.columns, 1)?;
        check::size("rank", self.rank, 1)?;
        check::size("rows times columns", self.rows.saturating_mul(self.columns), 1)?;
        let sides = self.rows.saturating_add(self.columns);
        check::size("variables", sides.saturating_mul(self.rank), 1)?;
        check::numbers("singular_values", &self.singular_values, 1)?;
        self.singular_values.iter().try_for_each(|&s| check::not_negative("singular_values", s))?;
        let (given, most) = (self.singular_values.len(), self.rows.min(self.columns));
        if given > most {
            let problem = format!("the matrix has {most} singular values");
            let remedy = format!("give at most {most}");
            return check::refuse("singular_values (how many)", given, &problem, &remedy);
        }
        Ok(())
    }

    fn blocks(&self) -> Blocks {
        Blocks::Factors([self.rows, self.rank], [self.columns, self.rank])
    }

    /// M, row by row.
    fn constants(&self) -> Vec<f64> {
        let mut matrix = vec![0.0; self.rows * self.columns];
        for (i, &value) in self.singular_values.iter().enumerate() {
            matrix[i * self.columns + i] = value;
        }
        matrix
    }

    fn region(&self) -> Region {
        Region::about_zero(self.dimension(), 0.5)
    }
}

impl Formula for MatrixFactorization {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, constants: Tensor<B, 1>) -> Tensor<B, 1> {
        let (in_u, in_v) = (self.rows * self.rank, self.columns * self.rank);
        let u = x.clone().narrow(0, 0, in_u).reshape([self.rows, self.rank]);
        let v = x.narrow(0, in_u, in_v).reshape([self.columns, self.rank]);
        let matrix = constants.reshape([self.rows, self.columns]);
        (u.matmul(v.transpose()) - matrix).square().sum() * 0.5
    }
}
