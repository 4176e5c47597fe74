//! The run's picture, `sharpness.svg` and `sharpness.png`: loss above, sharpness against the
//! stability threshold below, over the steps, with the measurements shaded that did not converge.
//! The font is embedded, so that machines without fonts draw the same picture.

mod axis;
mod canvas;
mod legend;
mod panel;
mod series;
#[cfg(test)]
mod tests;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::error::{Error, Result};
use crate::record::StepRow;
use canvas::{Canvas, HEIGHT, SIZE, WIDTH, fitting, printable, px};
use series::Steps;

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
    let mut svg = String::new();
    draw(&Canvas::new(SVGBackend::with_string(&mut svg, SIZE), canvas::SVG)?, rows, labels)?;
    let drawn = format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1);
    let shown = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" stroke-linejoin=\"round\"");
    Ok(svg.replacen(&drawn, &shown, 1))
}

/// The figure as the bytes of a PNG file of 1600 x 1200 pixels.
pub fn to_png(rows: &[StepRow], labels: &FigureLabels) -> Result<Vec<u8>> {
    let mut pixels = vec![0; 3 * SIZE.0 as usize * SIZE.1 as usize];
    let backend = BitMapBackend::with_buffer(&mut pixels, SIZE);
    draw(&Canvas::new(backend, canvas::BITMAP)?, rows, labels)?;
    canvas::encode(&pixels)
}

fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    rows: &[StepRow],
    labels: &FigureLabels,
) -> Result<()> {
    let title = printable(&labels.title);
    // Bold letters are wider than `fitting` knows.
    let style = canvas.font(fitting(&title, 20.0, WIDTH - 200.0), HPos::Center);
    let (family, size) = (style.font.get_family(), style.font.get_size());
    let style = TextStyle { font: FontDesc::new(family, size, FontStyle::Bold), ..style };
    canvas.text(&title, (px(WIDTH / 2.0 + 38.0), px(28.0)), &style)?;

    let steps = Steps::of(rows);
    let panels = panel::panels(rows, steps, &labels.threshold);
    let shares: &[f64] = if panels.len() == 2 { &[0.42, 0.58] } else { &[0.3, 0.35, 0.35] };
    let gap = 8.0;
    let mut rest = canvas.area.margin(px(48.0), px(gap), px(14.0), px(22.0));
    let room = HEIGHT - 48.0 - panel::STEPS - gap * panels.len() as f64;
    for (i, (panel, share)) in panels.iter().zip(shares).enumerate() {
        let lowest = i + 1 == panels.len();
        let height = share * room + if lowest { panel::STEPS } else { 0.0 };
        let (area, below) = rest.split_vertically(px(height));
        panel.draw(canvas, &area, steps, lowest)?;
        rest = below.margin(px(gap), 0, 0, 0);
    }
    canvas.area.present().map_err(failed)
}

fn failed(reason: impl ToString) -> Error {
    Error::Numerical { what: "drawing the figure", reason: reason.to_string() }
}
