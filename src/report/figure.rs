//! The run's picture, `sharpness.svg` and `sharpness.png`: loss above, sharpness against the
//! stability threshold below, over the steps, with the measurements shaded that did not converge.
//! Both formats are drawn at one resolution: the SVG is scaled by its view box, the PNG averaged
//! down, which smooths its edges.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::error::{Error, Result};
use crate::record::StepRow;

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
    let (width, height) = CANVAS;
    let mut svg = String::new();
    draw(
        &SVGBackend::with_string(&mut svg, CANVAS).into_drawing_area(),
        rows,
        labels,
        Medium::SVG,
    )?;
    let drawn = format!("width=\"{width}\" height=\"{height}\"");
    let shown = format!(
        "width=\"{WIDTH}\" height=\"{HEIGHT}\" stroke-linejoin=\"round\" stroke-linecap=\"butt\""
    );
    Ok(svg.replacen(&drawn, &shown, 1))
}

/// The figure as the bytes of a PNG file of 1600 x 1200 pixels.
pub fn to_png(rows: &[StepRow], labels: &FigureLabels) -> Result<Vec<u8>> {
    let (width, height) = CANVAS;
    let mut fine = vec![255; width as usize * height as usize * 3];
    let area = BitMapBackend::with_buffer(&mut fine, CANVAS).into_drawing_area();
    draw(&area, rows, labels, Medium::BITMAP)?;
    drop(area);
    encode(&halve(&fine, width as usize * 3), (width / 2, height / 2))
}

/// Layout units; everything below is placed in them.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 750.0;
/// Pixels drawn per layout unit.
const UNIT: f64 = 3.2;
const CANVAS: (u32, u32) = ((WIDTH * UNIT) as u32, (HEIGHT * UNIT) as u32);
const LEFT: f64 = 92.0;
const RIGHT: f64 = 978.0;
const LEGEND: f64 = 30.0;

/// Both the name under which plotters finds the embedded font and the list SVG viewers read.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// Okabe and Ito's palette, which colour-blind readers can tell apart.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILLION: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const WARNING: RGBColor = RGBColor(230, 159, 0);
const WARNING_SHADE: RGBColor = RGBColor(253, 240, 210);
const INK: RGBColor = RGBColor(34, 34, 34);
const AXIS: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(226, 226, 226);
const FAINT_GRID: RGBColor = RGBColor(243, 243, 243);

/// Values beyond it count as not finite, so that differences and pixels stay finite.
const LARGEST: f64 = 1e200;
/// Up to so many points, each gets a marker.
const MARKED: usize = 60;

type Point = (f64, f64);

/// How the two backends differ.
#[derive(Clone, Copy)]
struct Medium {
    /// Whether the backend strokes wide paths well. The bitmap backend fills the path's outline,
    /// which leaves holes where it crosses itself, and its corners are rounded to whole pixels.
    strokes: bool,
    /// Font size that plotters needs for letters of em size 1.
    size: f64,
    /// Depth of the baseline, in ems, below the position of text anchored at its top.
    ascent: f64,
}

impl Medium {
    const SVG: Self = Self { strokes: true, size: 1.24, ascent: 0.76 };
    const BITMAP: Self = Self { strokes: false, size: 1.164, ascent: 0.582 };
}

fn failed(reason: impl ToString) -> Error {
    Error::Numerical { what: "drawing the figure", reason: reason.to_string() }
}

/// Averages blocks of 2 x 2 pixels; `stride` is the length of a row in bytes.
fn halve(fine: &[u8], stride: usize) -> Vec<u8> {
    let mut coarse = Vec::with_capacity(fine.len() / 4);
    for pair in fine.chunks_exact(2 * stride) {
        let (upper, lower) = pair.split_at(stride);
        for (a, b) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            coarse.extend((0..3).map(|c| {
                let sum: u16 = [a[c], a[c + 3], b[c], b[c + 3]].map(u16::from).iter().sum();
                ((sum + 2) / 4) as u8
            }));
        }
    }
    coarse
}

/// The plotters crate encodes images only into files.
fn encode(pixels: &[u8], size: (u32, u32)) -> Result<Vec<u8>> {
    let file = tempfile::Builder::new().suffix(".png").tempfile().map_err(failed)?;
    let mut backend = BitMapBackend::new(file.path(), size);
    backend.blit_bitmap((0, 0), size, pixels).map_err(failed)?;
    backend.present().map_err(failed)?;
    drop(backend);
    std::fs::read(file.path()).map_err(failed)
}

/// Draws in layout units.
struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    medium: Medium,
}

fn pixel((x, y): Point) -> (i32, i32) {
    ((x * UNIT).round() as i32, (y * UNIT).round() as i32)
}

impl<DB: DrawingBackend> Canvas<'_, DB> {
    fn path(&self, points: &[Point], color: RGBColor, width: f64) -> Result<()> {
        if self.medium.strokes {
            let style = color.stroke_width((width * UNIT).round() as u32);
            let mut pixels: Vec<_> = points.iter().copied().map(pixel).collect();
            pixels.dedup();
            return self.area.draw(&PathElement::new(pixels, style)).map_err(failed);
        }
        let radius = width * UNIT / 2.0;
        for (i, pair) in points.windows(2).enumerate() {
            let [from, to] = [pair[0], pair[1]].map(|(x, y)| (x * UNIT, y * UNIT));
            let along = (to.0 - from.0, to.1 - from.1);
            let square = along.0 * along.0 + along.1 * along.1;
            let (first, last) = (i == 0, i + 2 == points.len());
            let around = |a: f64, b: f64| {
                (a.min(b) - radius).floor() as i32..=(a.max(b) + radius).ceil() as i32
            };
            for y in around(from.1, to.1) {
                for x in around(from.0, to.0) {
                    let off = (f64::from(x) + 0.5 - from.0, f64::from(y) + 0.5 - from.1);
                    let share = (off.0 * along.0 + off.1 * along.1) / square.max(1e-9);
                    let near = share.clamp(0.0, 1.0);
                    let distance = (off.0 - near * along.0).hypot(off.1 - near * along.1);
                    let beyond = (first && share < 0.0) || (last && share > 1.0);
                    if distance <= radius && !beyond {
                        self.area.draw_pixel((x, y), &color).map_err(failed)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Dashes along a path; longer ones where there would be very many.
    fn dashes(&self, points: &[Point], color: RGBColor, width: f64) -> Result<()> {
        let length = |pair: &[Point]| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1);
        let total: f64 = points.windows(2).map(length).sum();
        let unit = (total / 1500.0).max(4.0);
        let (mut left, mut on, mut dash) =
            (2.0 * unit, true, Vec::from_iter(points.first().copied()));
        for pair in points.windows(2) {
            let (whole, mut done) = (length(pair), 0.0);
            while whole - done > left {
                done += left;
                let share = done / whole;
                let cut = (
                    pair[0].0 + share * (pair[1].0 - pair[0].0),
                    pair[0].1 + share * (pair[1].1 - pair[0].1),
                );
                if on {
                    dash.push(cut);
                    self.path(&dash, color, width)?;
                }
                (on, left, dash) = (!on, if on { unit } else { 2.0 * unit }, vec![cut]);
            }
            left -= whole - done;
            dash.push(pair[1]);
        }
        if on { self.path(&dash, color, width) } else { Ok(()) }
    }

    fn rect(&self, from: Point, to: Point, color: RGBColor) -> Result<()> {
        let corners = [pixel(from), pixel(to)];
        self.area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)
    }

    fn dot(&self, center: Point, radius: f64, color: RGBColor) -> Result<()> {
        let radius = (radius * UNIT).round() as i32;
        self.area.draw(&Circle::new(pixel(center), radius, color.filled())).map_err(failed)
    }

    /// A vertical error bar.
    fn bar(&self, x: f64, low: f64, high: f64, capped: bool) -> Result<()> {
        self.path(&[(x, low), (x, high)], WARNING, 1.2)?;
        for y in [low, high].into_iter().filter(|_| capped) {
            self.path(&[(x - 2.5, y), (x + 2.5, y)], WARNING, 1.2)?;
        }
        Ok(())
    }

    /// Writes on a baseline through `at`.
    fn text(&self, text: &str, at: Point, em: f64, look: Look) -> Result<()> {
        let drop = self.medium.ascent * em;
        let (at, turn) = if look.upward {
            ((at.0 - drop, at.1), FontTransform::Rotate270)
        } else {
            ((at.0, at.1 - drop), FontTransform::None)
        };
        let style = TextStyle::from((FONT, self.medium.size * em * UNIT, look.weight))
            .transform(turn)
            .color(&look.color)
            .pos(Pos::new(look.align, VPos::Top));
        self.area.draw(&Text::new(text, pixel(at), style)).map_err(failed)
    }
}

#[derive(Clone, Copy)]
struct Look {
    color: RGBColor,
    align: HPos,
    weight: FontStyle,
    upward: bool,
}

const PLAIN: Look =
    Look { color: INK, align: HPos::Left, weight: FontStyle::Normal, upward: false };
const CENTERED: Look = Look { align: HPos::Center, ..PLAIN };
const RIGHTWARD: Look = Look { align: HPos::Right, ..PLAIN };

fn text_width(text: &str, em: f64, weight: FontStyle) -> f64 {
    let font = (FONT, Medium::BITMAP.size * em * UNIT, weight).into_font();
    font.box_size(text).map_or(0.0, |(width, _)| f64::from(width) / UNIT)
}

/// `em`, or what makes the text fit into `room`.
fn fitting(text: &str, em: f64, weight: FontStyle, room: f64) -> f64 {
    em * (room / text_width(text, em, weight).max(1.0)).min(1.0)
}

/// Text that XML can hold.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// One quantity over the steps.
struct Line {
    /// Its legend entry; empty for none.
    label: String,
    points: Vec<Point>,
    color: RGBColor,
    width: f64,
    dashed: bool,
    /// The most columns it is reduced to, which bounds the size of the SVG.
    columns: f64,
}

impl Line {
    fn new(label: &str, points: Vec<Point>, color: RGBColor, width: f64) -> Self {
        Self { label: label.into(), points, color, width, dashed: false, columns: RIGHT - LEFT }
    }
}

#[derive(Default)]
struct Panel {
    axis: &'static str,
    lines: Vec<Line>,
    /// Whether rows without convergence are shown.
    curvature: bool,
    /// Error bars: step, lower and upper end.
    bars: Vec<(f64, f64, f64)>,
    log: bool,
    /// What the axis shows, in its own (perhaps logarithmic) coordinate.
    range: Point,
    /// The largest magnitude outside of it, if any.
    clipped: Option<f64>,
    top: f64,
    bottom: f64,
}

fn usable(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.abs() < LARGEST)
}

fn column(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Vec<Point> {
    let mut points: Vec<Point> =
        rows.iter().filter_map(|r| Some((r.step as f64, usable(value(r))?))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

fn subscript(number: usize) -> String {
    let digit = |c: char| char::from_u32(0x2080 + c.to_digit(10)?);
    number.to_string().chars().filter_map(digit).collect()
}

fn superscript(number: i32) -> String {
    let raised = |c: char| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(c.to_digit(10)? as usize);
    number.to_string().chars().map(|c| raised(c).unwrap_or('⁻')).collect()
}

fn paler(color: RGBColor, share: f64) -> RGBColor {
    let mix = |c: u8| (f64::from(c) * share + 255.0 * (1.0 - share)).round() as u8;
    RGBColor(mix(color.0), mix(color.1), mix(color.2))
}

fn panels(rows: &[StepRow], labels: &FigureLabels) -> Vec<Panel> {
    let loss = Panel {
        lines: vec![
            Line::new("training loss", column(rows, |r| r.train_loss), BLUE, 1.6),
            Line::new("validation loss", column(rows, |r| r.val_loss), VERMILLION, 1.6),
        ],
        ..Panel::default()
    };
    let top = |r: &StepRow| r.sharpness.or(r.lambda.first().copied());
    let count = rows.iter().map(|r| r.lambda.len()).max().unwrap_or(0);
    let mut lines = vec![Line::new("sharpness λ₁", column(rows, top), BLUE, 1.6)];
    for k in 1..count {
        let label = match (k, count) {
            (1, 2) => "λ₂".to_string(),
            (1, _) => format!("λ₂–λ{}", subscript(count)),
            _ => String::new(),
        };
        let shade = paler(BLUE, 0.5 - 0.25 * (k - 1) as f64 / count as f64);
        let mut line = Line::new(&label, column(rows, |r| r.lambda.get(k).copied()), shade, 1.1);
        line.columns *= (12.0 / count as f64).min(1.0);
        lines.push(line);
    }
    lines.push(Line::new("λₘᵢₙ", column(rows, |r| r.lambda_min), GREEN, 1.4));
    lines.push(Line::new("batch sharpness", column(rows, |r| r.batch_sharpness), PURPLE, 1.4));
    let threshold = Line {
        dashed: true,
        ..Line::new(
            &format!("threshold ({})", printable(&labels.threshold)),
            column(rows, |r| r.threshold),
            RGBColor(0, 0, 0),
            1.7,
        )
    };
    // The threshold belongs to the preconditioned Hessian where that was measured.
    let preconditioned = column(rows, |r| r.preconditioned_sharpness);
    let (mut hessian, mut all) = (Panel { axis: "sharpness", ..Panel::default() }, vec![loss]);
    if preconditioned.is_empty() {
        lines.push(threshold);
    } else {
        hessian.axis = "Hessian eigenvalues";
        all.push(Panel {
            axis: "preconditioned sharpness",
            bars: bars(rows, |r| r.preconditioned_sharpness),
            lines: vec![
                Line::new("preconditioned sharpness", preconditioned, BLUE, 1.6),
                threshold,
            ],
            curvature: true,
            ..Panel::default()
        });
    }
    all.push(Panel { lines, curvature: true, bars: bars(rows, top), ..hessian });
    for panel in &mut all {
        panel.lines.retain(|line| !line.points.is_empty());
        panel.choose_range();
    }
    all[0].axis = if all[0].log { "loss (log scale)" } else { "loss" };
    let heights: &[f64] = if all.len() == 2 { &[0.42, 0.58] } else { &[0.3, 0.35, 0.35] };
    let (mut top, gap) = (48.0, 8.0);
    let room = 692.0 - top - gap * (all.len() as f64 - 1.0);
    for (panel, share) in all.iter_mut().zip(heights) {
        let height = share * room;
        (panel.top, panel.bottom) = (top + LEGEND, top + height);
        top += height + gap;
    }
    all
}

/// Around the values that did not converge: an eigenvalue lies within the residual of each.
fn bars(rows: &[StepRow], value: impl Fn(&StepRow) -> Option<f64>) -> Vec<(f64, f64, f64)> {
    let bar = |r: &StepRow| {
        let (value, residual) = (usable(value(r))?, usable(r.residual)?);
        let half = usable(Some((residual * value).abs()))?;
        Some((r.step as f64, value - half, value + half))
    };
    rows.iter().filter(|r| r.converged == Some(false)).filter_map(bar).collect()
}

/// Of the magnitudes.
fn quantile(points: &[Point], share: f64) -> Option<f64> {
    let mut sizes: Vec<f64> = points.iter().map(|p| p.1.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get((sizes.len().saturating_sub(1) as f64 * share).round() as usize).copied()
}

impl Panel {
    fn choose_range(&mut self) {
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|p| p.1));
        let ends = self.bars.iter().flat_map(|b| [b.1, b.2]);
        let (low, high) = values
            .chain(ends)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            self.range = (0.0, 1.0);
            return;
        }
        let (mut from, mut to) = (low, high);
        if self.curvature {
            // The threshold's median, because learning rates near 0 send it off to infinity.
            let size = |l: &Line| quantile(&l.points, if l.dashed { 0.5 } else { 0.95 });
            let limit = self.lines.iter().filter_map(size).fold(0.0, f64::max);
            if limit > 0.0 {
                (from, to) = (low.max(-3.0 * limit), high.min(3.0 * limit));
            }
            if from > 0.0 && from < 0.4 * to {
                from = 0.0;
            }
        } else {
            self.log = low > 0.0 && high > 3.0 * low;
        }
        if from > low || to < high {
            self.clipped = Some(if high > to { high } else { low });
        }
        if self.log {
            (from, to) = (from.log10(), to.log10());
        }
        let margin = if to - from > 1e-9 * from.abs().max(to.abs()) {
            0.05 * (to - from)
        } else if from == 0.0 {
            1.0
        } else {
            0.1 * from.abs()
        };
        let floor = if self.curvature && from == 0.0 && to > 0.0 { 0.0 } else { from - margin };
        self.range = (floor, to + margin);
    }

    /// Where a value of the axis' coordinate lies.
    fn place(&self, value: f64) -> f64 {
        let share = (value - self.range.0) / (self.range.1 - self.range.0);
        self.bottom - share * (self.bottom - self.top)
    }

    fn y(&self, value: f64) -> f64 {
        self.place(if self.log { value.log10() } else { value })
    }

    /// The pieces of the path through `points` that lie inside the panel.
    fn inside(&self, points: &[Point]) -> Vec<Vec<Point>> {
        let mut pieces: Vec<Vec<Point>> = Vec::new();
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let cross = |edge: f64| {
                if b.1 == a.1 { f64::NAN } else { (edge - a.1) / (b.1 - a.1) }
            };
            let (s, t) = (cross(self.top), cross(self.bottom));
            let outside = |p: Point| p.1 < self.top || p.1 > self.bottom;
            let start = if outside(a) { s.min(t) } else { 0.0 };
            let end = if outside(b) { s.max(t) } else { 1.0 };
            if !(0.0..=1.0).contains(&start) || !(0.0..=1.0).contains(&end) {
                continue;
            }
            let at = |share: f64| match share {
                1.0 => b,
                _ => (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1)),
            };
            match pieces.last_mut() {
                Some(piece) if start == 0.0 && piece.last() == Some(&a) => piece.push(at(end)),
                _ => pieces.push(vec![at(start), at(end)]),
            }
        }
        pieces
    }
}

/// Cuts where a gap is far longer than both gaps beside it: there, measurements are missing.
fn runs(points: &[Point]) -> Vec<&[Point]> {
    let gap = |i: usize| points.get(i + 1).map(|next| next.0 - points[i].0);
    let (mut all, mut begin) = (Vec::new(), 0);
    for i in 1..points.len().saturating_sub(2) {
        let beside = gap(i - 1).into_iter().chain(gap(i + 1)).fold(0.0, f64::max);
        if gap(i).is_some_and(|g| g > 3.0 * beside) {
            all.push(&points[begin..=i]);
            begin = i + 1;
        }
    }
    all.push(&points[begin..]);
    all
}

/// Keeps the first, lowest, highest and last point of each column of `width`.
fn decimate(points: &[Point], width: f64) -> Vec<Point> {
    let column = |p: &Point| (p.0 / width).floor() as i64;
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let order = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let ends = [(0..group.len()).min_by(order), (0..group.len()).max_by(order)];
        let mut chosen = vec![0, group.len() - 1];
        chosen.extend(ends.into_iter().flatten());
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|i| group[i]));
    }
    kept
}

/// A number with the decimals that multiples of `step` need, scientific unless `plain`.
fn number(value: f64, step: f64, plain: bool) -> String {
    let value = if value.abs() < 1e-9 * step { 0.0 } else { value };
    let places = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize;
    if value == 0.0 {
        return "0".to_string();
    }
    if plain {
        return format!("{value:.*}", places(step)).replace('-', "−");
    }
    let power = (value.abs().log10() + 1e-12).floor();
    let mantissa = value / 10f64.powf(power);
    let digits = format!("{mantissa:.*}", places(step / 10f64.powf(power))).replace('-', "−");
    let raised = format!("10{}", superscript(power as i32));
    if digits == "1" { raised } else { format!("{digits}×{raised}") }
}

struct Tick {
    at: f64,
    /// Empty for a minor one.
    label: String,
}

/// About `count` round values between `low` and `high`.
fn linear_ticks((low, high): Point, count: f64, whole: bool) -> Vec<Tick> {
    let rough = (high - low) / count;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough).unwrap_or(10.0);
    let step = if whole { (factor * power).max(1.0) } else { factor * power };
    let plain = step >= 1e-4 && low.abs().max(high.abs()) < 1e6;
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    (0..=(last - first).clamp(-1.0, 50.0) as i64)
        .map(|i| (first + i as f64) * step)
        .filter(|at| *at <= high + 1e-9 * step)
        .map(|at| Tick { at, label: if whole { format!("{at}") } else { number(at, step, plain) } })
        .collect()
}

/// Ticks of a logarithmic axis from 10^low to 10^high.
fn log_ticks((low, high): Point) -> Vec<Tick> {
    let span = high - low;
    let stride = (span / 6.0).ceil().max(1.0) as i32;
    let named: &[i32] = if span < 1.3 {
        &[1, 2, 3, 5, 7]
    } else if span < 2.6 {
        &[1, 2, 5]
    } else {
        &[1]
    };
    let mut ticks = Vec::new();
    for power in low.floor() as i32..=high.ceil() as i32 {
        for multiple in 1..10 {
            let value = f64::from(multiple) * 10f64.powi(power);
            let at = f64::from(multiple).log10() + f64::from(power);
            let major = named.contains(&multiple) && power % stride == 0;
            if at < low || at > high || (stride > 1 && !major) {
                continue;
            }
            let plain = stride == 1 && (1e-3..1e4).contains(&value);
            let label = if major { number(value, 10f64.powi(power), plain) } else { String::new() };
            ticks.push(Tick { at, label });
        }
    }
    ticks
}

fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    rows: &[StepRow],
    labels: &FigureLabels,
    medium: Medium,
) -> Result<()> {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        // Where it fails, drawing the first text reports that the font is missing.
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
        let _ = register_font(FONT, FontStyle::Bold, dejavu::sans::bold());
    });
    area.fill(&WHITE).map_err(failed)?;
    let canvas = Canvas { area, medium };
    let middle = (LEFT + RIGHT) / 2.0;
    let title = printable(&labels.title);
    let em = fitting(&title, 20.0, FontStyle::Bold, WIDTH - 60.0);
    canvas.text(&title, (middle, 36.0), em, Look { weight: FontStyle::Bold, ..CENTERED })?;
    let steps = rows.iter().map(|r| r.step as f64);
    let (first, last) = steps.fold((f64::INFINITY, 0f64), |(l, h), s| (l.min(s), h.max(s)));
    if rows.is_empty() {
        let look = Look { color: AXIS, ..CENTERED };
        canvas.text("no data", (WIDTH / 2.0, HEIGHT / 2.0), 24.0, look)?;
        return area.present().map_err(failed);
    }
    let span = if last > first { (first, last) } else { (first - 1.0, first + 1.0) };
    let frame = Frame { span, last, rows };
    let all = panels(rows, labels);
    for panel in &all {
        frame.draw(&canvas, panel)?;
    }
    let bottom = all.last().map_or(HEIGHT, |panel| panel.bottom);
    for tick in frame.ticks() {
        canvas.text(&tick.label, (frame.x(tick.at), bottom + 21.0), 13.0, CENTERED)?;
    }
    canvas.text("step", (middle, bottom + 42.0), 15.0, CENTERED)?;
    area.present().map_err(failed)
}

/// The steps, which all panels share.
struct Frame<'a> {
    span: Point,
    last: f64,
    rows: &'a [StepRow],
}

impl Frame<'_> {
    fn x(&self, step: f64) -> f64 {
        let inset = 8.0;
        let share = (step - self.span.0) / (self.span.1 - self.span.0);
        LEFT + inset + share * (RIGHT - LEFT - 2.0 * inset)
    }

    fn ticks(&self) -> Vec<Tick> {
        let mut ticks = linear_ticks(self.span, 8.0, true);
        ticks.retain(|tick| tick.at >= 0.0 && tick.at <= self.last);
        ticks
    }

    /// From where to where measurements did not converge: half-way to their neighbours.
    fn shaded(&self) -> Vec<Point> {
        let measured = column(self.rows, |r| r.converged.map(|c| if c { 1.0 } else { 0.0 }));
        let mut spans: Vec<Point> = Vec::new();
        for (i, (step, converged)) in measured.iter().enumerate() {
            if *converged == 1.0 {
                continue;
            }
            let x = self.x(*step);
            let half_way = |j: usize| measured.get(j).map(|p| (self.x(p.0) + x) / 2.0);
            let from = i.checked_sub(1).and_then(half_way).unwrap_or(x).min(x - 1.5).max(LEFT);
            let to = half_way(i + 1).unwrap_or(x).max(x + 1.5).min(RIGHT);
            match spans.last_mut() {
                Some(last) if from <= last.1 + 0.5 => last.1 = to,
                _ => spans.push((from, to)),
            }
        }
        spans
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> Result<()> {
        let (top, bottom) = (panel.top, panel.bottom);
        let shaded = if panel.curvature { self.shaded() } else { Vec::new() };
        for (from, to) in &shaded {
            canvas.rect((*from, top), (*to, bottom), WARNING_SHADE)?;
        }
        let ticks = if panel.log {
            log_ticks(panel.range)
        } else {
            linear_ticks(panel.range, ((bottom - top) / 45.0).max(3.0), false)
        };
        for tick in self.ticks() {
            let x = self.x(tick.at);
            canvas.path(&[(x, top), (x, bottom)], GRID, 0.9)?;
            canvas.path(&[(x, bottom), (x, bottom + 5.0)], AXIS, 1.0)?;
        }
        let empty = panel.lines.is_empty();
        for tick in ticks.iter().filter(|_| !empty) {
            let (y, minor) = (panel.place(tick.at), tick.label.is_empty());
            canvas.path(&[(LEFT, y), (RIGHT, y)], if minor { FAINT_GRID } else { GRID }, 0.9)?;
            canvas.path(&[(LEFT - if minor { 3.0 } else { 5.0 }, y), (LEFT, y)], AXIS, 1.0)?;
            let em = fitting(&tick.label, 13.0, FontStyle::Normal, LEFT - 42.0);
            canvas.text(&tick.label, (LEFT - 9.0, y + 0.36 * em), em, RIGHTWARD)?;
        }
        if empty {
            let look = Look { color: AXIS, ..CENTERED };
            canvas.text("no data", ((LEFT + RIGHT) / 2.0, (top + bottom) / 2.0), 16.0, look)?;
        }
        let em = fitting(panel.axis, 15.0, FontStyle::Normal, bottom - top + LEGEND);
        let upward = Look { upward: true, ..CENTERED };
        canvas.text(panel.axis, (28.0, (top + bottom) / 2.0), em, upward)?;
        self.draw_bars(canvas, panel)?;
        let (dashed, solid): (Vec<_>, Vec<_>) = panel.lines.iter().partition(|l| l.dashed);
        for line in solid.into_iter().rev().chain(dashed) {
            self.draw_line(canvas, panel, line)?;
        }
        canvas.path(&[(LEFT, top), (LEFT, bottom), (RIGHT, bottom)], AXIS, 1.2)?;
        legend(canvas, panel, !shaded.is_empty())
    }

    fn draw_bars<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, panel: &Panel) -> Result<()> {
        let x = |bar: &(f64, f64, f64)| self.x(bar.0);
        let near = |a: &(f64, f64, f64), b: &(f64, f64, f64)| x(a).floor() == x(b).floor();
        let capped = panel.bars.windows(2).all(|pair| x(&pair[1]) - x(&pair[0]) > 8.0);
        for group in panel.bars.chunk_by(near) {
            let low = group.iter().fold(f64::INFINITY, |l, b| l.min(b.1));
            let high = group.iter().fold(f64::NEG_INFINITY, |h, b| h.max(b.2));
            let (low, high) = (panel.y(low).min(panel.bottom), panel.y(high).max(panel.top));
            if low >= high {
                canvas.bar(x(&group[0]), low, high, capped)?;
            }
        }
        Ok(())
    }

    fn draw_line<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        panel: &Panel,
        line: &Line,
    ) -> Result<()> {
        let few = line.points.len() <= MARKED && !line.dashed;
        for run in runs(&line.points) {
            let placed: Vec<Point> = run.iter().map(|p| (self.x(p.0), panel.y(p.1))).collect();
            let mut kept = decimate(&placed, (RIGHT - LEFT) / line.columns);
            if let ([only], true) = (&kept[..], line.dashed) {
                kept = vec![(only.0 - 8.0, only.1), (only.0 + 8.0, only.1)];
            }
            for piece in panel.inside(&kept) {
                if line.dashed {
                    canvas.dashes(&piece, line.color, line.width)?;
                } else {
                    canvas.path(&piece, line.color, line.width)?;
                }
            }
            if few || kept.len() == 1 {
                let visible = kept.iter().filter(|p| p.1 >= panel.top && p.1 <= panel.bottom);
                for point in visible {
                    canvas.dot(*point, line.width + 1.0, line.color)?;
                }
            }
        }
        Ok(())
    }
}

/// One row above the panel, so that it hides nothing.
fn legend<DB: DrawingBackend>(canvas: &Canvas<DB>, panel: &Panel, shaded: bool) -> Result<()> {
    let note = panel.clipped.map(|value| {
        let step = 10f64.powf((value.abs().log10() - 1.0).floor());
        format!(
            "clipped; reaches {}",
            number(value, step, value.abs() < 1e6 && value.abs() >= 1e-3)
        )
    });
    let mut entries: Vec<(&str, Option<&Line>)> =
        panel.lines.iter().filter(|l| !l.label.is_empty()).map(|l| (&*l.label, Some(l))).collect();
    if shaded {
        entries.push(("not converged", None));
    }
    let (sample, gap, y) = (28.0, 22.0, panel.top - 15.0);
    let texts: f64 = entries
        .iter()
        .map(|(label, _)| *label)
        .chain(note.as_deref())
        .map(|label| text_width(label, 13.5, FontStyle::Normal) + sample + gap)
        .sum();
    let shrink = ((RIGHT - LEFT) / texts.max(1.0)).min(1.0);
    let em = 13.5 * shrink;
    let mut x = LEFT + 2.0;
    for (label, line) in entries {
        let end = x + sample * shrink;
        match line {
            Some(line) if line.dashed => {
                canvas.dashes(&[(x, y), (end, y)], line.color, line.width)?
            }
            Some(line) => {
                canvas.path(&[(x, y), (end, y)], line.color, line.width)?;
                if line.points.len() <= MARKED {
                    canvas.dot(((x + end) / 2.0, y), line.width + 1.0, line.color)?;
                }
            }
            None => {
                canvas.rect((x, y - 8.0), (end, y + 8.0), WARNING_SHADE)?;
                canvas.bar((x + end) / 2.0, y + 5.0, y - 5.0, true)?;
            }
        }
        canvas.text(label, (end + 7.0 * shrink, y + 0.36 * em), em, PLAIN)?;
        x = end + gap * shrink + text_width(label, em, FontStyle::Normal);
    }
    if let Some(note) = note {
        canvas.text(&note, (RIGHT, y + 0.36 * em), em, Look { color: AXIS, ..RIGHTWARD })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> FigureLabels {
        FigureLabels { title: "mlp <gd> & η\u{1}".into(), threshold: "2/η".into() }
    }

    fn row(step: usize) -> StepRow {
        let sharpness = 7.0 + (step % 7) as f64;
        StepRow {
            step,
            train_loss: Some(1.0 / (step as f64 + 1.0)),
            sharpness: Some(sharpness),
            threshold: Some(10.0),
            lambda: vec![sharpness, 0.5 * sharpness, 0.1],
            residual: Some(1e-4),
            converged: Some(true),
            ..StepRow::default()
        }
    }

    fn rows(count: usize) -> Vec<StepRow> {
        (0..count).map(row).collect()
    }

    /// Draws both formats and checks what holds for every figure.
    fn svg_of(rows: &[StepRow]) -> String {
        let svg = to_svg(rows, &labels()).unwrap();
        assert!(svg.starts_with("<svg width=\"1000\" height=\"750\""), "{}", &svg[..80]);
        assert!(svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.contains("mlp &lt;gd&gt; &amp; η\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains('\u{1}'));
        assert!(!svg.contains(&i32::MAX.to_string()) && !svg.contains(&i32::MIN.to_string()));
        let png = to_png(rows, &labels()).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(png[16..24], [0, 0, 6, 64, 0, 0, 4, 176]);
        svg
    }

    #[test]
    fn names_what_it_shows() {
        let svg = svg_of(&rows(100));
        for text in
            ["threshold (2/η)", "sharpness λ₁", "λ₂–λ₃", "training loss", "loss (log scale)"]
        {
            assert!(svg.contains(text), "{text}");
        }
        for text in ["validation loss", "λₘᵢₙ", "not converged", "clipped", "no data"] {
            assert!(!svg.contains(text), "{text}");
        }
    }

    #[test]
    fn draws_without_data() {
        assert!(svg_of(&[]).contains("no data"));
        let empty: Vec<_> = (0..9).map(|step| StepRow { step, ..StepRow::default() }).collect();
        assert_eq!(svg_of(&empty).matches("no data").count(), 2);
    }

    #[test]
    fn draws_a_single_row() {
        assert!(svg_of(&[row(12)]).contains("<circle"));
    }

    #[test]
    fn draws_constant_and_negative_values() {
        for (loss, sharpness) in [(0.7, -3.0), (0.0, 0.0), (1e-12, 1e-30), (1e9, 1e9)] {
            let fixed = |row: StepRow| StepRow {
                train_loss: Some(loss),
                sharpness: Some(sharpness),
                threshold: None,
                lambda: Vec::new(),
                ..row
            };
            let svg = svg_of(&rows(30).into_iter().map(fixed).collect::<Vec<_>>());
            assert!(!svg.contains("log scale"));
        }
    }

    #[test]
    fn skips_what_is_not_finite() {
        let mut all = rows(40);
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -f64::MAX];
        for (row, value) in all.iter_mut().skip(5).zip(values) {
            row.train_loss = Some(value);
            row.sharpness = Some(value);
            row.threshold = Some(value);
            row.residual = Some(value);
            row.lambda = vec![value; 3];
            row.converged = Some(false);
        }
        assert!(svg_of(&all).contains("loss (log scale)"));
    }

    #[test]
    fn marks_what_did_not_converge() {
        let mut all = rows(300);
        (all[100].converged, all[100].residual) = (Some(false), Some(0.1));
        (all[200].converged, all[200].sharpness, all[200].lambda) = (Some(false), None, Vec::new());
        let svg = svg_of(&all);
        assert!(svg.contains("not converged"));
        assert_eq!(svg.matches("#FDF0D2").count(), 3, "two rows and the legend");
    }

    #[test]
    fn clips_a_diverging_sharpness() {
        let mut all = rows(200);
        all[199].sharpness = Some(1e30);
        all[199].train_loss = Some(1e30);
        assert!(svg_of(&all).contains("clipped; reaches 1.0×10³⁰"));
    }

    #[test]
    fn shows_the_threshold_with_its_operator() {
        let mut all = rows(50);
        for row in &mut all {
            row.preconditioned_sharpness = row.sharpness.map(|s| 1000.0 * s);
            row.threshold = Some(10_000.0);
        }
        let svg = svg_of(&all);
        assert!(svg.contains("preconditioned sharpness") && svg.contains("Hessian eigenvalues"));
    }

    #[test]
    fn stays_small_for_long_runs() {
        let mut all = rows(100_000);
        for row in &mut all {
            row.val_loss = Some((row.step % 11) as f64 + 0.1);
            row.threshold = Some(10.0 + (row.step % 5) as f64);
            row.lambda = (0..50).map(|k| ((row.step * (k + 3)) % 17) as f64).collect();
            row.lambda_min = Some(-((row.step % 3) as f64));
            (row.converged, row.residual) = (Some(row.step % 2 == 0), Some(0.05));
        }
        let bytes = svg_of(&all).len();
        assert!(bytes < 1_000_000, "{bytes}");
    }

    #[test]
    fn connects_regular_measurements_and_leaves_gaps() {
        let at = |steps: &[usize]| steps.iter().map(|&s| (s as f64, 1.0)).collect::<Vec<_>>();
        let runs_of =
            |steps: &[usize]| runs(&at(steps)).iter().map(|r| r.len()).collect::<Vec<_>>();
        assert_eq!(runs_of(&[0, 10, 20, 30, 40]), [5]);
        assert_eq!(runs_of(&[0, 1, 2, 3, 53, 103, 153]), [7]);
        assert_eq!(runs_of(&[0, 1, 2, 90, 91, 92]), [3, 3]);
    }

    #[test]
    fn decimation_keeps_the_extremes() {
        let points: Vec<Point> =
            (0..1000).map(|i| (f64::from(i) / 100.0, f64::from(i * 37 % 101))).collect();
        let kept = decimate(&points, 1.0);
        assert!(kept.len() <= 40);
        let highest = |points: &[Point]| points.iter().map(|p| p.1).fold(0.0, f64::max);
        assert_eq!(highest(&kept), highest(&points));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(0.02, 0.01, true), "0.02");
        assert_eq!(number(-2.0, 1.0, true), "−2");
        assert_eq!(number(1.5e7, 5e6, false), "1.5×10⁷");
        assert_eq!(number(1e-5, 1e-5, false), "10⁻⁵");
    }
}
