//! The flows beside a run that is on disk.

use csv::StringRecord;
use serde_json::Value;

use super::own_files::flow_kinds;
use super::{FLOWS, RunDirectory, StoredRun};
use crate::error::{Error, Result};
use crate::input;

const REMEDY: &str = "follow it again with 'sharpscope flow --force'";

/// A flow, as its table and its numbers have it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFlow {
    /// All but the rows, as in `KIND.json`.
    pub numbers: Value,
    /// The columns' names.
    pub columns: Vec<String>,
    /// A row for each step.
    pub rows: Vec<StringRecord>,
}

impl StoredFlow {
    fn read(directory: &RunDirectory, kind: &str) -> Result<Self> {
        let path = directory.file(&format!("{FLOWS}/{kind}.json"));
        let numbers: Value = input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)?;
        let path = directory.file(&format!("{FLOWS}/{kind}.csv"));
        let (header, rows) = input::parse_table(&input::read(&path, REMEDY)?, &path, REMEDY)?;
        let columns: Vec<String> = header.iter().map(str::to_string).collect();
        if columns.first().is_none_or(|column| column != "step") {
            return Err(Error::file(path, None, "it has no column of steps", REMEDY));
        }
        Ok(Self { numbers, columns, rows })
    }

    /// Which flow: "gradient", "stable", "central" or "rod".
    pub fn kind(&self) -> &str {
        self.numbers["kind"].as_str().unwrap_or_default()
    }

    /// The step of a row.
    pub fn step(row: &StringRecord) -> Option<usize> {
        row.get(0)?.parse().ok()
    }
}

impl StoredRun {
    /// The flows that were followed beside it, by name; of a run as it stood at a step those that end there at most.
    ///
    /// # Errors
    /// [`Error::File`] for a file that is not what the program writes.
    pub fn flows(&self) -> Result<Vec<StoredFlow>> {
        let mut found = Vec::new();
        for kind in flow_kinds(&self.directory().file(FLOWS)) {
            let flow = StoredFlow::read(self.directory(), &kind)?;
            let last = flow.rows.last().and_then(StoredFlow::step);
            if self.named_step().is_none_or(|named| last.is_none_or(|last| last <= named)) {
                found.push(flow);
            }
        }
        Ok(found)
    }
}
