//! Parameter tensors as matrices.

use std::ops::Range;

use faer::{Mat, MatMut, MatRef};

use crate::autodiff::{ParameterEntry, ParameterLayout};

/// A tensor of two dimensions or more as a matrix, the first dimension against all others; or one of one
/// dimension as a single column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// Where its entries are among all parameters, row after row.
    pub range: Range<usize>,
    pub rows: usize,
    pub columns: usize,
    /// Whether the tensor has two dimensions or more.
    pub is_matrix: bool,
}

impl Block {
    fn of(entry: &ParameterEntry) -> Self {
        let rows = entry.shape.first().copied().unwrap_or(1);
        Self {
            range: entry.offset..entry.offset + entry.len,
            rows,
            columns: entry.len / rows.max(1),
            is_matrix: entry.shape.len() > 1,
        }
    }

    /// Its part of a vector of all parameters.
    pub fn of_vector<'a>(&self, x: &'a [f64]) -> MatRef<'a, f64> {
        MatRef::from_row_major_slice(&x[self.range.clone()], self.rows, self.columns)
    }

    /// The same, to be written.
    pub fn of_vector_mut<'a>(&self, x: &'a mut [f64]) -> MatMut<'a, f64> {
        MatMut::from_row_major_slice_mut(&mut x[self.range.clone()], self.rows, self.columns)
    }
}

/// The tensors, in order, without empty ones.
pub(super) fn blocks(layout: &ParameterLayout) -> Vec<Block> {
    layout.entries().iter().filter(|entry| entry.len > 0).map(Block::of).collect()
}

/// The matrix's entries, column after column.
pub(super) fn entries(matrix: MatRef<'_, f64>) -> Vec<f64> {
    matrix.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<_>>()).collect()
}

/// The n x n matrix whose entries, column after column, begin at `at`; moves `at` behind them.
pub(super) fn square(stored: &[f64], n: usize, at: &mut usize) -> Mat<f64> {
    let begin = std::mem::replace(at, *at + n * n);
    MatRef::from_column_major_slice(&stored[begin..*at], n, n).to_owned()
}
