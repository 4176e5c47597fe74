//! Many runs as a few lines: quantiles over the runs of a group, step by step.

use super::{ComparedRun, ComparisonFigures};
use crate::figure::series::quantile;
use crate::record::StepRow;

/// Steps at which quantiles are taken, at most.
const SLOTS: usize = 128;
/// Which, of the runs of a group that have a value; the middle one is drawn in front.
pub(super) const SHARES: [f64; 3] = [0.1, 0.5, 0.9];

/// A column of the pictures.
type Quantity = (fn(&StepRow) -> Option<f64>, fn(&mut StepRow, Option<f64>));

const QUANTITIES: [Quantity; 7] = [
    (|row| row.sharpness.or(row.lambda.first().copied()), |row, x| row.sharpness = x),
    (|row| row.preconditioned_sharpness, |row, x| row.preconditioned_sharpness = x),
    (|row| row.threshold, |row, x| row.threshold = x),
    (|row| row.edge_ratio, |row, x| row.edge_ratio = x),
    (|row| row.realized_ratio, |row, x| row.realized_ratio = x),
    (|row| row.train_loss, |row, x| row.train_loss = x),
    (|row| row.val_loss, |row, x| row.val_loss = x),
];

/// Gathers runs, of each of which it keeps at most 128 values of each quantity, and its end.
#[derive(Debug, Clone)]
pub struct Quantiles {
    title: String,
    groups: Vec<Group>,
    /// Between two steps at which quantiles are taken.
    stride: usize,
    ends: Vec<ComparedRun>,
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    runs: usize,
    diverged: usize,
    /// For each step that is taken, and each quantity, the values of the runs.
    values: Vec<[Vec<f32>; QUANTITIES.len()]>,
}

impl Quantiles {
    /// Of groups with these names, whose runs are of so many steps and measured each `every` steps.
    pub fn new(title: String, groups: Vec<String>, steps: usize, every: usize) -> Self {
        let every = every.max(1);
        let stride = every * steps.div_ceil(every).div_ceil(SLOTS).max(1);
        let slots = steps.div_ceil(stride);
        let values = vec![<[Vec<f32>; QUANTITIES.len()]>::default(); slots];
        let group = |name| Group { name, runs: 0, diverged: 0, values: values.clone() };
        Self { title, groups: groups.into_iter().map(group).collect(), stride, ends: Vec::new() }
    }

    /// Adds a run, `setting` being its group. One that diverged is counted, and no part of the quantiles.
    pub fn take(&mut self, setting: usize, seed: u64, diverged: bool, rows: &[StepRow]) {
        let Some(group) = self.groups.get_mut(setting) else { return };
        group.runs += 1;
        self.ends.push(ComparedRun { setting, seed, diverged, rows: vec![end(rows)] });
        if diverged {
            group.diverged += 1;
            return;
        }
        for row in rows.iter().filter(|row| row.step.is_multiple_of(self.stride)) {
            let Some(slot) = group.values.get_mut(row.step / self.stride) else { continue };
            for (values, (value, _)) in slot.iter_mut().zip(QUANTITIES) {
                values.extend(value(row).filter(|x| x.is_finite()).map(|x| x as f32));
            }
        }
    }

    /// The quantiles, as runs of the groups, for what is drawn over the steps; and the ends of all runs.
    pub fn figures(self) -> (ComparisonFigures, ComparisonFigures) {
        let name = |group: &Group| match group.diverged {
            0 => format!("{} ({} runs)", group.name, group.runs),
            diverged => format!("{} ({} runs, {diverged} diverged)", group.name, group.runs),
        };
        let names: Vec<String> = self.groups.iter().map(name).collect();
        let mut runs = Vec::new();
        for (setting, group) in self.groups.into_iter().enumerate() {
            for (seed, share) in SHARES.into_iter().enumerate() {
                let slots = group.values.iter().enumerate();
                let rows = slots.map(|(slot, values)| row(slot * self.stride, values, share));
                let rows = rows.collect();
                runs.push(ComparedRun { setting, seed: seed as u64, diverged: false, rows });
            }
        }
        let title = self.title;
        let ends = ComparisonFigures {
            title: title.clone(),
            settings: names.clone(),
            runs: self.ends,
            quantiles: false,
        };
        (ComparisonFigures { title, settings: names, runs, quantiles: true }, ends)
    }
}

fn row(step: usize, values: &[Vec<f32>; QUANTITIES.len()], share: f64) -> StepRow {
    let mut row = StepRow { step, ..StepRow::default() };
    for (values, (_, set)) in values.iter().zip(QUANTITIES) {
        set(&mut row, quantile(values.iter().map(|&x| f64::from(x)), share));
    }
    row
}

/// The last values of a run, in one row.
fn end(rows: &[StepRow]) -> StepRow {
    let last = |value: fn(&StepRow) -> Option<f64>| rows.iter().rev().find_map(value);
    StepRow {
        step: rows.last().map_or(0, |row| row.step),
        sharpness: last(QUANTITIES[0].0),
        val_loss: last(|row| row.val_loss),
        val_accuracy: last(|row| row.val_accuracy),
        ..StepRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hundred runs whose loss is their number times the step.
    #[test]
    fn quantiles_are_those_of_the_runs_that_did_not_diverge() {
        let mut gathered = Quantiles::new("t".to_string(), vec!["a".to_string()], 300, 2);
        for number in 0..=101_u64 {
            let value = |step: usize| number as f64 * step as f64;
            let row = |step| StepRow { step, train_loss: Some(value(step)), ..Default::default() };
            let rows: Vec<StepRow> = (0..300).map(row).collect();
            gathered.take(0, number, number == 101, &rows);
        }
        let (figures, ends) = gathered.figures();
        assert_eq!(figures.settings, ["a (102 runs, 1 diverged)"]);
        assert_eq!((figures.runs.len(), ends.runs.len()), (3, 102));
        for (run, share) in figures.runs.iter().zip([10.0, 50.0, 90.0]) {
            // 150 measured steps are too many: each other one is taken.
            let steps: Vec<usize> = run.rows.iter().map(|row| row.step).collect();
            assert_eq!(steps, (0..300).step_by(4).collect::<Vec<_>>());
            for row in &run.rows {
                assert_eq!(row.train_loss, Some(share * row.step as f64));
            }
        }
        assert_eq!(ends.runs[7].rows.len(), 1);
        assert_eq!(ends.runs[7].rows[0].step, 299);
    }
}
