//! What names the lines: the row above a panel and, for settings that all panels share, a table
//! above all of them; outside of the panels so that nothing is hidden.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::number;
use super::canvas::{Canvas, GREY, Mark, Pen, Pixel, SHADE, px, text_width};
use super::failed;
use crate::error::Result;

/// The size of letters, the length of a sample, and from a text to the next sample.
const EM: f64 = 13.5;
const SAMPLE: f64 = 28.0;
const GAP: f64 = 22.0;
/// Of a table: from a line to the next, the smallest size of letters as a share of the usual, how
/// many lines are few enough for the usual size, and the most lines.
const LINE: f64 = 20.0;
const SMALLEST: f64 = 0.75;
const FEW_LINES: usize = 4;
const MOST_LINES: usize = 10;

/// What stands before a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sample {
    /// A line, and whether it has markers.
    Line(Pen, bool),
    /// A marker alone.
    Mark(Mark, RGBColor),
    /// A measurement that did not converge.
    Unconverged,
    /// Nothing.
    Blank,
}

/// A name and what it names.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The name.
    pub(super) text: String,
    /// What it names.
    pub(super) sample: Sample,
}

impl Entry {
    /// Of a line.
    pub(super) fn line(text: impl Into<String>, pen: Pen, marked: bool) -> Self {
        Self { text: text.into(), sample: Sample::Line(pen, marked) }
    }

    /// Of a marker.
    pub(super) fn mark(text: impl Into<String>, mark: Mark, color: RGBColor) -> Self {
        Self { text: text.into(), sample: Sample::Mark(mark, color) }
    }

    /// From a pixel on, in the given share of the usual size.
    fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        (left, y): Pixel,
        offset: f64,
        shrink: f64,
    ) -> Result<()> {
        let [from, middle, to] =
            [0.0, 0.5, 1.0].map(|part| left + px(offset + part * SAMPLE * shrink));
        match self.sample {
            Sample::Line(pen, marked) => {
                canvas.stroke(&[(from, y), (to, y)], pen)?;
                if marked {
                    canvas.dot((middle, y), pen.width + 1.0, pen.color)?;
                }
            }
            Sample::Mark(mark, color) => canvas.mark((middle, y), mark, color)?,
            Sample::Unconverged => {
                let corners = [(from, y - px(8.0)), (to, y + px(8.0))];
                canvas.area.draw(&Rectangle::new(corners, SHADE.filled())).map_err(failed)?;
                canvas.bar(middle, [y + px(5.0), y - px(5.0)], true)?;
            }
            Sample::Blank => {}
        }
        let font = canvas.font(EM * shrink, HPos::Left);
        canvas.text(&self.text, (to + px(7.0 * shrink), y), &font)
    }
}

/// With its sample and the gap to the next.
fn width(text: &str) -> f64 {
    text_width(text, EM) + SAMPLE + GAP
}

/// How far values reach that are not shown.
pub(super) fn clipped(value: f64) -> String {
    let step = 10f64.powf((value.abs().log10() - 1.0).floor());
    let plain = (1e-3..1e6).contains(&value.abs());
    format!("clipped; reaches {}", number(value, step, plain))
}

/// One row, from a pixel on over `room` layout units, with a remark at its end.
pub(super) fn row<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    entries: &[Entry],
    remark: Option<&str>,
    at: Pixel,
    room: f64,
) -> Result<()> {
    let texts = entries.iter().map(|entry| entry.text.as_str());
    let needed: f64 = texts.chain(remark).map(width).sum();
    let shrink = (room / needed.max(1.0)).min(1.0);
    let mut x = 2.0;
    for entry in entries {
        entry.draw(canvas, at, x, shrink)?;
        x += width(&entry.text) * shrink;
    }
    remark.map_or(Ok(()), |remark| {
        let font = canvas.font(EM * shrink, HPos::Right).color(&GREY);
        canvas.text(remark, (at.0 + px(room), at.1), &font)
    })
}

/// Names in several lines.
pub(super) struct Table {
    /// Each with its place.
    entries: Vec<(Entry, Place)>,
    shrink: f64,
}

/// A line, counted from 0, and layout units from its begin.
type Place = (usize, f64);

impl Table {
    /// In letters that are smaller where many lines would be needed. Names that are still too long
    /// are cut, and those beyond the last line counted.
    pub(super) fn new(mut entries: Vec<Entry>, room: f64) -> Self {
        // The last entry in a line needs no gap.
        let room = room + GAP;
        for entry in &mut entries {
            shorten(&mut entry.text, room / SMALLEST);
        }
        let widths: Vec<f64> = entries.iter().map(|entry| width(&entry.text)).collect();
        let scaled = |size: f64| widths.iter().map(|width| size * width).collect::<Vec<_>>();
        let size = [1.0, (1.0 + SMALLEST) / 2.0, SMALLEST].into_iter().find(|size| {
            let widths = scaled(*size);
            widths.iter().all(|width| *width <= room) && lines(&places(&widths, room)) <= FEW_LINES
        });
        let shrink = size.unwrap_or(SMALLEST);
        let places = places(&scaled(shrink), room);

        let count = entries.len();
        let mut entries: Vec<_> = entries.into_iter().zip(places).collect();
        entries.retain(|(_, place)| place.0 < MOST_LINES);
        if entries.len() < count {
            let more = |shown: usize| format!("… and {} more", count - shown);
            let needed = shrink * width(&more(0));
            let place = loop {
                match entries.pop() {
                    Some((_, place)) if place.1 + needed <= room => break place,
                    Some(_) => {}
                    None => break (0, 0.0),
                }
            };
            let text = more(entries.len());
            entries.push((Entry { text, sample: Sample::Blank }, place));
        }
        Self { entries, shrink }
    }

    /// Its height in layout units.
    pub(super) fn height(&self) -> f64 {
        self.entries.last().map_or(0.0, |(_, place)| (place.0 + 1) as f64 * LINE * self.shrink)
    }

    /// From a pixel on.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        (left, top): Pixel,
    ) -> Result<()> {
        self.entries.iter().try_for_each(|(entry, (line, x))| {
            let y = top + px((*line as f64 + 0.5) * LINE * self.shrink);
            entry.draw(canvas, (left, y), 2.0 + x, self.shrink)
        })
    }
}

fn lines(places: &[Place]) -> usize {
    places.last().map_or(0, |place| place.0 + 1)
}

/// In columns or, where a few wide entries would leave most of these empty, one after the other.
fn places(widths: &[f64], room: f64) -> Vec<Place> {
    let columns = |number: usize| -> Vec<f64> {
        let column = |i| widths.iter().skip(i).step_by(number).copied().fold(0.0, f64::max);
        (0..number).map(column).collect()
    };
    let mut fitting = (1..=widths.len()).rev().map(columns);
    let columns = fitting.find(|c| c.iter().sum::<f64>() <= room).unwrap_or(vec![room]);
    let place = |i: usize| (i / columns.len(), columns[..i % columns.len()].iter().sum());
    let table: Vec<Place> = (0..widths.len()).map(place).collect();

    let (mut line, mut x) = (0, 0.0);
    let mut place = |width: &f64| {
        if x > 0.0 && x + width > room {
            (line, x) = (line + 1, 0.0);
        }
        x += width;
        (line, x - width)
    };
    let text: Vec<Place> = widths.iter().map(&mut place).collect();
    if lines(&text) + 1 < lines(&table) { text } else { table }
}

/// Cuts letters off the end until the entry is no wider than `room` at its usual size.
fn shorten(text: &mut String, room: f64) {
    if width(text) <= room * (1.0 + 1e-9) {
        return;
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |count: usize| letters[..count].iter().chain(&['…']).collect::<String>();
    let fitting = (0..letters.len()).collect::<Vec<_>>();
    let count = fitting.partition_point(|&count| width(&cut(count)) <= room).saturating_sub(1);
    *text = cut(count);
}
