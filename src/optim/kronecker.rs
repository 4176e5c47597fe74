//! The two factors of a Kronecker product that Shampoo and SOAP keep for each tensor: sums or means of
//! G G' and G' G, and orthogonal bases.

use faer::{Mat, MatRef, Scale};

use super::basis::{Basis, Rotation};
use super::blocks::{Block, blocks, entries, square};
use crate::autodiff::ParameterLayout;
use crate::error::Result;
use crate::linalg::symmetric_eigen;

/// A side longer than this has no factor: it would cost more than all the rest of a step.
const LONGEST: usize = 1024;

/// One n x n matrix for each side of each tensor that has one, left before right, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Sides {
    pub blocks: Vec<Block>,
    /// Whether vectors have a left side too.
    vectors: bool,
}

/// Which side of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Sides {
    pub fn new(layout: &ParameterLayout, vectors: bool) -> Self {
        Self { blocks: blocks(layout), vectors }
    }

    /// How many parameters there are.
    pub fn parameters(&self) -> usize {
        self.blocks.iter().map(|block| block.range.len()).sum()
    }

    /// The sides of a tensor.
    pub fn of(&self, block: &Block) -> Vec<(Side, usize)> {
        let left = block.is_matrix || self.vectors;
        let sides = [(Side::Left, block.rows, left), (Side::Right, block.columns, block.is_matrix)];
        let kept = sides.into_iter().filter(|&(_, n, has)| has && n <= LONGEST);
        kept.map(|(side, n, _)| (side, n)).collect()
    }

    /// Each side: its tensor, its length.
    fn all(&self) -> impl Iterator<Item = (&Block, Side, usize)> {
        self.blocks
            .iter()
            .flat_map(|block| self.of(block).into_iter().map(move |(side, n)| (block, side, n)))
    }

    /// `level` times the identity on each side.
    pub fn identity(&self, level: f64) -> Vec<f64> {
        let of = |n: usize| (0..n * n).map(move |at| if at % (n + 1) == 0 { level } else { 0.0 });
        self.all().flat_map(|(_, _, n)| of(n)).collect()
    }

    /// factors = decay factors + weight G G' (left) or G' G (right).
    pub fn accumulate(&self, factors: &mut [f64], gradient: &[f64], decay: f64, weight: f64) {
        let mut at = 0;
        for (block, side, n) in self.all() {
            let g = block.of_vector(gradient);
            let product = match side {
                Side::Left => g * g.transpose(),
                Side::Right => g.transpose() * g,
            };
            let own = &mut factors[at..][..n * n];
            let new = entries(product.as_ref());
            own.iter_mut().zip(new).for_each(|(old, new)| *old = decay * *old + weight * new);
            at += n * n;
        }
    }

    /// Each side's matrix under `map`, and what comes with it.
    pub fn mapped(
        &self,
        factors: &[f64],
        mut map: impl FnMut(&Mat<f64>) -> Result<Mat<f64>>,
    ) -> Result<Vec<f64>> {
        let mut at = 0;
        let mut found = Vec::with_capacity(factors.len());
        for (_, _, n) in self.all() {
            found.extend(entries(map(&square(factors, n, &mut at))?.as_ref()));
        }
        Ok(found)
    }

    /// The basis with these orthogonal matrices.
    pub fn basis(&self, bases: &[f64]) -> Basis {
        let mut at = 0;
        let mut rotations = Vec::new();
        for block in &self.blocks {
            let (mut left, mut right) = (None, None);
            for (side, n) in self.of(block) {
                let own = Some(square(bases, n, &mut at));
                *(if side == Side::Left { &mut left } else { &mut right }) = own;
            }
            let (range, rows) = (block.range.clone(), block.rows);
            rotations.push(Rotation { range, left, right, rows });
        }
        rotations.retain(|rotation| rotation.left.is_some() || rotation.right.is_some());
        Basis::new(rotations)
    }
}

/// Eigenvalues of a symmetric matrix, the largest first, and its eigenvectors as columns.
pub(super) fn eigenbasis(matrix: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let pairs = symmetric_eigen(n, &entries(matrix))?;
    let vectors = Mat::from_fn(n, n, |i, j| pairs.vector(n - 1 - j)[i]);
    Ok((pairs.values.into_iter().rev().collect(), vectors))
}

/// One step of orthogonal iteration: an orthonormal basis of the columns of `matrix` times `basis`.
pub(super) fn iterated(matrix: &Mat<f64>, basis: &Mat<f64>) -> Mat<f64> {
    let largest = matrix.norm_max();
    if largest == 0.0 {
        return basis.clone();
    }
    // Scaled, for the products of small gradients are smaller still.
    (Scale(1.0 / largest) * matrix * basis).qr().compute_Q()
}
