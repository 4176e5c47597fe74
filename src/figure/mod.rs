//! Pictures, as SVG and PNG: of one run (loss above, sharpness against the stability threshold
//! below, over the steps, with the measurements shaded that did not converge), of a comparison of
//! several, of spectra, and of the landscape between runs. The font is embedded, so that machines without fonts draw the same
//! picture.

mod axis;
mod canvas;
mod comparison;
mod landscape;
mod legend;
mod palette;
mod panel;
mod range;
mod series;
mod single;
mod spectrum;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_comparison;
#[cfg(test)]
mod tests_svg;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::error::{Error, Result};
use canvas::{Canvas, HEIGHT, SIZE, WIDTH, fitting, printable, px};

pub use comparison::{
    ComparedRun, ComparisonFigure, ComparisonFigures, Quantiles, comparison_png, comparison_svg,
};
pub use landscape::{
    ContourFigure, MatrixFigure, PathCurve, PathFigure, PathPanel, Scale, Stroke, contour_png,
    contour_svg, matrix_png, matrix_svg, paths_png, paths_svg,
};
pub use single::{FigureLabels, to_png, to_svg};
pub(crate) use spectrum::short;
pub use spectrum::{
    SpectrumFigure, spectrum_png, spectrum_svg, waterfall_choice, waterfall_png, waterfall_svg,
};

/// A picture, for either format.
trait Picture {
    /// Draws it on an empty canvas.
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()>;
}

/// The text of an SVG file.
fn svg(picture: &impl Picture) -> Result<String> {
    let mut svg = String::new();
    {
        let canvas = Canvas::new(SVGBackend::with_string(&mut svg, SIZE), canvas::SVG)?;
        picture.draw(&canvas)?;
        canvas.area.present().map_err(failed)?;
    }
    let drawn = format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    let shown = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" stroke-linejoin=\"round\"");
    Ok(svg.replacen(&drawn, &shown, 1))
}

/// The bytes of a PNG file of 1600 x 1200 pixels.
fn png(picture: &impl Picture) -> Result<Vec<u8>> {
    let mut pixels = vec![0; 3 * SIZE.0 as usize * SIZE.1 as usize];
    {
        let backend = BitMapBackend::with_buffer(&mut pixels, SIZE);
        let canvas = Canvas::new(backend, canvas::BITMAP)?;
        picture.draw(&canvas)?;
        canvas.area.present().map_err(failed)?;
    }
    canvas::encode(&pixels)
}

/// The headline.
fn headline<DB: DrawingBackend>(canvas: &Canvas<DB>, title: &str) -> Result<()> {
    let title = printable(title);
    // Bold letters are wider than `fitting` knows.
    let style = canvas.font(fitting(&title, 20.0, WIDTH - 200.0), HPos::Center);
    let (family, size) = (style.font.get_family(), style.font.get_size());
    let style = TextStyle { font: FontDesc::new(family, size, FontStyle::Bold), ..style };
    canvas.text(&title, (px(WIDTH / 2.0 + 38.0), px(28.0)), &style)
}

fn failed(reason: impl ToString) -> Error {
    Error::Draw { what: "the figure", reason: reason.to_string() }
}
