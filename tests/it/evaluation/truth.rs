//! Spikes in hindsight on made-up curves.

use super::scoring::truth::{Excursion, Truth};

/// A loss that falls by 1% a step, times a factor at some steps.
fn curve(steps: usize, factor: impl Fn(usize) -> f64) -> Vec<(usize, f64)> {
    (0..steps).map(|step| (step, 0.99f64.powi(step as i32) * factor(step))).collect()
}

fn spans(losses: &[(usize, f64)]) -> Vec<(usize, usize)> {
    Truth::of(losses).spikes.iter().map(|spike| (spike.start, spike.last)).collect()
}

#[test]
fn a_bump_is_a_spike_of_its_height_and_nothing_else_is() {
    let losses = curve(200, |step| if (80..84).contains(&step) { 3.0 } else { 1.0 });
    let truth = Truth::of(&losses);
    let [Excursion { start: 80, last: 83, height }] = truth.spikes[..] else { panic!("{truth:?}") };
    // Of the median about step 80, which is about that of the curve there.
    assert!((height / 3.0 - 1.0).abs() < 0.05, "{height}");
    assert_eq!((truth.first, truth.last), (0, 199));
    assert_eq!(spans(&curve(200, |_| 1.0)), []);
    // Half as much again is not above.
    assert_eq!(spans(&curve(200, |step| if step == 80 { 1.45 } else { 1.0 })), []);
}

#[test]
fn a_swing_of_each_other_loss_is_no_spike() {
    let swing = |step: usize| if step.is_multiple_of(2) { 2.0 } else { 0.5 };
    assert_eq!(spans(&curve(200, swing)), []);
    // A rise that the swing does not explain is: of ln 4, less the fall over 25 steps, times 1.4826 times 3,
    // which makes a factor of 475 over the median of 0.5.
    let above = |step: usize| if step == 100 { 400.0 } else { swing(step) };
    assert_eq!(spans(&curve(200, above)), [(100, 100)]);
    let within = |step: usize| if step == 100 { 40.0 } else { swing(step) };
    assert_eq!(spans(&curve(200, within)), []);
}

#[test]
fn excursions_close_to_each_other_are_one() {
    let peaks = |apart: usize| move |step| if step == 80 || step == 80 + apart { 4.0 } else { 1.0 };
    assert_eq!(spans(&curve(200, peaks(5))), [(80, 85)]);
    assert_eq!(spans(&curve(200, peaks(6))), [(80, 80), (86, 86)]);
}

#[test]
fn the_beginning_is_no_spike_and_is_not_judged() {
    // From far above to where it stays.
    let losses = curve(100, |step| if step < 8 { 10.0 } else { 1.0 });
    let truth = Truth::of(&losses);
    assert_eq!((truth.first, truth.spikes.len()), (8, 0));
    assert!(!truth.is_quiet(7, 20) && truth.is_quiet(8, 20));
    let later = curve(100, |step| if (5..8).contains(&step) { 10.0 } else { 1.0 });
    assert_eq!((Truth::of(&later).first, spans(&later)), (0, vec![(5, 7)]));
}

#[test]
fn a_loss_that_is_not_finite_is_above() {
    let losses = curve(60, |step| match step {
        50..57 => 3f64.powi(step as i32 - 49),
        57.. => f64::NAN,
        _ => 1.0,
    });
    let truth = Truth::of(&losses);
    assert_eq!(spans(&losses), [(50, 59)]);
    assert_eq!(truth.spikes[0].height, f64::INFINITY);
    // Where most of those around it are not finite either.
    let lost = curve(100, |step| if step < 40 { 1.0 } else { f64::INFINITY });
    assert_eq!(spans(&lost), [(40, 99)]);
}

#[test]
fn steps_between_losses_count_as_steps() {
    // A loss at each fifth step: ten of them lie within 25 steps on either side.
    let losses: Vec<_> = curve(300, |step| if step == 150 { 3.0 } else { 1.0 })
        .into_iter()
        .filter(|loss| loss.0 % 5 == 0)
        .collect();
    assert_eq!(spans(&losses), [(150, 150)]);
}

#[test]
fn what_follows_a_step_is_told_within_the_horizon() {
    let truth = super::two();
    assert_eq!(
        (truth.next(19, 10), truth.next(20, 10), truth.next(30, 40)),
        (None, Some(30), Some(60))
    );
    assert!(truth.is_told(20, 10) && !truth.is_quiet(20, 10));
    assert!(truth.is_quiet(19, 10) && truth.is_quiet(35, 10));
    // In a spike, and too near the end.
    assert!(!truth.is_told(34, 10) && truth.is_told(89, 10) && !truth.is_told(90, 10));
}
