//! The same run told again: row by row, from its file, and at another scale of the loss.

use std::path::Path;

use sharpscope::record::{Columns, Event, StepRow, column_names};
use sharpscope::rundir::{StepTable, cells};
use sharpscope::stability::{Monitor, PredictedLoss, Replay, Signal, StabilitySettings};

use super::{TOLERANCE, oscillation, watch};

/// A run that sharpens, enters the edge, spikes, comes back lower, spikes once more and stands still.
fn eventful() -> Vec<StepRow> {
    // Where the loss has risen tenfold the sharpness falls.
    let until_peak = |mut rows: Vec<StepRow>| {
        let peak = rows.iter().position(|row| row.train_loss.unwrap() > 10.0).unwrap();
        rows.truncate(peak);
        rows
    };
    let rise = (0..160).map(|t| 8.0 + 0.04 * f64::from(t));
    let mut rows = until_peak(oscillation(rise, 1e-4, 1.0));
    rows.extend(oscillation([7.0; 60], 1e-3, 0.9));
    let again = (0..40).map(|t| 9.5 + 0.3 * f64::from(t));
    rows.extend(until_peak(oscillation(again, 1e-3, 0.8)));
    rows.extend(oscillation([6.0; 60], 1e-4, 0.7));
    for (step, row) in rows.iter_mut().enumerate() {
        row.step = step;
        row.residual = Some(if step % 50 == 7 { 0.01 } else { 1e-4 });
        row.converged = Some(step % 50 != 7);
        row.lambda_min = Some(-0.5);
        row.relative_update = Some(1e-4);
    }
    rows
}

fn kinds(replay: &Replay) -> Vec<&'static str> {
    let mut names: Vec<_> = replay.events.iter().map(|event| event.kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn the_run_of_these_tests_has_something_of_everything() {
    let replay = watch(&eventful());
    let expected = [
        "catapult",
        "curvature_unconverged",
        "edge_entered",
        "edge_forecast",
        "edge_left",
        "loss_spike",
        "plateau",
        "saddle",
        "spike_warning",
    ];
    assert_eq!(kinds(&replay), expected);
    let mut phases: Vec<_> = replay.phases.iter().flatten().map(|phase| phase.name()).collect();
    phases.sort_unstable();
    phases.dedup();
    assert_eq!(phases, ["edge", "flat", "sharpening", "stable", "unstable"]);
}

#[test]
fn row_by_row_is_the_same_as_a_replay() {
    let rows = eventful();
    let mut monitor = Monitor::new(&StabilitySettings::default(), TOLERANCE);
    let (mut phases, mut events) = (Vec::new(), Vec::new());
    for row in &rows {
        let seen = monitor.observe(row);
        assert!(seen.events.iter().all(|event| event.step == row.step));
        phases.push(seen.phase);
        events.extend(seen.events);
    }
    events.extend(monitor.finish());
    let replay = watch(&rows);
    assert_eq!((phases, events), (replay.phases, replay.events));
}

/// What was said of a run's beginning does not depend on how it went on.
#[test]
fn nothing_said_depends_on_later_rows() {
    let rows = eventful();
    let whole = watch(&rows);
    for cut in [1, 30, 80, 120, 180] {
        let part = watch(&rows[..cut]);
        assert_eq!(part.phases, whole.phases[..cut]);
        let mut monitor = Monitor::new(&StabilitySettings::default(), TOLERANCE);
        let told: Vec<Event> =
            rows[..cut].iter().flat_map(|row| monitor.observe(row).events).collect();
        let earlier: Vec<_> =
            whole.events.iter().filter(|event| event.step < cut).cloned().collect();
        assert_eq!(told, earlier, "{cut}");
    }
}

#[test]
fn a_stored_table_gives_the_same_events() {
    let mut rows = eventful();
    for row in rows.iter_mut().filter(|row| row.step % 5 == 3) {
        (row.sharpness, row.edge_ratio, row.converged, row.residual) = (None, None, None, None);
        row.lambda.clear();
    }
    let columns = Columns { top: 1, ..Columns::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steps.csv");
    let mut writer = csv::Writer::from_path(&path).unwrap();
    writer.write_record(column_names(&columns)).unwrap();
    for (row, phase) in rows.iter().zip(watch(&rows).phases) {
        // A table that has its phases already is judged by its numbers alone.
        let row = StepRow { phase, ..row.clone() };
        writer.write_record(cells(&row, &column_names(&columns))).unwrap();
    }
    writer.flush().unwrap();
    let read = StepTable::read(Path::new(&path)).unwrap().rows().unwrap();
    assert_eq!(watch(&read), watch(&rows));
}

/// L -> c L with eta -> eta/c: the same path of the parameters.
fn scaled(rows: &[StepRow], c: f64) -> Vec<StepRow> {
    let times = |value: Option<f64>| value.map(|value| c * value);
    let scale = |row: &StepRow| StepRow {
        lr: row.lr / c,
        train_loss: times(row.train_loss),
        grad_norm: times(row.grad_norm),
        sharpness: times(row.sharpness),
        threshold: times(row.threshold),
        lambda: row.lambda.iter().map(|lambda| c * lambda).collect(),
        lambda_min: times(row.lambda_min),
        ..row.clone()
    };
    rows.iter().map(scale).collect()
}

/// A power of two scales without rounding, so that everything is the same to the last digit; others
/// change digits but no phase and no kind of event.
#[test]
fn the_scale_of_the_loss_changes_nothing() {
    let rows = eventful();
    let told = |replay: &Replay| -> Vec<(usize, &'static str)> {
        replay.events.iter().map(|event| (event.step, event.kind.name())).collect()
    };
    let original = watch(&rows);
    for c in [2f64.powi(20), 2f64.powi(-30), 1e3, 3e-5] {
        let other = watch(&scaled(&rows, c));
        assert_eq!(other.phases, original.phases, "{c}");
        assert_eq!(told(&other), told(&original), "{c}");
        assert_eq!(other.signals.len(), original.signals.len());
        for (a, b) in other.signals.iter().zip(&original.signals) {
            if c.log2().fract() == 0.0 {
                let loss = |p: PredictedLoss| PredictedLoss {
                    loss: p.loss / c,
                    least: p.least / c,
                    most: p.most / c,
                };
                assert_eq!(&Signal { predicted: a.predicted.map(loss), ..a.clone() }, b);
            }
            assert!((a.early - b.early).abs() < 1e-9, "{a:?} {b:?}");
            assert!((a.imminent - b.imminent).abs() < 1e-9, "{a:?} {b:?}");
            assert_eq!(a.in_steps, b.in_steps);
        }
    }
}
