//! The summary of rows and events.

use sharpscope::profile::SummaryBuilder;
use sharpscope::record::{ExitStatus, StepRow};
use sharpscope::stability::{Monitor, StabilitySettings};

use super::{TOLERANCE, row};

#[test]
fn the_summary_is_that_of_the_rows() {
    let mut builder = SummaryBuilder::default();
    let mut monitor = Monitor::new(&StabilitySettings::default(), TOLERANCE);
    let series = [(0, Some(3.0), 5.0), (1, None, 4.0), (2, Some(12.0), 6.0), (3, Some(11.0), 2.0)];
    for (step, sharpness, loss) in series {
        let mut row = match sharpness {
            Some(sharpness) => row(step, sharpness),
            None => StepRow { step, ..StepRow::default() },
        };
        row.train_loss = Some(loss);
        row.hvps = 7;
        row.step_ms = 500.0;
        builder.row(&row);
        monitor.observe(&row).events.iter().for_each(|event| builder.event(event));
    }
    let summary = builder.finish(ExitStatus::Completed, 4.0);
    assert_eq!(summary.steps, 4);
    assert_eq!(summary.initial_sharpness, Some(3.0));
    assert_eq!(summary.final_sharpness, Some(11.0));
    assert_eq!((summary.peak_sharpness, summary.peak_sharpness_step), (Some(12.0), Some(2)));
    assert_eq!(summary.first_step_at_edge, Some(2));
    assert_eq!((summary.final_train_loss, summary.min_train_loss), (Some(2.0), Some(2.0)));
    assert_eq!((summary.hvps, summary.curvature_rows, summary.unconverged_rows), (28, 3, 0));
    assert_eq!((summary.training_seconds, summary.total_seconds), (2.0, 4.0));
    assert_eq!(summary.events["edge_entered"], 1);
}
