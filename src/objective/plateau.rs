//! A plateau: saturated units far from a minimum.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region};
use crate::error::Result;

/// f(x) = 1/(2P) sum of tanh(x_i)^2, whose gradient falls as exp(-2|x|).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plateau {
    /// Number P of variables.
    pub dimension: usize,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { dimension: 2 }
    }
}

impl Facts for Plateau {
    fn about(&self) -> &'static str {
        "1/(2P) sum tanh(x_i)^2: flat far from its minimum at 0"
    }

    fn check(&self) -> Result<()> {
        check::size("dimension", self.dimension, 1)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.dimension)
    }

    /// On the plateau.
    fn region(&self) -> Region {
        Region { center: vec![3.0; self.dimension], half_width: 0.5 }
    }
}

impl Formula for Plateau {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        x.tanh().square().sum() * (0.5 / self.dimension as f64)
    }
}
