//! How warnings are scored, counted by hand, and what they are worth on recorded runs: the code of the example
//! `evaluate_warnings`.

mod ahead;
mod baselines;
mod calibration;
mod fitting;
mod recorded;
mod scores;
mod truth;

// What only its `main` uses is unused here.
#[allow(dead_code)]
#[path = "../../../examples/evaluate_warnings/evaluation/mod.rs"]
mod scoring;

use scoring::series::{ScoredRow, ScoredRun, Watched};
use scoring::truth::{Excursion, Truth};
use sharpscope::record::{Event, EventKind, StepRow};
use sharpscope::stability::{Monitor, Replay, StabilitySettings};

/// A run of 100 steps with spikes from and to these steps.
fn truth(spikes: &[(usize, usize)]) -> Truth {
    let spike = |&(start, last): &(usize, usize)| Excursion { start, last, height: 2.0 };
    Truth { first: 0, spikes: spikes.iter().map(spike).collect(), last: 99 }
}

/// Two spikes in 100 steps: at 30 to 34 and 60 to 61.
fn two() -> Truth {
    truth(&[(30, 34), (60, 61)])
}

/// A run of these spikes with a score at each step.
fn scored(truth: Truth, score: impl Fn(usize) -> f64) -> ScoredRun {
    let row =
        |step| ScoredRow { step, score: score(step), in_spike: truth.spike_at(step).is_some() };
    let rows = (0..=truth.last).map(row).collect();
    ScoredRun { kind: "gd".to_string(), rows, truth }
}

/// Rows with these losses and rates.
fn rows(values: impl IntoIterator<Item = (f64, f64)>) -> Vec<StepRow> {
    let row = |(step, (loss, lr))| StepRow {
        step,
        lr,
        train_loss: Some(loss),
        grad_norm: Some(loss),
        ..StepRow::default()
    };
    values.into_iter().enumerate().map(row).collect()
}

/// These rows, watched with the default constants, with these events besides.
fn watched<'a>(
    rows: &'a [StepRow],
    truth: &'a Truth,
    settings: &'a StabilitySettings,
    events: Vec<Event>,
) -> Watched<'a> {
    let replay = Monitor::new(settings, 1e-3).replay(rows);
    let replay = if events.is_empty() { replay } else { Replay { events, ..replay } };
    Watched::new(("one", "gd"), rows, truth, replay, settings)
}

fn event(step: usize, kind: EventKind) -> Event {
    Event { step, kind }
}
