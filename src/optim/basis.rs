//! Orthogonal coordinates in which a preconditioner is diagonal.

use std::ops::Range;

use faer::{Mat, MatMut, MatRef};

/// An orthogonal Q on all parameters, matrix by matrix: Q' takes a tensor G, as a matrix, to L' G R.
#[derive(Debug, Clone, Default)]
pub struct Basis(Vec<Rotation>);

/// What a [`Basis`] does to one tensor.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Where the tensor's entries are among all parameters, row after row.
    pub range: Range<usize>,
    /// L, of as many rows as the matrix has; `None` for the identity.
    pub left: Option<Mat<f64>>,
    /// R, of as many rows as the matrix has columns; `None` for the identity.
    pub right: Option<Mat<f64>>,
    /// The rows of the matrix.
    pub rows: usize,
}

impl Basis {
    /// That of these tensors; all others stay as they are.
    pub fn new(rotations: Vec<Rotation>) -> Self {
        Self(rotations)
    }

    /// What it does, tensor by tensor.
    pub fn rotations(&self) -> &[Rotation] {
        &self.0
    }

    /// Q'x, in place, for each vector of a block of them (length P each).
    pub fn enter(&self, block: &mut [f64], dim: usize) {
        block.chunks_exact_mut(dim).for_each(|x| self.0.iter().for_each(|own| own.apply(x, true)));
    }

    /// Qx, likewise.
    pub fn leave(&self, block: &mut [f64], dim: usize) {
        block.chunks_exact_mut(dim).for_each(|x| self.0.iter().for_each(|own| own.apply(x, false)));
    }
}

impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Rotation, &Rotation)| {
            (&a.range, &a.left, &a.right) == (&b.range, &b.left, &b.right)
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Rotation {
    fn apply(&self, x: &mut [f64], enters: bool) {
        let columns = self.range.len() / self.rows.max(1);
        let part = &mut x[self.range.clone()];
        let mut matrix = MatMut::from_row_major_slice_mut(part, self.rows, columns);
        if let Some(left) = &self.left {
            let product = turned(left, enters) * matrix.as_ref();
            matrix.copy_from(product);
        }
        if let Some(right) = &self.right {
            let product = matrix.as_ref() * turned(right, !enters);
            matrix.copy_from(product);
        }
    }
}

fn turned(matrix: &Mat<f64>, transposes: bool) -> MatRef<'_, f64> {
    if transposes { matrix.transpose() } else { matrix.as_ref() }
}
