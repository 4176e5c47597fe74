//! Where the loop stands, and one step of it on its way from parameters to a row.

use std::time::Instant;

use super::BatchOrder;
use crate::autodiff::{GradientEvaluation, Samples};
use crate::curvature::Tracking;
use crate::linalg::norm;
use crate::profile::TrainingState;
use crate::record::{EventKind, StepRow};
use crate::stability::DivergenceSettings;

/// Where the loop is.
pub(super) struct Loop {
    /// The first step.
    pub step: usize,
    /// The parameters (length P).
    pub theta: Vec<f64>,
    pub batches: Option<BatchOrder>,
    pub rate_factor: f64,
    /// What is known of eigenvalues that are followed, where they are.
    pub tracking: Option<Tracking>,
    /// The rate that was found for the step, where rates are sought.
    pub sought: Option<f64>,
    /// The parameters before the latest update (length P), where they are asked for.
    pub previous: Option<Vec<f64>>,
    /// The loss of the first update, which divergence is measured by.
    pub initial_loss: Option<f64>,
}

/// A step under way: opened, evaluated, updated, measured, told.
pub(super) struct Step {
    pub clock: Instant,
    /// Whether curvature is due.
    pub measures: bool,
    /// Whether validation and the full training loss are.
    pub evaluates: bool,
    /// Whether a spectrum is.
    pub spectrum: bool,
    /// What training stood at before the minibatch was drawn, where a checkpoint is due.
    pub state: Option<TrainingState>,
    pub row: StepRow,
    /// The parameters that the update starts from (length P).
    pub before: Vec<f64>,
    /// The parameters before the update that led there, where they are asked for.
    pub previous: Option<Vec<f64>>,
    /// The update (length P); empty until it is taken.
    pub change: Vec<f64>,
    /// The minibatch, as positions among the training samples.
    pub batch: Option<Vec<usize>>,
    /// Over all training samples, where that was evaluated.
    pub full: Option<GradientEvaluation>,
    /// Products that came with it.
    pub products: Option<Vec<f64>>,
    /// Over the minibatch.
    pub minibatch: Option<GradientEvaluation>,
    /// What is told after the row besides what the row shows.
    pub remark: Option<EventKind>,
}

impl Step {
    /// What the update descends.
    pub fn descended(&self) -> &GradientEvaluation {
        let Some(evaluation) = self.minibatch.as_ref().or(self.full.as_ref()) else {
            unreachable!("without minibatches the full gradient is evaluated at each step")
        };
        evaluation
    }

    /// The samples of the update.
    pub fn samples(&self) -> Samples<'_> {
        self.batch.as_deref().map_or(Samples::All, Samples::Batch)
    }

    /// Why training has diverged by the loss that the update descends, if it has.
    pub fn divergence(&self, at: &mut Loop, zero_output_loss: Option<f64>) -> Option<String> {
        let descended = self.descended();
        let loss = descended.evaluation.loss;
        let initial_loss = *at.initial_loss.get_or_insert(loss);
        let settings = DivergenceSettings::default();
        settings.reason_beside(loss, norm(&descended.gradient), initial_loss, zero_output_loss)
    }

    /// Since it was opened.
    pub fn milliseconds(&self) -> f64 {
        self.clock.elapsed().as_secs_f64() * 1e3
    }
}
