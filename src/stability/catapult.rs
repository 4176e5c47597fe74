//! Spikes after which the sharpness is lower.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::checks::{at_least, share};
use super::trend::median;
use super::{Context, Detector, Spike};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// Which spike is a catapult.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CatapultSettings {
    /// A spike is a catapult if the sharpness after it is at most this share of that before.
    pub catapult_share: f64,
    /// Measurements whose median is the sharpness before it.
    pub catapult_rows: usize,
}

impl Default for CatapultSettings {
    fn default() -> Self {
        Self { catapult_share: 0.9, catapult_rows: 3 }
    }
}

impl CatapultSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        share("catapult_share", self.catapult_share)?;
        at_least("catapult_rows", self.catapult_rows, 1)
    }
}

/// Compares the sharpness before and after spikes.
#[derive(Debug, Clone)]
pub(super) struct Catapults {
    settings: CatapultSettings,
    /// The latest measurements outside of spikes.
    before: VecDeque<f64>,
    /// Those since the spike under way began, each with its step.
    since: Vec<(usize, f64)>,
    /// A recovered spike with no measurement after it yet.
    waiting: Option<Spike>,
}

impl Catapults {
    pub fn new(settings: &CatapultSettings) -> Self {
        Self {
            settings: settings.clone(),
            before: VecDeque::new(),
            since: Vec::new(),
            waiting: None,
        }
    }

    /// Keeps the row's measurement, if it has one.
    fn keep(&mut self, row: &StepRow, context: &Context) {
        let measured = row.operator_sharpness().filter(|sharpness| sharpness.is_finite());
        let Some(sharpness) = measured else { return };
        if context.in_spike || context.ended_spike.is_some() || self.waiting.is_some() {
            self.since.push((row.step, sharpness));
            return;
        }
        if self.before.len() == self.settings.catapult_rows {
            self.before.pop_front();
        }
        self.before.push_back(sharpness);
    }

    fn seen(&mut self, row: &StepRow, context: &Context) -> Option<EventKind> {
        self.keep(row, context);
        if context.in_spike {
            self.waiting = None;
            return None;
        }
        let spike = context.ended_spike.clone().or(self.waiting.take())?;
        let Some(end) = spike.end else {
            self.since.clear();
            return None;
        };
        let after = self.since.iter().filter(|(step, _)| *step >= end).map(|(_, s)| *s);
        let after: Vec<f64> = after.collect();
        let Some(sharpness_after) = median(after.iter().copied()) else {
            self.waiting = Some(spike);
            return None;
        };
        let before = median(self.before.iter().copied());
        self.since.clear();
        let latest = after.len().saturating_sub(self.settings.catapult_rows);
        self.before = after[latest..].iter().copied().collect();
        let sharpness_before = before?;
        let lower = sharpness_after <= self.settings.catapult_share * sharpness_before;
        lower.then_some(EventKind::Catapult {
            start: spike.start,
            end,
            height: spike.height(),
            sharpness_before,
            sharpness_after,
        })
    }
}

impl Detector for Catapults {
    fn observe(&mut self, row: &StepRow, context: &Context) -> Vec<EventKind> {
        self.seen(row, context).into_iter().collect()
    }
}
