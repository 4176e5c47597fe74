//! The row above a panel that names its lines, outside of it so that it hides nothing.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::number;
use super::canvas::{Canvas, GREY, Pixel, SHADE, px, text_width};
use super::failed;
use super::panel::Panel;
use crate::error::Result;

/// The length of a sample, and from a text to the next sample.
const SAMPLE: f64 = 28.0;
const GAP: f64 = 22.0;

/// Names what the panel shows, and how far clipped values reach, from a pixel on over `room`
/// layout units.
pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    (left, y): Pixel,
    room: f64,
) -> Result<()> {
    let named = panel.lines.iter().filter(|line| !line.label.is_empty());
    let mut entries: Vec<_> = named.map(|line| (line.label.as_str(), Some(line))).collect();
    if !panel.shaded.is_empty() {
        entries.push(("not converged", None));
    }
    let note = panel.clipped.map(|value| {
        let step = 10f64.powf((value.abs().log10() - 1.0).floor());
        let plain = (1e-3..1e6).contains(&value.abs());
        format!("clipped; reaches {}", number(value, step, plain))
    });
    let width = |text: &str| text_width(text, 13.5) + SAMPLE + GAP;
    let needed: f64 = entries.iter().map(|e| e.0).chain(note.as_deref()).map(width).sum();
    let shrink = (room / needed.max(1.0)).min(1.0);
    let font = |align| canvas.font(13.5 * shrink, align);
    let mut x = 2.0;
    for (text, line) in entries {
        let [from, middle, to] = [0.0, 0.5, 1.0].map(|part| left + px(x + part * SAMPLE * shrink));
        if let Some(line) = line {
            canvas.stroke(&[(from, y), (to, y)], line.pen)?;
            if line.marked() {
                canvas.dot((middle, y), line.pen.width + 1.0, line.pen.color)?;
            }
        } else {
            let corners = [(from, y - px(8.0)), (to, y + px(8.0))];
            canvas.area.draw(&Rectangle::new(corners, SHADE.filled())).map_err(failed)?;
            canvas.bar(middle, [y + px(5.0), y - px(5.0)], true)?;
        }
        canvas.text(text, (to + px(7.0 * shrink), y), &font(HPos::Left))?;
        x += width(text) * shrink;
    }
    note.map_or(Ok(()), |note| {
        canvas.text(&note, (left + px(room), y), &font(HPos::Right).color(&GREY))
    })
}
