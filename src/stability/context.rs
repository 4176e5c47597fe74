//! What detectors share.

use super::plateau::PlateauFinder;
use super::warning::{Growth, WarningModel};
use super::{Plateau, Signal, Spike, SpikeDetector, StabilitySettings, TrendSettings};
use crate::optim::{Schedule, ScheduleKind};
use crate::record::StepRow;

/// What is known at a row beside its numbers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Context {
    /// Whether a loss spike is under way.
    pub in_spike: bool,
    /// The spike that ended with this row or, when the run has ended, was still under way.
    pub ended_spike: Option<Spike>,
    /// By how much the loss exceeds its baseline, in multiples of it; `None` during a spike and before
    /// there is a baseline.
    pub loss_rise: Option<f64>,
    /// The robust deviation of the losses about that baseline, likewise.
    pub loss_scatter: Option<f64>,
    /// The latest edge ratio, of this row or of one before it.
    pub edge_ratio: Option<f64>,
    /// Below the edge and in no spike, where the sharpness moves little from row to row.
    pub calm: bool,
    /// The plateau of the loss that is under way.
    pub plateau: Option<Plateau>,
    /// What the row says about a coming spike, where it has what that takes.
    pub signal: Option<Signal>,
    /// Whether the learning rate has been changed against the schedule since the row before, as by
    /// whoever acts on a warning.
    pub rate_departed: bool,
    /// The latest learning rate over the schedule's, where that is known and lower; else 1.
    pub rate_factor: f64,
    /// The learning rates of the run, or a multiple of them; constant where nothing is known of them.
    pub schedule: Schedule,
    /// The training loss of outputs that are all zero, where it is known.
    pub zero_output_loss: Option<f64>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            in_spike: false,
            ended_spike: None,
            loss_rise: None,
            loss_scatter: None,
            edge_ratio: None,
            calm: true,
            plateau: None,
            signal: None,
            rate_departed: false,
            rate_factor: 1.0,
            schedule: Schedule::constant(1.0),
            zero_output_loss: None,
        }
    }
}

impl Context {
    /// The schedule's rate, of the last step for those after it, which are never taken.
    pub fn planned_rate(&self, step: usize) -> f64 {
        let last = self.schedule.steps.checked_sub(1);
        self.schedule.rate(last.map_or(step, |last| step.min(last)))
    }
}

/// Keeps the context from row to row.
#[derive(Debug, Clone)]
pub(super) struct ContextKeeper {
    trend: TrendSettings,
    edge_leave: f64,
    spikes: SpikeDetector,
    plateau: PlateauFinder,
    model: WarningModel,
    /// The latest learning rate over the schedule's.
    departure: Option<f64>,
    /// Whether the schedule is known, and is one that does not follow the curvature.
    scheduled: bool,
    context: Context,
}

impl ContextKeeper {
    pub fn new(settings: &StabilitySettings) -> Self {
        Self {
            trend: settings.trend.clone(),
            edge_leave: settings.edge.edge_leave,
            spikes: SpikeDetector::new(&settings.spikes),
            plateau: PlateauFinder::new(&settings.plateau),
            model: WarningModel::new(settings),
            departure: None,
            scheduled: false,
            context: Context::default(),
        }
    }

    pub fn set_schedule(&mut self, schedule: Schedule) {
        self.scheduled = !matches!(schedule.kind, ScheduleKind::Edge | ScheduleKind::Cdat);
        self.context.schedule = schedule;
    }

    pub fn set_zero_output_loss(&mut self, loss: Option<f64>) {
        self.context.zero_output_loss = loss;
    }

    pub fn set_growth(&mut self, growth: Growth) {
        self.model.set_growth(growth);
    }

    /// Takes the next row in.
    pub fn observe(&mut self, row: &StepRow) -> &Context {
        let rate_departed = self.departs(row);
        self.context.rate_factor = match self.departure {
            Some(departure) if self.scheduled && departure < 1.0 - 1e-9 => departure,
            _ => 1.0,
        };
        let context = &mut self.context;
        let loss = row.train_loss;
        // Of the losses before: a spike that begins here has risen above them.
        context.loss_rise = loss.and_then(|loss| self.spikes.excess(loss)).map(|(_, rise)| rise);
        context.loss_scatter = self.spikes.scatter();
        context.ended_spike = loss.and_then(|loss| self.spikes.observe(row.step, loss));
        context.in_spike = self.spikes.started().is_some();
        context.edge_ratio = row.edge_ratio.or(context.edge_ratio);
        let below = context.edge_ratio.is_none_or(|ratio| ratio < self.edge_leave);
        context.calm = below && !context.in_spike;
        context.plateau = self.plateau.observe(row);
        context.rate_departed = rate_departed;
        context.signal = self.model.observe(row, context);
        context
    }

    /// The run has ended.
    pub fn finish(&mut self) -> &Context {
        self.context.ended_spike = self.spikes.finish();
        self.context.in_spike = false;
        &self.context
    }

    fn departs(&mut self, row: &StepRow) -> bool {
        let departure = row.lr / self.context.planned_rate(row.step);
        // A rate of zero, on either side, says nothing of the other.
        if !(departure.is_finite() && departure > 0.0) {
            return false;
        }
        let before = self.departure.replace(departure);
        before.is_some_and(|before| self.trend.jumped(before, departure))
    }
}
