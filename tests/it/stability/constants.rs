//! What single constants decide, on series with known answers.

use sharpscope::record::{EventKind, StepRow};
use sharpscope::stability::{
    AT_EDGE, DIVERGENCE_FACTOR, EdgeSettings, FEATURES, Monitor, Phase, Replay, Signal,
    SpikeSettings, StabilitySettings, at_edge, divergence, spikes,
};

use super::{TOLERANCE, losses, of_kind, oscillation, rows};

/// The rows as they are judged with one constant changed, as a file would do it.
fn with(change: &str, rows: &[StepRow]) -> Replay {
    let settings: StabilitySettings = serde_json::from_str(&format!("{{{change}}}")).unwrap();
    settings.validate().unwrap();
    Monitor::new(&settings, TOLERANCE).replay(rows)
}

fn without_change(rows: &[StepRow]) -> Replay {
    with("", rows)
}

#[test]
fn what_counts_as_at_the_edge_can_be_set_and_makes_no_event() {
    let settings = EdgeSettings { at_edge: 0.8, ..EdgeSettings::default() };
    assert!(settings.is_at_edge(0.85) && !settings.is_at_edge(0.79));
    assert!(at_edge(AT_EDGE) && !at_edge(0.85));
    assert_eq!(EdgeSettings::default().at_edge, AT_EDGE);
    let rows = rows([8.0, 9.6, 10.0, 8.5, 8.5, 8.5, 8.5]);
    assert_eq!(with(r#""at_edge": 0.8"#, &rows), without_change(&rows));
}

#[test]
fn the_factor_of_divergence_is_that_of_the_settings() {
    let rows = losses([1.0, 0.9, 5.0, 6.0]);
    assert!(of_kind(&without_change(&rows).events, "divergence").is_empty());
    let events = with(r#""divergence_factor": 4"#, &rows).events;
    let told = of_kind(&events, "divergence");
    assert_eq!((told.len(), told[0].step), (1, 2));
    let EventKind::Divergence { ref reason, .. } = told[0].kind else { panic!("{told:?}") };
    assert!(reason.contains("4e0 times its initial value"), "{reason}");
    assert!(divergence(1.01 * DIVERGENCE_FACTOR, 1.0, 1.0).unwrap().contains("1e6 times"));
    assert_eq!(divergence(DIVERGENCE_FACTOR, 1.0, 1.0), None);
}

/// A straight rise of the ratio by 0.01 a step, and a swing of 0.005 about it: a slope with an error of
/// about a tenth of it.
#[test]
fn a_forecast_reaches_to_as_many_errors_of_its_slope_as_it_has_to_exceed() {
    let swing = |t: i32| if t % 2 == 0 { 0.05 } else { -0.05 };
    let rows = rows((0..40).map(|t| 5.0 + 0.1 * f64::from(t) + swing(t)));
    let earliest = |change: &str| {
        let events = with(change, &rows).events;
        of_kind(&events, "edge_forecast").first().map(|event| match event.kind {
            EventKind::EdgeForecast { earliest, .. } => earliest,
            _ => panic!("{event:?}"),
        })
    };
    let (one, four) = (earliest(r#""forecast_errors": 1"#), earliest(r#""forecast_errors": 4"#));
    assert!(four.unwrap() < one.unwrap() - 2.0, "{four:?} and {one:?}");
    assert_eq!(earliest(r#""forecast_errors": 20"#), None);
}

#[test]
fn a_slope_within_fewer_errors_is_a_trend() {
    let swing = |t: i32| if t % 2 == 0 { 0.06 } else { -0.06 };
    let rows = rows((0..40).map(|t| 4.0 + 0.01 * f64::from(t) + swing(t)));
    assert!(!without_change(&rows).phases.contains(&Some(Phase::Sharpening)));
    let phases = with(r#""trend_errors": 0.1"#, &rows).phases;
    assert!(phases.contains(&Some(Phase::Sharpening)));
}

#[test]
fn a_baseline_needs_as_many_losses_as_the_settings_say() {
    let curve: Vec<(usize, f64)> =
        [1.01, 0.99, 1.01, 0.99, 3.0, 1.0, 1.0, 1.0].into_iter().enumerate().collect();
    let found = |spike_window_least| {
        spikes(&curve, &SpikeSettings { spike_window_least, ..SpikeSettings::default() })
    };
    assert_eq!(found(4).iter().map(|spike| spike.start).collect::<Vec<_>>(), [4]);
    assert_eq!(found(6), []);
}

/// A spike from step 12 to 15; before it the sharpness has only just risen.
#[test]
fn the_sharpness_before_a_spike_is_that_of_so_many_rows() {
    let sharpness = [vec![5.0; 9], vec![9.0; 7], vec![6.0; 12]].concat();
    let mut rows = rows(sharpness);
    for (step, row) in rows.iter_mut().enumerate() {
        row.train_loss = Some(if (12..16).contains(&step) { 3.0 } else { 1.0 });
    }
    assert_eq!(of_kind(&without_change(&rows).events, "catapult").len(), 1);
    let many = with(r#""catapult_rows": 12"#, &rows);
    assert_eq!(of_kind(&many.events, "loss_spike").len(), 1);
    assert!(of_kind(&many.events, "catapult").is_empty());
}

fn feature(signal: &Signal, name: &str) -> f64 {
    signal.features[FEATURES.iter().position(|known| *known == name).unwrap()]
}

#[test]
fn the_more_scatter_is_let_pass_the_more_growth_counts_as_coherent() {
    let mut rows = oscillation([12.0; 60], 1e-7, 1.0);
    for row in rows.iter_mut().filter(|row| row.step % 2 == 0) {
        row.gradient_alignment = row.gradient_alignment.map(|alignment| 0.7 * alignment);
    }
    let coherent = |change: &str| -> f64 {
        with(change, &rows).signals.iter().map(|signal| feature(signal, "coherent")).sum()
    };
    let (strict, lax) =
        (coherent(r#""coherent_scatter": 0.05"#), coherent(r#""coherent_scatter": 5"#));
    assert!(strict > 0.0 && lax > 4.0 * strict, "{strict} and {lax}");
}

#[test]
fn the_steps_until_an_oscillation_is_visible_are_counted_over_so_many_horizons() {
    let rows = oscillation([12.0; 10], 1e-7, 1.0);
    let first = without_change(&rows).signals[0].in_steps.unwrap();
    assert!((41..=60).contains(&first), "{first}");
    assert_eq!(with(r#""visible_horizons": 2"#, &rows).signals[0].in_steps, None);
}

/// A single row at which the component all but vanishes.
#[test]
fn a_dip_shorter_than_the_settings_say_is_no_least() {
    let mut rows = oscillation([12.0; 10], 1e-4, 1.0);
    rows[8].gradient_alignment = rows[8].gradient_alignment.map(|alignment| 1e-3 * alignment);
    let build_up = |change: &str| feature(&with(change, &rows).signals[9], "build_up");
    let (kept, dipped) = (build_up(""), build_up(r#""build_up_rows": 1"#));
    assert!(dipped > kept + 0.5, "{dipped} and {kept}");
}

/// A plateau from which the loss falls by 0.3% over its 30 rows: more than lets it begin.
#[test]
fn a_plateau_ends_at_so_many_times_the_change_that_lets_it_begin() {
    let mut rows = rows([5.0; 80]);
    for (step, row) in rows.iter_mut().enumerate() {
        let fallen = step.saturating_sub(39) as f64;
        row.train_loss = Some(0.5 * (1.0 - 1e-4 * fallen));
    }
    let last = |replay: Replay| *replay.phases.last().unwrap();
    assert_eq!(last(without_change(&rows)), Some(Phase::Flat));
    assert_eq!(last(with(r#""plateau_end_factor": 1"#, &rows)), Some(Phase::Stable));
}
