//! `logs/N.log`: what happened to a cell, whoever was at it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::super::{ComparisonObserver, Member, MemberStatus};
use super::holder::Holder;
use crate::record::StepRow;
use crate::rundir::now;

/// The folder of logs in a comparison's.
pub const FOLDER: &str = "logs";
/// A line on the way in this time.
const INTERVAL: Duration = Duration::from_secs(30);

/// The log of a cell, and whoever else wants to know.
pub struct CellLog<'a> {
    inner: &'a dyn ComparisonObserver,
    file: Option<fs::File>,
    told: Mutex<Instant>,
}

impl<'a> CellLog<'a> {
    /// Goes on with the log of a cell of the comparison in `folder`. What cannot be logged is no reason not to run.
    pub fn open(folder: &Path, cell: usize, inner: &'a dyn ComparisonObserver) -> Self {
        let folder = folder.join(FOLDER);
        let open = || {
            fs::create_dir_all(&folder)?;
            let path = folder.join(format!("{cell}.log"));
            fs::OpenOptions::new().append(true).create(true).open(path)
        };
        let file = open().inspect_err(|e| tracing::warn!("no log of cell {cell}: {e}")).ok();
        Self { inner, file, told: Mutex::new(Instant::now()) }
    }

    /// Adds a line.
    pub fn line(&self, text: &str) {
        let Some(mut file) = self.file.as_ref() else { return };
        let Holder { host, process, .. } = Holder::this();
        // At once, so that lines of two processes are not mixed.
        let text = text.replace('\n', " ");
        let _ = file.write_all(format!("{} {host} {process}: {text}\n", now()).as_bytes());
    }
}

impl ComparisonObserver for CellLog<'_> {
    fn row(&self, member: &Member, row: &StepRow) {
        if let Ok(mut told) = self.told.lock()
            && told.elapsed() >= INTERVAL
        {
            *told = Instant::now();
            self.line(&format!("step {} of {}", row.step, member.config.steps));
        }
        self.inner.row(member, row);
    }

    fn note(&self, member: &Member, text: &str) {
        self.line(text);
        self.inner.note(member, text);
    }

    fn ended(&self, member: &Member, status: &MemberStatus) {
        let reason = match status {
            MemberStatus::Failed { reason } => format!(": {reason}"),
            _ => String::new(),
        };
        self.line(&format!("{}{reason}", status.name()));
        self.inner.ended(member, status);
    }
}
