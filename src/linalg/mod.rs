//! Eigenvalues of symmetric operators, known only by their products with vectors.
//!
//! Vectors live on the host in double precision, which keeps orthogonality sound. Nothing here
//! knows of networks, of losses or of burn.

mod davidson;
mod dense;
mod estimate;
mod jacobi;
mod lanczos;
mod operator;
mod solver;
mod stochastic;
mod vector;

pub use davidson::{AUDIT_EVERY, Audit, Secant, Tracked, Tracker, TrackerSettings};
pub use dense::{EigenDecomposition, symmetric_eigen, tridiagonal_eigen};
pub(crate) use dense::{solve, spectral_radius};
pub use estimate::{Estimate, skewed_quantile, student};
pub use lanczos::{EigenPair, Lanczos, LanczosOutcome, StopReason};
pub use operator::{DenseOperator, SymmetricOperator, each_column};
pub use solver::{EigenSolver, Extremes, Follow, FollowMemory, Following, Method, Solver};
pub use stochastic::{
    HutchPlusPlus, Hutchinson, Quadrature, Recurrence, Share, SpectralDensity, StochasticLanczos,
    TraceEstimate, exact_trace,
};
pub(crate) use vector::axpy;
pub use vector::{dot, norm, rademacher_vector, random_unit_vector, random_unit_vectors};
