//! A run on disk that may still be written: each look takes what was added since the one before.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use same_file::Handle;

use super::reader::ManifestHead;
use super::{RunDirectory, StepTable, events_of_text};
use crate::error::{Error, Result};
use crate::record::Event;

/// A run directory that is followed while somebody else writes it. What is not there yet is waited for; a last
/// line that is half written is left for the next look.
#[derive(Debug)]
pub struct GrowingRun {
    directory: RunDirectory,
    head: Option<ManifestHead>,
    manifest: Option<(u64, SystemTime)>,
    steps: Tail,
    /// The first line of `steps.csv`.
    header: Vec<u8>,
    events: Tail,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Growth {
    /// What was found before is the run's no more: it was begun anew, or goes on from an earlier step. What is
    /// here is all there is of it now.
    pub begun_anew: bool,
    /// Whether the manifest is another than before, as at the run's end.
    pub manifest_changed: bool,
    /// The new rows; `None` where there are none.
    pub table: Option<StepTable>,
    /// The new events.
    pub events: Vec<Event>,
}

impl Growth {
    /// Whether anything is new.
    pub fn is_any(&self) -> bool {
        self.begun_anew || self.manifest_changed || self.table.is_some() || !self.events.is_empty()
    }
}

impl GrowingRun {
    /// The run in a folder, of which nothing has been seen.
    pub fn at(path: &Path) -> Self {
        let directory = RunDirectory::at(path);
        let tail = |name: &str| Tail { path: directory.file(name), ..Tail::default() };
        let (steps, events) = (tail("steps.csv"), tail("events.jsonl"));
        Self { directory, head: None, manifest: None, steps, header: Vec::new(), events }
    }

    /// Its folder.
    pub fn directory(&self) -> &RunDirectory {
        &self.directory
    }

    /// What its manifest said at the last look; `None` where there was none.
    pub fn head(&self) -> Option<&ManifestHead> {
        self.head.as_ref()
    }

    /// Whether its manifest said how it ended.
    pub fn has_ended(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.exit_code.is_some())
    }

    /// When its table was last written.
    pub fn last_written(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.steps.path).and_then(|now| now.modified()).ok()
    }

    /// Looks at its files: first at the manifest, so that of a run that has ended all rows are found.
    ///
    /// # Errors
    /// [`Error::File`] for what is not what a run writes, [`Error::Io`] for what cannot be read.
    pub fn look(&mut self) -> Result<Growth> {
        let manifest_changed = self.look_at_manifest()?;
        let mut begun_anew = false;
        // Of a run that goes on from an earlier step both files are replaced, one after the other.
        if self.steps.is_another()? | self.events.is_another()? {
            begun_anew = true;
            self.header.clear();
            self.steps.forget();
            self.events.forget();
        }
        let table = self.more_rows()?;
        let events = self.more_events()?;
        Ok(Growth { begun_anew, manifest_changed, table, events })
    }

    fn look_at_manifest(&mut self) -> Result<bool> {
        let path = self.directory.file("manifest.json");
        let now = std::fs::metadata(&path);
        let now = now.and_then(|now| Ok((now.len(), now.modified()?))).ok();
        if now == self.manifest {
            return Ok(false);
        }
        self.head = self.directory.manifest_head()?;
        self.manifest = now;
        Ok(true)
    }

    fn more_rows(&mut self) -> Result<Option<StepTable>> {
        let before = self.steps.lines;
        let mut lines = self.steps.more()?;
        if self.header.is_empty() {
            let Some(end) = lines.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
            let rows = lines.split_off(end + 1);
            self.header = std::mem::replace(&mut lines, rows);
        }
        let text = [&self.header[..], &lines].concat();
        let parsed = StepTable::parse(&text, &self.steps.path);
        let mut table = parsed.map_err(|error| further_down(error, before.saturating_sub(1)))?;
        if self.head.as_ref().is_some_and(|head| head.schema_version < 2) {
            table.take_names_of_version_2();
        }
        Ok(Some(table).filter(|table| !table.cells.is_empty()))
    }

    fn more_events(&mut self) -> Result<Vec<Event>> {
        let before = self.events.lines;
        let lines = self.events.more()?;
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let not_utf8 = "not a text file (it is not UTF-8)";
        let text = std::str::from_utf8(&lines).map_err(|_| {
            Error::file(&self.events.path, Some(before + 1), not_utf8, "run it again")
        })?;
        events_of_text(text, &self.events.path).map_err(|error| further_down(error, before))
    }
}

/// An error in a part of a file, that many lines further down in the whole.
fn further_down(error: Error, lines: u64) -> Error {
    match error {
        Error::File { path, line: Some(line), problem, remedy } => {
            Error::File { path, line: Some(line + lines), problem, remedy }
        }
        other => other,
    }
}

/// A file that grows by whole lines.
#[derive(Debug, Default)]
struct Tail {
    path: PathBuf,
    file: Option<Handle>,
    /// Bytes, and whole lines, that were taken.
    read: u64,
    lines: u64,
}

impl Tail {
    /// Whether another file stands there than the one that was read, or less than was read; opens what is there
    /// for the first time.
    fn is_another(&mut self) -> Result<bool> {
        match Handle::from_path(&self.path) {
            Ok(there) => {
                let Some(known) = &self.file else {
                    self.file = Some(there);
                    return Ok(false);
                };
                let length = there.as_file().metadata().map_or(0, |now| now.len());
                Ok(there != *known || length < self.read)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(self.file.is_some()),
            Err(source) => Err(Error::Io { action: "read", path: self.path.clone(), source }),
        }
    }

    fn forget(&mut self) {
        (self.read, self.lines) = (0, 0);
        self.file = Handle::from_path(&self.path).ok();
    }

    /// The whole lines that were added.
    fn more(&mut self) -> Result<Vec<u8>> {
        let Some(file) = &mut self.file else { return Ok(Vec::new()) };
        let mut lines = Vec::new();
        read_from(file.as_file_mut(), self.read, &mut lines).map_err(|source| Error::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })?;
        lines.truncate(lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        self.read += lines.len() as u64;
        self.lines += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(lines)
    }
}

fn read_from(file: &mut File, at: u64, into: &mut Vec<u8>) -> std::io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    file.read_to_end(into)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::TempDir;

    use super::*;

    const EVENT: &str =
        "{\"step\":1,\"kind\":\"plateau\",\"train_loss\":1.0,\"relative_change\":0.0,\"rows\":2}\n";

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn steps(growth: &Growth) -> Vec<usize> {
        let rows = growth.table.as_ref().map(|table| table.rows().unwrap()).unwrap_or_default();
        rows.iter().map(|row| row.step).collect()
    }

    #[test]
    fn each_look_finds_what_is_new_and_whole() {
        let folder = TempDir::new().unwrap();
        let table = folder.path().join("steps.csv");
        let mut run = GrowingRun::at(folder.path());
        assert!(!run.look().unwrap().is_any());
        append(&table, "step,lr");
        assert!(!run.look().unwrap().is_any());
        append(&table, ",train_loss\n");
        assert!(!run.look().unwrap().is_any());
        append(&table, "0,0.1,2\n1,0.1,1\n2,0.1,0.");
        assert_eq!(steps(&run.look().unwrap()), [0, 1]);
        assert!(!run.look().unwrap().is_any());
        append(&table, "5\n");
        let growth = run.look().unwrap();
        assert_eq!(growth.table.unwrap().rows().unwrap()[0].train_loss, Some(0.5));
    }

    #[test]
    fn what_was_replaced_or_cut_is_read_anew() {
        let folder = TempDir::new().unwrap();
        let table = folder.path().join("steps.csv");
        let mut run = GrowingRun::at(folder.path());
        append(&table, "step,lr\n0,1\n1,1\n2,1\n");
        assert_eq!(steps(&run.look().unwrap()), [0, 1, 2]);
        let new = folder.path().join("new");
        append(&new, "step,lr\n0,1\n1,1\n2,1\n3,1\n4,1\n");
        std::fs::rename(&new, &table).unwrap();
        let growth = run.look().unwrap();
        assert!(growth.begun_anew);
        assert_eq!(steps(&growth), [0, 1, 2, 3, 4]);
        File::options().write(true).open(&table).unwrap().set_len(12).unwrap();
        let growth = run.look().unwrap();
        assert_eq!((growth.begun_anew, steps(&growth)), (true, vec![0]));
        std::fs::remove_file(&table).unwrap();
        let growth = run.look().unwrap();
        assert!(growth.begun_anew && growth.table.is_none());
        assert!(!run.look().unwrap().begun_anew);
    }

    #[test]
    fn a_fault_is_told_with_its_line_in_the_whole_file() {
        let folder = TempDir::new().unwrap();
        let table = folder.path().join("steps.csv");
        let mut run = GrowingRun::at(folder.path());
        append(&table, "step,lr\n0,1\n1,1\n");
        run.look().unwrap();
        append(&table, "2,1\n3,1,7\n4,1\n");
        let error = run.look().unwrap_err().to_string();
        assert!(error.contains("steps.csv:5: 3 cells under 2 columns"), "{error}");
        let events = folder.path().join("events.jsonl");
        let mut run = GrowingRun::at(folder.path());
        std::fs::remove_file(&table).unwrap();
        append(&events, EVENT);
        run.look().unwrap();
        append(&events, "nonsense\n");
        let error = run.look().unwrap_err().to_string();
        assert!(error.contains("events.jsonl:2: not an event"), "{error}");
    }
}
