//! The colours of lines.

use plotters::prelude::*;

use super::canvas::{Dash, Mark};

// Okabe and Ito's colours, which colour-blind readers can tell apart.
/// The first line's.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
/// The second line's.
pub(super) const VERMILLION: RGBColor = RGBColor(213, 94, 0);
/// Of the smallest eigenvalue.
pub(super) const GREEN: RGBColor = RGBColor(0, 158, 115);
/// Of batch sharpness.
pub(super) const PURPLE: RGBColor = RGBColor(204, 121, 167);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const SKY: RGBColor = RGBColor(86, 180, 233);
/// In the place of their yellow, which is lost on white.
const BROWN: RGBColor = RGBColor(102, 51, 0);

const COLORS: [RGBColor; 8] = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BROWN, BLACK];
/// When the colours begin again, how lines are broken.
const DASHES: [Option<Dash>; 3] = [
    None,
    Some(Dash { on: 12.0, off: 3.5, start: 0.0 }),
    Some(Dash { on: 2.5, off: 2.5, start: 0.0 }),
];

/// How one of several settings looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Its colour.
    pub(super) color: RGBColor,
    /// How its lines are broken.
    pub(super) dash: Option<Dash>,
    /// How each of its runs is marked.
    pub(super) mark: Mark,
    /// How the mean of its runs is.
    pub(super) mean: Mark,
}

impl Look {
    /// That of a setting: the first eight differ in colour, 24 in colour or dash.
    pub(super) fn of(setting: usize) -> Self {
        let cycle = setting / COLORS.len();
        let (mark, mean) = if cycle.is_multiple_of(2) {
            (Mark::Dot, Mark::Ring)
        } else {
            (Mark::Square, Mark::Frame)
        };
        Self {
            color: COLORS[setting % COLORS.len()],
            dash: DASHES[cycle % DASHES.len()],
            mark,
            mean,
        }
    }
}

/// This `share` of the colour, the rest white.
pub(super) fn pale(color: RGBColor, share: f64) -> RGBColor {
    let mix = |c: u8| (f64::from(c) * share + 255.0 * (1.0 - share)).round() as u8;
    RGBColor(mix(color.0), mix(color.1), mix(color.2))
}
