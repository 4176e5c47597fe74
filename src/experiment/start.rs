//! The run itself: directory, training, and the files at its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::Prepared;
use crate::error::{Error, Result};
use crate::figure::FigureLabels;
use crate::optim::Optimizer;
use crate::profile::{History, Observer, TrainingState};
use crate::record::Summary;
use crate::rundir::{Manifest, RunDirectory, RunWriter, git_revision};
use crate::train::Trainer;

/// A run whose directory exists and whose first files are written.
pub struct Started {
    pub(super) prepared: Prepared,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) writer: RunWriter,
    pub(super) state: TrainingState,
    pub(super) history: History,
}

/// A run that has ended, however it did.
#[derive(Debug)]
pub struct Finished {
    /// The run in numbers.
    pub summary: Summary,
    /// What went wrong, if anything.
    pub error: Option<Error>,
    /// Its directory.
    pub directory: PathBuf,
}

impl Prepared {
    /// Makes the run directory and writes manifest and initial weights.
    ///
    /// # Errors
    /// [`Error::Output`] if the directory cannot be used, [`Error::Io`] if a file cannot be written.
    pub fn start(mut self) -> Result<Started> {
        let optimizer = self.config.optimizer.build();
        let place = &self.config.place;
        let directory = match &place.out {
            Some(out) => RunDirectory::create(out, place.force)?,
            None => default_directory(&place.name)?,
        };
        self.config.place.out = Some(directory.path().to_path_buf());
        let labels = labels(&self, &*optimizer);
        let (manifest, columns) = (self.manifest()?, self.config.columns());
        let layout = self.problem.train.layout();
        let writer = RunWriter::start(directory, manifest, columns, labels, layout, &self.theta)?;
        let state = TrainingState::initial(self.theta.clone());
        let history = History::default();
        Ok(Started { prepared: self, optimizer, writer, state, history })
    }

    pub(crate) fn manifest(&self) -> Result<Manifest> {
        Ok(Manifest {
            schema_version: 1,
            version: env!("CARGO_PKG_VERSION").to_string(),
            git_revision: git_revision(),
            started: crate::rundir::now(),
            resumed: Vec::new(),
            finished: None,
            exit_code: None,
            error: None,
            config: self.config.to_json()?,
            backend: self.device.backend().to_string(),
            adapter: self.device.adapter().to_string(),
            precision: self.device.precision(),
            parameters: self.theta.len(),
            dataset_sha256: self.dataset.sha256.clone(),
            train_indices: self.split.train.clone(),
            validation_indices: self.split.validation.clone(),
            curvature_indices: self.curvature_samples.clone(),
        })
    }
}

impl Started {
    /// The prepared run.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The first step to be taken; above 0 for a run that goes on.
    pub fn first_step(&self) -> usize {
        self.state.step
    }

    /// The formula of the stability threshold, where one is known.
    pub fn formula(&self) -> Option<String> {
        self.optimizer.formula()
    }

    /// Trains to the end, telling `observer` of each row and event, and writes the closing files.
    /// A run that fails, diverges or is interrupted keeps everything up to that step.
    ///
    /// # Errors
    /// If the closing files cannot be written.
    pub fn train(
        mut self,
        observer: &mut dyn Observer,
        interrupted: &AtomicBool,
    ) -> Result<Finished> {
        let trainer = Trainer {
            settings: self.prepared.train_settings(),
            problem: self.prepared.problem,
            optimizer: self.optimizer,
            interrupted,
        };
        let observers: &mut [&mut dyn Observer] = &mut [&mut self.writer, observer];
        let end = trainer.run(self.state, &self.history, observers);
        let directory = self.writer.finish(&end.summary, end.error.as_ref())?;
        Ok(Finished {
            summary: end.summary,
            error: end.error,
            directory: directory.path().to_path_buf(),
        })
    }
}

pub(super) fn labels(prepared: &Prepared, optimizer: &dyn Optimizer) -> FigureLabels {
    let config = &prepared.config;
    FigureLabels {
        title: format!(
            "{}: {} samples, {} {}, lr {}, seed {}",
            config.place.name,
            prepared.split.train.len(),
            config.optimizer,
            config.batch_size.describe(),
            config.lr,
            config.seed
        ),
        threshold: optimizer.formula().unwrap_or_else(|| "threshold".to_string()),
    }
}

/// `runs/<time>-<name>`, with a number behind it where that is taken.
fn default_directory(name: &str) -> Result<RunDirectory> {
    RunDirectory::create_numbered(Path::new("runs"), &timestamped(name))
}

/// The time and a name, for a folder that nobody named.
pub(crate) fn timestamped(name: &str) -> String {
    format!("{}-{name}", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"))
}
