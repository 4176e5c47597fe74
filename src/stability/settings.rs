//! Every constant by which rows are judged.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How rows are judged. Ratios and counts only, so that they fit any scale of the loss; times are in
/// steps where the name says so, else in rows that hold the quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StabilitySettings {
    /// The edge is entered at this edge ratio.
    pub edge_enter: f64,
    /// It is left below this one: at the edge the ratio swings by some percent about 1.
    pub edge_leave: f64,
    /// Measurements in a row below `edge_leave` after which it is left.
    pub edge_hold: usize,
    /// Training counts as unstable from this ratio on, loss spike or not: gradient descent's
    /// oscillation doubles at each step there (growth 2r - 1).
    pub unstable_enter: f64,
    /// It does not any more below this one.
    pub unstable_leave: f64,
    /// Measurements that a trend of sharpness or edge ratio is fitted to.
    pub trend_rows: usize,
    /// A threshold that moves by this factor's logarithm from one measurement to the next has jumped,
    /// and earlier edge ratios say nothing of later ones.
    pub threshold_jump: f64,
    /// Sharpness rises if its trend adds this share of itself over the trend's rows ...
    pub sharpening_enter: f64,
    /// ... and does not any more below this share.
    pub sharpening_leave: f64,
    /// Measurements that a forecast of the edge is drawn from ...
    pub forecast_rows: usize,
    /// ... and how many times their span it may look ahead.
    pub forecast_spans: f64,

    /// Losses that a spike's baseline is the median of.
    pub spike_window: usize,
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
    /// A spike is a catapult if the sharpness after it is at most this share of that before.
    pub catapult_share: f64,

    /// A warning stands for the coming so many steps, which the early model speaks of.
    pub warning_horizon: usize,
    /// It is given from this probability on, by the early model ...
    pub early_probability: f64,
    /// ... or from this one on, by the imminent model, which speaks of the next few steps.
    pub imminent_probability: f64,
    /// How few.
    pub imminent_horizon: usize,
    /// An oscillation is visible when its energy is this share of the loss.
    pub visible_share: f64,
    /// Rows that the growth of the gradient along the top eigenvector is measured over.
    pub growth_rows: usize,
    /// The probability of a spike within the warning's horizon, as seen from afar.
    pub early_weights: WarningWeights,
    /// The probability of one within the imminent horizon, as seen at the last steps before it.
    pub imminent_weights: WarningWeights,

    /// Losses that a plateau has at least.
    pub plateau_rows: usize,
    /// Their largest relative change; twice as much ends the plateau.
    pub plateau_change: f64,
    /// A gradient is small if ||g||^2/(2 lambda_1), what a step down the steepest curve could gain,
    /// is at most this share of the loss.
    pub small_gradient: f64,
    /// A direction curves clearly downwards if -lambda_min is at least this share of lambda_1.
    pub saddle_curvature: f64,
    /// None does if -lambda_min is at most this share of lambda_1.
    pub minimum_curvature: f64,

    /// Unit roundoff of the parameters: 2^-24 in single precision, 2^-53 in double.
    pub resolution: f64,
    /// Rows in a row with an update below it that make one suspicious.
    pub resolution_rows: usize,
    /// A residual that does not converge within this multiple of the resolution is at its floor.
    pub residual_floor: f64,
    /// A sharpness below this share of both neighbours, which agree, is suspicious.
    pub disagreement: f64,
}

impl Default for StabilitySettings {
    fn default() -> Self {
        Self {
            edge_enter: 1.0,
            edge_leave: 0.9,
            edge_hold: 3,
            unstable_enter: 1.5,
            unstable_leave: 1.2,
            trend_rows: 8,
            threshold_jump: 0.3,
            sharpening_enter: 0.01,
            sharpening_leave: 0.0025,
            forecast_rows: 16,
            forecast_spans: 3.0,
            spike_window: 12,
            spike_factor: 1.5,
            spike_deviations: 3.0,
            spike_end_factor: 1.1,
            spike_hold: 3,
            spike_longest: 50,
            catapult_share: 0.9,
            warning_horizon: 20,
            early_probability: 0.5752,
            imminent_probability: 0.2249,
            imminent_horizon: 3,
            visible_share: 0.3,
            growth_rows: 5,
            early_weights: EARLY,
            imminent_weights: IMMINENT,
            plateau_rows: 30,
            plateau_change: 0.002,
            small_gradient: 1e-3,
            saddle_curvature: 0.02,
            minimum_curvature: 0.005,
            resolution: 2f64.powi(-24),
            resolution_rows: 3,
            residual_floor: 30.0,
            disagreement: 0.8,
        }
    }
}

impl StabilitySettings {
    /// The constants for parameters with this unit roundoff.
    pub fn at_resolution(resolution: f64) -> Self {
        Self { resolution, ..Self::default() }
    }

    /// Checks that every constant can be used.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("edge_enter", self.edge_enter),
            ("edge_leave", self.edge_leave),
            ("unstable_enter", self.unstable_enter),
            ("unstable_leave", self.unstable_leave),
            ("threshold_jump", self.threshold_jump),
            ("sharpening_enter", self.sharpening_enter),
            ("sharpening_leave", self.sharpening_leave),
            ("forecast_spans", self.forecast_spans),
            ("spike_deviations", self.spike_deviations),
            ("catapult_share", self.catapult_share),
            ("early_probability", self.early_probability),
            ("imminent_probability", self.imminent_probability),
            ("visible_share", self.visible_share),
            ("plateau_change", self.plateau_change),
            ("small_gradient", self.small_gradient),
            ("saddle_curvature", self.saddle_curvature),
            ("minimum_curvature", self.minimum_curvature),
            ("resolution", self.resolution),
            ("residual_floor", self.residual_floor),
            ("disagreement", self.disagreement),
        ];
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(wrong(key, value, "not a positive number", "give one above 0"));
            }
        }
        // Three points make a line with a scatter about it.
        let counts = [
            ("edge_hold", self.edge_hold, 1),
            ("trend_rows", self.trend_rows, 3),
            ("forecast_rows", self.forecast_rows, 6),
            ("spike_window", self.spike_window, 4),
            ("spike_hold", self.spike_hold, 1),
            ("spike_longest", self.spike_longest, self.spike_hold + 1),
            ("imminent_horizon", self.imminent_horizon, 1),
            ("warning_horizon", self.warning_horizon, self.imminent_horizon),
            ("growth_rows", self.growth_rows, 3),
            ("plateau_rows", self.plateau_rows, 2),
            ("resolution_rows", self.resolution_rows, 1),
        ];
        for (key, value, least) in counts {
            if value < least {
                let remedy = format!("give {least} or more");
                return Err(Error::setting(key, value, "too few", remedy));
            }
        }
        // Hysteresis: what is entered is not left at once.
        let ordered = [
            ("edge_leave", self.edge_leave, "edge_enter", self.edge_enter),
            ("unstable_leave", self.unstable_leave, "unstable_enter", self.unstable_enter),
            ("sharpening_leave", self.sharpening_leave, "sharpening_enter", self.sharpening_enter),
            ("spike_end_factor", self.spike_end_factor, "spike_factor", self.spike_factor),
            (
                "minimum_curvature",
                self.minimum_curvature,
                "saddle_curvature",
                self.saddle_curvature,
            ),
        ];
        for (low, value, high, above) in ordered {
            // Not as `value > above`, which lets an undefined number pass.
            if !matches!(value.partial_cmp(&above), Some(order) if order.is_le()) {
                let remedy = format!("give at most {above} or raise {high}");
                return Err(wrong(low, value, &format!("above {high}"), &remedy));
            }
        }
        let at_most_one = [
            ("catapult_share", self.catapult_share),
            ("early_probability", self.early_probability),
            ("imminent_probability", self.imminent_probability),
            ("visible_share", self.visible_share),
            ("disagreement", self.disagreement),
        ];
        for (key, value) in at_most_one {
            if value > 1.0 {
                return Err(wrong(key, value, "a share above 1", "give one of at most 1"));
            }
        }
        if !(self.spike_end_factor >= 1.0 && self.spike_factor.is_finite()) {
            let remedy = "give finite factors of at least 1";
            return Err(wrong("spike_end_factor", self.spike_end_factor, "below 1", remedy));
        }
        let weights =
            [("early_weights", &self.early_weights), ("imminent_weights", &self.imminent_weights)];
        for (key, weights) in weights {
            if let Some(&weight) = weights.to_array().iter().find(|weight| !weight.is_finite()) {
                return Err(wrong(key, weight, "not a finite number", "fit them again"));
            }
        }
        Ok(())
    }
}

fn wrong(key: &str, value: f64, problem: &str, remedy: &str) -> Error {
    Error::setting(key, format!("{value:?}"), problem, remedy)
}

/// Of the early model, fitted by `examples/evaluate_warnings.rs`.
const EARLY: WarningWeights = WarningWeights {
    intercept: -2.693,
    urgency: 0.4895,
    reach: 1.327,
    clean: 2.855,
    coherent: 0.7539,
    energy: -0.2913,
    build_up: 0.9653,
    loss_rise: -2.402,
    batch: 1.659,
    planned: 3.68,
};

/// Of the imminent model, from the same fit.
const IMMINENT: WarningWeights = WarningWeights {
    intercept: -2.432,
    urgency: 1.238,
    reach: 1.147,
    clean: 1.755,
    coherent: 1.972,
    energy: 1.877,
    build_up: -0.1347,
    loss_rise: 3.601,
    batch: 0.004616,
    planned: 3.212,
};

/// Weights of a logistic model of a spike: probability 1/(1 + exp(-(intercept + w'x))). The
/// features x are described at [`super::Signal`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarningWeights {
    /// Constant.
    pub intercept: f64,
    /// Of -ln(1 + n), n the steps until the oscillation is visible.
    pub urgency: f64,
    /// Of the logarithm of the growth by then.
    pub reach: f64,
    /// Of the product of coherent growth and build-up.
    pub clean: f64,
    /// Of the logarithm of the growth where measurement and edge ratio agree on it.
    pub coherent: f64,
    /// Of the logarithm of the oscillation's share of the loss.
    pub energy: f64,
    /// Of that logarithm's rise above its least.
    pub build_up: f64,
    /// Of the loss's rise over its baseline.
    pub loss_rise: f64,
    /// Of batch sharpness over the threshold, beyond 1.
    pub batch: f64,
    /// Of the logarithm by which the schedule raises the learning rate by then.
    pub planned: f64,
}

impl WarningWeights {
    /// How many there are, the constant included.
    pub const COUNT: usize = 10;

    /// The weights, the constant first.
    pub fn to_array(&self) -> [f64; Self::COUNT] {
        let Self { intercept, urgency, reach, clean, coherent, energy, .. } = *self;
        let Self { build_up, loss_rise, batch, planned, .. } = *self;
        [intercept, urgency, reach, clean, coherent, energy, build_up, loss_rise, batch, planned]
    }

    /// As [`WarningWeights::to_array`] gives them.
    pub fn from_array(weights: [f64; Self::COUNT]) -> Self {
        let [
            intercept,
            urgency,
            reach,
            clean,
            coherent,
            energy,
            build_up,
            loss_rise,
            batch,
            planned,
        ] = weights;
        Self {
            intercept,
            urgency,
            reach,
            clean,
            coherent,
            energy,
            build_up,
            loss_rise,
            batch,
            planned,
        }
    }
}
