//! The product of two layers of one output: the smallest deep linear network.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region};
use crate::error::Result;

/// f(u, v) = 1/2 (u'v - t)^2. Scaling u by c and v by 1/c changes nothing; at a minimum the sharpness is
/// |u|^2 + |v|^2, at least 2 |t|, and all other eigenvalues are 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uv {
    /// Length of u and of v.
    pub width: usize,
    /// What the product is to be, t.
    pub target: f64,
}

impl Default for Uv {
    fn default() -> Self {
        Self { width: 1, target: 1.0 }
    }
}

impl Facts for Uv {
    fn about(&self) -> &'static str {
        "(u'v - t)^2/2: unchanged by u to cu, v to v/c; sharpness |u|^2 + |v|^2 at a minimum"
    }

    fn check(&self) -> Result<()> {
        check::size("width", self.width, 1)?;
        check::finite("target", self.target)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Factors([1, self.width], [1, self.width])
    }

    fn region(&self) -> Region {
        Region::about_zero(2 * self.width, 2.0)
    }
}

impl Formula for Uv {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, _: Tensor<B, 1>) -> Tensor<B, 1> {
        let (u, v) = (x.clone().narrow(0, 0, self.width), x.narrow(0, self.width, self.width));
        ((u * v).sum() - self.target).square() * 0.5
    }
}
