//! Objectives that are formulas: their derivatives, what runs of them do, and what is refused.

mod basins;
mod catapult;
mod derivatives;
mod facts;
mod program;
mod refusals;

use serde_json::{Value, json};
use sharpscope::config::{RunConfig, Settings};
use sharpscope::experiment::{Prepared, prepare};

/// A run of an objective on the CPU, ready to start.
pub fn opened(objective: &Value, more: Value) -> Prepared {
    let mut settings = json!({ "objective": objective, "backend": "cpu", "precision": "f64" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings: Settings = serde_json::from_value(settings).unwrap();
    prepare(RunConfig::resolve(settings).unwrap()).unwrap()
}
