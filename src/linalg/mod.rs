//! Eigenvalues of symmetric operators, known only by their products with vectors.
//!
//! Vectors live on the host in double precision, which keeps orthogonality sound. Nothing here
//! knows of networks, of losses or of burn.

mod dense;
mod lanczos;
mod operator;
mod vector;

pub use dense::{EigenDecomposition, symmetric_eigen, tridiagonal_eigen};
pub use lanczos::{EigenPair, Lanczos, LanczosOutcome, StopReason};
pub use operator::{DenseOperator, SymmetricOperator};
pub use vector::{dot, norm, random_unit_vector};
