//! The optimizer and its numbers.

use super::one;
use crate::config::{Settings, Values};
use crate::error::Result;
use crate::optim::{Hyperparameters, OptimizerSpec};

/// The optimizer that the settings describe.
pub(in crate::config) fn optimizer(settings: &Settings) -> Result<OptimizerSpec> {
    let name = one("--optimizer", &settings.optimizer)?;
    let number = |flag, values: &Option<Values<f64>>| one(flag, values);
    let given = Hyperparameters {
        base: one("--base", &settings.base)?,
        momentum: number("--momentum", &settings.momentum)?,
        beta1: number("--beta1", &settings.beta1)?,
        beta2: number("--beta2", &settings.beta2)?,
        eps: number("--eps", &settings.eps)?,
        rho: number("--rho", &settings.rho)?,
        weight_decay: number("--weight-decay", &settings.weight_decay)?,
    };
    OptimizerSpec::resolve(name.as_deref().unwrap_or("sgd"), given)
}
