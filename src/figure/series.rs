//! From rows to the points that are drawn: columns, gaps, decimation and clipping.

use super::canvas::Pen;
use crate::record::StepRow;

/// A step and a value.
pub(super) type Point = (f64, f64);

/// Values beyond it count as not finite, so that differences stay finite.
const LARGEST: f64 = 1e200;

/// Layout units between markers that touch.
const CLOSE: f64 = 6.0;

/// The steps that all panels show, or another quantity along the bottom axis.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// The first and last one.
    pub(super) ends: Point,
    /// What the axis shows, which is a little more.
    pub(super) shown: Point,
    /// Steps per layout unit, about.
    pub(super) unit: f64,
    /// What the axis is called.
    pub(super) name: &'static str,
    /// Between labels, at least.
    pub(super) least: f64,
}

impl Steps {
    /// The axis of these; step 0 where there are none.
    pub(super) fn of(steps: impl Iterator<Item = usize> + Clone) -> Self {
        let first = steps.clone().min().unwrap_or(0) as f64;
        let last = steps.max().unwrap_or(0) as f64;
        let margin = if last > first { 0.009 * (last - first) } else { 1.0 };
        let shown = (first - margin, last + margin);
        let unit = (shown.1 - shown.0) / 880.0;
        Self { ends: (first, last), shown, unit, name: "step", least: 1.0 }
    }

    /// Of something else than steps, from the first of `ends` to the last.
    pub(super) fn over((first, last): Point, name: &'static str) -> Self {
        let (first, last) = if first <= last { (first, last) } else { (0.0, 1.0) };
        let margin = if last > first { 0.02 * (last - first) } else { 1.0 };
        let shown = (first - margin, last + margin);
        Self { ends: (first, last), shown, unit: (shown.1 - shown.0) / 880.0, name, least: 0.0 }
    }
}

/// What a line stands for, from the back of the panel to its front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// One of several runs with the same settings.
    Seed,
    /// What the panel is about.
    Measured,
    /// What measurements are compared with.
    Threshold,
}

/// One quantity over the steps.
pub(super) struct Line {
    /// Its legend entry; empty for none.
    pub(super) label: String,
    /// In the coordinates of its panel.
    pub(super) points: Vec<Point>,
    /// What it is drawn with.
    pub(super) pen: Pen,
    /// What it stands for.
    pub(super) role: Role,
    /// Whether it is no reason to show what no other line reaches.
    pub(super) outlying: bool,
    /// The width, in layout units, of the columns it is reduced to.
    pub(super) coarseness: f64,
}

impl Line {
    /// A measurement in full detail.
    pub(super) fn new(label: impl Into<String>, points: Vec<Point>, pen: Pen) -> Self {
        let (label, role) = (label.into(), Role::Measured);
        Self { label, points, pen, role, outlying: false, coarseness: 1.0 }
    }

    /// Whether each of its points gets a marker.
    pub(super) fn marked(&self) -> bool {
        self.points.len() <= 60 && self.role == Role::Measured
    }

    /// What to stroke, within the range, and where to put markers.
    pub(super) fn shapes(&self, steps: Steps, range: Point) -> (Vec<Vec<Point>>, Vec<Point>) {
        let (mut paths, mut dots) = (Vec::new(), Vec::new());
        for run in runs(&self.points) {
            let kept = decimate(run, self.coarseness * steps.unit);
            match kept[..] {
                [(step, value)] if self.role == Role::Threshold => {
                    let ends = [-8.0, 8.0].map(|side| (step + side * steps.unit, value));
                    paths.extend(clip(&ends, range));
                }
                [point] => dots.push(point),
                _ => paths.extend(clip(&kept, range)),
            }
        }
        let run =
            self.points.last().map_or(0.0, |p| p.0) - self.points.first().map_or(0.0, |p| p.0);
        if self.marked() && run >= CLOSE * steps.unit * (self.points.len() - 1) as f64 {
            dots.clone_from(&self.points);
        }
        dots.retain(|dot| dot.1 >= range.0 && dot.1 <= range.1);
        (paths, dots)
    }
}

/// The value with this share of the others below it.
pub(super) fn quantile(values: impl Iterator<Item = f64>, share: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len().saturating_sub(1) as f64 * share).round() as usize).copied()
}

/// A step, and the ends of what the residual leaves open there.
pub(super) type Bar = (f64, Point);

/// The sharpness, also where only the spectrum was logged.
pub(super) fn top(row: &StepRow) -> Option<f64> {
    row.sharpness.or(row.lambda.first().copied())
}

fn usable(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.abs() < LARGEST)
}

/// The finite values, ordered by step.
pub(super) fn column(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Vec<Point> {
    let mut points: Vec<Point> =
        rows.iter().filter_map(|r| Some((r.step as f64, usable(value(r))?))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// Around the values that did not converge: an eigenvalue lies within the residual of each. Those
/// that would be drawn over each other are joined.
pub(super) fn bars(
    rows: &[StepRow],
    steps: Steps,
    value: impl Fn(&StepRow) -> Option<f64>,
) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    let bar = |r: &StepRow| {
        let value = usable(value(r))?;
        let half = usable(Some((usable(r.residual)? * value).abs()))?;
        Some((r.step as f64, (value - half, value + half)))
    };
    for (step, (low, high)) in rows.iter().filter(|r| r.converged == Some(false)).filter_map(bar) {
        match bars.last_mut() {
            Some((at, ends)) if step - *at < steps.unit => {
                *ends = (ends.0.min(low), ends.1.max(high));
            }
            _ => bars.push((step, (low, high))),
        }
    }
    bars
}

/// From where to where measurements did not converge: half-way to their neighbours.
pub(super) fn unconverged(rows: &[StepRow], steps: Steps) -> Vec<Point> {
    let measured = column(rows, |r| r.converged.map(|c| if c { 1.0 } else { 0.0 }));
    let mut spans: Vec<Point> = Vec::new();
    for (i, (step, converged)) in measured.iter().enumerate() {
        if *converged == 1.0 {
            continue;
        }
        let half_way = |j: usize| measured.get(j).map_or(*step, |p| (p.0 + step) / 2.0);
        let least = 1.5 * steps.unit;
        let from = i.checked_sub(1).map_or(*step, half_way).min(step - least).max(steps.shown.0);
        let to = half_way(i + 1).max(step + least).min(steps.shown.1);
        match spans.last_mut() {
            Some(last) if from <= last.1 + 0.5 * steps.unit => last.1 = to,
            _ => spans.push((from, to)),
        }
    }
    spans
}

/// Cuts where a gap is far longer than both gaps beside it: there, measurements are missing.
pub(super) fn runs(points: &[Point]) -> Vec<&[Point]> {
    let gap = |i: usize| points[i + 1].0 - points[i].0;
    let (mut all, mut begin) = (Vec::new(), 0);
    for i in 1..points.len().saturating_sub(2) {
        if gap(i) > 3.0 * gap(i - 1).max(gap(i + 1)) {
            all.push(&points[begin..=i]);
            begin = i + 1;
        }
    }
    all.push(&points[begin..]);
    all
}

/// Keeps the first, lowest, highest and last point of each column of `width`, which bounds the
/// size of the SVG.
pub(super) fn decimate(points: &[Point], width: f64) -> Vec<Point> {
    let column = |p: &Point| (p.0 / width).floor();
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let order = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let mut chosen = vec![0, group.len() - 1];
        chosen.extend((0..group.len()).min_by(order));
        chosen.extend((0..group.len()).max_by(order));
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|i| group[i]));
    }
    kept
}

/// The pieces of the path through `points` with values from `low` to `high`.
pub(super) fn clip(points: &[Point], (low, high): Point) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let ((x, y), (run, rise)) = (pair[0], (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
        let inside = y >= low && y <= high;
        let (enter, leave) = match ((low - y) / rise, (high - y) / rise) {
            _ if rise == 0.0 => (0.0, if inside { 1.0 } else { -1.0 }),
            (a, b) => (a.min(b).max(0.0), a.max(b).min(1.0)),
        };
        if enter > leave {
            continue;
        }
        let at = |share: f64| (x + share * run, y + share * rise);
        match pieces.last_mut() {
            Some(piece) if enter == 0.0 => piece.push(at(leave)),
            _ => pieces.push(vec![at(enter), at(leave)]),
        }
    }
    pieces
}
