//! Forecasts of spikes, against the oscillation itself.

use sharpscope::optim::{Schedule, ScheduleKind};
use sharpscope::record::{EventKind, StepRow};
use sharpscope::stability::{
    Alarm, FEATURES, Monitor, Replay, Signal, SpikeSettings, StabilitySettings, WarningSettings,
    growth, spikes,
};

use super::{TOLERANCE, of_kind, oscillation, row, watch};

/// The largest root in magnitude, by running heavy ball on a quadratic.
fn measured_growth(edge_ratio: f64, beta: f64) -> f64 {
    let (eta, steps) = (0.1, 2000);
    let lambda = edge_ratio * (2.0 + 2.0 * beta) / eta;
    let (mut w, mut v, mut logarithm) = (1.0f64, 0.0f64, 0.0);
    for step in 0..steps {
        v = beta * v + lambda * w;
        w -= eta * v;
        let scale = w.hypot(eta * v);
        // Halfway the transient is over.
        if step >= steps / 2 {
            logarithm += scale.ln();
        }
        (w, v) = (w / scale, v / scale);
    }
    (logarithm / (steps / 2) as f64).exp()
}

#[test]
fn growth_is_that_of_the_update_on_a_quadratic() {
    for beta in [0.0, 0.5, 0.9] {
        for edge_ratio in [1.0, 1.02, 1.2, 1.7, 3.0] {
            let (found, expected) = (growth(edge_ratio, beta), measured_growth(edge_ratio, beta));
            let error = (found / expected - 1.0).abs();
            assert!(error < 5e-3, "r {edge_ratio}, beta {beta}: {found} against {expected}");
        }
    }
    assert_eq!(growth(0.7, 0.9), 0.9f64.sqrt());
    assert_eq!(growth(1.25, 0.0), 1.5);
}

fn signals(rows: &[StepRow]) -> Vec<Signal> {
    watch(rows).signals
}

/// At a constant ratio beyond the edge the count of steps is exact.
#[test]
fn steps_until_visible_count_down_to_the_step() {
    let rows = oscillation([12.0; 80], 1e-7, 1.0);
    let signals = signals(&rows);
    let share = WarningSettings::default().visible_share;
    let visible = signals.iter().position(|s| s.energy_share.unwrap() >= share).unwrap();
    assert!(visible > 40);
    for signal in &signals[..visible] {
        // The loss grows with the energy at the last steps, so that the share lags a little.
        match signal.in_steps {
            Some(steps) => assert!((signal.step + steps).abs_diff(visible) <= 1, "{signal:?}"),
            None => assert!(signal.step + 60 <= visible, "{signal:?}"),
        }
        assert!((signal.growth.unwrap() - 1.4).abs() < 1e-12);
    }
    for signal in &signals[10..visible - 3] {
        let measured = signal.measured_growth.unwrap();
        assert!((measured - 1.4).abs() < 0.01, "{signal:?}");
    }
}

/// Heavy ball's threshold times its rate is 2 + 2 beta, so that the rows tell beta.
#[test]
fn momentum_is_read_off_the_rows() {
    for (product, beta) in [(2.0, 0.0), (3.8, 0.9), (38.0, 0.9), (3.0, 0.5), (1.4, 0.0)] {
        let mut rows = oscillation([12.0; 10], 1e-8, 1.0);
        for row in &mut rows {
            row.lr = product / 10.0;
        }
        let found = signals(&rows)[5].growth.unwrap();
        assert!((found - growth(1.2, beta)).abs() < 1e-12, "{product}");
    }
}

/// A growth that is told is taken instead, at the ratios that are foreseen.
#[test]
fn growth_can_be_told() {
    let rows = oscillation([12.0; 10], 1e-8, 1.0);
    let settings = StabilitySettings::default();
    let monitor = || Monitor::new(&settings, TOLERANCE);
    let guessed = monitor().replay(&rows).signals;
    // Gradient descent's is what the rows of gradient descent let one guess; predictions take what was told from
    // a table.
    let same = monitor().with_growth(|ratio| growth(ratio, 0.0)).replay(&rows).signals;
    for (told, guessed) in same.iter().zip(&guessed) {
        assert_eq!((told.growth, told.in_steps), (guessed.growth, guessed.in_steps));
        for (a, b) in told.features.iter().zip(guessed.features) {
            assert!((a - b).abs() < 1e-9, "{told:?} and {guessed:?}");
        }
    }
    let faster = monitor().with_growth(|ratio| 2.0 * ratio).replay(&rows).signals;
    for (told, guessed) in faster.iter().zip(&guessed) {
        assert_eq!((told.growth, guessed.growth), (Some(2.4), Some(growth(1.2, 0.0))));
    }
    assert!(faster[5].in_steps.unwrap() < guessed[5].in_steps.unwrap());
    // What is no growth is not taken.
    let none = monitor().with_growth(|_| f64::NAN).replay(&rows).signals;
    assert_eq!(none, guessed);
}

#[test]
fn below_the_edge_there_is_no_forecast_and_no_warning() {
    let rows = oscillation([9.0; 100], 1e-3, 1.0);
    let replay = watch(&rows);
    assert!(replay.signals.iter().all(|signal| signal.in_steps.is_none()));
    assert!(of_kind(&replay.events, "spike_warning").is_empty());
}

/// Sharpness rises through the edge, and goes on rising: nothing is to be seen in the loss for long, and
/// the warning comes before it is. (Where it rises by less, the warning comes later: networks mostly
/// catch such an oscillation.)
#[test]
fn a_crossing_is_warned_of_before_the_loss_shows_it() {
    let rows = oscillation((0..120).map(|t| 9.0 + 0.12 * f64::from(t)), 1e-4, 1.0);
    let points: Vec<_> = rows.iter().map(|row| (row.step, row.train_loss.unwrap())).collect();
    let spike = &spikes(&points, &SpikeSettings::default())[0];
    let Replay { events, signals, .. } = watch(&rows);
    let warnings = of_kind(&events, "spike_warning");
    let first = warnings[0];
    let lead = spike.start - first.step;
    assert!((3..=20).contains(&lead), "warned at {}, spike at {}", first.step, spike.start);
    let early: Vec<f64> = signals[spike.start - 7..spike.start].iter().map(|s| s.early).collect();
    // A spike begins within a horizon of one row in twenty.
    assert!(early.iter().all(|p| *p > 0.3), "{early:?}");
    let EventKind::SpikeWarning { in_steps, edge_ratio, energy_share, .. } = first.kind else {
        panic!("{first:?}")
    };
    assert!(edge_ratio.unwrap() > 1.0 && energy_share.unwrap() < 0.01);
    assert!(in_steps.unwrap().abs_diff(lead) <= 4, "{in_steps:?} against {lead}");
    // And not again while that warning stands.
    assert!(warnings.iter().all(|w| w.step == first.step || w.step > first.step + 20));
}

#[test]
fn rows_that_lack_what_it_takes_give_no_signal() {
    let rows = oscillation([12.0; 10], 1e-3, 1.0);
    let without = |change: fn(&mut StepRow)| {
        let mut rows = rows.clone();
        rows.iter_mut().for_each(change);
        signals(&rows).len()
    };
    assert_eq!(signals(&rows).len(), 10);
    assert_eq!(without(|row| row.train_loss = None), 0);
    assert_eq!(without(|row| row.train_loss = Some(f64::NAN)), 0);
    assert_eq!(without(|row| row.sharpness = None), 0);
    // Without modes to go by there is a signal, of what the row has.
    let modeless = |change: fn(&mut StepRow)| {
        let mut rows = rows.clone();
        rows.iter_mut().for_each(change);
        let signals = signals(&rows);
        let place = FEATURES.iter().position(|name| *name == "without_threshold").unwrap();
        assert_eq!(signals.len(), 10);
        assert!(signals.iter().all(|s| s.features[place] == 1.0 && s.predicted.is_none()));
    };
    modeless(|row| row.edge_ratio = None);
    modeless(|row| row.gradient_alignment = None);
    modeless(|row| row.grad_norm = None);
    modeless(|row| row.train_loss = Some(0.0));
    modeless(|row| row.sharpness = Some(-1.0));
    // A component of exactly zero is no oscillation, and no infinity.
    assert_eq!(without(|row| row.gradient_alignment = Some(0.0)), 10);
}

/// A rate that jumps makes earlier ratios meaningless.
#[test]
fn a_jump_of_the_threshold_is_not_a_slope() {
    let mut rows = oscillation([5.0; 20], 1e-3, 1.0);
    for row in &mut rows[10..] {
        (row.lr, row.threshold, row.edge_ratio) = (0.5, Some(4.0), Some(1.25));
    }
    assert!(signals(&rows).iter().all(|signal| signal.slope == Some(0.0)));
}

/// A learning rate that will rise is foreseen by whoever knows the schedule, and by nobody else.
#[test]
fn a_rate_that_will_jump_is_foreseen() {
    const JUMP: usize = 30;
    let kind = ScheduleKind::Step;
    let schedule =
        Schedule { kind, decay_factor: 1.6, decay_every: JUMP, ..Schedule::constant(0.2) };
    let (lambda, mut x, mut rows) = (8.0, 0.1f64, Vec::new());
    for step in 0..2 * JUMP {
        let lr = schedule.rate(step);
        let (component, threshold) = (lambda * x, 2.0 / lr);
        let length = component.hypot(0.1);
        rows.push(StepRow {
            lr,
            threshold: Some(threshold),
            edge_ratio: Some(lambda / threshold),
            train_loss: Some(1.0 + lambda * x * x / 2.0),
            grad_norm: Some(length),
            gradient_alignment: Some(component.abs() / length),
            ..row(step, lambda)
        });
        x *= 1.0 - lr * lambda;
        x = x.signum() * x.abs().max(0.03);
    }
    let settings = StabilitySettings::default();
    let monitor = || Monitor::new(&settings, TOLERANCE);
    let told = monitor().with_schedule(schedule).replay(&rows);
    let untold = monitor().replay(&rows);
    let visible = |signal: &Signal| signal.energy_share >= Some(settings.warning.visible_share);
    let visible = told.signals.iter().position(visible).unwrap();
    assert!(visible > JUMP + 2);
    for step in JUMP - 6..JUMP {
        // The component has reached its floor by then, and grows from the jump on alone.
        let expected = visible - step;
        let found = told.signals[step].in_steps.unwrap();
        assert!(found.abs_diff(expected) <= 9, "{found} against {expected} at step {step}");
        assert_eq!(untold.signals[step].in_steps, None);
        assert!(told.signals[step].early > 2.0 * untold.signals[step].early);
    }
    // The same multiple of all rates changes no ratio of them.
    let multiple = Schedule { lr: 0.7, ..schedule };
    let other = monitor().with_schedule(multiple).replay(&rows);
    for (a, b) in told.signals.iter().zip(&other.signals) {
        assert_eq!(a.in_steps, b.in_steps);
        assert!((a.early - b.early).abs() < 1e-9);
        assert!((a.slope.unwrap() - b.slope.unwrap()).abs() < 1e-12);
    }
}

#[test]
fn an_alarm_stands_for_its_horizon() {
    let mut alarm = Alarm::new(0.5, 3);
    let scores = [0.1, 0.6, 0.9, 0.9, 0.9, 0.9, 0.2, 0.9, 0.9];
    let raised: Vec<usize> =
        (0..9).filter(|&step| alarm.observe(step, scores[step], false)).collect();
    assert_eq!(raised, [1, 5]);
    // A spike ends it.
    let mut alarm = Alarm::new(0.5, 3);
    let raised: Vec<usize> = (0..6).filter(|&step| alarm.observe(step, 0.9, step == 1)).collect();
    assert_eq!(raised, [0, 2]);
}

/// With momentum there is no one value that batch sharpness goes to: between those of small and of large
/// batches it is at its edge, beyond them it is seen how far.
#[test]
fn batch_sharpness_is_compared_with_what_it_settles_at() {
    let ratio = |lr: f64, measured: f64, edges: Option<[f64; 2]>| {
        let mut rows = oscillation([12.0; 10], 1e-8, 1.0);
        for row in &mut rows {
            row.lr = lr;
            row.batch_sharpness_ratio_of_means = Some(measured);
            row.batch_edge_small = edges.map(|edges| edges[0]);
            row.batch_edge_large = edges.map(|edges| edges[1]);
        }
        let signal = signals(&rows)[5].clone();
        let batch = FEATURES.iter().position(|name| *name == "batch").unwrap();
        (signal.batch_ratio, signal.features[batch])
    };
    // Heavy ball's, of which the threshold of the full batch is 19 times the other.
    let heavy_ball = Some([20.0 / 19.0, 20.0]);
    for (measured, expected) in [(10.0 / 19.0, 0.5), (2.0, 1.0), (10.0, 1.0), (30.0, 1.5)] {
        let (found, feature) = ratio(0.1, measured, heavy_ball);
        assert!((found.unwrap() - expected).abs() < 1e-12, "{measured}: {found:?}");
        assert!((feature - (expected - 1.0)).abs() < 1e-12);
    }
    // Nothing is known for Adam; a row of gradient descent that does not say has its threshold, 10 here.
    assert_eq!(ratio(3.8, 5.0, None), (None, -1.0));
    assert_eq!(ratio(0.2, 5.0, None), (Some(0.5), -0.5));
    assert_eq!(ratio(0.2, f64::NAN, None), (None, -1.0));
}

/// What a warning says that training bears keeps a ratio that goes on rising for 60 steps from growing to a spike.
#[test]
fn a_warning_says_what_training_bears() {
    let rows = oscillation((0..60).map(|t| 9.0 + 0.1 * f64::from(t)), 1e-4, 1.0);
    let told = watch(&rows);
    let warned = of_kind(&told.events, "spike_warning")[0];
    let EventKind::SpikeWarning { bearable, edge_ratio, predicted_loss, .. } = warned.kind else {
        panic!("{warned:?}")
    };
    let (bearable, ratio) = (bearable.unwrap(), edge_ratio.unwrap());
    assert!(bearable * ratio < 1.0 && bearable * (ratio + 0.6) > 1.0, "{bearable} at {ratio}");
    assert!(predicted_loss.unwrap() > 1.0);
    // Nothing is asked where nothing is warned of.
    assert!(told.signals[..5].iter().all(|signal| signal.bearable.is_none()));
}

/// A rate that somebody has lowered can rise again once the oscillation is gone, and 20 steps have passed.
#[test]
fn a_lowered_rate_is_said_to_be_bearable_again() {
    let mut rows = oscillation([6.0; 60], 1e-2, 1.0);
    for row in &mut rows[10..] {
        (row.lr, row.threshold, row.edge_ratio) = (0.1, Some(20.0), Some(0.3));
    }
    // Of whoever's schedule is not known it cannot be said whether a rate is lower than it was to be.
    assert!(of_kind(&watch(&rows).events, "warning_lifted").is_empty());
    let monitor = Monitor::new(&StabilitySettings::default(), TOLERANCE);
    let events = monitor.with_schedule(Schedule::constant(0.2)).replay(&rows).events;
    let lifted = of_kind(&events, "warning_lifted");
    let steps: Vec<usize> = lifted.iter().map(|event| event.step).collect();
    assert_eq!(steps, [30, 50]);
    let EventKind::WarningLifted { bearable, rate_factor } = lifted[0].kind else {
        panic!("{lifted:?}")
    };
    assert_eq!(rate_factor, 0.5);
    // Up to the threshold, or a little beyond it, as little energy is there.
    assert!((3.0..4.0).contains(&bearable), "{bearable}");
}
