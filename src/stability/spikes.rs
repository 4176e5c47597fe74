//! Spikes of a loss curve, by a rule that looks at the loss alone.
//!
//! The rule. Training is at a *baseline*: the median of the latest `spike_window` losses that belong
//! to no spike (of an even number of them, so that a loss that swings at every step, as it does at
//! the edge, has its middle there, and its swing for a deviation). A spike starts at the first loss
//! (after at least `spike_window_least` others) that exceeds the baseline b by more than (`spike_factor` - 1) |b| and by more than `spike_deviations` robust
//! standard deviations of those losses, or that is not finite. Its baseline stays what it was. It
//! ends, recovered, with the first of `spike_hold` losses in a row within (`spike_end_factor` - 1)
//! |b| of it; it ends otherwise where the loss is not finite, with the run, or when it has lasted for
//! `spike_longest` losses: then the loss has found another level, where a new baseline starts.
//!
//! It needs no loss after the present one to see a start. Warnings are scored against another rule, which sees the
//! losses on both sides (`examples/evaluate_warnings`), and so are the events that this one tells of.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::checks::{at_least, factor, not_below, ordered, positive};
use super::trend::{median, robust_deviation};
use super::{Context, Detector};
use crate::error::Result;
use crate::record::{EventKind, StepRow};

/// What counts as a spike of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpikeSettings {
    /// Losses that a spike's baseline is the median of ...
    pub spike_window: usize,
    /// ... and how many there have to be before there is a baseline.
    pub spike_window_least: usize,
    /// A spike starts above this multiple of the baseline ...
    pub spike_factor: f64,
    /// ... and above this many robust standard deviations.
    pub spike_deviations: f64,
    /// It ends within this multiple of the baseline ...
    pub spike_end_factor: f64,
    /// ... held for so many losses in a row.
    pub spike_hold: usize,
    /// A spike of so many losses is none: the loss has found another level.
    pub spike_longest: usize,
}

impl Default for SpikeSettings {
    fn default() -> Self {
        Self {
            spike_window: 12,
            spike_window_least: 4,
            spike_factor: 1.5,
            spike_deviations: 3.0,
            spike_end_factor: 1.1,
            spike_hold: 3,
            spike_longest: 50,
        }
    }
}

impl SpikeSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        positive("spike_deviations", self.spike_deviations)?;
        // Two losses have a middle and a deviation about it.
        at_least("spike_window_least", self.spike_window_least, 2)?;
        not_below(
            "spike_window",
            self.spike_window,
            "spike_window_least",
            self.spike_window_least,
        )?;
        at_least("spike_hold", self.spike_hold, 1)?;
        at_least("spike_longest", self.spike_longest, self.spike_hold.saturating_add(1))?;
        let end = ("spike_end_factor", self.spike_end_factor);
        ordered(end, ("spike_factor", self.spike_factor))?;
        factor(end.0, end.1)?;
        factor("spike_factor", self.spike_factor)
    }
}

/// A spike of the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// The first step above the baseline's band.
    pub start: usize,
    /// The step of the largest loss.
    pub peak: usize,
    /// The largest loss; `None` where it is not finite.
    pub peak_loss: Option<f64>,
    /// The baseline.
    pub baseline: f64,
    /// The first step of the calm after it; `None` where there was none.
    pub end: Option<usize>,
    /// The last step that was seen of it.
    pub last: usize,
}

impl Spike {
    /// Whether the loss came back to the baseline.
    pub fn recovered(&self) -> bool {
        self.end.is_some()
    }

    /// The largest loss over the baseline, where both are finite and the baseline is positive.
    pub fn height(&self) -> Option<f64> {
        let height = self.peak_loss? / self.baseline;
        (self.baseline > 0.0 && height.is_finite()).then_some(height)
    }
}

/// Finds spikes in losses that are handed in one by one.
#[derive(Debug, Clone)]
pub struct SpikeDetector {
    settings: SpikeSettings,
    calm: VecDeque<f64>,
    open: Option<Open>,
}

#[derive(Debug, Clone)]
struct Open {
    spike: Spike,
    losses: usize,
    /// Losses in a row within the band, and the step of the first.
    within: usize,
    calm_since: usize,
}

impl SpikeDetector {
    /// A detector that has seen nothing.
    pub fn new(settings: &SpikeSettings) -> Self {
        Self { settings: settings.clone(), calm: VecDeque::new(), open: None }
    }

    /// The spike under way, if there is one, and its first step.
    pub fn started(&self) -> Option<usize> {
        self.open.as_ref().map(|open| open.spike.start)
    }

    /// How many robust standard deviations `loss` is above the baseline, and by what factor of it;
    /// `None` during a spike and before there is a baseline.
    pub fn excess(&self, loss: f64) -> Option<(f64, f64)> {
        let (baseline, deviation) = self.baseline()?;
        let rise = loss - baseline;
        let over = |scale: f64| if rise == 0.0 { 0.0 } else { rise / scale };
        Some((over(deviation), over(baseline.abs())))
    }

    /// The robust deviation of the losses about the baseline, over it; `None` during a spike and before there is
    /// a baseline.
    pub fn scatter(&self) -> Option<f64> {
        let (baseline, deviation) = self.baseline()?;
        let scatter = deviation / baseline.abs();
        scatter.is_finite().then_some(scatter)
    }

    /// The baseline and the robust deviation of the losses about it; `None` during a spike and before there is one.
    fn baseline(&self) -> Option<(f64, f64)> {
        if self.open.is_some() || self.calm.len() < self.settings.spike_window_least {
            return None;
        }
        let calm = self.latest();
        let baseline = median(calm.iter().copied())?;
        Some((baseline, robust_deviation(&calm, baseline)))
    }

    /// Takes in the next loss; the spike that ends with it, if one does.
    pub fn observe(&mut self, step: usize, loss: f64) -> Option<Spike> {
        let Some(open) = &mut self.open else {
            self.start(step, loss);
            return None;
        };
        let s = &self.settings;
        let spike = &mut open.spike;
        spike.last = step;
        open.losses += 1;
        if !loss.is_finite() {
            (spike.peak, spike.peak_loss) = (step, None);
            self.calm.clear();
            return self.finish();
        }
        if spike.peak_loss.is_some_and(|peak| loss > peak) {
            (spike.peak, spike.peak_loss) = (step, Some(loss));
        }
        if loss - spike.baseline <= (s.spike_end_factor - 1.0) * spike.baseline.abs() {
            if open.within == 0 {
                open.calm_since = step;
            }
            open.within += 1;
        } else {
            open.within = 0;
        }
        if open.within >= s.spike_hold {
            spike.end = Some(open.calm_since);
            return self.finish();
        }
        if open.losses >= s.spike_longest {
            self.calm.clear();
            return self.finish();
        }
        None
    }

    /// The spike that is still under way at the end of a run.
    pub fn finish(&mut self) -> Option<Spike> {
        self.open.take().map(|open| open.spike)
    }

    /// The latest calm losses, an even number.
    fn latest(&self) -> Vec<f64> {
        self.calm.iter().skip(self.calm.len() % 2).copied().collect()
    }

    fn start(&mut self, step: usize, loss: f64) {
        let s = &self.settings;
        let beyond = match self.excess(loss) {
            Some((deviations, share)) => {
                !loss.is_finite()
                    || (deviations > s.spike_deviations && share > s.spike_factor - 1.0)
            }
            None => false,
        };
        if beyond {
            let baseline = median(self.latest()).unwrap_or(loss);
            let peak_loss = Some(loss).filter(|loss| loss.is_finite());
            let spike =
                Spike { start: step, peak: step, peak_loss, baseline, end: None, last: step };
            self.open = Some(Open { spike, losses: 1, within: 0, calm_since: step });
        } else if loss.is_finite() {
            if self.calm.len() == s.spike_window {
                self.calm.pop_front();
            }
            self.calm.push_back(loss);
        }
    }
}

/// All spikes of a loss curve: steps in rising order, each with its loss.
pub fn spikes(losses: &[(usize, f64)], settings: &SpikeSettings) -> Vec<Spike> {
    let mut detector = SpikeDetector::new(settings);
    let mut found: Vec<Spike> =
        losses.iter().filter_map(|&(step, loss)| detector.observe(step, loss)).collect();
    found.extend(detector.finish());
    found
}

/// Tells of spikes, when they have ended or the run has.
#[derive(Debug, Clone)]
pub(super) struct LossSpikes;

impl Detector for LossSpikes {
    fn observe(&mut self, _: &StepRow, context: &Context) -> Vec<EventKind> {
        context.ended_spike.iter().map(loss_spike).collect()
    }

    fn finish(&mut self, context: &Context) -> Vec<EventKind> {
        context.ended_spike.iter().map(loss_spike).collect()
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
