//! A panel: one axis of values over the steps, with its lines, error bars and shading.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, small};
use super::canvas::{Canvas, GREY, Pen, SHADE, fitting, printable, px, units};
use super::series::{Bar, Line, Point, Steps, bars, column, unconverged};
use super::{failed, legend};
use crate::error::Result;
use crate::record::StepRow;

/// Layout units for the legend above a panel and for the values' labels left of it.
const LEGEND: f64 = 30.0;
const VALUES: f64 = 84.0;
/// Layout units for the steps' labels under the lowest panel.
pub(super) const STEPS: f64 = 50.0;

// Okabe and Ito's colours, which colour-blind readers can tell apart.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILLION: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const GRID: RGBColor = RGBColor(226, 226, 226);
const FAINT_GRID: RGBColor = RGBColor(243, 243, 243);

/// What a panel shows.
#[derive(Default)]
pub(super) struct Panel {
    axis: &'static str,
    /// The uppermost first.
    pub(super) lines: Vec<Line>,
    bars: Vec<Bar>,
    /// From where to where curvature did not converge.
    pub(super) shaded: Vec<Point>,
    /// Whether it shows curvature, whose zero matters, and not the loss.
    curvature: bool,
    /// Whether its values are decimal logarithms.
    log: bool,
    range: Point,
    /// The value that lies farthest outside of the range, if any.
    pub(super) clipped: Option<f64>,
}

/// From top to bottom.
pub(super) fn panels(rows: &[StepRow], steps: Steps, threshold: &str) -> Vec<Panel> {
    let loss = Panel {
        axis: "loss",
        lines: vec![
            Line::new("training loss", column(rows, |r| r.train_loss), Pen::solid(BLUE, 1.6)),
            Line::new("validation loss", column(rows, |r| r.val_loss), Pen::solid(VERMILLION, 1.6)),
        ],
        ..Panel::default()
    };
    let curvature =
        || Panel { curvature: true, shaded: unconverged(rows, steps), ..Panel::default() };
    let threshold = Line::new(
        format!("threshold ({})", printable(threshold)),
        column(rows, |r| r.threshold),
        Pen { dashed: true, ..Pen::solid(BLACK, 1.7) },
    );
    let top = |r: &StepRow| r.sharpness.or(r.lambda.first().copied());
    let mut hessian = Panel {
        axis: "sharpness",
        lines: eigenvalues(rows, column(rows, top)),
        bars: bars(rows, steps, top),
        ..curvature()
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
            axis: name,
            lines: vec![Line::new(name, preconditioned, Pen::solid(BLUE, 1.6)), threshold],
            bars: bars(rows, steps, |r| r.preconditioned_sharpness),
            ..curvature()
        });
    }
    all.push(hessian);
    for panel in &mut all {
        panel.lines.retain(|line| !line.points.is_empty());
        panel.choose_range();
    }
    all
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
        let share = 0.5 - 0.25 * (k - 1) as f64 / count as f64;
        let mix = |c: u8| (f64::from(c) * share + 255.0 * (1.0 - share)).round() as u8;
        let pale = RGBColor(mix(BLUE.0), mix(BLUE.1), mix(BLUE.2));
        let points = column(rows, |r| r.lambda.get(k).copied());
        // Many lines may be less detailed, so that the SVG stays small.
        let coarseness = (count as f64 / 12.0).max(1.0);
        lines.push(Line { coarseness, ..Line::new(label, points, Pen::solid(pale, 1.1)) });
    }
    let batch = column(rows, |r| r.batch_sharpness);
    lines.push(Line::new("λₘᵢₙ", column(rows, |r| r.lambda_min), Pen::solid(GREEN, 1.4)));
    lines.push(Line::new("batch sharpness", batch, Pen::solid(PURPLE, 1.4)));
    lines
}

impl Panel {
    /// Also takes the logarithms, where the axis is to be logarithmic.
    fn choose_range(&mut self) {
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|p| p.1));
        let (low, high) = values
            .chain(self.bars.iter().flat_map(|bar| [bar.1.0, bar.1.1]))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            self.range = (0.0, 1.0);
            return;
        }
        let (mut from, mut to) = (low, high);
        if self.curvature {
            // The threshold's median, because learning rates near 0 send it off to infinity.
            let size = |line: &Line| line.quantile(if line.pen.dashed { 0.5 } else { 0.95 });
            let limit = self.lines.iter().filter_map(size).fold(0.0, f64::max);
            if limit > 0.0 {
                (from, to) = (low.max(-3.0 * limit), high.min(3.0 * limit));
            }
            if from > 0.0 && from < 0.4 * to {
                from = 0.0;
            }
        } else if low > 0.0 && high > 3.0 * low {
            (self.log, self.axis) = (true, "loss (log scale)");
            (from, to) = (low.log10(), high.log10());
            let points = self.lines.iter_mut().flat_map(|line| &mut line.points);
            points.for_each(|point| point.1 = point.1.log10());
        }
        if self.curvature && (from > low || to < high) {
            self.clipped = Some(if high > to { high } else { low });
        }
        let margin = if to - from > 1e-9 * from.abs().max(to.abs()) {
            0.05 * (to - from)
        } else if from == 0.0 {
            1.0
        } else {
            0.1 * from.abs()
        };
        let at_zero = self.curvature && from == 0.0 && to > 0.0;
        self.range = (if at_zero { 0.0 } else { from - margin }, to + margin);
    }

    /// Fills the area; the `lowest` panel labels the steps.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        area: &DrawingArea<DB, Shift>,
        steps: Steps,
        lowest: bool,
    ) -> Result<()> {
        let below = if lowest { px(STEPS) } else { 0 };
        let (_, area) = area.split_vertically(px(LEGEND));
        let count = units(area.dim_in_pixel().1 as i32 - below) / 45.0;
        let across = Axis::linear(steps.ends, 8.0, 1.0).over(steps.shown);
        let up = match (self.lines.is_empty(), self.log) {
            (true, _) => Axis::bare(self.range),
            (false, true) => Axis::log(self.range),
            (false, false) => Axis::linear(self.range, count.max(3.0), 0.0),
        };
        let em = up.labels().map(|text| fitting(text, 13.0, VALUES - 30.0)).fold(13.0, f64::min);
        let values = canvas.font(em, HPos::Right);
        let mut chart = ChartBuilder::on(&area)
            .y_label_area_size(px(VALUES))
            .x_label_area_size(below)
            .build_cartesian_2d(across, up)
            .map_err(failed)?;
        let (low, high) = self.range;
        let shade = |span: &Point| Rectangle::new([(span.0, low), (span.1, high)], SHADE.filled());
        chart.draw_series(self.shaded.iter().map(shade)).map_err(failed)?;
        let axis = Pen::solid(GREY, 1.1);
        chart
            .configure_mesh()
            .bold_line_style(Pen::solid(GRID, 0.9).style())
            .light_line_style(Pen::solid(FAINT_GRID, 0.9).style())
            .axis_style(axis.style())
            .set_all_tick_mark_size(px(5.5))
            .x_label_style(canvas.font(13.0, HPos::Center))
            .y_label_offset(canvas.lowered(&values))
            .y_label_style(values)
            .draw()
            .map_err(failed)?;

        let plot = chart.plotting_area();
        let (columns, rows) = plot.get_pixel_range();
        let (left, right, bottom) = (columns.start, columns.end, rows.end);
        let (middle, center) = ((left + right) / 2, (rows.start + bottom) / 2);
        let font = canvas.font(15.0, HPos::Center);
        if lowest {
            canvas.text("step", (middle, bottom + px(39.0)), &font)?;
        } else {
            canvas.stroke(&[(left, bottom), (right, bottom)], axis)?;
        }
        if self.lines.is_empty() {
            canvas.text("no data", (middle, center), &font.color(&GREY))?;
        }
        let upward = font.transform(FontTransform::Rotate270);
        canvas.text(self.axis, (left - px(VALUES - 8.0), center), &upward)?;
        legend::draw(canvas, self, (left, rows.start - px(15.0)), units(right - left))?;

        let place = |point: &Point| plot.map_coordinate(point);
        let capped = self.bars.windows(2).all(|pair| pair[1].0 - pair[0].0 > 8.0 * steps.unit);
        for (step, (from, to)) in self.bars.iter().filter(|(_, b)| b.0 <= high && b.1 >= low) {
            let ends = [from.max(low), to.min(high)].map(|end| place(&(*step, end)));
            canvas.bar(ends[0].0, ends.map(|end| end.1), capped)?;
        }
        let (dashed, solid): (Vec<_>, Vec<_>) = self.lines.iter().partition(|l| l.pen.dashed);
        for line in solid.into_iter().rev().chain(dashed) {
            let (paths, dots) = line.shapes(steps, self.range);
            for path in paths {
                let mut pixels: Vec<_> = path.iter().map(place).collect();
                pixels.dedup();
                canvas.stroke(&pixels, line.pen)?;
            }
            for dot in &dots {
                canvas.dot(place(dot), line.pen.width + 1.0, line.pen.color)?;
            }
        }
        Ok(())
    }
}
