//! Simpler warnings against numbers computed by hand.

use sharpscope::record::StepRow;
use sharpscope::stability::StabilitySettings;

use super::scoring::baselines::{
    Scores, cumulative_sum, deviation, log_trend, sharpening, value_before,
};
use super::scoring::methods::{BASELINES, FROM_AFAR, OURS};
use super::scoring::truth::Truth;
use super::{rows, watched};

fn close(scores: &Scores, expected: &[Option<f64>]) {
    assert_eq!(scores.len(), expected.len());
    for (i, pair) in scores.iter().zip(expected).enumerate() {
        match pair {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-9 || a == b, "{i}: {a} and {b}"),
            pair => assert_eq!(pair.0, pair.1, "{i}"),
        }
    }
}

/// Medians of those before 2, 2, 2.5, 3 and deviations 1.4826 times 1, 0.5, 1, 1.
fn losses() -> Vec<StepRow> {
    rows([1.0, 2.0, 3.0, 2.0, 5.0, 4.0, 1.0].map(|loss| (loss, 0.1)))
}

#[test]
fn deviations_are_of_the_median_before() {
    let n = 1.4826;
    let expected = [
        None,
        None,
        None,
        // Before: 1 2 3. Median 2, deviations 1 0 1.
        Some(0.0),
        // 1 2 3 2: 2, deviations 1 0 1 0.
        Some(3.0 / (0.5 * n)),
        // 1 2 3 2 5: 2, deviations 1 0 1 0 3.
        Some(2.0 / n),
        // 1 2 3 2 5 4: 2.5, deviations 1.5 0.5 0.5 0.5 2.5 1.5.
        Some(-1.5 / n),
    ];
    close(&deviation(&losses(), |row| row.train_loss), &expected);
}

#[test]
fn the_cumulative_sum_is_that_by_hand() {
    let n = 1.4826;
    let quiet = [false; 7];
    // max(0, S + z - 1/2).
    let first = 3.0 / (0.5 * n) - 0.5;
    let second = first + 2.0 / n - 0.5;
    let third = second - 1.5 / n - 0.5;
    let expected = [None, None, None, Some(0.0), Some(first), Some(second), Some(third)];
    close(&cumulative_sum(&losses(), &quiet), &expected);
    // It starts anew after a spike.
    let spike = [false, false, false, false, false, true, false];
    let expected = [None, None, None, Some(0.0), Some(first), None, Some(0.0)];
    close(&cumulative_sum(&losses(), &spike), &expected);
    // A loss that stood still has no deviation, and breaks no sum.
    let still = rows([1.0, 1.0, 1.0, 1.0, 9.0, 1.0].map(|loss| (loss, 0.1)));
    assert!(cumulative_sum(&still, &[false; 6]).iter().flatten().all(|sum| sum.is_finite()));
}

#[test]
fn a_trend_is_the_slope_of_eight_rows() {
    let growing = rows((0..12).map(|step| (1.25f64.powi(step), 0.1)));
    let slopes = log_trend(&growing, |row| row.grad_norm);
    assert!(slopes[..7].iter().all(Option::is_none));
    assert!(slopes[7..].iter().all(|slope| (slope.unwrap() - 1.25f64.ln()).abs() < 1e-12));
    // Rows without the value are left out, and steps count.
    let mut gaps = growing.clone();
    gaps[3].grad_norm = None;
    let slopes = log_trend(&gaps, |row| row.grad_norm);
    assert_eq!((slopes[3], slopes[7]), (None, None));
    assert!((slopes[8].unwrap() - 1.25f64.ln()).abs() < 1e-12);
}

#[test]
fn a_ratio_on_a_line_says_in_how_many_steps_it_is_at_one() {
    let mut rising = rows((0..12).map(|_| (1.0, 0.1)));
    for row in &mut rising {
        row.edge_ratio = Some(0.5 + 0.05 * row.step as f64);
    }
    let scores = sharpening(&rising);
    // Before there is a line nothing is said.
    assert_eq!(scores[6], Some(f64::NEG_INFINITY));
    // At step 7 it is 0.85, at step 10 it is 1.
    assert!((scores[7].unwrap() + 3.0).abs() < 1e-9 && (scores[9].unwrap() + 1.0).abs() < 1e-9);
    assert_eq!(scores[11], None);
    rising.iter_mut().for_each(|row| row.edge_ratio = Some(0.5 - 0.01 * row.step as f64));
    assert_eq!(sharpening(&rising)[9], Some(f64::NEG_INFINITY));
}

#[test]
fn the_value_before_is_of_the_latest_row_that_has_one() {
    let mut some = losses();
    some.iter_mut().for_each(|row| row.realized_ratio = Some(row.step as f64));
    some[2].realized_ratio = None;
    let before = value_before(&some, |row| row.realized_ratio);
    let expected = [None, Some(0.0), None, Some(1.0), Some(3.0), Some(4.0), Some(5.0)];
    close(&before, &expected);
}

#[test]
fn every_method_scores_the_rows_that_it_can() {
    let mut all = rows((0..60).map(|step| (1.0 + 0.1 * f64::from(step % 3), 0.2)));
    for row in &mut all {
        let sharpness = 9.0 + 0.1 * row.step as f64;
        row.sharpness = Some(sharpness);
        row.lambda = vec![sharpness];
        row.threshold = Some(10.0);
        row.edge_ratio = Some(sharpness / 10.0).filter(|_| row.step % 2 == 0);
        row.gradient_alignment = Some(0.1);
        row.realized_ratio = Some(0.5);
    }
    let (truth, settings) = (Truth { last: 59, ..Truth::default() }, StabilitySettings::default());
    let run = watched(&all, &truth, &settings, Vec::new());
    let counts = |name: &str| {
        let method = std::iter::once(&OURS).chain(BASELINES).chain(FROM_AFAR);
        let scored = (method.into_iter().find(|method| method.name == name).unwrap().scored)(&run);
        assert!(scored.rows.iter().all(|row| !row.score.is_nan()), "{name}");
        scored.rows.len()
    };
    assert_eq!((counts("this one"), counts("λ₁ over the threshold")), (60, 30));
    assert_eq!(counts("curvature along the step"), 60);
    assert_eq!(counts("curvature along the step before"), 59);
    assert_eq!((counts("trend of the gradient norm"), counts("noise scale")), (53, 0));
    // Three losses before make a deviation, if they are not all the same.
    assert!(counts("deviation of the loss") >= 55 && counts("CUSUM of the loss") >= 55);
    let scored = run.scored(all.iter().map(|row| row.edge_ratio));
    assert_eq!(scored.rows[10].score, all[20].edge_ratio.unwrap());
}
