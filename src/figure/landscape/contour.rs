//! A loss over a plane: shaded bands, lines of equal loss, and points or a path on it.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::isolines::{interpolated, isoline};
use crate::error::Result;
use crate::figure::axis::Axis;
use crate::figure::canvas::{
    Canvas, GREY, HEIGHT, Mark, Pen, WIDTH, fitting, printable, px, text_width,
};
use crate::figure::palette::{Look, VERMILLION, pale};
use crate::figure::panel::{Frame, Plot, RIGHT, TITLE};
use crate::figure::series::quantile;
use crate::figure::spectrum::short;
use crate::figure::{Picture, failed, headline, png, svg};

/// What the picture shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ContourFigure {
    /// The headline.
    pub title: String,
    /// The names of the axes.
    pub axes: [String; 2],
    /// Places on the first axis, ascending.
    pub xs: Vec<f64>,
    /// Places on the second axis, ascending.
    pub ys: Vec<f64>,
    /// For each of `ys` the values over all of `xs`.
    pub values: Vec<f64>,
    /// For each of `values` the number of its region, which is shaded in a colour of its own, grey for none; empty
    /// to shade by value.
    pub regions: Vec<Option<usize>>,
    /// Points by name and coordinates.
    pub marks: Vec<(String, f64, f64)>,
    /// Whether the points are a path: joined, and named at its ends only.
    pub joined: bool,
    /// Small print.
    pub note: String,
}

/// The picture as the text of an SVG file.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn contour_svg(figure: &ContourFigure) -> Result<String> {
    svg(figure)
}

/// The picture as the bytes of a PNG file of 1600 x 1200 pixels.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn contour_png(figure: &ContourFigure) -> Result<Vec<u8>> {
    png(figure)
}

/// Bands between the lowest and the highest value shown.
const BANDS: usize = 14;
/// Cells that shading is drawn by, on each side.
const FINE: usize = 160;
/// Layout units for the bar of bands and its labels.
const BAR: f64 = 92.0;
/// The darkest, a middle and the lightest colour of bands, from low to high.
const COLORS: [(f64, f64, f64); 4] =
    [(38.0, 70.0, 120.0), (72.0, 139.0, 173.0), (174.0, 212.0, 202.0), (250.0, 246.0, 226.0)];

impl Picture for ContourFigure {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.title)?;
        let levels = Levels::of(&self.values);
        let ends = |values: &[f64]| {
            (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(1.0))
        };
        let (across, up) = (ends(&self.xs), ends(&self.ys));
        let frame = Frame {
            across: Axis::linear(across, 8.0, 0.0).over(across),
            across_name: Some(&printable(&self.axes[0])),
            across_log: false,
            range: up,
            log: false,
            name: &printable(&self.axes[1]),
            shaded: &[],
            empty: levels.is_none(),
        };
        let area = canvas.area.margin(px(TITLE - 14.0), px(12.0), px(14.0), px(RIGHT + BAR));
        let plot = frame.draw(canvas, &area)?;
        if let Some(levels) = &levels {
            match self.regions.is_empty() {
                true => {
                    self.shade(canvas, &plot, levels)?;
                    levels.bar(canvas)?;
                }
                false => self.shade_regions(canvas, &plot)?,
            }
            self.lines(canvas, &plot, levels)?;
        }
        self.marks(canvas, &plot, across, up)?;
        let note = printable(&self.note);
        let style = canvas.font(fitting(&note, 11.0, WIDTH / 3.0), HPos::Right).color(&GREY);
        canvas.text(&note, (px(WIDTH - RIGHT), px(HEIGHT - 11.0)), &style)
    }
}

impl ContourFigure {
    /// Bands as rows of rectangles, neighbours of one band being one.
    fn shade<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        plot: &Plot<DB>,
        levels: &Levels,
    ) -> Result<()> {
        let (Some((&left, &right)), Some((&low, &high))) =
            (self.xs.first().zip(self.xs.last()), self.ys.first().zip(self.ys.last()))
        else {
            return Ok(());
        };
        let at = |from: f64, to: f64, share: f64| from + (to - from) * share / FINE as f64;
        for row in 0..FINE {
            let y = at(low, high, row as f64 + 0.5);
            let band = |column: usize| {
                let x = at(left, right, column as f64 + 0.5);
                levels.band(interpolated(&self.xs, &self.ys, &self.values, (x, y)))
            };
            let bands: Vec<Option<usize>> = (0..FINE).map(band).collect();
            let mut start = 0;
            for run in bands.chunk_by(PartialEq::eq) {
                let end = start + run.len();
                if let Some(band) = run[0] {
                    let corner = |column: usize, row: usize| {
                        plot.place(&(at(left, right, column as f64), at(low, high, row as f64)))
                    };
                    let corners = [corner(start, row + 1), corner(end, row)];
                    let shape = Rectangle::new(corners, levels.color(band).filled());
                    canvas.area.draw(&shape).map_err(failed)?;
                }
                start = end;
            }
        }
        Ok(())
    }

    /// A rectangle about each point of the grid.
    fn shade_regions<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        plot: &Plot<DB>,
    ) -> Result<()> {
        let edges = |places: &[f64], at: usize| {
            let between = |a: usize, b: usize| 0.5 * (places[a] + places[b]);
            let last = places.len() - 1;
            let low = if at == 0 { places[0] } else { between(at - 1, at) };
            let high = if at == last { places[last] } else { between(at, at + 1) };
            (low, high)
        };
        for (at, region) in self.regions.iter().enumerate() {
            let (left, right) = edges(&self.xs, at % self.xs.len());
            let (low, high) = edges(&self.ys, at / self.xs.len());
            let color = region.map_or(pale(GREY, 0.35), |region| pale(Look::of(region).color, 0.4));
            let corners = [plot.place(&(left, high)), plot.place(&(right, low))];
            canvas.area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)?;
        }
        Ok(())
    }

    fn lines<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        plot: &Plot<DB>,
        levels: &Levels,
    ) -> Result<()> {
        let pen = Pen::solid(RGBColor(60, 60, 60), 0.6);
        for band in 1..BANDS {
            let level = levels.level(band);
            for [from, to] in isoline(&self.xs, &self.ys, &self.values, level) {
                canvas.stroke(&[plot.place(&from), plot.place(&to)], pen)?;
            }
        }
        Ok(())
    }

    fn marks<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        plot: &Plot<DB>,
        across: (f64, f64),
        up: (f64, f64),
    ) -> Result<()> {
        let inside = |&&(_, x, y): &&(String, f64, f64)| {
            (across.0..=across.1).contains(&x) && (up.0..=up.1).contains(&y)
        };
        let places: Vec<_> = self.marks.iter().map(|(_, x, y)| plot.place(&(*x, *y))).collect();
        if self.joined {
            canvas.stroke(&places, Pen { halo: 0.8, ..Pen::solid(VERMILLION, 1.8) })?;
        }
        let last = self.marks.len().saturating_sub(1);
        for (i, (name, x, y)) in self.marks.iter().enumerate().filter(|(_, mark)| inside(mark)) {
            let at = plot.place(&(*x, *y));
            let named = !self.joined || i == 0 || i == last;
            if self.joined && !named {
                canvas.dot(at, 2.6, VERMILLION)?;
                continue;
            }
            canvas.mark(at, Mark::Dot, VERMILLION)?;
            let name = printable(name);
            // On the side where there is room, on a ground of its own.
            let width = text_width(&name, 13.0);
            let right = x - across.0 < 0.6 * (across.1 - across.0);
            let from = if right { at.0 + px(9.0) } else { at.0 - px(9.0 + width) };
            let ground =
                [(from - px(3.0), at.1 - px(9.0)), (from + px(width + 3.0), at.1 + px(9.0))];
            canvas.area.draw(&Rectangle::new(ground, WHITE.mix(0.75).filled())).map_err(failed)?;
            canvas.text(&name, (from, at.1), &canvas.font(13.0, HPos::Left))?;
        }
        Ok(())
    }
}

/// The values that bands are between: evenly spread, or their logarithms where values differ much. The highest few
/// values, which may be very high in the corners, are in the last band.
struct Levels {
    low: f64,
    high: f64,
    log: bool,
}

impl Levels {
    /// None where no value is finite.
    fn of(values: &[f64]) -> Option<Self> {
        let finite = || values.iter().copied().filter(|x| x.abs() < 1e200);
        let (low, high) = (finite().reduce(f64::min)?, quantile(finite(), 0.98)?);
        let log = low > 0.0 && high > 8.0 * low;
        let high = if high > low { high } else { low + low.abs().max(1.0) * 1e-6 };
        Some(match log {
            true => Self { low: low.log10(), high: high.log10(), log },
            false => Self { low, high, log },
        })
    }

    /// Where a band begins.
    fn level(&self, band: usize) -> f64 {
        let at = self.low + (self.high - self.low) * band as f64 / BANDS as f64;
        if self.log { 10f64.powf(at) } else { at }
    }

    fn band(&self, value: f64) -> Option<usize> {
        if !value.is_finite() {
            return None;
        }
        let at = if self.log { value.max(1e-300).log10() } else { value };
        let share = (at - self.low) / (self.high - self.low) * BANDS as f64;
        Some((share.max(0.0) as usize).min(BANDS - 1))
    }

    fn color(&self, band: usize) -> RGBColor {
        let at = band as f64 / (BANDS - 1) as f64 * (COLORS.len() - 1) as f64;
        let from = (at as usize).min(COLORS.len() - 2);
        let share = at - from as f64;
        let mix = |a: f64, b: f64| (a + (b - a) * share).round() as u8;
        let (a, b) = (COLORS[from], COLORS[from + 1]);
        RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
    }

    /// What the bands are, at the right.
    fn bar<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        let (left, top, height) = (WIDTH - RIGHT - BAR + 18.0, TITLE + 30.0, 440.0);
        let each = height / BANDS as f64;
        for band in 0..BANDS {
            let low = top + height - band as f64 * each;
            let corners = [(px(left), px(low - each)), (px(left + 18.0), px(low))];
            let shape = Rectangle::new(corners, self.color(band).filled());
            canvas.area.draw(&shape).map_err(failed)?;
            if band % 2 == 0 {
                let text = short(self.level(band));
                let style = canvas.font(fitting(&text, 11.5, BAR - 40.0), HPos::Left);
                canvas.text(&text, (px(left + 24.0), px(low)), &style)?;
            }
        }
        canvas.text("loss", (px(left), px(top - 16.0)), &canvas.font(13.0, HPos::Left))
    }
}
