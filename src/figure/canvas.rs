//! Where the figure is drawn: strokes, dots and text, the same to the eye in a bitmap and in an
//! SVG file. The bitmap is drawn finer than it is shown and averaged down, because plotters rounds
//! to whole pixels; the SVG has the same size in pixels and is scaled by its view box.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::failed;
use crate::error::Result;

/// The figure's width in layout units, in which everything is placed.
pub(super) const WIDTH: f64 = 1000.0;
/// Its height.
pub(super) const HEIGHT: f64 = 750.0;
/// Pixels drawn for each pixel shown, in both directions.
const FINE: usize = 3;
/// Pixels drawn per layout unit.
const UNIT: f64 = 1.6 * FINE as f64;
/// The figure's size in the pixels that are drawn.
pub(super) const SIZE: (u32, u32) = ((WIDTH * UNIT) as u32, (HEIGHT * UNIT) as u32);

/// Both the name under which plotters finds the embedded font and the list SVG viewers read.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// Axes and remarks.
pub(super) const GREY: RGBColor = RGBColor(110, 110, 110);
/// Behind measurements that did not converge.
pub(super) const SHADE: RGBColor = RGBColor(253, 240, 210);
const WARNING: RGBColor = RGBColor(230, 159, 0);
const INK: RGBColor = RGBColor(34, 34, 34);

/// Dashes in one line, about, so that the SVG stays small.
const MOST_DASHES: f64 = 500.0;

/// Coordinates of a drawn pixel.
pub(super) type Pixel = (i32, i32);

/// A length in layout units, in pixels.
pub(super) fn px(units: f64) -> i32 {
    (units * UNIT).round() as i32
}

/// A length in pixels, in layout units.
pub(super) fn units(pixels: i32) -> f64 {
    f64::from(pixels) / UNIT
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pen {
    /// Its colour.
    pub(super) color: RGBColor,
    /// Its width in layout units.
    pub(super) width: f64,
    /// How it is broken, if it is.
    pub(super) dash: Option<Dash>,
    /// The width of white beside it, which sets it off from lines of its colour.
    pub(super) halo: f64,
}

/// How a line is broken, in layout units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dash {
    /// The length of a dash.
    pub(super) on: f64,
    /// From a dash to the next.
    pub(super) off: f64,
    /// What is left out before the first dash.
    pub(super) start: f64,
}

impl Dash {
    /// That of a threshold.
    pub(super) const SHORT: Self = Self { on: 8.0, off: 4.0, start: 0.0 };
}

impl Pen {
    /// A solid line.
    pub(super) const fn solid(color: RGBColor, width: f64) -> Self {
        Self { color, width, dash: None, halo: 0.0 }
    }

    /// A broken line.
    pub(super) const fn dashed(color: RGBColor, width: f64, dash: Dash) -> Self {
        Self { dash: Some(dash), ..Self::solid(color, width) }
    }

    /// What its halo is drawn with.
    fn halo(self) -> Self {
        Self { color: WHITE, width: self.width + 2.0 * self.halo, halo: 0.0, ..self }
    }

    /// What plotters calls it.
    pub(super) fn style(self) -> ShapeStyle {
        self.color.stroke_width(px(self.width) as u32)
    }
}

/// What stands for a run, or for several, at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A disc.
    Dot,
    /// A filled square.
    Square,
    /// An x.
    Cross,
    /// A circle around a point.
    Ring,
    /// A square around a point.
    Frame,
}

/// How the two backends differ.
#[derive(Clone, Copy)]
pub(super) struct Medium {
    /// Whether a path may have corners. The bitmap backend fills its outline, which leaves holes
    /// where zigzags cross it, so there each segment is drawn alone and the joints are rounded.
    corners: bool,
    /// Font size that plotters needs for letters of em size 1.
    size: f64,
    /// How far, in font sizes, text that plotters centres is to be lowered to look centred.
    lower: f64,
}

/// An SVG file.
pub(super) const SVG: Medium = Medium { corners: true, size: 1.24, lower: 0.07 };
/// A bitmap.
pub(super) const BITMAP: Medium = Medium { corners: false, size: 1.164, lower: 0.215 };

/// Draws in pixels, with widths and sizes in layout units.
pub(super) struct Canvas<DB: DrawingBackend> {
    /// The whole figure.
    pub(super) area: DrawingArea<DB, Shift>,
    medium: Medium,
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// An empty figure.
    pub(super) fn new(backend: DB, medium: Medium) -> Result<Self> {
        provide_fonts();
        let area = backend.into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        Ok(Self { area, medium })
    }

    /// A line through the points.
    pub(super) fn stroke(&self, points: &[Pixel], pen: Pen) -> Result<()> {
        let haloed = pen.halo > 0.0;
        if let Some(dash) = pen.dash {
            let length: f64 = points.windows(2).map(|pair| far(pair[0], pair[1])).sum();
            // Longer dashes where there would be very many.
            let most = if haloed { 0.5 * MOST_DASHES } else { MOST_DASHES };
            let longer = (length / most / f64::from(px(dash.on + dash.off))).max(1.0);
            let [on, off, start] =
                [dash.on, dash.off, dash.start].map(|part| (longer * f64::from(px(part))) as i32);
            let points = without_start(points, f64::from(start));
            let halo = haloed.then(|| pen.halo());
            return halo.into_iter().chain([pen]).try_for_each(|pen| {
                let dashes = DashedPathElement::new(points.clone(), on, off, pen.style());
                self.area.draw(&dashes).map_err(failed)
            });
        }
        if haloed {
            self.stroke(points, pen.halo())?;
        }
        let style = pen.style();
        if self.medium.corners {
            return self.area.draw(&PathElement::new(points, style)).map_err(failed);
        }
        // The filled outline of a stroke is one pixel wider than the stroke.
        let width = style.stroke_width.saturating_sub(1).max(1);
        for pair in points.windows(2) {
            let segment = PathElement::new(pair, pen.color.stroke_width(width));
            self.area.draw(&segment).map_err(failed)?;
        }
        for joint in points.iter().skip(1).rev().skip(1) {
            let disc = Circle::new(*joint, width / 2, pen.color.filled());
            self.area.draw(&disc).map_err(failed)?;
        }
        Ok(())
    }

    /// A disc.
    pub(super) fn dot(&self, center: Pixel, radius: f64, color: RGBColor) -> Result<()> {
        self.area.draw(&Circle::new(center, px(radius), color.filled())).map_err(failed)
    }

    /// A marker, set off from what lies behind it.
    pub(super) fn mark(&self, at: Pixel, mark: Mark, color: RGBColor) -> Result<()> {
        let corner = |x: f64, y: f64| (at.0 + px(x), at.1 + px(y));
        let square = |half: f64| {
            let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
            corners.map(|(x, y)| corner(half * x, half * y)).to_vec()
        };
        let pen = Pen { halo: 0.6, ..Pen::solid(color, 2.2) };
        // Past the first point, so that the joint there is as round as the others.
        let closed = |mut path: Vec<Pixel>| {
            path.extend_from_within(..2);
            self.stroke(&path, pen)
        };
        match mark {
            Mark::Dot => {
                self.dot(at, 5.2, WHITE)?;
                self.dot(at, 4.2, color)
            }
            Mark::Square => {
                [(4.9, WHITE), (3.9, color)].into_iter().try_for_each(|(half, color)| {
                    let corners = [corner(-half, -half), corner(half, half)];
                    self.area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)
                })
            }
            Mark::Cross => {
                let strokes = [-4.5, 4.5].map(|x| [corner(-x, -4.5), corner(x, 4.5)]);
                strokes.iter().try_for_each(|stroke| self.stroke(stroke, pen.halo()))?;
                strokes.iter().try_for_each(|stroke| self.stroke(stroke, Pen { halo: 0.0, ..pen }))
            }
            Mark::Ring => closed(
                (0..48)
                    .map(|i| f64::from(i) / 48.0 * std::f64::consts::TAU)
                    .map(|angle| corner(9.5 * angle.cos(), 9.5 * angle.sin()))
                    .collect(),
            ),
            Mark::Frame => closed(square(8.5)),
        }
    }

    /// A vertical error bar.
    pub(super) fn bar(&self, x: i32, ends: [i32; 2], capped: bool) -> Result<()> {
        let cap = if capped { px(2.5) } else { 0 };
        let [[a, b, c], [d, e, f]] = ends.map(|y| [(x - cap, y), (x + cap, y), (x, y)]);
        self.stroke(&[a, b, c, f, e, d], Pen::solid(WARNING, 1.2))
    }

    /// The style of text with letters of size `em`.
    pub(super) fn font(&self, em: f64, align: HPos) -> TextStyle<'static> {
        TextStyle::from((FONT, self.medium.size * em * UNIT))
            .color(&INK)
            .pos(Pos::new(align, VPos::Center))
    }

    /// Text at mid-height of `at`.
    pub(super) fn text(&self, text: &str, (x, y): Pixel, style: &TextStyle) -> Result<()> {
        let at = match style.font.get_transform() {
            FontTransform::Rotate270 => (x + self.lowered(style), y),
            _ => (x, y + self.lowered(style)),
        };
        self.area.draw_text(text, style, at).map_err(failed)
    }

    /// How far to lower text that plotters centres.
    pub(super) fn lowered(&self, style: &TextStyle) -> i32 {
        (self.medium.lower * style.font.get_size()).round() as i32
    }
}

fn far(a: Pixel, b: Pixel) -> f64 {
    f64::from(b.0 - a.0).hypot(f64::from(b.1 - a.1))
}

/// What is left of the path through `points` after its first `length` pixels.
fn without_start(points: &[Pixel], mut length: f64) -> Vec<Pixel> {
    for (i, pair) in points.windows(2).enumerate() {
        let (a, b, step) = (pair[0], pair[1], far(pair[0], pair[1]));
        if step > length {
            let part = |a: i32, b: i32| a + (f64::from(b - a) * length / step).round() as i32;
            let first = (part(a.0, b.0), part(a.1, b.1));
            return std::iter::once(first).chain(points[i + 1..].iter().copied()).collect();
        }
        length -= step;
    }
    Vec::new()
}

fn provide_fonts() {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        // Where it fails, drawing the first text reports that the font is missing.
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
        let _ = register_font(FONT, FontStyle::Bold, dejavu::sans::bold());
    });
}

/// In layout units, at letters of size `em`.
pub(super) fn text_width(text: &str, em: f64) -> f64 {
    provide_fonts();
    let font = (FONT, BITMAP.size * em * UNIT).into_font();
    font.box_size(text).map_or(0.0, |(width, _)| units(width as i32))
}

/// `em`, or what makes the text fit into `room`.
pub(super) fn fitting(text: &str, em: f64, room: f64) -> f64 {
    em * (room / text_width(text, em).max(1.0)).min(1.0)
}

/// Text that XML can hold.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The drawn pixels as the bytes of a PNG file.
pub(super) fn encode(drawn: &[u8]) -> Result<Vec<u8>> {
    let size = (SIZE.0 / FINE as u32, SIZE.1 / FINE as u32);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_adaptive_filter(png::AdaptiveFilterType::Adaptive);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&averaged(drawn)).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// One pixel for each block of `FINE` x `FINE`.
fn averaged(drawn: &[u8]) -> Vec<u8> {
    let stride = 3 * SIZE.0 as usize;
    let mut pixels = Vec::with_capacity(drawn.len() / (FINE * FINE));
    let mut sums = vec![0_usize; stride / FINE];
    for lines in drawn.chunks_exact(FINE * stride) {
        sums.fill(0);
        for line in lines.chunks_exact(stride) {
            for (sum, block) in sums.chunks_exact_mut(3).zip(line.chunks_exact(3 * FINE)) {
                for (at, value) in block.iter().enumerate() {
                    sum[at % 3] += usize::from(*value);
                }
            }
        }
        pixels.extend(sums.iter().map(|sum| (sum / (FINE * FINE)) as u8));
    }
    pixels
}
