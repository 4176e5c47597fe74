//! The settings compared, with their runs.

use std::collections::BTreeMap;

use super::{ComparedRun, ComparisonFigure, ComparisonFigures};
use crate::figure::canvas::{Pen, printable};
use crate::figure::legend::Entry;
use crate::figure::palette::{Look, pale};
use crate::figure::series::{Line, Point, Role, column};
use crate::record::StepRow;

/// The widths of a single run, of one of several, and of their median.
pub(super) const ALONE: f64 = 1.6;
pub(super) const SEED: f64 = 0.9;
pub(super) const MEDIAN: f64 = 2.2;
/// What is left of a colour in one of several runs.
pub(super) const PALE: f64 = 0.42;

/// A setting and its runs.
pub(super) struct Setting<'a> {
    name: &'a str,
    /// How it looks.
    pub(super) look: Look,
    /// Its runs, in order of their seeds.
    pub(super) runs: Vec<&'a ComparedRun>,
}

impl<'a> Setting<'a> {
    /// All of them, in order.
    pub(super) fn of(figures: &'a ComparisonFigures) -> Vec<Self> {
        let setting = |(i, name): (usize, &'a String)| {
            let mut runs: Vec<_> = figures.runs.iter().filter(|run| run.setting == i).collect();
            runs.sort_by_key(|run| run.seed);
            Self { name, look: Look::of(i), runs }
        };
        figures.settings.iter().enumerate().map(setting).collect()
    }

    /// Its name in the legend, with what explains that the figure lacks something.
    pub(super) fn entry(&self, figure: ComparisonFigure) -> Entry {
        let mut remarks = Vec::new();
        let has_threshold = self.rows().any(|row| row.threshold.is_some());
        let compares = matches!(figure, ComparisonFigure::Sharpness | ComparisonFigure::EdgeRatio);
        if self.rows().next().is_none() {
            remarks.push("no data".to_string());
        } else if compares && !has_threshold {
            remarks.push("no known threshold".to_string());
        }
        match (self.runs.iter().filter(|run| run.diverged).count(), self.runs.len()) {
            (0, _) => {}
            (count, all) if count == all => remarks.push("diverged".to_string()),
            (count, all) => remarks.push(format!("{count} of {all} diverged")),
        }
        let mut text = printable(self.name);
        if !remarks.is_empty() {
            text = format!("{text} ({})", remarks.join(", "));
        }
        match figure {
            ComparisonFigure::SharpnessAccuracy => {
                Entry::mark(text, self.look.mark, self.look.color)
            }
            _ => Entry::line(text, self.pen(MEDIAN), false),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &StepRow> {
        self.runs.iter().flat_map(|run| &run.rows)
    }

    fn pen(&self, width: f64) -> Pen {
        Pen { dash: self.look.dash, ..Pen::solid(self.look.color, width) }
    }

    /// Whether its threshold bounds another operator than the Hessian.
    pub(super) fn is_preconditioned(&self) -> bool {
        self.rows().any(|row| row.preconditioned_sharpness.is_some())
    }

    /// A quantity: the line of its only run; or that of each run, with their median in front.
    pub(super) fn lines(&self, value: impl Fn(&StepRow) -> Option<f64>) -> Vec<Line> {
        let line = |role, pen, points| Line { role, ..Line::new("", points, pen) };
        let columns = self.columns(value);
        if let [_] = columns[..] {
            let alone = |(points, diverged)| Line {
                outlying: diverged,
                ..line(Role::Measured, self.pen(ALONE), points)
            };
            return columns.into_iter().map(alone).collect();
        }
        let middle = median(&columns, columns.len() / 2 + 1);
        let pen = Pen { color: pale(self.look.color, PALE), ..self.pen(SEED) };
        let seeds = columns
            .into_iter()
            .map(|(points, diverged)| Line { outlying: diverged, ..line(Role::Seed, pen, points) });
        let middle = Line { outlying: true, ..line(Role::Measured, self.pen(MEDIAN), middle) };
        seeds.chain([middle]).filter(|line| !line.points.is_empty()).collect()
    }

    /// The median of its runs' thresholds, and whether these differ; empty where nothing was
    /// measured that they bound.
    pub(super) fn threshold(&self) -> (Vec<Point>, bool) {
        if self.rows().all(|row| row.operator_sharpness().is_none()) {
            return (Vec::new(), false);
        }
        let columns = self.columns(|row| row.threshold);
        let middle = median(&columns, 1);
        let at_step: BTreeMap<u64, f64> = middle.iter().map(|p| (p.0 as u64, p.1)).collect();
        let mut all = columns.iter().flat_map(|(points, _)| points);
        let differ = all.any(|p| at_step.get(&(p.0 as u64)).is_some_and(|value| *value != p.1));
        (middle, differ)
    }

    /// What each run measured; runs without a value are left out.
    fn columns(&self, value: impl Fn(&StepRow) -> Option<f64>) -> Vec<Column> {
        let columns = self.runs.iter().map(|run| (column(&run.rows, &value), run.diverged));
        columns.filter(|(points, _)| !points.is_empty()).collect()
    }
}

/// What a run measured, and whether it diverged.
pub(in crate::figure) type Column = (Vec<Point>, bool);

/// The median at each step where at least so many runs have a value; where many have ended, it
/// would jump.
pub(in crate::figure) fn median(columns: &[Column], least: usize) -> Vec<Point> {
    let mut values: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (step, value) in columns.iter().flat_map(|(points, _)| points) {
        values.entry(*step as u64).or_default().push(*value);
    }
    values.retain(|_, at_step| at_step.len() >= least);
    let middle = |(step, mut at_step): (u64, Vec<f64>)| {
        at_step.sort_by(f64::total_cmp);
        let half = at_step.len() / 2;
        let value = match at_step.len() % 2 {
            0 => 0.5 * at_step[half - 1] + 0.5 * at_step[half],
            _ => at_step[half],
        };
        (step as f64, value)
    };
    values.into_iter().map(middle).collect()
}
