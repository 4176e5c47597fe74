//! Rosenbrock's banana, chained over the variables.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region, rest};
use crate::error::Result;

/// f(x) = sum of b (x_{i+1} - x_i^2)^2 + (1 - x_i)^2 (Rosenbrock 1960).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rosenbrock {
    /// Number of variables.
    pub dimension: usize,
    /// The stiffness b.
    pub stiffness: f64,
}

impl Default for Rosenbrock {
    fn default() -> Self {
        Self { dimension: 2, stiffness: 100.0 }
    }
}

impl Facts for Rosenbrock {
    fn about(&self) -> &'static str {
        "sum b (x_{i+1} - x_i^2)^2 + (1 - x_i)^2: a curved, ill-conditioned valley to (1, ..., 1)"
    }

    fn check(&self) -> Result<()> {
        check::size("dimension", self.dimension, 2)?;
        check::positive("stiffness", self.stiffness)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.dimension)
    }

    fn region(&self) -> Region {
        Region::about_zero(self.dimension, 1.5)
    }
}

impl Formula for Rosenbrock {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let head = x.clone().narrow(0, 0, self.dimension - 1);
        let gap = rest(&x, 1) - head.clone().square();
        gap.square().sum() * self.stiffness + (-head + 1.0).square().sum()
    }
}
