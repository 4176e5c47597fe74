//! A run on disk, followed.

use std::path::Path;
use std::time::{Instant, SystemTime};

use super::watched::{Standing, Watched};
use crate::error::{Error, Result};
use crate::record::ExitStatus;
use crate::rundir::{GrowingRun, ManifestHead, StoredRun};

/// A run, and what was seen of it.
pub(super) struct Followed {
    /// `None` for a run as it stood at a checkpoint, to which nothing comes.
    run: Option<GrowingRun>,
    /// Whether it goes by the name that it was given, and not by its own.
    is_named: bool,
    pub watched: Watched,
}

impl Followed {
    /// `RUN` or `RUN@STEP`. An empty folder, or one whose run has no row yet, is waited for.
    ///
    /// # Errors
    /// [`Error::File`] for what cannot become a run.
    pub fn open(path: &Path) -> Result<Self> {
        let stored = StoredRun::open(path)?;
        if stored.named_step().is_some() {
            return Self::as_it_stood(&stored);
        }
        let entries = std::fs::read_dir(stored.path());
        let is_empty = entries.is_ok_and(|mut entries| entries.next().is_none());
        if stored.head().is_none() && !stored.has_table()? && !is_empty {
            let problem = match path.exists() {
                true => "it is no run directory",
                false => "there is no such folder",
            };
            return Err(Error::file(path, None, problem, "name the directory of a run"));
        }
        Ok(Self { is_named: false, ..Self::at(stored.path(), name_of(path)) })
    }

    /// The run in a folder that may be there one day.
    pub fn at(path: &Path, name: String) -> Self {
        Self { run: Some(GrowingRun::at(path)), is_named: true, watched: Watched::named(name) }
    }

    fn as_it_stood(stored: &StoredRun) -> Result<Self> {
        let mut watched = Watched::named(name_of(stored.path()));
        if let Some(head) = stored.head() {
            watched.describe(&head.config);
        }
        stored.rows()?.iter().for_each(|row| watched.row(row));
        stored.events()?.iter().for_each(|event| watched.event(event));
        let step = stored.named_step().unwrap_or(0);
        watched.standing = Standing::Ended(format!("as it stood at step {step}"));
        Ok(Self { run: None, is_named: true, watched })
    }

    /// Takes what is new on disk; whether anything is.
    ///
    /// # Errors
    /// As [`GrowingRun::look`].
    pub fn look(&mut self) -> Result<bool> {
        let Some(run) = &mut self.run else { return Ok(false) };
        let growth = run.look()?;
        if growth.begun_anew {
            self.watched = Watched::named(std::mem::take(&mut self.watched.name));
        }
        if let Some(head) = run.head().filter(|_| growth.manifest_changed || growth.begun_anew) {
            self.watched.describe(&head.config);
            if let Some(name) = head.config["name"].as_str().filter(|_| !self.is_named) {
                self.watched.name = name.to_string();
            }
        }
        if let Some(table) = &growth.table {
            table.rows()?.iter().for_each(|row| self.watched.row(row));
            let written =
                run.last_written().and_then(|at| SystemTime::now().duration_since(at).ok());
            let ago = written.and_then(|age| Instant::now().checked_sub(age));
            self.watched.changed = ago.unwrap_or(self.watched.changed);
        }
        growth.events.iter().for_each(|event| self.watched.event(event));
        let rows = !self.watched.points.is_empty();
        self.watched.standing = match (run.head().and_then(ending), rows) {
            (Some(word), _) => Standing::Ended(word),
            (None, true) => Standing::UnderWay,
            (None, false) => Standing::Waiting,
        };
        Ok(growth.is_any())
    }
}

/// How a run ended, in words; `None` where it has not.
fn ending(head: &ManifestHead) -> Option<String> {
    let code = head.exit_code?;
    let is = |status: ExitStatus| status.code() == code;
    Some(match () {
        () if is(ExitStatus::Completed) => "done".to_string(),
        () if is(ExitStatus::Diverged) => "diverged".to_string(),
        () if is(ExitStatus::Interrupted) => "interrupted".to_string(),
        () => "failed".to_string(),
    })
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into())
}
