//! The summary, gathered row by row.

use crate::record::{Event, EventKind, ExitStatus, StepRow, Summary};
use crate::stability::at_edge;

/// Gathers a [`Summary`] from rows and events.
#[derive(Debug, Clone, Default)]
pub struct SummaryBuilder {
    summary: Summary,
    rows_with_ratio: usize,
    rows_at_edge: usize,
    rows_with_realized: usize,
    rows_realized_above: usize,
}

impl SummaryBuilder {
    /// Takes in a row.
    pub fn row(&mut self, row: &StepRow) {
        let s = &mut self.summary;
        s.steps += 1;
        keep_last(&mut s.final_train_loss, row.train_loss);
        keep_last(&mut s.final_train_accuracy, row.train_accuracy);
        keep_last(&mut s.final_val_loss, row.val_loss);
        keep_last(&mut s.final_val_accuracy, row.val_accuracy);
        keep_last(&mut s.final_sharpness, row.sharpness);
        keep_last(&mut s.final_threshold, row.threshold);
        keep_last(&mut s.final_edge_ratio, row.edge_ratio);
        if let Some(loss) = row.train_loss.filter(|loss| loss.is_finite()) {
            s.min_train_loss = Some(s.min_train_loss.map_or(loss, |least| least.min(loss)));
        }
        if let Some(sharpness) = row.sharpness {
            s.initial_sharpness.get_or_insert(sharpness);
            if s.peak_sharpness.is_none_or(|peak| sharpness > peak) {
                s.peak_sharpness = Some(sharpness);
                s.peak_sharpness_step = Some(row.step);
            }
        }
        keep_last(&mut s.final_preconditioned_sharpness, row.preconditioned_sharpness);
        if let Some(sharpness) = row.preconditioned_sharpness {
            let peak = s.peak_preconditioned_sharpness.map_or(sharpness, |p| p.max(sharpness));
            s.peak_preconditioned_sharpness = Some(peak);
        }
        if let Some(ratio) = row.edge_ratio {
            self.rows_with_ratio += 1;
            self.rows_at_edge += usize::from(at_edge(ratio));
            s.share_at_edge = Some(self.rows_at_edge as f64 / self.rows_with_ratio as f64);
        }
        keep_last(&mut s.final_realized_ratio, row.realized_ratio);
        if let Some(ratio) = row.realized_ratio {
            self.rows_with_realized += 1;
            self.rows_realized_above += usize::from(ratio >= 1.0);
            let share = self.rows_realized_above as f64 / self.rows_with_realized as f64;
            s.share_realized_above = Some(share);
        }
        s.ascents += usize::from(row.step_is_ascent == Some(true));
        if let Some(residual) = row.residual {
            s.max_residual = Some(s.max_residual.map_or(residual, |most| most.max(residual)));
        }
        if let Some(converged) = row.converged {
            s.curvature_rows += 1;
            s.unconverged_rows += usize::from(!converged);
        }
        s.hvps += row.hvps;
        s.training_seconds += row.step_ms / 1e3;
        s.curvature_seconds += row.curvature_ms.unwrap_or(0.0) / 1e3;
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event) {
        *self.summary.events.entry(event.kind.name().to_string()).or_insert(0) += 1;
        if let EventKind::EdgeEntered { .. } = event.kind {
            self.summary.first_step_at_edge.get_or_insert(event.step);
        }
    }

    /// Takes in what a test gave at the end.
    pub fn tested(&mut self, loss: f64, accuracy: Option<f64>) {
        self.summary.test_loss = Some(loss);
        self.summary.test_accuracy = accuracy;
    }

    /// The summary of a run that ended so, after `total` seconds.
    pub fn finish(mut self, status: ExitStatus, total: f64) -> Summary {
        self.summary.status = status;
        self.summary.total_seconds = total;
        self.summary
    }
}

fn keep_last(kept: &mut Option<f64>, new: Option<f64>) {
    if new.is_some() {
        *kept = new;
    }
}
