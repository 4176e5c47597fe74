//! Adafactor.

use super::{
    Decay, Entry, Filter, GradientAt, Hyperparameters, Memory, Optimizer, StabilityContext,
    StabilityOperator,
};
use crate::autodiff::{ParameterEntry, ParameterLayout};
use crate::error::{Result, check_length};
use crate::linalg::norm;

/// The second moment's decay at step t is 1 - t^BETA2_DECAY.
const BETA2_DECAY: f64 = -0.8;
/// A tensor's root mean square counts as at least this.
const LEAST_SCALE: f64 = 1e-3;
/// An update's root mean square is at most this.
const CLIP: f64 = 1.0;

pub(super) const ENTRY: Entry = Entry {
    name: "adafactor",
    update: "V = mean of g², of a matrix r c/mean(r) from its rows' and columns' means; u = g/√V; \
             w *= 1 - ηλ; w -= min(η, 1/√t) max(rms(w), 10⁻³) u/max(1, rms(u)); \
             no momentum; β₂ = 1 - t^-0.8; a step is relative to its tensor's size",
    remark: None,
    lr: 0.01,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        eps: Some(1e-30),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| Box::new(Adafactor::new(h.eps(), h.weight_decay(), layout.clone())),
};

/// Adafactor (Shazeer and Stern 2018) without momentum, as PyTorch has it.
///
/// With the second moment, the clipping and the tensors' sizes held it is gradient descent at rate eta over
/// P = diag(sqrt(V)) max(1, rms(u)) eta/(min(eta, 1/sqrt(t)) max(rms(w), 1e-3)), and P^-1/2 H P^-1/2 may grow
/// to (2 - eta lambda)/eta. Early on V is a mean of few gradients and P does not stand still.
#[derive(Debug, Clone)]
pub struct Adafactor {
    eps: f64,
    decay: f64,
    layout: ParameterLayout,
    steps: i32,
    /// Means over each row and each column of matrices, and the second moments of all else.
    rows: Vec<f64>,
    columns: Vec<f64>,
    squares: Vec<f64>,
    /// P of the latest step; empty where that is not known.
    diagonal: Vec<f64>,
}

/// A tensor as `count` matrices of `rows` x `columns`: its last two dimensions.
struct Matrices {
    count: usize,
    rows: usize,
    columns: usize,
}

impl Matrices {
    fn of(entry: &ParameterEntry) -> Option<Self> {
        let [before @ .., rows, columns] = &entry.shape[..] else { return None };
        Some(Self { count: before.iter().product(), rows: *rows, columns: *columns })
    }
}

impl Adafactor {
    /// With `eps` (above 0) the least root of a second moment and decoupled weight decay `decay` (at least 0),
    /// for parameters of that layout.
    pub fn new(eps: f64, decay: f64, layout: ParameterLayout) -> Self {
        let (rows, columns, squares, diagonal) = Default::default();
        Self { eps, decay, layout, steps: 0, rows, columns, squares, diagonal }
    }

    /// Makes room for the accumulators, all zero.
    fn begin(&mut self) {
        if !(self.rows.is_empty() && self.squares.is_empty()) {
            return;
        }
        for entry in self.layout.entries() {
            match Matrices::of(entry) {
                Some(Matrices { count, rows, columns }) => {
                    self.rows.resize(self.rows.len() + count * rows, 0.0);
                    self.columns.resize(self.columns.len() + count * columns, 0.0);
                }
                None => self.squares.resize(self.squares.len() + entry.len, 0.0),
            }
        }
    }

    /// Takes the gradient in, and returns sqrt(V).
    fn roots(&mut self, gradient: &[f64], weight: f64) -> Vec<f64> {
        let (mut r, mut c, mut s) = (0, 0, 0);
        let mut roots = Vec::with_capacity(gradient.len());
        for entry in self.layout.entries() {
            let g = &gradient[entry.offset..][..entry.len];
            let Some(Matrices { count, rows, columns }) = Matrices::of(entry) else {
                let squares = &mut self.squares[s..][..entry.len];
                squares.iter_mut().zip(g).for_each(|(s, g)| *s += weight * (g * g - *s));
                roots.extend(squares.iter().copied());
                s += entry.len;
                continue;
            };
            for matrix in 0..count {
                let g = &g[matrix * rows * columns..][..rows * columns];
                let row = &mut self.rows[r..][..rows];
                let column = &mut self.columns[c..][..columns];
                roots.extend(factored(g, row, column, weight, self.eps));
                (r, c) = (r + rows, c + columns);
            }
        }
        let least = self.eps * self.eps;
        roots.iter_mut().for_each(|v| *v = v.max(least).sqrt());
        roots
    }
}

/// Takes a matrix's gradient (row after row) into the means of its rows and columns, and returns the second
/// moment that they stand for.
fn factored(g: &[f64], row: &mut [f64], column: &mut [f64], weight: f64, eps: f64) -> Vec<f64> {
    let (rows, columns) = (row.len(), column.len());
    let mut sums = vec![0.0; columns];
    for (mean, g) in row.iter_mut().zip(g.chunks_exact(columns)) {
        let square: f64 = g.iter().map(|g| g * g).sum();
        *mean += weight * (square / columns as f64 - *mean);
        sums.iter_mut().zip(g).for_each(|(sum, g)| *sum += g * g);
    }
    for (mean, sum) in column.iter_mut().zip(sums) {
        *mean += weight * (sum / rows as f64 - *mean);
    }
    let level = (row.iter().sum::<f64>() / rows as f64).max(eps);
    row.iter().flat_map(|r| column.iter().map(move |c| r * c / level)).collect()
}

fn root_mean_square(x: &[f64]) -> f64 {
    norm(x) / (x.len() as f64).sqrt()
}

impl Optimizer for Adafactor {
    fn is_preconditioned(&self) -> bool {
        true
    }

    fn operator(&self) -> StabilityOperator {
        let known = !self.diagonal.is_empty();
        let preconditioner = known.then(|| self.diagonal.clone());
        StabilityOperator { preconditioner, ..StabilityOperator::default() }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        Filter::gradient().threshold(context.lr, self.decay)
    }

    fn formula(&self) -> Option<String> {
        Some(if self.decay == 0.0 { "2/η" } else { "(2-ηλ)/η" }.to_string())
    }

    fn memory(&mut self) -> Memory<'_> {
        self.diagonal.clear();
        Memory {
            steps: Some(&mut self.steps),
            accumulators: vec![
                ("row_var", &mut self.rows),
                ("col_var", &mut self.columns),
                ("variance", &mut self.squares),
            ],
        }
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        check_length("parameters of the layout", theta.len(), self.layout.len())?;
        self.begin();
        self.steps = self.steps.saturating_add(1);
        let t = f64::from(self.steps);
        self.diagonal = self.roots(gradient, t.powf(BETA2_DECAY));
        // The rate over eta, which may be 0.
        let slowed = (1.0 / (lr * t.sqrt())).min(1.0);
        for entry in self.layout.entries() {
            let w = &mut theta[entry.offset..][..entry.len];
            let g = &gradient[entry.offset..][..entry.len];
            let p = &mut self.diagonal[entry.offset..][..entry.len];
            let scale = slowed * root_mean_square(w).max(LEAST_SCALE);
            let u: Vec<f64> = g.iter().zip(&*p).map(|(g, root)| g / root).collect();
            let clip = (root_mean_square(&u) / CLIP).max(1.0);
            for ((w, u), p) in w.iter_mut().zip(u).zip(p) {
                *w = *w * (1.0 - lr * self.decay) - lr * scale / clip * u;
                *p *= clip / scale;
            }
        }
        Ok(())
    }
}
