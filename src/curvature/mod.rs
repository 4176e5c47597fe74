//! Curvature of a loss at one point: the Hessian as an operator, alone or preconditioned, and its
//! extreme eigenvalues with their residuals; and the curvature along minibatch gradients.

mod batch_sharpness;
mod meter;
mod operator;
mod step;

pub use batch_sharpness::{BatchSharpness, Estimate};
pub use meter::{Curvature, CurvatureMeter};
pub use operator::{Hessian, Preconditioned};
pub use step::{Objectives, StepMeter, Update, threshold};
