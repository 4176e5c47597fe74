//! The run itself: directory, training, and the files at its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Prepared;
use super::events::event_writer;
use super::swa::SwaWriter;
use crate::error::{Error, Result};
use crate::optim::Optimizer;
use crate::problem::Supervised;
use crate::profile::{Observer, RunInfo, TrainingState};
use crate::record::{Event, EventKind, ExitStatus, Summary, WarningAction};
use crate::rundir::{RunDirectory, RunWriter, StepTable, StoredRun};
use crate::train::Trainer;

/// A run whose directory is there and is its own.
pub struct Started {
    pub(super) prepared: Prepared,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) writer: RunWriter,
    pub(super) directory: PathBuf,
    pub(super) state: TrainingState,
    pub(super) run: RunInfo,
    pub(super) notices: Vec<String>,
    pub(super) ending: Option<Ending>,
}

/// How a run had ended that was killed before its closing files were complete, where its table and events
/// tell; a run that took its last step needs no telling.
pub(super) struct Ending {
    status: ExitStatus,
    /// What was seen of divergence.
    reason: String,
}

impl Ending {
    /// That of a run with this table, if it had one.
    pub(super) fn of(stored: &StoredRun, table: &StepTable) -> Result<Option<Self>> {
        let Some(last) = table.cells.len().checked_sub(1) else { return Ok(None) };
        if stored.is_closed() || stored.named_step().is_some() {
            return Ok(None);
        }
        let ending = |event: &Event| match &event.kind {
            EventKind::Divergence { reason, .. } => {
                Some(Self { status: ExitStatus::Diverged, reason: reason.clone() })
            }
            EventKind::ActionTaken { action: WarningAction::Stop, .. } => {
                let saved = stored.directory().checkpoint_is_complete(last + 1);
                let status = ExitStatus::StoppedOnWarning;
                saved.then(|| Self { status, reason: String::new() })
            }
            _ => None,
        };
        Ok(stored.events()?.iter().filter(|event| event.step == last).find_map(ending))
    }
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
    /// Makes the run directory.
    ///
    /// # Errors
    /// [`Error::Output`] if the directory cannot be used.
    pub fn start(mut self) -> Result<Started> {
        let optimizer = self.config.build_optimizer(self.problem.train.layout());
        let place = &self.config.place;
        let directory = match &place.out {
            Some(out) => RunDirectory::create(out, place.force)?,
            None => default_directory(&place.name)?,
        };
        let path = directory.path().to_path_buf();
        self.config.place.out = Some(path.clone());
        let (run, state) = (self.run_info()?, TrainingState::initial(self.theta.clone()));
        let writer = RunWriter::new(directory);
        let (directory, notices) = (path, Vec::new());
        Ok(Started {
            prepared: self,
            optimizer,
            writer,
            directory,
            state,
            run,
            notices,
            ending: None,
        })
    }

    /// None of an objective.
    fn zero_output_loss(&self) -> Option<f64> {
        if self.config.objective().is_some() {
            return None;
        }
        let (model, data) = (self.config.model.clone(), Arc::clone(&self.dataset));
        let task = Supervised { model, data, loss: self.config.loss };
        Some(task.zero_output_loss(&self.split.train))
    }

    /// What observers are told of a run that begins from its initial parameters.
    ///
    /// # Errors
    /// If the configuration cannot be written as JSON.
    pub fn run_info(&self) -> Result<RunInfo> {
        let config = &self.config;
        let layout = self.problem.train.layout();
        Ok(RunInfo {
            title: title(self),
            config: config.to_json()?,
            seed: config.seed,
            backend: self.device.backend().to_string(),
            adapter: self.device.adapter().to_string(),
            data: match config.objective() {
                Some(_) => serde_json::Value::Null,
                None => self.dataset.described(),
            },
            dataset_sha256: self.dataset.sha256.clone(),
            zero_output_loss: self.zero_output_loss(),
            train_samples: self.train_samples().to_vec(),
            validation_samples: self.split.validation.clone(),
            test_samples: self.split.test.clone(),
            curvature_samples: self.curvature_samples.clone(),
            columns: config.columns(layout, self.classes().len()),
            formula: config.optimizer.build().formula(),
            steps: Some(config.steps),
            ..RunInfo::of(layout, &self.theta, self.device.precision())
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

    /// What the user should know of where a run goes on, a line each.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Whether no step is left, and only the closing files are written.
    pub fn only_closes(&self) -> bool {
        self.ending.is_some() || self.state.step >= self.prepared.config.steps
    }

    /// The formula of the stability threshold, where one is known.
    pub fn formula(&self) -> Option<String> {
        self.optimizer.formula()
    }

    /// Trains to the end, telling the run directory and `observers` of each row and event. A run that
    /// fails, diverges or is interrupted keeps everything up to that step.
    ///
    /// # Errors
    /// If the first or the closing files cannot be written.
    pub fn train<'a>(
        self,
        observers: Vec<Box<dyn Observer + 'a>>,
        interrupted: &'a AtomicBool,
    ) -> Result<Finished> {
        let config = &self.prepared.config;
        let layout = self.prepared.problem.train.layout();
        let directory = RunDirectory::at(&self.directory);
        let swa = SwaWriter::of(config, layout, &directory);
        let events = event_writer(config, &directory);
        let trainer = Trainer {
            settings: self.prepared.train_settings(),
            problem: self.prepared.problem,
            optimizer: self.optimizer,
            interrupted,
        };
        let mut all: Vec<Box<dyn Observer + 'a>> = vec![Box::new(self.writer)];
        all.extend(swa.map(|swa| Box::new(swa) as Box<dyn Observer>));
        all.extend(events.map(|writer| writer as Box<dyn Observer>));
        all.extend(observers);
        let end = match self.ending {
            Some(Ending { status, reason }) => trainer.close(status, reason, all, &self.run)?,
            None => trainer.record(self.state, all, &self.run)?,
        };
        Ok(Finished { summary: end.summary, error: end.error, directory: self.directory })
    }
}

fn title(prepared: &Prepared) -> String {
    let config = &prepared.config;
    if config.objective().is_some() {
        let (name, optimizer, lr, seed) =
            (&config.place.name, &config.optimizer, config.lr, config.seed);
        let variables = prepared.theta.len();
        return format!("{name}: {variables} variables, {optimizer}, lr {lr}, seed {seed}");
    }
    format!(
        "{}: {} samples, {} {}, lr {}, seed {}",
        config.place.name,
        prepared.split.train.len(),
        config.optimizer,
        config.batch_size.describe(),
        config.lr,
        config.seed
    )
}

/// `runs/<time>-<name>`, with a number behind it where that is taken.
pub(super) fn default_directory(name: &str) -> Result<RunDirectory> {
    RunDirectory::create_numbered(Path::new("runs"), &timestamped(name))
}

/// The time and a name, for a folder that nobody named.
pub(crate) fn timestamped(name: &str) -> String {
    format!("{}-{name}", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"))
}
