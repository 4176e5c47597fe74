//! Scores of warnings, counted by hand, and the fit of the spike model: the code of the example.

// What only its `main` uses is unused here.
#[allow(dead_code)]
#[path = "../../../examples/evaluate_warnings/evaluation/mod.rs"]
mod scoring;

use scoring::logistic::{FitSettings, fit};
use scoring::score::{Counts, Leads, best_bar, best_pair, score, trade_off};
use scoring::series::{LabelledRow, Method, ScoredRow, ScoredRun, labelled};
use sharpscope::stability::{FEATURES, Spike, StabilitySettings, WarningWeights};

use super::{oscillation, watch};

fn spike(start: usize, last: usize) -> Spike {
    Spike { start, peak: start, peak_loss: Some(2.0), baseline: 1.0, end: Some(last), last }
}

/// Two spikes in 100 steps with a horizon of 10: at 30 to 34 and 60 to 61.
fn two() -> [Spike; 2] {
    [spike(30, 34), spike(60, 61)]
}

#[test]
fn warnings_are_counted_by_hand() {
    // 5: wrong. 19: too early by one. 20 and 28: right. 32: in a spike. 60: at its start. 95: undecided.
    let counts = score(&[5, 19, 20, 28, 32, 60, 95], &two(), 99, 10);
    let expected = Counts {
        spikes: 2,
        warned: 1,
        right: 2,
        wrong: 2,
        // Of 0 to 89: without 20 to 34 and 50 to 61.
        quiet_steps: 90 - 15 - 12,
        leads: vec![10],
    };
    assert_eq!(counts, expected);
    let report = counts.report();
    assert_eq!((report.recall, report.precision), (Some(0.5), Some(0.5)));
    assert_eq!(report.false_alarms_per_1000, Some(2000.0 / 63.0));
}

#[test]
fn rates_of_nothing_are_absent() {
    let report = score(&[], &[], 5, 10).report();
    assert_eq!((report.recall, report.precision, report.leads), (None, None, None));
    assert_eq!(report.false_alarms_per_1000, None);
}

#[test]
fn counts_add_up_and_leads_have_quartiles() {
    let mut counts = Counts::default();
    for lead in [1, 9, 3, 7, 5] {
        counts.add(&score(&[30 - lead], &[spike(30, 31)], 99, 10));
    }
    assert_eq!((counts.spikes, counts.warned, counts.right), (5, 5, 5));
    let leads =
        Leads { least: 1, lower_quartile: 3, median: 5, upper_quartile: 7, most: 9, mean: 5.0 };
    assert_eq!(counts.report().leads, Some(leads));
}

#[test]
fn a_higher_bar_trades_recall_for_fewer_alarms() {
    let row = |step| {
        let score = match step {
            5 => 1.0,
            25 => 3.0,
            55 => 2.0,
            _ => 0.0,
        };
        ScoredRow { step, score, in_spike: (30..35).contains(&step) || (60..62).contains(&step) }
    };
    let run = ScoredRun { rows: (0..100).map(row).collect(), spikes: two().to_vec(), last: 99 };
    let curve = trade_off(&[run], &[0.5, 1.5, 2.5, 9.0], 10);
    let numbers: Vec<_> = curve.iter().map(|p| (p.report.recall, p.report.false_alarms)).collect();
    assert_eq!(numbers, [(Some(1.0), 1), (Some(1.0), 0), (Some(0.5), 0), (Some(0.0), 0)]);
    assert_eq!(best_bar(&curve, 20.0).unwrap().bar, 1.5);
    assert_eq!(best_bar(&curve[2..], 0.0).unwrap().bar, 2.5);
    assert!(best_bar(&curve[..1], 0.0).is_none());
}

#[test]
fn labels_leave_out_what_cannot_be_told() {
    let rows = oscillation([9.0; 50], 1e-3, 1.0);
    let told = labelled(&watch(&rows), &[spike(20, 24)], 49, 10);
    // Whether a spike comes within ten steps of row 40 the run does not say.
    assert_eq!(told.len(), 40);
    let leads: Vec<_> = told.iter().filter_map(|row| Some((row.step, row.lead()?))).collect();
    assert_eq!(leads, (10..20).map(|step| (step, 20 - step)).collect::<Vec<_>>());
}

/// Rows of 40 runs: the first feature tells of a spike ten steps before, the second one step before;
/// half of the runs have no spike.
fn runs_to_fit() -> Vec<Vec<LabelledRow>> {
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let run = |run: usize| {
        let row = |step: usize| {
            let spike = (run.is_multiple_of(2) && step >= 30).then_some(50);
            let mut features = [0.0; FEATURES.len()];
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
    let [_, first, second, others @ ..] = early.to_array();
    assert!(first > 0.0 && first > second, "{early:?}");
    assert!(others.iter().all(|&weight| weight == 0.0));
    assert!(imminent.reach > 2.0 * imminent.urgency, "{imminent:?}");

    // Probabilities add up to the share of rows that they speak of.
    let rows: Vec<&LabelledRow> = runs.iter().flatten().collect();
    let mean = |weights: &WarningWeights| {
        let p = |row: &&LabelledRow| {
            let [constant, weights @ ..] = weights.to_array();
            let score: f64 = weights.iter().zip(row.features).map(|(w, x)| w * x).sum();
            1.0 / (1.0 + (-score - constant).exp())
        };
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
    let busy = |run: &Vec<LabelledRow>| run.iter().filter(|r| r.spike.is_some()).copied().collect();
    let busy: Vec<Vec<LabelledRow>> = runs.iter().map(busy).collect();
    assert!(fit(&busy, FitSettings::default()).is_err());
    assert!(fit(&[], FitSettings::default()).is_err());
}

#[test]
fn of_two_scores_the_pair_with_good_recall_and_long_leads_is_chosen() {
    let run = |at: &'static [usize]| ScoredRun {
        rows: (0..100)
            .map(|step| ScoredRow {
                step,
                score: f64::from(u8::from(at.contains(&step))),
                in_spike: (30..35).contains(&step) || (60..62).contains(&step),
            })
            .collect(),
        spikes: two().to_vec(),
        last: 99,
    };
    let (early, late) = ([run(&[22])], [run(&[29, 59])]);
    let bars = [1.0, 2.0];
    let pair = best_pair(&early, &late, (&bars, &bars), 10, 0.0);
    // The late score alone has the same recall and shorter leads.
    assert_eq!(pair, Some((1.0, 1.0)));
    let wrong = [run(&[5, 29, 59])];
    assert_eq!(best_pair(&early, &wrong, (&bars, &bars), 10, 0.0), Some((1.0, 2.0)));
    assert_eq!(best_pair(&early, &wrong, (&bars, &bars[..1]), 10, 0.0), None);
}

#[test]
fn every_method_scores_the_rows_that_it_can() {
    let mut rows = oscillation((0..60).map(|t| 9.0 + 0.1 * f64::from(t)), 1e-6, 1.0);
    rows.iter_mut().filter(|row| row.step % 2 == 1).for_each(|row| row.edge_ratio = None);
    let settings = StabilitySettings::default();
    let replay = watch(&rows);
    let count = |method| ScoredRun::new(method, &rows, &replay, &settings).rows.len();
    assert_eq!((count(Method::Ours), count(Method::ForecastAlone)), (30, 30));
    assert_eq!(count(Method::EdgeRatio), 30);
    // Three losses before make a deviation, if they are not all the same.
    assert!(count(Method::LossDeviation) >= 55);
    let scored = ScoredRun::new(Method::EdgeRatio, &rows, &replay, &settings);
    assert_eq!(scored.rows[10].score, rows[20].edge_ratio.unwrap());
    assert!(scored.rows.iter().all(|row| !row.score.is_nan()));
}
