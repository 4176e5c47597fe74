//! The density at one step, with the ends of the spectrum and the threshold.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::marks::Marks;
use super::{LARGEST, Logarithm, SpectrumFigure, across, rounded};
use crate::error::Result;
use crate::report::figure::axis::Axis;
use crate::report::figure::canvas::{
    Canvas, Dash, GREY, HEIGHT, Pen, Pixel, WIDTH, fitting, printable, px,
};
use crate::report::figure::legend::Entry;
use crate::report::figure::palette::{BLUE, GREEN, VERMILLION};
use crate::report::figure::panel::{Frame, Plot, RIGHT, ROOM, TITLE, below};
use crate::report::figure::range::{ends, padded};
use crate::report::figure::series::{Point, clip, decimate};
use crate::report::figure::{Picture, failed, headline};

const CURVE: Pen = Pen::solid(BLUE, 1.6);
const THRESHOLD: Pen = Pen::dashed(BLACK, 1.7, Dash::SHORT);
/// How much of the axis may be empty so that the threshold is on it, as a multiple of the rest.
const EMPTY: f64 = 2.0;

impl Picture for SpectrumFigure {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.title)?;
        let usable = |value: &f64| value.abs() < LARGEST;
        let largest: Vec<f64> = self.largest.iter().copied().filter(usable).collect();
        let smallest = self.smallest.filter(usable);
        let logarithm = Logarithm::of(&self.density);
        let floor = logarithm.as_ref().map_or(-1.0, |l| l.floor);
        let extent = logarithm.iter().map(|l| l.extent(floor)).flat_map(|(a, b)| [a, b]);
        let (mut low, mut high) = ends(extent.chain(largest.iter().copied()).chain(smallest));
        let empty = low > high;
        if empty {
            (low, high) = (0.0, 1.0);
        }
        let scale = low.abs().max(high.abs());
        let threshold = self.threshold.filter(usable);
        let named = threshold.map(|at| {
            format!("{} = {}", printable(&self.threshold_label), rounded(at, 1e-3 * at.abs()))
        });
        let room = EMPTY * (high - low);
        let near = threshold.filter(|at| !empty && *at >= low - room && *at <= high + room);
        if let Some(at) = near {
            (low, high) = (low.min(at), high.max(at));
        }

        let top = logarithm.as_ref().map_or(0.0, |l| l.peak);
        let range = (floor, top + 0.08 * (top - floor));
        let axis = padded(low, high);
        let frame = Frame {
            across: if empty { Axis::bare(axis) } else { across(axis) },
            across_name: Some("eigenvalue"),
            across_log: false,
            range,
            log: true,
            name: "density",
            shaded: &[],
            empty,
        };
        let plot = frame.draw(canvas, &below(canvas, TITLE))?;

        let mut entries = Vec::new();
        let remark = named.as_ref().filter(|_| near.is_none() && !empty);
        let remark = remark.map(|named| format!("{named} lies beyond"));
        let mut drawn = Vec::new();
        if let Some(logarithm) = &logarithm {
            entries.push(Entry::line("density", CURVE, false));
            let curve = decimate(&logarithm.points, (high - low) / ROOM);
            drawn = fill(canvas, &plot, &curve, range)?;
        }
        let column = |at: f64| plot.place(&(at, floor)).0;
        let corners = [(axis.0, range.0), (axis.1, range.1)].map(|corner| plot.place(&corner));
        let mut marks = Marks::new(corners, drawn, near.map(column));
        match largest.len() {
            0 => {}
            1 => entries.push(Entry::line("largest eigenvalue", Marks::stem(VERMILLION), false)),
            count => {
                let text = format!("{count} largest eigenvalues");
                entries.push(Entry::line(text, Marks::stem(VERMILLION), false));
            }
        }
        if smallest.is_some() {
            entries.push(Entry::line("smallest eigenvalue", Marks::stem(GREEN), false));
        }
        // The ends come first, so that their values are shown where there is not room for all.
        let firsts = largest.first().map(|at| (*at, VERMILLION)).into_iter();
        let others = largest.iter().skip(1).map(|at| (*at, VERMILLION));
        for (at, color) in firsts.chain(smallest.map(|at| (at, GREEN))).chain(others) {
            marks.add(column(at), rounded(at, scale), color);
        }
        if let (Some(at), Some(named)) = (near, named) {
            entries.push(Entry::line(named, THRESHOLD, false));
            canvas.stroke(&[plot.place(&(at, range.0)), plot.place(&(at, range.1))], THRESHOLD)?;
        }
        marks.draw(canvas)?;
        plot.legend(canvas, &entries, remark.as_deref())?;
        let note = printable(&self.note);
        let style = canvas.font(fitting(&note, 11.0, ROOM / 2.0 - 60.0), HPos::Right).color(&GREY);
        canvas.text(&note, (px(WIDTH - RIGHT), px(HEIGHT - 11.0)), &style)
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
