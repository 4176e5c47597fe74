//! A matrix of numbers as shaded cells with the numbers in them.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::error::Result;
use crate::figure::canvas::{Canvas, GREY, HEIGHT, WIDTH, fitting, printable, px};
use crate::figure::palette::{BLUE, VERMILLION, pale};
use crate::figure::panel::TITLE;
use crate::figure::spectrum::short;
use crate::figure::{Picture, failed, headline, png, svg};

/// What the picture shows.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixFigure {
    /// The headline.
    pub title: String,
    /// The names of rows and columns.
    pub names: Vec<String>,
    /// Row after row; `None` for a cell without a number.
    pub cells: Vec<Option<f64>>,
    /// Small print: what the numbers are.
    pub note: String,
}

/// The picture as the text of an SVG file.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn matrix_svg(figure: &MatrixFigure) -> Result<String> {
    svg(figure)
}

/// The picture as the bytes of a PNG file of 1600 x 1200 pixels.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn matrix_png(figure: &MatrixFigure) -> Result<Vec<u8>> {
    png(figure)
}

/// Layout units for the names of rows, above the cells for those of columns, and below them for the note.
const NAMES: f64 = 210.0;
const COLUMN_NAMES: f64 = 40.0;
const NOTE: f64 = 44.0;

impl Picture for MatrixFigure {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.title)?;
        let n = self.names.len().max(1);
        let top = TITLE + COLUMN_NAMES;
        let (wide, high) = (WIDTH - NAMES - 30.0, HEIGHT - top - NOTE);
        let (width, height) = (wide / n as f64, high / n as f64);
        let finite = || self.cells.iter().flatten().copied().filter(|x| x.is_finite());
        let largest = finite().map(f64::abs).fold(0.0, f64::max);
        for (i, name) in self.names.iter().enumerate() {
            let name = printable(name);
            let (across, down) =
                (NAMES + (i as f64 + 0.5) * width, top + (i as f64 + 0.5) * height);
            let style = canvas.font(fitting(&name, 13.0, NAMES - 24.0), HPos::Right);
            canvas.text(&name, (px(NAMES - 10.0), px(down)), &style)?;
            let style = canvas.font(fitting(&name, 13.0, width - 8.0), HPos::Center);
            canvas.text(&name, (px(across), px(top - 14.0)), &style)?;
        }
        for (at, cell) in self.cells.iter().enumerate() {
            let (left, up) = (NAMES + (at % n) as f64 * width, top + (at / n) as f64 * height);
            let corners = [(px(left), px(up)), (px(left + width - 2.0), px(up + height - 2.0))];
            let color = cell.map_or(WHITE, |value| shade(value, largest));
            canvas.area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)?;
            let Some(value) = cell else { continue };
            let text = if value.is_finite() { short(*value) } else { "∞".to_string() };
            let style = canvas.font(fitting(&text, 15.0, width - 12.0), HPos::Center);
            canvas.text(&text, (px(left + width / 2.0), px(up + height / 2.0)), &style)?;
        }
        let note = printable(&self.note);
        let style = canvas.font(fitting(&note, 12.0, WIDTH - 60.0), HPos::Right).color(&GREY);
        canvas.text(&note, (px(WIDTH - 30.0), px(HEIGHT - 20.0)), &style)
    }
}

/// Darker for what is farther from 0, in another colour below it.
fn shade(value: f64, largest: f64) -> RGBColor {
    let share = if largest > 0.0 { (value.abs() / largest).clamp(0.0, 1.0) } else { 0.0 };
    match value {
        value if !value.is_finite() => pale(VERMILLION, 0.8),
        value if value < 0.0 => pale(BLUE, 0.06 + 0.55 * share),
        _ => pale(VERMILLION, 0.06 + 0.55 * share),
    }
}
