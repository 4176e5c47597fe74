//! Progressive sharpening and self-stabilization in two variables.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region, variable};
use crate::error::Result;

/// f(x, y) = 1/2 x^2 y^2 + 1/2 (y - t)^2. On x = 0 the curvature across is y^2, and the descent of the second
/// term raises it to t^2; where it passes 2/eta, x grows and the first term pulls y down again. Gradient descent
/// with eta > 2/t^2 ends in the cycle y = sqrt(2/eta), x = +-sqrt((t - y)/y), where that is stable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quartic {
    /// Where y is drawn to, t.
    pub target: f64,
}

impl Default for Quartic {
    fn default() -> Self {
        Self { target: 3.0 }
    }
}

impl Facts for Quartic {
    fn about(&self) -> &'static str {
        "x^2 y^2/2 + (y - t)^2/2: sharpens to t^2, and stabilises itself at 2/lr"
    }

    fn check(&self) -> Result<()> {
        check::positive("target", self.target)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(2)
    }

    /// Below the target, where it is not sharp yet.
    fn region(&self) -> Region {
        Region { center: vec![0.0, self.target / 3.0], half_width: self.target / 10.0 }
    }
}

impl Formula for Quartic {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let (across, along) = (variable(&x, 0), variable(&x, 1));
        let product = across * along.clone();
        (product.square() + (along - self.target).square()) * 0.5
    }
}
