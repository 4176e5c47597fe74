//! The densities of several steps above each other.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Logarithm, across, short, waterfall_choice};
use crate::error::Result;
use crate::figure::axis::{Axis, EM};
use crate::figure::canvas::{Canvas, GREY, Pen, Pixel, fitting, px, units};
use crate::figure::legend::{self, clipped};
use crate::figure::palette::{BLUE, PURPLE, VERMILLION, pale};
use crate::figure::panel::{EDGE, RIGHT, ROOM, TITLE};
use crate::figure::range::{ends, padded};
use crate::figure::series::{Point, clip, decimate, quantile};
use crate::figure::{Picture, failed, headline};

/// How many times the usual extent of a spectrum is shown, at most.
const TOO_FAR: f64 = 30.0;
/// How many decades beyond the usual density are shown, at most.
const DECADES: f64 = 3.0;
/// Layout units for what stands above the plot, and for the eigenvalues' labels below it.
const ABOVE: f64 = TITLE + 30.0;
const BELOW: f64 = 50.0;
/// Left of everything, and below.
const MARGINS: (f64, f64) = (14.0, 8.0);
/// From one step's label to the next, at least.
const APART: f64 = 16.0;
const GRID: RGBColor = RGBColor(226, 226, 226);

/// The picture.
pub(super) struct Waterfall<'a> {
    /// The headline.
    pub(super) title: &'a str,
    /// Steps with the pairs of eigenvalue and density there.
    pub(super) spectra: &'a [(usize, Vec<Point>)],
}

impl Picture for Waterfall<'_> {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, self.title)?;
        let ridges = Ridges::of(self.spectra);
        let count = ridges.all.len();
        // The more ridges there are, the more they overlap.
        let tall = (0.8 + 0.12 * count as f64).min(3.0);
        let top = count.saturating_sub(1) as f64 + 1.04 * tall;
        let across = if count == 0 { Axis::bare(ridges.axis) } else { across(ridges.axis) };
        let up = Axis::bare((-0.03 * top, top));

        let area = canvas.area.margin(px(ABOVE), px(MARGINS.1), px(MARGINS.0), px(RIGHT));
        let mut chart = ChartBuilder::on(&area)
            .y_label_area_size(px(EDGE - MARGINS.0))
            .x_label_area_size(px(BELOW))
            .build_cartesian_2d(across, up)
            .map_err(failed)?;
        let grid = Pen::solid(GRID, 0.9).style();
        chart
            .configure_mesh()
            .bold_line_style(grid)
            .axis_style(Pen::solid(GREY, 1.1).style())
            .set_all_tick_mark_size(px(5.5))
            .x_label_style(canvas.font(EM, HPos::Center))
            .draw()
            .map_err(failed)?;
        let plot = chart.plotting_area();
        let (columns, rows) = plot.get_pixel_range();
        let (left, center) = (columns.start, (rows.start + rows.end) / 2);
        let middle = (left + columns.end) / 2;
        let font = canvas.font(15.0, HPos::Center);
        canvas.text("eigenvalue", (middle, rows.end + px(39.0)), &font)?;
        if count == 0 {
            canvas.text("no data", (middle, center), &font.color(&GREY))?;
        }
        let upward = font.transform(FontTransform::Rotate270);
        canvas.text("step", (left - px(EDGE - 22.0), center), &upward)?;

        let place = |at: f64, height: f64| plot.map_coordinate(&(at, height));
        let (from, to) = ridges.axis;
        let apart = units(place(from, 0.0).1 - place(from, 1.0).1);
        let stride = (APART / apart).ceil().max(1.0) as usize;
        for (i, (step, density)) in ridges.all.iter().enumerate().rev() {
            let base = [from, to].map(|at| place(at, i as f64));
            let color = blend(i as f64 / (count.max(2) - 1) as f64);
            canvas.stroke(&base, Pen::solid(pale(color, 0.5), 0.8))?;
            let lift = |(at, share): &Point| place(*at, i as f64 + tall * share);
            for piece in ridges.pieces(density) {
                draw(canvas, piece.iter().map(lift).collect(), base[0].1, color)?;
            }
            if i % stride == 0 || i + 1 == count {
                let text = step.to_string();
                let style = canvas.font(fitting(&text, EM, EDGE - 50.0), HPos::Right);
                canvas.text(&text, (left - px(8.0), base[0].1), &style)?;
            }
        }
        let at = (left, rows.start - px(15.0));
        legend::row(canvas, &[], ridges.remark().as_deref(), at, ROOM)
    }
}

/// A ridge: the line above its baseline's row, and what lies between them.
fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    mut line: Vec<Pixel>,
    base: i32,
    color: RGBColor,
) -> Result<()> {
    line.dedup();
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return Ok(()) };
    let shape = line.iter().copied().chain([(last.0, base), (first.0, base)]).collect::<Vec<_>>();
    // It hides what lies behind it.
    canvas.area.draw(&Polygon::new(shape, pale(color, 0.3).filled())).map_err(failed)?;
    canvas.stroke(&line, Pen::solid(color, 1.2))
}

/// From the colour of the first ridge, at 0, to that of the last, at 1.
pub(super) fn blend(share: f64) -> RGBColor {
    let (a, b, share) = if share < 0.5 {
        (BLUE, PURPLE, 2.0 * share)
    } else {
        (PURPLE, VERMILLION, 2.0 * share - 1.0)
    };
    let mix = |a: u8, b: u8| ((1.0 - share) * f64::from(a) + share * f64::from(b)).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// What is shown.
struct Ridges {
    /// By step.
    all: Vec<(usize, Logarithm)>,
    /// From which eigenvalue to which.
    axis: Point,
    /// The logarithms of the density at the baseline and at a ridge's full height.
    heights: Point,
    /// The eigenvalue that lies farthest outside, if any.
    beyond: Option<f64>,
}

impl Ridges {
    fn of(spectra: &[(usize, Vec<Point>)]) -> Self {
        let mut order: Vec<_> = spectra.iter().collect();
        order.sort_by_key(|spectrum| spectrum.0);
        let all: Vec<_> = waterfall_choice(order.len())
            .map(|i| order[i])
            .filter_map(|(step, density)| Some((*step, Logarithm::of(density)?)))
            .collect();
        let median = |value: fn(&Logarithm) -> f64| quantile(all.iter().map(|r| value(&r.1)), 0.5);
        let (Some(floor), Some(peak)) = (median(|l| l.floor), median(|l| l.peak)) else {
            return Self { all, axis: (0.0, 1.0), heights: (-1.0, 0.0), beyond: None };
        };
        let lowest = ends(all.iter().map(|ridge| ridge.1.floor)).0.max(floor - DECADES);
        let highest = ends(all.iter().map(|ridge| ridge.1.peak)).1.min(peak + DECADES);

        let extents: Vec<Point> = all.iter().map(|(_, density)| density.extent()).collect();
        let low = ends(extents.iter().map(|e| e.0)).0;
        let high = ends(extents.iter().map(|e| e.1)).1;
        let sizes = extents.iter().map(|e| e.0.abs().max(e.1.abs()));
        let limit = TOO_FAR * quantile(sizes, 0.5).unwrap_or(0.0);
        let axis = (low.max(-limit), high.min(limit));
        let beyond = [high, low].into_iter().find(|end| *end < axis.0 || *end > axis.1);
        Self { all, axis: padded(axis.0, axis.1), heights: (lowest, highest), beyond }
    }

    /// The parts of a ridge on the axis that rise above the baseline, with heights from 0 to 1.
    fn pieces(&self, density: &Logarithm) -> Vec<Vec<Point>> {
        let (low, high) = self.heights;
        // Many ridges may be less detailed, so that the SVG stays small.
        let width = (self.axis.1 - self.axis.0) / ROOM * (self.all.len() as f64 / 8.0).max(1.0);
        let turned =
            |points: Vec<Point>| points.into_iter().map(|p| (p.1, p.0)).collect::<Vec<_>>();
        let capped = density.points.iter().map(|p| (p.0, p.1.min(high))).collect();
        clip(&turned(capped), self.axis)
            .into_iter()
            .flat_map(|piece| clip(&decimate(&turned(piece), width), self.heights))
            .map(|piece| piece.into_iter().map(|p| (p.0, (p.1 - low) / (high - low))).collect())
            .collect()
    }

    /// What the heights mean, and what lies beyond the axis.
    fn remark(&self) -> Option<String> {
        let [low, high] = [self.heights.0, self.heights.1].map(|log| short(10f64.powf(log)));
        let mut parts = vec![format!("height of a ridge: density {low} to {high}, log scale")];
        parts.extend(self.beyond.map(clipped));
        (!self.all.is_empty()).then(|| parts.join("; "))
    }
}
