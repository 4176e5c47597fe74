//! Whether the followed modes are those that training moves along.

use sharpscope::record::{EventKind, StepRow};

use super::{of_kind, row, watch};

/// A step of which the first of two modes holds this share of the curvature, which is 4.
fn moved(step: usize, share: f64, realized_ratio: f64) -> StepRow {
    StepRow {
        realized_ratio: Some(realized_ratio),
        step_curvature: Some(4.0),
        step_component: vec![-(4.0 * share / 8.0).sqrt()],
        ..row(step, 8.0)
    }
}

#[test]
fn updates_along_other_directions_are_told_of_once() {
    let shares = [0.9, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2];
    let rows: Vec<StepRow> =
        shares.iter().enumerate().map(|(step, share)| moved(step, *share, 1.2)).collect();
    let told = watch(&rows).events;
    let told = of_kind(&told, "too_few_followed");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].step, 5);
    let EventKind::TooFewFollowed { followed, followed_share, .. } = told[0].kind else {
        panic!("{told:?}")
    };
    assert_eq!(followed, 1);
    assert!((followed_share - 0.2).abs() < 1e-12);
}

#[test]
fn it_is_told_again_only_after_the_modes_were_enough() {
    let share = |step: usize| if (10..20).contains(&step) { 0.9 } else { 0.2 };
    let rows: Vec<StepRow> = (0..30).map(|step| moved(step, share(step), 1.2)).collect();
    let steps: Vec<usize> =
        of_kind(&watch(&rows).events, "too_few_followed").iter().map(|e| e.step).collect();
    assert_eq!(steps, [3, 23]);
}

/// Below the realized edge, with minibatches, and where nothing is known of the step.
#[test]
fn where_it_says_nothing_it_is_not_told() {
    let quiet = |change: fn(&mut StepRow)| {
        let mut rows: Vec<StepRow> = (0..20).map(|step| moved(step, 0.2, 1.2)).collect();
        rows.iter_mut().for_each(change);
        assert!(of_kind(&watch(&rows).events, "too_few_followed").is_empty());
    };
    quiet(|row| row.realized_ratio = Some(0.9));
    quiet(|row| row.batch_grad_norm = Some(1.0));
    quiet(|row| row.step_component.clear());
    quiet(|row| row.step_curvature = Some(-4.0));
    quiet(|row| row.step_curvature = None);
    // The operator's own eigenvalue counts where there is a preconditioner: here all of the curvature.
    quiet(|row| row.preconditioned_sharpness = Some(40.0));
}
