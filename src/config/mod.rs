//! What a run is asked to do: [`Settings`] as given on the command line or in a JSON file, and
//! [`RunConfig`], the same with every default filled in and every value checked.
//!
//! A setting is written once, in the table of [`Settings`]: its name, type, help and range. Flags,
//! the keys of a config, merging and checks come from there.

mod batch_size;
mod classes;
mod compare_settings;
mod model_choice;
mod numbers;
mod objective_choice;
mod place;
mod product;
mod quantities;
mod resolve;
mod run_config;
mod seeds;
mod setting;
mod settings;
mod start;
mod test_set;
mod value;
mod values;

pub(crate) use crate::error::flag;
pub use crate::linalg::Solver;
pub use batch_size::BatchSize;
pub use compare_settings::CompareSettings;
pub use model_choice::ModelChoice;
pub use numbers::Numbers;
pub use objective_choice::ObjectiveChoice;
pub use place::Place;
pub use quantities::Quantities;
pub use run_config::RunConfig;
pub use seeds::Seeds;
pub(crate) use setting::{Setting, Visit, Visitor};
pub use settings::Settings;
pub use start::StartPoint;
pub use test_set::TestSet;
pub use value::TargetColumn;
pub(crate) use value::{Form, Value};
pub use values::Values;
