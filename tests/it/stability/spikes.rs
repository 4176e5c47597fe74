//! Spikes of loss curves, by the rule of `stability::spikes`.

use sharpscope::stability::{Spike, SpikeSettings};

use super::{losses, of_kind, watch};
use sharpscope::record::EventKind;

fn found(values: &[f64]) -> Vec<Spike> {
    let points: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    sharpscope::stability::spikes(&points, &SpikeSettings::default())
}

/// Ten losses about 1, whose robust deviation is 0.015.
fn calm() -> Vec<f64> {
    (0..10).map(|i| if i % 2 == 0 { 1.01 } else { 0.99 }).collect()
}

fn after_calm(more: &[f64]) -> Vec<Spike> {
    found(&[calm(), more.to_vec()].concat())
}

#[test]
fn a_spike_has_a_start_a_peak_and_an_end() {
    let spikes = after_calm(&[1.6, 3.0, 2.0, 1.05, 1.0, 1.0, 1.0]);
    assert_eq!(
        spikes,
        [Spike {
            start: 10,
            peak: 11,
            peak_loss: Some(3.0),
            baseline: 1.0,
            end: Some(13),
            last: 15
        }]
    );
    assert!(spikes[0].recovered());
    assert_eq!(spikes[0].height(), Some(3.0));
}

#[test]
fn small_rises_and_falling_losses_are_none() {
    assert_eq!(after_calm(&[1.45, 1.45, 1.0]), []);
    assert_eq!(found(&(0..200).map(|i| 0.9f64.powi(i)).collect::<Vec<_>>()), []);
    assert_eq!(found(&[1.0; 50]), []);
    assert_eq!(found(&[0.0; 50]), []);
    assert_eq!(found(&[2.0]), []);
    assert_eq!(found(&[]), []);
}

/// Losses that swing by as much all the time do not spike when they do it once more.
#[test]
fn a_rise_within_the_usual_scatter_is_none() {
    let swing: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 1.0 } else { 2.2 }).collect();
    assert_eq!(found(&swing), []);
    // Each third is nearly twice the median of 1.
    let wild: Vec<f64> = (0..42).map(|i| [0.2, 1.0, 1.9][i % 3]).collect();
    assert_eq!(found(&wild), []);
}

#[test]
fn oscillation_within_a_spike_does_not_end_it() {
    let spikes = after_calm(&[2.0, 1.0, 3.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]);
    assert_eq!(spikes.len(), 1);
    assert_eq!((spikes[0].peak, spikes[0].end), (12, Some(16)));
}

#[test]
fn a_loss_that_stays_up_has_found_another_level() {
    let spikes = after_calm(&[2.0; 80]);
    assert_eq!(spikes.len(), 1);
    assert!(!spikes[0].recovered());
    assert_eq!(spikes[0].last - spikes[0].start + 1, 50);
    // A spike above the new level is one again.
    let again = after_calm(&[vec![2.0; 80], vec![4.0, 2.0, 2.0, 2.0]].concat());
    assert_eq!((again.len(), again[1].baseline), (2, 2.0));
}

#[test]
fn a_spike_under_way_at_the_end_or_into_infinity_has_not_recovered() {
    let open = after_calm(&[2.0, 4.0]);
    assert_eq!((open.len(), open[0].peak_loss, open[0].end), (1, Some(4.0), None));
    for end in [f64::NAN, f64::INFINITY] {
        let diverged = after_calm(&[2.0, 1e9, end]);
        assert_eq!((diverged.len(), diverged[0].peak, diverged[0].peak_loss), (1, 12, None));
        assert_eq!((diverged[0].height(), diverged[0].recovered()), (None, false));
        let at_once = after_calm(&[end]);
        assert_eq!((at_once.len(), at_once[0].start), (1, 10));
    }
}

/// Losses may be below zero where a user's own loss is.
#[test]
fn negative_losses_spike_upwards() {
    let mut values: Vec<f64> = calm().iter().map(|loss| loss - 11.0).collect();
    values.extend([-10.0, -4.0, -10.0, -10.0, -10.0]);
    let spikes = found(&values);
    assert_eq!((spikes.len(), spikes[0].start, spikes[0].height()), (1, 11, None));
}

#[test]
fn steps_without_a_loss_are_stepped_over() {
    let values = [calm(), vec![1.6, 3.0, 1.0, 1.0, 1.0]].concat();
    let points: Vec<(usize, f64)> =
        values.iter().enumerate().map(|(i, &loss)| (5 * i, loss)).collect();
    let spikes = sharpscope::stability::spikes(&points, &SpikeSettings::default());
    assert_eq!((spikes[0].start, spikes[0].peak, spikes[0].end), (50, 55, Some(60)));
}

/// The monitor's events are the labels.
#[test]
fn events_are_the_same_spikes() {
    let values = [calm(), vec![1.6, 3.0, 2.0, 1.0, 1.0, 1.0], calm(), vec![5.0, 9.0]].concat();
    let events = watch(&losses(values.clone())).events;
    let told = of_kind(&events, "loss_spike");
    let labels = found(&values);
    assert_eq!((told.len(), labels.len()), (2, 2));
    for (event, label) in told.iter().zip(&labels) {
        let EventKind::LossSpike { start, peak, peak_loss, baseline, height, end, recovered } =
            event.kind
        else {
            panic!("{event:?}")
        };
        assert_eq!((start, peak, end), (label.start, label.peak, label.end));
        assert_eq!((peak_loss, baseline), (label.peak_loss, label.baseline));
        assert_eq!((height, recovered), (label.height(), label.recovered()));
    }
    // Told when the calm has held, and at the end of the run.
    assert_eq!([told[0].step, told[1].step], [15, 27]);
}
