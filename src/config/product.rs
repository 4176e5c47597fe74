//! The product of a comparison's settings.

use super::setting::{Setting, Visit, Visitor};
use super::{BatchSize, Settings, Value, Values, flag};
use crate::error::{Error, Result};
use crate::optim::{NUMBERS, OptimizerSpec, ScheduleKind};

impl Settings {
    /// Every combination of the values given, each with one value for each setting, in the order
    /// given: the optimizer varies slowest. A flag that some optimizers do not take is left out for
    /// those, so that no combination comes twice.
    ///
    /// # Errors
    /// [`Error::Setting`] for an empty list and for too many combinations; [`Error::UnknownName`] for an
    /// unknown optimizer.
    pub fn product(&self) -> Result<Vec<Settings>> {
        self.clone().visit(&mut NotEmpty)?;
        let mut all = spread(vec![self.clone()], |s| &mut s.optimizer)?;
        keep_where(&mut all, |s| &mut s.base, |s| takes(s, "base"))?;
        let mut all = spread(all, |s| &mut s.base)?;
        for (place, number) in NUMBERS.iter().enumerate() {
            keep_where(&mut all, |s| s.numbers.at(place), |s| takes(s, number.name))?;
        }
        keep_where(&mut all, |s| &mut s.perturbed_sharpness, |s| takes(s, "rho"))?;
        let mut all = spread(all, |s| &mut s.lr)?;
        for place in 0..NUMBERS.len() {
            all = spread(all, |s| s.numbers.at(place))?;
        }
        let mut all = spread(all, |s| &mut s.batch_size)?;
        keep_where(&mut all, |s| &mut s.sharpness_batches, |s| Ok(batched(s)))?;
        let mut all = spread(all, |s| &mut s.schedule)?;
        let steps_down = |s: &Settings| Ok(schedule(s) == ScheduleKind::Step);
        keep_where(&mut all, |s| &mut s.final_lr, |s| Ok(schedule(s).has_final()))?;
        keep_where(&mut all, |s| &mut s.decay_factor, steps_down)?;
        keep_where(&mut all, |s| &mut s.decay_every, |s| Ok(schedule(s).repeats()))?;
        keep_where(&mut all, |s| &mut s.edge_target, |s| Ok(schedule(s).seeks()))?;
        spread(all, |s| &mut s.warmup)
    }

    /// The first setting that is given and has no part in the product: neither the optimizer and its
    /// numbers nor the learning rate.
    pub(crate) fn beside_optimizer(&self) -> Option<&'static str> {
        self.clone().visit(&mut OptimizerOnly).err()
    }
}

/// Most combinations.
const MOST: usize = 10_000;

/// One settings for each value of a setting.
fn spread<T: Clone>(
    mut all: Vec<Settings>,
    values: impl Fn(&mut Settings) -> &mut Option<Values<T>>,
) -> Result<Vec<Settings>> {
    let several =
        |settings: &mut Settings| values(settings).as_ref().map_or(1, |values| values.0.len());
    let count = all.iter_mut().map(several).fold(0, usize::saturating_add);
    if count > MOST {
        let shown = format!("{count} combinations");
        let remedy = format!("ask for at most {MOST}");
        return Err(Error::setting("comparison", shown, "more than can be meant", remedy));
    }
    let each = |mut settings: Settings| {
        let Some(Values(several)) = values(&mut settings).take() else { return vec![settings] };
        let with = |value| {
            let mut one = settings.clone();
            *values(&mut one) = Some(Values(vec![value]));
            one
        };
        several.into_iter().map(with).collect()
    };
    Ok(all.into_iter().flat_map(each).collect())
}

/// Clears a setting in those that do not take it, unless none takes it: then the flag is a mistake,
/// and is left for [`super::RunConfig::resolve`] to complain about.
fn keep_where<T>(
    all: &mut [Settings],
    value: impl Fn(&mut Settings) -> &mut Option<T>,
    takes: impl Fn(&Settings) -> Result<bool>,
) -> Result<()> {
    if all.iter_mut().all(|settings| value(settings).is_none()) {
        return Ok(());
    }
    let taken = all.iter().map(takes).collect::<Result<Vec<bool>>>()?;
    if taken.contains(&true) {
        let others = all.iter_mut().zip(taken).filter(|(_, taken)| !taken);
        others.for_each(|(settings, _)| *value(settings) = None);
    }
    Ok(())
}

fn first<T: Clone>(values: &Option<Values<T>>) -> Option<T> {
    values.as_ref().and_then(|values| values.0.first().cloned())
}

fn takes(settings: &Settings, hyperparameter: &str) -> Result<bool> {
    let name = first(&settings.optimizer);
    let name = name.as_deref().unwrap_or(OptimizerSpec::DEFAULT);
    OptimizerSpec::takes(name, first(&settings.base), hyperparameter)
}

fn batched(settings: &Settings) -> bool {
    first(&settings.batch_size).is_some_and(|BatchSize(samples)| samples.is_some())
}

fn schedule(settings: &Settings) -> ScheduleKind {
    first(&settings.schedule).unwrap_or_default()
}

/// Refuses lists of no values.
struct NotEmpty;

impl Visitor for NotEmpty {
    type Error = Error;

    fn setting<T: Value>(&mut self, setting: &Setting<'_, T>, value: &mut Option<T>) -> Result<()> {
        if value.as_ref().is_some_and(Value::is_empty) {
            let remedy = "give one value or more, or leave it out";
            return Err(Error::setting(flag(setting.name), "[]", "nothing to compare", remedy));
        }
        Ok(())
    }
}

/// Ends at what belongs to no optimizer.
struct OptimizerOnly;

impl Visitor for OptimizerOnly {
    type Error = &'static str;

    fn setting<T: Value>(
        &mut self,
        setting: &Setting<'_, T>,
        value: &mut Option<T>,
    ) -> std::result::Result<(), &'static str> {
        let belongs = T::SEVERAL || matches!(setting.heading, Some("Optimizer" | "Learning rate"));
        match value {
            Some(_) if !belongs => Err(setting.name),
            _ => Ok(()),
        }
    }
}
