//! A panel: one axis of values over the steps, with its lines, error bars and shading.

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::{Axis, EM};
use super::canvas::{Canvas, GREY, HEIGHT, Pen, Pixel, SHADE, fitting, px, units};
use super::failed;
use super::legend::{self, Entry, Sample};
use super::series::{Bar, Line, Point, Role, Steps};
use crate::error::Result;

/// Layout units for the headline.
pub(super) const TITLE: f64 = 48.0;
/// Layout units left and right of everything.
const LEFT: f64 = 14.0;
pub(super) const RIGHT: f64 = 22.0;
/// From a panel to the next.
const GAP: f64 = 8.0;
/// For the legend above a panel and for the values' labels left of it.
const LEGEND: f64 = 30.0;
const VALUES: f64 = 84.0;
/// For the steps' labels under the lowest panel.
const STEPS: f64 = 50.0;
/// Where panels begin, and how wide they are.
pub(super) const EDGE: f64 = LEFT + VALUES;
pub(super) const ROOM: f64 = super::canvas::WIDTH - EDGE - RIGHT;

const GRID: RGBColor = RGBColor(226, 226, 226);
const FAINT_GRID: RGBColor = RGBColor(243, 243, 243);

/// What a panel shows.
pub(super) struct Panel {
    /// The name of its values.
    pub(super) axis: &'static str,
    /// What the legend names before the lines that have a label.
    pub(super) key: Vec<Entry>,
    /// The uppermost first, within those of a role.
    pub(super) lines: Vec<Line>,
    /// Around values that did not converge.
    pub(super) bars: Vec<Bar>,
    /// From where to where curvature did not converge.
    pub(super) shaded: Vec<Point>,
    /// Whether its values are decimal logarithms.
    pub(super) log: bool,
    /// The lowest and highest value shown.
    pub(super) range: Point,
    /// The value that lies farthest outside of the range, if any.
    pub(super) clipped: Option<f64>,
}

/// What is left of the figure under what takes `above` layout units.
pub(super) fn below<DB: DrawingBackend>(canvas: &Canvas<DB>, above: f64) -> DrawingArea<DB, Shift> {
    canvas.area.margin(px(above), px(GAP), px(LEFT), px(RIGHT))
}

/// Draws panels below each other, under what takes `above` layout units; their heights have the
/// given shares.
pub(super) fn stack<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panels: &[Panel],
    shares: &[f64],
    steps: Steps,
    above: f64,
) -> Result<()> {
    let mut rest = below(canvas, above);
    let room = HEIGHT - above - STEPS - GAP * panels.len() as f64;
    for (i, (panel, share)) in panels.iter().zip(shares).enumerate() {
        let lowest = i + 1 == panels.len();
        let height = share * room + if lowest { STEPS } else { 0.0 };
        let (area, below) = rest.split_vertically(px(height));
        panel.draw(canvas, &area, steps, lowest)?;
        rest = below.margin(px(GAP), 0, 0, 0);
    }
    Ok(())
}

impl Panel {
    /// An empty one.
    pub(super) fn new(axis: &'static str) -> Self {
        Self {
            axis,
            key: Vec::new(),
            lines: Vec::new(),
            bars: Vec::new(),
            shaded: Vec::new(),
            log: false,
            range: (0.0, 1.0),
            clipped: None,
        }
    }

    /// Makes the axis logarithmic. What has no logarithm lies below everything.
    pub(super) fn take_logarithms(&mut self) {
        self.log = true;
        let points = self.lines.iter_mut().flat_map(|line| &mut line.points);
        points.for_each(|point| point.1 = if point.1 > 0.0 { point.1.log10() } else { -1e3 });
    }

    /// Fills the area; the `lowest` panel labels the steps.
    fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        area: &DrawingArea<DB, Shift>,
        steps: Steps,
        lowest: bool,
    ) -> Result<()> {
        let frame = Frame {
            across: Axis::linear(steps.ends, 8.0, steps.least).over(steps.shown),
            across_name: lowest.then_some(steps.name),
            across_log: false,
            range: self.range,
            log: self.log,
            name: self.axis,
            shaded: &self.shaded,
            empty: self.lines.is_empty(),
        };
        let plot = frame.draw(canvas, area)?;
        plot.legend(canvas, &self.entries(), self.clipped.map(legend::clipped).as_deref())?;

        let (low, high) = self.range;
        let capped = self.bars.windows(2).all(|pair| pair[1].0 - pair[0].0 > 8.0 * steps.unit);
        for (step, (from, to)) in self.bars.iter().filter(|(_, b)| b.0 <= high && b.1 >= low) {
            let ends = [from.max(low), to.min(high)].map(|end| plot.place(&(*step, end)));
            canvas.bar(ends[0].0, ends.map(|end| end.1), capped)?;
        }
        for role in [Role::Seed, Role::Measured, Role::Threshold] {
            for line in self.lines.iter().rev().filter(|line| line.role == role) {
                line_in(canvas, &plot, line, steps, self.range)?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> Vec<Entry> {
        let named = self.lines.iter().filter(|line| !line.label.is_empty());
        let lines = named.map(|line| Entry::line(&line.label, line.pen, line.marked()));
        let shaded = (!self.shaded.is_empty())
            .then(|| Entry { text: "not converged".to_string(), sample: Sample::Unconverged });
        self.key.iter().cloned().chain(lines).chain(shaded).collect()
    }
}

fn line_in<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    plot: &Plot<DB>,
    line: &Line,
    steps: Steps,
    range: Point,
) -> Result<()> {
    let (paths, dots) = line.shapes(steps, range);
    for path in paths {
        let mut pixels: Vec<_> = path.iter().map(|point| plot.place(point)).collect();
        pixels.dedup();
        canvas.stroke(&pixels, line.pen)?;
    }
    dots.iter()
        .try_for_each(|dot| canvas.dot(plot.place(dot), line.pen.width + 1.0, line.pen.color))
}

/// Axes with their names and labels.
pub(super) struct Frame<'a> {
    /// The axis at the bottom.
    pub(super) across: Axis,
    /// Its name; without one its labels are left out.
    pub(super) across_name: Option<&'a str>,
    /// Whether it is logarithmic.
    pub(super) across_log: bool,
    /// The lowest and highest value on the other axis.
    pub(super) range: Point,
    /// Whether that is logarithmic.
    pub(super) log: bool,
    /// Its name.
    pub(super) name: &'a str,
    /// What is shaded at the bottom axis.
    pub(super) shaded: &'a [Point],
    /// Whether nothing will be drawn inside.
    pub(super) empty: bool,
}

/// Where the axes' values lie.
pub(super) struct Plot<DB: DrawingBackend> {
    area: DrawingArea<DB, Cartesian2d<Axis, Axis>>,
    /// The upper left corner.
    start: Pixel,
    /// The width in pixels.
    width: i32,
}

impl Frame<'_> {
    /// Fills the area.
    pub(super) fn draw<DB: DrawingBackend>(
        self,
        canvas: &Canvas<DB>,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<Plot<DB>> {
        let below = if self.across_name.is_some() { px(STEPS) } else { 0 };
        let (_, area) = area.split_vertically(px(LEGEND));
        let count = units(area.dim_in_pixel().1 as i32 - below) / 45.0;
        let up = match (self.empty, self.log) {
            (true, _) => Axis::bare(self.range),
            (false, true) => Axis::log(self.range),
            (false, false) => Axis::linear(self.range, count.max(3.0), 0.0),
        };
        let em = up.labels().map(|text| fitting(text, EM, VALUES - 30.0)).fold(EM, f64::min);
        let values = canvas.font(em, HPos::Right);
        let mut chart = ChartBuilder::on(&area)
            .y_label_area_size(px(VALUES))
            .x_label_area_size(below)
            .build_cartesian_2d(self.across, up)
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
            .x_label_style(canvas.font(EM, HPos::Center))
            .y_label_offset(canvas.lowered(&values))
            .y_label_style(values)
            .draw()
            .map_err(failed)?;

        let plot = chart.plotting_area();
        let (columns, rows) = plot.get_pixel_range();
        let (left, right, bottom) = (columns.start, columns.end, rows.end);
        let (middle, center) = ((left + right) / 2, (rows.start + bottom) / 2);
        let font = canvas.font(15.0, HPos::Center);
        match self.across_name {
            Some(name) => {
                canvas.text(&titled(name, self.across_log), (middle, bottom + px(39.0)), &font)?;
            }
            None => canvas.stroke(&[(left, bottom), (right, bottom)], axis)?,
        }
        if self.empty {
            canvas.text("no data", (middle, center), &font.color(&GREY))?;
        }
        let name = titled(self.name, self.log);
        let em = fitting(&name, 15.0, units(bottom - rows.start) + LEGEND);
        let upward = canvas.font(em, HPos::Center).transform(FontTransform::Rotate270);
        canvas.text(&name, (left - px(VALUES - 8.0), center), &upward)?;
        Ok(Plot { area: plot.clone(), start: (left, rows.start), width: right - left })
    }
}

fn titled(name: &str, log: bool) -> String {
    if log { format!("{name} (log scale)") } else { name.to_string() }
}

impl<DB: DrawingBackend> Plot<DB> {
    /// The pixel of a point.
    pub(super) fn place(&self, point: &Point) -> Pixel {
        self.area.map_coordinate(point)
    }

    /// The row above it, with a remark at its end.
    pub(super) fn legend(
        &self,
        canvas: &Canvas<DB>,
        entries: &[Entry],
        remark: Option<&str>,
    ) -> Result<()> {
        let at = (self.start.0, self.start.1 - px(15.0));
        legend::row(canvas, entries, remark, at, units(self.width))
    }
}
