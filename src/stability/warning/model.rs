//! The models of spikes: features of the rows, and what they say.

use std::collections::VecDeque;

use super::growth::Growth;
use super::modes::{Mode, modes_of};
use super::prediction::{Prediction, Standing, came_of};
use super::{FEATURES, PredictedLoss, PredictionSettings, Signal, WarningSettings, WarningWeights};
use crate::record::StepRow;
use crate::stability::edge::edge_of;
use crate::stability::trend::{Line, Trend, median, robust_deviation};
use crate::stability::{Context, StabilitySettings, TrendSettings};

/// Bounds of the logarithm of a growth, as a feature.
const LOG_GROWTH: (f64, f64) = (-1.0, 1.5);
/// The largest logarithm of a share of the loss, up or down, as a feature; the feature is a tenth of it.
const LOG_SHARE: f64 = 30.0;
/// Bounds of the logarithm of a predicted energy over what a spike takes.
const LOG_PREDICTED: (f64, f64) = (-6.0, 4.0);
/// The largest edge ratio and realized ratio, and the number of deviations of a gradient's norm.
const LARGEST_RATIO: f64 = 3.0;
const LARGEST_DEVIATION: f64 = 100.0;
/// Bounds of the logarithm of the curvature along the step over the loss.
const LOG_CURVATURE: (f64, f64) = (-8.0, 3.0);
/// The largest trend over the horizon.
const LARGEST_TREND: f64 = 2.0;
/// Rows that a realized ratio beyond 1 is sustained over.
const SUSTAINED: usize = 3;
/// Gradient norms before there is a median of them.
const LEAST_NORMS: usize = 3;

/// Judges rows one by one.
#[derive(Debug, Clone)]
pub(in crate::stability) struct WarningModel {
    settings: WarningSettings,
    prediction: PredictionSettings,
    /// The rise of the loss, in multiples of its baseline and of deviations about it, that is a spike.
    spike: (f64, f64),
    trend: TrendSettings,
    growth: Growth,
    /// Edge ratios over the schedule's rate.
    ratios: Trend,
    /// Their logarithms.
    log_ratios: Trend,
    /// Norms of the gradient.
    norms: Trend,
    /// Realized ratios, the row's own last; 0 where there was none.
    realized: VecDeque<f64>,
    /// Logarithms of the oscillation's component of the gradient, up to a constant.
    components: Trend,
    /// Logarithms of the oscillation's share of the loss.
    shares: Trend,
    /// The latest threshold, and the schedule's rate then.
    threshold: Option<(f64, f64)>,
}

/// The level that the loss is at: its baseline, where there is one.
fn level(loss: f64, context: &Context) -> f64 {
    loss / (1.0 + context.loss_rise.unwrap_or(0.0).max(-0.9))
}

/// g's + s'Hs/2 over the loss, s the update: s'Hs (1 - 1/r)/2 with the realized ratio r; 0 where that is not known.
fn step_rise(row: &StepRow, loss: f64) -> f64 {
    let of = |ratio: f64| row.step_curvature.map(|curvature| curvature * (1.0 - 1.0 / ratio) / 2.0);
    let rise = row.realized_ratio.and_then(of).unwrap_or(0.0) / loss;
    if rise.is_finite() { rise.clamp(-1.0, 1.0) } else { 0.0 }
}

/// What a row knows of the modes.
struct OfModes {
    oscillation: Oscillation,
    threshold: f64,
    edge_ratio: f64,
    modes: Vec<Mode>,
}

/// What the models go by, by name: see [`WarningWeights`].
#[derive(Default)]
struct Features([f64; FEATURES.len()]);

impl Features {
    fn set(&mut self, name: &str, value: f64) {
        let place = FEATURES.iter().position(|known| *known == name);
        debug_assert!(place.is_some(), "{name} is no feature");
        if let Some(place) = place.filter(|_| value.is_finite()) {
            self.0[place] = value;
        }
    }

    fn set_realized(&mut self, ratios: &VecDeque<f64>) {
        let mut latest = ratios.iter().rev().map(|ratio| ratio.clamp(-1.0, LARGEST_RATIO));
        let beyond = |ratio: f64| (ratio - 1.0).max(0.0);
        let (now, before) = (latest.next().unwrap_or(0.0), latest.next().unwrap_or(0.0));
        self.set("realized", now);
        self.set("realized_beyond", beyond(now));
        self.set("realized_before", beyond(before));
        let least = ratios.iter().rev().take(SUSTAINED).copied().fold(LARGEST_RATIO, f64::min);
        self.set("sustained", if ratios.len() < SUSTAINED { 0.0 } else { beyond(least) });
    }

    /// `spike` is the energy over the level of the loss that a spike takes.
    fn set_prediction(&mut self, prediction: &Prediction, spike: f64) {
        let of = |share: f64| {
            let log = (prediction.largest(share) / spike).max(f64::MIN_POSITIVE).ln();
            log.clamp(LOG_PREDICTED.0, LOG_PREDICTED.1)
        };
        self.set("predicted", of(0.5));
        self.set("predicted_least", of(0.1));
        self.set("predicted_most", of(0.9));
    }

    fn set_modes(&mut self, modes: &[Mode], edge_ratio: f64) {
        let ratio = edge_ratio.clamp(0.0, LARGEST_RATIO);
        self.set("ratio", ratio);
        self.set("beyond", (ratio - 1.0).max(0.0));
        let second = modes.get(1).map_or(0.0, |mode| mode.edge_ratio);
        self.set("second", second.clamp(0.0, LARGEST_RATIO));
        self.set("modes", modes.iter().filter(|mode| mode.edge_ratio > 1.0).count() as f64);
    }
}

/// The oscillation along the top eigenvector, as one row has it.
struct Oscillation {
    /// c^2/(2 lambda_1) over the loss.
    energy_share: f64,
    /// Its logarithm.
    log_share: f64,
}

impl Oscillation {
    /// `None` where the row lacks what it takes, or it is no number.
    fn of(row: &StepRow) -> Option<Self> {
        let (loss, lambda) = (row.train_loss?, row.sharpness?);
        let component = row.grad_norm? * row.gradient_alignment?;
        let energy_share = component * component / (2.0 * lambda) / loss;
        let finite = energy_share.is_finite() && lambda > 0.0 && loss > 0.0;
        // A component of exactly zero has no logarithm.
        let log_share = energy_share.max(f64::MIN_POSITIVE).ln();
        finite.then_some(Self { energy_share, log_share })
    }
}

/// Where the edge ratio goes, and with it the oscillation's growth.
struct Outlook<'a> {
    context: &'a Context,
    growth: &'a Growth,
    step: usize,
    threshold_times_lr: f64,
    /// The ratio over the schedule's rate, along its trend ...
    now: f64,
    /// ... and its change per step.
    slope: f64,
}

impl Outlook<'_> {
    /// The schedule's rate in so many steps.
    fn rate_in(&self, steps: usize) -> f64 {
        self.context.planned_rate(self.step.saturating_add(steps))
    }

    fn ratio_in(&self, steps: usize) -> f64 {
        (self.now + self.slope * steps as f64).max(0.0) * self.rate_in(steps)
    }

    fn growth_at(&self, edge_ratio: f64) -> f64 {
        self.growth.at(edge_ratio, self.threshold_times_lr)
    }

    fn log_growth_in(&self, steps: usize) -> f64 {
        self.growth_at(self.ratio_in(steps)).ln()
    }
}

/// Batch sharpness, as the ratio of means that the models were fitted on, over what it settles at: 1
/// between what it settles at with small and with large batches. `None` where neither is known.
fn batch_ratio(row: &StepRow, threshold: f64) -> Option<f64> {
    let measured = row.batch_sharpness_ratio_of_means.filter(|measured| measured.is_finite())?;
    // Rows of earlier versions do not say; gradient descent's is its threshold.
    let same = ((threshold * row.lr - 2.0).abs() < 1e-9).then_some(threshold);
    let (small, large) = (row.batch_edge_small.or(same)?, row.batch_edge_large.or(same)?);
    let ratio = if measured < small { measured / small } else { (measured / large).max(1.0) };
    ratio.is_finite().then_some(ratio)
}

/// What the models take it for: nothing with the full batch, and far below the edge where it cannot be
/// compared, as with Adam, whose minibatches they were fitted on so.
fn batch_feature(row: &StepRow, batch_ratio: Option<f64>) -> f64 {
    match (row.batch_sharpness_ratio_of_means, batch_ratio) {
        (None, _) => 0.0,
        (Some(_), None) => -1.0,
        (Some(_), Some(ratio)) => (ratio - 1.0).clamp(-1.0, 2.0),
    }
}

impl WarningModel {
    /// A model that has seen nothing.
    pub fn new(settings: &StabilitySettings) -> Self {
        let StabilitySettings { warning: settings, trend, prediction, spikes, .. } = settings;
        Self {
            settings: settings.clone(),
            prediction: prediction.clone(),
            spike: (spikes.spike_factor - 1.0, spikes.spike_deviations),
            trend: trend.clone(),
            growth: Growth::default(),
            ratios: Trend::new(trend.trend_rows),
            log_ratios: Trend::new(trend.trend_rows),
            norms: Trend::new(trend.trend_rows),
            realized: VecDeque::new(),
            components: Trend::new(settings.growth_rows),
            shares: Trend::new(settings.warning_horizon),
            threshold: None,
        }
    }

    /// Tells it how the optimizer's oscillation grows.
    pub fn set_growth(&mut self, growth: Growth) {
        self.growth = growth;
    }

    /// What `row` says; `None` where no curvature or no loss was measured.
    /// Of the context it takes the spike under way, the loss's rise and the schedule.
    pub fn observe(&mut self, row: &StepRow, context: &Context) -> Option<Signal> {
        let loss = row.train_loss.filter(|loss| loss.is_finite());
        let deviation = row.grad_norm.and_then(|norm| self.deviation(row.step, norm));
        row.sharpness?;
        if self.realized.len() > SUSTAINED {
            self.realized.pop_front();
        }
        self.realized.push_back(row.realized_ratio.unwrap_or(0.0));
        let of_modes = self.observe_modes(row, context);
        let loss = loss?;

        let mut features = Features::default();
        features.set("loss_rise", context.loss_rise.unwrap_or(0.0).clamp(-1.0, 1.0));
        features.set("scatter", context.loss_scatter.unwrap_or(0.0).clamp(0.0, 1.0));
        features.set("gradient_deviation", deviation.unwrap_or(0.0));
        features.set_realized(&self.realized);
        features.set("step_rise", step_rise(row, loss));
        let curvature = row.step_curvature.map(|curvature| (curvature.abs() / loss).ln());
        let lowest = LOG_CURVATURE.0;
        let curvature = curvature.filter(|c| !c.is_nan()).unwrap_or(lowest);
        features.set("step_curvature", curvature.clamp(lowest, LOG_CURVATURE.1));
        let mut signal = Signal {
            step: row.step,
            in_spike: context.in_spike,
            early: 0.0,
            imminent: 0.0,
            features: [0.0; FEATURES.len()],
            in_steps: None,
            predicted: None,
            bearable: None,
            edge_ratio: None,
            slope: None,
            growth: None,
            measured_growth: None,
            energy_share: None,
            gradient_alignment: row.gradient_alignment,
            batch_ratio: None,
        };
        match &of_modes {
            Some(of_modes) => {
                self.enter_modes(&mut signal, &mut features, row, loss, context, of_modes);
            }
            None => features.set("without_threshold", 1.0),
        }
        signal.features = features.0;
        signal.early = probability(&self.settings.early_weights, &signal.features);
        signal.imminent = probability(&self.settings.imminent_weights, &signal.features);
        let asked = signal.score(&self.settings) >= 0.0 || context.rate_factor < 1.0;
        signal.bearable =
            of_modes.filter(|_| asked).map(|of_modes| self.bearable(row, loss, context, &of_modes));
        Some(signal)
    }

    /// Takes in what the row knows of the modes.
    fn observe_modes(&mut self, row: &StepRow, context: &Context) -> Option<OfModes> {
        let (_, threshold, edge_ratio) = edge_of(row)?;
        self.follow(row.step, threshold, edge_ratio, context);
        let oscillation = Oscillation::of(row)?;
        self.components.push(row.step, oscillation.log_share / 2.0);
        self.shares.push(row.step, oscillation.log_share);
        Some(OfModes { oscillation, threshold, edge_ratio, modes: modes_of(row) })
    }

    /// Enters what they tell.
    fn enter_modes(
        &self,
        signal: &mut Signal,
        features: &mut Features,
        row: &StepRow,
        loss: f64,
        context: &Context,
        of_modes: &OfModes,
    ) {
        let OfModes { oscillation, threshold, edge_ratio, modes } = of_modes;
        let (threshold, edge_ratio) = (*threshold, *edge_ratio);
        let component = self.components.line();
        let outlook = self.outlook(row, threshold, edge_ratio, context);
        let in_steps = self.steps_until_visible(oscillation.log_share, &outlook);
        let batch_ratio = batch_ratio(row, threshold);
        let batch = batch_feature(row, batch_ratio);
        self.enter_oscillation(features, oscillation, component, &outlook, in_steps);
        features.set("batch", batch);
        let level = level(loss, context);
        let growth = |ratio| outlook.growth.near(ratio, outlook.threshold_times_lr);
        let horizon = self.settings.warning_horizon;
        let prediction = self.standing(horizon, modes, level, &outlook, |at| {
            Prediction::of(at, &self.prediction, growth)
        });
        features.set_prediction(&prediction, self.spike(context));
        features.set_modes(modes, edge_ratio);
        let trend = self.log_ratios.line().map_or(0.0, |line| line.slope);
        let over_horizon = self.settings.warning_horizon as f64 * trend;
        features.set("trend", over_horizon.clamp(-LARGEST_TREND, LARGEST_TREND));

        signal.in_steps = in_steps;
        let predicted = level * (1.0 + prediction.largest(0.5)) / loss;
        let [least, middle, most] = came_of(predicted).map(|factor| factor * loss);
        signal.predicted = Some(PredictedLoss { loss: middle, least, most });
        signal.edge_ratio = Some(edge_ratio);
        signal.slope = Some(outlook.ratio_in(1) - outlook.ratio_in(0));
        signal.growth = Some(outlook.growth_at(edge_ratio));
        signal.measured_growth = component.map(|line| line.slope.exp()).filter(|g| g.is_finite());
        signal.energy_share = Some(oscillation.energy_share);
        signal.batch_ratio = batch_ratio;
    }

    /// What `look` makes of where the modes stand, with the rates of so many steps.
    fn standing<R>(
        &self,
        steps: usize,
        modes: &[Mode],
        level: f64,
        outlook: &Outlook<'_>,
        look: impl FnOnce(&Standing<'_>) -> R,
    ) -> R {
        let line = self.log_ratios.line();
        let now = outlook.rate_in(0);
        let rates: Vec<f64> = (0..steps).map(|h| outlook.rate_in(h) / now).collect();
        let mut modes = modes.to_vec();
        if let (Some(top), Some(line)) = (modes.first_mut(), line) {
            top.edge_ratio = line.now.exp() * now;
        }
        look(&Standing {
            modes: &modes,
            level,
            slope: self.trend.clear_slope(line),
            slope_error: line.map_or(0.0, |line| line.slope_error),
            factor: 1.0,
            rates: &rates,
        })
    }

    /// The energy over the level of the loss that a spike takes.
    fn spike(&self, context: &Context) -> f64 {
        self.spike.0.max(self.spike.1 * context.loss_scatter.unwrap_or(0.0))
    }

    /// The largest multiple of the learning rates to come that the modes bear.
    fn bearable(&self, row: &StepRow, loss: f64, context: &Context, of_modes: &OfModes) -> f64 {
        let OfModes { threshold, edge_ratio, modes, .. } = of_modes;
        let outlook = self.outlook(row, *threshold, *edge_ratio, context);
        let growth = |ratio| outlook.growth.near(ratio, outlook.threshold_times_lr);
        let spike = self.spike(context);
        // A spike put off to just beyond the horizon is not borne.
        self.standing(self.farthest(), modes, level(loss, context), &outlook, |at| {
            Prediction::bearable(at, &self.prediction, growth, spike)
        })
    }

    /// The logarithm of 1 and the deviations by which the gradient's norm is above the median of those before.
    fn deviation(&mut self, step: usize, norm: f64) -> Option<f64> {
        let before: Vec<f64> = self.norms.values().collect();
        self.norms.push(step, norm);
        let centre = median(before.iter().copied())?;
        // Below a millionth rounding would be counted.
        let spread = robust_deviation(&before, centre).max(1e-6 * centre);
        let deviations = (norm - centre) / spread;
        let known = before.len() >= LEAST_NORMS && !deviations.is_nan();
        known.then(|| deviations.clamp(0.0, LARGEST_DEVIATION).ln_1p())
    }

    /// Takes the edge ratio in. What the schedule does to it is known; what is left has a trend.
    fn follow(&mut self, step: usize, threshold: f64, edge_ratio: f64, context: &Context) {
        let rate = context.planned_rate(step);
        if let Some((before, rate_before)) = self.threshold.replace((threshold, rate)) {
            if self.trend.jumped(before, threshold) {
                self.components.clear();
            }
            if self.trend.jumped(before * rate_before, threshold * rate) {
                self.ratios.clear();
                self.log_ratios.clear();
            }
        }
        self.ratios.push(step, edge_ratio / rate);
        self.log_ratios.push(step, (edge_ratio / rate).ln());
    }

    fn outlook<'a>(
        &'a self,
        row: &StepRow,
        threshold: f64,
        edge_ratio: f64,
        context: &'a Context,
    ) -> Outlook<'a> {
        let line = self.ratios.line();
        let rate = context.planned_rate(row.step);
        Outlook {
            context,
            growth: &self.growth,
            step: row.step,
            threshold_times_lr: threshold * row.lr,
            now: line.map_or(edge_ratio / rate, |line| line.now),
            slope: self.trend.clear_slope(line),
        }
    }

    /// Enters what the oscillation along the top eigenvector tells. `component` is the line of the component's
    /// logarithms.
    fn enter_oscillation(
        &self,
        features: &mut Features,
        oscillation: &Oscillation,
        component: Option<Line>,
        outlook: &Outlook<'_>,
        in_steps: Option<usize>,
    ) {
        let ahead = in_steps.unwrap_or(self.farthest());
        let soon = if ahead <= self.settings.warning_horizon { 1.0 } else { 0.0 };
        let within = |log_growth: f64| log_growth.clamp(LOG_GROWTH.0, LOG_GROWTH.1);
        let measured = within(component.map_or(0.0, |line| line.slope));
        let agreed = soon * measured.min(within(outlook.log_growth_in(0))).max(0.0);
        let coherent = agreed * self.coherence(component);
        let build_up = self.build_up(oscillation.log_share).clamp(0.0, LOG_SHARE) / 10.0;
        let planned = (outlook.rate_in(ahead) / outlook.rate_in(0)).ln();
        features.set("urgency", -(ahead as f64).ln_1p());
        features.set("reach", soon * within(outlook.log_growth_in(ahead)));
        features.set("clean", coherent * build_up.min(2.0));
        features.set("coherent", coherent);
        features.set("energy", oscillation.log_share.clamp(-LOG_SHARE, 0.0) / 10.0);
        features.set("build_up", build_up);
        features.set("planned", soon * planned.clamp(-1.0, 2.0));
    }

    /// How much the component grows as that of a single mode would: 1 along a clean line, less the
    /// more it scatters about it.
    fn coherence(&self, component: Option<Line>) -> f64 {
        let scatter = component.map_or(f64::INFINITY, |line| line.scatter);
        1.0 / (1.0 + (scatter / self.settings.coherent_scatter).powi(2))
    }

    /// How far the logarithm of the energy's share is above the least it kept to for some rows lately.
    fn build_up(&self, log_share: f64) -> f64 {
        let shares: Vec<f64> = self.shares.values().collect();
        let kept = |rows: &[f64]| rows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let windows = shares.windows(self.settings.build_up_rows.max(1));
        log_share.max(-LOG_SHARE) - windows.map(kept).fold(log_share, f64::min).max(-LOG_SHARE)
    }

    /// Steps until the energy is `visible_share` of the loss, if |c| grows as the outlook has it;
    /// `None` if that takes longer than is counted.
    fn steps_until_visible(&self, mut log_share: f64, outlook: &Outlook<'_>) -> Option<usize> {
        let target = self.settings.visible_share.ln();
        for step in 0..self.farthest() {
            if log_share >= target {
                return Some(step);
            }
            log_share += 2.0 * outlook.log_growth_in(step);
        }
        None
    }

    /// Steps over which it is counted.
    fn farthest(&self) -> usize {
        self.settings.visible_horizons.saturating_mul(self.settings.warning_horizon)
    }
}

/// Of a logistic model.
fn probability(weights: &WarningWeights, features: &[f64; FEATURES.len()]) -> f64 {
    let [intercept, weights @ ..] = weights.to_array();
    let score = intercept + weights.iter().zip(features).map(|(w, x)| w * x).sum::<f64>();
    1.0 / (1.0 + (-score).exp())
}
