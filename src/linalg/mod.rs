//! Eigenvalues of symmetric operators, known only by their products with vectors.
//!
//! Vectors live on the host in double precision, which keeps orthogonality sound. Nothing here
//! knows of networks, of losses or of burn.

mod block_krylov;
mod bracket;
mod dense;
mod density;
mod estimate;
mod frame;
mod krylov;
mod lanczos;
mod model;
mod operator;
mod space;
mod stated;
mod trace;
mod tracker;
mod vector;

pub use bracket::Recurrence;
pub use dense::{EigenDecomposition, symmetric_eigen, tridiagonal_eigen};
pub use density::{Quadrature, SpectralDensity, StochasticLanczos};
pub use estimate::{Estimate, skewed_quantile, student};
pub use lanczos::{EigenPair, Lanczos, LanczosOutcome, StopReason};
pub use operator::{DenseOperator, SymmetricOperator, each_column};
pub use stated::Share;
pub use trace::{HutchPlusPlus, Hutchinson, TraceEstimate, exact_trace};
pub use tracker::{AUDIT_EVERY, Audit, Products, Secant, Tracked, Tracker, TrackerSettings};
pub use vector::{dot, norm, rademacher_vector, random_unit_vector, random_unit_vectors};
