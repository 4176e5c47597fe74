//! When a spike is warned of.

use serde::{Deserialize, Serialize};

use super::WarningWeights;
use crate::error::{Error, Result};
use crate::stability::checks::{at_least, finite, not_below, positive, share};

/// When a spike is warned of. The bounds within which the models' features lie are not among these:
/// they are part of what the features are (see [`super::Signal::features`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WarningSettings {
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
    /// The steps until then are counted over so many of the warning's horizons.
    pub visible_horizons: usize,
    /// Rows that the growth of the gradient along the top eigenvector is measured over.
    pub growth_rows: usize,
    /// A component whose logarithm scatters by this much about its line grows half as a single mode
    /// would: along the line of a clean oscillation it scatters by a few hundredths, where several
    /// modes compete by one half and more.
    pub coherent_scatter: f64,
    /// The energy builds up from the least share of the loss that it kept to for so many rows: single
    /// rows dip where the component changes sign.
    pub build_up_rows: usize,
    /// The probability of a spike within the warning's horizon, as seen from afar.
    pub early_weights: WarningWeights,
    /// The probability of one within the imminent horizon, as seen at the last steps before it.
    pub imminent_weights: WarningWeights,
}

impl Default for WarningSettings {
    fn default() -> Self {
        Self {
            warning_horizon: 20,
            early_probability: 0.6436,
            imminent_probability: 0.2477,
            imminent_horizon: 3,
            visible_share: 0.3,
            visible_horizons: 3,
            growth_rows: 5,
            coherent_scatter: 0.15,
            build_up_rows: 3,
            early_weights: EARLY,
            imminent_weights: IMMINENT,
        }
    }
}

/// Steps that an oscillation is followed ahead at most, at each row.
const MOST_LOOKED_AHEAD: usize = 1_000_000;

impl WarningSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        share("early_probability", self.early_probability)?;
        share("imminent_probability", self.imminent_probability)?;
        share("visible_share", self.visible_share)?;
        positive("coherent_scatter", self.coherent_scatter)?;
        at_least("imminent_horizon", self.imminent_horizon, 1)?;
        not_below(
            "warning_horizon",
            self.warning_horizon,
            "imminent_horizon",
            self.imminent_horizon,
        )?;
        not_below("warning_horizon", self.warning_horizon, "build_up_rows", self.build_up_rows)?;
        at_least("visible_horizons", self.visible_horizons, 1)?;
        let looked_ahead = self.visible_horizons.saturating_mul(self.warning_horizon);
        if looked_ahead > MOST_LOOKED_AHEAD {
            let problem = format!("times warning_horizon it is {looked_ahead} steps");
            let remedy = format!("lower one of the two, to {MOST_LOOKED_AHEAD} at most");
            return Err(Error::setting("visible_horizons", self.visible_horizons, problem, remedy));
        }
        // Three points make a line with a scatter about it.
        at_least("growth_rows", self.growth_rows, 3)?;
        at_least("build_up_rows", self.build_up_rows, 1)?;
        finite("early_weights", &self.early_weights.to_array())?;
        finite("imminent_weights", &self.imminent_weights.to_array())
    }
}

/// Of the early model, fitted by `examples/evaluate_warnings`.
const EARLY: WarningWeights = WarningWeights {
    intercept: -3.639,
    urgency: 0.1376,
    reach: 0.372,
    clean: 2.413,
    coherent: 0.5276,
    energy: 0.1196,
    build_up: 0.4843,
    loss_rise: -0.04453,
    batch: 0.8204,
    planned: 1.787,
    predicted: 0.02399,
    predicted_least: 0.146,
    predicted_most: 0.09256,
    ratio: 1.903,
    beyond: -2.47,
    second: 0.3624,
    modes: -0.07452,
    trend: -0.2127,
    realized: -0.4249,
    realized_beyond: -0.3483,
    realized_before: -0.5232,
    sustained: -0.004439,
    step_rise: 1.421,
    step_curvature: -0.04197,
    gradient_deviation: 0.3108,
    scatter: 3.567,
    without_threshold: 0.4505,
};

/// Of the imminent model, from the same fit.
const IMMINENT: WarningWeights = WarningWeights {
    intercept: -5.44,
    urgency: 0.1046,
    reach: -0.08485,
    clean: 0.09386,
    coherent: 1.355,
    energy: -0.1041,
    build_up: 0.579,
    loss_rise: 4.646,
    batch: -0.842,
    planned: 2.562,
    predicted: -0.01714,
    predicted_least: 0.3507,
    predicted_most: -0.07112,
    ratio: 1.919,
    beyond: -3.659,
    second: 0.4462,
    modes: -0.2955,
    trend: -0.1079,
    realized: -0.7901,
    realized_beyond: 0.7451,
    realized_before: -1.352,
    sustained: -2.04,
    step_rise: 3.953,
    step_curvature: 0.01773,
    gradient_deviation: 0.4473,
    scatter: 4.453,
    without_threshold: 1.548,
};
