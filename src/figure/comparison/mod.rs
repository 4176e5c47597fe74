//! The figures of a comparison: the same problem under several settings, each over several seeds.

mod curves;
mod quantiles;
mod range;
mod scatter;
mod settings;

use plotters::prelude::*;

use super::canvas::{Canvas, px};
use super::legend::Table;
use super::panel::{EDGE, ROOM, TITLE};
use super::{Picture, headline, png, svg};
use crate::error::Result;
use crate::record::StepRow;
pub use quantiles::Quantiles;
use settings::Setting;
#[cfg(test)]
pub(super) use settings::median;

/// One run of a comparison, as its figures show it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComparedRun {
    /// Its setting, an index into [`ComparisonFigures::settings`].
    pub setting: usize,
    /// Its seed.
    pub seed: u64,
    /// Whether training diverged: what it measured then doesn't count for the range of an axis.
    pub diverged: bool,
    /// What it measured, by step.
    pub rows: Vec<StepRow>,
}

/// What the figures of a comparison show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComparisonFigures {
    /// The headline.
    pub title: String,
    /// The name of each setting, such as `sam ρ=0.05 η=0.2`.
    pub settings: Vec<String>,
    /// The runs, in any order.
    pub runs: Vec<ComparedRun>,
    /// Whether the runs are not runs but quantiles over many ([`Quantiles`]).
    pub quantiles: bool,
}

/// A figure of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonFigure {
    /// The Hessian's largest eigenvalue over the steps and, where it was measured, the
    /// preconditioned one; each beside the stability threshold that belongs to it.
    Sharpness,
    /// Sharpness over threshold and, where it was measured, the realized ratio, by step.
    EdgeRatio,
    /// Training and validation loss over the steps.
    Loss,
    /// The last sharpness of each run against its last validation accuracy (its last validation
    /// loss, where no run has accuracies).
    SharpnessAccuracy,
}

impl ComparisonFigure {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Sharpness, Self::EdgeRatio, Self::Loss, Self::SharpnessAccuracy];

    /// The name of its files, without an ending.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Sharpness => "sharpness",
            Self::EdgeRatio => "edge_ratio",
            Self::Loss => "loss",
            Self::SharpnessAccuracy => "sharpness_accuracy",
        }
    }
}

/// The figure as the text of an SVG file. Runs of settings that have no name are left out.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn comparison_svg(figures: &ComparisonFigures, figure: ComparisonFigure) -> Result<String> {
    svg(&Comparison { figures, figure })
}

/// The figure as the bytes of a PNG file of 1600 x 1200 pixels.
///
/// # Errors
/// [`Error::Draw`](crate::Error::Draw) if it cannot be drawn.
pub fn comparison_png(figures: &ComparisonFigures, figure: ComparisonFigure) -> Result<Vec<u8>> {
    png(&Comparison { figures, figure })
}

struct Comparison<'a> {
    figures: &'a ComparisonFigures,
    figure: ComparisonFigure,
}

impl Picture for Comparison<'_> {
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()> {
        headline(canvas, &self.figures.title)?;
        let settings = Setting::of(self.figures);
        let entries = settings.iter().map(|setting| setting.entry(self.figure)).collect();
        let table = Table::new(entries, ROOM);
        table.draw(canvas, (px(EDGE), px(TITLE)))?;
        let above = TITLE + table.height();
        match self.figure {
            ComparisonFigure::SharpnessAccuracy => scatter::draw(canvas, &settings, above),
            figure => {
                let quantiles = self.figures.quantiles;
                curves::draw(canvas, &settings, figure, quantiles, above)
            }
        }
    }
}
