//! Curvature of a loss at one point: the Hessian as an operator, alone or preconditioned, and its
//! extreme eigenvalues with their residuals; the curvature along minibatch gradients; and how curvature changes
//! with the parameters.

mod batch_sharpness;
mod flatness;
mod generalized;
mod groups;
mod meter;
mod metric;
mod operator;
mod spectrum;
mod third_derivative;
mod tracking;

pub use batch_sharpness::{BatchCurvature, BatchSharpness};
pub use flatness::{Flatness, FlatnessSettings, flatness, rescale};
pub use generalized::{Generalized, MatrixOfParameters, UnitBall, shares};
pub use groups::{Group, groups, named_group};
pub use meter::{Curvature, CurvatureMeter};
pub use metric::Metric;
pub use operator::{Block, CurvatureOperator, Hessian, Matrix, Preconditioned};
pub use spectrum::{Ends, GroupSpectrum, Masses, Spectrum, SpectrumMeter};
pub use third_derivative::{CurvatureGradients, DifferenceStep, curvature_gradients};
pub use tracking::{Followed, Probed, Repair, Tracking};
