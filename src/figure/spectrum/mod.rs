//! The pictures of spectra: the density of eigenvalues at one step, on a logarithmic axis (as
//! Ghorbani, Krishnan and Xiao 2019 draw it), and a waterfall of several.

mod density;
mod marks;
#[cfg(test)]
mod tests;
mod waterfall;

use super::axis::{Axis, EM, number};
use super::canvas::text_width;
use super::panel::{RIGHT, ROOM};
use super::range::ends;
use super::series::{Point, quantile};
use super::{png, svg};
use crate::error::Result;
use waterfall::Waterfall;

/// What the picture of one spectrum shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpectrumFigure {
    /// The headline.
    pub title: String,
    /// The smoothed density: pairs of eigenvalue and density (whose integral is 1), ascending.
    pub density: Vec<(f64, f64)>,
    /// The largest eigenvalues, found exactly, largest first.
    pub largest: Vec<f64>,
    /// The smallest.
    pub smallest: Option<f64>,
    /// What eigenvalues are compared with, such as the optimizer's stability threshold.
    pub threshold: Option<f64>,
    /// Its name.
    pub threshold_label: String,
    /// Small print: how the density was measured.
    pub note: String,
}

/// The picture as the text of an SVG file.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn spectrum_svg(figure: &SpectrumFigure) -> Result<String> {
    svg(figure)
}

/// The picture as the bytes of a PNG file of 1600 x 1200 pixels.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn spectrum_png(figure: &SpectrumFigure) -> Result<Vec<u8>> {
    png(figure)
}

/// The densities of several steps above each other, the first at the bottom, as the text of an SVG
/// file. Each is a step with pairs of eigenvalue and density, as in [`SpectrumFigure`]; of many,
/// those of [`waterfall_choice`] are shown.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn waterfall_svg(title: &str, spectra: &[(usize, Vec<(f64, f64)>)]) -> Result<String> {
    svg(&Waterfall { title, spectra })
}

/// That picture as the bytes of a PNG file of 1600 x 1200 pixels.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn waterfall_png(title: &str, spectra: &[(usize, Vec<(f64, f64)>)]) -> Result<Vec<u8>> {
    png(&Waterfall { title, spectra })
}

/// Which of `count` spectra, by step, a waterfall shows: at most 40, evenly spread from the first to
/// the last.
pub fn waterfall_choice(count: usize) -> impl Iterator<Item = usize> {
    const MOST: usize = 40;
    let shown = count.min(MOST);
    (0..shown).map(move |i| i * (count - 1) / (shown - 1).max(1))
}

/// Eigenvalues and densities beyond it count as not finite, so that differences stay finite.
const LARGEST: f64 = 1e200;

/// What stands for the logarithm of 0.
const NOTHING: f64 = -1e3;

/// The decimal logarithm of a density, and below which it is numerically nothing.
struct Logarithm {
    /// Pairs of eigenvalue and logarithm.
    points: Vec<Point>,
    /// That of the highest density.
    peak: f64,
    /// What counts as nothing.
    floor: f64,
}

/// How many decades below the highest density the axis begins: a lone eigenvalue of n has the
/// weight 1/n, and must be seen; what lies far below is the tail of a Gaussian.
const FEWEST_DECADES: f64 = 6.0;
const MOST_DECADES: f64 = 9.0;
/// How many decades below lone eigenvalues it begins.
const BELOW_LONE: f64 = 1.5;

impl Logarithm {
    /// `None` where there is no density.
    fn of(density: &[Point]) -> Option<Self> {
        let usable =
            |(at, density): &&Point| at.abs() < LARGEST && (0.0..LARGEST).contains(density);
        let usable = || density.iter().filter(usable);
        let nothing = |end: Option<&Point>| end.map(|(at, _)| (*at, NOTHING));
        // It ends where it was not computed.
        let points: Vec<Point> = nothing(usable().next())
            .into_iter()
            .chain(usable().map(|(at, density)| (*at, density.log10().max(NOTHING))))
            .chain(nothing(usable().next_back()))
            .collect();
        let peak = ends(points.iter().map(|p| p.1)).1;
        if peak <= NOTHING {
            return None;
        }
        let is_top = |w: &&[Point]| w[1].1 > w[0].1 && w[1].1 >= w[2].1;
        let tops = points.windows(3).filter(is_top).map(|w| w[1].1);
        // Not the lowest, which may be rounding.
        let lone = quantile(tops.filter(|top| *top > peak - MOST_DECADES), 0.1).unwrap_or(peak);
        let floor = (lone - BELOW_LONE).clamp(peak - MOST_DECADES, peak - FEWEST_DECADES);
        Some(Self { points, peak, floor })
    }

    /// Between which eigenvalues it is not nothing.
    fn extent(&self) -> Point {
        ends(self.points.iter().filter(|p| p.1 >= self.floor).map(|p| p.0))
    }
}

/// The axis of eigenvalues, with as many labels as fit below it.
fn across(range: Point) -> Axis {
    let widest = |axis: &Axis| axis.labels().map(|text| text_width(text, EM)).fold(0.0, f64::max);
    let fits = |axis: &Axis| axis.labels().count() as f64 * (widest(axis) + 16.0) <= ROOM;
    let axes = [10.0, 6.0, 4.0].map(|count| Axis::linear(range, count, 0.0));
    let first = axes.iter().position(fits).unwrap_or(axes.len() - 1);
    axes[first].clone().uncut(ROOM, RIGHT)
}

/// A value with at most three digits.
pub(crate) fn short(value: f64) -> String {
    let text = rounded(value, 0.0);
    let (digits, power) = text.split_once('×').unwrap_or((&text, ""));
    if !digits.contains('.') {
        return text;
    }
    match (digits.trim_end_matches('0').trim_end_matches('.'), power) {
        (digits, "") => digits.to_string(),
        ("1", power) => power.to_string(),
        (digits, power) => format!("{digits}×{power}"),
    }
}

/// A value with three digits; what is nothing beside `scale` is 0.
fn rounded(value: f64, scale: f64) -> String {
    if value.abs() <= 1e-9 * scale {
        return "0".to_string();
    }
    let digits = |unit: f64| number(value, unit, (1e-3..1e5).contains(&value.abs()));
    digits(10f64.powf((value.abs().log10() + 1e-9).floor() - 2.0))
}
