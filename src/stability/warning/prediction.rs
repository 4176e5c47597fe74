//! The loss of the coming steps, as the mechanism at the edge has it.
//!
//! Each mode's energy is multiplied at a step by the square of its growth, which its edge ratio then decides
//! ([`growth`](fn@super::growth)). The ratios go on along their trend, times what the schedule does to the learning
//! rate, and fall with the energy of the oscillation: the self-stabilisation of Damian et al. (2023), whose oscillation
//! lowers the sharpness in proportion to its square. What is not known exactly, the ratio and its trend, is
//! varied over a grid of normal quantiles, so that the prediction has an interval and needs no random numbers.

use serde::{Deserialize, Serialize};

use super::modes::Mode;
use crate::error::Result;
use crate::stability::checks::not_negative;

/// How the coming loss is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PredictionSettings {
    /// Standard deviation of the logarithm of an edge ratio.
    pub ratio_error: f64,
    /// The least standard deviation of the trend of that logarithm, per step.
    pub trend_error: f64,
    /// By how much the logarithm of the ratio falls in a step while the oscillation's energy is the loss itself.
    pub self_stabilisation: f64,
}

impl Default for PredictionSettings {
    fn default() -> Self {
        Self { ratio_error: 0.02, trend_error: 0.002, self_stabilisation: 0.3 }
    }
}

impl PredictionSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        not_negative("ratio_error", self.ratio_error)?;
        not_negative("trend_error", self.trend_error)?;
        not_negative("self_stabilisation", self.self_stabilisation)
    }
}

/// Quantiles of a normal distribution at 0.1, 0.3, 0.5, 0.7 and 0.9.
const QUANTILES: [f64; 5] = [-1.2816, -0.5244, 0.0, 0.5244, 1.2816];
/// No energy grows beyond so many times the loss: by then the quadratic says nothing.
const LARGEST: f64 = 1e3;
/// The share of the loss beyond which more energy lowers the ratio no faster.
const STRONGEST: f64 = 3.0;

/// Factors on the learning rate that are looked at ...
const FACTORS: (f64, f64) = (0.05, 4.0);
/// ... and how often the way between two is halved, to one in a hundred.
const BISECTIONS: usize = 9;

/// What is known at a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    /// The modes, that of the largest eigenvalue first.
    pub modes: &'a [Mode],
    /// The level that the loss is at.
    pub level: f64,
    /// Change of the logarithm of the edge ratios per step, but for what the schedule does ...
    pub slope: f64,
    /// ... and its standard error.
    pub slope_error: f64,
    /// What the edge ratios are multiplied by throughout.
    pub factor: f64,
    /// The learning rates of the coming steps over the present one, that of the step to come first.
    pub rates: &'a [f64],
}

/// What becomes of the modes within the coming steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prediction {
    /// The largest energy over the level of the loss in each scenario, in rising order.
    largest: Vec<f64>,
}

impl Prediction {
    /// Over as many steps as there are rates, with `growth` the factor of an oscillation at an edge ratio.
    pub fn of(
        at: &Standing<'_>,
        settings: &PredictionSettings,
        growth: impl Fn(f64) -> f64,
    ) -> Self {
        let spread = at.slope_error.max(settings.trend_error);
        let mut largest = Vec::new();
        for ratio in QUANTILES {
            for trend in QUANTILES {
                let scenario = Scenario {
                    shift: settings.ratio_error * ratio,
                    slope: at.slope + spread * trend,
                    stabilisation: settings.self_stabilisation,
                };
                let path = scenario.path(at, &growth);
                largest.push(path.iter().skip(1).copied().fold(0.0, f64::max));
            }
        }
        largest.sort_by(f64::total_cmp);
        Self { largest }
    }

    /// The largest factor on the edge ratios of `at`, within bounds, at which nine scenarios in ten keep the energy
    /// below `spike` times the level. Self-stabilisation is not counted on: it may come late.
    pub fn bearable(
        at: &Standing<'_>,
        settings: &PredictionSettings,
        growth: impl Fn(f64) -> f64,
        spike: f64,
    ) -> f64 {
        let settings = PredictionSettings { self_stabilisation: 0.0, ..settings.clone() };
        let bears = |factor: f64| {
            Self::of(&Standing { factor, ..*at }, &settings, &growth).largest(0.9) < spike
        };
        let (mut low, mut high) = FACTORS;
        if bears(high) {
            return high;
        }
        for _ in 0..BISECTIONS {
            let middle = (low * high).sqrt();
            if bears(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// The largest energy over the level, at this share of the scenarios (0 to 1).
    pub fn largest(&self, share: f64) -> f64 {
        let last = self.largest.len() - 1;
        self.largest[(share * last as f64).round() as usize]
    }
}

/// What came of predictions: the logarithm of the largest loss within 20 steps over the present one, at which one in ten, half
/// and nine in ten of the runs that the warnings were tuned on stayed below, by the logarithm of what the scenario in the
/// middle predicted. Modes grow less than the quadratic has it, since what it leaves out mostly holds them.
const CAME: [(f64, [f64; 3]); 7] = [
    (0.0, [-0.005, -0.002, 0.0]),
    (0.06, [-0.013, -0.007, 0.033]),
    (0.18, [-0.029, -0.004, 0.243]),
    (0.48, [-0.056, 0.091, 0.557]),
    (1.15, [-0.068, 0.156, 0.783]),
    (2.3, [-0.053, 0.217, MOST]),
    (3.5, [-0.036, 0.323, MOST]),
];
/// The logarithm of 30: of such predictions more than one in ten diverged.
const MOST: f64 = 3.4;

/// The largest loss within the horizon over the present one, where the scenario in the middle has `predicted` of it: at
/// which one in ten, half and nine in ten stayed below.
pub(super) fn came_of(predicted: f64) -> [f64; 3] {
    let x = predicted.max(1.0).ln();
    let above = CAME.iter().position(|(at, _)| x < *at).unwrap_or(CAME.len());
    let (Some((from, low)), Some((to, high))) = (CAME.get(above.max(1) - 1), CAME.get(above))
    else {
        return CAME[CAME.len() - 1].1.map(f64::exp);
    };
    let share = (x - from) / (to - from);
    std::array::from_fn(|i| (low[i] + share * (high[i] - low[i])).exp())
}

struct Scenario {
    shift: f64,
    slope: f64,
    stabilisation: f64,
}

impl Scenario {
    /// The sum of the modes' energies over the level, at each step, the present one first.
    fn path(&self, at: &Standing<'_>, growth: &impl Fn(f64) -> f64) -> Vec<f64> {
        let mut energies: Vec<f64> = at.modes.iter().map(|mode| mode.energy / at.level).collect();
        let mut change = self.shift;
        let mut path = vec![energies.iter().sum()];
        for rate in at.rates {
            for (energy, mode) in energies.iter_mut().zip(at.modes) {
                let factor = growth(mode.edge_ratio * at.factor * change.exp() * rate);
                *energy = (*energy * factor * factor).min(LARGEST);
            }
            let sum: f64 = energies.iter().sum();
            change += self.slope - self.stabilisation * sum.min(STRONGEST);
            path.push(sum);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::super::growth;
    use super::*;

    const CERTAIN: PredictionSettings =
        PredictionSettings { ratio_error: 0.0, trend_error: 0.0, self_stabilisation: 0.0 };

    fn standing<'a>(modes: &'a [Mode], rates: &'a [f64]) -> Standing<'a> {
        Standing { modes, level: 2.0, slope: 0.0, slope_error: 0.0, factor: 1.0, rates }
    }

    fn middle(stabilisation: f64) -> Scenario {
        Scenario { shift: 0.0, slope: 0.0, stabilisation }
    }

    /// Without uncertainty the energies are those of gradient descent on a quadratic, e (1 - 2r)^(2t) each.
    #[test]
    fn energies_grow_as_on_a_quadratic() {
        let modes = [Mode { edge_ratio: 1.1, energy: 0.02 }, Mode { edge_ratio: 0.7, energy: 0.4 }];
        let rates = [1.0; 10];
        let at = standing(&modes, &rates);
        let found = Prediction::of(&at, &CERTAIN, |ratio| growth(ratio, 0.0));
        let path = middle(0.0).path(&at, &|ratio| growth(ratio, 0.0));
        let after = |t: i32| 0.01 * 1.2f64.powi(2 * t) + 0.2 * 0.4f64.powi(2 * t);
        for (t, energy) in path.iter().enumerate() {
            assert!((energy - after(t as i32)).abs() < 1e-12, "{t}: {energy}");
        }
        assert!((found.largest(0.5) - after(10)).abs() < 1e-12);
        assert_eq!(found.largest(0.0), found.largest(1.0));
    }

    /// A rate that doubles takes a mode over the edge; self-stabilisation brings it back.
    #[test]
    fn schedules_and_self_stabilisation_count() {
        let modes = [Mode { edge_ratio: 0.6, energy: 0.02 }];
        let rates: Vec<f64> = (0..80).map(|t| if t < 5 { 1.0 } else { 2.0 }).collect();
        let at = standing(&modes, &rates);
        let free = middle(0.0).path(&at, &|ratio| growth(ratio, 0.0));
        assert!(free[5] < free[0] && free[80] >= LARGEST);
        let held = middle(0.3).path(&at, &|ratio| growth(ratio, 0.0));
        assert!(held.iter().all(|energy| *energy < 5.0) && held[80] < 1e-6, "{held:?}");
    }

    #[test]
    fn what_came_lies_between_what_came_of_more_and_of_less() {
        assert_eq!(came_of(0.5), CAME[0].1.map(f64::exp));
        assert_eq!(came_of(1e3), CAME[6].1.map(f64::exp));
        let found = came_of(0.33f64.exp());
        let expected = [-0.0425f64, 0.0435, 0.4].map(f64::exp);
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?}");
        }
    }

    /// What is borne is borne, and a little more is not.
    #[test]
    fn bearable_is_the_largest_factor_that_stays_below_a_spike() {
        let modes = [Mode { edge_ratio: 1.3, energy: 0.02 }, Mode { edge_ratio: 1.1, energy: 0.1 }];
        let rates = [1.0; 60];
        let (at, settings) = (standing(&modes, &rates), PredictionSettings::default());
        let of = |ratio: f64| growth(ratio, 0.0);
        let found = Prediction::bearable(&at, &settings, of, 0.5);
        assert!((0.6..0.85).contains(&found), "{found}");
        // Self-stabilisation is not counted on.
        let sure = PredictionSettings { self_stabilisation: 0.0, ..settings.clone() };
        let most = |factor: f64| Prediction::of(&Standing { factor, ..at }, &sure, of).largest(0.9);
        assert!(most(found) < 0.5 && most(1.01 * found) >= 0.5, "{found}");
        let nothing = [Mode { edge_ratio: 0.01, energy: 0.0 }];
        let calm = Prediction::bearable(&standing(&nothing, &rates), &settings, of, 0.5);
        assert_eq!(calm, FACTORS.1);
    }

    #[test]
    fn what_is_not_known_spreads_the_scenarios() {
        let modes = [Mode { edge_ratio: 1.05, energy: 0.02 }];
        let rates = [1.0; 20];
        let mut at = standing(&modes, &rates);
        at.slope_error = 0.01;
        let settings = PredictionSettings::default();
        let found = Prediction::of(&at, &settings, |ratio| growth(ratio, 0.0));
        assert!(found.largest(0.1) < 0.5 * found.largest(0.5));
        assert!(found.largest(0.9) > 2.0 * found.largest(0.5));
    }
}
