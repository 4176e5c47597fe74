//! Checksums over what of a run's tables stands before a checkpoint.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::StepTable;
use crate::digest::{digest, hexadecimal};
use crate::record::is_time;

/// What of the tables a checkpoint goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSums {
    /// Rows of `steps.csv`.
    pub rows: usize,
    /// Its columns; a later version may add others behind them.
    pub columns: usize,
    /// SHA-256 of its header and those rows, cell by cell, but for those that hold times.
    pub steps_sha256: String,
    /// Lines of `events.jsonl` from before the last of those rows.
    pub events: usize,
    /// SHA-256 of those lines.
    pub events_sha256: String,
}

impl TableSums {
    /// Whether the rows in a table are those that were written; `None` where they are not all there.
    pub(super) fn are_of(&self, table: &StepTable) -> Option<bool> {
        let rows = table.cells.get(..self.rows)?;
        let Some(columns) = table.columns.get(..self.columns) else { return Some(false) };
        let mut written = Written::new(columns);
        rows.iter().for_each(|row| written.row(row));
        Some(written.sums().steps_sha256 == self.steps_sha256)
    }

    /// Whether the text of `events.jsonl` begins with the lines that were written.
    pub(super) fn are_of_events(&self, text: &str) -> bool {
        let lines = text.split_inclusive('\n').take(self.events).map(str::as_bytes);
        digest(&lines.collect::<Vec<_>>()) == self.events_sha256
    }
}

/// The same while the tables grow.
#[derive(Debug, Clone)]
pub(super) struct Written {
    rows: usize,
    /// Whether each column holds times.
    times: Vec<bool>,
    steps: Sha256,
    events: usize,
    told: Sha256,
    /// Lines told since the latest row: a run that goes on from there does not keep all of them.
    latest: Vec<u8>,
}

impl Written {
    /// A table of steps with these columns, and no rows and events yet.
    pub fn new(columns: &[String]) -> Self {
        let times = columns.iter().map(|name| is_time(name)).collect();
        let (steps, told) = (Sha256::new(), Sha256::new());
        let latest = Vec::new();
        let mut written = Self { rows: 0, times, steps, events: 0, told, latest };
        written.cells(columns.iter());
        written
    }

    /// A row; cells under further columns are left out.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.events += self.latest.iter().filter(|&&byte| byte == b'\n').count();
        self.told.update(std::mem::take(&mut self.latest));
        self.rows += 1;
        self.cells(cells);
    }

    fn cells<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        for (cell, _) in cells.into_iter().zip(&self.times).filter(|(_, time)| !**time) {
            self.steps.update(cell.as_ref());
            self.steps.update(",");
        }
        self.steps.update("\n");
    }

    /// Events that were told since the latest row, as they were written, one in a line.
    pub fn told(&mut self, lines: &[u8]) {
        self.latest.extend(lines);
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The checksums.
    pub fn sums(&self) -> TableSums {
        TableSums {
            rows: self.rows,
            columns: self.times.len(),
            steps_sha256: hexadecimal(self.steps.clone()),
            events: self.events,
            events_sha256: hexadecimal(self.told.clone()),
        }
    }
}
