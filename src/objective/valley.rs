//! A curved valley of minima.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region, rest, variable};
use crate::error::Result;

/// f(x) = a/2 sum of (x_i - c x_1^2)^2 over i > 1: zero on a curve, along which the sharpness varies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Valley {
    /// Number of variables.
    pub dimension: usize,
    /// The curvature a across the valley at its lowest point.
    pub stiffness: f64,
    /// How the valley bends, c.
    pub bend: f64,
}

impl Default for Valley {
    fn default() -> Self {
        Self { dimension: 2, stiffness: 1.0, bend: 1.0 }
    }
}

impl Facts for Valley {
    fn about(&self) -> &'static str {
        "a/2 sum_{i>1} (x_i - c x_1^2)^2: a curve of minima, one zero eigenvalue on it"
    }

    fn check(&self) -> Result<()> {
        check::size("dimension", self.dimension, 2)?;
        check::positive("stiffness", self.stiffness)?;
        check::finite("bend", self.bend)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.dimension)
    }

    fn region(&self) -> Region {
        Region::about_zero(self.dimension, 1.5)
    }
}

impl Formula for Valley {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let bottom = variable(&x, 0).square() * self.bend;
        (rest(&x, 1) - bottom).square().sum() * (0.5 * self.stiffness)
    }
}
