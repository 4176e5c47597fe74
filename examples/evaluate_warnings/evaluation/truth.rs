//! Spikes of a loss curve in hindsight: what warnings, and the event `loss_spike`, are scored against.
//!
//! The rule sees the losses on both sides of a step, works on their logarithms and has constants of its own.
//! It has nothing in common with the detector in `stability`, which sees the past alone: a fault of that
//! one is not also one of its judge.

use serde::Serialize;
use sharpscope::stability::{median, robust_deviation};

/// Steps on either side of one whose losses it is compared with.
const SIDE: usize = 25;
/// A loss is above where it exceeds their median by this factor ...
const FACTOR: f64 = 1.5;
/// ... and by so many times what it changes by from one loss to the next.
const DEVIATIONS: f64 = 3.0;
/// Losses above at most so many steps apart are of one spike.
const APART: usize = 5;
/// What starts before this step is the beginning of training, and no spike.
const FIRST: usize = 5;
/// Logarithms of losses that are not finite, above all others.
const UNBOUNDED: f64 = 1e3;
/// Losses of zero have one, too.
const LEAST: f64 = 1e-300;

/// A spike of the loss, in hindsight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Excursion {
    /// The first step that is above.
    pub start: usize,
    /// The last.
    pub last: usize,
    /// By what factor the loss exceeds the median at most; infinite where it is not finite.
    pub height: f64,
}

/// What happened in a run, as its loss curve tells afterwards.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Truth {
    /// The first step that is judged: after what began too early to be a spike.
    pub first: usize,
    /// The spikes, in order.
    pub spikes: Vec<Excursion>,
    /// The last step whose loss is known.
    pub last: usize,
}

impl Truth {
    /// Of a loss curve: steps in rising order, each with its loss.
    ///
    /// A loss is above when its logarithm exceeds the median of those at most 25 steps away by ln 1.5 and by three times
    /// their typical change from one to the next (1.4826 times the median of its size), or when it is not finite. Losses
    /// above at most five steps apart are one spike. (How far these losses are from their median would be no measure: of
    /// several long spikes none would be one.)
    pub fn of(losses: &[(usize, f64)]) -> Self {
        let logarithm = |loss: f64| if loss.is_finite() { loss.max(LEAST).ln() } else { UNBOUNDED };
        let logarithms: Vec<f64> = losses.iter().map(|&(_, loss)| logarithm(loss)).collect();
        let steps: Vec<usize> = losses.iter().map(|loss| loss.0).collect();
        let around = |i: usize| {
            let from = steps.partition_point(|&step| step + SIDE < steps[i]);
            from..steps.partition_point(|&step| step <= steps[i] + SIDE)
        };
        let middle = |i: usize| median(logarithms[around(i)].iter().copied()).unwrap_or_default();
        let rises: Vec<f64> = (0..steps.len()).map(|i| logarithms[i] - middle(i)).collect();
        let mut found: Vec<Excursion> = Vec::new();
        for (i, &(step, loss)) in losses.iter().enumerate() {
            let changes: Vec<f64> =
                logarithms[around(i)].windows(2).map(|pair| pair[1] - pair[0]).collect();
            let deviation = robust_deviation(&changes, 0.0);
            let height = if loss.is_finite() { rises[i].exp() } else { f64::INFINITY };
            if loss.is_finite() && rises[i] <= FACTOR.ln().max(DEVIATIONS * deviation) {
                continue;
            }
            match found.last_mut().filter(|spike| step <= spike.last + APART) {
                Some(spike) => (spike.last, spike.height) = (step, spike.height.max(height)),
                None => found.push(Excursion { start: step, last: step, height }),
            }
        }
        let early = found.iter().take_while(|spike| spike.start < FIRST).last();
        let first = early.map_or(0, |spike| spike.last + 1);
        found.retain(|spike| spike.start >= FIRST);
        Self { first, spikes: found, last: steps.last().copied().unwrap_or(0) }
    }

    /// The spike that is under way at a step.
    pub fn spike_at(&self, step: usize) -> Option<&Excursion> {
        self.spikes.iter().find(|spike| spike.start <= step && step <= spike.last)
    }

    /// The first step of the next spike after a step, if it starts within `horizon` steps.
    pub fn next(&self, step: usize, horizon: usize) -> Option<usize> {
        let mut after = self.spikes.iter().map(|spike| spike.start).filter(|&start| start > step);
        after.next().filter(|&start| start - step <= horizon)
    }

    /// Whether it can be said what follows a step: it is judged, no spike is under way, and the run does not
    /// end too early.
    pub fn is_told(&self, step: usize, horizon: usize) -> bool {
        let long_enough = step.saturating_add(horizon) <= self.last;
        let known = long_enough || self.next(step, horizon).is_some();
        step >= self.first && known && self.spike_at(step).is_none()
    }

    /// Whether a step is quiet: no spike is under way, and none starts within `horizon` steps.
    pub fn is_quiet(&self, step: usize, horizon: usize) -> bool {
        self.is_told(step, horizon) && self.next(step, horizon).is_none()
    }
}
