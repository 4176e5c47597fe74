//! Muon: momentum, orthogonalised matrix by matrix.

use faer::{Mat, MatRef, Scale};

use super::blocks::{Block, blocks};
use super::rule::accumulate;
use super::{
    Adam, Decay, Entry, GradientAt, Hyperparameters, Memory, Optimizer, Rule, StabilityContext,
};
use crate::autodiff::ParameterLayout;
use crate::error::{Result, check_length};

pub(super) const ENTRY: Entry = Entry {
    name: "muon",
    update: "v = β v + g; O = Newton-Schulz of g + β v; w *= 1 - ηλ; w -= 0.2 √max(rows, columns) η O \
             for matrices; Adam's step for vectors; \
             tensors of more dimensions are matrices, the first against the others",
    remark: None,
    lr: 3e-3,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        momentum: Some(0.95),
        beta1: Some(0.9),
        beta2: Some(0.95),
        eps: Some(1e-8),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| {
        let adam = Adam::new(h.beta1(), h.beta2(), h.eps());
        Box::new(Muon::new(h.momentum(), adam, h.weight_decay(), layout))
    },
};

/// The quintic that is iterated: a X + (b X X' + c (X X')^2) X.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];
const ITERATIONS: usize = 5;
/// The least norm that a matrix is divided by.
const LEAST_NORM: f64 = 1e-7;

/// Muon (Jordan et al. 2024) with Nesterov's momentum and burn's Newton-Schulz iteration, which brings the
/// singular values to 0.7 to 1.2, not to 1. The rate of a matrix is adjusted to 0.2 sqrt(max(rows, columns))
/// eta, so that an update is about as large as Adam's, and the vectors take Adam's step at rate eta (Liu et al.
/// 2025). The decay goes by eta itself, and shrinks all weights. No threshold is known.
#[derive(Debug, Clone)]
pub struct Muon {
    beta: f64,
    adam: Adam,
    decay: f64,
    blocks: Vec<Block>,
    velocity: Vec<f64>,
}

impl Muon {
    /// With momentum `beta` in [0, 1), `adam` for vectors and decoupled weight decay `decay` (at least 0), for
    /// parameters of that layout.
    pub fn new(beta: f64, adam: Adam, decay: f64, layout: &ParameterLayout) -> Self {
        Self { beta, adam, decay, blocks: blocks(layout), velocity: Vec::new() }
    }

    /// Adam's step for what is no matrix.
    fn step_vectors(&mut self, lr: f64, theta: &mut [f64], gradient: &[f64]) {
        let vectors: Vec<_> = self.blocks.iter().filter(|block| !block.is_matrix).collect();
        let own = vectors.iter().flat_map(|block| gradient[block.range.clone()].iter().copied());
        let own: Vec<f64> = own.collect();
        let direction = self.adam.direction(lr, &own);
        let p = direction.preconditioner.unwrap_or_default();
        let mut moves = direction.numerator.iter().zip(p);
        for w in vectors.iter().flat_map(|block| block.range.clone()) {
            let Some((m, p)) = moves.next() else { break };
            theta[w] -= direction.rate * m / p;
        }
    }
}

/// Newton-Schulz iterations towards the orthogonal factor of a matrix, which need not be square.
fn orthogonalised(matrix: MatRef<'_, f64>) -> Mat<f64> {
    if matrix.nrows() > matrix.ncols() {
        return orthogonalised(matrix.transpose()).transpose().to_owned();
    }
    let [a, b, c] = COEFFICIENTS;
    let mut x = Scale(1.0 / matrix.norm_l2().max(LEAST_NORM)) * matrix;
    for _ in 0..ITERATIONS {
        let gram = &x * x.transpose();
        let polynomial = Scale(b) * &gram + Scale(c) * (&gram * &gram);
        x = Scale(a) * &x + &polynomial * &x;
    }
    x
}

impl Optimizer for Muon {
    fn threshold(&self, _: &StabilityContext) -> Option<f64> {
        None
    }

    fn formula(&self) -> Option<String> {
        None
    }

    fn memory(&mut self) -> Memory<'_> {
        let mut memory = Rule::memory(&mut self.adam);
        memory.accumulators.insert(0, ("momentum_buffer", &mut self.velocity));
        memory
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        let expected = self.blocks.iter().map(|block| block.range.len()).sum();
        check_length("parameters of the layout", theta.len(), expected)?;
        accumulate(&mut self.velocity, self.beta, 1.0, gradient, |g| g);
        theta.iter_mut().for_each(|w| *w *= 1.0 - lr * self.decay);
        for block in self.blocks.iter().filter(|block| block.is_matrix) {
            let (g, v) = (block.of_vector(gradient), block.of_vector(&self.velocity));
            let o = orthogonalised((g + Scale(self.beta) * v).as_ref());
            let rate = 0.2 * (block.rows.max(block.columns) as f64).sqrt() * lr;
            let mut w = block.of_vector_mut(theta);
            w -= Scale(rate) * o;
        }
        self.step_vectors(lr, theta, gradient);
        Ok(())
    }
}
