//! The fit of the spike models, and the labels that it is made to.

use sharpscope::stability::StabilitySettings;

use super::scoring::logistic::{FitSettings, LabelledRow, Linear, fit};
use super::scoring::ours::{STATED, judged, labelled, scored};
use super::scoring::truth::Truth;
use super::{truth, watched};
use crate::stability::oscillation;

#[test]
fn labels_leave_out_what_cannot_be_told() {
    let rows = oscillation([9.0; 50], 1e-3, 1.0);
    let mut settings = StabilitySettings::default();
    settings.warning.warning_horizon = 10;
    let truth = Truth { last: 49, ..truth(&[(20, 24)]) };
    let run = watched(&rows, &truth, &settings, Vec::new());
    let told = labelled(&run);
    // Whether a spike comes within ten steps of row 40 the run does not say; five are in the spike.
    assert_eq!(told.len(), 40 - 5);
    let leads: Vec<_> = told.iter().filter_map(|row| Some((row.step, row.lead()?))).collect();
    assert_eq!(leads, (10..20).map(|step| (step, 20 - step)).collect::<Vec<_>>());
    // Probabilities are of the same rows; the last one's horizon may be another.
    let outcomes = judged(&run, &STATED[0]);
    assert_eq!(outcomes.iter().filter(|row| row.1).count(), 10);
    assert_eq!((outcomes.len(), scored(&run).rows.len()), (35, 50));
}

/// Rows of 40 runs: the first feature tells of a spike ten steps before, the second one step before;
/// half of the runs have no spike.
fn runs_to_fit() -> Vec<Vec<LabelledRow<4>>> {
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let run = |run: usize| {
        let row = |step: usize| {
            let spike = (run.is_multiple_of(2) && step >= 30).then_some(50);
            let mut features = [0.0; 4];
            features[0] = draw() + if spike.is_some() && step >= 40 { 0.6 } else { 0.0 };
            features[1] = draw() + if spike.is_some() && step == 49 { 2.0 } else { 0.0 };
            LabelledRow { step, features, spike }
        };
        (0..50).map(row).collect()
    };
    (0..40).map(run).collect()
}

#[test]
fn each_model_learns_what_its_rows_tell() {
    let runs = runs_to_fit();
    let settings = FitSettings { near: 10, ..FitSettings::default() };
    let (early, imminent) = fit(&runs, settings).unwrap();
    let [first, second, others @ ..] = early.weights;
    assert!(first > 0.0 && first > second, "{early:?}");
    assert!(others.iter().all(|&weight| weight == 0.0));
    assert!(imminent.weights[1] > 2.0 * imminent.weights[0], "{imminent:?}");

    // Probabilities add up to the share of rows that they speak of.
    let rows: Vec<&LabelledRow<4>> = runs.iter().flatten().collect();
    let mean = |model: &Linear<4>| {
        let p = |row: &&LabelledRow<4>| 1.0 / (1.0 + (-model.score(&row.features)).exp());
        rows.iter().map(p).sum::<f64>() / rows.len() as f64
    };
    let share = |within: usize| {
        let near = rows.iter().filter(|row| row.lead().is_some_and(|lead| lead <= within));
        near.count() as f64 / rows.len() as f64
    };
    assert!((mean(&early) - share(usize::MAX)).abs() < 1e-6);
    assert!((mean(&imminent) - share(settings.imminent_horizon)).abs() < 1e-6);
}

#[test]
fn without_spikes_or_quiet_rows_there_is_no_fit() {
    let runs = runs_to_fit();
    let quiet: Vec<_> = runs.iter().skip(1).step_by(2).cloned().collect();
    assert!(fit(&quiet, FitSettings::default()).is_err());
    let busy =
        |run: &Vec<LabelledRow<4>>| run.iter().filter(|r| r.spike.is_some()).copied().collect();
    let busy: Vec<Vec<LabelledRow<4>>> = runs.iter().map(busy).collect();
    assert!(fit(&busy, FitSettings::default()).is_err());
    assert!(fit::<4>(&[], FitSettings::default()).is_err());
}
