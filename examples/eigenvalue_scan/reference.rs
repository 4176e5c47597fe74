//! Eigenvalues to compare with, in double precision.

use anyhow::{Result, bail};
use faer::{Mat, MatRef, Side};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sharpscope::autodiff::Objective;
use sharpscope::curvature::{Hessian, Preconditioned};
use sharpscope::linalg::{SymmetricOperator, random_unit_vector, symmetric_eigen};
use sharpscope::optim::StabilityOperator;

/// Most parameters for which the Hessian is formed.
pub const MOST_DENSE: usize = 2000;

/// The Hessian of an objective where it stands.
pub struct Reference<'a> {
    objective: &'a dyn Objective,
    /// Its P * P entries, where P is small.
    dense: Option<Vec<f64>>,
}

impl<'a> Reference<'a> {
    /// Forms it, up to [`MOST_DENSE`] parameters.
    pub fn new(objective: &'a dyn Objective) -> Result<Self> {
        /// Unit vectors that are multiplied at once.
        const BLOCK: usize = 32;
        let n = objective.dim();
        if n > MOST_DENSE {
            return Ok(Self { objective, dense: None });
        }
        let mut entries = Vec::with_capacity(n * n);
        for first in (0..n).step_by(BLOCK) {
            let count = BLOCK.min(n - first);
            let mut block = vec![0.0; count * n];
            (0..count).for_each(|i| block[i * n + first + i] = 1.0);
            entries.extend(objective.hvps(&block)?);
        }
        Ok(Self { objective, dense: Some(entries) })
    }

    /// Eigenvalues of P^-1/2 (H + lambda I) P^-1/2, largest first: all of them, or of a larger network
    /// some more than the `wanted` largest.
    pub fn eigenvalues(&self, operator: &StabilityOperator, wanted: usize) -> Result<Vec<f64>> {
        let Some(entries) = &self.dense else {
            let mut operator = Preconditioned::new(Hessian::new(self.objective), operator)?;
            return block_krylov(&mut operator, wanted);
        };
        let n = self.objective.dim();
        let scale: Vec<f64> = match &operator.preconditioner {
            Some(p) => p.iter().map(|p| 1.0 / p.sqrt()).collect(),
            None => vec![1.0; n],
        };
        let entry = |i: usize, j: usize| {
            let h = (entries[i + j * n] + entries[j + i * n]) / 2.0;
            let shift = if i == j { operator.shift } else { 0.0 };
            scale[i] * (h + shift) * scale[j]
        };
        let values = Mat::from_fn(n, n, entry).self_adjoint_eigenvalues(Side::Lower);
        let mut values = values.map_err(|e| anyhow::anyhow!("the dense eigenproblem: {e:?}"))?;
        values.reverse();
        Ok(values)
    }
}

/// The largest eigenvalues, each to a residual of 1e-5 of itself: blocks of random vectors, so that
/// repeated ones count, and some pairs more than wanted, which must converge as well.
fn block_krylov(operator: &mut dyn SymmetricOperator, wanted: usize) -> Result<Vec<f64>> {
    const BLOCK: usize = 8;
    const GUARDS: usize = 4;
    const MOST_BLOCKS: usize = 100;
    const TOLERANCE: f64 = 1e-5;
    let n = operator.dim();
    let (mut q, mut aq): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let rng = &mut ChaCha8Rng::seed_from_u64(0);
    let mut block: Vec<f64> = (0..BLOCK).flat_map(|_| random_unit_vector(n, rng)).collect();
    for blocks in 1..=MOST_BLOCKS {
        let new = orthonormalised(&q, block, n);
        if new.is_empty() {
            bail!("the Krylov space of the reference is exhausted");
        }
        let mut products = vec![0.0; new.len()];
        operator.apply_block(&new, &mut products)?;
        q.extend(&new);
        aq.extend(&products);
        block = products;
        if blocks % 3 != 0 {
            continue;
        }
        let m = q.len() / n;
        let (basis, images) = (columns(&q, n), columns(&aq, n));
        let projected = basis.transpose() * images;
        let entries: Vec<f64> = (0..m * m).map(|at| projected[(at % m, at / m)]).collect();
        let ritz = symmetric_eigen(m, &entries)?;
        let top: Vec<usize> = (0..m).rev().take(wanted + GUARDS).collect();
        let s = Mat::from_fn(m, top.len(), |i, j| ritz.vector(top[j])[i]);
        let (x, ax) = (basis * &s, images * &s);
        let largest = ritz.values[m - 1].abs();
        let converged = top.iter().enumerate().all(|(j, &i)| {
            let value = ritz.values[i];
            let squares = (0..n).map(|row| (ax[(row, j)] - value * x[(row, j)]).powi(2));
            squares.sum::<f64>().sqrt() <= TOLERANCE * value.abs().max(1e-3 * largest)
        });
        if converged {
            return Ok(top.iter().map(|&i| ritz.values[i]).collect());
        }
    }
    bail!("the reference has not converged in {} products", BLOCK * MOST_BLOCKS)
}

fn columns(block: &[f64], n: usize) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(block, n, block.len() / n)
}

/// Orthonormal vectors that span what `block` adds to the span of `q`.
fn orthonormalised(q: &[f64], mut block: Vec<f64>, n: usize) -> Vec<f64> {
    let size = |block: &[f64]| block.iter().map(|x| x * x).sum::<f64>().sqrt();
    let lengths: Vec<f64> = block.chunks_exact(n).map(size).collect();
    if !q.is_empty() {
        for _ in 0..2 {
            let basis = columns(q, n);
            let part = basis * (basis.transpose() * columns(&block, n));
            block.iter_mut().enumerate().for_each(|(at, x)| *x -= part[(at % n, at / n)]);
        }
    }
    let mut kept: Vec<f64> = Vec::with_capacity(block.len());
    for (mut v, before) in block.chunks_exact(n).map(<[f64]>::to_vec).zip(lengths) {
        for _ in 0..2 {
            for u in kept.chunks_exact(n) {
                let along: f64 = u.iter().zip(&v).map(|(u, v)| u * v).sum();
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= along * u);
            }
        }
        let length = size(&v);
        if length > 1e-10 * before {
            kept.extend(v.iter().map(|x| x / length));
        }
    }
    kept
}
