//! Events of series with known answers.

use sharpscope::record::{Event, EventKind, PrecisionReason, StepRow};
use sharpscope::stability::{Monitor, Signal, StabilitySettings};

use super::{TOLERANCE, losses, of_kind, oscillation, row, rows, watch};

#[test]
fn the_edge_is_entered_at_the_crossing_and_not_again_while_it_is_kept() {
    let events = watch(&rows([8.0, 9.9, 10.0, 11.0, 9.0, 12.0])).events;
    let expected = EventKind::EdgeEntered { sharpness: 10.0, threshold: 10.0, edge_ratio: 1.0 };
    assert_eq!(events, [Event { step: 2, kind: expected }]);
}

#[test]
fn the_edge_is_left_after_three_measurements_clearly_below() {
    let series = [10.0, 8.0, 8.0, 10.0, 8.0, 8.0, 7.0, 6.0, 11.0];
    let events = watch(&rows(series)).events;
    let names: Vec<_> = events.iter().map(|e| (e.step, e.kind.name())).collect();
    assert_eq!(names, [(0, "edge_entered"), (6, "edge_left"), (8, "edge_entered")]);
    let left = EventKind::EdgeLeft { sharpness: 7.0, threshold: 10.0, edge_ratio: 0.7, entered: 0 };
    assert_eq!(events[1].kind, left);
    // A little below is still at the edge.
    assert_eq!(watch(&rows([[10.0; 3], [9.5; 3], [9.5; 3]].concat())).events.len(), 1);
}

/// On a straight line there is one forecast, and it is exact.
#[test]
fn a_straight_rise_is_forecast_once_and_to_the_step() {
    let events = watch(&rows((0..60).map(|t| 5.0 + 0.1 * f64::from(t)))).events;
    let forecasts = of_kind(&events, "edge_forecast");
    assert_eq!(forecasts.len(), 1, "{events:?}");
    let EventKind::EdgeForecast { slope, at_step, earliest, latest, .. } = forecasts[0].kind else {
        panic!("{events:?}")
    };
    assert!((slope - 0.01).abs() < 1e-9);
    for step in [at_step, earliest, latest.unwrap()] {
        assert!((step - 50.0).abs() < 1e-6, "{step}");
    }
    assert_eq!(of_kind(&events, "edge_entered")[0].step, 50);
    assert!(forecasts[0].step < 30);
}

/// A rise that levels off is met by the interval or by none.
#[test]
fn a_bending_rise_widens_the_interval() {
    let ratio = |t: f64| 12.0 - 8.0 * (-t / 25.0).exp();
    let crossing = 25.0 * 4f64.ln();
    let events = watch(&rows((0..60).map(|t| ratio(f64::from(t))))).events;
    let forecasts = of_kind(&events, "edge_forecast");
    let EventKind::EdgeForecast { at_step, earliest, latest, .. } = forecasts[0].kind else {
        panic!("{events:?}")
    };
    // The straight line is too early, and the interval says that it may be.
    assert!(at_step < crossing);
    assert!(earliest <= at_step && latest.is_none_or(|latest| latest > crossing));
}

/// On a parabola the bend leads to the crossing.
#[test]
fn the_interval_reaches_to_where_a_parabola_crosses() {
    let sharpness = |t: f64| 10.8 - 0.002 * (t - 60.0).powi(2);
    let crossing = 40.0;
    let events = watch(&rows((0..60).map(|t| sharpness(f64::from(t))))).events;
    let EventKind::EdgeForecast { at_step, latest: Some(latest), .. } =
        of_kind(&events, "edge_forecast")[0].kind
    else {
        panic!("{events:?}")
    };
    assert!((latest - crossing).abs() < 3.0, "{latest} against {crossing}");
    assert!(at_step < crossing - 5.0, "{at_step} against {crossing}");
}

/// A rise that grows by its own share a step is met by the interval, which no line through it nor the parabola
/// of its bend reaches.
#[test]
fn the_interval_reaches_to_where_an_exponential_crosses() {
    let crossing = 20.0 * 5f64.ln();
    let sharpness = |t: f64| 2.0 * (t / 20.0).exp();
    let events = watch(&rows((0..40).map(|t| sharpness(f64::from(t))))).events;
    let EventKind::EdgeForecast { earliest, latest: Some(latest), at_step, .. } =
        of_kind(&events, "edge_forecast")[0].kind
    else {
        panic!("{events:?}")
    };
    assert!(earliest < crossing && crossing < latest, "{earliest} to {latest}");
    assert!(at_step > crossing + 1.0, "{at_step} against {crossing}");
}

#[test]
fn a_falling_or_constant_ratio_is_not_forecast() {
    assert!(watch(&rows([5.0; 50])).events.is_empty());
    assert!(watch(&rows((0..50).map(|t| 9.0 - 0.1 * f64::from(t)))).events.is_empty());
}

#[test]
fn consecutive_unconverged_rows_make_one_event() {
    let mut rows = rows([1.0; 5]);
    for (row, converged) in rows.iter_mut().zip([true, false, false, true, false]) {
        row.converged = Some(converged);
        row.residual = Some(if converged { 1e-4 } else { 0.1 });
    }
    let events = watch(&rows).events;
    let kind = EventKind::CurvatureUnconverged { residual: 0.1, tolerance: TOLERANCE };
    assert_eq!(events, [1, 4].map(|step| Event { step, kind: kind.clone() }));
}

#[test]
fn rows_without_curvature_say_nothing() {
    assert!(watch(&[StepRow { threshold: Some(10.0), ..StepRow::default() }]).events.is_empty());
    assert!(watch(&[StepRow::default()]).events.is_empty());
}

/// Twelve calm rows, a spike of four, and twelve rows of the sharpness after it.
fn spiking(after: f64) -> Vec<StepRow> {
    let sharpness = [vec![9.0; 16], vec![after; 12]].concat();
    let mut rows = rows(sharpness);
    for (step, row) in rows.iter_mut().enumerate() {
        row.train_loss = Some(match step {
            12 | 15 => 2.0,
            13 | 14 => 4.0,
            _ => 1.0,
        });
    }
    rows
}

#[test]
fn a_spike_after_which_the_sharpness_is_lower_is_a_catapult() {
    let events = watch(&spiking(6.0)).events;
    assert_eq!(of_kind(&events, "loss_spike").len(), 1);
    let kind = EventKind::Catapult {
        start: 12,
        end: 16,
        height: Some(4.0),
        sharpness_before: 9.0,
        sharpness_after: 6.0,
    };
    assert_eq!(of_kind(&events, "catapult"), [&Event { step: 18, kind }]);
    assert!(of_kind(&watch(&spiking(8.9)).events, "catapult").is_empty());
}

/// With curvature every eighth step, the catapult is told when the sharpness is known.
#[test]
fn a_catapult_waits_for_the_next_measurement() {
    let mut rows = spiking(6.0);
    for row in rows.iter_mut().filter(|row| row.step % 8 != 0 && row.step != 1) {
        (row.sharpness, row.edge_ratio, row.converged) = (None, None, None);
    }
    for row in rows.iter_mut().filter(|row| row.step == 16) {
        (row.sharpness, row.edge_ratio) = (None, None);
    }
    let events = watch(&rows).events;
    assert_eq!(of_kind(&events, "catapult")[0].step, 24);
}

#[test]
fn divergence_is_seen_in_the_rows_and_told_once() {
    let mut rows = losses([1.0, 0.9, 5.0, 2e6, 1e9]);
    let events = watch(&rows).events;
    assert_eq!(of_kind(&events, "divergence").len(), 1);
    assert_eq!(of_kind(&events, "divergence")[0].step, 3);
    rows[1].grad_norm = Some(f64::NAN);
    assert_eq!(of_kind(&watch(&rows).events, "divergence")[0].step, 1);
    rows[0].train_loss = Some(f64::NAN);
    let events = watch(&rows).events;
    let EventKind::Divergence { train_loss: None, ref reason } = events[0].kind else {
        panic!("{events:?}")
    };
    assert!(reason.contains("loss is not finite"));
}

fn flat(lambda_min: f64, grad_norm: f64) -> Vec<StepRow> {
    let mut rows = rows([5.0; 60]);
    for row in &mut rows {
        row.train_loss = Some(0.5);
        row.grad_norm = Some(grad_norm);
        row.lambda_min = Some(lambda_min);
    }
    rows
}

#[test]
fn a_plateau_is_told_once_with_what_kind_of_point_it_is() {
    let names = |rows: &[StepRow]| -> Vec<&'static str> {
        watch(rows).events.iter().map(|event| event.kind.name()).collect()
    };
    assert_eq!(names(&flat(-1.0, 1e-3)), ["plateau", "saddle"]);
    assert_eq!(names(&flat(-1e-3, 1e-3)), ["plateau", "minimum_suspected"]);
    // Between the two bounds, and with a gradient that is not small, nothing is claimed.
    assert_eq!(names(&flat(-0.05, 1e-3)), ["plateau"]);
    assert_eq!(names(&flat(-1.0, 1.0)), ["plateau"]);
    let mut unconverged = flat(-1.0, 1e-3);
    unconverged.iter_mut().for_each(|row| row.converged = Some(false));
    assert_eq!(names(&unconverged), ["curvature_unconverged", "plateau"]);
}

#[test]
fn a_loss_that_falls_by_a_percent_a_step_is_no_plateau() {
    let falling = losses((0..200).map(|t| 0.99f64.powi(t)));
    assert!(of_kind(&watch(&falling).events, "plateau").is_empty());
    let zero = losses([0.0; 40]);
    assert_eq!(of_kind(&watch(&zero).events, "plateau").len(), 1);
}

#[test]
fn a_plateau_that_was_left_can_come_again() {
    let mut values = vec![0.5; 40];
    values.extend((0..60).map(|t| 0.5 * 0.97f64.powi(t)));
    values.extend([0.05; 40]);
    let rows: Vec<StepRow> = losses(values)
        .into_iter()
        .zip(flat(-1.0, 1e-4).into_iter().cycle())
        .map(|(row, flat)| StepRow { step: row.step, train_loss: row.train_loss, ..flat })
        .collect();
    let events = watch(&rows).events;
    assert_eq!(of_kind(&events, "plateau").len(), 2);
    assert_eq!(of_kind(&events, "saddle").len(), 2);
}

fn suspicions(rows: &[StepRow]) -> Vec<(usize, PrecisionReason)> {
    let events = watch(rows).events;
    let reason = |event: &Event| match event.kind {
        EventKind::PrecisionSuspect { reason, .. } => Some((event.step, reason)),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

#[test]
fn updates_below_the_resolution_are_suspicious_from_the_third_on() {
    let mut rows = rows([5.0; 10]);
    for row in &mut rows {
        row.relative_update = Some(if row.step >= 4 { 1e-8 } else { 1e-4 });
        row.grad_norm = Some(1.0);
    }
    assert_eq!(suspicions(&rows), [(6, PrecisionReason::UpdateBelowResolution)]);
    // At a gradient of zero there is nothing to do.
    rows.iter_mut().for_each(|row| row.grad_norm = Some(0.0));
    assert_eq!(suspicions(&rows), []);
}

#[test]
fn a_sharpness_that_both_neighbours_contradict_is_suspicious() {
    let disagree = PrecisionReason::MeasurementsDisagree;
    assert_eq!(suspicions(&rows([5.0, 5.0, 3.0, 5.1, 5.1])), [(3, disagree)]);
    // A fall, a rise, a dip that is small and one at the edge, where the sharpness does swing.
    assert_eq!(suspicions(&rows([5.0, 5.0, 3.0, 3.0, 3.0])), []);
    assert_eq!(suspicions(&rows([5.0, 5.0, 8.0, 5.0, 5.0])), []);
    assert_eq!(suspicions(&rows([5.0, 5.0, 4.5, 5.0, 5.0])), []);
    assert_eq!(suspicions(&rows([5.0, 5.0, 3.0, 8.0, 8.0])), []);
    assert_eq!(suspicions(&rows([10.0, 10.0, 7.0, 10.0, 10.0])), []);
}

#[test]
fn a_residual_at_its_floor_is_suspicious() {
    let mut rows = rows([5.0; 4]);
    for row in &mut rows[1..] {
        (row.residual, row.converged) = (Some(1e-6), Some(false));
    }
    assert_eq!(suspicions(&rows), [(1, PrecisionReason::ResidualFloor)]);
    rows.iter_mut().for_each(|row| row.residual = Some(1e-2));
    assert_eq!(suspicions(&rows), []);
}

/// Undefined numbers in any column neither panic nor make an event of their own.
#[test]
fn rows_of_undefined_numbers_are_survived() {
    let mut rows = oscillation((0..60).map(|t| 9.0 + 0.05 * f64::from(t)), 1e-6, 1.0);
    for row in rows.iter_mut().filter(|row| row.step % 3 == 1) {
        row.sharpness = Some(f64::NAN);
        row.edge_ratio = Some(f64::INFINITY);
        row.gradient_alignment = Some(f64::NAN);
        row.threshold = Some(0.0);
        row.lambda_min = Some(f64::NAN);
        row.residual = Some(f64::NAN);
        row.relative_update = Some(f64::NAN);
        row.batch_sharpness = Some(f64::NAN);
        row.batch_sharpness_ratio_of_means = Some(f64::NAN);
        row.realized_ratio = Some(f64::NAN);
    }
    let replay = watch(&rows);
    assert_eq!(of_kind(&replay.events, "edge_entered")[0].step, 20);
    let finite = |signal: &Signal| signal.early.is_finite() && signal.imminent.is_finite();
    assert!(replay.signals.iter().all(finite));
}

/// Every event names its kind and its assumption, and reads back as it was.
#[test]
fn lines_read_back_as_the_events_they_were() {
    let mut rows = spiking(6.0);
    rows.extend(flat(-1.0, 1e-3).into_iter().map(|row| StepRow { step: row.step + 28, ..row }));
    rows.extend(losses([1e9]).into_iter().map(|row| StepRow { step: 90, ..row }));
    let mut monitor = Monitor::new(&StabilitySettings::default(), TOLERANCE);
    let mut events: Vec<Event> = rows.iter().flat_map(|row| monitor.observe(row).events).collect();
    events.extend(monitor.finish());
    assert!(monitor.has_diverged());
    assert!(events.len() >= 5, "{events:?}");
    for event in events {
        let line = serde_json::to_value(&event).unwrap();
        assert_eq!(line["kind"], event.kind.name());
        assert_eq!(line["assumes"], event.kind.assumes());
        assert_eq!(line["step"], event.step);
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }
}

#[test]
fn a_single_row_at_the_edge_says_so() {
    let events = watch(&[row(0, 12.0)]).events;
    assert_eq!(events.iter().map(|e| e.kind.name()).collect::<Vec<_>>(), ["edge_entered"]);
}
