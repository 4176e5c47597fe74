//! Quantities along one or several paths, in panels below each other.

use plotters::prelude::*;

use crate::error::Result;
use crate::figure::canvas::{Canvas, Dash, GREY, Pen, printable, px};
use crate::figure::legend::{Entry, Table};
use crate::figure::palette::{Look, pale};
use crate::figure::panel::{EDGE, Panel, ROOM, TITLE, stack};
use crate::figure::range::{ends, padded, with_zero};
use crate::figure::series::{Line, Point, Role, Steps};
use crate::figure::{Picture, headline, png, svg};

/// What the picture shows.
#[derive(Debug, Clone, PartialEq)]
pub struct PathFigure {
    /// The headline.
    pub title: String,
    /// What is at the bottom axis.
    pub across: &'static str,
    /// The names of the paths, each with a colour of its own; none where curves name themselves.
    pub paths: Vec<String>,
    /// From top to bottom. Those without a point are left out.
    pub panels: Vec<PathPanel>,
}

/// A quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPanel {
    /// Its name, beside the axis.
    pub name: &'static str,
    /// What of it matters.
    pub scale: Scale,
    /// What lines of several colours are, by how they are drawn.
    pub key: Vec<(&'static str, Stroke)>,
    /// The uppermost first.
    pub curves: Vec<PathCurve>,
}

/// What of a quantity matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Its factors: logarithmic where values differ much.
    Loss,
    /// Its differences.
    Share,
    /// Its zero, and its factors where values differ very much.
    Curvature,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct PathCurve {
    /// Its entry in the legend of the panel; empty for none.
    pub label: String,
    /// Which colour it has.
    pub color: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Pairs of the bottom axis' quantity and this one; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// What the panel is about.
    Solid,
    /// The same over other samples, or what it is compared with.
    Dashed,
    /// What is less important.
    Pale,
}

/// The picture as the text of an SVG file.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn paths_svg(figure: &PathFigure) -> Result<String> {
    svg(figure)
}

/// The picture as the bytes of a PNG file of 1600 x 1200 pixels.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn paths_png(figure: &PathFigure) -> Result<Vec<u8>> {
    png(figure)
}

impl Picture for PathFigure {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.title)?;
        let entry = |(i, name): (usize, &String)| {
            Entry::line(printable(name), Pen::solid(Look::of(i).color, 1.8), false)
        };
        let table = Table::new(self.paths.iter().enumerate().map(entry).collect(), ROOM);
        table.draw(canvas, (px(EDGE), px(TITLE)))?;
        let panels: Vec<Panel> =
            self.panels.iter().map(panel).filter(|panel| !panel.lines.is_empty()).collect();
        let points = || panels.iter().flat_map(|p| &p.lines).flat_map(|line| &line.points);
        let steps = Steps::over(ends(points().map(|p| p.0)), self.across);
        let shares = vec![1.0 / panels.len().max(1) as f64; panels.len()];
        stack(canvas, &panels, &shares, steps, TITLE + table.height())
    }
}

fn panel(of: &PathPanel) -> Panel {
    let mut panel = Panel::new(of.name);
    panel.key =
        of.key.iter().map(|(text, stroke)| Entry::line(*text, pen(GREY, *stroke), false)).collect();
    panel.lines = of.curves.iter().map(line).filter(|line| !line.points.is_empty()).collect();
    let (low, high) = ends(panel.lines.iter().flat_map(|line| line.points.iter().map(|p| p.1)));
    let log = match of.scale {
        Scale::Loss => low > 0.0 && high > 4.0 * low,
        Scale::Curvature => low > 0.0 && high > 30.0 * low,
        Scale::Share => false,
    };
    panel.range = match of.scale {
        _ if log => padded(low.log10(), high.log10()),
        Scale::Curvature => with_zero(low.min(0.0), high),
        Scale::Share | Scale::Loss => padded(low, high),
    };
    if log {
        panel.take_logarithms();
    }
    panel
}

fn line(curve: &PathCurve) -> Line {
    let color = Look::of(curve.color).color;
    let finite = |(x, y): &&Point| x.is_finite() && y.abs() < 1e200;
    let points = curve.points.iter().filter(finite).copied().collect();
    let role = if curve.stroke == Stroke::Dashed { Role::Threshold } else { Role::Measured };
    Line { role, ..Line::new(printable(&curve.label), points, pen(color, curve.stroke)) }
}

fn pen(color: RGBColor, stroke: Stroke) -> Pen {
    match stroke {
        Stroke::Solid => Pen::solid(color, 1.8),
        Stroke::Dashed => Pen::dashed(color, 1.6, Dash::SHORT),
        Stroke::Pale => Pen::solid(pale(color, 0.45), 1.1),
    }
}
