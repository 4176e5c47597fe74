//! The pictures of a comparison: of each run or, where there are very many, of groups of them.

use super::end::ComparisonEnd;
use super::groups::Groups;
use super::tables::Directory;
use super::{Comparison, Member};
use crate::error::Result;
use crate::figure::{
    ComparedRun, ComparisonFigure, ComparisonFigures, Quantiles, comparison_png, comparison_svg,
};
use crate::record::StepRow;

/// What the pictures are drawn from, run by run.
pub(super) enum Pictures {
    /// Every row of every run.
    Runs(ComparisonFigures),
    /// What is needed of groups of runs.
    Groups(Box<Quantiles>, Groups),
}

impl Pictures {
    /// Of a comparison of which so many runs are done.
    pub fn of(comparison: &Comparison, done: usize, end: &ComparisonEnd) -> Self {
        let title = match end.is_over() {
            true => format!("{}: {done} runs", comparison.name),
            false => format!("{}: {done} of {} runs", comparison.name, comparison.members.len()),
        };
        match Groups::of(comparison) {
            Some(groups) => {
                let config = &comparison.members[0].config;
                let names = groups.names.clone();
                let quantiles = Quantiles::new(title, names, config.steps, config.every);
                Pictures::Groups(Box::new(quantiles), groups)
            }
            None => {
                let settings =
                    comparison.settings.iter().map(|setting| setting.label.clone()).collect();
                let runs = Vec::new();
                Pictures::Runs(ComparisonFigures { title, settings, runs, quantiles: false })
            }
        }
    }

    /// Adds a run.
    pub fn take(&mut self, member: &Member, diverged: bool, rows: &[StepRow]) {
        let setting = match self {
            Pictures::Runs(_) => member.setting,
            Pictures::Groups(_, groups) => groups.of[member.setting],
        };
        let seed = member.config.seed;
        match self {
            Pictures::Runs(figures) => {
                let rows = rows.to_vec();
                figures.runs.push(ComparedRun { setting, seed, diverged, rows });
            }
            Pictures::Groups(quantiles, _) => quantiles.take(setting, seed, diverged, rows),
        }
    }

    /// Draws all of them. The tables are there; a picture can be drawn from them at any time.
    pub fn draw(self, directory: &Directory) {
        let (figures, ends) = match self {
            Pictures::Runs(figures) => (figures, None),
            Pictures::Groups(quantiles, _) => {
                let (figures, ends) = quantiles.figures();
                (figures, Some(ends))
            }
        };
        for figure in ComparisonFigure::ALL {
            let of_ends = figure == ComparisonFigure::SharpnessAccuracy;
            let shown = ends.as_ref().filter(|_| of_ends).unwrap_or(&figures);
            if let Err(error) = draw(directory, shown, figure) {
                tracing::warn!("the picture {} is missing: {error}", figure.stem());
            }
        }
    }
}

fn draw(
    directory: &Directory,
    figures: &ComparisonFigures,
    figure: ComparisonFigure,
) -> Result<()> {
    let svg = comparison_svg(figures, figure)?;
    directory.write(&format!("{}.svg", figure.stem()), svg.as_bytes())?;
    directory.write(&format!("{}.png", figure.stem()), &comparison_png(figures, figure)?)
}
