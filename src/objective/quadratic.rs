//! A quadratic form with a spectrum of choice.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::formula::{Blocks, Facts, Formula, Region};
use super::rotation::{normals, rotated};
use super::{check, formula};
use crate::error::Result;

/// f(x) = 1/2 sum of l_i z_i^2, z = Qx, so that the Hessian is Q' diag(l) Q everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quadratic {
    /// The eigenvalues l of the Hessian.
    pub spectrum: Vec<f64>,
    /// The seed of the rotation Q; null for none.
    pub rotation: Option<u64>,
}

impl Default for Quadratic {
    fn default() -> Self {
        Self { spectrum: vec![10.0, 1.0], rotation: Some(0) }
    }
}

impl Facts for Quadratic {
    fn about(&self) -> &'static str {
        "1/2 sum l_i z_i^2, z = Qx: the Hessian has the spectrum l everywhere"
    }

    fn check(&self) -> Result<()> {
        check::numbers("spectrum", &self.spectrum, 1)
    }

    fn blocks(&self) -> Blocks {
        Blocks::Point(self.spectrum.len())
    }

    /// The spectrum, then the rotation's mirrors where there is one.
    fn constants(&self) -> Vec<f64> {
        let mirrors = self.rotation.map(|seed| normals(self.spectrum.len(), seed));
        [self.spectrum.clone(), mirrors.unwrap_or_default()].concat()
    }

    fn region(&self) -> Region {
        Region::about_zero(self.spectrum.len(), 2.0)
    }
}

impl Formula for Quadratic {
    fn value<B: Backend>(&self, x: Tensor<B, 1>, constants: Tensor<B, 1>) -> Tensor<B, 1> {
        let dimension = self.spectrum.len();
        let z = match self.rotation {
            Some(_) => rotated(x, &formula::rest(&constants, dimension)),
            None => x,
        };
        form(z, constants.narrow(0, 0, dimension))
    }
}

/// 1/2 sum of l_i z_i^2.
pub(super) fn form<B: Backend>(z: Tensor<B, 1>, spectrum: Tensor<B, 1>) -> Tensor<B, 1> {
    (z.square() * spectrum).sum() * 0.5
}
