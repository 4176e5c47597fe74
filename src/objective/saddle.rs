//! A saddle without bottom.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::check;
use super::formula::{Blocks, Facts, Formula, Region};
use super::quadratic::form;
use crate::error::Result;

/// f(x) = c + 1/2 sum of l_i x_i^2 with negative l among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saddle {
    /// The eigenvalues l of the Hessian, one of them negative.
    pub spectrum: Vec<f64>,
    /// The value c at the saddle: shares of the loss have a meaning near it where that is above 0.
    pub offset: f64,
}

impl Default for Saddle {
    fn default() -> Self {
        Self { spectrum: vec![1.0, -0.1], offset: 1.0 }
    }
}

impl Facts for Saddle {
    fn about(&self) -> &'static str {
        "c + 1/2 sum l_i x_i^2 with some l_i < 0: a saddle at 0, and no bottom"
    }

    fn check(&self) -> Result<()> {
        check::numbers("spectrum", &self.spectrum, 2)?;
        check::finite("offset", self.offset)?;
        let shown = || format!("{:?}", self.spectrum);
        if self.spectrum.iter().all(|&l| l >= 0.0) {
            let remedy = "give a negative one, or take quadratic";
            return check::refuse("spectrum", shown(), "no direction goes down", remedy);
        }
        if self.spectrum.iter().all(|&l| l <= 0.0) {
            let remedy = "give a positive one, or take quadratic";
            return check::refuse("spectrum", shown(), "no direction goes up", remedy);
        }
        Ok(())
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.spectrum.len())
    }

    fn constants(&self) -> Vec<f64> {
        self.spectrum.clone()
    }

    fn region(&self) -> Region {
        Region::about_zero(self.spectrum.len(), 1.0)
    }
}

impl Formula for Saddle {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, constants: Tensor<B, 1>) -> Tensor<B, 1> {
        form(x, constants) + self.offset
    }
}
