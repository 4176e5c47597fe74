//! Logistic regression on points that are drawn here.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region};
use crate::error::Result;
use crate::rng::{self, Stream};

/// f(w) = mean of log(1 + exp(-m_i)) + r/2 |w|^2, with the margins m_i = y_i w'x_i of N points in two classes,
/// y = 1 and -1 in turn, normal about y s (1, ..., 1)/sqrt(P).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logistic {
    /// Number P of features and of weights.
    pub dimension: usize,
    /// Number N of points.
    pub points: usize,
    /// Distance s of each class from the origin.
    pub separation: f64,
    /// The ridge r.
    pub regularization: f64,
    /// The seed of the points.
    pub seed: u64,
}

impl Default for Logistic {
    fn default() -> Self {
        Self { dimension: 2, points: 100, separation: 1.0, regularization: 0.01, seed: 0 }
    }
}

impl Logistic {
    /// y_i x_i, one row after the other.
    fn signed_points(&self) -> Vec<f64> {
        let rng = &mut rng::stream(self.seed, Stream::Generation);
        let middle = self.separation / (self.dimension as f64).sqrt();
        let mut rows = Vec::with_capacity(self.points * self.dimension);
        for point in 0..self.points {
            let y = if point % 2 == 0 { 1.0 } else { -1.0 };
            for _ in 0..self.dimension {
                let z: f64 = StandardNormal.sample(rng);
                rows.push(y * (y * middle + z));
            }
        }
        rows
    }
}

impl Facts for Logistic {
    fn about(&self) -> &'static str {
        "mean log(1 + exp(-y_i w'x_i)) + r/2 |w|^2 over drawn points: convex, Hessian mean s(1 - s) xx' + r"
    }

    fn check(&self) -> Result<()> {
        check::size("dimension", self.dimension, 1)?;
        check::size("points", self.points, 1)?;
        check::size("points times dimension", self.points.saturating_mul(self.dimension), 1)?;
        check::finite("separation", self.separation)?;
        check::not_negative("regularization", self.regularization)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.dimension)
    }

    fn constants(&self) -> Vec<f64> {
        self.signed_points()
    }

    fn region(&self) -> Region {
        Region::about_zero(self.dimension, 1.0)
    }
}

impl Formula for Logistic {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, constants: Tensor<B, 1>) -> Tensor<B, 1> {
        let rows = constants.reshape([self.points, self.dimension]);
        let margins = rows.matmul(x.clone().reshape([self.dimension, 1]));
        let loss = softplus(-margins.flatten::<1>(0, 1)).sum() * (1.0 / self.points as f64);
        loss + x.square().sum() * (0.5 * self.regularization)
    }
}

/// log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)), with the derivatives at 0 those of one branch: max and abs
/// would both give it 0 there.
fn softplus<B: Backend>(z: Tensor<B, 1>) -> Tensor<B, 1> {
    let below = z.clone().lower_elem(0.0);
    let positive = z.clone().mask_fill(below, 0.0);
    let minus_abs = z - positive.clone() * 2.0;
    positive + minus_abs.exp().log1p()
}
