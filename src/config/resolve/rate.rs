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
    pub edge_target: Option<f64>,
    pub swa_start: Option<usize>,
    pub swa_lr: Option<f64>,
}

impl Rate {
    /// That of a run of `steps` updates.
    pub fn resolve(settings: &Settings, optimizer: &OptimizerSpec, steps: usize) -> Result<Self> {
        let schedule = averaging(settings, steps)?;
        let falls = schedule.has_final();
        let repeats = schedule.repeats();
        let seeks = schedule.seeks();
        let seeking: Vec<_> = ScheduleKind::ALL.into_iter().filter(|kind| kind.seeks()).collect();
        only_with(seeks, "--edge-target", settings.edge_target, &all_of(&seeking))?;
        if seeks {
            can_seek(schedule, optimizer, settings.every)?;
        }
        let steps_down = schedule == ScheduleKind::Step;
        only_with(falls, "--final-lr", settings.final_lr, &all_of(&help::falling()))?;
        only_with(steps_down, "--decay-factor", settings.decay_factor, "step")?;
        only_with(repeats, "--decay-every", settings.decay_every, "step and cyclic")?;
        Ok(Self {
            lr: one("--lr", &settings.lr)?.unwrap_or_else(|| optimizer.default_lr()),
            schedule,
            warmup: one("--warmup", &settings.warmup)?.unwrap_or(0),
            final_lr: falls.then(|| settings.final_lr.unwrap_or(0.0)),
            decay_factor: steps_down.then(|| settings.decay_factor.unwrap_or(0.1)),
            edge_target: seeks.then(|| settings.edge_target.unwrap_or(1.0)),
            decay_every: repeats.then(|| settings.decay_every.unwrap_or_else(|| third(steps))),
            swa_start: settings.swa_start,
            swa_lr: settings.swa_lr,
        })
    }
}

/// Rounded up: rounded down, a third fall would come with the last step or two of a run.
fn third(steps: usize) -> usize {
    steps.div_ceil(3).max(1)
}

/// Refuses a schedule that follows curvature where it is not measured at each step, or where it has no
/// threshold to follow it to.
fn can_seek(schedule: ScheduleKind, optimizer: &OptimizerSpec, every: Option<usize>) -> Result<()> {
    if let Some(every) = every.filter(|&every| every != 1) {
        let problem =
            format!("its rates follow the curvature of each step, and --every is {every}");
        return Err(Error::setting("--schedule", schedule, problem, "leave --every out"));
    }
    if optimizer.build().formula().is_none() {
        let problem =
            format!("its rates follow a stability threshold, and {optimizer} has none known");
        let remedy = "take another schedule, or an optimizer with a threshold (sharpscope list)";
        return Err(Error::setting("--schedule", schedule, problem, remedy));
    }
    Ok(())
}

/// The schedule, which is `swa` where weights are averaged at a rate of their own.
fn averaging(settings: &Settings, steps: usize) -> Result<ScheduleKind> {
    let wrong = |flag: &str, value: String, problem: &str, remedy: &str| {
        Err(Error::setting(flag, value, problem.to_string(), remedy.to_string()))
    };
    let given = one("--schedule", &settings.schedule)?;
    match (settings.swa_start, settings.swa_lr, given) {
        (Some(start), _, _) if start > steps => {
            let problem = format!("the run has {steps} steps");
            wrong("--swa-start", start.to_string(), &problem, "give a smaller number")
        }
        (None, Some(lr), _) => {
            let remedy = "give --swa-start too, or leave it out";
            wrong("--swa-lr", format!("{lr:?}"), "no weights are averaged", remedy)
        }
        (None, _, _) if settings.swa_every.is_some() => {
            let every = settings.swa_every.unwrap_or_default();
            let remedy = "give --swa-start too, or leave it out";
            wrong("--swa-every", every.to_string(), "no weights are averaged", remedy)
        }
        (_, None, Some(ScheduleKind::Swa)) => {
            let remedy = "give --swa-start and --swa-lr";
            wrong("--schedule", "swa".to_string(), "it leads over to averaging", remedy)
        }
        (_, Some(_), None | Some(ScheduleKind::Constant | ScheduleKind::Swa)) => {
            Ok(ScheduleKind::Swa)
        }
        (_, Some(lr), Some(other)) => {
            let problem = format!("--schedule {other} has rates of its own");
            wrong("--swa-lr", format!("{lr:?}"), &problem, "give one of the two")
        }
        (_, None, given) => Ok(given.unwrap_or_default()),
    }
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
