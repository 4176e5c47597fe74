//! What the model says the largest eigenpairs are.
//!
//! Where a diagonal D of the operator A = K + D is known, the model is of K alone, and D is added to it
//! here: D may have full rank, and its large entries change places from step to step.

use faer::MatRef;

use super::Tracker;
use crate::error::Result;
use crate::linalg::dense::matrix_product;
use crate::linalg::frame::{Frame, Ritz};
use crate::linalg::model::LowRankModel;
use crate::linalg::space::widened;
use crate::linalg::{Products, norm};

/// Entries of the diagonal that are tried beyond the wanted ones.
const SPARE: usize = 2;

/// Most rounds of Davidson's method on model and diagonal, which costs no product with the operator.
const ROUNDS: usize = 40;

/// Of the residual that pairs have, the share that a prediction is held to, and the most of that residual that
/// counts.
const SHARE: f64 = 0.3;
const MOST: f64 = 0.3;

/// The largest eigenpairs of a model, with the diagonal where there is one, largest first.
pub(super) struct Predicted {
    pub values: Vec<f64>,
    /// The vectors, by coordinates.
    pub vectors: Vec<f64>,
}

impl Tracker {
    /// The `k` largest eigenpairs of the model, or of another one on the same space (fewer if the rank
    /// is less and there is no diagonal). With a diagonal the space may grow; `near` are the pairs found so
    /// far, by coordinates.
    pub(super) fn predict(
        &mut self,
        model: &mut LowRankModel,
        k: usize,
        near: &[Ritz],
    ) -> Result<Predicted> {
        if let Some(diagonal) = self.diagonal.take() {
            let found = self.with_diagonal(model, &diagonal, k, near);
            self.diagonal = Some(diagonal);
            let (values, vectors) = found?;
            let vectors = self.absorb(&vectors);
            return Ok(Predicted { values, vectors });
        }
        let vectors = model.largest_vectors(k)?;
        let values = model.eigen()?.values.iter().rev().take(k).copied().collect();
        Ok(Predicted { values, vectors })
    }

    /// The largest eigenvalues of D + B, and their vectors of length n: Davidson's method (1975), which the
    /// diagonal preconditions, from what is largest in each, and from the pairs found so far.
    fn with_diagonal(
        &self,
        model: &mut LowRankModel,
        diagonal: &[f64],
        k: usize,
        near: &[Ritz],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (n, q) = (self.n, self.space.rank());
        let tolerance = self.settings.tolerance;
        let apart = near.iter().map(Ritz::relative_residual).fold(0.0, f64::max);
        let enough = SHARE * apart.min(MOST).max(tolerance);
        let apply = |x: &[f64]| -> Vec<f64> {
            let inside = model.apply(&self.space.inside(x));
            let mut y = self.space.vectors(&inside);
            y.iter_mut().zip(x.iter().zip(diagonal)).for_each(|(y, (x, d))| *y += d * x);
            y
        };
        let mut frame = Frame::new(n);
        let mut largest: Vec<usize> = (0..n).collect();
        let most = (k + SPARE).min(n);
        largest.select_nth_unstable_by(most - 1, |&i, &j| diagonal[j].total_cmp(&diagonal[i]));
        for &at in &largest[..most] {
            let mut unit = vec![0.0; n];
            unit[at] = 1.0;
            frame.push(&unit, &apply(&unit));
        }
        let mut held = model.clone().largest_vectors(k)?;
        held.extend(near.iter().flat_map(|pair| widened(&pair.vector, pair.vector.len(), q)));
        self.space.vectors(&held).chunks_exact(n).for_each(|x| {
            frame.push(x, &apply(x));
        });
        for _ in 0..ROUNDS {
            let mut grown = false;
            for pair in frame.largest(k)? {
                if pair.relative_residual() <= enough {
                    continue;
                }
                let least = norm(&pair.residual).max(f64::MIN_POSITIVE);
                let towards = |(r, d): (&f64, &f64)| {
                    let apart = d - pair.value;
                    r / if apart.abs() < least { least.copysign(apart) } else { apart }
                };
                let new: Vec<f64> = pair.residual.iter().zip(diagonal).map(towards).collect();
                grown |= frame.push(&new, &apply(&new));
            }
            if !grown {
                break;
            }
        }
        let pairs = frame.largest(k)?;
        Ok((
            pairs.iter().map(|pair| pair.value).collect(),
            pairs.into_iter().flat_map(|pair| pair.vector).collect(),
        ))
    }

    /// Keeps of the model the directions in which it, or with a diagonal the sum of both, is largest.
    pub(super) fn truncate(&mut self) -> Result<()> {
        let mut added = Vec::new();
        if let Some(diagonal) = &self.diagonal {
            let basis = self.space.vectors(self.model.basis());
            let weighted: Vec<f64> =
                basis.iter().zip(diagonal.iter().cycle()).map(|(w, d)| w * d).collect();
            let columns = |x| MatRef::from_column_major_slice(x, self.n, self.model.rank());
            added = matrix_product(columns(&basis).transpose(), columns(&weighted));
        }
        self.model.truncate(self.settings.rank, &added)
    }

    /// K X from A X for the columns of `products`, where a diagonal is known.
    pub(super) fn without_diagonal(&self, products: Products<'_>) -> Option<Vec<f64>> {
        let diagonal = self.diagonal.as_ref()?;
        let rest = products.ax.iter().zip(products.x).zip(diagonal.iter().cycle());
        Some(rest.map(|((ax, x), d)| ax - d * x).collect())
    }
}
