//! A saddle whose Hessian is zero.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region, variable};
use crate::error::Result;

/// f(x, y) = x^3 - 3 x y^2 + c/4 (x^2 + y^2)^2 + d. With c > 0 there are minima at radius 3/c in the three
/// directions with cos(3 angle) = -1, and d makes them 0: d = 27/(4 c^3). With c = 0 there is no bottom, and d = 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MonkeySaddle {
    /// The confinement c.
    pub confinement: f64,
}

impl Default for MonkeySaddle {
    fn default() -> Self {
        Self { confinement: 3.0 }
    }
}

impl MonkeySaddle {
    /// The value d at the saddle.
    fn height(&self) -> f64 {
        match self.confinement {
            0.0 => 1.0,
            c => 27.0 / (4.0 * c.powi(3)),
        }
    }
}

impl Facts for MonkeySaddle {
    fn about(&self) -> &'static str {
        "x^3 - 3xy^2 + c/4 (x^2 + y^2)^2 + d: a saddle at 0 whose Hessian is 0, three minima at radius 3/c"
    }

    fn check(&self) -> Result<()> {
        check::not_negative("confinement", self.confinement)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(2)
    }

    fn region(&self) -> Region {
        Region::about_zero(2, 1.0)
    }
}

impl Formula for MonkeySaddle {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let (first, second) = (variable(&x, 0), variable(&x, 1).square());
        let square = first.clone().square();
        let saddle = first * (square.clone() - second.clone() * 3.0);
        saddle + (square + second).square() * (0.25 * self.confinement) + self.height()
    }
}
