//! Curvature of a loss at one point: the Hessian as an operator, and its extreme eigenvalues with
//! their residuals.

mod hessian;
mod meter;

pub use hessian::Hessian;
pub use meter::{Curvature, CurvatureMeter};
