//! A loss that stands still.

use serde::{Deserialize, Serialize};

use super::checks::{at_least, factor, positive};
use super::trend::{Trend, median};
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// When a loss stands still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlateauSettings {
    /// Losses that a plateau has at least.
    pub plateau_rows: usize,
    /// Their largest relative change; ...
    pub plateau_change: f64,
    /// ... more than so many times as much ends the plateau.
    pub plateau_end_factor: f64,
}

impl Default for PlateauSettings {
    fn default() -> Self {
        Self { plateau_rows: 30, plateau_change: 0.002, plateau_end_factor: 2.0 }
    }
}

impl PlateauSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        at_least("plateau_rows", self.plateau_rows, 2)?;
        positive("plateau_change", self.plateau_change)?;
        factor("plateau_end_factor", self.plateau_end_factor)
    }
}

/// A plateau of the loss that is under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// Its latest loss.
    pub train_loss: f64,
    /// Largest minus smallest of the latest losses, over the magnitude of their median.
    pub relative_change: f64,
    /// How many losses these are.
    pub rows: usize,
    /// Whether it was seen at this row for the first time.
    pub begins: bool,
}

/// Finds plateaus in losses that are handed in one by one.
#[derive(Debug, Clone)]
pub(super) struct PlateauFinder {
    settings: PlateauSettings,
    losses: Trend,
    latest: Option<Plateau>,
}

impl PlateauFinder {
    pub fn new(settings: &PlateauSettings) -> Self {
        let losses = Trend::new(settings.plateau_rows);
        Self { settings: settings.clone(), losses, latest: None }
    }

    /// The plateau under way at this row. Where the loss was not evaluated, the latest holds.
    pub fn observe(&mut self, row: &StepRow) -> Option<Plateau> {
        let Some(train_loss) = row.train_loss else {
            self.latest = self.latest.map(|plateau| Plateau { begins: false, ..plateau });
            return self.latest;
        };
        if !train_loss.is_finite() {
            self.losses.clear();
        }
        self.losses.push(row.step, train_loss);
        let rows = self.losses.values().count();
        let enough = rows == self.settings.plateau_rows;
        let change = enough.then(|| relative_change(&self.losses)).flatten();
        let begins = self.latest.is_none();
        let most = match begins {
            true => self.settings.plateau_change,
            false => self.settings.plateau_end_factor * self.settings.plateau_change,
        };
        self.latest = change.filter(|&change| change <= most).map(|relative_change| Plateau {
            train_loss,
            relative_change,
            rows,
            begins,
        });
        self.latest
    }
}

/// Largest minus smallest over the median's magnitude.
fn relative_change(losses: &Trend) -> Option<f64> {
    let range = losses.values().fold(f64::NEG_INFINITY, f64::max)
        - losses.values().fold(f64::INFINITY, f64::min);
    let centre = median(losses.values())?.abs();
    Some(if range == 0.0 { 0.0 } else { range / centre })
}

/// Tells of plateaus when they begin.
#[derive(Debug, Clone)]
pub(super) struct Plateaus;

impl Detector for Plateaus {
    fn observe(&mut self, _: &StepRow, context: &Context) -> Vec<EventKind> {
        let begun = context.plateau.filter(|plateau| plateau.begins);
        let event = |Plateau { train_loss, relative_change, rows, .. }| EventKind::Plateau {
            train_loss,
            relative_change,
            rows,
        };
        begun.map(event).into_iter().collect()
    }
}
