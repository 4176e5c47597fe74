//! Warnings before the loss spikes.
//!
//! On a local quadratic the gradient's component c along the top eigenvector is multiplied at each
//! step by a root of the update's characteristic polynomial. At the edge ratio r = 1 the root leaves
//! the unit circle through -1, and beyond it |c| grows by a factor that r alone decides ([`growth`]),
//! while the loss still looks smooth: the oscillation's energy c^2/(2 lambda_1) starts at rounding
//! and is seen only when it is a share of the loss. So the steps until then can be counted before
//! anything is to be seen. Whether the oscillation becomes a spike or is caught by a falling
//! sharpness (Damian et al. 2023: the peak grows with how far r is beyond 1 by then) is left to
//! logistic models of a few such numbers.
//!
//! There are two. Where one mode grows, a spike is foreseen from afar (the *early* model); where
//! several are beyond the edge and compete, as late in training with cross-entropy, only the last
//! steps before a spike tell anything (the *imminent* model). One set of weights does either well and
//! not both. Either warns, the early model from a probability of a spike within the coming twenty
//! steps on, the imminent one from a probability of a spike within the next three on.

use super::edge::{edge_of, jumped};
use super::trend::Trend;
use super::{StabilitySettings, WarningWeights};
use crate::optim::Schedule;
use crate::record::{EventKind, StepRow};

/// The features' names in the order of [`Signal::features`].
pub const FEATURES: [&str; WarningWeights::COUNT - 1] = [
    "urgency",
    "reach",
    "clean",
    "coherent",
    "energy",
    "build_up",
    "loss_rise",
    "batch",
    "planned",
];

/// A component whose logarithm scatters by this much about its line grows half as a single mode
/// would: along the line of a clean oscillation it scatters by a few hundredths, where several modes
/// compete by one half and more.
const COHERENT_SCATTER: f64 = 0.15;

/// What one row says about a coming spike.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The row's step.
    pub step: usize,
    /// Whether a spike was under way; nothing is warned of then.
    pub in_spike: bool,
    /// Probability of a spike that starts within the warning's horizon, by the early model.
    pub early: f64,
    /// Of one within the imminent horizon, by the imminent model.
    pub imminent: f64,
    /// What they were computed from, in the order of [`FEATURES`], each within fixed bounds:
    /// -ln(1 + n), n the steps until the oscillation is visible; the logarithm of the growth by then,
    /// if n is within the horizon, else 0; coherent times build-up; coherent: the logarithm of the
    /// measured growth or of that by the edge ratio, the lesser, less so the more the measured one
    /// scatters, if n is within the horizon, else 0; a tenth of the logarithm of the oscillation's
    /// share of the loss; build-up: a tenth of that logarithm's rise above its least value in the
    /// latest rows; the loss's rise over its baseline; batch sharpness over the threshold, beyond 1
    /// (0 where there is none); planned: the logarithm by which the schedule raises the learning rate by
    /// then, if n is within the horizon, else 0.
    pub features: [f64; FEATURES.len()],
    /// Steps until the oscillation is visible, if it gets there.
    pub in_steps: Option<usize>,
    /// The edge ratio.
    pub edge_ratio: f64,
    /// Its slope, per step.
    pub slope: f64,
    /// Factor by which |c| grows in a step at this edge ratio.
    pub growth: f64,
    /// The factor as measured over the latest rows.
    pub measured_growth: Option<f64>,
    /// c^2/(2 lambda_1) over the loss.
    pub energy_share: f64,
    /// |c| over the norm of the gradient.
    pub gradient_alignment: f64,
    /// Batch sharpness over the threshold.
    pub batch_ratio: Option<f64>,
}

impl Signal {
    /// By how much, in log-odds, the probability of the early or of the imminent model exceeds the one
    /// from which on it warns, whichever is more: there is a warning from 0 on.
    pub fn score(&self, settings: &StabilitySettings) -> f64 {
        let (early, imminent) = self.excesses(settings);
        early.max(imminent)
    }

    fn excesses(&self, settings: &StabilitySettings) -> (f64, f64) {
        let log_odds = |p: f64| (p / (1.0 - p)).ln().clamp(-700.0, 700.0);
        (
            log_odds(self.early) - log_odds(settings.early_probability),
            log_odds(self.imminent) - log_odds(settings.imminent_probability),
        )
    }

    /// The event that warns.
    pub fn event(&self, settings: &StabilitySettings) -> EventKind {
        let (early, imminent) = self.excesses(settings);
        let (probability, horizon) = match imminent > early {
            true => (self.imminent, settings.imminent_horizon),
            false => (self.early, settings.warning_horizon),
        };
        EventKind::SpikeWarning {
            probability,
            horizon,
            imminent: imminent > early,
            in_steps: self.in_steps,
            edge_ratio: self.edge_ratio,
            slope: self.slope,
            growth: self.growth,
            measured_growth: self.measured_growth,
            energy_share: self.energy_share,
            gradient_alignment: self.gradient_alignment,
            batch_ratio: self.batch_ratio,
        }
    }
}

/// Momentum's beta, from threshold times learning rate: that is 2 for gradient descent, 2 + 2 beta
/// for heavy ball and (2 + 2 beta)/(1 - beta) for momentum as a mean, which Adam's is. Below 2
/// (Nesterov, SAM) it counts as gradient descent, whose growth is a lower bound of theirs.
fn momentum(threshold_times_lr: f64) -> f64 {
    match threshold_times_lr {
        k if k > 4.0 => (k - 2.0) / (k + 2.0),
        k if k > 2.0 => k / 2.0 - 1.0,
        _ => 0.0,
    }
}

/// Factor by which an oscillation along an eigenvector grows in a step on a quadratic whose
/// curvature is `edge_ratio` times the threshold: the largest root in magnitude of
/// z^2 - (1 + beta)(1 - 2r) z + beta, which is heavy ball's for the curvature r (2 + 2 beta)/eta (and,
/// with beta = 0, gradient descent's 1 - 2r).
pub fn growth(edge_ratio: f64, beta: f64) -> f64 {
    let half = (1.0 + beta) * (0.5 - edge_ratio);
    let discriminant = half * half - beta;
    if discriminant < 0.0 { beta.sqrt() } else { half.abs() + discriminant.sqrt() }
}

/// Judges rows one by one.
#[derive(Debug, Clone)]
pub struct WarningModel {
    settings: StabilitySettings,
    ratios: Trend,
    components: Trend,
    /// Logarithms of the oscillation's share of the loss.
    shares: Trend,
    /// The latest threshold, and the schedule's rate then.
    threshold: Option<(f64, f64)>,
    schedule: Schedule,
    /// The latest learning rate over the schedule's.
    departure: Option<f64>,
}

impl WarningModel {
    /// A model that has seen nothing.
    pub fn new(settings: &StabilitySettings) -> Self {
        Self {
            settings: settings.clone(),
            ratios: Trend::new(settings.trend_rows),
            components: Trend::new(settings.growth_rows),
            shares: Trend::new(settings.warning_horizon),
            threshold: None,
            schedule: Schedule::constant(1.0),
            departure: None,
        }
    }

    /// The same, where the learning rate is known to follow `schedule`, or a multiple of it.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// What `row` says; `None` where it lacks the edge ratio, the loss, the gradient or its alignment.
    /// `loss_rise` is that over the baseline, in multiples of it, where there is one.
    pub fn observe(
        &mut self,
        row: &StepRow,
        loss_rise: Option<f64>,
        in_spike: bool,
    ) -> Option<Signal> {
        let s = &self.settings;
        let (_, threshold, edge_ratio) = edge_of(row)?;
        // What the schedule does to the ratio is known; what is left has a trend.
        let rate = self.rate(row.step);
        if let Some((before, rate_before)) = self.threshold.replace((threshold, rate)) {
            if jumped(before, threshold, s) {
                self.components.clear();
            }
            if jumped(before * rate_before, threshold * rate, s) {
                self.ratios.clear();
            }
        }
        self.ratios.push(row.step, edge_ratio / rate);

        let (loss, lambda) = (row.train_loss?, row.sharpness?);
        let gradient_alignment = row.gradient_alignment?;
        let component = row.grad_norm? * gradient_alignment;
        let energy_share = component * component / (2.0 * lambda) / loss;
        let finite = energy_share.is_finite() && lambda > 0.0 && loss > 0.0;
        if !finite {
            return None;
        }
        // A component of exactly zero has no logarithm.
        let log_share = energy_share.max(f64::MIN_POSITIVE).ln();
        self.components.push(row.step, log_share / 2.0);
        let components = self.components.line();
        let measured = components.map(|line| line.slope);

        self.shares.push(row.step, log_share);

        let beta = momentum(threshold * row.lr);
        let line = self.ratios.line();
        // A slope that its own scatter explains is none.
        let slope = line.filter(|l| l.slope.abs() > 2.0 * l.slope_error).map_or(0.0, |l| l.slope);
        let smooth = line.map_or(edge_ratio / rate, |line| line.now);
        let ratio_in = |steps: usize| {
            let trend = (smooth + slope * steps as f64).max(0.0);
            trend * self.rate(row.step + steps)
        };
        let log_growth = |steps: usize| growth(ratio_in(steps), beta).ln();
        let in_steps = self.steps_until_visible(log_share, log_growth);
        let horizon = s.warning_horizon;
        let ahead = in_steps.unwrap_or(3 * horizon);
        let soon = if ahead <= horizon { 1.0 } else { 0.0 };
        let measured_log = measured.unwrap_or(0.0).clamp(-1.0, 1.5);
        let agreed = soon * measured_log.min(log_growth(0).clamp(-1.0, 1.5)).max(0.0);
        let scatter = components.map_or(f64::INFINITY, |line| line.scatter);
        let coherence = 1.0 / (1.0 + (scatter / COHERENT_SCATTER).powi(2));
        let coherent = agreed * coherence;
        let build_up = self.build_up(log_share).clamp(0.0, 30.0) / 10.0;
        let batch_ratio = row.batch_sharpness.map(|b| b / threshold).filter(|b| b.is_finite());
        let features = [
            -(ahead as f64).ln_1p(),
            soon * log_growth(ahead).clamp(-1.0, 1.5),
            coherent * build_up.min(2.0),
            coherent,
            log_share.clamp(-30.0, 0.0) / 10.0,
            build_up,
            loss_rise.unwrap_or(0.0).clamp(-1.0, 1.0),
            batch_ratio.map_or(0.0, |ratio| (ratio - 1.0).clamp(-1.0, 2.0)),
            soon * (self.rate(row.step + ahead) / rate).ln().clamp(-1.0, 2.0),
        ];
        Some(Signal {
            step: row.step,
            in_spike,
            early: probability(&s.early_weights, &features),
            imminent: probability(&s.imminent_weights, &features),
            features,
            in_steps,
            edge_ratio,
            slope: ratio_in(1) - ratio_in(0),
            growth: growth(edge_ratio, beta),
            measured_growth: measured.map(f64::exp).filter(|growth| growth.is_finite()),
            energy_share,
            gradient_alignment,
            batch_ratio,
        })
    }

    /// Whether the learning rate has been changed against the schedule since the row before, as by
    /// whoever acts on a warning: an earlier warning is done with then.
    pub fn departs(&mut self, row: &StepRow) -> bool {
        let departure = row.lr / self.rate(row.step);
        // A rate of zero, on either side, says nothing of the other.
        if !(departure.is_finite() && departure > 0.0) {
            return false;
        }
        let before = self.departure.replace(departure);
        before.is_some_and(|before| jumped(before, departure, &self.settings))
    }

    /// The schedule's rate, of the last step for those after it, which are never taken.
    fn rate(&self, step: usize) -> f64 {
        let last = self.schedule.steps.checked_sub(1);
        self.schedule.rate(last.map_or(step, |last| step.min(last)))
    }

    /// How far the logarithm of the energy's share is above the least it kept to for three rows
    /// lately: single rows dip where the component changes sign.
    fn build_up(&self, log_share: f64) -> f64 {
        let shares: Vec<f64> = self.shares.values().collect();
        let kept = |three: &[f64]| three.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        log_share.max(-30.0) - shares.windows(3).map(kept).fold(log_share, f64::min).max(-30.0)
    }

    /// Steps until the energy is `visible_share` of the loss, if |c| grows by `log_growth` of so many
    /// steps ahead; `None` if not within three horizons.
    fn steps_until_visible(
        &self,
        mut log_share: f64,
        log_growth: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        let target = self.settings.visible_share.ln();
        for step in 0..3 * self.settings.warning_horizon {
            if log_share >= target {
                return Some(step);
            }
            log_share += 2.0 * log_growth(step);
        }
        None
    }
}

/// Of a logistic model.
pub(super) fn probability(weights: &WarningWeights, features: &[f64; FEATURES.len()]) -> f64 {
    let [intercept, weights @ ..] = weights.to_array();
    let score = intercept + weights.iter().zip(features).map(|(w, x)| w * x).sum::<f64>();
    1.0 / (1.0 + (-score).exp())
}

/// When a score that is computed at each row becomes a warning: at the first row at or above the
/// bar, and then not again for as long as that warning stands, which is for `horizon` steps or until
/// a spike.
#[derive(Debug, Clone)]
pub struct Alarm {
    bar: f64,
    horizon: usize,
    raised: Option<usize>,
}

impl Alarm {
    /// An alarm that has not been raised.
    pub fn new(bar: f64, horizon: usize) -> Self {
        Self { bar, horizon, raised: None }
    }

    /// Takes the warning that stands back.
    pub fn lower(&mut self) {
        self.raised = None;
    }

    /// Whether a warning is due with this score.
    pub fn observe(&mut self, step: usize, score: f64, in_spike: bool) -> bool {
        if in_spike {
            self.raised = None;
            return false;
        }
        if self.raised.is_some_and(|raised| step <= raised + self.horizon) || score < self.bar {
            return false;
        }
        self.raised = Some(step);
        true
    }
}
