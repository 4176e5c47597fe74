//! A loss over a burn module's parameters, differentiated once and twice.
//!
//! [`Task`] says what is differentiated, on any backend; [`ForwardObjective`] differentiates it by a
//! tape over tangents, [`ReverseObjective`] by two tapes; [`Objective`] is what the rest of the crate sees of it: flat
//! parameter vectors on the host, in double precision, and no tensor.

mod chunked;
mod determinism;
mod flatten;
mod forward_over_reverse;
mod layout;
mod linearised;
mod objective;
mod open;
mod output_product;
mod parameters;
mod reverse_over_reverse;
mod task;
mod watched;

pub use determinism::check_determinism;
pub use flatten::flat_parameters;
pub use forward_over_reverse::ForwardObjective;
pub use layout::{ParameterEntry, ParameterLayout};
pub use objective::{Evaluation, GradientEvaluation, Objective, Samples};
pub use output_product::OutputMatrix;
pub use reverse_over_reverse::ReverseObjective;
pub use task::{Likelihood, Task};
