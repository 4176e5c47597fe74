//! The middle of two iterates, and half of what is between them.

use super::point::{Flow, FlowPoint, Oscillation};
use super::stable::point;
use super::top::{TopSettings, TopSpace, scaled};
use super::{Law, Momentum};
use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result, check_length};
use crate::linalg::{EigenDecomposition, axpy, dot, norm, symmetric_eigen};

/// Steps of Euler's method to a step of the optimizer.
const SUBSTEPS: usize = 8;

/// A rod below this share of the parameters' norm is none.
const NOTHING: f64 = 1e-14;

/// Rod flow (Regis & Chewi 2026, arXiv:2602.01480), of the middle m = (w_t + w_(t+1))/2 and of Sigma = dd', d being half
/// of w_(t+1) - w_t. For gradient descent
///
/// ```text
/// dm/dt = -(eta/2)(g+ + g-) - (eta^2/8)(H+ + H-)(g+ + g-)
/// dSigma/dt = (eta^2/4)(g+ g+' + g- g-') - 2 Sigma
/// ```
///
/// with gradients and Hessians at m + d and m - d. The right side of the second has rank 2 where d is both the way
/// that is gone and an oscillation across it. So Sigma is held as a sum of a few rods d_i d_i', the largest of its
/// eigenvectors: the mean gradient is g + sum_i ((g+ + g-)/2 - g), and (g+ g+' + g- g-')/2 is that mean's square and
/// those of (g+ - g-)/2 along each rod, which is the same for one of them. H+ and H- are taken along the longest.
///
/// With a preconditioner the same holds in the coordinates P^1/2 w, where the rate is 1, and
/// d nu/dt = (1 - beta2)((g+^2 + g-^2)/2 - nu) (arXiv:2605.06821).
///
/// Both equations are those of any map z' = z + F(z), with F = -eta g:
///
/// ```text
/// dm/dt = F - F'F/2, F = (F+ + F-)/2, F' = (F'+ + F'-)/2
/// dSigma/dt = (F+ F+' + F- F-')/4 - 2 Sigma
/// ```
///
/// whose cycles of two are at rest here, and whose rods grow where an eigenvalue of the map is below -1. With
/// [`Momentum`] z is the parameters and what the optimizer remembers, in the coordinates P^1/2 w and P^-1/2 m, as in
/// arXiv:2605.06821.
pub struct RodFlow {
    law: Law,
    momentum: Option<Momentum>,
    middle: Phase,
    nu: Vec<f64>,
    /// Rods, in the parameters' own coordinates, the longest first.
    rods: Vec<Phase>,
    most: usize,
    top: TopSpace,
    spent: usize,
}

/// A point, or a way from one to another.
#[derive(Debug, Clone, Default)]
struct Phase {
    /// Of the parameters (length P).
    w: Vec<f64>,
    /// Of what the optimizer remembers (length P); none without momentum.
    m: Vec<f64>,
}

impl Phase {
    /// As one vector, in the coordinates P^1/2 w and P^-1/2 m; `root` is the diagonal of P^-1/2.
    fn scaled(&self, factor: f64, root: &[f64]) -> Vec<f64> {
        let w = self.w.iter().zip(root).map(|(x, d)| factor * x / d);
        w.chain(self.m.iter().zip(root).map(|(x, d)| factor * x * d)).collect()
    }

    /// The way back.
    fn unscaled(vector: &[f64], root: &[f64]) -> Self {
        let (w, m) = vector.split_at(root.len());
        let m = m.iter().zip(root).map(|(x, d)| x / d).collect();
        Self { w: scaled(w, root), m }
    }

    fn go(&mut self, dt: f64, along: &Self) {
        axpy(&mut self.w, dt, &along.w);
        axpy(&mut self.m, dt, &along.m);
    }
}

/// What the ends of the rods say.
struct Ends {
    /// The mean gradient (length P).
    mean: Vec<f64>,
    /// Half the difference of the gradients at the ends of each rod (length P each).
    halves: Vec<Vec<f64>>,
    /// The mean of F over the rods.
    rate: Phase,
    /// (H+ + H-)/2 of the longest rod times that of the parameters (length P).
    product: Vec<f64>,
    /// The mean loss over the rods.
    loss: f64,
}

fn half(a: &[f64], b: &[f64], sign: f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| 0.5 * (a + sign * b)).collect()
}

impl RodFlow {
    /// From the iterates `theta` and `next` (length P each), with `nu` (length P) where the law follows one and none
    /// else, holding at most `most` rods.
    pub fn new(
        law: Law,
        theta: &[f64],
        next: &[f64],
        nu: Vec<f64>,
        most: usize,
        settings: TopSettings,
    ) -> Self {
        let middle = Phase { w: half(theta, next, 1.0), m: Vec::new() };
        let rod = Phase { w: half(next, theta, -1.0), m: Vec::new() };
        let settings = TopSettings { above: f64::INFINITY, ..settings };
        let (momentum, rods, top) = (None, vec![rod], TopSpace::new(settings));
        Self { law, momentum, middle, nu, rods, most, top, spent: 0 }
    }

    /// With what the optimizer remembered before the step from each of the two iterates (length P each).
    pub fn with_momentum(mut self, momentum: Momentum, here: &[f64], next: &[f64]) -> Self {
        self.momentum = Some(momentum);
        self.middle.m = half(here, next, 1.0);
        self.rods.iter_mut().for_each(|rod| rod.m = half(next, here, -1.0));
        self
    }

    /// F with a gradient in the place of g; F is linear in both, so that this is F'v too, with v's part of m and Hv's.
    fn rate(&self, m: &[f64], gradient: &[f64], root: &[f64]) -> Phase {
        let Some(Momentum { beta, share, through, direct }) = self.momentum else {
            let w = gradient.iter().zip(root).map(|(g, d)| -d * d * g).collect();
            return Phase { w, m: Vec::new() };
        };
        let of_w = |((m, g), d): ((&f64, &f64), &f64)| {
            -d * d * (through * beta * m + (through * share + direct) * g)
        };
        Phase {
            w: m.iter().zip(gradient).zip(root).map(of_w).collect(),
            m: m.iter().zip(gradient).map(|(m, g)| (beta - 1.0) * m + share * g).collect(),
        }
    }

    fn ends(
        &mut self,
        objective: &mut dyn Objective,
        root: &[f64],
        gradient: &[f64],
        loss: f64,
    ) -> Result<Ends> {
        let (mut mean, mut expected) = (gradient.to_vec(), loss);
        let mut halves = Vec::new();
        for rod in &self.rods {
            let mut at = |sign: f64| {
                let mut point = self.middle.w.clone();
                axpy(&mut point, sign, &rod.w);
                objective.set_parameters(&point)?;
                objective.gradient(Samples::All)
            };
            let (up, down) = (at(1.0)?, at(-1.0)?);
            let sums = up.gradient.iter().zip(&down.gradient).zip(gradient);
            mean.iter_mut().zip(sums).for_each(|(m, ((a, b), g))| *m += 0.5 * (a + b) - g);
            halves.push(half(&up.gradient, &down.gradient, -1.0));
            expected += 0.5 * (up.evaluation.loss + down.evaluation.loss) - loss;
            self.spent += 2;
        }
        let rate = self.rate(&self.middle.m, &mean, root);
        let signs: &[f64] = if self.rods.is_empty() { &[0.0] } else { &[1.0, -1.0] };
        let mut product = vec![0.0; mean.len()];
        for sign in signs {
            let mut end = self.middle.w.clone();
            if let Some(rod) = self.rods.first() {
                axpy(&mut end, *sign, &rod.w);
            }
            objective.set_parameters(&end)?;
            axpy(&mut product, 1.0 / signs.len() as f64, &objective.hvp(&rate.w)?);
            self.spent += 2;
        }
        let finite = expected.is_finite() && mean.iter().chain(&product).all(|x| x.is_finite());
        match finite {
            true => Ok(Ends { mean, halves, rate, product, loss: expected }),
            false => Err(Error::NonFinite { what: "the loss along the flow" }),
        }
    }

    fn go(&mut self, ends: &Ends, root: &[f64], dt: f64) -> Result<()> {
        let (kept, new) = ((1.0 - 2.0 * dt).sqrt(), (0.5 * dt).sqrt());
        let mut columns: Vec<Vec<f64>> =
            self.rods.iter().map(|rod| rod.scaled(kept, root)).collect();
        columns.push(ends.rate.scaled(new, root));
        let across = self.rods.iter().zip(&ends.halves);
        columns.extend(across.map(|(rod, half)| self.rate(&rod.m, half, root).scaled(new, root)));
        let least = NOTHING * norm(&self.middle.w).max(1.0);
        self.rods = largest(&columns, self.most)?
            .iter()
            .map(|column| Phase::unscaled(column, root))
            .filter(|rod| {
                let remembered: Vec<f64> = rod.m.iter().zip(root).map(|(m, d)| m * d * d).collect();
                norm(&rod.w) > least || norm(&remembered) > least
            })
            .collect();
        let turned = self.rate(&ends.rate.m, &ends.product, root);
        self.middle.go(dt, &ends.rate);
        self.middle.go(-0.5 * dt, &turned);
        if self.law.is_preconditioned() {
            let square = |i: usize| {
                ends.mean[i].powi(2) + ends.halves.iter().map(|half| half[i].powi(2)).sum::<f64>()
            };
            self.law.follow(&mut self.nu, dt, square);
        }
        Ok(())
    }
}

/// The largest eigenvectors, at most so many, of the sum of the columns' squares, each with the root of its eigenvalue
/// as its length.
fn largest(columns: &[Vec<f64>], most: usize) -> Result<Vec<Vec<f64>>> {
    let eigen = gram_eigen(columns)?;
    let places = (0..columns.len()).rev().take(most);
    Ok(places.map(|at| combined(columns, eigen.vector(at))).collect())
}

impl Flow for RodFlow {
    fn step(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<FlowPoint> {
        check_length("parameter vector", self.middle.w.len(), objective.dim())?;
        let root = self.law.inverse_root(lr, &self.nu, self.middle.w.len());
        let here = self.top.measure(objective, &self.middle.w, &root)?;
        self.spent += here.products + 1;
        let mut point = point(&self.middle.w, &here, Vec::new());
        let dt = 1.0 / SUBSTEPS as f64;
        let (mut gradient, mut loss) = (here.at.gradient, here.at.evaluation.loss);
        for substep in 0..SUBSTEPS {
            if substep > 0 {
                objective.set_parameters(&self.middle.w)?;
                let at = objective.gradient(Samples::All)?;
                (gradient, loss) = (at.gradient, at.evaluation.loss);
                self.spent += 1;
            }
            let root = self.law.inverse_root(lr, &self.nu, self.middle.w.len());
            let ends = self.ends(objective, &root, &gradient, loss)?;
            if substep == 0 {
                point.expected_loss = ends.loss;
                point.oscillations = oscillations(&self.rods, &ends, &root)?;
                point.products = std::mem::take(&mut self.spent);
            }
            self.go(&ends, &root, dt)?;
        }
        Ok(point)
    }
}

/// The rods as oscillations across each other: along d/|d| in the coordinates P^1/2 w, with the variance |d|^2.
fn oscillations(rods: &[Phase], ends: &Ends, root: &[f64]) -> Result<Vec<Oscillation>> {
    // Beside the parameters' part of a rod its gradients', which combine likewise.
    let columns: Vec<Vec<f64>> =
        rods.iter().map(|rod| rod.w.iter().zip(root).map(|(x, d)| x / d).collect()).collect();
    if rods.is_empty() {
        return Ok(Vec::new());
    }
    let eigen = gram_eigen(&columns)?;
    let of = |at: usize| {
        let q = eigen.vector(at);
        let (along, gradient) = (combined(&columns, q), combined(&ends.halves, q));
        let variance = dot(&along, &along);
        (variance > 0.0).then(|| Oscillation {
            variance,
            covector: along.iter().zip(root).map(|(x, d)| x / (variance.sqrt() * d)).collect(),
            curvature: dot(&scaled(&along, root), &gradient) / variance,
        })
    };
    Ok((0..columns.len()).rev().filter_map(of).collect())
}

/// The eigenvalues and eigenvectors of the columns' inner products.
fn gram_eigen(columns: &[Vec<f64>]) -> Result<EigenDecomposition> {
    let n = columns.len();
    let gram: Vec<f64> = (0..n * n).map(|at| dot(&columns[at / n], &columns[at % n])).collect();
    symmetric_eigen(n, &gram)
}

fn combined(columns: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; columns.first().map_or(0, Vec::len)];
    weights.iter().zip(columns).for_each(|(q, z)| axpy(&mut sum, *q, z));
    sum
}
