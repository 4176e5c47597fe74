//! Reading a run directory back.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{Manifest, Resumption, RunDirectory};
use crate::error::{Error, Result};
use crate::input;
use crate::record::{Event, StepRow, Summary};

const REMEDY: &str = "run it again; the file is not what a run writes";

/// The parts of `manifest.json` that tell one run from another and how it ended.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ManifestHead {
    /// The resolved configuration.
    pub config: Value,
    /// The process exit code; `None` where the run is under way or was killed.
    pub exit_code: Option<u8>,
    /// What went wrong, if anything.
    pub error: Option<String>,
    /// When it started.
    pub started: Option<String>,
    /// When and where it was gone on with.
    #[serde(default)]
    pub resumed: Vec<Resumption>,
    /// SHA-256 of the dataset's file.
    pub dataset_sha256: Option<String>,
    /// Rows of the dataset that train.
    #[serde(default)]
    pub train_indices: Vec<usize>,
    /// Rows of the dataset that validate.
    #[serde(default)]
    pub validation_indices: Vec<usize>,
    /// Rows that curvature is measured on, where those are not all that train.
    pub curvature_indices: Option<Vec<usize>>,
}

/// A table of steps as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTable {
    path: PathBuf,
    /// The columns' names.
    pub columns: Vec<String>,
    /// The cells of each row, in the order of the columns.
    pub cells: Vec<csv::StringRecord>,
}

impl RunDirectory {
    /// What `manifest.json` says; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or understood.
    pub fn manifest_head(&self) -> Result<Option<ManifestHead>> {
        let path = self.file("manifest.json");
        if !path.is_file() {
            return Ok(None);
        }
        input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY).map(Some)
    }

    /// What `summary.json` says.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or understood.
    pub fn summary(&self) -> Result<Summary> {
        let path = self.file("summary.json");
        input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)
    }

    /// Checks that `manifest` is of the same data and samples as the one on disk.
    ///
    /// # Errors
    /// [`Error::File`] naming what differs.
    pub fn check_same_problem(&self, manifest: &Manifest) -> Result<()> {
        let Some(head) = self.manifest_head()? else { return Ok(()) };
        let same_data = head.dataset_sha256.as_ref() == Some(&manifest.dataset_sha256);
        let same_samples = head.train_indices == manifest.train_indices
            && head.validation_indices == manifest.validation_indices
            && head.curvature_indices == manifest.curvature_indices;
        let problem = match (same_data, same_samples) {
            (true, true) => return Ok(()),
            (false, _) => "the dataset has changed since",
            (true, false) => "other samples would train than did",
        };
        let remedy = "put the dataset back as it was, or run again";
        Err(Error::file(self.file("manifest.json"), None, problem, remedy))
    }

    /// The events in `events.jsonl`, none if there is no such file. A last line that a killed run left
    /// half written is dropped.
    ///
    /// # Errors
    /// [`Error::File`] with the line that is not an event.
    pub fn events(&self) -> Result<Vec<Event>> {
        let path = self.file("events.jsonl");
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = input::read_text(&path, REMEDY)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let event = |(index, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|e| {
                let line = Some(index as u64 + 1);
                Error::file(&path, line, format!("not an event ({e})"), REMEDY)
            })
        };
        whole.lines().enumerate().map(event).collect()
    }

    /// The table in `steps.csv`.
    ///
    /// # Errors
    /// As [`StepTable::read`].
    pub fn steps(&self) -> Result<StepTable> {
        StepTable::read(&self.file("steps.csv"))
    }
}

impl StepTable {
    /// Reads a table of steps. A last line that a killed run left half written is dropped.
    ///
    /// # Errors
    /// [`Error::File`] with the line: unreadable, or not a table of steps.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = input::read(path, "name a run directory with a steps.csv")?;
        let ragged = |line, problem: &str| Error::file(path, line, problem, REMEDY);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..]);
        let describe = |e: csv::Error| {
            let line = e.position().map(csv::Position::line);
            ragged(line, &format!("not a table ({e})"))
        };
        let header = reader.headers().map_err(describe)?;
        let columns: Vec<String> = header.iter().map(str::to_string).collect();
        if columns.first().map(String::as_str) != Some("step") {
            return Err(ragged(Some(1), "the first column is not 'step'"));
        }
        let mut cells = reader.records().collect::<csv::Result<Vec<_>>>().map_err(describe)?;
        let whole = |record: &csv::StringRecord| record.len() == columns.len();
        if !bytes.ends_with(b"\n") || cells.last().is_some_and(|last| !whole(last)) {
            cells.pop();
        }
        if let Some(record) = cells.iter().find(|record| !whole(record)) {
            let problem = format!("{} cells under {} columns", record.len(), columns.len());
            return Err(ragged(record.position().map(csv::Position::line), &problem));
        }
        Ok(Self { path: path.to_path_buf(), columns, cells })
    }

    /// The rows as numbers; columns that are missing are not measured, others are left alone.
    ///
    /// # Errors
    /// [`Error::File`] with the line of a cell that is not what its column holds.
    pub fn rows(&self) -> Result<Vec<StepRow>> {
        self.cells.iter().map(|record| self.row(record)).collect()
    }

    fn row(&self, record: &csv::StringRecord) -> Result<StepRow> {
        let mut row = StepRow::default();
        for (name, cell) in self.columns.iter().zip(record) {
            let wrong = |what: &str| {
                let problem = format!("{name} = '{cell}' is not {what}");
                Error::file(&self.path, record.position().map(csv::Position::line), problem, REMEDY)
            };
            let count = || cell.parse::<usize>().map_err(|_| wrong("a whole number"));
            let number = || match cell {
                "" => Ok(None),
                cell => cell.parse::<f64>().map(Some).map_err(|_| wrong("a number")),
            };
            match name.as_str() {
                "step" => row.step = count()?,
                "hvps" => row.hvps = count()?,
                "lr" => row.lr = number()?.ok_or_else(|| wrong("a number"))?,
                "step_ms" => row.step_ms = number()?.unwrap_or(0.0),
                "converged" => {
                    row.converged = match cell {
                        "" => None,
                        cell => Some(cell.parse().map_err(|_| wrong("true or false"))?),
                    }
                }
                "phase" => row.phase = Some(cell.to_string()).filter(|phase| !phase.is_empty()),
                "train_loss" => row.train_loss = number()?,
                "train_accuracy" => row.train_accuracy = number()?,
                "val_loss" => row.val_loss = number()?,
                "val_accuracy" => row.val_accuracy = number()?,
                "grad_norm" => row.grad_norm = number()?,
                "update_norm" => row.update_norm = number()?,
                "param_norm" => row.param_norm = number()?,
                "relative_update" => row.relative_update = number()?,
                "sharpness" => row.sharpness = number()?,
                "preconditioned_sharpness" => row.preconditioned_sharpness = number()?,
                "batch_sharpness" => row.batch_sharpness = number()?,
                "batch_sharpness_se" => row.batch_sharpness_se = number()?,
                "perturbed_sharpness" => row.perturbed_sharpness = number()?,
                "threshold" => row.threshold = number()?,
                "edge_ratio" => row.edge_ratio = number()?,
                "residual" => row.residual = number()?,
                "lambda_min" => row.lambda_min = number()?,
                "gradient_alignment" => row.gradient_alignment = number()?,
                "curvature_ms" => row.curvature_ms = number()?,
                // lambda_1, lambda_2, … come in order, and end where the operator had no more.
                name if name.starts_with("lambda_") => row.lambda.extend(number()?),
                _ => {}
            }
        }
        Ok(row)
    }
}
