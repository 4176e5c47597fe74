//! The models of spikes: features of the rows, and what they say.

use super::growth::Growth;
use super::{FEATURES, Signal, WarningSettings, WarningWeights};
use crate::record::StepRow;
use crate::stability::edge::edge_of;
use crate::stability::trend::{Line, Trend};
use crate::stability::{Context, TrendSettings};

/// Bounds of the logarithm of a growth, as a feature.
const LOG_GROWTH: (f64, f64) = (-1.0, 1.5);
/// The largest logarithm of a share of the loss, up or down, as a feature; the feature is a tenth of it.
const LOG_SHARE: f64 = 30.0;

/// Judges rows one by one.
#[derive(Debug, Clone)]
pub(in crate::stability) struct WarningModel {
    settings: WarningSettings,
    trend: TrendSettings,
    growth: Growth,
    /// Edge ratios over the schedule's rate.
    ratios: Trend,
    /// Logarithms of the oscillation's component of the gradient, up to a constant.
    components: Trend,
    /// Logarithms of the oscillation's share of the loss.
    shares: Trend,
    /// The latest threshold, and the schedule's rate then.
    threshold: Option<(f64, f64)>,
}

/// The oscillation along the top eigenvector, as one row has it.
struct Oscillation {
    /// |c| over the norm of the gradient.
    gradient_alignment: f64,
    /// c^2/(2 lambda_1) over the loss.
    energy_share: f64,
    /// Its logarithm.
    log_share: f64,
}

impl Oscillation {
    /// `None` where the row lacks what it takes, or it is no number.
    fn of(row: &StepRow) -> Option<Self> {
        let (loss, lambda) = (row.train_loss?, row.sharpness?);
        let gradient_alignment = row.gradient_alignment?;
        let component = row.grad_norm? * gradient_alignment;
        let energy_share = component * component / (2.0 * lambda) / loss;
        let finite = energy_share.is_finite() && lambda > 0.0 && loss > 0.0;
        // A component of exactly zero has no logarithm.
        let log_share = energy_share.max(f64::MIN_POSITIVE).ln();
        finite.then_some(Self { gradient_alignment, energy_share, log_share })
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
    pub fn new(settings: &WarningSettings, trend: &TrendSettings) -> Self {
        Self {
            settings: settings.clone(),
            trend: trend.clone(),
            growth: Growth::default(),
            ratios: Trend::new(trend.trend_rows),
            components: Trend::new(settings.growth_rows),
            shares: Trend::new(settings.warning_horizon),
            threshold: None,
        }
    }

    /// Tells it how the optimizer's oscillation grows.
    pub fn set_growth(&mut self, growth: Growth) {
        self.growth = growth;
    }

    /// What `row` says; `None` where it lacks the edge ratio, the loss, the gradient or its alignment.
    /// Of the context it takes the spike under way, the loss's rise and the schedule.
    pub fn observe(&mut self, row: &StepRow, context: &Context) -> Option<Signal> {
        let (_, threshold, edge_ratio) = edge_of(row)?;
        self.follow(row.step, threshold, edge_ratio, context);
        let oscillation = Oscillation::of(row)?;
        self.components.push(row.step, oscillation.log_share / 2.0);
        self.shares.push(row.step, oscillation.log_share);

        let component = self.components.line();
        let outlook = self.outlook(row, threshold, edge_ratio, context);
        let in_steps = self.steps_until_visible(oscillation.log_share, &outlook);
        let batch_ratio = batch_ratio(row, threshold);
        let batch = batch_feature(row, batch_ratio);
        let features = self.features(&oscillation, component, &outlook, in_steps, batch);
        Some(Signal {
            step: row.step,
            in_spike: context.in_spike,
            early: probability(&self.settings.early_weights, &features),
            imminent: probability(&self.settings.imminent_weights, &features),
            features,
            in_steps,
            edge_ratio,
            slope: outlook.ratio_in(1) - outlook.ratio_in(0),
            growth: outlook.growth_at(edge_ratio),
            measured_growth: component.map(|line| line.slope.exp()).filter(|g| g.is_finite()),
            energy_share: oscillation.energy_share,
            gradient_alignment: oscillation.gradient_alignment,
            batch_ratio,
        })
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
            }
        }
        self.ratios.push(step, edge_ratio / rate);
    }

    fn outlook<'a>(
        &'a self,
        row: &StepRow,
        threshold: f64,
        edge_ratio: f64,
        context: &'a Context,
    ) -> Outlook<'a> {
        let line = self.ratios.line();
        // A slope that its own scatter explains is none.
        let clear = line.filter(|l| l.slope.abs() > self.trend.trend_errors * l.slope_error);
        let rate = context.planned_rate(row.step);
        Outlook {
            context,
            growth: &self.growth,
            step: row.step,
            threshold_times_lr: threshold * row.lr,
            now: line.map_or(edge_ratio / rate, |line| line.now),
            slope: clear.map_or(0.0, |line| line.slope),
        }
    }

    /// What the models go by: see [`Signal::features`]. `component` is the line of the component's
    /// logarithms.
    fn features(
        &self,
        oscillation: &Oscillation,
        component: Option<Line>,
        outlook: &Outlook<'_>,
        in_steps: Option<usize>,
        batch: f64,
    ) -> [f64; FEATURES.len()] {
        let ahead = in_steps.unwrap_or(self.farthest());
        let soon = if ahead <= self.settings.warning_horizon { 1.0 } else { 0.0 };
        let within = |log_growth: f64| log_growth.clamp(LOG_GROWTH.0, LOG_GROWTH.1);
        let measured = within(component.map_or(0.0, |line| line.slope));
        let agreed = soon * measured.min(within(outlook.log_growth_in(0))).max(0.0);
        let coherent = agreed * self.coherence(component);
        let build_up = self.build_up(oscillation.log_share).clamp(0.0, LOG_SHARE) / 10.0;
        let planned = (outlook.rate_in(ahead) / outlook.rate_in(0)).ln();
        [
            -(ahead as f64).ln_1p(),
            soon * within(outlook.log_growth_in(ahead)),
            coherent * build_up.min(2.0),
            coherent,
            oscillation.log_share.clamp(-LOG_SHARE, 0.0) / 10.0,
            build_up,
            outlook.context.loss_rise.unwrap_or(0.0).clamp(-1.0, 1.0),
            batch,
            soon * planned.clamp(-1.0, 2.0),
        ]
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
