//! Learning rates over the steps, against closed forms and PyTorch's schedulers.

use std::collections::BTreeSet;

use serde::Deserialize;
use sharpscope::optim::{Schedule, ScheduleKind};

use super::Reference;

const KINDS: [ScheduleKind; 4] =
    [ScheduleKind::Constant, ScheduleKind::Cosine, ScheduleKind::Linear, ScheduleKind::Step];

/// A schedule with the rates that PyTorch's took at steps 0 to `steps`.
#[derive(Deserialize)]
pub(super) struct Case {
    kind: ScheduleKind,
    lr: f64,
    warmup: usize,
    steps: usize,
    final_lr: f64,
    decay_factor: f64,
    decay_every: usize,
    rates: Vec<f64>,
}

fn schedule(kind: ScheduleKind, warmup: usize, steps: usize) -> Schedule {
    Schedule { kind, lr: 0.4, warmup, steps, final_lr: 0.1, decay_factor: 0.5, decay_every: 10 }
}

#[track_caller]
fn assert_rate(schedule: &Schedule, step: usize, expected: f64) {
    let found = schedule.rate(step);
    let error = (found / expected - 1.0).abs();
    assert!(error <= 1e-12, "{schedule:?} at step {step}: {found} against {expected}");
}

#[test]
fn schedules_agree_with_pytorchs() {
    let cases = Reference::load().schedules;
    let compared: BTreeSet<_> =
        cases.iter().map(|c| (format!("{:?}", c.kind), c.warmup > 0)).collect();
    assert_eq!(compared.len(), 2 * KINDS.len());
    for case in cases {
        assert_eq!(case.rates.len(), case.steps + 1);
        let schedule = Schedule {
            kind: case.kind,
            lr: case.lr,
            warmup: case.warmup,
            steps: case.steps,
            final_lr: case.final_lr,
            decay_factor: case.decay_factor,
            decay_every: case.decay_every,
        };
        for (step, &expected) in case.rates.iter().enumerate() {
            assert_rate(&schedule, step, expected);
        }
    }
}

#[test]
fn rates_have_their_closed_forms() {
    let cosine = schedule(ScheduleKind::Cosine, 0, 120);
    let linear = schedule(ScheduleKind::Linear, 0, 120);
    // A third of the way: cos(pi/3) = 1/2, so that 3/4 of the fall are left.
    for (step, cosine_rate, linear_rate) in
        [(0, 0.4, 0.4), (40, 0.325, 0.3), (60, 0.25, 0.25), (80, 0.175, 0.2), (120, 0.1, 0.1)]
    {
        assert_rate(&cosine, step, cosine_rate);
        assert_rate(&linear, step, linear_rate);
    }
    let factors = schedule(ScheduleKind::Step, 0, 120);
    for (step, rate) in [(0, 0.4), (9, 0.4), (10, 0.2), (19, 0.2), (20, 0.1), (95, 0.4 / 512.0)] {
        assert_rate(&factors, step, rate);
    }
    let constant = Schedule::constant(0.7);
    for step in [0, 1, 1_000_000] {
        assert_eq!(constant.rate(step), 0.7);
    }
}

#[test]
fn the_warmup_rises_in_equal_parts_from_above_zero_to_the_rate() {
    for kind in KINDS {
        for warmup in [1, 2, 7, 50] {
            let schedule = schedule(kind, warmup, 200);
            for step in 0..warmup {
                assert_rate(&schedule, step, 0.4 * (step + 1) as f64 / warmup as f64);
            }
            assert_rate(&schedule, warmup - 1, 0.4);
            assert_rate(&schedule, warmup, 0.4);
        }
    }
}

/// The rest is that of a run that is shorter by the warm-up.
#[test]
fn after_the_warmup_the_schedule_starts_at_its_beginning() {
    for kind in KINDS {
        let (warm, cold) = (schedule(kind, 30, 100), schedule(kind, 0, 70));
        for step in 0..=70 {
            assert_rate(&warm, 30 + step, cold.rate(step));
        }
    }
}

#[test]
fn cosine_and_linear_fall_without_jumps_to_the_final_rate() {
    // Half a cosine falls at most pi/2 times as fast as the line.
    let steepest = 1.58 * 0.3 / 170.0;
    for kind in [ScheduleKind::Cosine, ScheduleKind::Linear] {
        let schedule = schedule(kind, 30, 200);
        for step in 30..200 {
            let fall = schedule.rate(step) - schedule.rate(step + 1);
            assert!(fall > 0.0 && fall <= steepest, "{kind:?} at {step}: {fall}");
        }
        assert_rate(&schedule, 200, 0.1);
        assert!(schedule.rate(199) > 0.1);
    }
}

/// No step of a run has a rate of zero, an undefined one or more than the one given, however short
/// the run.
#[test]
fn rates_are_positive_and_finite_for_every_length_of_run() {
    for kind in KINDS {
        for warmup in 0..5 {
            for steps in 1..6 {
                let schedule = schedule(kind, warmup, steps);
                for step in 0..steps {
                    let rate = schedule.rate(step);
                    assert!(rate > 0.0 && rate <= 0.4, "{schedule:?} at step {step}: {rate}");
                }
            }
        }
    }
}
