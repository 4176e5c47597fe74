//! Rows in, phases and events out.

use super::catapult::Catapults;
use super::context::ContextKeeper;
use super::divergence::Divergence;
use super::edge::Edge;
use super::phase::PhaseTracker;
use super::plateau::Plateaus;
use super::precision::Suspicions;
use super::realized::RealizedEdge;
use super::spikes::LossSpikes;
use super::stationary::StationaryPoints;
use super::unfollowed::Unfollowed;
use super::warning::{Growth, SpikeWarnings};
use super::{Detector, Phase, Signal, StabilitySettings};
use crate::optim::Schedule;
use crate::record::{Event, EventKind, StepRow};

/// The detectors, in the order in which a row's events are told.
fn detectors(s: &StabilitySettings, tolerance: f64) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(LossSpikes),
        Box::new(Catapults::new(&s.catapult)),
        Box::new(Edge::new(&s.edge, &s.forecast, &s.trend)),
        Box::new(RealizedEdge::new(&s.edge)),
        Box::new(SpikeWarnings::new(&s.warning)),
        Box::new(Unfollowed::new(&s.unfollowed)),
        Box::new(Plateaus),
        Box::new(StationaryPoints::new(&s.stationary)),
        Box::new(Suspicions::new(&s.precision, tolerance)),
        Box::new(Divergence::new(&s.divergence)),
    ]
}

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
#[derive(Debug)]
pub struct Monitor {
    context: ContextKeeper,
    detectors: Vec<Box<dyn Detector>>,
    phase: PhaseTracker,
    diverged: bool,
    latest_step: usize,
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
            context: ContextKeeper::new(settings),
            detectors: detectors(settings, tolerance),
            phase: PhaseTracker::new(&settings.phase, &settings.edge, &settings.trend),
            diverged: false,
            latest_step: 0,
        }
    }

    /// Tells it the learning rates of the coming steps, so that it foresees where they rise.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.context.set_schedule(schedule);
        self
    }

    /// Tells it the factor by which the optimizer's oscillation along an eigenvector grows in a step,
    /// as a function of the edge ratio (see [`growth`](fn@super::growth)). Without it momentum is guessed from the
    /// threshold times the learning rate, as if the optimizer were gradient descent with momentum.
    pub fn with_growth(mut self, growth: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        self.context.set_growth(Growth::new(growth));
        self
    }

    /// Tells it the training loss of outputs that are all zero, beside which a first loss near zero says nothing
    /// of divergence.
    pub fn with_zero_output_loss(mut self, loss: Option<f64>) -> Self {
        self.context.set_zero_output_loss(loss);
        self
    }

    /// Adds a detector, whose events come after those of all others.
    pub fn with_detector(mut self, detector: impl Detector + 'static) -> Self {
        self.detectors.push(Box::new(detector));
        self
    }

    /// The next row, with its update's norms if they are known. Its `phase` is not looked at.
    pub fn observe(&mut self, row: &StepRow) -> Observation {
        self.latest_step = row.step;
        let context = self.context.observe(row);
        let phase = self.phase.observe(row, context);
        let kinds = self.detectors.iter_mut().flat_map(|detector| detector.observe(row, context));
        let events: Vec<Event> = kinds.map(|kind| Event { step: row.step, kind }).collect();
        let diverges = |event: &Event| matches!(event.kind, EventKind::Divergence { .. });
        self.diverged |= events.iter().any(diverges);
        Observation { phase, events, signal: context.signal.clone() }
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
        let (step, context) = (self.latest_step, self.context.finish());
        let kinds = self.detectors.iter_mut().flat_map(|detector| detector.finish(context));
        kinds.map(|kind| Event { step, kind }).collect()
    }

    /// Whether the rows have shown divergence. A loop that divides its samples into minibatches may
    /// see it before the rows do.
    pub fn has_diverged(&self) -> bool {
        self.diverged
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
