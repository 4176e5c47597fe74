//! Where runs end: the last sharpness against the last accuracy on validation samples.

use plotters::prelude::*;

use super::range::{Kind, Shown, Values};
use super::settings::{PALE, Setting};
use crate::error::Result;
use crate::figure::axis::{Axis, EM};
use crate::figure::canvas::{Canvas, GREY, Mark, text_width};
use crate::figure::legend::Entry;
use crate::figure::palette::{Look, pale};
use crate::figure::panel::{Frame, RIGHT, ROOM, below};
use crate::figure::range::ends as ends_of;
use crate::figure::series::{Point, column, top};
use crate::record::StepRow;

/// Draws the figure under the legend, which takes `above` layout units.
pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    settings: &[Setting],
    grouped: bool,
    above: f64,
) -> Result<()> {
    let groups = |value: fn(&StepRow) -> Option<f64>| -> Vec<Group> {
        settings.iter().map(|setting| Group::of(setting, value)).collect()
    };
    let mut all = groups(|row| row.val_accuracy);
    let (mut kind, mut name) = (Kind::Share, "final validation accuracy");
    if all.iter().all(|group| group.ends.is_empty()) {
        all = groups(|row| row.val_loss);
        (kind, name) = (Kind::Loss, "final validation loss");
    }
    let ends = || all.iter().flat_map(|group| &group.ends);
    let across = Side::of(ends().map(|end| (end.at.0, end.diverged)), Kind::Last);
    let mut up = Side::of(ends().map(|end| (end.at.1, end.diverged)), kind);
    if kind == Kind::Share {
        // No accuracy is above 1, and no label.
        up.range.1 = up.range.1.min(1.0 + 0.02 * (1.0 - up.range.0).max(0.0));
    }
    let empty = ends().next().is_none();
    let frame = Frame {
        across: if empty { Axis::bare(across.range) } else { across.axis() },
        across_name: Some("final sharpness"),
        across_log: across.shown.log,
        range: up.range,
        log: up.shown.log,
        name,
        shaded: &[],
        empty,
    };
    let plot = frame.draw(canvas, &below(canvas, above))?;
    let beyond = ends().any(|end| across.shown.hides(end.at.0) || up.shown.hides(end.at.1));
    let remark = beyond.then_some("marks at the border lie beyond it");
    plot.legend(canvas, &key(&all, grouped), remark)?;

    let mark = |at: Point, mark: Mark, look: Look| {
        canvas.mark(plot.place(&(across.coordinate(at.0), up.coordinate(at.1))), mark, look.color)
    };
    for Group { look, ends, .. } in all.iter().rev() {
        for end in ends {
            mark(end.at, if end.diverged { Mark::Cross } else { look.mark }, *look)?;
        }
    }
    for Group { look, mean, .. } in all.iter().rev() {
        mean.map_or(Ok(()), |mean| mark(mean, look.mean, *look))?;
    }
    Ok(())
}

/// Where a run ended.
struct End {
    at: Point,
    diverged: bool,
}

/// The runs of a setting.
struct Group {
    look: Look,
    ends: Vec<End>,
    /// Of those that did not diverge, where there are several.
    mean: Option<Point>,
}

impl Group {
    fn of(setting: &Setting, value: fn(&StepRow) -> Option<f64>) -> Self {
        let last = |rows: &[StepRow], value: fn(&StepRow) -> Option<f64>| {
            column(rows, value).last().map(|point| point.1)
        };
        let end = |rows: &[StepRow]| Some((last(rows, top)?, last(rows, value)?));
        let ends: Vec<End> = setting
            .runs
            .iter()
            .filter_map(|run| Some(End { at: end(&run.rows)?, diverged: run.diverged }))
            .collect();
        let usual: Vec<Point> = ends.iter().filter(|e| !e.diverged).map(|e| e.at).collect();
        let mean = |part: fn(&Point) -> f64| {
            let mean = usual.iter().map(|point| part(point) / usual.len() as f64).sum::<f64>();
            // Rounding does not lead out of their range.
            let (low, high) = ends_of(usual.iter().map(part));
            mean.max(low).min(high)
        };
        let mean = (usual.len() > 1).then(|| (mean(|point| point.0), mean(|point| point.1)));
        Self { look: setting.look, ends, mean }
    }
}

/// What marks stand for.
fn key(groups: &[Group], grouped: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    let diverged = groups.iter().flat_map(|group| &group.ends).any(|end| end.diverged);
    if groups.iter().any(|group| group.mean.is_some()) {
        let each = if grouped { "each run" } else { "each seed" };
        entries.push(Entry::mark(each, Mark::Dot, pale(GREY, PALE + 0.2)));
        let name = match (diverged, grouped) {
            (true, _) => "mean of those that did not diverge",
            (false, true) => "mean over runs",
            (false, false) => "mean over seeds",
        };
        entries.push(Entry::mark(name, Mark::Ring, GREY));
    }
    if diverged {
        entries.push(Entry::mark("diverged", Mark::Cross, GREY));
    }
    entries
}

/// An axis.
struct Side {
    shown: Shown,
    range: Point,
}

impl Side {
    /// For values, each with whether its run diverged.
    fn of(values: impl Iterator<Item = (f64, bool)> + Clone, kind: Kind) -> Self {
        let mut usual: Vec<_> =
            values.clone().filter(|(_, diverged)| !diverged).map(|(v, _)| Values::one(v)).collect();
        if usual.is_empty() {
            usual = values.map(|(value, _)| Values::one(value)).collect();
        }
        let nothing = Shown { log: false, ends: (0.0, 1.0) };
        let shown = Shown::of(&usual, kind).unwrap_or(nothing);
        Self { shown, range: shown.range(kind) }
    }

    /// The axis with as many labels as fit below it.
    fn axis(&self) -> Axis {
        let widest =
            |axis: &Axis| axis.labels().map(|text| text_width(text, EM)).fold(0.0, f64::max);
        let fits = |axis: &Axis| axis.labels().count() as f64 * (widest(axis) + 16.0) <= ROOM;
        let axis = match self.shown.log {
            true => Axis::log(self.range),
            false => {
                let axes = [10.0, 6.0, 4.0].map(|count| Axis::linear(self.range, count, 0.0));
                let first = axes.iter().position(fits).unwrap_or(axes.len() - 1);
                axes[first].clone()
            }
        };
        axis.uncut(ROOM, RIGHT)
    }

    /// Where a value is marked: at the end of the axis if it lies beyond.
    fn coordinate(&self, value: f64) -> f64 {
        let (from, to) = self.range;
        match self.shown.ends {
            (low, _) if value < low => from,
            (_, high) if value > high => to,
            _ if self.shown.log => value.log10(),
            _ => value,
        }
    }
}
