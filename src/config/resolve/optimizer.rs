//! The optimizer and its numbers.

use super::one;
use crate::config::Settings;
use crate::error::Result;
use crate::optim::{Hyperparameters, OptimizerSpec};

/// The optimizer that the settings describe.
pub(in crate::config) fn optimizer(settings: &Settings) -> Result<OptimizerSpec> {
    let name = one("--optimizer", &settings.optimizer)?;
    let base = one("--base", &settings.base)?;
    let given = settings.numbers.over(Hyperparameters { base, ..Hyperparameters::NONE }, one)?;
    let spec = OptimizerSpec::resolve(name.as_deref().unwrap_or(OptimizerSpec::DEFAULT), given)?;
    Ok(OptimizerSpec { clip_norm: settings.clip_norm, ..spec })
}
