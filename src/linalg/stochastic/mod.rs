//! Spectral densities and traces from random probes.

mod bracket;
mod density;
mod stated;
mod trace;

pub use bracket::Recurrence;
pub use density::{Quadrature, SpectralDensity, StochasticLanczos};
pub use stated::Share;
pub use trace::{HutchPlusPlus, Hutchinson, TraceEstimate, exact_trace};
