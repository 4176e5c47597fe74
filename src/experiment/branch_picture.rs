//! A branch joined to its run.

use std::path::Path;

use crate::error::Result;
use crate::figure::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
use crate::record::StepRow;
use crate::rundir::{RunDirectory, StoredRun};

/// Draws `branch.svg` and `.png` in the branch's folder: the run to its end, and the branch from where it
/// left it.
///
/// # Errors
/// [`crate::Error::File`] for tables that cannot be read, [`crate::Error::Draw`], [`crate::Error::Io`].
pub fn branch_picture(parent: &StoredRun, directory: &Path) -> Result<()> {
    let parent = StoredRun::open(parent.path())?;
    let branch = StoredRun::open(directory)?;
    let said = branch.head().and_then(|head| head.parent.as_ref());
    let step = said.and_then(|parent| parent["step"].as_u64()).unwrap_or(0) as usize;
    let name = |run: &StoredRun| {
        let folder = run.path().file_name().map(|name| name.to_string_lossy().into_owned());
        folder.unwrap_or_else(|| run.path().display().to_string())
    };
    let names = [name(&parent), name(&branch)];
    let rows = [parent.rows()?, branch.rows()?];
    let panel = |title, scale, value: fn(&StepRow) -> Option<f64>| {
        let curve = |index: usize, from: usize, color, stroke| PathCurve {
            label: names[index].clone(),
            color,
            stroke,
            points: rows[index]
                .iter()
                .filter(|row| row.step >= from)
                .filter_map(|row| Some((row.step as f64, value(row)?)))
                .collect(),
        };
        let curves = vec![curve(1, step, 1, Stroke::Solid), curve(0, 0, 0, Stroke::Dashed)];
        PathPanel { name: title, scale, key: Vec::new(), curves }
    };
    let figure = PathFigure {
        title: format!("{} leaves {} at step {step}", names[1], names[0]),
        across: "step",
        whole: true,
        paths: Vec::new(),
        panels: vec![
            panel("training loss", Scale::Loss, |row| row.train_loss),
            panel("sharpness", Scale::Curvature, |row| row.sharpness),
            panel("edge ratio", Scale::Curvature, |row| row.edge_ratio),
        ],
    };
    let directory = RunDirectory::at(directory);
    directory.write("branch.svg", paths_svg(&figure)?.as_bytes())?;
    directory.write("branch.png", &paths_png(&figure)?)
}
