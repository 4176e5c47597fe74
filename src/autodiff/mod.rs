//! A loss over a burn module's parameters, differentiated once and twice.
//!
//! [`Task`] says what is differentiated, on any backend; [`ModuleObjective`] differentiates it by
//! nested autodiff on one backend; [`Objective`] is what the rest of the crate sees of it: flat
//! parameter vectors on the host, in double precision, and no tensor.

mod determinism;
mod flatten;
mod layout;
mod nested;
mod objective;
mod output_product;
mod parameters;
mod placement;
mod task;

pub use determinism::check_determinism;
pub use flatten::flat_parameters;
pub use layout::{ParameterEntry, ParameterLayout};
pub use nested::ModuleObjective;
pub use objective::{Evaluation, GradientEvaluation, Objective, Samples};
pub use output_product::OutputMatrix;
pub use placement::{Placement, Precision};
pub use task::{Likelihood, Task};
