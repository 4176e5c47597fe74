//! The middle of two iterates, and half of what is between them.

use super::Law;
use super::point::{Flow, FlowPoint, Oscillation};
use super::stable::point;
use super::top::{TopSettings, TopSpace, scaled};
use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result, check_length};
use crate::linalg::{axpy, dot, norm, symmetric_eigen};

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
pub struct RodFlow {
    law: Law,
    theta: Vec<f64>,
    nu: Vec<f64>,
    /// Rods, in the parameters' own coordinates (length P each), the longest first.
    rods: Vec<Vec<f64>>,
    most: usize,
    top: TopSpace,
    spent: usize,
}

/// What the ends of the rods say.
struct Ends {
    /// The mean gradient (length P).
    mean: Vec<f64>,
    /// Half the difference of the gradients at the ends of each rod (length P each).
    halves: Vec<Vec<f64>>,
    /// (H+ + H-)/2 of the longest rod times P^-1 the mean gradient (length P).
    product: Vec<f64>,
    /// The mean loss over the rods.
    loss: f64,
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
        let middle = theta.iter().zip(next).map(|(a, b)| 0.5 * (a + b)).collect();
        let rod = theta.iter().zip(next).map(|(a, b)| 0.5 * (b - a)).collect();
        let settings = TopSettings { above: f64::INFINITY, ..settings };
        let top = TopSpace::new(settings);
        Self { law, theta: middle, nu, rods: vec![rod], most, top, spent: 0 }
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
                let point: Vec<f64> =
                    self.theta.iter().zip(rod).map(|(w, d)| w + sign * d).collect();
                objective.set_parameters(&point)?;
                objective.gradient(Samples::All)
            };
            let (up, down) = (at(1.0)?, at(-1.0)?);
            let sums = up.gradient.iter().zip(&down.gradient).zip(gradient);
            mean.iter_mut().zip(sums).for_each(|(m, ((a, b), g))| *m += 0.5 * (a + b) - g);
            let pairs = up.gradient.iter().zip(&down.gradient);
            halves.push(pairs.map(|(a, b)| 0.5 * (a - b)).collect());
            expected += 0.5 * (up.evaluation.loss + down.evaluation.loss) - loss;
            self.spent += 2;
        }
        let along: Vec<f64> = mean.iter().zip(root).map(|(g, d)| d * d * g).collect();
        let signs: &[f64] = if self.rods.is_empty() { &[0.0] } else { &[1.0, -1.0] };
        let mut product = vec![0.0; along.len()];
        for sign in signs {
            let mut end = self.theta.clone();
            if let Some(rod) = self.rods.first() {
                axpy(&mut end, *sign, rod);
            }
            objective.set_parameters(&end)?;
            axpy(&mut product, 1.0 / signs.len() as f64, &objective.hvp(&along)?);
            self.spent += 2;
        }
        let finite = expected.is_finite() && mean.iter().chain(&product).all(|x| x.is_finite());
        match finite {
            true => Ok(Ends { mean, halves, product, loss: expected }),
            false => Err(Error::NonFinite { what: "the loss along the flow" }),
        }
    }

    fn go(&mut self, ends: &Ends, root: &[f64], dt: f64) -> Result<()> {
        let inverse: Vec<f64> = root.iter().map(|d| 1.0 / d).collect();
        // In the coordinates P^1/2 w.
        let parts = |factor: f64, x: &[f64], by: &[f64]| -> Vec<f64> {
            x.iter().zip(by).map(|(x, by)| factor * x * by).collect()
        };
        let (kept, new) = ((1.0 - 2.0 * dt).sqrt(), (0.5 * dt).sqrt());
        let mut columns: Vec<Vec<f64>> =
            self.rods.iter().map(|rod| parts(kept, rod, &inverse)).collect();
        columns.push(parts(new, &ends.mean, root));
        columns.extend(ends.halves.iter().map(|half| parts(new, half, root)));
        let n = columns.len();
        let gram: Vec<f64> = (0..n * n).map(|at| dot(&columns[at / n], &columns[at % n])).collect();
        let eigen = symmetric_eigen(n, &gram)?;
        let least = NOTHING * norm(&self.theta).max(1.0);
        let largest = (0..n).rev().take(self.most);
        self.rods = largest
            .map(|at| {
                let mut rod = vec![0.0; root.len()];
                eigen.vector(at).iter().zip(&columns).for_each(|(q, z)| axpy(&mut rod, *q, z));
                scaled(&rod, root)
            })
            .filter(|rod| norm(rod) > least)
            .collect();
        let moves = self.theta.iter_mut().zip(&ends.mean).zip(&ends.product).zip(root);
        moves.for_each(|(((w, g), h), d)| *w -= dt * d * d * (g + 0.5 * h));
        if self.law.is_preconditioned() {
            let square = |i: usize| {
                ends.mean[i].powi(2) + ends.halves.iter().map(|half| half[i].powi(2)).sum::<f64>()
            };
            self.law.follow(&mut self.nu, dt, square);
        }
        Ok(())
    }
}

impl Flow for RodFlow {
    fn step(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<FlowPoint> {
        check_length("parameter vector", self.theta.len(), objective.dim())?;
        let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
        let here = self.top.measure(objective, &self.theta, &root)?;
        self.spent += here.products + 1;
        let mut point = point(&self.theta, &here, Vec::new());
        let dt = 1.0 / SUBSTEPS as f64;
        let (mut gradient, mut loss) = (here.at.gradient, here.at.evaluation.loss);
        for substep in 0..SUBSTEPS {
            if substep > 0 {
                objective.set_parameters(&self.theta)?;
                let at = objective.gradient(Samples::All)?;
                (gradient, loss) = (at.gradient, at.evaluation.loss);
                self.spent += 1;
            }
            let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
            let ends = self.ends(objective, &root, &gradient, loss)?;
            if substep == 0 {
                point.expected_loss = ends.loss;
                point.oscillations = oscillations(&self.rods, &ends, &root);
                point.products = std::mem::take(&mut self.spent);
            }
            self.go(&ends, &root, dt)?;
        }
        Ok(point)
    }
}

/// Each rod as an oscillation: along d/|d| in the coordinates P^1/2 w, with the variance |d|^2.
fn oscillations(rods: &[Vec<f64>], ends: &Ends, root: &[f64]) -> Vec<Oscillation> {
    let of = |(rod, half): (&Vec<f64>, &Vec<f64>)| {
        let scaled: Vec<f64> = rod.iter().zip(root).map(|(x, d)| x / d).collect();
        let length = norm(&scaled);
        let covector = scaled.iter().zip(root).map(|(x, d)| x / (length * d)).collect();
        Oscillation {
            variance: length * length,
            covector,
            curvature: dot(rod, half) / (length * length),
        }
    };
    rods.iter().zip(&ends.halves).map(of).collect()
}
