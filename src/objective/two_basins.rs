//! Two minima of the same value, one sharp and one flat.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region, rest, variable};
use crate::error::Result;

/// f(x) = s/4 (x_1^2 - 1)^2 exp(b x_1) + a/2 sum of x_i^2 over i > 1, with s and b such that the curvature
/// along x_1 is `sharp` at x_1 = 1 and `flat` at x_1 = -1, where f is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TwoBasins {
    /// Number of variables.
    pub dimension: usize,
    /// The curvature at x_1 = 1.
    pub sharp: f64,
    /// The curvature at x_1 = -1.
    pub flat: f64,
    /// The curvature a across.
    pub stiffness: f64,
}

impl Default for TwoBasins {
    fn default() -> Self {
        Self { dimension: 2, sharp: 8.0, flat: 2.0, stiffness: 1.0 }
    }
}

impl Facts for TwoBasins {
    fn about(&self) -> &'static str {
        "s/4 (x_1^2 - 1)^2 exp(b x_1) + a/2 sum_{i>1} x_i^2: minima at x_1 = 1 (sharp) and -1 (flat)"
    }

    fn check(&self) -> Result<()> {
        check::size("dimension", self.dimension, 1)?;
        check::positive("sharp", self.sharp)?;
        check::positive("flat", self.flat)?;
        check::positive("stiffness", self.stiffness)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.dimension)
    }

    fn region(&self) -> Region {
        Region::about_zero(self.dimension, 1.5)
    }
}

impl Formula for TwoBasins {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let scale = 0.5 * (self.sharp * self.flat).sqrt();
        let tilt = 0.5 * (self.sharp / self.flat).ln();
        let along = variable(&x, 0);
        let wells = (along.clone().square() - 1.0).square() * (0.25 * scale);
        let value = wells * (along * tilt).exp();
        match self.dimension {
            1 => value,
            _ => value + rest(&x, 1).square().sum() * (0.5 * self.stiffness),
        }
    }
}
