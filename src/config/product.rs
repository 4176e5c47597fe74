//! The product of a comparison's settings.

use super::{Settings, Values};
use crate::error::{Error, Result};
use crate::optim::{OptimizerSpec, ScheduleKind};

/// One settings for each value of a field.
macro_rules! spread {
    ($all:expr, $field:ident) => {
        $all.into_iter()
            .flat_map(|settings: Settings| match settings.$field.clone() {
                None => vec![settings],
                Some(Values(values)) => values
                    .into_iter()
                    .map(|value| Settings { $field: Some(value.into()), ..settings.clone() })
                    .collect(),
            })
            .collect::<Vec<Settings>>()
    };
}

/// Clears a flag in those that do not take it, unless none takes it: then the flag is a mistake, and
/// is left for [`super::RunConfig::resolve`] to complain about.
macro_rules! keep_where_taken {
    ($all:expr, $field:ident, $takes:expr) => {
        if $all.iter().any(|settings| settings.$field.is_some()) {
            let taken = $all.iter().map($takes).collect::<Result<Vec<bool>>>()?;
            if taken.iter().any(|&taken| taken) {
                for (settings, taken) in $all.iter_mut().zip(taken) {
                    if !taken {
                        settings.$field = None;
                    }
                }
            }
        }
    };
}

impl Settings {
    /// Every combination of the values given, each with one value for each setting, in the order
    /// given: the optimizer varies slowest. A flag that some optimizers do not take is left out for
    /// those, so that no combination comes twice.
    ///
    /// # Errors
    /// [`Error::Setting`] for an empty list; [`Error::UnknownName`] for an unknown optimizer.
    pub fn product(&self) -> Result<Vec<Settings>> {
        self.check_not_empty()?;
        let all = spread!(vec![self.clone()], optimizer);
        let mut all = all;
        keep_where_taken!(all, base, |s| takes(s, "--base"));
        let mut all = spread!(all, base);
        keep_where_taken!(all, momentum, |s| takes(s, "--momentum"));
        keep_where_taken!(all, beta1, |s| takes(s, "--beta1"));
        keep_where_taken!(all, beta2, |s| takes(s, "--beta2"));
        keep_where_taken!(all, eps, |s| takes(s, "--eps"));
        keep_where_taken!(all, rho, |s| takes(s, "--rho"));
        keep_where_taken!(all, perturbed_sharpness, |s| takes(s, "--rho"));
        let all = spread!(all, lr);
        let all = spread!(all, momentum);
        let all = spread!(all, beta1);
        let all = spread!(all, beta2);
        let all = spread!(all, eps);
        let all = spread!(all, rho);
        let all = spread!(all, weight_decay);
        let mut all = spread!(all, batch_size);
        keep_where_taken!(all, sharpness_batches, |s: &Settings| Ok(batched(s)));
        let mut all = spread!(all, schedule);
        keep_where_taken!(all, final_lr, |s| Ok(schedule(s).falls()));
        keep_where_taken!(all, decay_factor, |s| Ok(schedule(s) == ScheduleKind::Step));
        keep_where_taken!(all, decay_every, |s| Ok(schedule(s) == ScheduleKind::Step));
        Ok(spread!(all, warmup))
    }

    fn check_not_empty(&self) -> Result<()> {
        fn empty<T>(values: &Option<Values<T>>) -> bool {
            values.as_ref().is_some_and(|values| values.0.is_empty())
        }
        let lists = [
            ("--optimizer", empty(&self.optimizer)),
            ("--base", empty(&self.base)),
            ("--lr", empty(&self.lr)),
            ("--momentum", empty(&self.momentum)),
            ("--beta1", empty(&self.beta1)),
            ("--beta2", empty(&self.beta2)),
            ("--eps", empty(&self.eps)),
            ("--rho", empty(&self.rho)),
            ("--weight-decay", empty(&self.weight_decay)),
            ("--batch-size", empty(&self.batch_size)),
            ("--schedule", empty(&self.schedule)),
            ("--warmup", empty(&self.warmup)),
        ];
        match lists.into_iter().find(|(_, empty)| *empty) {
            Some((flag, _)) => {
                let remedy = "give one value or more, or leave it out";
                Err(Error::setting(flag, "[]", "nothing to compare", remedy))
            }
            None => Ok(()),
        }
    }
}

fn first<T: Clone>(values: &Option<Values<T>>) -> Option<T> {
    values.as_ref().and_then(|values| values.0.first().cloned())
}

fn takes(settings: &Settings, flag: &str) -> Result<bool> {
    let name = first(&settings.optimizer).unwrap_or_else(|| "sgd".to_string());
    OptimizerSpec::takes(&name, first(&settings.base), flag)
}

fn batched(settings: &Settings) -> bool {
    first(&settings.batch_size).is_some_and(|size| size.0.is_some())
}

fn schedule(settings: &Settings) -> ScheduleKind {
    first(&settings.schedule).unwrap_or_default()
}
