//! What a run is asked to do: [`Settings`] as given on the command line or in a JSON file, and
//! [`RunConfig`], the same with every default filled in and every value checked.

mod compare_settings;
mod product;
mod run_config;
mod settings;
mod values;

pub use compare_settings::{CompareSettings, Seeds};
pub(crate) use run_config::check_name;
pub use run_config::{BatchSize, RunConfig, Solver};
pub(crate) use settings::choice;
pub use settings::{ModelChoice, Settings};
pub use values::Values;
