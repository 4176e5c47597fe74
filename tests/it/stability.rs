//! Thresholds, events and divergence, as functions of numbers: against the update itself and
//! against series with known answers.

use sharpscope::record::{Event, EventKind, ExitStatus, StepRow};
use sharpscope::stability::{EventDetector, divergence};
use sharpscope::train::SummaryBuilder;

fn row(step: usize, sharpness: f64, threshold: f64) -> StepRow {
    StepRow {
        step,
        sharpness: Some(sharpness),
        threshold: Some(threshold),
        edge_ratio: Some(sharpness / threshold),
        residual: Some(1e-4),
        converged: Some(true),
        ..StepRow::default()
    }
}

#[test]
fn the_edge_is_entered_once_at_the_first_crossing() {
    let mut detector = EventDetector::new(1e-3);
    let series = [8.0, 9.9, 10.0, 11.0, 9.0, 12.0];
    let events: Vec<Event> = series
        .iter()
        .enumerate()
        .flat_map(|(step, &sharpness)| detector.observe(&row(step, sharpness, 10.0), None))
        .collect();
    let expected = EventKind::EdgeEntered { sharpness: 10.0, threshold: 10.0, edge_ratio: 1.0 };
    assert_eq!(events, [Event { step: 2, kind: expected }]);
}

#[test]
fn rows_without_curvature_say_nothing() {
    let mut detector = EventDetector::new(1e-3);
    let empty = StepRow { threshold: Some(10.0), ..StepRow::default() };
    assert!(detector.observe(&empty, None).is_empty());
}

#[test]
fn consecutive_unconverged_rows_make_one_event() {
    let mut detector = EventDetector::new(1e-3);
    let mut count = 0;
    for (step, converged) in [true, false, false, true, false].into_iter().enumerate() {
        let mut row = row(step, 1.0, 10.0);
        row.converged = Some(converged);
        row.residual = Some(if converged { 1e-4 } else { 0.1 });
        for event in detector.observe(&row, Some("iteration limit")) {
            count += 1;
            assert!(matches!(event.kind, EventKind::CurvatureUnconverged { residual: 0.1, .. }));
        }
    }
    assert_eq!(count, 2);
}

#[test]
fn divergence_needs_a_loss_that_is_not_finite_or_out_of_all_proportion() {
    assert_eq!(divergence(1e5, 1.0, 1.0), None);
    assert_eq!(divergence(0.0, 0.0, 0.0), None);
    assert!(divergence(1.1e6, 1.0, 1.0).is_some());
    assert!(divergence(f64::NAN, 1.0, 1.0).is_some());
    assert!(divergence(f64::INFINITY, 1.0, 1.0).is_some());
    assert!(divergence(1.0, f64::NAN, 1.0).is_some());
}

#[test]
fn the_summary_is_that_of_the_rows() {
    let mut builder = SummaryBuilder::default();
    let mut detector = EventDetector::new(1e-3);
    let series = [(0, Some(3.0), 5.0), (1, None, 4.0), (2, Some(12.0), 6.0), (3, Some(11.0), 2.0)];
    for (step, sharpness, loss) in series {
        let mut row = match sharpness {
            Some(sharpness) => row(step, sharpness, 10.0),
            None => StepRow { step, ..StepRow::default() },
        };
        row.train_loss = Some(loss);
        row.hvps = 7;
        row.step_ms = 500.0;
        builder.row(&row);
        detector.observe(&row, None).iter().for_each(|event| builder.event(event));
    }
    let summary = builder.finish(ExitStatus::Completed, std::time::Duration::from_secs(4));
    assert_eq!(summary.steps, 4);
    assert_eq!(summary.initial_sharpness, Some(3.0));
    assert_eq!(summary.final_sharpness, Some(11.0));
    assert_eq!((summary.peak_sharpness, summary.peak_sharpness_step), (Some(12.0), Some(2)));
    assert_eq!(summary.first_step_at_edge, Some(2));
    assert_eq!((summary.final_train_loss, summary.min_train_loss), (Some(2.0), Some(2.0)));
    assert_eq!((summary.hvps, summary.curvature_rows, summary.unconverged_rows), (28, 3, 0));
    assert_eq!((summary.training_seconds, summary.total_seconds), (2.0, 4.0));
    assert_eq!(summary.events["edge_entered"], 1);
}
