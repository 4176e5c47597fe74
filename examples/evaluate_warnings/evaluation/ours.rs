//! Our own warnings: all that the evaluation knows of `stability`'s model. Where that changes, this changes and
//! nothing else here.

use anyhow::{Context, Result};
use sharpscope::stability::{FEATURES, Signal, StabilitySettings, WarningSettings, WarningWeights};

use super::logistic::{FitSettings, LabelledRow, Linear, fit};
use super::score::{bars, best_pair};
use super::series::{ScoredRow, ScoredRun, Watched};

/// A probability that the model states.
pub struct Stated {
    /// In a word.
    pub name: &'static str,
    /// The steps within which a spike is to start.
    pub horizon: fn(&WarningSettings) -> usize,
    /// How likely that is.
    pub probability: fn(&Signal) -> f64,
}

/// All of them.
pub const STATED: &[Stated] = &[
    Stated { name: "early", horizon: |s| s.warning_horizon, probability: |signal| signal.early },
    Stated {
        name: "imminent",
        horizon: |s| s.imminent_horizon,
        probability: |signal| signal.imminent,
    },
];

/// What warnings go by: from 0 on there is one.
pub fn scored(run: &Watched<'_>) -> ScoredRun {
    from_signals(run, |signal| signal.score(&run.settings.warning))
}

/// By the early model alone.
pub fn early(run: &Watched<'_>) -> ScoredRun {
    from_signals(run, |signal| signal.early)
}

/// By the imminent model alone.
pub fn imminent(run: &Watched<'_>) -> ScoredRun {
    from_signals(run, |signal| signal.imminent)
}

/// Of rows in no spike whose end the run tells: each stated probability, and whether a spike started.
pub fn judged(run: &Watched<'_>, stated: &Stated) -> Vec<(f64, bool)> {
    let horizon = (stated.horizon)(&run.settings.warning);
    let told = run.replay.signals.iter().filter(|s| !s.in_spike);
    told.filter(|signal| run.truth.is_told(signal.step, horizon))
        .map(|signal| {
            let started = run.truth.next(signal.step, horizon).is_some();
            ((stated.probability)(signal), started)
        })
        .collect()
}

/// The rows of a run that are in no spike, for fitting. Those that the run ends too early for to tell
/// what comes after them are left out.
pub fn labelled(run: &Watched<'_>) -> Vec<LabelledRow<{ FEATURES.len() }>> {
    let horizon = run.horizon();
    let told = run.replay.signals.iter().filter(|signal| !signal.in_spike);
    told.filter(|signal| run.truth.is_told(signal.step, horizon))
        .map(|signal| {
            let (step, features) = (signal.step, signal.features);
            LabelledRow { step, features, spike: run.truth.next(step, horizon) }
        })
        .collect()
}

/// The same constants with weights from these runs.
///
/// # Errors
/// As [`fit`].
pub fn with_weights(
    runs: &[Watched<'_>],
    settings: &StabilitySettings,
) -> Result<StabilitySettings> {
    let rows: Vec<_> = runs.iter().map(labelled).collect();
    let imminent_horizon = settings.warning.imminent_horizon;
    let (early, imminent) = fit(&rows, FitSettings { imminent_horizon, ..FitSettings::default() })?;
    let [early_weights, imminent_weights] = [early, imminent].map(weights);
    let warning = WarningSettings { early_weights, imminent_weights, ..settings.warning.clone() };
    Ok(StabilitySettings { warning, ..settings.clone() })
}

/// The same constants with bars from these runs: no more than so many false alarms in 1000 quiet steps.
///
/// # Errors
/// If none keeps to that.
pub fn with_bars(
    runs: &[Watched<'_>],
    settings: &StabilitySettings,
    false_alarms: f64,
) -> Result<StabilitySettings> {
    let early: Vec<ScoredRun> = runs.iter().map(early).collect();
    let imminent: Vec<ScoredRun> = runs.iter().map(imminent).collect();
    let both = (&bars(&early)[..], &bars(&imminent)[..]);
    let horizon = settings.warning.warning_horizon;
    let pair = best_pair(&early, &imminent, both, horizon, false_alarms);
    let (early, imminent) = pair.context("no bar has so few false alarms")?;
    // A bar that nothing reaches may be above 1.
    let [early_probability, imminent_probability] =
        [early, imminent].map(|p| p.min(1.0 - f64::EPSILON));
    let warning =
        WarningSettings { early_probability, imminent_probability, ..settings.warning.clone() };
    Ok(StabilitySettings { warning, ..settings.clone() })
}

/// Weights and bars, for whoever writes them into the library.
///
/// # Errors
/// None in practice: numbers are written.
pub fn described(settings: &WarningSettings) -> Result<String> {
    let WarningSettings { early_weights, imminent_weights, .. } = settings;
    let [early, imminent] = [early_weights, imminent_weights].map(serde_json::to_string_pretty);
    let (from, or) = (settings.early_probability, settings.imminent_probability);
    Ok(format!("early {}, from {from:.4} on\nimminent {}, from {or:.4} on\n", early?, imminent?))
}

fn weights(model: Linear<{ FEATURES.len() }>) -> WarningWeights {
    let mut array = [model.constant; WarningWeights::COUNT];
    array[1..].copy_from_slice(&model.weights);
    WarningWeights::from_array(array)
}

fn from_signals(run: &Watched<'_>, score: impl Fn(&Signal) -> f64) -> ScoredRun {
    let row = |signal: &Signal| ScoredRow {
        step: signal.step,
        score: score(signal),
        in_spike: signal.in_spike,
    };
    let rows = run.replay.signals.iter().map(row).collect();
    ScoredRun { kind: run.kind.to_string(), rows, truth: run.truth.clone() }
}
