//! Rows in, phases and events out.

use std::collections::VecDeque;

use super::edge::EdgeTracker;
use super::phase::PhaseTracker;
use super::precision::PrecisionWatch;
use super::spikes::{Spike, SpikeDetector};
use super::standstill::Standstill;
use super::trend::median;
use super::warning::{Alarm, Signal, WarningModel};
use super::{Phase, StabilitySettings, divergence};
use crate::optim::Schedule;
use crate::record::{Event, EventKind, StepRow};

/// Watches the rows of one run and names what happens in them.
///
/// ```
/// use sharpscope::record::{EventKind, StepRow};
/// use sharpscope::stability::{Monitor, StabilitySettings};
///
/// let row = |step: usize, sharpness: f64| StepRow {
///     step,
///     sharpness: Some(sharpness),
///     threshold: Some(100.0),
///     edge_ratio: Some(sharpness / 100.0),
///     ..StepRow::default()
/// };
/// let mut monitor = Monitor::new(&StabilitySettings::default(), 1e-3);
/// assert!(monitor.observe(&row(0, 80.0)).events.is_empty());
/// let seen = monitor.observe(&row(1, 110.0));
/// assert!(seen.events.iter().any(|e| matches!(e.kind, EventKind::EdgeEntered { .. })));
/// ```
#[derive(Debug, Clone)]
pub struct Monitor {
    settings: StabilitySettings,
    edge: EdgeTracker,
    phase: PhaseTracker,
    spikes: SpikeDetector,
    standstill: Standstill,
    precision: PrecisionWatch,
    warning: WarningModel,
    alarm: Alarm,
    sharpness: SharpnessAround,
    initial_loss: Option<f64>,
    diverged: bool,
    latest_step: usize,
    latest_ratio: Option<f64>,
}

/// What one row says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// The phase of training.
    pub phase: Option<Phase>,
    /// What happened; a spike is told of when it has ended.
    pub events: Vec<Event>,
    /// What it says about a coming spike, where it has what that takes.
    pub signal: Option<Signal>,
}

impl Monitor {
    /// A monitor of a run whose eigenvalues were asked to meet `tolerance`.
    pub fn new(settings: &StabilitySettings, tolerance: f64) -> Self {
        Self {
            settings: settings.clone(),
            edge: EdgeTracker::new(settings),
            phase: PhaseTracker::new(settings),
            spikes: SpikeDetector::new(settings),
            standstill: Standstill::new(settings),
            precision: PrecisionWatch::new(settings, tolerance),
            warning: WarningModel::new(settings),
            alarm: Alarm::new(0.0, settings.warning_horizon),
            sharpness: SharpnessAround::default(),
            initial_loss: None,
            diverged: false,
            latest_step: 0,
            latest_ratio: None,
        }
    }

    /// Tells it the learning rates of the coming steps, so that it foresees where they rise.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.warning = self.warning.with_schedule(schedule);
        self
    }

    /// The next row, with its update's norms if they are known. Its `phase` is not looked at.
    pub fn observe(&mut self, row: &StepRow) -> Observation {
        self.latest_step = row.step;
        self.latest_ratio = row.edge_ratio.or(self.latest_ratio);
        let mut kinds = Vec::new();

        let rise = row.train_loss.and_then(|loss| self.spikes.excess(loss)).map(|(_, share)| share);
        let ended = row.train_loss.and_then(|loss| self.spikes.observe(row.step, loss));
        let in_spike = self.spikes.started().is_some();
        if let Some(spike) = &ended {
            kinds.push(loss_spike(spike));
        }
        kinds.extend(self.sharpness.observe(row, in_spike, ended, &self.settings));

        kinds.extend(self.edge.observe(row));
        if self.warning.departs(row) {
            self.alarm.lower();
        }
        let signal = self.warning.observe(row, rise, in_spike);
        let due = match &signal {
            Some(signal) => self.alarm.observe(row.step, signal.score(&self.settings), in_spike),
            None => self.alarm.observe(row.step, f64::NEG_INFINITY, in_spike),
        };
        if let (true, Some(signal)) = (due, &signal) {
            kinds.push(signal.event(&self.settings));
        }

        kinds.extend(self.standstill.observe(row));
        let calm = !in_spike && self.latest_ratio.is_none_or(|r| r < self.settings.edge_leave);
        kinds.extend(self.precision.observe(row, calm));
        kinds.extend(self.divergence(row));

        let phase = self.phase.observe(row, in_spike, self.standstill.is_flat());
        let events = kinds.into_iter().map(|kind| Event { step: row.step, kind }).collect();
        Observation { phase, events, signal }
    }

    /// The next row, into which its phase is written; returns what happened.
    pub fn judge(&mut self, row: &mut StepRow) -> Vec<Event> {
        let observed = self.observe(row);
        row.phase = observed.phase;
        observed.events
    }

    /// Phases and events of a stored run, as they would have been told while it went on. What a training
    /// loop sees besides its rows is not in them: a minibatch's loss or a
    /// Hessian-vector product that is not finite, what an audit repaired, what was done on a warning.
    pub fn replay(mut self, rows: &[StepRow]) -> Replay {
        let mut replay = Replay::default();
        for row in rows {
            let Observation { phase, events, signal } = self.observe(row);
            replay.phases.push(phase);
            replay.events.extend(events);
            replay.signals.extend(signal);
        }
        replay.events.extend(self.finish());
        replay
    }

    /// What is left to say at the end of a run: a spike that has not ended.
    pub fn finish(&mut self) -> Vec<Event> {
        let spike = self.spikes.finish();
        spike.iter().map(|s| Event { step: self.latest_step, kind: loss_spike(s) }).collect()
    }

    /// Whether the rows have shown divergence. A loop that divides its samples into minibatches may
    /// see it before the rows do.
    pub fn has_diverged(&self) -> bool {
        self.diverged
    }

    fn divergence(&mut self, row: &StepRow) -> Option<EventKind> {
        if self.initial_loss.is_none() {
            self.initial_loss = row.train_loss.filter(|loss| loss.is_finite());
        }
        let initial = self.initial_loss.unwrap_or(0.0);
        let loss = row.train_loss.or(self.initial_loss).unwrap_or(0.0);
        let reason = divergence(loss, row.grad_norm.unwrap_or(0.0), initial)?;
        if std::mem::replace(&mut self.diverged, true) {
            return None;
        }
        let train_loss = row.train_loss.filter(|loss| loss.is_finite());
        Some(EventKind::Divergence { train_loss, reason })
    }
}

fn loss_spike(spike: &Spike) -> EventKind {
    EventKind::LossSpike {
        start: spike.start,
        peak: spike.peak,
        peak_loss: spike.peak_loss,
        baseline: spike.baseline,
        height: spike.height(),
        end: spike.end,
        recovered: spike.recovered(),
    }
}

/// The sharpness before and after spikes.
#[derive(Debug, Clone, Default)]
struct SharpnessAround {
    /// The latest measurements outside of spikes.
    before: VecDeque<f64>,
    /// Those since the spike under way began.
    since: Vec<(usize, f64)>,
    /// A recovered spike with no measurement after it yet.
    waiting: Option<Spike>,
}

impl SharpnessAround {
    /// How many measurements before a spike count.
    const BEFORE: usize = 3;

    fn observe(
        &mut self,
        row: &StepRow,
        in_spike: bool,
        ended: Option<Spike>,
        settings: &StabilitySettings,
    ) -> Option<EventKind> {
        let measured = row.operator_sharpness().filter(|sharpness| sharpness.is_finite());
        let around = in_spike || ended.is_some() || self.waiting.is_some();
        match measured {
            Some(sharpness) if around => self.since.push((row.step, sharpness)),
            Some(sharpness) => {
                if self.before.len() == Self::BEFORE {
                    self.before.pop_front();
                }
                self.before.push_back(sharpness);
            }
            None => {}
        }
        if in_spike {
            self.waiting = None;
            return None;
        }
        let spike = ended.or(self.waiting.take())?;
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
        self.before = after[after.len().saturating_sub(Self::BEFORE)..].iter().copied().collect();
        let sharpness_before = before?;
        let lower = sharpness_after <= settings.catapult_share * sharpness_before;
        lower.then_some(EventKind::Catapult {
            start: spike.start,
            end,
            height: spike.height(),
            sharpness_before,
            sharpness_after,
        })
    }
}

/// What a [`Monitor`] said of a whole run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replay {
    /// The phase at each row.
    pub phases: Vec<Option<Phase>>,
    /// The events in order.
    pub events: Vec<Event>,
    /// What rows said about coming spikes, where they had what that takes.
    pub signals: Vec<Signal>,
}
