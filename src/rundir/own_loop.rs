//! The run directory of somebody else's training loop.

use std::path::Path;

use super::{RunDirectory, RunWriter};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::profile::Profiler;

impl Profiler {
    /// Writes a run directory at `path` as well: a new or empty folder. `name` is its figure's title.
    ///
    /// # Errors
    /// [`Error::Output`] if the folder holds anything or cannot be made.
    pub fn with_run_directory(self, path: &Path, name: &str) -> Result<Self> {
        let writer = RunWriter::new(RunDirectory::create(path, false)?);
        Ok(self.named(name).with_observer(writer))
    }
}
