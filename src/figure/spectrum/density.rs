//! The density at one step, with the ends of the spectrum and the threshold.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::marks::Marks;
use super::{LARGEST, Logarithm, SpectrumFigure, across, rounded, short};
use crate::error::Result;
use crate::figure::axis::Axis;
use crate::figure::canvas::{
    Canvas, Dash, GREY, HEIGHT, Pen, Pixel, WIDTH, fitting, printable, px,
};
use crate::figure::legend::Entry;
use crate::figure::palette::{BLUE, GREEN, VERMILLION};
use crate::figure::panel::{Frame, Plot, RIGHT, ROOM, TITLE, below};
use crate::figure::range::{ends, padded};
use crate::figure::series::{Point, clip, decimate};
use crate::figure::{Picture, failed, headline};

const CURVE: Pen = Pen::solid(BLUE, 1.6);
const THRESHOLD: Pen = Pen::dashed(BLACK, 1.7, Dash::SHORT);
/// How much of the axis may be empty so that the threshold is on it, as a multiple of the rest.
const EMPTY: f64 = 2.0;
/// How much is free above the curve, as a share of its height.
const HEADROOM: f64 = 0.08;

impl Picture for SpectrumFigure {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.title)?;
        let shown = Shown::of(self);
        let (low, high) = shown.range;
        let frame = Frame {
            across: if shown.empty { Axis::bare(shown.axis) } else { across(shown.axis) },
            across_name: Some("eigenvalue"),
            across_log: false,
            range: shown.range,
            log: true,
            name: "density",
            shaded: &[],
            empty: shown.empty,
        };
        let plot = frame.draw(canvas, &below(canvas, TITLE))?;
        plot.legend(canvas, &shown.entries(), shown.remark.as_deref())?;
        let mut curve = Vec::new();
        if let Some(density) = &shown.density {
            let unit = (shown.axis.1 - shown.axis.0) / ROOM;
            curve = fill(canvas, &plot, &decimate(&density.points, unit), shown.range)?;
        }
        if let Some(at) = shown.threshold {
            canvas.stroke(&[plot.place(&(at, low)), plot.place(&(at, high))], THRESHOLD)?;
        }
        shown.marks(&plot, curve).draw(canvas)?;
        let note = printable(&self.note);
        let style = canvas.font(fitting(&note, 11.0, ROOM / 2.0 - 60.0), HPos::Right).color(&GREY);
        canvas.text(&note, (px(WIDTH - RIGHT), px(HEIGHT - 11.0)), &style)
    }
}

/// What can be shown.
struct Shown<'a> {
    density: Option<Logarithm>,
    largest: Vec<f64>,
    smallest: Option<f64>,
    /// Where it is on the axis.
    threshold: Option<f64>,
    label: &'a str,
    /// Where the threshold is, if not on the axis.
    remark: Option<String>,
    /// From which eigenvalue to which.
    axis: Point,
    /// The logarithms of the lowest and highest density.
    range: Point,
    /// Whether there is nothing.
    empty: bool,
}

impl<'a> Shown<'a> {
    fn of(figure: &'a SpectrumFigure) -> Self {
        let usable = |value: &f64| value.abs() < LARGEST;
        let largest: Vec<f64> = figure.largest.iter().copied().filter(usable).collect();
        let smallest = figure.smallest.filter(usable);
        let density = Logarithm::of(&figure.density);
        let (floor, peak) = density.as_ref().map_or((-1.0, 0.0), |d| (d.floor, d.peak));
        let extent = density.iter().map(|d| d.extent()).flat_map(|(from, to)| [from, to]);
        let (mut low, mut high) = ends(extent.chain(largest.iter().copied()).chain(smallest));
        let empty = low > high;
        if empty {
            (low, high) = (0.0, 1.0);
        }
        let room = EMPTY * (high - low);
        let on_axis = |at: &f64| !empty && *at >= low - room && *at <= high + room;
        let given = figure.threshold.filter(usable);
        let threshold = given.filter(on_axis);
        let label = &figure.threshold_label;
        let remark = given
            .filter(|_| threshold.is_none())
            .map(|at| printable(&format!("{label} {} is beyond the axis", short(at))));
        let (low, high) = ends([low, high].into_iter().chain(threshold));
        let (axis, range) = (padded(low, high), (floor, peak + HEADROOM * (peak - floor)));
        Self { density, largest, smallest, threshold, label, remark, axis, range, empty }
    }

    fn entries(&self) -> Vec<Entry> {
        let largest = match self.largest.len() {
            0 => None,
            1 => Some("largest eigenvalue".to_string()),
            count => Some(format!("{count} largest eigenvalues")),
        };
        let smallest = self.smallest.map(|_| "smallest eigenvalue".to_string());
        let threshold =
            self.threshold.map(|at| printable(&format!("{} {}", self.label, short(at))));
        let density = self.density.as_ref().map(|_| "density".to_string());
        let pens = [CURVE, Marks::stem(VERMILLION), Marks::stem(GREEN), THRESHOLD];
        let texts = [density, largest, smallest, threshold].into_iter();
        texts.zip(pens).filter_map(|(text, pen)| Some(Entry::line(text?, pen, false))).collect()
    }

    /// The ends come first, so that their values are shown where there is not room for all.
    fn marks<DB: DrawingBackend>(&self, plot: &Plot<DB>, curve: Vec<Pixel>) -> Marks {
        let column = |at: f64| plot.place(&(at, self.range.0)).0;
        let corners = [(self.axis.0, self.range.0), (self.axis.1, self.range.1)];
        let corners = corners.map(|corner| plot.place(&corner));
        let mut marks = Marks::new(corners, curve, self.threshold.map(column));
        let scale = self.axis.0.abs().max(self.axis.1.abs());
        let mut add = |at: &f64, color| marks.add(column(*at), rounded(*at, scale), color);
        let first = self.largest.len().min(1);
        self.largest[..first].iter().for_each(|at| add(at, VERMILLION));
        self.smallest.iter().for_each(|at| add(at, GREEN));
        self.largest[first..].iter().for_each(|at| add(at, VERMILLION));
        marks
    }
}

/// Draws the curve and what lies below it; the line that was drawn.
fn fill<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    plot: &Plot<DB>,
    curve: &[Point],
    range: Point,
) -> Result<Vec<Pixel>> {
    let mut drawn = Vec::new();
    for piece in clip(curve, range) {
        let mut line: Vec<_> = piece.iter().map(|point| plot.place(point)).collect();
        line.dedup();
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
        let corners = [(last.0, range.0), (first.0, range.0)].map(|corner| plot.place(&corner));
        let shape: Vec<_> = line.iter().copied().chain(corners).collect();
        canvas.area.draw(&Polygon::new(shape, BLUE.mix(0.14).filled())).map_err(failed)?;
        canvas.stroke(&line, CURVE)?;
        drawn.extend(line);
    }
    Ok(drawn)
}
