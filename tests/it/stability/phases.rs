//! The phase at each row of series with known answers.

use sharpscope::record::StepRow;
use sharpscope::stability::Phase;

use super::{Replay, losses, row, rows, watch};

fn phases(rows: &[StepRow]) -> Vec<Phase> {
    let Replay { phases, .. } = watch(rows);
    phases.into_iter().map(|phase| phase.expect("something is known at each row")).collect()
}

#[test]
fn a_rising_sharpness_below_the_edge_is_sharpening() {
    let phases = phases(&rows((0..40).map(|t| 4.0 + 0.1 * f64::from(t))));
    // Two points make no trend.
    assert_eq!(phases[..2], [Phase::Stable; 2]);
    assert_eq!(phases[2..], [Phase::Sharpening; 38]);
}

#[test]
fn a_constant_or_falling_sharpness_below_the_edge_is_stable() {
    assert_eq!(phases(&rows([5.0; 30])), [Phase::Stable; 30]);
    assert_eq!(phases(&rows((0..30).map(|t| 8.0 - 0.1 * f64::from(t)))), [Phase::Stable; 30]);
}

/// Swinging by 4% about 5 is no trend.
#[test]
fn scatter_is_not_sharpening() {
    let swings = (0..40).map(|t| if t % 2 == 0 { 4.9 } else { 5.1 });
    assert_eq!(phases(&rows(swings)), [Phase::Stable; 40]);
}

#[test]
fn the_edge_is_kept_while_the_ratio_swings_about_one() {
    let swings = (0..20).map(|t| if t % 2 == 0 { 10.2 } else { 9.3 });
    assert_eq!(phases(&rows(swings)), [Phase::Edge; 20]);
    // From below, 9.3 is not the edge.
    assert_eq!(phases(&rows([9.3; 20])), [Phase::Stable; 20]);
    let mut left = vec![10.2];
    left.extend([8.9; 20]);
    assert_eq!(phases(&rows(left))[1..], [Phase::Stable; 20]);
}

#[test]
fn far_beyond_the_edge_is_unstable_until_clearly_nearer() {
    let phases = phases(&rows([10.0, 14.9, 15.1, 13.0, 12.1, 11.9, 13.0]));
    let (edge, unstable) = (Phase::Edge, Phase::Unstable);
    assert_eq!(phases, [edge, edge, unstable, unstable, unstable, edge, edge]);
}

#[test]
fn a_spike_is_unstable_whatever_the_sharpness() {
    let mut rows = rows([5.0; 30]);
    for (step, height) in [(20, 2.0), (21, 3.0), (22, 2.0)] {
        rows[step].train_loss = Some(height);
    }
    let phases = phases(&rows);
    assert_eq!(phases[19], Phase::Stable);
    // The calm has to hold for three losses.
    assert_eq!(phases[20..25], [Phase::Unstable; 5]);
    assert_eq!(phases[25], Phase::Stable);
}

#[test]
fn a_loss_that_stands_still_is_flat() {
    let mut rows = rows([5.0; 80]);
    for row in &mut rows[40..] {
        row.train_loss = Some(0.5);
    }
    let phases = phases(&rows);
    // The plateau has 30 losses.
    assert_eq!(phases[68], Phase::Stable);
    assert_eq!(phases[69..], [Phase::Flat; 11]);
}

#[test]
fn at_rows_without_curvature_the_latest_holds() {
    let mut rows = rows([10.5; 12]);
    for row in rows.iter_mut().filter(|row| row.step % 4 != 0) {
        *row = StepRow { step: row.step, train_loss: row.train_loss, ..StepRow::default() };
    }
    assert_eq!(phases(&rows), [Phase::Edge; 12]);
}

#[test]
fn nothing_is_said_before_anything_is_known() {
    let phases = watch(&losses([1.0, 0.9, 0.8])).phases;
    assert_eq!(phases, [None; 3]);
    assert_eq!(watch(&[StepRow::default()]).phases, [None]);
    assert_eq!(watch(&[row(0, 12.0)]).phases, [Some(Phase::Edge)]);
    assert_eq!(watch(&[]), Replay::default());
}

/// Without a threshold there is no edge, but a trend.
#[test]
fn an_optimizer_without_a_threshold_has_phases_too() {
    let mut rows = rows((0..20).map(|t| 4.0 + f64::from(t)));
    for row in &mut rows {
        (row.threshold, row.edge_ratio) = (None, None);
    }
    assert_eq!(phases(&rows)[3..], [Phase::Sharpening; 17]);
}

#[test]
fn names_are_those_of_the_column() {
    for phase in [Phase::Sharpening, Phase::Edge, Phase::Unstable, Phase::Stable, Phase::Flat] {
        assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
    }
}
