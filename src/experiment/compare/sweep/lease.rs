//! Locks on cells for processes of several machines that share a folder, which need nothing of its file system but
//! that of several who create a file of the same name one succeeds.
//!
//! Cell N is held by who created the last of the files `N.1`, `N.2`, … in `locks/`. Nobody removes one while cells
//! are left, so that a number is taken once, whatever others have seen by then. A holder writes a new count into
//! its file from time to time. Who finds that count unchanged for long, by a clock of its own that no other is
//! compared with, takes the cell by creating the next file; and the former holder, should it be alive, finds that
//! file and stops.

use std::fs;
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::holder::Holder;
use crate::error::{Error, Result};

/// The folder of locks in a comparison's.
pub const FOLDER: &str = "locks";

/// How work on a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Somebody is at it.
    Running,
    /// It is left, to be gone on with.
    Stopped,
    /// It is done.
    Completed,
    /// It is done: training diverged.
    Diverged,
    /// It failed.
    Failed,
}

/// What a lock's file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How work on the cell stands.
    pub state: State,
    /// Who is, or was, at it.
    pub holder: Holder,
    /// How often it has said that it is.
    pub beat: u64,
    /// Seconds from one time to the next.
    pub every: f64,
    /// Why it failed.
    pub error: Option<String>,
}

/// The locks of a comparison.
pub struct Leases {
    folder: PathBuf,
    here: Holder,
    /// After so long a time without a sign the holder of a cell is taken to be gone.
    patience: Duration,
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_path_buf(), source }
}

/// The last lock on a cell: its number, and what its file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    number: u64,
    content: Vec<u8>,
}

impl Last {
    /// What it says; `None` where it is not, or not yet, what a holder writes.
    pub fn record(&self) -> Option<Record> {
        serde_json::from_slice(&self.content).ok()
    }
}

impl Leases {
    /// Those of the comparison in `folder`.
    pub fn of(folder: &Path, patience: Duration) -> Self {
        Self { folder: folder.join(FOLDER), here: Holder::this(), patience }
    }

    fn path(&self, cell: usize, number: u64) -> PathBuf {
        self.folder.join(format!("{cell}.{number}"))
    }

    /// The last lock on a cell.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read.
    pub fn last(&self, cell: usize) -> Result<Option<Last>> {
        let mut last = None;
        for number in 1.. {
            let path = self.path(cell, number);
            match fs::read(&path) {
                Ok(content) => last = Some(Last { number, content }),
                Err(e) if e.kind() == ErrorKind::NotFound => break,
                Err(e) => return Err(failed("read", &path, e)),
            }
        }
        Ok(last)
    }

    /// Takes a cell whose last lock has that number, 0 for none; `None` where somebody else was quicker.
    ///
    /// # Errors
    /// [`Error::Io`] if the lock cannot be written.
    pub fn take(&self, cell: usize, last: u64) -> Result<Option<Lease>> {
        let path = self.path(cell, last + 1);
        let failed = |action, e| failed(action, &path, e);
        fs::create_dir_all(&self.folder).map_err(|e| failed("create", e))?;
        let file = match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(None),
            Err(e) => return Err(failed("create", e)),
        };
        let record = Record {
            state: State::Running,
            holder: self.here.clone(),
            beat: 0,
            every: self.beat_every().as_secs_f64(),
            error: None,
        };
        let mut lease = Lease { file, record, next: self.path(cell, last + 2) };
        lease.write().map_err(|e| failed("write", e))?;
        Ok(Some(lease))
    }

    /// How often a holder says that it is there.
    pub fn beat_every(&self) -> Duration {
        self.patience / 6
    }

    /// How long to wait before looking at a held cell again.
    pub fn pause(&self) -> Duration {
        self.beat_every().clamp(Duration::from_millis(20), Duration::from_secs(5))
    }

    /// How long a holder may be silent.
    fn patience_with(&self, record: Option<&Record>) -> Duration {
        let own = record.map_or(0.0, |record| record.every);
        let own = Duration::try_from_secs_f64(4.0 * own).unwrap_or_default();
        self.patience.max(own)
    }

    /// Who is at a cell now, as far as one look tells: its process is not gone, and the lock was written not long
    /// ago, by the clock of the file system alone.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn runner(&self, cell: usize, last: &Last) -> Result<Option<Holder>> {
        let Some(record) = last.record().filter(|record| record.state == State::Running) else {
            return Ok(None);
        };
        let path = self.path(cell, last.number);
        let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
        let age = self.now().and_then(|now| {
            // One that was written after the look is no age.
            Ok(now.duration_since(written(&path)?).unwrap_or_default())
        });
        let age = age.map_err(|e| failed("look at", &path, e))?;
        let silent = age > self.patience_with(Some(&record));
        Ok((!silent && !record.holder.is_gone(&self.here)).then_some(record.holder))
    }

    /// The present time of the file system.
    fn now(&self) -> io::Result<SystemTime> {
        let mut probe = tempfile::tempfile_in(&self.folder)?;
        probe.write_all(b" ")?;
        probe.metadata()?.modified()
    }

    /// Removes all locks, once every cell is done.
    pub fn remove(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let parts = name.to_str().and_then(|name| name.split_once('.'));
            let number = |text: &str| text.parse::<u64>().is_ok();
            if parts.is_some_and(|(cell, lock)| number(cell) && number(lock)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// A cell that this process holds.
pub struct Lease {
    file: fs::File,
    record: Record,
    /// What is there once somebody else has taken the cell.
    next: PathBuf,
}

impl Lease {
    fn write(&mut self) -> io::Result<()> {
        let mut line = serde_json::to_vec(&self.record)?;
        line.push(b'\n');
        self.file.rewind()?;
        self.file.write_all(&line)?;
        self.file.set_len(line.len() as u64)?;
        self.file.sync_data()
    }

    /// Says that the holder is there. Returns whether it still is the holder: not if it was silent for so long that
    /// somebody else took the cell.
    pub fn beat(&mut self) -> bool {
        self.record.beat += 1;
        if let Err(error) = self.write() {
            tracing::warn!("a lock cannot be written: {}", crate::error::reason(&error));
        }
        !self.next.exists()
    }

    /// Leaves the cell.
    pub fn release(mut self, state: State, error: Option<String>) {
        (self.record.state, self.record.error) = (state, error);
        if let Err(error) = self.write() {
            tracing::warn!("a lock cannot be written: {}", crate::error::reason(&error));
        }
    }
}

/// What is seen of a cell's lock over time.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<Last>,
    looked: Option<Instant>,
    silent: Duration,
}

/// Whether a cell can be taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can, behind the lock of this number.
    Free(u64),
    /// Somebody holds it, where its lock tells who.
    Held(Option<Holder>),
}

impl Watch {
    /// Looks again.
    ///
    /// # Errors
    /// As [`Leases::last`].
    pub fn look(&mut self, leases: &Leases, cell: usize) -> Result<Standing> {
        let Some(last) = leases.last(cell)? else { return Ok(Standing::Free(0)) };
        let (number, record) = (last.number, last.record());
        // No longer than it should have been: who was itself held up does not blame others.
        let passed = self.looked.map_or(Duration::ZERO, |looked| looked.elapsed());
        let passed = passed.min(2 * leases.pause());
        self.looked = Some(Instant::now());
        match self.last.as_ref() == Some(&last) {
            true => self.silent += passed,
            false => (self.last, self.silent) = (Some(last), Duration::ZERO),
        }
        let left = record.as_ref().is_some_and(|record| {
            record.state != State::Running || record.holder.is_gone(&leases.here)
        });
        if left || self.silent > leases.patience_with(record.as_ref()) {
            return Ok(Standing::Free(number));
        }
        Ok(Standing::Held(record.map(|record| record.holder)))
    }
}
