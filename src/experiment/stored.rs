//! The problem of a run that is on disk.

use super::{Prepared, prepare};
use crate::config::{RunConfig, Settings};
use crate::device::BackendChoice;
use crate::error::{Error, Result};
use crate::rundir::StoredRun;

impl StoredRun {
    /// What it trained, on its device or on another. Its initial weights are not those of the run
    /// where they came from a file: [`StoredRun::checkpoint`] names the weights.
    ///
    /// # Errors
    /// As [`StoredRun::settings`] and [`prepare`]; [`Error::File`] where the data are not those that
    /// the run was made with.
    pub fn problem(&self, backend: Option<BackendChoice>) -> Result<Prepared> {
        let prepared = self.unchecked_problem(backend)?;
        self.check_same_problem(&prepared.run_info()?)?;
        Ok(prepared)
    }

    /// As [`StoredRun::problem`], whether or not the data are still the same, and on the CPU where the
    /// run's device is not there.
    pub(super) fn problem_as_it_is(&self) -> Result<Prepared> {
        match self.unchecked_problem(None) {
            Err(Error::Device { .. }) => self.unchecked_problem(Some(BackendChoice::Cpu)),
            other => other,
        }
    }

    fn unchecked_problem(&self, backend: Option<BackendChoice>) -> Result<Prepared> {
        let config = RunConfig::resolve(Settings { init: None, ..self.settings()? })?;
        let backend = backend.unwrap_or(config.backend);
        self.prepare(RunConfig { backend, ..config })
    }

    /// What a configuration made from this run's settings trains.
    pub(super) fn prepare(&self, config: RunConfig) -> Result<Prepared> {
        let mut prepared = prepare(config)?;
        // Named as the run names it, from wherever it is seen.
        if let Some(name) = self.head().and_then(|head| head.config["dataset"].as_str()) {
            prepared.config.dataset = name.to_string();
        }
        let stored = self.head().and_then(|head| Settings::of_manifest(&head.config).ok());
        if let Some(stored) = stored {
            prepared.config.validation = stored.validation;
            prepared.config.test = stored.test;
        }
        Ok(prepared)
    }
}
