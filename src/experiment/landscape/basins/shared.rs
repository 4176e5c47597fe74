//! Which runs lie in one basin: those that the straight line between them joins without a barrier.

use serde::Serialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::experiment::csv_table::Table;
use crate::experiment::landscape::interpolate::Interpolation;
use crate::experiment::landscape::path::at_least;
use crate::experiment::landscape::{Compared, Output};
use crate::figure::{MatrixFigure, matrix_png, matrix_svg};
use crate::record::optional;
use crate::rundir::read_safetensors;

/// What is asked of runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharing {
    /// Points on each line, its ends among them.
    pub points: usize,
    /// The error barrier up to which two share a basin (Frankle et al. 2020 take 0.02); where errors are not counted,
    /// the loss barrier as a share of the loss at the first run's start.
    pub barrier: f64,
}

/// Runs and the basins that they are in.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// Each two of the runs.
    pub pairs: Vec<Pair>,
    /// Runs that pairs with one basin join, by their order: each is in one group.
    pub groups: Vec<Vec<usize>>,
    /// The loss at the first run's start.
    pub start_loss: f64,
}

/// Two runs and the line between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// One, by its place among the runs.
    pub from: usize,
    /// The other.
    pub to: usize,
    /// How far apart they are.
    pub distance: f64,
    /// The error barrier over the training samples; `None` where errors are not counted.
    pub error_barrier: Option<f64>,
    /// The loss barrier over the training samples.
    pub loss_barrier: f64,
    /// Whether they share a basin.
    pub shared: bool,
}

impl Sharing {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        at_least("--points", self.points, 3, "a barrier lies between two ends")?;
        if !(self.barrier.is_finite() && self.barrier >= 0.0) {
            let shown = format!("{:?}", self.barrier);
            let remedy = "give a finite number, 0 or above, such as 0.02";
            return Err(Error::setting("--barrier", shown, "not a height", remedy));
        }
        Ok(())
    }

    /// Measures the line between each two of the runs.
    ///
    /// # Errors
    /// If the device reports failure; [`Error::File`] where the first run's start cannot be read.
    pub fn find(&self, compared: &mut Compared) -> Result<Shared> {
        let layout = compared.prepared.problem.train.layout();
        let start = read_safetensors(&compared.members[0].run.directory().weights(0), layout)?;
        let start_loss = compared.surface().values(&start)?.train.loss;
        let lines =
            Interpolation { points: self.points, top: 0, audit_every: 1, from_start: false };
        let mut pairs = Vec::new();
        for line in lines.measure(compared, |_, _| {})? {
            let error_barrier = line.train.error.map(|barrier| barrier.value);
            let loss_barrier = line.train.loss.value;
            let shared = match error_barrier {
                Some(error) => error <= self.barrier,
                None => loss_barrier <= self.barrier * start_loss.abs(),
            };
            let (from, to, distance) = (line.from, line.to, line.length());
            pairs.push(Pair { from, to, distance, error_barrier, loss_barrier, shared });
        }
        let groups = groups(compared.members.len(), &pairs);
        Ok(Shared { pairs, groups, start_loss })
    }
}

fn groups(runs: usize, pairs: &[Pair]) -> Vec<Vec<usize>> {
    let mut of: Vec<usize> = (0..runs).collect();
    for pair in pairs.iter().filter(|pair| pair.shared) {
        let (kept, gone) = (of[pair.from].min(of[pair.to]), of[pair.from].max(of[pair.to]));
        of.iter_mut().filter(|group| **group == gone).for_each(|group| *group = kept);
    }
    let members = |group: usize| (0..runs).filter(|&run| of[run] == group).collect::<Vec<_>>();
    (0..runs).map(members).filter(|group| !group.is_empty()).collect()
}

/// Writes `basins.csv`, `.json`, `.svg` and `.png`.
///
/// # Errors
/// [`Error::Io`], [`Error::Encode`], [`Error::Draw`].
pub fn write(output: &mut Output, names: &[String], shared: &Shared, asked: Sharing) -> Result<()> {
    let columns = ["from", "to", "distance", "error_barrier", "loss_barrier", "shared"];
    let mut table = Table::new(columns.into_iter())?;
    for pair in &shared.pairs {
        let row = [
            names[pair.from].clone(),
            names[pair.to].clone(),
            optional(Some(pair.distance)),
            optional(pair.error_barrier),
            optional(Some(pair.loss_barrier)),
            pair.shared.to_string(),
        ];
        table.write(row.iter().map(String::as_str))?;
    }
    output.write("basins.csv", &table.finish()?)?;
    let named = |group: &Vec<usize>| group.iter().map(|&run| &names[run]).collect::<Vec<_>>();
    let numbers = json!({
        "points": asked.points,
        "barrier": asked.barrier,
        "start_loss": shared.start_loss,
        "basins": shared.groups.iter().map(named).collect::<Vec<_>>(),
        "pairs": shared.pairs,
    });
    output.json("basins", &numbers)?;
    let errors = shared.pairs.iter().all(|pair| pair.error_barrier.is_some());
    let mut cells = vec![None; names.len() * names.len()];
    for pair in &shared.pairs {
        let value = pair.error_barrier.filter(|_| errors).unwrap_or(pair.loss_barrier);
        for at in [pair.from * names.len() + pair.to, pair.to * names.len() + pair.from] {
            cells[at] = Some(value);
        }
    }
    let kind = if errors { "error" } else { "loss" };
    let figure = MatrixFigure {
        title: format!("{} runs in {} basins", names.len(), shared.groups.len()),
        names: names.to_vec(),
        cells,
        note: format!(
            "{kind} barriers of straight lines; up to {} two share a basin",
            asked.barrier
        ),
    };
    output.picture("basins", &matrix_svg(&figure)?, &matrix_png(&figure)?)
}
