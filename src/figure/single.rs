//! The run's picture, `sharpness.svg` and `sharpness.png`.

use plotters::prelude::*;

use super::axis::small;
use super::canvas::{Canvas, Dash, Pen, printable};
use super::palette::{BLUE, GREEN, PURPLE, VERMILLION, pale};
use super::panel::{Panel, TITLE, stack};
use super::range::{ends, from_zero, padded, with_zero};
use super::series::{Line, Point, Role, Steps, bars, column, quantile, top, unconverged};
use super::{Picture, headline, png, svg};
use crate::error::Result;
use crate::record::StepRow;

/// What the figure's labels say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureLabels {
    /// The headline.
    pub title: String,
    /// The threshold's formula, such as `2/η`.
    pub threshold: String,
}

/// The figure as the text of an SVG file.
pub fn to_svg(rows: &[StepRow], labels: &FigureLabels) -> Result<String> {
    svg(&Single { rows, labels })
}

/// The figure as the bytes of a PNG file of 1600 x 1200 pixels.
pub fn to_png(rows: &[StepRow], labels: &FigureLabels) -> Result<Vec<u8>> {
    png(&Single { rows, labels })
}

struct Single<'a> {
    rows: &'a [StepRow],
    labels: &'a FigureLabels,
}

impl Picture for Single<'_> {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.labels.title)?;
        let steps = Steps::of(self.rows.iter().map(|row| row.step));
        let panels = panels(self.rows, steps, &self.labels.threshold);
        let shares: &[f64] = match panels.len() {
            2 => &[0.42, 0.58],
            3 => &[0.3, 0.35, 0.35],
            _ => &[0.24, 0.26, 0.26, 0.24],
        };
        stack(canvas, &panels, shares, steps, TITLE)
    }
}

/// From top to bottom.
fn panels(rows: &[StepRow], steps: Steps, threshold: &str) -> Vec<Panel> {
    let loss = Panel {
        lines: vec![
            Line::new("training loss", column(rows, |r| r.train_loss), Pen::solid(BLUE, 1.6)),
            Line::new("validation loss", column(rows, |r| r.val_loss), Pen::solid(VERMILLION, 1.6)),
        ],
        ..Panel::new("loss")
    };
    let curvature = |axis| Panel { shaded: unconverged(rows, steps), ..Panel::new(axis) };
    let threshold = Line {
        role: Role::Threshold,
        ..Line::new(
            format!("threshold ({})", printable(threshold)),
            column(rows, |r| r.threshold),
            Pen::dashed(BLACK, 1.7, Dash::SHORT),
        )
    };
    let mut hessian = Panel {
        lines: eigenvalues(rows, column(rows, top)),
        bars: bars(rows, steps, top),
        ..curvature("sharpness")
    };
    let mut all = vec![loss];
    // The threshold belongs to the preconditioned Hessian where that was measured.
    let preconditioned = column(rows, |r| r.preconditioned_sharpness);
    if preconditioned.is_empty() {
        hessian.lines.push(threshold);
    } else {
        hessian.axis = "Hessian eigenvalues";
        let name = "preconditioned sharpness";
        all.push(Panel {
            lines: vec![Line::new(name, preconditioned, Pen::solid(BLUE, 1.6)), threshold],
            bars: bars(rows, steps, |r| r.preconditioned_sharpness),
            ..curvature(name)
        });
    }
    all.push(hessian);
    all.extend(ratios(rows, steps));
    for (i, panel) in all.iter_mut().enumerate() {
        panel.lines.retain(|line| !line.points.is_empty());
        choose_range(panel, i > 0);
    }
    all
}

/// What is 1 at the edge, where the realized ratio was measured.
fn ratios(rows: &[StepRow], steps: Steps) -> Option<Panel> {
    let realized = column(rows, |r| r.realized_ratio);
    if realized.is_empty() {
        return None;
    }
    let (from, to) = steps.shown;
    let edge = Line::new("", vec![(from, 1.0), (to, 1.0)], Pen::dashed(BLACK, 1.7, Dash::SHORT));
    let midpoint = column(rows, |r| r.realized_ratio_midpoint);
    let lines = vec![
        Line::new("realized ratio", realized, Pen::solid(VERMILLION, 1.4)),
        Line::new("at the midpoint", midpoint, Pen::solid(GREEN, 1.4)),
        Line::new("edge ratio", column(rows, |r| r.edge_ratio), Pen::solid(BLUE, 1.4)),
        Line { role: Role::Threshold, ..edge },
    ];
    Some(Panel { lines, ..Panel::new("ratio to the edge") })
}

fn eigenvalues(rows: &[StepRow], top: Vec<Point>) -> Vec<Line> {
    let count = rows.iter().map(|r| r.lambda.len()).max().unwrap_or(0);
    let mut lines = vec![Line::new("sharpness λ₁", top, Pen::solid(BLUE, 1.6))];
    for k in 1..count {
        let label = match (k, count) {
            (1, 2) => "λ₂".to_string(),
            (1, _) => format!("λ₂–λ{}", small(count as i32, "₀₁₂₃₄₅₆₇₈₉")),
            _ => String::new(),
        };
        let paler = pale(BLUE, 0.5 - 0.25 * (k - 1) as f64 / count as f64);
        let points = column(rows, |r| r.lambda.get(k).copied());
        // Many lines may be less detailed, so that the SVG stays small.
        let coarseness = (count as f64 / 12.0).max(1.0);
        lines.push(Line { coarseness, ..Line::new(label, points, Pen::solid(paler, 1.1)) });
    }
    let batch = column(rows, |r| r.batch_sharpness);
    lines.push(Line::new("λₘᵢₙ", column(rows, |r| r.lambda_min), Pen::solid(GREEN, 1.4)));
    lines.push(Line::new("batch sharpness", batch, Pen::solid(PURPLE, 1.4)));
    lines
}

/// Of curvature, whose zero matters, or of the loss, whose logarithms are taken where they differ
/// much.
fn choose_range(panel: &mut Panel, curvature: bool) {
    let values = panel.lines.iter().flat_map(|line| line.points.iter().map(|p| p.1));
    let (low, high) = ends(values.chain(panel.bars.iter().flat_map(|bar| [bar.1.0, bar.1.1])));
    if low > high {
        return;
    }
    if !curvature {
        if low > 0.0 && high > 3.0 * low {
            panel.take_logarithms();
            panel.range = padded(low.log10(), high.log10());
        } else {
            panel.range = padded(low, high);
        }
        return;
    }
    // The threshold's median, because learning rates near 0 send it off to infinity.
    let size = |line: &Line| {
        let share = if line.role == Role::Threshold { 0.5 } else { 0.95 };
        quantile(line.points.iter().map(|p| p.1.abs()), share)
    };
    let limit = panel.lines.iter().filter_map(size).fold(0.0, f64::max);
    let (mut from, mut to) = (low, high);
    if limit > 0.0 {
        (from, to) = (low.max(-3.0 * limit), high.min(3.0 * limit));
    }
    (from, to) = from_zero(from, to);
    if from > low || to < high {
        panel.clipped = Some(if high > to { high } else { low });
    }
    panel.range = with_zero(from, to);
}
