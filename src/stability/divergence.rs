//! When training counts as diverged.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::checks::factor;
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// Default of [`DivergenceSettings::divergence_factor`].
pub const DIVERGENCE_FACTOR: f64 = 1e6;

/// A run that starts from fitted weights has a first loss near zero, of which no multiple is far away. So it
/// counts as this share of the loss of outputs that are all zero at least.
const LEAST_SHARE: f64 = 1e-3;

/// From where on training counts as diverged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DivergenceSettings {
    /// A loss of more than this many times the initial loss counts as divergence, finite or not
    /// ([`DIVERGENCE_FACTOR`]).
    pub divergence_factor: f64,
}

impl Default for DivergenceSettings {
    fn default() -> Self {
        Self { divergence_factor: DIVERGENCE_FACTOR }
    }
}

impl DivergenceSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the one that cannot.
    pub fn validate(&self) -> Result<()> {
        factor("divergence_factor", self.divergence_factor)
    }

    /// Why a run with this loss and gradient norm has diverged, if it has. Where the initial loss is
    /// not positive no loss is a multiple of it, and only a number that is not finite tells.
    pub fn reason(&self, loss: f64, grad_norm: f64, initial_loss: f64) -> Option<String> {
        let most = self.divergence_factor;
        if !loss.is_finite() {
            Some("the loss is not finite".to_string())
        } else if !grad_norm.is_finite() {
            Some("the gradient is not finite".to_string())
        } else if loss > most * initial_loss && initial_loss > 0.0 {
            Some(format!("the loss exceeds {most:e} times its initial value"))
        } else {
            None
        }
    }
}

impl DivergenceSettings {
    /// As [`DivergenceSettings::reason`], where the loss of outputs that are all zero is known: the initial loss
    /// then counts as a thousandth of it at least.
    pub fn reason_beside(
        &self,
        loss: f64,
        grad_norm: f64,
        initial_loss: f64,
        zero_output_loss: Option<f64>,
    ) -> Option<String> {
        let least = LEAST_SHARE * zero_output_loss.unwrap_or(0.0);
        if initial_loss.partial_cmp(&least) != Some(Ordering::Less) {
            return self.reason(loss, grad_norm, initial_loss);
        }
        let reason = self.reason(loss, grad_norm, least)?;
        let most = LEAST_SHARE * self.divergence_factor;
        Some(match loss > self.divergence_factor * least && loss.is_finite() {
            true => format!("the loss exceeds {most:e} times that of outputs that are all zero"),
            false => reason,
        })
    }
}

/// Why a run with this loss and gradient norm has diverged, if it has, by the default settings: see
/// [`DivergenceSettings::reason`].
pub fn divergence(loss: f64, grad_norm: f64, initial_loss: f64) -> Option<String> {
    DivergenceSettings::default().reason(loss, grad_norm, initial_loss)
}

/// Says once that a run has diverged.
#[derive(Debug, Clone)]
pub(super) struct Divergence {
    settings: DivergenceSettings,
    initial_loss: Option<f64>,
    diverged: bool,
}

impl Divergence {
    pub fn new(settings: &DivergenceSettings) -> Self {
        Self { settings: settings.clone(), initial_loss: None, diverged: false }
    }

    fn seen(&mut self, row: &StepRow, context: &Context) -> Option<EventKind> {
        if self.initial_loss.is_none() {
            self.initial_loss = row.train_loss.filter(|loss| loss.is_finite());
        }
        let initial = self.initial_loss.unwrap_or(0.0);
        let loss = row.train_loss.or(self.initial_loss).unwrap_or(0.0);
        let length = row.grad_norm.unwrap_or(0.0);
        let zero = context.zero_output_loss;
        let reason = self.settings.reason_beside(loss, length, initial, zero)?;
        if std::mem::replace(&mut self.diverged, true) {
            return None;
        }
        let train_loss = row.train_loss.filter(|loss| loss.is_finite());
        Some(EventKind::Divergence { train_loss, reason })
    }
}

impl Detector for Divergence {
    fn observe(&mut self, row: &StepRow, context: &Context) -> Vec<EventKind> {
        self.seen(row, context).into_iter().collect()
    }
}
