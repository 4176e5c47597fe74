//! The learning rate and its schedule.

use super::one;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::names::all_of;
use crate::optim::{OptimizerSpec, ScheduleKind, help};

/// The learning rate over the steps; what the schedule does not take is `None`.
pub(in crate::config) struct Rate {
    pub lr: f64,
    pub schedule: ScheduleKind,
    pub warmup: usize,
    pub final_lr: Option<f64>,
    pub decay_factor: Option<f64>,
    pub decay_every: Option<usize>,
}

impl Rate {
    /// That of a run of `steps` updates.
    pub fn resolve(settings: &Settings, optimizer: &OptimizerSpec, steps: usize) -> Result<Self> {
        let schedule = one("--schedule", &settings.schedule)?.unwrap_or_default();
        let falls = schedule.falls();
        let steps_down = schedule == ScheduleKind::Step;
        only_with(falls, "--final-lr", settings.final_lr, &all_of(&help::falling()))?;
        only_with(steps_down, "--decay-factor", settings.decay_factor, "step")?;
        only_with(steps_down, "--decay-every", settings.decay_every, "step")?;
        Ok(Self {
            lr: one("--lr", &settings.lr)?.unwrap_or_else(|| optimizer.default_lr()),
            schedule,
            warmup: one("--warmup", &settings.warmup)?.unwrap_or(0),
            final_lr: falls.then(|| settings.final_lr.unwrap_or(0.0)),
            decay_factor: steps_down.then(|| settings.decay_factor.unwrap_or(0.1)),
            decay_every: steps_down.then(|| settings.decay_every.unwrap_or_else(|| third(steps))),
        })
    }
}

/// Rounded up: rounded down, a third fall would come with the last step or two of a run.
fn third(steps: usize) -> usize {
    steps.div_ceil(3).max(1)
}

fn only_with(
    takes: bool,
    flag: &str,
    value: Option<impl std::fmt::Debug>,
    schedules: &str,
) -> Result<()> {
    match value {
        Some(value) if !takes => {
            let remedy = format!("those that do: {schedules} (--schedule)");
            let problem = "this schedule does not take it";
            Err(Error::setting(flag, format!("{value:?}"), problem, remedy))
        }
        _ => Ok(()),
    }
}
