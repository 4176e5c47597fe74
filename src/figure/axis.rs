//! The coordinate of an axis with its round values, and how numbers are written.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use super::canvas::text_width;

/// The size of the labels.
pub(super) const EM: f64 = 13.0;

/// An axis as plotters needs it to draw the mesh. Plotters' own round values crowd a logarithmic
/// axis, and are lost where values are very small.
#[derive(Clone)]
pub(super) struct Axis {
    range: (f64, f64),
    /// The values with a label.
    named: Vec<(f64, String)>,
    /// Those with a faint grid line only.
    minor: Vec<f64>,
}

impl Axis {
    /// Without marked values.
    pub(super) fn bare(range: (f64, f64)) -> Self {
        Self { range, named: Vec::new(), minor: Vec::new() }
    }

    /// With about `count` round values, at least `least` apart.
    pub(super) fn linear((low, high): (f64, f64), count: f64, least: f64) -> Self {
        let rough = (high - low) / count;
        let power = 10f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough).unwrap_or(10.0);
        let step = (factor * power).max(least);
        let plain = step >= 1e-4 && low.abs().max(high.abs()) < 1e6;
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let named = (0..=(last - first).clamp(-1.0, 50.0) as i64)
            .map(|i| (first + i as f64) * step)
            .map(|at| (at, number(at, step, plain)))
            .collect();
        Self { named, ..Self::bare((low, high)) }
    }

    /// Of decimal logarithms, with a label at one to five values in each decade.
    pub(super) fn log((low, high): (f64, f64)) -> Self {
        let stride = ((high - low) / 6.0).ceil().max(1.0) as i32;
        let count = match high - low {
            span if span < 1.3 => 5,
            span if span < 2.6 => 3,
            _ => 1,
        };
        let multiples = &[1, 2, 5, 3, 7][..count];
        let mut axis = Self::bare((low, high));
        for power in low.floor() as i32..=high.ceil() as i32 {
            for multiple in 1..10 {
                let at = f64::from(multiple).log10() + f64::from(power);
                if at < low || at > high {
                    continue;
                }
                if multiples.contains(&multiple) && power % stride == 0 {
                    let plain = stride == 1 && (-3..4).contains(&power);
                    let unit = 10f64.powi(power);
                    axis.named.push((at, number(f64::from(multiple) * unit, unit, plain)));
                } else if stride == 1 {
                    axis.minor.push(at);
                }
            }
        }
        axis
    }

    /// With other ends.
    pub(super) fn over(self, range: (f64, f64)) -> Self {
        Self { range, ..self }
    }

    /// Without the labels that would be cut, where it is `length` layout units long and `beyond`
    /// are free at its ends.
    pub(super) fn uncut(mut self, length: f64, beyond: f64) -> Self {
        let (low, high) = self.range;
        for (at, label) in &mut self.named {
            let (place, half) = ((*at - low) / (high - low) * length, text_width(label, EM) / 2.0);
            if place - half < -beyond || place + half > length + beyond {
                label.clear();
            }
        }
        self
    }

    /// What it writes.
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(_, label)| label.as_str())
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            self.minor.clone()
        } else {
            self.named.iter().map(|(at, _)| *at).collect()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.named.iter().find(|(at, _)| at == value).map_or_else(String::new, |(_, l)| l.clone())
    }
}

/// A number with the decimals that multiples of `step` need, scientific unless `plain`.
pub(super) fn number(value: f64, step: f64, plain: bool) -> String {
    if value.abs() < 1e-9 * step {
        return "0".to_string();
    }
    let places = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize;
    if plain {
        return format!("{value:.*}", places(step)).replace('-', "−");
    }
    let mut power = (value.abs().log10() + 1e-12).floor();
    let kept = places(step / 10f64.powf(power)) as i32;
    // Rounded up to the next power.
    if (value.abs() / 10f64.powf(power) * 10f64.powi(kept)).round() >= 10f64.powi(kept + 1) {
        power += 1.0;
    }
    let unit = 10f64.powf(power);
    let digits = format!("{:.*}", places(step / unit), value / unit).replace('-', "−");
    let raised = format!("10{}", small(power as i32, "⁰¹²³⁴⁵⁶⁷⁸⁹"));
    if digits == "1" { raised } else { format!("{digits}×{raised}") }
}

/// A whole number in other digits, which are those of exponents or indices.
pub(super) fn small(number: i32, digits: &str) -> String {
    let digit = |c: char| c.to_digit(10).and_then(|d| digits.chars().nth(d as usize));
    number.to_string().chars().map(|c| digit(c).unwrap_or('⁻')).collect()
}
