//! Quantities over the steps.

use plotters::prelude::*;

use super::ComparisonFigure;
use super::quantiles::SHARES;
use super::range::{Kind, choose_range};
use super::settings::{MEDIAN, PALE, SEED, Setting};
use crate::error::Result;
use crate::figure::canvas::{Canvas, Dash, GREY, Pen};
use crate::figure::legend::Entry;
use crate::figure::palette::pale;
use crate::figure::panel::{Panel, stack};
use crate::figure::series::{Line, Point, Role, Steps, top};
use crate::record::StepRow;

/// What thick and thin lines are called.
const MEDIAN_KEY: &str = "median over seeds";
const SEED_KEY: &str = "each seed";
/// Lines that can be in full detail before the SVG grows too long.
const DETAILED: f64 = 16.0;
/// How thresholds are broken.
const FINE: Dash = Dash { on: 5.0, off: 3.5, start: 0.0 };

/// Draws the figure under the legend, which takes `above` layout units.
pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    settings: &[Setting],
    figure: ComparisonFigure,
    quantiles: bool,
    above: f64,
) -> Result<()> {
    let rows = settings.iter().flat_map(|setting| &setting.runs).flat_map(|run| &run.rows);
    let steps = Steps::of(rows.map(|row| row.step));
    let mut panels = match figure {
        ComparisonFigure::EdgeRatio => {
            let edge = ratio("sharpness / threshold", settings, steps, |row| row.edge_ratio);
            let realized = ratio("realized ratio", settings, steps, |row| row.realized_ratio);
            [edge]
                .into_iter()
                .chain(Some(realized).filter(|panel| !panel.lines.is_empty()))
                .collect()
        }
        ComparisonFigure::Loss => losses(settings),
        _ => sharpness(settings),
    };
    let lines: usize = panels.iter().map(|panel| panel.lines.len()).sum();
    let coarseness = (lines as f64 / DETAILED).max(1.0);
    for panel in &mut panels {
        if quantiles {
            panel.key.iter_mut().for_each(name_quantiles);
        }
        panel.lines.iter_mut().for_each(|line| line.coarseness = coarseness);
    }
    let shares: &[f64] = if panels.len() == 2 { &[0.5, 0.5] } else { &[1.0] };
    stack(canvas, &panels, shares, steps, above)
}

fn sharpness(settings: &[Setting]) -> Vec<Panel> {
    let panel = |name, value: fn(&StepRow) -> Option<f64>, preconditioned| {
        let mut panel = panel_of(name, settings, value);
        let own = settings.iter().filter(|s| s.is_preconditioned() == preconditioned);
        let (bounds, differ) = thresholds(own);
        if !bounds.is_empty() {
            let name = if differ { "stability threshold (median)" } else { "stability threshold" };
            panel.key.push(Entry::line(name, threshold_pen(GREY, FINE), false));
        }
        panel.lines.extend(bounds);
        panel
    };
    let plain = panel("sharpness", top, false);
    let name = "preconditioned sharpness";
    let preconditioned = panel(name, |row| row.preconditioned_sharpness, true);
    with_second(plain, preconditioned, Kind::Curvature)
}

/// A ratio that is 1 at the edge.
fn ratio(
    name: &'static str,
    settings: &[Setting],
    steps: Steps,
    value: fn(&StepRow) -> Option<f64>,
) -> Panel {
    let mut panel = panel_of(name, settings, value);
    if !panel.lines.is_empty() {
        let (from, to) = steps.shown;
        let pen = Pen::dashed(BLACK, 1.7, Dash::SHORT);
        let edge = Line::new("edge of stability", vec![(from, 1.0), (to, 1.0)], pen);
        panel.lines.push(Line { role: Role::Threshold, ..edge });
    }
    choose_range(&mut panel, Kind::Ratio);
    panel
}

fn losses(settings: &[Setting]) -> Vec<Panel> {
    let training = panel_of("training loss", settings, |row| row.train_loss);
    let validation = panel_of("validation loss", settings, |row| row.val_loss);
    with_second(training, validation, Kind::Loss)
}

fn panel_of(
    name: &'static str,
    settings: &[Setting],
    value: impl Fn(&StepRow) -> Option<f64>,
) -> Panel {
    let mut panel = Panel::new(name);
    panel.lines = settings.iter().flat_map(|setting| setting.lines(&value)).collect();
    panel.key = seeds_key(&panel);
    panel
}

/// The second panel only if it shows something, and without names that stand above the first.
fn with_second(mut first: Panel, mut second: Panel, kind: Kind) -> Vec<Panel> {
    choose_range(&mut first, kind);
    if second.lines.is_empty() {
        return vec![first];
    }
    choose_range(&mut second, kind);
    second.key.retain(|entry| first.key.iter().all(|above| above.text != entry.text));
    vec![first, second]
}

/// What thin and thick lines are, where there are thin ones.
fn seeds_key(panel: &Panel) -> Vec<Entry> {
    if panel.lines.iter().all(|line| line.role != Role::Seed) {
        return Vec::new();
    }
    let entry = |text, width, share| Entry::line(text, Pen::solid(pale(GREY, share), width), false);
    vec![entry(MEDIAN_KEY, MEDIAN, 1.0), entry(SEED_KEY, SEED, PALE + 0.2)]
}

/// Names what is drawn of many runs.
fn name_quantiles(entry: &mut Entry) {
    let [low, _, high] = SHARES.map(|share| 100.0 * share);
    match entry.text.as_str() {
        MEDIAN_KEY => entry.text = "median of the runs".to_string(),
        SEED_KEY => entry.text = format!("{low:.0}% and {high:.0}% of them"),
        _ => {}
    }
}

/// The threshold of each setting, and whether one is a median of different ones. Dashes of those
/// that coincide alternate, so that none hides another.
fn thresholds<'a>(settings: impl Iterator<Item = &'a Setting<'a>>) -> (Vec<Line>, bool) {
    let mut groups: Vec<(Vec<Point>, Vec<RGBColor>)> = Vec::new();
    let mut differ = false;
    for setting in settings {
        let (points, differs) = setting.threshold();
        differ |= differs;
        match groups.iter_mut().find(|group| group.0 == points) {
            Some(group) => group.1.push(setting.look.color),
            None if points.is_empty() => {}
            None => groups.push((points, vec![setting.look.color])),
        }
    }
    let lines = groups.into_iter().flat_map(|(points, colors)| {
        let Dash { on, off, .. } = FINE;
        let period = colors.len() as f64 * (on + off);
        colors.into_iter().enumerate().map(move |(i, color)| {
            let dash = Dash { on, off: period - on, start: i as f64 * (on + off) };
            let line = Line::new("", points.clone(), threshold_pen(color, dash));
            Line { role: Role::Threshold, ..line }
        })
    });
    (lines.collect(), differ)
}

/// Unlike measurements of the same colour, which run along the threshold.
fn threshold_pen(color: RGBColor, dash: Dash) -> Pen {
    Pen { halo: 1.0, ..Pen::dashed(color, 1.8, dash) }
}
