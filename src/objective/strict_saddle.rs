//! A saddle between two minima.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region, rest, variable};
use crate::error::Result;

/// f(x) = 1/4 (x_1^2 - 1)^2 + a/2 sum of x_i^2 over i > 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrictSaddle {
    /// Number of variables.
    pub dimension: usize,
    /// The curvature a across.
    pub stiffness: f64,
}

impl Default for StrictSaddle {
    fn default() -> Self {
        Self { dimension: 2, stiffness: 4.0 }
    }
}

impl Facts for StrictSaddle {
    fn about(&self) -> &'static str {
        "1/4 (x_1^2 - 1)^2 + a/2 sum_{i>1} x_i^2: a saddle at 0 with -1, minima at x_1 = -1 and 1"
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

impl Formula for StrictSaddle {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let well = (variable(&x, 0).square() - 1.0).square() * 0.25;
        well + rest(&x, 1).square().sum() * (0.5 * self.stiffness)
    }
}
