//! Phases, events, spikes and warnings on series with known answers, and divergence.

mod constants;
mod detectors;
mod events;
mod phases;
mod replays;
mod settings;
mod spikes;
mod summary;
mod unfollowed;
mod warnings;

use sharpscope::record::{Event, StepRow};
use sharpscope::stability::{Monitor, Replay, StabilitySettings, divergence};

const TOLERANCE: f64 = 1e-3;

/// A row with curvature: threshold 10 at learning rate 0.2 (gradient descent).
fn row(step: usize, sharpness: f64) -> StepRow {
    let threshold = 10.0;
    StepRow {
        step,
        lr: 0.2,
        sharpness: Some(sharpness),
        lambda: vec![sharpness],
        threshold: Some(threshold),
        edge_ratio: Some(sharpness / threshold),
        residual: Some(1e-4),
        converged: Some(true),
        ..StepRow::default()
    }
}

/// Rows of these sharpnesses and a loss that falls by 2% a step.
fn rows(sharpness: impl IntoIterator<Item = f64>) -> Vec<StepRow> {
    let with_loss = |(step, sharpness)| StepRow {
        train_loss: Some(0.98f64.powi(step as i32)),
        ..row(step, sharpness)
    };
    sharpness.into_iter().enumerate().map(with_loss).collect()
}

/// Rows with a loss alone.
fn losses(values: impl IntoIterator<Item = f64>) -> Vec<StepRow> {
    let row =
        |(step, loss)| StepRow { step, lr: 0.2, train_loss: Some(loss), ..StepRow::default() };
    values.into_iter().enumerate().map(row).collect()
}

fn watch(rows: &[StepRow]) -> Replay {
    Monitor::new(&StabilitySettings::default(), TOLERANCE).replay(rows)
}

fn of_kind<'a>(events: &'a [Event], name: &str) -> Vec<&'a Event> {
    events.iter().filter(|event| event.kind.name() == name).collect()
}

/// Gradient descent on L = floor + lambda(t) x^2/2 at learning rate 0.2: what its rows would hold if
/// the sharpness were as given. Rounding keeps |x| from falling below 1e-7, and the gradient has a
/// component of 0.1 across, which does nothing.
pub fn oscillation(
    sharpness: impl IntoIterator<Item = f64>,
    mut x: f64,
    floor: f64,
) -> Vec<StepRow> {
    let mut rows = Vec::new();
    for (step, lambda) in sharpness.into_iter().enumerate() {
        let component = lambda * x;
        let length = component.hypot(0.1);
        rows.push(StepRow {
            train_loss: Some(floor + lambda * x * x / 2.0),
            grad_norm: Some(length),
            gradient_alignment: Some(component.abs() / length),
            ..row(step, lambda)
        });
        x *= 1.0 - 0.2 * lambda;
        x = x.signum() * x.abs().max(1e-7);
    }
    rows
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
